"""Furniture: what stands in rooms, for the distance, where it is out of focus.

Belongs here: one function for each piece. Not here: the rooms (rooms.py).

Lengths are shares of the picture's shorter side; `foot` is the row where the wall meets the floor.
"""

import numpy as np
import skia

from inference.ad_images.backdrops.studio.canvas import ink
from inference.ad_images.backdrops.studio.lighting import frond, leaf, twig
from inference.ad_images.backdrops.studio.stage import Distance, Stage


def plant(
    surface: skia.Canvas,
    rng: np.random.Generator,
    x: float,
    foot: float,
    tall: float,
    green: np.ndarray,
    pot: np.ndarray,
) -> None:
    """A plant in a pot on the floor, for the distance."""
    pot_high, half = tall * 0.26, tall * 0.14
    body = skia.Path().moveTo(x - half, foot - pot_high).lineTo(x + half, foot - pot_high)
    body.lineTo(x + half * 0.72, foot).lineTo(x - half * 0.72, foot).close()
    palm = bool(rng.integers(2))
    for number in range(9 if palm else 14):
        towards = -90 + (number - (4 if palm else 6.5)) * (17 if palm else 11) + float(rng.normal(0, 5))
        paint = ink(green * float(rng.uniform(0.55, 1.35)))
        if palm:
            frond(surface, rng, (x, foot - pot_high), towards, tall * float(rng.uniform(0.55, 0.8)), paint)
        else:
            reach = tall * float(rng.uniform(0.25, 0.62))
            angle = np.radians(towards)
            tip = (x + np.cos(angle) * reach * 0.62, foot - pot_high + np.sin(angle) * reach)
            surface.drawLine(x, foot - pot_high, *tip, stroke(green * 0.7, tall * 0.014))
            for turn in (-0.5, 0.45):
                leaf(
                    surface,
                    tip,
                    angle + turn + float(rng.normal(0, 0.3)),
                    tall * float(rng.uniform(0.2, 0.3)),
                    paint,
                    0.36,
                )
    surface.drawPath(body, ink(pot))
    surface.drawRect(skia.Rect.MakeLTRB(x, foot - pot_high, x + half * 0.8, foot), ink(pot * 0.75, 0.5))


def sofa(surface: skia.Canvas, x: float, foot: float, wide: float, colour: np.ndarray) -> None:
    """A sofa seen from the front, cut by the edge of the picture as a rule."""
    tall = wide * 0.42
    top = foot - tall

    def block(left: float, upper: float, right: float, lower: float, tone: float, radius: float) -> None:
        rect = skia.Rect.MakeLTRB(x + left * wide, upper, x + right * wide, lower)
        paint = skia.Paint(AntiAlias=True)
        ends = [
            skia.Color4f(*(float(v) for v in np.clip(colour * tone * t, 0, 1) ** (1 / 2.2)), 1).toColor()
            for t in (1.18, 0.72)
        ]
        paint.setShader(skia.GradientShader.MakeLinear([(0, upper), (0, lower)], ends))
        surface.drawRoundRect(rect, radius, radius, paint)

    legs = ink(np.array([0.08, 0.05, 0.03]))
    for share in (0.1, 0.9):
        surface.drawRect(skia.Rect.MakeXYWH(x + share * wide - 0.008, foot - 0.07 * wide, 0.016, 0.07 * wide), legs)
    block(0.05, top, 0.95, foot - 0.1 * wide, 0.95, 0.04)
    block(0.09, foot - 0.25 * wide, 0.5, foot - 0.13 * wide, 1.15, 0.025)
    block(0.5, foot - 0.25 * wide, 0.91, foot - 0.13 * wide, 1.1, 0.025)
    block(0.06, foot - 0.15 * wide, 0.94, foot - 0.06 * wide, 0.85, 0.015)
    block(0.0, foot - 0.3 * wide, 0.1, foot - 0.055 * wide, 1.0, 0.03)
    block(0.9, foot - 0.3 * wide, 1.0, foot - 0.055 * wide, 0.95, 0.03)


def bed(
    far: Distance, rng: np.random.Generator, foot: float, wide: float, from_left: bool, colours: tuple[np.ndarray, ...]
) -> None:
    """A bed with pillows, cut by the edge of the picture that the light does not come from."""
    accent, deep = colours
    high = float(rng.uniform(0.20, 0.26))
    sign = 1.0 if from_left else -1.0
    start = (float(rng.uniform(0.26, 0.42)) if from_left else 1 - float(rng.uniform(0.26, 0.42))) * wide
    linen = np.array([0.80, 0.78, 0.75], np.float32)
    pillows = int(rng.integers(1, 4))

    def span(near: float, reach: float, top: float, bottom: float) -> skia.Rect:
        ends = sorted((start + sign * near, start + sign * reach))
        return skia.Rect.MakeLTRB(ends[0], top, ends[1], bottom)

    def draw(surface: skia.Canvas) -> None:
        surface.drawRoundRect(span(0.02, 1.0, foot - high - 0.2, foot - 0.03), 0.03, 0.03, ink(deep * 1.3))
        surface.drawRoundRect(span(0.0, 1.0, foot - high, foot - 0.015), 0.04, 0.04, ink(linen))
        for number in range(pillows):
            near = 0.06 + 0.29 * number
            tone = linen * (1.10 - 0.05 * number) if number != 1 else accent * 1.3
            pillow = span(near, near + 0.27, foot - high - 0.105, foot - high + 0.025)
            surface.drawRoundRect(pillow, 0.06, 0.06, ink(np.minimum(tone, 0.95)))
        surface.drawRoundRect(span(-0.01, 1.0, foot - high + 0.05, foot - 0.05), 0.05, 0.05, ink(accent * 1.05))
        surface.drawRect(span(0.0, 1.0, foot - 0.05, foot), ink(deep * 0.5, 0.8))

    far.draw(draw, 0.008)


