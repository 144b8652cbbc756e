"""Footwear, seen from the side with the toe to the left.

Belongs here: uppers, toes, soles, heels and what closes a shoe. Not here: turning a pair the other way (studio.py).

The ground is y = 0 and up is negative.
"""

import math
from dataclasses import dataclass

import skia

from catalog.drawn import parts
from catalog.drawn.cloth import Point, Sketch, curve, polygon, polyline
from catalog.drawn.colours import Rgb, lab_to_rgb
from catalog.drawn.spec import GarmentSpec

RUBBER: Rgb = (240, 238, 232)


@dataclass(frozen=True)
class Last:
    """The wooden foot a shoe is built on: toe and heel along the ground, sole thickness, height of the ankle."""

    toe: float
    heel: float
    sole: float
    ankle: float
    height: float


def _last(spec: GarmentSpec) -> Last:
    rng = spec.rng("shape")
    long = {"Men": 1.0, "Women": 0.95, "Unisex": 0.98, "Boys": 0.8, "Girls": 0.78}[spec.gender]
    tall = {"Men": 1.0, "Women": 0.84, "Unisex": 1.06, "Boys": 0.98, "Girls": 0.88}[spec.gender]
    sole = {"Casual Shoes": 46.0, "Formal Shoes": 20.0, "Sports Shoes": 64.0}[spec.article_type]
    high = spec.attributes.get("Ankle Height") == "High-Top"
    ankle = (365 if high else 205) * tall * float(rng.uniform(0.97, 1.03))
    if spec.style == "atelier":
        sole, long = sole * 1.25, long * 0.95
    return Last(-400 * long, 325 * long, sole * (0.85 if spec.gender == "Women" else 1.0), ankle, tall)


def draw_shoe(sketch: Sketch) -> None:
    """A casual, formal or sports shoe."""
    spec = sketch.spec
    last = _last(spec)
    _inside(sketch, last)
    closure = spec.attributes["Closure"]
    if closure != "Slip-On":
        _tongue(sketch, last)
    upper = _upper(sketch, last)
    _toe_detail(sketch, last, upper)
    if spec.article_type == "Sports Shoes" and closure != "Velcro":
        _flashes(sketch, last, upper)
    _counter(sketch, last, upper)
    if closure == "Lace-Up":
        _laces(sketch, last)
    elif closure == "Velcro":
        _straps(sketch, last)
    elif closure == "Buckle":
        _monk_strap(sketch, last, upper)
    else:
        _gore(sketch, last, upper)
    _sole(sketch, last)
    sketch.point("toe", last.toe, -last.sole)
    sketch.point("heel", last.heel, -last.sole)
    sketch.point("ankle", last.heel - 10, -last.sole - last.ankle)
    sketch.point("instep", *_instep(last, 0.5))


def _top(last: Last) -> float:
    return -last.sole - last.ankle


def _throat(last: Last) -> Point:
    """Where the opening meets the instep."""
    high = last.ankle > 280
    return (
        last.toe + (last.heel - last.toe) * (0.62 if high else 0.58),
        -last.sole - last.ankle * (0.97 if high else 0.98),
    )


def _vamp(last: Last) -> Point:
    """Where the instep meets the toe box."""
    return (last.toe + (last.heel - last.toe) * 0.27, -last.sole - 118 * last.height)


def _instep(last: Last, share: float) -> Point:
    """A point on the instep: 0 at the toe box, 1 at the opening."""
    (x0, y0), (x1, y1) = _vamp(last), _throat(last)
    sag = 14 * math.sin(math.pi * share)
    return x0 + (x1 - x0) * share + sag * 0.5, y0 + (y1 - y0) * share + sag


