"""Sleeves: their cut, their folds and their cuffs.

Belongs here: everything from the armhole to the wrist. Not here: the body (tops.py), measures (figure.py).
"""

import math
from dataclasses import dataclass

import numpy as np
import skia

from catalog.drawn import parts
from catalog.drawn.cloth import Point, Sketch, mirrored, polyline
from catalog.drawn.details import rib
from catalog.drawn.figure import RIBBED, Torso, armhole, sleeveless
from catalog.drawn.spec import GarmentSpec

_SLEEVE_SHARE = {"Long Sleeves": 1.0, "Three-Quarter Sleeves": 0.66, "Short Sleeves": 0.34}
_HEM_UNITS = 18.0


@dataclass(frozen=True)
class _Cut:
    """Where a right-hand sleeve runs: from the shoulder over an elbow (if it is long enough) to its end."""

    tip: Point
    under: Point
    cap: Point  # carries the line of the shoulder on
    middle: Point  # of the armhole
    elbow: Point
    wrist: Point
    upper: float  # radians from the vertical
    end: float
    half_elbow: float
    half_wrist: float
    bent: bool

    def at(self, centre: Point, angle: float, half: float, side: int) -> Point:
        """The point beside the axis, on the outer (+1) or inner (-1) seam."""
        step = side * half
        return centre[0] + math.cos(angle) * step, centre[1] + -math.sin(angle) * step


def draw_sleeves(sketch: Sketch, frame: Torso) -> None:
    """Both sleeves, each with a bend of its own."""
    spec = sketch.spec
    if sleeveless(spec):
        return
    rng = spec.rng("pose")
    spread = (
        float(rng.uniform(13, 32))
        if _SLEEVE_SHARE[spec.attributes["Sleeve Length"]] > 0.5
        else float(rng.uniform(24, 42))
    )
    if spec.style == "atelier":
        spread = 58 - 0.4 * spread
    for sign in (-1, 1):
        _sleeve(sketch, frame, sign, spread + float(rng.uniform(-4, 4)), float(rng.uniform(-3, 13)))


def _cut(frame: Torso, spec: GarmentSpec, spread: float, bend: float) -> _Cut:
    share = _SLEEVE_SHARE[spec.attributes["Sleeve Length"]]
    length = frame.arm * share
    tip, under = armhole(spec, frame)
    run = math.hypot(tip[0] - frame.neck, tip[1])
    cap = (tip[0] + 46 * (tip[0] - frame.neck) / run, tip[1] + 62 * tip[1] / run)
    under = (under[0] - 12, under[1] + 2)
    upper, lower = math.radians(spread), math.radians(spread - bend)
    elbow_at = min(length, frame.arm * 0.5)
    middle = ((tip[0] + under[0]) / 2 + 6, (tip[1] + under[1]) / 2)
    elbow = (middle[0] + elbow_at * math.sin(upper), middle[1] + elbow_at * math.cos(upper))
    rest = length - elbow_at
    wrist = (elbow[0] + rest * math.sin(lower), elbow[1] + rest * math.cos(lower))
    narrowed = frame.upper_arm + (frame.wrist - frame.upper_arm) * share**1.15
    return _Cut(
        tip=tip,
        under=under,
        cap=cap,
        middle=middle,
        elbow=elbow,
        wrist=wrist,
        upper=upper,
        end=lower if rest > 0 else upper,
        half_elbow=frame.upper_arm * 0.84 + frame.wrist * 0.16,
        half_wrist=narrowed if share > 0.4 else frame.upper_arm * 1.02,
        bent=rest > 1,
    )


def _outline(cut: _Cut) -> skia.Path:
    upper, end = cut.upper, cut.end
    outer_elbow = cut.at(cut.elbow, upper, cut.half_elbow, 1)
    inner_elbow = cut.at(cut.elbow, upper, cut.half_elbow, -1)
    outer_wrist, inner_wrist = cut.at(cut.wrist, end, cut.half_wrist, 1), cut.at(cut.wrist, end, cut.half_wrist, -1)
    path = skia.Path().moveTo(*cut.tip)
    if cut.bent:
        above = (outer_elbow[0] - 60 * math.sin(upper), outer_elbow[1] - 60 * math.cos(upper))
        path.cubicTo(*cut.cap, *above, *outer_elbow)
        path.quadTo(outer_elbow[0] + 40 * math.sin(end), outer_elbow[1] + 40 * math.cos(end), *outer_wrist)
    else:
        path.quadTo(cut.cap[0], cut.cap[1], *outer_wrist)
    bulge = 7.0
    path.quadTo(cut.wrist[0] + bulge * math.sin(end), cut.wrist[1] + bulge * math.cos(end), *inner_wrist)
    if cut.bent:
        path.quadTo(inner_elbow[0] + 30 * math.sin(end), inner_elbow[1] + 30 * math.cos(end), *inner_elbow)
    # The seam lies under the body's edge, so that no gap shows between them.
    return path.lineTo(*cut.under).lineTo(min(cut.tip[0], cut.under[0]) - 34, (cut.tip[1] + cut.under[1]) / 2).close()


