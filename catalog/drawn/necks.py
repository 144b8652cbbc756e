"""Necks: necklines, collars, lapels and hoods.

Belongs here: what closes an upper garment around the neck. Not here: the body below it (tops.py), buttons down the
front (details.py).
"""

from dataclasses import dataclass

import skia

from catalog.drawn import parts
from catalog.drawn.cloth import Point, Sketch, curve, mirrored, polygon, polyline
from catalog.drawn.figure import Torso
from catalog.drawn.spec import GarmentSpec

_SHIRT_TIPS: dict[str, Point] = {
    "Spread Collar": (84, 112),
    "Button-Down Collar": (60, 140),
    "Cutaway Collar": (150, 62),
    "Polo Collar": (84, 92),
}


@dataclass(frozen=True)
class Neckline:
    """The edge of the front around the neck: `half` its half width, `depth` its lowest point, in garment units."""

    kind: str
    half: float
    depth: float
    side_y: float = 0.0

    def trace(self, path: skia.Path) -> None:
        """Continue a path from the left neck point to the right one."""
        half, depth = self.half, self.depth
        if self.kind in ("V-Neck", "Lapel Collar", "Cuban Collar"):
            path.quadTo(-half * 0.52, depth * 0.45, 0, depth).quadTo(half * 0.52, depth * 0.45, half, self.side_y)
        elif self.kind == "Square Neck":
            path.lineTo(-half * 0.94, depth - 8).quadTo(-half * 0.93, depth, -half * 0.84, depth)
            path.lineTo(half * 0.84, depth).quadTo(half * 0.93, depth, half * 0.94, depth - 8).lineTo(half, self.side_y)
        else:
            path.cubicTo(-half * 0.94, depth * 0.75, -half * 0.5, depth, 0, depth)
            path.cubicTo(half * 0.5, depth, half * 0.94, depth * 0.75, half, self.side_y)


def neckline_of(spec: GarmentSpec, frame: Torso) -> Neckline:
    """The neckline that a spec's collar or neck wants."""
    kind = spec.attributes.get("Collar") or spec.attributes.get("Neck", "Round Neck")
    rng = spec.rng("shape")
    vary = float(rng.uniform(0.94, 1.06))
    half, depth = {
        "Round Neck": (1.16, 70),
        "V-Neck": (1.18, 168),
        "Scoop Neck": (1.5, 150),
        "Square Neck": (1.55, 118),
        "Turtle Neck": (1.0, 40),
        "Hooded": (1.2, 74),
        "Polo Collar": (1.0, 58),
        "Cuban Collar": (1.05, 158),
        "Lapel Collar": (1.1, 270),
        "Mandarin Collar": (1.0, 56),
    }.get(kind, (1.0, 54))
    small = 0.84 if spec.gender in ("Boys", "Girls") else 1.0
    return Neckline(kind, frame.neck * half * (vary if half > 1.1 else 1.0), depth * vary * small)


def draw_neck(sketch: Sketch, frame: Torso, neckline: Neckline, behind: bool) -> None:
    """What lies behind the body (the inside of the back) or before it (the collar itself)."""
    kind = neckline.kind
    if behind:
        _inside(sketch, neckline)
        if kind == "Hooded":
            _hood_back(sketch, neckline)
        return
    sketch.point("neck left", -neckline.half, neckline.side_y)
    sketch.point("neck right", neckline.half, neckline.side_y)
    sketch.point("neck front", 0, neckline.depth)
    if kind in _SHIRT_TIPS:
        _leaves(sketch, frame, neckline, _SHIRT_TIPS[kind])
    elif kind == "Mandarin Collar":
        _mandarin(sketch, neckline)
    elif kind in ("Cuban Collar", "Lapel Collar"):
        _lapels(sketch, frame, neckline)
    elif kind == "Turtle Neck":
        _turtle(sketch, neckline)
    elif kind == "Hooded":
        _hood_front(sketch, neckline)
    else:
        _binding(sketch, neckline)