def _toe_path(path: skia.Path, last: Last, shape: str) -> None:
    """From the toe box down to the sole."""
    x, base = last.toe, -last.sole
    vx, vy = _vamp(last)
    if shape == "Pointed Toe":
        path.cubicTo(vx - 70, vy + 34, x - 10, base - 50, x - 66, base - 16)
        path.quadTo(x - 78, base - 2, x - 56, base + 8)
    elif shape == "Square Toe":
        path.cubicTo(vx - 40, vy + 12, x + 60, base - 112 * last.height, x + 14, base - 106 * last.height)
        path.quadTo(x - 10, base - 104 * last.height, x - 11, base - 84 * last.height).lineTo(x - 13, base + 8)
    else:
        path.cubicTo(vx - 50, vy + 22, x + 92, base - 104 * last.height, x + 46, base - 88 * last.height)
        path.cubicTo(x + 4, base - 70 * last.height, x - 20, base - 30, x - 6, base + 8)


def _upper(sketch: Sketch, last: Last) -> skia.Path:
    spec = sketch.spec
    shape = spec.attributes.get("Toe Shape", "Round Toe")
    top, base = _top(last), -last.sole
    tx, ty = _throat(last)
    path = skia.Path().moveTo(last.heel - 4, base + 8)
    path.cubicTo(last.heel + 22, base - last.ankle * 0.3, last.heel - 14, base - last.ankle * 0.6, last.heel + 6, top)
    dip = 58 if last.ankle < 280 else 34
    path.quadTo(last.heel - 20, top - 14, last.heel - 44, top + 12)
    path.cubicTo(last.heel - 110, top + dip, tx + 60, top + dip, tx, ty)
    for share in (0.75, 0.5, 0.25, 0.0):
        path.lineTo(*_instep(last, share))
    _toe_path(path, last, shape)
    path.close()
    across: tuple[Point, Point] = ((-60, top * 0.92), (-30, base + 60))
    sketch.piece(path, parts.UPPER, across=across, lift=6, crease=0.7, depth=0.85)
    bend_x = last.toe + (last.heel - last.toe) * 0.3
    strokes = [
        ((bend_x - 6 + 30 * k, -last.sole - 112 + 6 * k), (bend_x + 16 + 36 * k, -last.sole - 40), 7.0, 0.1)
        for k in range(3)
    ]
    sketch.shade(path, strokes, 0.55)
    gloss = 0.04 + 0.75 * sketch.fabric.gloss
    sketch.glow(path, (last.toe + 30, base - 62), (last.toe + 190, base - 104), gloss)
    sketch.glow(
        path, (last.heel - 150, base - last.ankle * 0.45), (last.heel - 40, base - last.ankle * 0.5), gloss * 0.7
    )
    lip = curve(
        (last.heel - 6, top + 14), (last.heel - 46, top + 28), ((last.heel + tx) / 2, top + dip + 8), (tx + 6, ty + 17)
    )
    sketch.seam(lip)
    sketch.stitch(lip)
    return path


def _inside(sketch: Sketch, last: Last) -> None:
    top = _top(last)
    tx, ty = _throat(last)
    path = (
        skia.Path().moveTo(tx - 4, ty + 4).cubicTo(tx + 70, top - 22, last.heel - 80, top - 20, last.heel + 2, top + 2)
    )
    path.lineTo(last.heel - 20, top + 80).lineTo(tx + 20, top + 90).close()
    sketch.piece(path, parts.LINING, lift=0, rgb=(196, 186, 172), tone=-0.34, weave=False, crease=0.3)


def _tongue(sketch: Sketch, last: Last) -> None:
    tx, ty = _throat(last)
    vx, vy = _vamp(last)
    path = skia.Path().moveTo(vx - 6, vy + 10).quadTo((vx + tx) / 2 - 24, (vy + ty) / 2 - 26, tx - 22, ty - 44)
    path.quadTo(tx + 22, ty - 62, tx + 40, ty - 34).lineTo(tx + 12, ty + 30).close()
    sketch.piece(path, parts.TONGUE, lift=0, tone=-0.1, crease=0.4)