def _sleeve(sketch: Sketch, frame: Torso, sign: int, spread: float, bend: float) -> None:
    """One sleeve: `spread` degrees from the vertical at the shoulder, turned inwards by `bend` at the elbow."""
    spec = sketch.spec
    cut = _cut(frame, spec, spread, bend)
    path = _outline(cut)
    inner, outer = (
        cut.at(cut.middle, cut.upper, cut.half_elbow, -1),
        cut.at(cut.middle, cut.upper, cut.half_elbow * 1.1, 1),
    )
    across = (inner, outer)
    angle = -math.degrees(cut.upper)
    strokes = _folds(sketch.spec.rng(f"sleeve{sign}"), cut)
    cuff = _cuff(spec, cut.wrist, cut.end, cut.half_wrist)
    if sign < 0:
        path, across, angle = mirrored(path), (_flip(across[1]), _flip(across[0])), -angle
        strokes = [(_flip(a), _flip(b), width, -turn) for a, b, width, turn in strokes]
        cuff = mirrored(cuff) if cuff is not None else None
    sketch.piece(path, parts.SLEEVE, angle=angle, across=across, lift=0)
    sketch.shade(path, strokes, 0.8)
    if cuff is not None:
        _draw_cuff(sketch, cuff, angle, _SLEEVE_SHARE[spec.attributes["Sleeve Length"]])
    else:
        back = (_HEM_UNITS * math.sin(cut.end), _HEM_UNITS * math.cos(cut.end))
        ends = [cut.at(cut.wrist, cut.end, cut.half_wrist, side) for side in (1, -1)]
        hem = polyline(*((x - back[0], y - back[1]) for x, y in ends))
        sketch.stitch(hem if sign > 0 else mirrored(hem))
    side = "right" if sign > 0 else "left"
    sketch.point(f"{side} cuff", sign * cut.wrist[0], cut.wrist[1])
    if cut.bent:
        sketch.point(f"{side} elbow", sign * cut.elbow[0], cut.elbow[1])


def _flip(point: Point) -> Point:
    return -point[0], point[1]


def _folds(rng: np.random.Generator, cut: _Cut) -> list[tuple[Point, Point, float, float]]:
    """Creases across the elbow, and one from the underarm."""
    centre, half = cut.elbow if cut.bent else cut.middle, cut.half_elbow
    along, out = (math.sin(cut.upper), math.cos(cut.upper)), (math.cos(cut.upper), -math.sin(cut.upper))
    strokes: list[tuple[Point, Point, float, float]] = []
    for _ in range(int(rng.integers(2, 5)) if cut.bent else 1):
        at = float(rng.uniform(-70, 70))
        reach = float(rng.uniform(0.5, 1.3)) * half
        x, y = centre[0] + at * along[0] - out[0] * half * 0.95, centre[1] + at * along[1] - out[1] * half * 0.95
        lean = float(rng.uniform(-0.7, 0.7))
        strokes.append(
            (
                (x, y),
                (x + out[0] * reach + along[0] * reach * lean, y + out[1] * reach + along[1] * reach * lean),
                float(rng.uniform(7, 13)),
                float(rng.uniform(-0.15, 0.15)),
            )
        )
    start = (cut.under[0] + 2, cut.under[1] - 10)
    strokes.append((start, (start[0] + half * 0.9 * out[0] + 10, start[1] + half * 0.7 * out[1] - 8), 11.0, 0.1))
    return strokes


def _cuff(spec: GarmentSpec, wrist: tuple[float, float], angle: float, half: float) -> skia.Path | None:
    """A cuff at the end of a sleeve, for garments that have one."""
    long = spec.attributes["Sleeve Length"] in ("Long Sleeves", "Three-Quarter Sleeves")
    ribbed = spec.article_type in RIBBED or (
        spec.article_type == "Jackets" and spec.attributes["Fabric"] in ("Fleece", "Polyester")
    )
    if not (ribbed or (long and spec.article_type in ("Shirts", "Jackets"))):
        return None
    height, wide = (40, 0.9 if ribbed else 1.06)
    if not long:
        height = 24
    along, out = (math.sin(angle), math.cos(angle)), (math.cos(angle), -math.sin(angle))
    corners = []
    for step, side in ((-height, 1), (6, 1), (6, -1), (-height, -1)):
        grow = wide if step > 0 else max(wide, 1.0)
        corners.append(
            (
                wrist[0] + along[0] * step + side * out[0] * half * grow,
                wrist[1] + along[1] * step + side * out[1] * half * grow,
            )
        )
    path = skia.Path().moveTo(*corners[0]).lineTo(*corners[1])
    path.quadTo(wrist[0] + along[0] * 14, wrist[1] + along[1] * 14, *corners[2]).lineTo(*corners[3])
    return path.quadTo(wrist[0] + along[0] * (6 - height), wrist[1] + along[1] * (6 - height), *corners[0]).close()


def _draw_cuff(sketch: Sketch, cuff: skia.Path, angle: float, share: float) -> None:
    ribbed = sketch.spec.article_type in RIBBED or sketch.spec.attributes["Fabric"] in ("Fleece", "Polyester")
    sketch.piece(cuff, parts.CUFF, angle=angle + (90 if not ribbed else 0), lift=6, tone=-0.05)
    if ribbed:
        rib(sketch, cuff, angle)
    elif share > 0.5:
        box = cuff.computeTightBounds()
        sketch.seam(cuff, strength=0.7)
        sketch.button(box.centerX(), box.centerY() + 4, 8.5)
