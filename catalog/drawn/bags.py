"""Bags: handbags and backpacks, seen from the front.

Belongs here: bodies, handles, straps, flaps and what closes a bag. Not here: pockets of clothes (details.py).
"""

import skia

from catalog.drawn import parts
from catalog.drawn.cloth import Sketch, curve, polygon, polyline
from catalog.drawn.colours import Rgb
from catalog.drawn.details import pocket
from catalog.drawn.shoes import buckle


def _trim(sketch: Sketch) -> Rgb:
    """Straps and edges: the cloth's own colour, deeper; brown leather on canvas."""
    if sketch.spec.attributes.get("Fabric") == "Canvas":
        return (126, 78, 46) if sketch.spec.base_lab[0] > 40 or sketch.dark else (176, 122, 76)
    red, green, blue = sketch.base
    return (
        (red + 30, green + 29, blue + 29)
        if sketch.dark
        else (round(red * 0.72), round(green * 0.72), round(blue * 0.72))
    )


def draw_handbag(sketch: Sketch) -> None:
    """A handbag: handle or strap behind, body, then zip or flap."""
    spec = sketch.spec
    rng = spec.rng("shape")
    small = 0.84 if spec.gender == "Girls" else 1.0
    width, height = 250 * float(rng.uniform(0.88, 1.12)) * small, 330 * float(rng.uniform(0.82, 1.1)) * small
    splay = float(rng.uniform(0.8, 1.06))
    if spec.style == "atelier":
        width, splay = width * 1.12, 1.16
    top = -height
    _handle(sketch, width * splay, top)
    body = skia.Path().moveTo(-width * splay, top + 14).quadTo(-width * splay, top, -width * splay + 14, top)
    body.lineTo(width * splay - 14, top).quadTo(width * splay, top, width * splay, top + 14)
    body.cubicTo(width * splay + 14, top * 0.6, width + 18, -70, width, -26).quadTo(width - 8, 0, width - 46, 2)
    body.lineTo(-width + 46, 2).quadTo(-width + 8, 0, -width, -26)
    body.cubicTo(-width - 18, -70, -width * splay - 14, top * 0.6, -width * splay, top + 14).close()
    sketch.piece(body, parts.BODY, lift=0, crease=0.9)
    drops = [((s * width * 0.8, top + 40), (s * width * 0.55, top * 0.35), 13.0, 0.1 * s) for s in (-1, 1)]
    sketch.shade(body, [*drops, ((-width * 0.6, -34), (width * 0.5, -28), 11.0, 0.03)], 0.8)
    sketch.glow(body, (-width * 0.5, top * 0.55), (width * 0.25, top * 0.7), 0.08 + 0.35 * sketch.fabric.gloss)
    piping = skia.Path(body)
    piping.transform(skia.Matrix.Scale(0.95, 0.95).postTranslate(0, -height * 0.022))
    sketch.stitch(piping)
    for sign in (-1, 1):
        corner = polygon((sign * (width + 4), -84), (sign * (width - 70), 4), (sign * (width + 4), 4))
        sketch.piece(
            skia.Op(corner, body, skia.kIntersect_PathOp),
            parts.BODY,
            rgb=_trim(sketch),
            lift=4,
            crease=0.3,
            weave=False,
        )
    if spec.attributes["Closure"] == "Zip":
        _zip_across(sketch, width * splay * 0.9, top + 34)
    else:
        _flap(sketch, width * splay, top, height)
    for sign, name in ((-1, "left"), (1, "right")):
        sketch.point(f"top {name}", sign * width * splay, top)
        sketch.point(f"bottom {name}", sign * width, 0)


def _zip_across(sketch: Sketch, half: float, y: float) -> None:
    tape = polygon((-half, y - 14), (half, y - 14), (half, y + 14), (-half, y + 14))
    sketch.flat(tape, parts.ZIP, (56, 54, 58) if not sketch.dark else (96, 94, 96), lift=5)
    sketch.line(polyline((-half, y), (half, y)), 15, (214, 196, 148), dash=(6, 4))
    sketch.line(polyline((-half, y), (half, y)), 2.6, (64, 56, 44), alpha=0.8)
    x = half * 0.72
    sketch.flat(skia.Path.RRect(skia.Rect.MakeXYWH(x - 12, y - 6, 24, 78), 9, 9), parts.ZIP, (206, 178, 112), lift=8)
    sketch.flat(skia.Path.Circle(x, y + 56, 6), None, (96, 80, 50))


def _flap(sketch: Sketch, half: float, top: float, height: float) -> None:
    deep = height * 0.52
    lid = skia.Path().moveTo(-half - 6, top - 6).lineTo(half + 6, top - 6)
    lid.cubicTo(half + 8, top + deep * 0.7, half * 0.62, top + deep, half * 0.4, top + deep)
    lid.lineTo(-half * 0.4, top + deep).cubicTo(
        -half * 0.62, top + deep, -half - 8, top + deep * 0.7, -half - 6, top - 6
    )
    sketch.piece(lid.close(), parts.FLAP, lift=18, crease=0.7, tone=0.04)
    inner = skia.Path(lid)
    inner.transform(skia.Matrix.Scale(0.95, 0.95).postTranslate(0, top * 0.05 + 4))
    sketch.stitch(inner)
    belt = polygon(
        (-26, top + deep * 0.42),
        (26, top + deep * 0.42),
        (26, top + deep + 56),
        (0, top + deep + 72),
        (-26, top + deep + 56),
    )
    sketch.piece(belt, parts.STRAP, rgb=_trim(sketch), weave=False, lift=10, crease=0.3)
    sketch.seam(belt)
    buckle(sketch, 0, top + deep + 4, 76, 60, 90)


