"""Skirts and dresses: everything that hangs from the waist in one piece.

Belongs here: skirt shapes and lengths, and a dress put together from a bodice (tops.py) and a skirt. Not here: legs
(bottoms.py).
"""

import math
from dataclasses import replace

import skia

from catalog.drawn import parts
from catalog.drawn.bottoms import waistband
from catalog.drawn.cloth import Point, Sketch, curve, polyline
from catalog.drawn.details import button_placket, front_closure, zip_line
from catalog.drawn.figure import legs, torso
from catalog.drawn.necks import draw_neck, neckline_of
from catalog.drawn.sleeves import draw_sleeves
from catalog.drawn.tops import draw_body

_SKIRT_LENGTH = {"Mini": 270.0, "Knee Length": 440.0, "Maxi": 760.0}
_FLARE = {"Straight": 1.08, "A-Line": 1.75, "Pleated": 1.7, "Tiered": 1.8, "Fit and Flare": 2.6}


def draw_skirt(sketch: Sketch) -> None:
    """A whole skirt with its waistband."""
    spec = sketch.spec
    frame = legs(spec)
    small = 0.78 if spec.gender == "Girls" else 1.0
    length = _SKIRT_LENGTH[spec.attributes["Length"]] * small * float(spec.rng("shape").uniform(0.94, 1.06))
    back = skia.Path().moveTo(-frame.waist * 0.96, 2).quadTo(0, -12, frame.waist * 0.96, 2)
    back.lineTo(frame.waist * 0.9, 60).lineTo(-frame.waist * 0.9, 60).close()
    sketch.piece(back, parts.LINING, lift=0, tone=-0.36, crease=0.3)
    hang(sketch, frame.waist, frame.hip, 24, 24 + length, spec.attributes["Shape"])
    closure = spec.attributes["Closure"]
    if closure == "Button":
        button_placket(sketch, 40, 24 + length, 34, max(3, round(length / 82)), 11)
    elif closure == "Zip":
        zip_line(sketch, 40, 40 + min(length * 0.8, 250))
    if closure == "Pull-On":
        waistband(sketch, frame.waist, "Pull-On")
    else:
        waistband(sketch, frame.waist, "Zip" if closure == "Zip" else "Button")


def draw_dress(sketch: Sketch) -> None:
    """A whole dress: bodice to the waist, then a skirt; a sheath keeps one line."""
    spec = sketch.spec
    frame = torso(spec)
    neckline = neckline_of(spec, frame)
    shape = spec.attributes["Shape"]
    waist_y = frame.length * (0.6 if shape != "Tiered" else 0.66)
    small = 0.74 if spec.gender == "Girls" else 1.0
    length = _SKIRT_LENGTH[spec.attributes["Length"]] * small * float(spec.rng("shape").uniform(0.94, 1.06)) * 1.05
    bottom = waist_y + length
    draw_neck(sketch, frame, neckline, behind=True)
    draw_sleeves(sketch, frame)
    loose = {"Straight": 1.14, "A-Line": 1.12, "Tiered": 1.16, "Fit and Flare": 0.94}[shape]
    cut = replace(frame, waist=frame.waist * loose)
    hang(sketch, cut.waist * 0.99, max(cut.waist, frame.hem * 1.04), waist_y - 6, bottom, shape, dress=True)
    draw_body(sketch, cut, neckline, hem_at=waist_y)
    if shape == "Fit and Flare":
        belt = skia.Path().moveTo(-cut.waist - 2, waist_y - 14).quadTo(0, waist_y + 2, cut.waist + 2, waist_y - 14)
        belt.lineTo(cut.waist + 3, waist_y + 18).quadTo(0, waist_y + 34, -cut.waist - 3, waist_y + 18).close()
        sketch.piece(belt, parts.WAISTBAND, angle=90, lift=7, crease=0.3, tone=-0.1)
        sketch.seam(belt)
    long_front = min(bottom, waist_y + length * 0.98)
    if spec.attributes["Closure"] == "Zip":
        long_front = min(long_front, waist_y + 60)
    front_closure(sketch, frame, neckline, bottom=long_front)
    draw_neck(sketch, frame, neckline, behind=False)


