"""Work things: notebook, book, pencil, keyboard; bottle and dumbbell of a gym.

Belongs here: drawing them, lit. Not here: where they lie (placing.py).

Each is a skia picture about (0, 0); lengths are shares of the canvas' shorter side. `sun` is the direction to the light
(right, down) in the thing's own axes.
"""

import numpy as np
import skia

from inference.ad_images.backdrops.studio.canvas import ink
from inference.ad_images.backdrops.studio.surfaces.foliage import Sun, packed, recorded, stroke
from inference.ad_images.backdrops.studio.surfaces.ground import shifted


def _box(left: float, top: float, right: float, bottom: float) -> skia.Rect:
    return skia.Rect.MakeLTRB(left, top, right, bottom)


def _plate(
    target: skia.Canvas, box: skia.Rect, radius: float, colour: np.ndarray, sun: Sun, bevel: float = 0.0016
) -> None:
    """A flat slab: a soft gradient towards the light, an edge that catches it."""
    paint = ink(colour)
    middle = np.array([box.centerX(), box.centerY()])
    reach = np.array(sun) * max(box.width(), box.height()) * 0.5
    ends = [skia.Point(*(float(v) for v in middle - reach)), skia.Point(*(float(v) for v in middle + reach))]
    paint.setShader(
        skia.GradientShader.MakeLinear(ends, [packed(shifted(colour, -0.022)), packed(shifted(colour, 0.022))])
    )
    target.drawRoundRect(box, radius, radius, paint)
    inset = bevel / 2
    edge = stroke(colour, bevel)
    edge.setShader(
        skia.GradientShader.MakeLinear(ends, [packed(shifted(colour, -0.11)), packed(shifted(colour, 0.12))])
    )
    rim = _box(box.left() + inset, box.top() + inset, box.right() - inset, box.bottom() - inset)
    target.drawRoundRect(rim, radius, radius, edge)


def _rod(target: skia.Canvas, box: skia.Rect, colour: np.ndarray, sun: Sun, gloss: float) -> None:
    """A cylinder along x."""
    across = np.linspace(-1, 1, 13)
    lit = 0.055 * across * sun[1] * 2 - 0.13 * np.abs(across) ** 3
    shine = gloss * np.exp(-(((across - 0.45 * np.sign(sun[1] or 1)) / 0.2) ** 2))
    tones = [packed(shifted(colour, float(step))) for step in lit + shine]
    paint = ink(colour)
    paint.setShader(skia.GradientShader.MakeLinear([skia.Point(0, box.top()), skia.Point(0, box.bottom())], tones))
    target.drawRoundRect(box, box.height() * 0.12, box.height() * 0.12, paint)


def notebook(rng: np.random.Generator, sun: Sun, colour: np.ndarray, lead: np.ndarray) -> skia.Picture:
    """A closed notebook with rounded corners and an elastic band; a pencil in colour `lead` lies on it."""
    turn = float(rng.uniform(28, 62))
    bend = np.deg2rad(-turn)
    own = pencil(
        rng, (sun[0] * np.cos(bend) - sun[1] * np.sin(bend), sun[0] * np.sin(bend) + sun[1] * np.cos(bend)), lead
    )

    def draw(target: skia.Canvas) -> None:
        band = shifted(colour, -0.16)
        target.drawRoundRect(_box(-0.163, -0.223, 0.166, 0.226), 0.010, 0.010, ink(np.array([0.72, 0.68, 0.60])))
        _plate(target, _box(-0.165, -0.225, 0.163, 0.223), 0.011, colour, sun)
        target.drawLine(-0.148, -0.224, -0.148, 0.222, stroke(shifted(colour, -0.07), 0.0022, 0.8))
        target.drawLine(-0.1455, -0.224, -0.1455, 0.222, stroke(shifted(colour, 0.05), 0.0012, 0.7))
        _rod_down(target, 0.128, 0.0085, (-0.2255, 0.2235), band, sun)
        target.translate(-0.02, 0.02)
        for spread, depth in ((0.0026, 0.22), (0.0048, 0.16)):
            target.save()
            target.translate(-sun[0] * spread, -sun[1] * spread)
            target.rotate(turn)
            target.drawLine(-0.185, 0, 0.155, 0, stroke(np.zeros(3), 0.0125, depth))
            target.restore()
        target.rotate(turn)
        target.drawPicture(own)

    return recorded(draw)


def _rod_down(
    target: skia.Canvas, x: float, width: float, reach: tuple[float, float], colour: np.ndarray, sun: Sun
) -> None:
    target.drawRect(_box(x - width / 2, reach[0], x + width / 2, reach[1]), ink(colour))
    side = 1 if sun[0] > 0 else -1
    target.drawLine(
        x + side * width * 0.3, reach[0], x + side * width * 0.3, reach[1], stroke(shifted(colour, 0.08), width * 0.22)
    )
    target.drawLine(
        x - side * width * 0.72, reach[0], x - side * width * 0.72, reach[1], stroke(np.zeros(3), width * 0.4, 0.22)
    )