def _handle(sketch: Sketch, half: float, top: float) -> None:
    kind = sketch.spec.attributes["Strap Type"]
    trim = _trim(sketch)
    if kind == "Top Handle":
        for shift, tone in ((16, 0.72), (0, 1.0)):
            rgb = tuple(round(c * tone) for c in trim)
            arc = (
                skia.Path()
                .moveTo(-half * 0.5, top + 40 - shift)
                .cubicTo(-half * 0.52, top - 190 - shift, half * 0.52, top - 190 - shift, half * 0.5, top + 40 - shift)
            )
            sketch.line(arc, 30, rgb, part=parts.HANDLE, lift=6)  # type: ignore[arg-type]
            light = skia.Path(arc)
            light.offset(4 * sketch.light.side, -4)
            sketch.line(light, 6, (255, 255, 255), alpha=0.2)
        sketch.point("handle top", 0, top - 132)
        return
    arc = (
        skia.Path()
        .moveTo(-half * 0.94, top + 30)
        .cubicTo(-half * 0.9, top - 520, half * 0.9, top - 520, half * 0.94, top + 30)
    )
    if kind == "Shoulder Strap":
        sketch.line(arc, 25, trim, part=parts.STRAP, lift=6)
        light = skia.Path(arc)
        light.offset(4 * sketch.light.side, -2)
        sketch.line(light, 5, (255, 255, 255), alpha=0.2)
    else:
        sketch.line(arc, 17, (150, 116, 52), part=parts.STRAP)
        sketch.line(arc, 14, (238, 208, 132), dash=(22, 7))
        sketch.line(arc, 4.5, (122, 92, 40), dash=(14, 15))
    for sign in (-1, 1):
        sketch.line(skia.Path.Circle(sign * half * 0.94, top + 20, 17), 8, (206, 176, 104), part=parts.BUCKLE)
    sketch.point("handle top", 0, top - 382)


def draw_backpack(sketch: Sketch) -> None:
    """A backpack with its shoulder straps showing at the sides."""
    spec = sketch.spec
    rng = spec.rng("shape")
    child = spec.gender in ("Boys", "Girls")
    half = 205 * float(rng.uniform(0.94, 1.06)) * (1.06 if child else 1.0)
    height = (430 if child else 560) * float(rng.uniform(0.95, 1.05))
    narrow = 0.78 if spec.gender in ("Women", "Girls") else 0.92
    if spec.style == "atelier":
        half, narrow = half * 1.1, narrow * 0.9
    top = -height
    trim = _trim(sketch)
    loop = skia.Path().moveTo(-44, top + 20).cubicTo(-46, top - 86, 46, top - 86, 44, top + 20)
    sketch.line(loop, 22, trim, part=parts.HANDLE)
    for sign in (-1, 1):
        strap = curve(
            (sign * half * 0.6, top + 50),
            (sign * (half + 44), top * 0.72),
            (sign * (half + 52), top * 0.36),
            (sign * (half - 10), -50),
        )
        sketch.line(strap, 42, trim, part=parts.STRAP)
        sketch.line(strap, 30, (255, 255, 255), alpha=0.07)
    body = (
        skia.Path()
        .moveTo(-half, -40)
        .quadTo(-half + 2, 2, -half + 50, 4)
        .lineTo(half - 50, 4)
        .quadTo(half - 2, 2, half, -40)
    )
    body.cubicTo(half + 16, top * 0.45, half * narrow + 18, top * 0.72, half * narrow, top + 110)
    body.cubicTo(half * narrow - 12, top + 14, half * 0.5, top, 0, top)
    body.cubicTo(-half * 0.5, top, -half * narrow + 12, top + 14, -half * narrow, top + 110)
    body.cubicTo(-half * narrow - 18, top * 0.72, -half - 16, top * 0.45, -half, -40).close()
    sketch.piece(body, parts.BODY, lift=8, crease=0.9)
    sketch.shade(
        body,
        [
            ((-half * 0.7, top * 0.6), (-half * 0.3, top * 0.36), 13.0, 0.1),
            ((half * 0.8, top * 0.55), (half * 0.4, top * 0.3), 12.0, -0.1),
            ((-half * 0.5, -30), (half * 0.6, -26), 12.0, 0.04),
        ],
        0.8,
    )
    closure = spec.attributes["Closure"]
    if closure == "Zip":
        _arched_zip(sketch, half * narrow * 0.84, top + 44, height * 0.4)
    elif closure == "Buckle":
        _top_flap(sketch, half * narrow + 8, top, height * 0.42)
    else:
        _gathered_mouth(sketch, half * narrow, top)
    _front_pocket(sketch, half, height)
    for sign, name in ((-1, "left"), (1, "right")):
        sketch.point(f"top {name}", sign * half * narrow, top + 110)
        sketch.point(f"bottom {name}", sign * half, 0)
    sketch.point("handle top", 0, top - 60)