def _inside(sketch: Sketch, neckline: Neckline) -> None:
    half, depth = neckline.half, neckline.depth
    collared = neckline.kind in _SHIRT_TIPS or neckline.kind in ("Cuban Collar", "Mandarin Collar", "Lapel Collar")
    path = skia.Path().moveTo(-half - 4, 2)
    if neckline.kind == "Mandarin Collar":
        height = _band_height(sketch.spec)
        path.lineTo(-half * 0.87, -height).cubicTo(
            -half * 0.4, -height - 9, half * 0.4, -height - 9, half * 0.87, -height
        )
        path.lineTo(half + 4, 2)
    elif collared:
        path.lineTo(-half * 0.66, -29).cubicTo(-half * 0.3, -41, half * 0.3, -41, half * 0.66, -29).lineTo(half + 4, 2)
    else:
        path.cubicTo(-half * 0.7, 12, half * 0.7, 12, half + 4, 2)
    path.lineTo(half * 0.9, depth + 24).lineTo(-half * 0.9, depth + 24).close()
    sketch.piece(path, parts.LINING, lift=0, tone=-0.34, crease=0.3, depth=0.8)
    label_y = -8 if collared else 30
    label = polygon((-17, label_y), (17, label_y), (16, label_y + 17), (-16, label_y + 17))
    sketch.flat(label, None, (236, 232, 224), alpha=0.9)
    sketch.line(polyline((-9, label_y + 8), (9, label_y + 8)), 2.5, (70, 70, 76), alpha=0.8)


def _edge(neckline: Neckline) -> skia.Path:
    path = skia.Path().moveTo(-neckline.half, neckline.side_y)
    neckline.trace(path)
    return path


def _binding(sketch: Sketch, neckline: Neckline) -> None:
    """A narrow ribbed band along an open neckline."""
    red, green, blue = sketch.base
    shade = 0.86 if not sketch.dark else 1.25
    rgb = tuple(min(255, round(c * shade + (6 if sketch.dark else 0))) for c in (red, green, blue))
    edge = _edge(neckline)
    width = 17 if sketch.spec.article_type in ("Sweaters", "Sweatshirts", "Tshirts") else 10
    sketch.line(edge, width, rgb, part=parts.COLLAR, lift=5, butt=True)  # type: ignore[arg-type]
    inner = skia.Path(edge)
    inner.offset(0, width * 0.52)
    sketch.seam(inner, strength=0.7)
    back = (
        skia.Path()
        .moveTo(-neckline.half, 1)
        .cubicTo(-neckline.half * 0.7, 13, neckline.half * 0.7, 13, neckline.half, 1)
    )
    sketch.line(back, width * 0.72, rgb, part=parts.COLLAR, butt=True)  # type: ignore[arg-type]


def _leaves(sketch: Sketch, frame: Torso, neckline: Neckline, tip: Point) -> None:
    """A folded collar: a band around the neck and two leaves with points."""
    half = neckline.half
    small = 0.85 if sketch.spec.gender in ("Boys", "Girls") else 1.0
    if sketch.spec.article_type == "Jackets":
        small *= 1.2
    # The points stay on the shoulders, however narrow those are.
    tx, ty = min(tip[0] * small, frame.shoulder * 0.8), tip[1] * small
    soft = neckline.kind == "Polo Collar"
    for sign in (-1, 1):
        leaf = skia.Path().moveTo(half * 0.2, -34).quadTo(half * 0.8, -32, half + 6, 0)
        bow = 12 if neckline.kind == "Button-Down Collar" else 3
        if neckline.kind == "Cutaway Collar":
            leaf.quadTo(half + 30, 20, tx, ty).quadTo(half * 0.7, 62, 4, 52 * small)
        else:
            leaf.quadTo((half + tx) / 2 + 14, ty * 0.45, tx, ty).quadTo(tx * 0.4 + bow, ty * 0.72, 4, 54 * small)
        leaf.quadTo(half * 0.62, 8, half * 0.62, -14).quadTo(half * 0.4, -26, half * 0.2, -34).close()
        stitch = skia.Path().moveTo(half + 1, 10)
        if neckline.kind != "Cutaway Collar":
            stitch.quadTo((half + tx) / 2 + 4, ty * 0.45, tx - 4, ty - 13).quadTo(
                tx * 0.42 + bow, ty * 0.64, 14, 50 * small
            )
        else:
            stitch.quadTo(half + 20, 22, tx - 16, ty - 3).quadTo(half * 0.72, 52, 14, 46 * small)
        if sign < 0:
            leaf, stitch = mirrored(leaf), mirrored(stitch)
        sketch.piece(leaf, parts.COLLAR, angle=sign * -38.0, lift=15, crease=0.4, tone=0.04, depth=0.6)
        if not soft:
            sketch.stitch(stitch)
        sketch.point(f"collar tip {'right' if sign > 0 else 'left'}", sign * tx, ty)
    if neckline.kind == "Button-Down Collar":
        for sign in (-1, 1):
            sketch.button(sign * (tx - 6), ty - 19, 9.5)
    if neckline.kind != "Polo Collar":
        sketch.button(0, 56 * small, 8.5)