def _toe_detail(sketch: Sketch, last: Last, upper: skia.Path) -> None:
    """A rubber cap, a cap seam or an overlay, by kind of shoe."""
    spec, base = sketch.spec, -last.sole
    kind = spec.article_type
    edge = last.toe + (last.heel - last.toe) * 0.17
    seam = curve((edge - 4, base + 10), (edge + 26, base - 50), (edge + 4, base - 118 * last.height))
    if kind == "Casual Shoes" and spec.rng("shape").random() < 0.5 and spec.attributes.get("Toe Shape") == "Round Toe":
        cap = skia.Path().moveTo(edge - 20, base + 12).quadTo(edge + 6, base - 44, edge - 38, base - 98 * last.height)
        cap.lineTo(last.toe - 60, base - 130).lineTo(last.toe - 60, base + 12).close()
        sketch.piece(
            skia.Op(cap, upper, skia.kIntersect_PathOp), parts.TOE, rgb=RUBBER, weave=False, lift=4, crease=0.2
        )
    elif kind == "Sports Shoes":
        cap = skia.Path().moveTo(edge + 70, base + 12).quadTo(edge + 20, base - 44, edge - 50, base - 62)
        cap.lineTo(last.toe - 60, base - 60).lineTo(last.toe - 60, base + 12).close()
        sketch.piece(
            skia.Op(cap, upper, skia.kIntersect_PathOp), parts.TOE, tone=-0.16, weave=False, lift=4, crease=0.2
        )
    else:
        sketch.seam(seam, strength=1.1)
        sketch.stitch(seam)


def _counter(sketch: Sketch, last: Last, upper: skia.Path) -> None:
    """The stiffened heel."""
    base = -last.sole
    piece = (
        skia.Path()
        .moveTo(last.heel - 120, base + 12)
        .quadTo(last.heel - 92, base - 110, last.heel - 40, base - 150 * last.height)
    )
    piece.lineTo(last.heel + 40, base - 160 * last.height).lineTo(last.heel + 40, base + 12).close()
    sketch.piece(skia.Op(piece, upper, skia.kIntersect_PathOp), parts.UPPER, tone=-0.07, lift=5, crease=0.4, depth=0.6)
    sketch.stitch(
        curve((last.heel - 112, base), (last.heel - 86, base - 100), (last.heel - 38, base - 138 * last.height))
    )


def _flashes(sketch: Sketch, last: Last, upper: skia.Path) -> None:
    """A contrast panel under the ankle, cut like no known brand's mark."""
    rgb, base = lab_to_rgb(sketch.spec.second_lab), -last.sole
    long = last.heel - last.toe
    panel = (
        skia.Path()
        .moveTo(last.toe + long * 0.5, base + 8)
        .quadTo(last.toe + long * 0.56, base - 96 * last.height, last.toe + long * 0.74, base - 128 * last.height)
    )
    panel.lineTo(last.toe + long * 0.8, base - 96 * last.height).quadTo(
        last.toe + long * 0.8, base - 40, last.toe + long * 0.86, base + 8
    )
    cut = skia.Op(panel.close(), upper, skia.kIntersect_PathOp)
    sketch.piece(cut, parts.UPPER, rgb=rgb, weave=False, lift=4, crease=0.5, depth=0.5)
    sketch.stitch(cut)


def _lace_colour(sketch: Sketch) -> Rgb:
    if sketch.spec.article_type == "Formal Shoes":
        red, green, blue = sketch.base
        return (round(red * 0.5), round(green * 0.5), round(blue * 0.5)) if sum(sketch.base) > 160 else (126, 120, 116)
    return (248, 247, 243) if sketch.spec.base_lab[0] < 80 else (60, 62, 70)


