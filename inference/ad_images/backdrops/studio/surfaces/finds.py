"""Finds: shells, starfish, pebbles and cones, modelled as reliefs and lit.

Belongs here: their shapes. Not here: round crockery (crockery.py), leaves (foliage.py), where they lie (placing.py).

Each is a skia picture about (0, 0); lengths are shares of the canvas' shorter side; `turn` is how far it will be turned
(degrees, clockwise), so that it is lit rightly once it is.
"""

import numpy as np
import skia
from scipy.ndimage import gaussian_filter

from inference.ad_images.backdrops.studio.canvas import StudioCanvas, ink
from inference.ad_images.backdrops.studio.surfaces.crockery import recorded_image
from inference.ad_images.backdrops.studio.surfaces.foliage import recorded, stroke
from inference.ad_images.backdrops.studio.surfaces.ground import relief_shade, shifted
from inference.ad_images.scene import Light


def _raised(
    canvas: StudioCanvas, turn: float, height: np.ndarray, albedo: np.ndarray, inside: np.ndarray, radius: float
) -> skia.Picture:
    """A relief in its light.

    Args:
        height: (n, n), shares of `radius`. albedo: (n, n, 3). inside: (n, n), 0 to 1. radius: half of n pixels.
    """
    pixel = 2.0 / height.shape[0]
    rise_y, rise_x = np.gradient(height.astype(np.float32), np.float32(pixel))
    light = canvas.light
    turned = Light(light.azimuth + turn, light.elevation, light.softness)
    shade = np.clip(relief_shade(rise_x, rise_y, turned, 0.9), 0.3, 1.6)
    edge = gaussian_filter(inside, radius * canvas.unit * 0.02 + 0.3)
    shade *= 0.72 + 0.28 * np.clip(edge * 2 - 1, 0, 1)
    colour = np.clip(albedo * shade[..., None], 0, 1.2)
    return recorded_image(np.dstack([colour * inside[..., None], inside]), canvas.unit)