def _band_height(spec: GarmentSpec) -> float:
    return 40.0 if spec.article_type == "Shirts" else 58.0


def _mandarin(sketch: Sketch, neckline: Neckline) -> None:
    """A standing band with a small gap at the front."""
    half, depth = neckline.half, neckline.depth
    height = _band_height(sketch.spec)
    for sign in (-1, 1):
        band = skia.Path().moveTo(half + 5, 6).quadTo(half + 6, -height * 0.5, half * 0.86, -height)
        band.cubicTo(half * 0.84, depth * 0.1 - height * 0.2, half * 0.55, depth - height, 8, depth - height + 8)
        band.lineTo(5, depth + 3).cubicTo(half * 0.5, depth + 2, half * 0.96, depth * 0.75, half + 5, 6).close()
        if sign < 0:
            band = mirrored(band)
        sketch.piece(band, parts.COLLAR, lift=10, crease=0.3, tone=0.03)
        low = skia.Path().moveTo(sign * (half + 2), 8)
        low.cubicTo(sign * half * 0.94, depth * 0.78, sign * half * 0.5, depth, sign * 6, depth + 2)
        sketch.seam(low)
        sketch.point(f"collar tip {'right' if sign > 0 else 'left'}", sign * 8, depth - height + 8)


def _lapels(sketch: Sketch, frame: Torso, neckline: Neckline) -> None:
    """An open collar that lies flat: collar, notch and lapel on each side."""
    half, depth = neckline.half, neckline.depth
    long = neckline.kind == "Lapel Collar"
    wide = min(1.12 if long else 1.0, frame.shoulder * 0.8 / (half + 62))
    notch = depth * (0.42 if long else 0.56)
    for sign in (-1, 1):
        lapel = skia.Path().moveTo(half * 0.72, notch * 0.55).lineTo(half * 1.12 * wide, notch)
        lapel.lineTo((116 if long else 122) * wide, notch - 8)
        lapel.quadTo((92 if long else 84) * wide, depth * 0.72, 3, depth + 4)
        lapel.quadTo(half * 0.5, depth * 0.5, half * 0.62, notch * 0.3).close()
        collar = skia.Path().moveTo(half * 0.3, -36).quadTo(half * 0.86, -34, half + 10, 0)
        collar.quadTo(half + 52, notch * 0.4, (half + 62) * wide, notch * 0.72).lineTo(half * 1.14 * wide, notch)
        collar.quadTo(half * 0.78, notch * 0.62, half * 0.62, -8).quadTo(half * 0.5, -28, half * 0.3, -36).close()
        if sign < 0:
            lapel, collar = mirrored(lapel), mirrored(collar)
        sketch.piece(lapel, parts.COLLAR, angle=sign * -24.0, lift=14, crease=0.4, tone=0.04, depth=0.6)
        sketch.piece(collar, parts.COLLAR, angle=sign * -40.0, lift=14, crease=0.4, tone=0.07, depth=0.6)
        sketch.seam(lapel, collar, strength=0.6)
        sketch.point(f"collar tip {'right' if sign > 0 else 'left'}", sign * (half + 62) * wide, notch * 0.72)


