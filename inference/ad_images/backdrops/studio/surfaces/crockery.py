"""Crockery: round things from above, each a profile turned about its middle: cup, bowl, weight, straw hat.

Belongs here: shading of turned profiles, and the profiles. Not here: where they stand (placing.py).

A picture of one is a skia picture about (0, 0); lengths are shares of the canvas' shorter side.
"""

from dataclasses import dataclass

import numpy as np
import skia

from inference.ad_images.backdrops.studio.canvas import StudioCanvas
from inference.ad_images.backdrops.studio.surfaces.foliage import recorded, stroke
from inference.ad_images.backdrops.studio.surfaces.ground import shifted, towards
from inference.ad_images.scene import Light


@dataclass(frozen=True)
class Ring:
    """A step of a profile from the middle outwards.

    Attributes:
        to: share of the radius at which it ends. slope: rise per length, outwards; positive climbs to the rim.
        colour: linear light. gloss: strength of its highlight.
    """

    to: float
    slope: float
    colour: np.ndarray
    gloss: float = 0.0


def turned(canvas: StudioCanvas, radius: float, rings: tuple[Ring, ...], texture: float = 0.012) -> skia.Picture:
    """A round thing of these rings, in the canvas' light.

    Args:
        texture: deviation of its tone, as of glaze.
    """
    side = int(np.ceil(radius * canvas.unit)) * 2 + 4
    axis = (np.arange(side, dtype=np.float32) + 0.5 - side / 2) / np.float32(radius * canvas.unit)
    x, y = axis[None, :], axis[:, None]
    reach = np.hypot(x, y)
    stops, slopes, colours, gloss = _profile(rings)
    slope = np.interp(reach, stops, slopes).astype(np.float32)
    albedo = np.stack([np.interp(reach, stops, colours[:, channel]) for channel in range(3)], -1).astype(np.float32)
    rise_x, rise_y = slope * x / np.maximum(reach, 1e-3), slope * y / np.maximum(reach, 1e-3)
    lit, shine = _lit(rise_x, rise_y, canvas.light)
    grit = canvas.stream("glaze").standard_normal((side, side)).astype(np.float32)
    light = albedo * (lit * (1 + texture * grit))[..., None] + (shine * np.interp(reach, stops, gloss))[..., None]
    alpha = np.clip((1 - reach) * radius * canvas.unit + 0.5, 0, 1)
    return recorded_image(np.dstack([light * alpha[..., None], alpha]), canvas.unit)


def recorded_image(layer: np.ndarray, unit: int) -> skia.Picture:
    """A premultiplied linear-light picture, (height, width, 4) at `unit` pixels to the shorter side, about (0, 0)."""
    pixels = np.ascontiguousarray(layer, np.float16)
    height, width = pixels.shape[:2]
    image = skia.Image.fromarray(
        pixels, skia.kRGBA_F16_ColorType, skia.kPremul_AlphaType, skia.ColorSpace.MakeSRGBLinear(), copy=True
    )
    frame = skia.Rect.MakeXYWH(-width / 2 / unit, -height / 2 / unit, width / unit, height / unit)

    def draw(target: skia.Canvas) -> None:
        target.drawImageRect(image, frame, skia.SamplingOptions(skia.FilterMode.kLinear))

    return recorded(draw)