def hang(
    sketch: Sketch, waist: float, hip: float, top: float, bottom: float, shape: str, dress: bool = False
) -> skia.Path:
    """A skirt from `top` to `bottom`; returns its outline."""
    length = bottom - top
    flare = _FLARE[shape] * (0.9 if dress and shape == "A-Line" else 1.0)
    # A longer skirt has more room to widen, but by no means in proportion.
    reach = (length / 400) ** 0.45
    half = hip * (1 + (flare - 1) * 0.62 * reach) if shape != "Straight" else hip * 0.96
    if sketch.spec.style == "atelier":
        half *= 1.08
    hip_y = top + min(130.0, length * 0.5)
    path = skia.Path().moveTo(-waist, top).quadTo(0, top + 12, waist, top)
    if shape == "Straight":
        path.cubicTo(waist + 8, top + 40, hip + 4, hip_y - 40, hip + 4, hip_y)
        path.cubicTo(hip + 4, hip_y + 60, half + 2, bottom - length * 0.3, half, bottom)
    elif shape == "Fit and Flare":
        path.cubicTo(waist + half * 0.3, top + length * 0.08, half * 0.9, top + length * 0.5, half, bottom - 8)
    else:
        path.cubicTo(
            waist + (half - waist) * 0.32, top + length * 0.3, half * 0.93, top + length * 0.75, half, bottom - 6
        )
    if shape == "Tiered":
        return _tiers(sketch, waist, half, top, bottom)
    waves = {"Straight": 1, "A-Line": 4, "Pleated": 0, "Fit and Flare": 6}[shape]
    _hem(path, half, bottom, waves, shape == "Pleated", 7.0 if shape == "A-Line" else 13.0)
    if shape == "Straight":
        path.cubicTo(-half - 2, bottom - length * 0.3, -hip - 4, hip_y + 60, -hip - 4, hip_y)
        path.cubicTo(-hip - 4, hip_y - 40, -waist - 8, top + 40, -waist, top)
    elif shape == "Fit and Flare":
        path.cubicTo(-half * 0.9, top + length * 0.5, -waist - half * 0.3, top + length * 0.08, -waist, top)
    else:
        path.cubicTo(-half * 0.93, top + length * 0.75, -waist - (half - waist) * 0.32, top + length * 0.3, -waist, top)
    path.close()
    sketch.piece(path, parts.SKIRT, lift=8)
    if shape == "Pleated":
        _pleats(sketch, path, waist, half, top, bottom)
    else:
        _drape(sketch, path, waist, half, top, bottom, shape)
        inset = 20
        sketch.stitch(curve((-half + 6, bottom - inset - 4), (0, bottom - inset + 6), (half - 6, bottom - inset - 4)))
    if shape == "Straight" and length > 350:
        slit = polyline((half * 0.55, bottom - length * 0.22), (half * 0.56, bottom + 6))
        sketch.seam(slit, strength=2.0)
    _skirt_points(sketch, half, bottom)
    return path


def _skirt_points(sketch: Sketch, half: float, bottom: float) -> None:
    sketch.point("hem left", -half, bottom)
    sketch.point("hem right", half, bottom)


def _hem(path: skia.Path, half: float, bottom: float, waves: int, zigzag: bool, depth: float) -> None:
    """The lower edge from right to left: one bow, waves, or the teeth of pleats."""
    if zigzag:
        count = 9
        for number in range(count):
            right = half - 2 * half * number / count
            left = half - 2 * half * (number + 1) / count
            sag = 14 * math.cos(math.pi * ((number + 0.5) / count - 0.5))
            path.lineTo(right - (right - left) * 0.82, bottom + sag + 9)
            path.lineTo(left, bottom + sag - 7)
        return
    if waves <= 1:
        path.quadTo(0, bottom + 18, -half, bottom)
        return
    for number in range(waves):
        right = half - 2 * half * number / waves
        left = half - 2 * half * (number + 1) / waves
        sag = 20 * math.cos(math.pi * ((number + 0.5) / waves - 0.5))
        edge = 20 * math.cos(math.pi * ((number + 1) / waves - 0.5))
        path.quadTo((right + left) / 2, bottom + sag + depth, left, bottom + edge - 6)