def _turtle(sketch: Sketch, neckline: Neckline) -> None:
    half, depth = neckline.half, neckline.depth
    tube = skia.Path().moveTo(-half - 4, 8).quadTo(-half * 0.84, -24, -half * 0.9, -84)
    tube.cubicTo(-half * 0.5, -95, half * 0.5, -95, half * 0.9, -84).quadTo(half * 0.84, -24, half + 4, 8)
    tube.cubicTo(half * 0.7, depth, -half * 0.7, depth, -half - 4, 8).close()
    sketch.piece(tube, parts.COLLAR, lift=9, tone=0.02, depth=1.1)
    sketch.clipped_line(tube, _vertical_lines(-half, half, -110, depth + 20, 13), 4.0)
    roll = skia.Path().moveTo(-half * 1.02, -22).cubicTo(-half * 0.6, -2, half * 0.6, -2, half * 1.02, -22)
    sketch.shade(tube, [((-half, -24), (half, -24), 9, -0.06)], 1.0)
    sketch.seam(roll)
    mouth = skia.Path().moveTo(-half * 0.9, -84).cubicTo(-half * 0.5, -96, half * 0.5, -96, half * 0.9, -84)
    sketch.flat(
        mouth.cubicTo(half * 0.5, -74, -half * 0.5, -74, -half * 0.9, -84).close(), parts.LINING, (0, 0, 0), alpha=0.45
    )


def _vertical_lines(x0: float, x1: float, y0: float, y1: float, pitch: float) -> skia.Path:
    path, x = skia.Path(), x0
    while x <= x1:
        path.moveTo(x, y0)
        path.lineTo(x, y1)
        x += pitch
    return path


def _hood_back(sketch: Sketch, neckline: Neckline) -> None:
    half = neckline.half
    hood = skia.Path().moveTo(-half - 44, 40).cubicTo(-half - 62, -70, -half - 20, -168, 0, -172)
    hood.cubicTo(half + 20, -168, half + 62, -70, half + 44, 40).close()
    sketch.piece(hood, parts.HOOD, lift=0)
    inside = skia.Path().moveTo(-half + 2, 44).cubicTo(-half - 26, -46, -half * 0.62, -128, 0, -130)
    inside.cubicTo(half * 0.62, -128, half + 26, -46, half - 2, 44).close()
    sketch.piece(inside, parts.LINING, lift=0, tone=-0.42, crease=0.5)
    sketch.seam(inside)
    sketch.point("hood top", 0, -172)


def _hood_front(sketch: Sketch, neckline: Neckline) -> None:
    half, depth = neckline.half, neckline.depth
    for sign in (-1, 1):
        side = skia.Path().moveTo(half + 46, 36).cubicTo(half + 40, 2, half + 6, -22, half - 8, -40)
        side.cubicTo(half * 0.8, 20, half * 0.4, depth * 0.82, -4, depth - 4).lineTo(-2, depth + 34)
        side.cubicTo(half * 0.5, depth + 30, half + 16, depth + 4, half + 46, 36).close()
        if sign < 0:
            side = mirrored(side)
        sketch.piece(side, parts.HOOD, angle=sign * -30.0, lift=12, crease=0.8)
    cord = (240, 238, 232) if sketch.spec.base_lab[0] < 70 else (58, 60, 66)
    for sign in (-1, 1):
        string = curve((sign * 22, depth + 6), (sign * 27, depth + 70), (sign * 24, depth + 128))
        sketch.line(string, 7.5, cord, part=parts.DRAWSTRING, lift=7)
        sketch.line(polyline((sign * 24, depth + 112), (sign * 24, depth + 132)), 9.5, (130, 130, 134))
