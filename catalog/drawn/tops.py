"""Upper garments: shirts, T-shirts, tops, sweaters, sweatshirts, jackets, and the bodice of dresses.

Belongs here: the body and its hem. Not here: sleeves (sleeves.py), necks, collars and hoods (necks.py), plackets, zips
and pockets (details.py), skirts of dresses (dresses.py).
"""

import math
from dataclasses import replace

import skia

from catalog.drawn import parts
from catalog.drawn.cloth import Sketch, curve, mirrored
from catalog.drawn.details import front_closure, graphic, pockets, rib
from catalog.drawn.figure import RIBBED, Torso, armhole, has_hem_band, sleeveless, torso
from catalog.drawn.necks import Neckline, draw_neck, neckline_of
from catalog.drawn.sleeves import draw_sleeves


def draw_top(sketch: Sketch) -> None:
    """A whole upper garment."""
    spec = sketch.spec
    frame = torso(spec)
    if spec.article_type == "Jackets":
        frame = _outer(frame)
    neckline = neckline_of(spec, frame)
    draw_neck(sketch, frame, neckline, behind=True)
    draw_sleeves(sketch, frame)
    body = draw_body(sketch, frame, neckline)
    if spec.attributes.get("Pattern") == "Printed" and spec.article_type in ("Tshirts", "Sweatshirts"):
        graphic(sketch, frame, body)
    hem_band(sketch, frame)
    front_closure(sketch, frame, neckline)
    pockets(sketch, frame)
    draw_neck(sketch, frame, neckline, behind=False)


def _outer(frame: Torso) -> Torso:
    return replace(
        frame,
        shoulder=frame.shoulder * 1.05,
        chest=frame.chest * 1.06,
        waist=frame.waist * 1.08,
        hem=frame.hem * 1.04,
        wrist=frame.wrist * 1.18,
        upper_arm=frame.upper_arm * 1.15,
        length=frame.length * 1.02,
    )


def draw_body(sketch: Sketch, frame: Torso, neckline: Neckline, hem_at: float | None = None) -> skia.Path:
    """The front; returns its outline."""
    spec = sketch.spec
    tip, under = armhole(spec, frame)
    bottom = hem_at or frame.length - (26 if has_hem_band(spec) else 0)
    waist_y = frame.length * frame.waist_at
    rng = spec.rng("pose")
    tilt = float(rng.uniform(-5, 5))
    curved = (spec.article_type == "Shirts" and rng.random() < 0.7) or (
        spec.article_type == "Tops" and rng.random() < 0.4
    )
    path = skia.Path().moveTo(-neckline.half, neckline.side_y)
    neckline.trace(path)
    path.quadTo((neckline.half + tip[0]) / 2, tip[1] * 0.28, tip[0], tip[1])
    bare = sleeveless(spec)
    inner = tip[0] - 10 if bare else min(tip[0], under[0]) - 16
    low = under[0] - 20 if bare else inner + 2
    path.cubicTo(inner, tip[1] + 50, low, under[1] - (34 if bare else 26), under[0], under[1])
    side = (frame.waist, waist_y)
    if hem_at is None:
        path.cubicTo(under[0] - 4, under[1] + 70, side[0], side[1] - 60, *side)
        path.cubicTo(side[0], side[1] + 50, frame.hem, bottom - 90, frame.hem, bottom - (34 if curved else 0))
    else:
        path.cubicTo(under[0] - 4, under[1] + 60, side[0] + 2, bottom - 40, frame.waist, bottom)
    half = frame.hem if hem_at is None else frame.waist
    if curved and hem_at is None:
        path.cubicTo(half * 0.8, bottom - 24, half * 0.62, bottom + 8, 0, bottom + 10 + tilt)
        path.cubicTo(-half * 0.62, bottom + 8, -half * 0.8, bottom - 24, -half, bottom - 34)
    else:
        path.cubicTo(half * 0.5, bottom + 13 + tilt, -half * 0.5, bottom + 13 - tilt, -half, bottom)
    if hem_at is None:
        path.cubicTo(-frame.hem, bottom - 90, -side[0], side[1] + 50, -side[0], side[1])
        path.cubicTo(-side[0], side[1] - 60, -under[0] + 4, under[1] + 70, -under[0], under[1])
    else:
        path.cubicTo(-side[0] - 2, bottom - 40, -under[0] + 4, under[1] + 60, -under[0], under[1])
    path.cubicTo(-low, under[1] - (34 if bare else 26), -inner, tip[1] + 50, -tip[0], tip[1])
    path.quadTo(-(neckline.half + tip[0]) / 2, tip[1] * 0.28, -neckline.half, neckline.side_y)
    sketch.piece(path, parts.BODY, lift=14)
    _body_folds(sketch, frame, path, bottom)
    if hem_at is None and spec.article_type not in RIBBED and not curved:
        hem = skia.Path().moveTo(-half + 3, bottom - 17)
        hem.cubicTo(-half * 0.5, bottom - 4 - tilt, half * 0.5, bottom - 4 + tilt, half - 3, bottom - 17)
        sketch.stitch(hem)
    if sleeveless(spec):
        edge = skia.Path().moveTo(tip[0] - 11, tip[1] + 2)
        edge.cubicTo(inner - 12, tip[1] + 54, low - 10, under[1] - 22, under[0] - 4, under[1] + 12)
        sketch.seam(edge, mirrored(edge))
    for sign, name in ((-1, "left"), (1, "right")):
        sketch.point(f"{name} shoulder", sign * tip[0], tip[1])
        sketch.point(f"{name} underarm", sign * under[0], under[1])
        sketch.point(f"{name} hem", sign * half, bottom - (34 if curved and hem_at is None else 0))
    return path