def _drape(sketch: Sketch, path: skia.Path, waist: float, half: float, top: float, bottom: float, shape: str) -> None:
    """Folds that fall from the waist and open towards the hem."""
    rng = sketch.spec.rng("folds")
    count = {"Straight": 3, "A-Line": 6, "Fit and Flare": 11}.get(shape, 5)
    width = {"Straight": 10.0, "A-Line": 19.0, "Fit and Flare": 21.0}.get(shape, 14.0)
    strokes: list[tuple[Point, Point, float, float]] = []
    for number in range(count):
        share = (number + 0.5 + float(rng.uniform(-0.3, 0.3))) / count * 2 - 1
        start = top + (bottom - top) * float(rng.uniform(0.02, 0.4 if shape == "Fit and Flare" else 0.55))
        at = (start - top) / (bottom - top)
        x0 = share * (waist + (half - waist) * at * 0.9)
        strokes.append(((x0, start), (share * half, bottom + 26), width * float(rng.uniform(0.6, 1.1)), 0.0))
    if shape == "Straight":
        for sign in (-1, 1):
            y = top + float(rng.uniform(70, 130))
            strokes.append(((sign * waist * 1.1, y), (sign * 20, y + 22), 9.0, 0.05 * sign))
    sketch.shade(path, strokes, 1.0 if shape != "Straight" else 0.8)


def _pleats(sketch: Sketch, path: skia.Path, waist: float, half: float, top: float, bottom: float) -> None:
    """Knife pleats: sharp edges, each throwing its shadow on the next."""
    lines, strokes = skia.Path(), []
    count = 9
    for number in range(1, count):
        share = number / count * 2 - 1
        x0, x1 = share * waist, share * half
        lines.moveTo(x0, top)
        lines.quadTo((x0 + x1) / 2 - (x1 - x0) * 0.06, (top + bottom) / 2, x1, bottom + 30)
        strokes.append(((x0 + 5, top), (x1 + half / count * 0.55, bottom + 30), half / count * 0.42, 0.0))
    sketch.shade(path, strokes, 1.25)
    sketch.clipped_line(path, lines, 5.0, 1.6)


def _tiers(sketch: Sketch, waist: float, half: float, top: float, bottom: float) -> skia.Path:
    """Gathered tiers, each a little wider than the one above and lying over the one below."""
    rng = sketch.spec.rng("folds")
    length = bottom - top
    count = 3 if length < 560 else 4
    path = skia.Path()
    for number in reversed(range(count)):
        y0 = top + length * number / count - (6 if number else 0)
        y1 = top + length * (number + 1) / count
        w0 = waist + (half - waist) * number / count
        w1 = waist + (half - waist) * (number + 1) / count + 16
        path = skia.Path().moveTo(-w0 - (10 if number else 0), y0)
        path.quadTo(0, y0 + 14, w0 + (10 if number else 0), y0).quadTo(w1 - 4, (y0 + y1) / 2, w1, y1)
        _hem(path, w1, y1, 7 + number, False, 13)
        path.quadTo(-w1 + 4, (y0 + y1) / 2, -w0 - (10 if number else 0), y0).close()
        sketch.piece(path, parts.SKIRT, lift=15)
        strokes: list[tuple[Point, Point, float, float]] = []
        gathers = 9 + 2 * number
        for fold in range(gathers):
            share = (fold + 0.5 + float(rng.uniform(-0.3, 0.3))) / gathers * 2 - 1
            reach = float(rng.uniform(0.45, 1.05))
            end = (share * (w0 + (w1 - w0) * reach), y0 + (y1 - y0) * reach + 10)
            strokes.append(((share * w0, y0 + 6), end, float(rng.uniform(7, 12)), 0.0))
        sketch.shade(path, strokes, 1.0)
        if number:
            sketch.seam(skia.Path().moveTo(-w0 - 8, y0 + 4).quadTo(0, y0 + 18, w0 + 8, y0 + 4))
    _skirt_points(sketch, half, bottom)
    return path
