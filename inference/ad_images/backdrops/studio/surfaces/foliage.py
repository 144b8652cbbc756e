"""Foliage: twigs, fronds, needles, dry grass and fallen leaves that reach into a picture.

Belongs here: drawing them, lit, into a skia picture. Not here: where they lie (placing.py), shadows of foliage that is
out of the picture (gobos.py).

A plant grows along +x from its origin; lengths are shares of the canvas' shorter side. `sun` is the direction to the
light (right, down) in the plant's own axes.
"""

import itertools
from collections.abc import Callable

import numpy as np
import skia

from inference.ad_images.backdrops.studio.canvas import ink
from inference.ad_images.backdrops.studio.surfaces.ground import between, shifted

Sun = tuple[float, float]
Plant = Callable[[np.random.Generator, Sun, np.ndarray], skia.Picture]


def recorded(draw: Callable[[skia.Canvas], None]) -> skia.Picture:
    """What `draw` paints, to be replayed."""
    recorder = skia.PictureRecorder()
    draw(recorder.beginRecording(skia.Rect.MakeLTRB(-3, -3, 3, 3)))
    return recorder.finishRecordingAsPicture()


def stroke(colour: np.ndarray, width: float, alpha: float = 1.0) -> skia.Paint:
    paint = ink(colour, alpha)
    paint.setStyle(skia.Paint.kStroke_Style)
    paint.setStrokeWidth(width)
    paint.setStrokeCap(skia.Paint.kRound_Cap)
    return paint


def blade(length: float, width: float, fullest: float, side: int) -> skia.Path:
    """Half a leaf along +x; `fullest` is where it is widest, 0 to 1, `side` -1 or 1."""
    path = skia.Path().moveTo(0, 0)
    path.cubicTo(length * 0.16, side * width, length * (fullest + 0.28), side * width, length, 0)
    return path.close()


def leaf(
    canvas: skia.Canvas, at: tuple[float, float], heading: float, form: tuple[float, float, float],
    colour: np.ndarray, sun: Sun, veins: int = 0,
) -> None:  # fmt: skip
    """A leaf folded along its midrib, one half turned to the light, the other away.

    Args:
        at: its base. heading: degrees. form: length, half width, place of the greatest width.
    """
    length, width, fullest = form
    angle = np.deg2rad(heading)
    facing = float(-np.sin(angle) * sun[0] + np.cos(angle) * sun[1])
    canvas.save()
    canvas.translate(*at)
    canvas.rotate(heading)
    for side in (-1, 1):
        near, tip = (shifted(colour, side * facing * 0.055 + lift) for lift in (-0.035, 0.035))
        paint = ink(colour)
        paint.setShader(_gradient((0, 0), (length, side * width * 0.6), near, tip))
        canvas.drawPath(blade(length, width, fullest, side), paint)
    for vein in range(veins):
        x = length * (0.12 + 0.7 * vein / veins)
        for side in (-1, 1):
            out = width * 0.72 * np.sin(np.pi * min(0.15 + x / length, 1)) ** 0.7
            canvas.drawLine(x, 0, x + length * 0.13, side * out, stroke(shifted(colour, -0.06), length * 0.007, 0.45))
    canvas.drawLine(0, 0, length * 0.94, 0, stroke(shifted(colour, 0.075), max(length * 0.014, 0.0009), 0.8))
    canvas.restore()


def _gradient(start: tuple[float, float], end: tuple[float, float], *colours: np.ndarray) -> skia.Shader:
    return skia.GradientShader.MakeLinear(
        [skia.Point(*start), skia.Point(*end)], [packed(colour) for colour in colours]
    )


def packed(colour: np.ndarray) -> int:
    """A linear-light colour as skia's sRGB integer."""
    return int(ink(colour).getColor())


def _stem(rng: np.random.Generator, length: float, bend: float, steps: int) -> list[tuple[float, float, float]]:
    """Points x, y and heading (degrees) of a bent stem."""
    x = y = 0.0
    points = []
    for step in range(steps + 1):
        heading = bend * (step / steps) ** 1.3
        points.append((x, y, heading + float(rng.normal(0, 1.2))))
        x += float(np.cos(np.deg2rad(heading))) * length / steps
        y += float(np.sin(np.deg2rad(heading))) * length / steps
    return points