def _profile(rings: tuple[Ring, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Stops with the values of each ring, a short passage between two."""
    starts = np.array([0.0, *(ring.to for ring in rings[:-1])])
    ends = np.array([ring.to for ring in rings])
    blend = np.minimum(0.012, (ends - starts) * 0.3)
    stops = np.stack([starts + blend, ends - blend], 1).ravel()
    pairs = [ring for ring in rings for _ in range(2)]
    return (
        stops,
        np.array([ring.slope for ring in pairs]),
        np.array([ring.colour for ring in pairs]),
        np.array([ring.gloss for ring in pairs]),
    )


def _lit(rise_x: np.ndarray, rise_y: np.ndarray, light: Light) -> tuple[np.ndarray, np.ndarray]:
    """Diffuse light (1 where level) and a soft highlight."""
    right, down, above = towards(light)
    size = np.sqrt(1 + rise_x**2 + rise_y**2)
    facing = np.maximum((above - rise_x * right - rise_y * down) / size, 0) / above
    sky = 0.34 + 0.25 * light.softness
    half = np.array([right, down, above + 1.0])
    half /= np.linalg.norm(half)
    mirrored = np.clip((half[2] - rise_x * half[0] - rise_y * half[1]) / size, 0, 1)
    return sky / size + (1 - sky) * np.minimum(facing, 1.7), mirrored ** (60 - 35 * light.softness)


def cup(canvas: StudioCanvas, radius: float, glaze: np.ndarray, drink: np.ndarray) -> skia.Picture:
    """A cup with its drink, on a saucer; its handle along +x."""
    saucer = turned(canvas, radius * 1.72, (
        Ring(0.50, 0.0, shifted(glaze, -0.05)), Ring(0.56, 0.35, glaze, 0.1), Ring(0.90, 0.16, glaze, 0.12),
        Ring(0.97, 0.30, shifted(glaze, 0.02), 0.3), Ring(1.0, -0.9, glaze),
    ))  # fmt: skip
    body = turned(canvas, radius, (
        Ring(0.62, 0.0, drink, 0.10), Ring(0.78, 0.03, shifted(drink, 0.035), 0.12),
        Ring(0.815, 0.25, shifted(drink, 0.13, 0.9), 0.3),
        Ring(0.93, 2.2, shifted(glaze, -0.03)), Ring(0.965, 0.4, shifted(glaze, 0.03), 0.9),
        Ring(1.0, -1.5, glaze, 0.2),
    ))  # fmt: skip
    right, down, above = towards(canvas.light)

    def draw(target: skia.Canvas) -> None:
        target.drawPicture(saucer)
        shadow = skia.Paint(AntiAlias=True, Color=skia.ColorSetARGB(105, 20, 16, 12))
        shadow.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, radius * 0.16))
        fall = radius * 0.34 / max(above, 0.4)
        target.drawCircle(-right * fall, -down * fall, radius * 0.98, shadow)
        for tone, width, shift in ((-0.10, 0.30, 0.03), (0.0, 0.24, 0.0), (0.035, 0.09, -0.02)):
            handle = _handle(glaze, radius, tone, width)
            target.drawLine(radius * 0.9, radius * shift, radius * 1.52, radius * shift, handle)
        target.drawPicture(body)

    return recorded(draw)


def _handle(glaze: np.ndarray, radius: float, tone: float, width: float) -> skia.Paint:
    return stroke(shifted(glaze, tone), radius * width)


def bowl(canvas: StudioCanvas, radius: float, glaze: np.ndarray) -> skia.Picture:
    """An empty bowl."""
    inner = shifted(glaze, -0.02)
    return turned(canvas, radius, (
        Ring(0.30, 0.05, shifted(inner, -0.05), 0.05), Ring(0.60, 0.35, inner, 0.12), Ring(0.90, 0.95, inner, 0.1),
        Ring(0.955, 0.2, shifted(glaze, 0.03), 0.7), Ring(1.0, -1.4, glaze),
    ), 0.02)  # fmt: skip


def weight(canvas: StudioCanvas, radius: float, rubber: np.ndarray) -> skia.Picture:
    """A weight plate: rubber with a steel hub."""
    steel = np.array([0.42, 0.43, 0.45])
    return turned(canvas, radius, (
        Ring(0.085, 0.0, shifted(rubber, -0.14)), Ring(0.11, -2.0, steel), Ring(0.20, 0.0, steel, 0.25),
        Ring(0.225, -1.0, steel, 0.1),
        Ring(0.30, 0.0, rubber), Ring(0.36, -0.7, rubber, 0.05), Ring(0.70, 0.0, shifted(rubber, -0.015)),
        Ring(0.76, 0.8, rubber, 0.05),
        Ring(0.93, 0.0, shifted(rubber, 0.012), 0.03), Ring(1.0, -1.3, rubber, 0.06),
    ), 0.035)  # fmt: skip


def hat(canvas: StudioCanvas, radius: float, straw: np.ndarray) -> skia.Picture:
    """A straw hat: a braid wound from the crown to the brim."""
    rounds = 26
    rings = []
    for number in range(rounds):
        end = (number + 1) / rounds
        crown = 0.9 if 0.36 < end < 0.46 else 0.12
        tone = shifted(straw, 0.03 * ((number * 7919) % 5 - 2) / 2)
        rings += [Ring(end - 0.6 / rounds, 0.75 - crown, tone), Ring(end, -0.75 - crown, shifted(tone, -0.03))]
    band = [
        Ring(ring.to, ring.slope, np.array([0.03, 0.03, 0.035])) if 0.38 < ring.to < 0.47 else ring for ring in rings
    ]
    plain = turned(canvas, radius, tuple(band), 0.03)
    return _braided(canvas, plain, radius, straw)


def _braided(canvas: StudioCanvas, plain: skia.Picture, radius: float, straw: np.ndarray) -> skia.Picture:
    """The same with the slanting stalks of the braid drawn over it."""
    rng = canvas.stream("straw")
    dark, pale = stroke(shifted(straw, -0.16), 0.0012, 0.34), stroke(shifted(straw, 0.10), 0.0014, 0.4)

    def draw(target: skia.Canvas) -> None:
        target.drawPicture(plain)
        for number in range(26):
            inner, outer = radius * number / 26, radius * (number + 0.95) / 26
            if 0.36 < (number + 1) / 26 < 0.48:
                continue
            count = max(int(2 * np.pi * outer / 0.0085), 6)
            for step in range(count):
                angle = 2 * np.pi * (step + 0.4 * rng.random()) / count
                onward = angle + 0.008 / max(outer, 0.02) * (1 if number % 2 else -1)
                target.drawLine(
                    float(inner * np.cos(angle)), float(inner * np.sin(angle)),
                    float(outer * np.cos(onward)), float(outer * np.sin(onward)), dark if step % 2 else pale,
                )  # fmt: skip

    return recorded(draw)