def _body_folds(sketch: Sketch, frame: Torso, body: skia.Path, bottom: float) -> None:
    rng = sketch.spec.rng("folds")
    _, under = armhole(sketch.spec, frame)
    loose = frame.waist / frame.chest
    strokes = []
    for sign in (-1, 1):
        for _ in range(int(rng.integers(1, 4))):
            length, angle = float(rng.uniform(80, 190)), math.radians(float(rng.uniform(20, 68)))
            start = (sign * (under[0] - 6), under[1] - float(rng.uniform(-10, 26)))
            end = (start[0] - sign * length * math.cos(angle), start[1] + length * math.sin(angle))
            strokes.append((start, end, float(rng.uniform(9, 17)), sign * float(rng.uniform(-0.12, 0.12))))
        for _ in range(int(rng.integers(1, 4))):
            x = sign * float(rng.uniform(0.2, 0.92)) * frame.waist
            top = bottom * float(rng.uniform(0.42, 0.66))
            drift = float(rng.uniform(-30, 30)) * (2 - loose)
            strokes.append(
                ((x, top), (x + drift, bottom - 8), float(rng.uniform(9, 18)), float(rng.uniform(-0.08, 0.08)))
            )
        if loose < 0.9:
            y = frame.length * frame.waist_at + float(rng.uniform(-20, 20))
            strokes.append(((sign * frame.waist, y), (sign * frame.waist * 0.35, y + 26), 10.0, 0.08 * sign))
    if sketch.spec.style == "atelier":
        strokes = [
            ((a[0] * 0.9, a[1]), (b[0] * 0.7, b[1] + 20), width * 0.7, bend * 2.4) for a, b, width, bend in strokes
        ]
    sketch.shade(body, strokes, 0.8)


def hem_band(sketch: Sketch, frame: Torso) -> None:
    """The ribbed band at the bottom of sweaters, sweatshirts and light jackets."""
    spec = sketch.spec
    if not has_hem_band(spec):
        return
    half, top, height = frame.hem, frame.length - 34, 52
    band = skia.Path().moveTo(-half * 1.01, top).quadTo(0, top + 12, half * 1.01, top).lineTo(half * 0.9, top + height)
    band.quadTo(0, top + height + 16, -half * 0.9, top + height).close()
    sketch.piece(band, parts.HEM, lift=6, tone=-0.05)
    if spec.attributes["Fabric"] != "Leather":
        rib(sketch, band)
    else:
        sketch.seam(curve((-half, top), (0, top + 6), (half, top)))