def _draw_stem(canvas: skia.Canvas, points: list[tuple[float, float, float]], colour: np.ndarray, width: float) -> None:
    for number, ((x, y, _), (onward_x, onward_y, _)) in enumerate(itertools.pairwise(points)):
        canvas.drawLine(x, y, onward_x, onward_y, stroke(colour, width * (1 - 0.7 * number / len(points))))


def eucalyptus(rng: np.random.Generator, sun: Sun, colour: np.ndarray) -> skia.Picture:
    """A sprig with pairs of round, dusty leaves."""

    def draw(canvas: skia.Canvas) -> None:
        points = _stem(rng, 0.46, float(rng.uniform(-34, 34)), 9)
        _draw_stem(canvas, points, between(colour, shifted(np.array([0.24, 0.10, 0.06]), 0), 0.55), 0.0055)
        for number, (x, y, heading) in enumerate(points[1:], 1):
            for side in (-1, 1):
                size = 0.086 * (1 - 0.55 * number / len(points)) * float(rng.uniform(0.72, 1.12))
                tone = shifted(colour, float(rng.normal(0, 0.035)), float(rng.uniform(0.75, 1.15)))
                spread = heading + side * float(rng.uniform(34, 92))
                leaf(canvas, (x, y), spread, (size, size * float(rng.uniform(0.48, 0.66)), 0.5), tone, sun)
        x, y, heading = points[-1]
        leaf(canvas, (x, y), heading, (0.04, 0.016, 0.4), shifted(colour, 0.04), sun)

    return recorded(draw)


def olive(rng: np.random.Generator, sun: Sun, colour: np.ndarray) -> skia.Picture:
    """A twig with narrow leaves, some showing their pale underside."""

    def draw(canvas: skia.Canvas) -> None:
        points = _stem(rng, 0.44, float(rng.uniform(-28, 28)), 13)
        _draw_stem(canvas, points, np.array([0.13, 0.09, 0.05]), 0.0045)
        for number, (x, y, heading) in enumerate(points[1:], 1):
            for side in (-1, 1):
                length = float(rng.uniform(0.07, 0.105)) * (1 - 0.35 * number / len(points))
                pale = rng.random() < 0.25
                tone = shifted(colour, 0.13 if pale else float(rng.normal(0, 0.03)), 0.45 if pale else 1.0)
                form = (length, length * float(rng.uniform(0.10, 0.16)), 0.42)
                leaf(canvas, (x, y), heading + side * float(rng.uniform(24, 58)), form, tone, sun)

    return recorded(draw)


def palm(rng: np.random.Generator, sun: Sun, colour: np.ndarray) -> skia.Picture:
    """A frond with long, narrow leaflets."""

    def draw(canvas: skia.Canvas) -> None:
        points = _stem(rng, 0.62, float(rng.uniform(-30, 30)), 24)
        for number, (x, y, heading) in enumerate(points[1:], 1):
            share = number / len(points)
            length = 0.23 * float(np.sin(np.pi * (0.16 + 0.8 * share)) ** 0.8)
            for side in (-1, 1):
                tone = shifted(colour, float(rng.normal(0, 0.028)))
                spread = heading + side * (64 - 34 * share + float(rng.normal(0, 4)))
                leaf(canvas, (x, y), spread, (length, 0.0095, 0.35), tone, sun)
        _draw_stem(canvas, points, shifted(colour, 0.07), 0.007)

    return recorded(draw)