def _laces(sketch: Sketch, last: Last) -> None:
    """Facing, eyelets, crossed laces and a bow."""
    rgb = _lace_colour(sketch)
    facing = [_instep(last, share) for share in (0.02, 0.25, 0.5, 0.75, 0.98)]
    lower = [(x + 40, y + 44) for x, y in facing]
    path = skia.Path().moveTo(*facing[0])
    for point in (*facing[1:], *reversed(lower)):
        path.lineTo(*point)
    sketch.piece(path.close(), parts.UPPER, tone=-0.12, lift=6, crease=0.3, depth=0.4)
    count = 5 if last.ankle < 280 else 8
    for number in range(count):
        share = 0.07 + 0.86 * number / (count - 1)
        x, y = _instep(last, share)
        sketch.flat(skia.Path.Circle(x + 32, y + 36, 7.5), None, (88, 86, 88))
        sketch.line(polyline((x + 31, y + 35), (x - 20, y - 15)), 13, rgb, part=parts.LACES, lift=6)
    x, y = _instep(last, 0.95)
    for dx, dy in ((-74, 4), (70, 8)):
        loop = (
            skia.Path()
            .moveTo(x, y - 8)
            .cubicTo(x + dx * 0.5, y - 52 + dy, x + dx * 1.2, y - 26 + dy, x + dx, y + 14 + dy)
        )
        sketch.line(
            loop.cubicTo(x + dx * 0.7, y + 26 + dy, x + dx * 0.3, y + 6, x, y - 8), 9, rgb, part=parts.LACES, lift=6
        )


def _band_across(last: Last, share: float, width: float, drop: float) -> skia.Path:
    """A strap from the instep down to the side."""
    x0, y0 = _instep(last, share)
    x1, y1 = _instep(last, min(1.0, share + width))
    return polygon(
        (x0 - 12, y0 - 10), (x1 - 8, y1 - 12), (x1 + drop * 0.82, y1 + drop), (x0 + drop * 0.82 - 4, y0 + drop * 0.98)
    )


def _straps(sketch: Sketch, last: Last) -> None:
    """Two or three broad straps with hook-and-loop ends."""
    count = 2 if last.ankle < 280 else 3
    for number in range(count):
        share = 0.08 + 0.88 * number / count
        band = _band_across(last, share, 0.62 / count, 112 * last.height)
        sketch.piece(
            band,
            parts.STRAP,
            tone=0.3 if sketch.spec.base_lab[0] < 46 else -0.28,
            lift=16,
            crease=0.2,
            depth=0.5,
            angle=45,
        )
        sketch.seam(band, strength=1.3)
        x0, y0 = _instep(last, share + 0.07)
        x1, y1 = _instep(last, share + 0.62 / count - 0.07)
        inner, outer = 62 * last.height, 98 * last.height
        patch = polygon(
            (x0 + inner * 0.82, y0 + inner),
            (x1 + inner * 0.82, y1 + inner),
            (x1 + outer * 0.82, y1 + outer),
            (x0 + outer * 0.82, y0 + outer),
        )
        rgb = (238, 236, 230) if sketch.spec.base_lab[0] < 72 else (64, 64, 70)
        sketch.flat(patch, parts.STRAP, rgb, lift=3)


def buckle(sketch: Sketch, x: float, y: float, width: float, height: float, angle: float = 0.0) -> None:
    """A metal frame with its pin."""
    turn = skia.Matrix.RotateDeg(angle, skia.Point(x, y))
    frame = skia.Path.RRect(skia.Rect.MakeXYWH(x - width / 2, y - height / 2, width, height), 8, 8)
    pin = polyline((x - width / 2, y), (x + width / 2 + 4, y))
    frame.transform(turn)
    pin.transform(turn)
    sketch.line(frame, 11, (206, 176, 104), part=parts.BUCKLE, lift=7)
    sketch.line(frame, 3.5, (250, 236, 190), alpha=0.9)
    sketch.line(pin, 7, (186, 152, 84), part=parts.BUCKLE)


def _monk_strap(sketch: Sketch, last: Last, upper: skia.Path) -> None:
    band = _band_across(last, 0.52, 0.34, 122 * last.height)
    sketch.piece(band, parts.STRAP, tone=0.05, lift=13, crease=0.2, depth=0.5, angle=45)
    sketch.seam(band, strength=1.1)
    sketch.stitch(band)
    box = band.computeTightBounds()
    buckle(sketch, box.centerX() + 24, box.centerY() + 14, 66, 60, 45)