def book(rng: np.random.Generator, sun: Sun, colour: np.ndarray) -> skia.Picture:
    """A closed book in cloth, its block of pages showing below and at the right."""

    def draw(target: skia.Canvas) -> None:
        page = np.array([0.74, 0.69, 0.60])
        _plate(target, _box(-0.160, -0.208, 0.172, 0.226), 0.003, shifted(colour, -0.08), sun)
        target.drawRect(_box(-0.15, -0.2, 0.166, 0.219), ink(page))
        for line in range(5):
            shade = stroke(shifted(page, -0.08), 0.0007, 0.7)
            target.drawLine(-0.15, 0.207 + 0.0024 * line, 0.163, 0.207 + 0.0024 * line, shade)
            target.drawLine(0.157 + 0.002 * line, -0.2, 0.157 + 0.002 * line, 0.216, shade)
        _plate(target, _box(-0.165, -0.213, 0.160, 0.209), 0.003, colour, sun, 0.0022)
        target.drawLine(-0.143, -0.212, -0.143, 0.208, stroke(shifted(colour, -0.075), 0.0045, 0.7))
        target.drawLine(-0.1395, -0.212, -0.1395, 0.208, stroke(shifted(colour, 0.05), 0.0014, 0.6))
        cloth = stroke(shifted(colour, 0.045), 0.0007, 0.35)
        for row in np.arange(-0.21, 0.207, 0.0032):
            target.drawLine(-0.162, float(row), 0.157, float(row + rng.normal(0, 0.0006)), cloth)

    return recorded(draw)


def pencil(rng: np.random.Generator, sun: Sun, colour: np.ndarray) -> skia.Picture:
    """A sharpened pencil along x."""

    def draw(target: skia.Canvas) -> None:
        half, facets = 0.0062, (-0.05, 0.03, -0.03)
        order = facets if sun[1] < 0 else facets[::-1]
        for number, lift in enumerate(order):
            top = -half + number * 2 * half / 3
            target.drawRect(_box(-0.155, top, 0.125, top + 2 * half / 3 + 0.0002), ink(shifted(colour, lift + 0.02)))
        wood = np.array([0.56, 0.37, 0.20])
        tip = (
            skia.Path().moveTo(0.125, -half).lineTo(0.162, 0).lineTo(0.125, half).quadTo(0.131, 0, 0.125, -half).close()
        )
        target.drawPath(tip, ink(wood))
        target.drawPath(
            skia.Path().moveTo(0.151, -0.0018).lineTo(0.162, 0).lineTo(0.151, 0.0018).close(), ink(np.full(3, 0.03))
        )
        _rod(target, _box(-0.178, -half, -0.155, half), np.array([0.5, 0.48, 0.44]), sun, 0.2)
        _rod(target, _box(-0.194, -half * 0.95, -0.178, half * 0.95), np.array([0.62, 0.27, 0.24]), sun, 0.02)

    return recorded(draw)


def keyboard(rng: np.random.Generator, sun: Sun, colour: np.ndarray) -> skia.Picture:
    """A corner of a flat keyboard: its right lower end at the origin."""

    def draw(target: skia.Canvas) -> None:
        metal = np.array([0.60, 0.61, 0.62])
        _plate(target, _box(-0.62, -0.27, 0.0, 0.0), 0.016, metal, sun, 0.003)
        key, pitch = 0.042, 0.0485
        for row in range(5):
            x = -0.012
            for column in range(13):
                wide = key if (row + column * 3) % 13 or column else key * 1.55
                top = -0.012 - (row + 1) * pitch + (pitch - key)
                target.drawRoundRect(
                    _box(x - wide, top + 0.0012, x, top + key + 0.0018), 0.005, 0.005, ink(np.zeros(3), 0.35)
                )
                _plate(target, _box(x - wide, top, x, top + key), 0.005, colour, sun, 0.0011)
                x -= wide + pitch - key

    return recorded(draw)


def bottle(rng: np.random.Generator, sun: Sun, colour: np.ndarray) -> skia.Picture:
    """A steel water bottle, lying along x, its cap at the right."""

    def draw(target: skia.Canvas) -> None:
        _rod(target, _box(-0.24, -0.052, 0.10, 0.052), colour, sun, 0.10)
        shoulder = skia.Path().moveTo(0.095, -0.052).cubicTo(0.13, -0.05, 0.135, -0.034, 0.15, -0.032)
        shoulder.lineTo(0.15, 0.032).cubicTo(0.135, 0.034, 0.13, 0.05, 0.095, 0.052).close()
        target.save()
        target.clipPath(shoulder, True)
        _rod(target, _box(0.06, -0.052, 0.19, 0.052), shifted(colour, -0.015), sun, 0.08)
        target.restore()
        _rod(target, _box(0.147, -0.036, 0.205, 0.036), np.array([0.028, 0.029, 0.031]), sun, 0.16)
        target.drawLine(0.147, -0.034, 0.147, 0.034, stroke(np.zeros(3), 0.002, 0.5))

    return recorded(draw)


def dumbbell(rng: np.random.Generator, sun: Sun, colour: np.ndarray) -> skia.Picture:
    """A rubber hexagon dumbbell along x."""

    def draw(target: skia.Canvas) -> None:
        rubber = np.array([0.030, 0.031, 0.034])
        _rod(target, _box(-0.075, -0.017, 0.075, 0.017), np.array([0.44, 0.45, 0.46]), sun, 0.26)
        for knurl in np.arange(-0.055, 0.056, 0.0042):
            target.drawLine(float(knurl), -0.016, float(knurl + 0.003), 0.016, stroke(np.zeros(3), 0.0008, 0.22))
        for side in (-1, 1):
            left, right = sorted((side * 0.068, side * 0.165))
            _plate(target, _box(left, -0.064, right, -0.028), 0.010, shifted(rubber, 0.06 * -sun[1]), sun, 0.002)
            _plate(target, _box(left, 0.028, right, 0.064), 0.010, shifted(rubber, 0.06 * sun[1]), sun, 0.002)
            _plate(target, _box(left, -0.036, right, 0.036), 0.004, shifted(rubber, 0.085), sun, 0.002)

    return recorded(draw)