def fern(rng: np.random.Generator, sun: Sun, colour: np.ndarray) -> skia.Picture:
    """A frond whose leaflets are toothed; its leaflets are of six drawings, three tones for each side."""
    tones = [shifted(colour, lift) for lift in (-0.035, 0.0, 0.035)]
    bend = float(rng.uniform(-36, 36))
    leaflets = {side: [_pinna(bend / 2 + side * 65, tone, sun) for tone in tones] for side in (-1, 1)}

    def draw(canvas: skia.Canvas) -> None:
        points = _stem(rng, 0.56, bend, 30)
        for number, (x, y, heading) in enumerate(points[2:], 2):
            share = number / len(points)
            length = 0.155 * float(np.sin(np.pi * (0.22 + 0.775 * share)) ** 0.9) + 0.004
            for side in (-1, 1):
                canvas.save()
                canvas.translate(x, y)
                canvas.rotate(heading + side * (76 - 22 * share + float(rng.normal(0, 3.5))))
                canvas.scale(length * float(rng.uniform(0.93, 1.07)), length)
                canvas.drawPicture(leaflets[side][int(rng.integers(len(tones)))])
                canvas.restore()
        _draw_stem(canvas, points, between(colour, np.array([0.2, 0.12, 0.05]), 0.4), 0.0048)

    return recorded(draw)


def _pinna(heading: float, colour: np.ndarray, sun: Sun) -> skia.Picture:
    """A leaflet of length 1 along +x, lit as one that points to `heading`, degrees."""
    angle = np.deg2rad(heading)
    facing = float(-np.sin(angle) * sun[0] + np.cos(angle) * sun[1])
    teeth = 13

    def draw(canvas: skia.Canvas) -> None:
        for side in (-1, 1):
            path = skia.Path().moveTo(0, 0)
            for tooth in range(teeth):
                out = side * (0.155 * (1 - (tooth + 0.5) / teeth) ** 0.7 + 0.008)
                path.quadTo((tooth + 0.35) / teeth, out * 1.25, (tooth + 0.95) / teeth, out * 0.9)
                path.lineTo((tooth + 1.0) / teeth, out * 0.62)
            paint = ink(colour)
            ends = (shifted(colour, 0.07 * side * facing + lift) for lift in (-0.045, 0.04))
            paint.setShader(_gradient((0, 0), (1, 0), *ends))
            canvas.drawPath(path.lineTo(1, 0).close(), paint)
        canvas.drawLine(0, 0, 0.92, 0, stroke(shifted(colour, 0.05), 0.010, 0.7))

    return recorded(draw)


def pine(rng: np.random.Generator, sun: Sun, colour: np.ndarray) -> skia.Picture:
    """A conifer's twig: side shoots thick with needles."""

    paints = [stroke(shifted(colour, lift), 0.0026) for lift in (-0.10, -0.06, -0.02, 0.02, 0.06, 0.10)]

    def shoot(canvas: skia.Canvas, at: tuple[float, float], heading: float, length: float) -> None:
        wood = stroke(np.array([0.11, 0.065, 0.035]), 0.0042)
        angle = np.deg2rad(heading)
        along = np.array([np.cos(angle), np.sin(angle)])
        canvas.drawLine(*at, *(float(value) for value in np.array(at) + along * length), wood)
        count = int(length * 900)
        places = np.sort(rng.uniform(0, 1, count))
        spreads = rng.choice((-1, 1), count) * rng.uniform(14, 62, count)
        lengths = rng.uniform(0.026, 0.042, count) * (1 - 0.35 * places)
        turns = np.deg2rad(heading + spreads)
        lit = (-np.sin(turns) * sun[0] + np.cos(turns) * sun[1]) * np.sign(spreads)
        shades = np.clip(2.5 + 1.6 * lit + rng.normal(0, 1.1, count), 0, 5).astype(int)
        roots = np.array(at) + along * length * places[:, None]
        needles = np.stack([roots, roots + np.stack([np.cos(turns), np.sin(turns)], 1) * lengths[:, None]], 1)
        for number, paint in enumerate(paints):
            ends = needles[shades == number].reshape(-1, 2).tolist()
            canvas.drawPoints(skia.Canvas.kLines_PointMode, [skia.Point(x, y) for x, y in ends], paint)

    def draw(canvas: skia.Canvas) -> None:
        points = _stem(rng, 0.42, float(rng.uniform(-24, 24)), 6)
        for number, (x, y, heading) in enumerate(points[:-1]):
            if number:
                reach = 0.17 * (1 - 0.55 * number / len(points))
                for side in (-1, 1):
                    shoot(
                        canvas,
                        (x, y),
                        heading + side * float(rng.uniform(32, 50)),
                        reach * float(rng.uniform(0.8, 1.1)),
                    )
            shoot(canvas, (x, y), heading, 0.42 / 6 * 1.1)
        x, y, heading = points[-1]
        shoot(canvas, (x, y), heading, 0.08)

    return recorded(draw)