def _arched_zip(sketch: Sketch, half: float, top: float, deep: float) -> None:
    arch = skia.Path().moveTo(-half, top + deep).cubicTo(-half, top - 20, half, top - 20, half, top + deep)
    sketch.line(arch, 26, (54, 54, 58) if not sketch.dark else (98, 98, 102), part=parts.ZIP, lift=6, butt=True)
    sketch.line(arch, 14, (208, 208, 214), dash=(6, 4))
    sketch.line(arch, 2.6, (60, 60, 64), alpha=0.8)
    x, y = half * 0.62, top + deep * 0.2
    sketch.flat(skia.Path.RRect(skia.Rect.MakeXYWH(x - 11, y, 22, 74), 9, 9), parts.ZIP, (190, 192, 198), lift=8)


def _top_flap(sketch: Sketch, half: float, top: float, deep: float) -> None:
    lid = skia.Path().moveTo(-half, top + 84).cubicTo(-half + 4, top - 8, half - 4, top - 8, half, top + 84)
    lid.lineTo(half, top + deep - 40).quadTo(half - 4, top + deep, half - 44, top + deep)
    lid.lineTo(-half + 44, top + deep).quadTo(-half + 4, top + deep, -half, top + deep - 40).close()
    sketch.piece(lid, parts.FLAP, lift=18, crease=0.7, tone=0.04)
    edge = (
        skia.Path().moveTo(-half + 10, top + deep - 44).quadTo(-half + 14, top + deep - 12, -half + 50, top + deep - 12)
    )
    sketch.stitch(
        edge.lineTo(half - 50, top + deep - 12).quadTo(half - 14, top + deep - 12, half - 10, top + deep - 44)
    )
    for sign in (-1, 1):
        x = sign * half * 0.46
        belt = polygon(
            (x - 20, top + deep * 0.5),
            (x + 20, top + deep * 0.5),
            (x + 20, top + deep + 76),
            (x, top + deep + 90),
            (x - 20, top + deep + 76),
        )
        sketch.piece(belt, parts.STRAP, rgb=_trim(sketch), weave=False, lift=9, crease=0.3)
        buckle(sketch, x, top + deep + 12, 58, 52, 90)


def _gathered_mouth(sketch: Sketch, half: float, top: float) -> None:
    """The bag's mouth drawn together by a cord, its hem standing up in folds."""
    mouth = (
        skia.Path()
        .moveTo(-half * 0.96, top + 96)
        .cubicTo(-half * 0.5, top + 70, -half * 0.56, top + 40, -half * 0.62, top - 14)
    )
    for number in range(6):
        x0, x1 = -half * 0.62 + half * 1.24 * number / 6, -half * 0.62 + half * 1.24 * (number + 1) / 6
        mouth.quadTo((x0 + x1) / 2, top - 44, x1, top - 14)
    mouth.cubicTo(half * 0.56, top + 40, half * 0.5, top + 70, half * 0.96, top + 96)
    mouth.quadTo(0, top + 150, -half * 0.96, top + 96).close()
    sketch.piece(mouth, parts.FLAP, lift=10, tone=-0.03)
    strokes = []
    for number in range(9):
        share = (number + 0.5) / 9 * 2 - 1
        strokes.append(((share * half * 0.5, top + 52), (share * half * 0.7, top - 24), 9.0, 0.0))
        strokes.append(((share * half * 0.5, top + 58), (share * half * 0.95, top + 130), 10.0, 0.0))
    sketch.shade(mouth, strokes, 1.2)
    cord: Rgb = (240, 238, 230) if sketch.spec.base_lab[0] < 72 else (60, 58, 60)
    sketch.line(
        curve((-half * 0.56, top + 52), (0, top + 68), (half * 0.56, top + 52)), 14, cord, part=parts.DRAWSTRING, lift=6
    )
    for sign in (-1, 1):
        end = curve((sign * 10, top + 66), (sign * 44, top + 130), (sign * 34, top + 196))
        sketch.line(end, 12, cord, part=parts.DRAWSTRING, lift=7)
        sketch.line(polyline((sign * 35, top + 180), (sign * 33, top + 206)), 17, (128, 126, 126))


def _front_pocket(sketch: Sketch, half: float, height: float) -> None:
    kind = sketch.spec.attributes["Pocket Type"]
    if kind == "No Pocket":
        sketch.seam(curve((-half + 4, -height * 0.2), (0, -height * 0.18), (half - 4, -height * 0.2)))
        return
    width, tall = half * 1.36, height * 0.36
    pocket(sketch, -width / 2, -tall - 22, width, tall, kind == "Flap Pocket")
    if kind == "Flap Pocket":
        buckle(sketch, 0, -tall * 0.72 - 22, 44, 38, 90)
    sketch.point("pocket", 0, -tall / 2 - 22)
