"""Heels, seen from the side with the toe to the left: pumps, and pumps with an ankle strap.

Belongs here: the arched upper, its strap, and stilettos, blocks and wedges. Not here: flat footwear (shoes.py).

The ground is y = 0 and up is negative.
"""

import skia

from catalog.drawn import parts
from catalog.drawn.cloth import Sketch, curve, polygon
from catalog.drawn.colours import Rgb
from catalog.drawn.shoes import buckle


def draw_heels(sketch: Sketch) -> None:
    """A high-heeled shoe: pump, or with an ankle strap and buckle."""
    spec = sketch.spec
    rng = spec.rng("shape")
    rise = float(rng.uniform(215, 275)) * (0.7 if spec.gender == "Girls" else 1.0)
    if spec.style == "atelier":
        rise *= 1.15
    kind, shape = spec.attributes["Heel Type"], spec.attributes["Toe Shape"]
    seat = -rise - 8
    strap = spec.attributes["Closure"] == "Buckle"
    inner = skia.Path().moveTo(-150, -146).quadTo(40, seat * 0.8 - 70, 262, seat - 168).lineTo(306, seat - 60)
    sketch.piece(
        inner.quadTo(90, seat * 0.72 - 30, -130, -120).close(),
        parts.LINING,
        lift=0,
        rgb=(210, 190, 166),
        tone=-0.2,
        weave=False,
    )
    if strap:
        back = skia.Path().moveTo(170, seat - 206).cubicTo(200, seat - 236, 290, seat - 240, 318, seat - 212)
        sketch.line(back, 22, _deepen(sketch.base), part=parts.STRAP)
    _heel(sketch, kind, rise)
    upper = skia.Path().moveTo(322, seat + 6)
    upper.cubicTo(342, seat - 60, 322, seat - 120, 318, seat - (230 if strap else 168))
    upper.quadTo(300, seat - (244 if strap else 182), 286, seat - (226 if strap else 160))
    upper.cubicTo(246, seat - 20, 70, seat * 0.66 - 96, -66, -164).cubicTo(-96, -152, -130, -150, -158, -146)
    if shape == "Pointed Toe":
        upper.cubicTo(-240, -130, -340, -62, -448, -26).quadTo(-470, -10, -440, -2)
    elif shape == "Square Toe":
        upper.cubicTo(-230, -136, -330, -112, -388, -104).quadTo(-408, -100, -408, -84).lineTo(-410, -4)
    else:
        upper.cubicTo(-240, -140, -340, -120, -378, -84).cubicTo(-410, -54, -414, -20, -396, -4)
    upper.lineTo(-220, 0).cubicTo(-80, 0, 40, seat * 0.96, 170, seat + 6).close()
    sketch.piece(upper, parts.UPPER, lift=5, crease=0.6, across=((-60, seat - 60), (40, 40)), depth=0.9)
    gloss = 0.05 + 0.75 * sketch.fabric.gloss
    sketch.glow(upper, (-380, -44), (-210, -104), gloss)
    sketch.glow(upper, (200, seat - 20), (300, seat - 110), gloss * 0.8)
    top_line = curve((294, seat - 140), (226, seat * 0.95 - 24), (90, seat * 0.72 - 62), (-54, -156), (-146, -136))
    sketch.seam(top_line)
    edge = (
        skia.Path()
        .moveTo(-444 if shape == "Pointed Toe" else -406, -4)
        .lineTo(-220, 2)
        .cubicTo(-80, 2, 40, seat * 0.96, 172, seat + 8)
    )
    sketch.line(edge.lineTo(322, seat + 6), 12, (62, 48, 40), part=parts.SOLE, butt=True)
    if strap:
        front = skia.Path().moveTo(318, seat - 212).cubicTo(300, seat - 178, 200, seat - 172, 168, seat - 206)
        sketch.line(front, 28, _deepen(sketch.base), part=parts.STRAP, lift=8)
        buckle(sketch, 236, seat - 183, 50, 48)
    sketch.point("toe", -400, -6)
    sketch.point("heel", 316, seat)
    sketch.point("heel tip", 290, 0)


def _deepen(rgb: Rgb) -> Rgb:
    red, green, blue = rgb
    return (
        (round(red * 0.86), round(green * 0.86), round(blue * 0.86))
        if sum(rgb) > 130
        else (red + 22, green + 20, blue + 20)
    )


def _heel(sketch: Sketch, kind: str, rise: float) -> None:
    seat = -rise - 8
    if kind == "Stiletto":
        path = skia.Path().moveTo(196, seat + 2).cubicTo(250, seat + 50, 272, seat * 0.5, 280, 0).lineTo(299, 0)
        path.cubicTo(304, seat * 0.5, 322, seat + 70, 324, seat + 2).close()
    elif kind == "Block":
        path = polygon((178, seat + 2), (196, seat * 0.5), (200, 0), (318, 0), (322, seat * 0.5), (326, seat + 2))
    else:
        path = skia.Path().moveTo(-250, -3).cubicTo(-80, -6, 40, seat * 0.96, 170, seat + 4).lineTo(325, seat + 4)
        path.quadTo(322, -60, 312, 0).lineTo(-240, 4).close()
    cork = kind == "Wedge" and sketch.spec.rng("shape").random() < 0.5
    sketch.piece(
        path,
        parts.HEEL,
        lift=0,
        crease=0.3,
        tone=0.0 if cork else -0.14,
        rgb=(196, 154, 106) if cork else None,
        weave=not cork,
    )