def _square(canvas: StudioCanvas, radius: float) -> tuple[np.ndarray, np.ndarray, float]:
    side = max(int(np.ceil(2 * radius * canvas.unit)), 12)
    axis = ((np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1) * np.float32(1.06)
    return axis[None, :], axis[:, None], side / 2


def _bumps(rng: np.random.Generator, side: int, finest: float) -> np.ndarray:
    """(side, side) noise of forms about `finest` of the side wide, deviation 1."""
    field = gaussian_filter(rng.standard_normal((side, side)).astype(np.float32), max(side * finest, 0.6))
    return field / field.std()


def starfish(
    canvas: StudioCanvas, rng: np.random.Generator, turn: float, radius: float, colour: np.ndarray
) -> skia.Picture:
    x, y, pixels = _square(canvas, radius)
    angle = np.arctan2(y, x) + 0.10 * np.sin(3 * np.arctan2(y, x) + float(rng.uniform(0, 6)))
    reach = np.hypot(x, y)
    arm = np.abs((angle / (2 * np.pi) * 5) % 1 - 0.5) * 2
    outline = 0.27 + 0.73 * arm**2.6
    share = reach / outline
    inside = np.clip((1 - share) * outline * pixels * 0.8 + 0.5, 0, 1)
    side = int(2 * pixels)
    bumps = _bumps(rng, side, 0.016)
    ridge = np.exp(-(((1 - arm) * reach / 0.05) ** 2))
    height = (
        0.27 * np.sqrt(np.clip(1 - share**2, 0, 1)) * (0.45 + 0.55 * (1 - reach))
        + 0.020 * bumps
        + 0.014 * _bumps(rng, side, 0.007)
        + 0.026 * ridge
    )
    tone = 1 + 0.14 * bumps + 0.06 * _bumps(rng, side, 0.05) + 0.28 * ridge - 0.12 * share
    return _raised(canvas, turn, height, colour * np.clip(tone, 0.5, 1.5)[..., None], inside, radius)


def scallop(
    canvas: StudioCanvas, rng: np.random.Generator, turn: float, radius: float, colour: np.ndarray
) -> skia.Picture:
    x, y, pixels = _square(canvas, radius)
    y = y + np.float32(0.86)
    angle = np.arctan2(x, y)
    reach = np.hypot(x, y)
    fan = np.deg2rad(58)
    ribs = np.cos(angle / fan * np.pi * 8.5)
    outline = 1.72 * np.cos(np.clip(angle, -fan, fan) * 0.62) ** 0.8 + 0.022 * ribs
    share = reach / outline
    rim = np.minimum((1 - share) * outline, (fan - np.abs(angle)) * reach)
    ears = np.minimum(0.34 - np.abs(x), np.minimum(y - 0.02, 0.26 - y) + 0.0)
    inside = np.clip(np.maximum(rim, ears) * pixels * 0.9 + 0.5, 0, 1)
    dome = np.sqrt(np.clip(1 - (np.abs(angle) / fan) ** 2, 0, 1)) * np.sin(np.pi * np.clip(0.12 + 0.85 * share, 0, 1))
    growth = np.sin(share * 46 + 1.2 * _bumps(rng, int(2 * pixels), 0.12))
    height = 0.36 * dome + 0.030 * ribs * np.clip(share, 0, 1) + 0.004 * growth
    bands = 0.5 + 0.5 * np.sin(share * 11 + float(rng.uniform(0, 6)))
    tone = 1.0 + 0.07 * ribs + 0.04 * growth
    pale = shifted(colour, 0.12, 0.5)
    albedo = (pale + (colour - pale) * (0.25 + 0.75 * bands * np.clip(share, 0, 1))[..., None]) * tone[..., None]
    return _raised(canvas, turn, height, albedo, inside, radius)


def pebble(
    canvas: StudioCanvas, rng: np.random.Generator, turn: float, radius: float, colour: np.ndarray
) -> skia.Picture:
    x, y, pixels = _square(canvas, radius)
    angle = np.arctan2(y * 1.35, x)
    wobble = sum(float(rng.normal(0, 0.018)) * np.cos(order * angle + float(rng.uniform(0, 6))) for order in (2, 3, 4))
    share = np.hypot(x, y * float(rng.uniform(1.2, 1.5))) / (0.92 + wobble)
    inside = np.clip((1 - share) * pixels * 0.8 + 0.5, 0, 1)
    side = int(2 * pixels)
    height = 0.42 * np.sqrt(np.clip(1 - share**2.6, 0, 1)) + 0.003 * _bumps(rng, side, 0.03)
    tone = 1 + 0.06 * _bumps(rng, side, 0.09) + 0.05 * _bumps(rng, side, 0.012)
    return _raised(canvas, turn, height, colour * tone[..., None], inside, radius)


def cone(rng: np.random.Generator, sun: tuple[float, float], radius: float) -> skia.Picture:
    """A pine cone, lying on its side, its tip along +x: rows of woody scales."""
    wood = np.array([0.13, 0.072, 0.036])

    def draw(target: skia.Canvas) -> None:
        target.drawOval(
            skia.Rect.MakeLTRB(-radius * 1.1, -radius * 0.62, radius * 1.1, radius * 0.62), ink(shifted(wood, -0.16))
        )
        rows = 11
        for row in range(rows):
            share = row / (rows - 1)
            x = radius * (1.22 - 2.2 * share)
            half = radius * 0.74 * np.sin(np.pi * (0.10 + 0.74 * share)) ** 0.85
            count = 5 + row % 2
            for number in range(count):
                across = ((number + 0.5) / count * 2 - 1) * 1.02
                y = half * np.sin(across * np.pi / 2)
                _scale(target, rng, (x, y, across), (radius, half / count * 2.1), wood, sun)

    return recorded(draw)


def _scale(
    target: skia.Canvas, rng: np.random.Generator, at: tuple[float, float, float], size: tuple[float, float],
    wood: np.ndarray, sun: tuple[float, float],
) -> None:  # fmt: skip
    x, y, across = at
    radius, width = size
    lit = 0.10 * across * sun[1] + 0.03 * sun[0] + float(rng.normal(0, 0.018)) - 0.05 * abs(across)
    length = radius * 0.40
    target.save()
    target.translate(float(x), float(y))
    target.rotate(float(180 - 34 * across + rng.normal(0, 4)))
    path = skia.Path().moveTo(length * 0.5, 0)
    path.cubicTo(length * 0.4, -width * 0.62, -length * 0.35, -width * 0.75, -length * 0.52, 0)
    path.cubicTo(-length * 0.35, width * 0.75, length * 0.4, width * 0.62, length * 0.5, 0).close()
    target.scale(-1, 1)
    target.drawPath(path, ink(shifted(wood, lit - 0.06)))
    lip = skia.Path().moveTo(-length * 0.05, -width * 0.42)
    lip.cubicTo(-length * 0.40, -width * 0.52, -length * 0.40, width * 0.52, -length * 0.05, width * 0.42)
    target.drawPath(lip, stroke(shifted(wood, lit + 0.17), radius * 0.062, 0.9))
    target.drawCircle(-length * 0.27, 0, radius * 0.05, ink(shifted(wood, lit + 0.10), 0.8))
    target.restore()