def _gore(sketch: Sketch, last: Last, upper: skia.Path) -> None:
    """An elastic insert at the side of the opening."""
    tx, _ = _throat(last)
    top, base = _top(last), -last.sole
    x = tx + (last.heel - tx) * 0.18
    deep = last.ankle * 0.62
    insert = polygon((x - 34, top - 10), (x + 74, top - 10), (x + 32, top + deep), (x + 6, top + deep))
    piece = skia.Op(insert, upper, skia.kIntersect_PathOp)
    rgb = (58, 58, 64) if sketch.spec.base_lab[0] > 32 else (128, 126, 128)
    sketch.flat(piece, parts.STRAP, rgb, lift=4)
    ribs = skia.Path()
    for step in range(-6, 14):
        ribs.moveTo(x - 40 + step * 9, top - 10)
        ribs.lineTo(x - 18 + step * 6.4, base)
    sketch.clipped_line(piece, ribs, 3.6, 1.3)
    vamp_x, vamp_y = _instep(last, 0.55)
    sketch.seam(curve((vamp_x - 12, vamp_y), (vamp_x + 50, vamp_y + 56), (vamp_x + 44, base - 24)), strength=1.0)


def _sole(sketch: Sketch, last: Last) -> None:
    spec = sketch.spec
    kind = spec.article_type
    toe, heel, thick = last.toe - 18, last.heel + 16, last.sole
    if spec.attributes.get("Toe Shape") == "Pointed Toe":
        toe -= 52
    if kind == "Formal Shoes":
        rgb: Rgb = (46, 36, 32) if spec.base_lab[0] > 22 else (74, 56, 44)
        path = polygon((toe, -thick - 2), (heel, -thick - 4), (heel - 2, -2), (toe + 22, -2))
        block = polygon((heel - 150, -6), (heel + 2, -6), (heel - 2, 36), (heel - 138, 36))
        sketch.piece(block, parts.HEEL, rgb=rgb, weave=False, lift=0, crease=0.1)
        sketch.piece(path, parts.SOLE, rgb=rgb, weave=False, lift=3, crease=0.1, across=((0, -thick - 6), (0, 6)))
        sketch.line(
            polyline((toe + 10, -thick + 4), (heel - 6, -thick + 3)), 2.6, (196, 168, 120), alpha=0.7, dash=(8, 5)
        )
        return
    if kind == "Sports Shoes":
        accent = lab_to_rgb(spec.second_lab)
        path = (
            skia.Path()
            .moveTo(toe - 4, -thick - 14)
            .cubicTo(toe + 120, -thick + 16, toe + 300, -thick + 12, heel - 120, -thick - 8)
        )
        path.quadTo(heel - 30, -thick - 22, heel + 12, -thick - 30).quadTo(heel + 34, -20, heel - 10, -2)
        path.lineTo(toe + 90, 0).quadTo(toe + 10, -6, toe - 14, -40).close()
        sketch.piece(path, parts.SOLE, rgb=RUBBER, weave=False, lift=6, crease=0.3, across=((0, -thick - 30), (0, 12)))
        tread = (
            skia.Path()
            .moveTo(toe + 10, -15)
            .quadTo(0, 2, heel - 8, -14)
            .lineTo(heel - 12, 2)
            .lineTo(toe + 88, 3)
            .close()
        )
        sketch.flat(tread, parts.SOLE, (52, 54, 60))
        wave = curve(
            (toe + 40, -thick * 0.52), (toe + 240, -thick * 0.3), (heel - 200, -thick * 0.62), (heel, -thick * 0.7)
        )
        sketch.line(wave, 9, accent)
        return
    path = polygon((toe, -thick), (heel, -thick), (heel + 3, -4), (heel - 6, 0), (toe + 10, 0), (toe - 2, -6))
    rubber = RUBBER if spec.rng("shape").random() < 0.72 else (176, 130, 84)
    sketch.piece(path, parts.SOLE, rgb=rubber, weave=False, lift=6, crease=0.2, across=((0, -thick - 20), (0, 14)))
    sketch.line(polyline((toe + 4, -thick * 0.58), (heel, -thick * 0.58)), 4, (110, 106, 100), alpha=0.55)
    sketch.line(polyline((toe + 2, -4), (heel, -4)), 7, (84, 80, 78), alpha=0.5)