def dresser(stage: Stage, far: Distance, rng: np.random.Generator, colours: tuple[np.ndarray, ...]) -> None:
    """A chest of drawers with a round mirror over it."""
    wood, accent, wall, deep = colours
    wide = far.shape[1] / far.detail
    foot = stage.horizon * far.shape[0] / far.detail
    left = wide * (0.52 if stage.sun_x < 0 else -0.1)
    middle = left + 0.29

    def draw(surface: skia.Canvas) -> None:
        surface.drawCircle(middle, foot - 0.47, 0.155, ink(deep * 1.2))
        surface.drawCircle(middle, foot - 0.47, 0.14, ink(np.minimum(wall * 1.22, 0.95)))
        surface.drawRect(skia.Rect.MakeXYWH(left, foot - 0.27, 0.58, 0.24), ink(wood * 0.8))
        for number in range(2):
            surface.drawRect(
                skia.Rect.MakeXYWH(left + 0.015, foot - 0.255 + 0.115 * number, 0.55, 0.1), ink(wood * 0.95)
            )
        for share in (0.06, 0.5):
            surface.drawRect(skia.Rect.MakeXYWH(left + share, foot - 0.03, 0.02, 0.03), ink(deep * 0.6))
        vase = skia.Rect.MakeXYWH(middle + 0.12, foot - 0.38, 0.07, 0.11)
        for towards in (-118, -92, -66):
            twig(surface, rng, (middle + 0.155, foot - 0.37), towards, 0.2, ink(np.array([0.3, 0.24, 0.15])))
        surface.drawRoundRect(vase, 0.03, 0.03, ink(accent))

    far.draw(draw)


def picture(surface: skia.Canvas, frame: skia.Rect, wall: np.ndarray, accent: np.ndarray, deep: np.ndarray) -> None:
    """A framed picture on the wall."""
    surface.drawRect(frame, ink(deep * 0.8))
    surface.drawRect(frame.makeInset(0.012, 0.012), ink(np.minimum(wall * 1.25, 0.95)))
    block = skia.Rect.MakeLTRB(frame.left() + 0.05, frame.top() + 0.14, frame.right() - 0.05, frame.bottom() - 0.06)
    surface.drawRect(block, ink(accent))
    surface.drawCircle(frame.centerX() + 0.02, frame.top() + 0.1, 0.03, ink(deep * 1.4))


def sideboard(
    surface: skia.Canvas,
    rng: np.random.Generator,
    left: float,
    foot: float,
    wide: float,
    colours: tuple[np.ndarray, ...],
) -> None:
    """A low cupboard with a lamp and vases."""
    wood, accent, wall, green = colours
    top = foot - 0.24
    surface.drawRect(skia.Rect.MakeLTRB(left, top, left + wide, foot - 0.045), ink(wood * 0.85))
    for number in range(3):
        door = skia.Rect.MakeXYWH(left + wide * (0.02 + 0.325 * number), top + 0.018, wide * 0.31, 0.16)
        surface.drawRect(door, ink(wood))
    for share in (0.06, 0.92):
        surface.drawRect(skia.Rect.MakeXYWH(left + wide * share, foot - 0.045, 0.018, 0.05), ink(wood * 0.4))
    inner = left + wide * (0.72 if left < 0 else 0.2)
    surface.drawRect(skia.Rect.MakeXYWH(inner, top - 0.16, 0.012, 0.16), ink(wood * 0.4))
    shade = skia.Path().moveTo(inner - 0.045, top - 0.27).lineTo(inner + 0.057, top - 0.27)
    shade.lineTo(inner + 0.085, top - 0.14).lineTo(inner - 0.073, top - 0.14).close()
    surface.drawPath(shade, ink(np.array([1.15, 0.93, 0.66])))
    for offset, high, colour in ((-0.17, 0.13, accent), (0.15, 0.09, wall * 0.6)):
        x = inner + offset if left < 0 else inner - offset
        surface.drawRoundRect(skia.Rect.MakeXYWH(x - 0.035, top - high, 0.07, high), 0.03, 0.03, ink(colour))
    x = inner - 0.17 if left < 0 else inner + 0.17
    for towards in (-120, -95, -70):
        twig(surface, rng, (x, top - 0.12), towards, 0.22, ink(green))


def armchair(surface: skia.Canvas, left: float, foot: float, colour: np.ndarray) -> None:
    """An armchair on thin legs."""
    for share in (0.06, 0.25):
        surface.drawLine(left + share, foot - 0.12, left + share, foot, stroke(np.array([0.10, 0.06, 0.03]), 0.012))
    surface.drawRoundRect(skia.Rect.MakeXYWH(left + 0.03, foot - 0.36, 0.26, 0.24), 0.06, 0.06, ink(colour * 0.85))
    surface.drawRoundRect(skia.Rect.MakeXYWH(left + 0.05, foot - 0.19, 0.22, 0.08), 0.03, 0.03, ink(colour * 1.15))
    for share in (0.0, 0.27):
        surface.drawRoundRect(skia.Rect.MakeXYWH(left + share, foot - 0.24, 0.055, 0.15), 0.025, 0.025, ink(colour))


def stroke(colour: np.ndarray, width: float) -> skia.Paint:
    paint = ink(colour)
    paint.setStyle(skia.Paint.kStroke_Style)
    paint.setStrokeWidth(width)
    paint.setStrokeCap(skia.Paint.kRound_Cap)
    return paint