def dry_grass(rng: np.random.Generator, sun: Sun, colour: np.ndarray) -> skia.Picture:
    """Plumes of pampas grass."""

    def draw(canvas: skia.Canvas) -> None:
        for _ in range(3):
            points = _stem(rng, float(rng.uniform(0.40, 0.52)), float(rng.uniform(-30, 30)), 18)
            canvas.save()
            canvas.rotate(float(rng.uniform(-16, 16)))
            _draw_stem(canvas, points, shifted(colour, -0.12), 0.0035)
            for x, y, heading in points[6:]:
                for _ in range(34):
                    turn = np.deg2rad(heading + rng.normal(0, 30))
                    length = float(rng.uniform(0.02, 0.062))
                    end_x, end_y = x + float(np.cos(turn)) * length, y + float(np.sin(turn)) * length
                    path = skia.Path().moveTo(x, y)
                    path.quadTo((x + end_x) / 2, (y + end_y) / 2 + float(rng.normal(0, 0.006)), end_x, end_y)
                    canvas.drawPath(path, stroke(shifted(colour, float(rng.normal(0.02, 0.07))), 0.0016, 0.62))
            canvas.restore()

    return recorded(draw)


def fallen_leaf(rng: np.random.Generator, sun: Sun, colour: np.ndarray) -> skia.Picture:
    """One dry leaf with veins and spots, lying about its origin, its edge darker and uneven."""
    length = float(rng.uniform(0.085, 0.13))
    tone = shifted(colour, float(rng.normal(0, 0.04)), float(rng.uniform(0.65, 0.95)))
    half = length * float(rng.uniform(0.26, 0.36))
    bend = float(rng.uniform(-0.10, 0.10)) * length
    places = np.linspace(0, 1, 22)
    out = half * np.sin(np.pi * places**0.85) ** 0.8
    spine = np.stack([(places - 0.5) * length, bend * np.sin(np.pi * places)], 1)
    rims = [
        spine + np.stack([0 * out, side * out * (1 + 0.10 * rng.standard_normal(22) * np.sin(np.pi * places))], 1)
        for side in (-1, 1)
    ]

    def draw(target: skia.Canvas) -> None:
        target.drawLine(-length * 0.72, -bend * 0.4, -length / 2, 0, stroke(shifted(tone, -0.12), 0.0026))
        for side, rim in zip((-1, 1), rims, strict=True):
            path = skia.Path()
            path.addPoly([skia.Point(*(float(v) for v in point)) for point in (*spine, *rim[::-1])], True)
            lift = side * sun[1] * 0.05
            paint = ink(tone)
            ends = (shifted(tone, lift + 0.035), shifted(tone, lift - 0.015), shifted(tone, lift - 0.09))
            paint.setShader(_gradient((0, 0), (0, side * half * 1.05), *ends))
            target.drawPath(path, paint)
            target.save()
            target.clipPath(path, True)
            for number in range(2, 19, 2):
                start, end = spine[number], rim[min(number + 3, 21)]
                target.drawLine(*(float(v) for v in (*start, *end)), stroke(shifted(tone, 0.075), 0.0010, 0.5))
            for _ in range(14):
                x, y = float(rng.uniform(-0.48, 0.48)) * length, side * float(rng.uniform(0, 1)) * half
                target.drawCircle(x, y, length * float(rng.uniform(0.008, 0.045)), ink(shifted(tone, -0.10), 0.22))
            target.restore()
        rib = skia.Path()
        rib.addPoly([skia.Point(*(float(v) for v in point)) for point in spine], False)
        target.drawPath(rib, stroke(shifted(tone, 0.09), 0.0016, 0.85))

    return recorded(draw)
