"""Clean ad pictures on plain scenes, drawn by PIL and numpy alone, for the planted faults of ad_quality.

Belongs here: a drawn product cut out by its truth mask, a floor and a wall or a surface from above, and a shadow that
fits. Nothing here is shared with what checks or paints pictures in inference/.
"""

import hashlib
import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageFilter

from catalog.drawn import draw_garment, sample_spec
from inference.ad_images.plan import Placed, Plan, Support
from inference.ad_images.scene import AdPicture, Light, Scene

SIDE = 512
SCALES = (0.42, 0.5, 0.58)
PALETTE = ("#c9b79c", "#8fa3ad", "#d9d2c5", "#5c6f68", "#b8846a")


@dataclass(frozen=True)
class Parts:
    """What a clean picture is made of, so that a fault can be put into one part and the rest made again.

    Attributes:
        background: (side, side, 3) float, 0 to 255. shadow: (side, side) float, 0 to 1, light taken away.
        placed: the product. scene: with its light and horizon.
    """

    background: np.ndarray
    shadow: np.ndarray
    placed: Placed
    scene: Scene


@lru_cache(maxsize=64)
def drawn(number: int) -> Image.Image:
    """Drawn product `number` as RGBA at 768 px, straight alpha from its truth mask."""
    drawing = draw_garment(sample_spec(11, 40_000 + number), 768)
    mask = drawing.parts > 0
    picture = Image.fromarray(np.dstack([drawing.image * mask[..., None], 255 * mask]).astype(np.uint8), "RGBA")
    return picture.crop(Image.fromarray(mask).getbbox())


@lru_cache(maxsize=256)
def product(number: int, long_side: int) -> np.ndarray:
    """(height, width, 4) uint8 premultiplied: drawn product `number`, its longer side in pixels."""
    return shrunk_to(drawn(number), long_side)


def shrunk_to(picture: Image.Image, long_side: int) -> np.ndarray:
    """A straight RGBA picture by area averaging, premultiplied."""
    factor = long_side / max(picture.size)
    size = max(1, round(picture.width * factor)), max(1, round(picture.height * factor))
    layers = np.asarray(picture).astype(np.float32)
    layers = np.dstack([layers[..., :3] * (layers[..., 3:] / 255), layers[..., 3]])
    small = [
        np.asarray(Image.fromarray(layers[..., channel]).resize(size, Image.Resampling.BOX)) for channel in range(4)
    ]
    pixels = np.rint(np.clip(np.stack(small, axis=-1), 0, 255))
    pixels[..., :3] = np.minimum(pixels[..., :3], pixels[..., 3:])
    return pixels.astype(np.uint8)


def place(number: int, support: Support, rng: np.random.Generator, scale: float | None = None) -> Placed:
    """Drawn product `number` somewhere sensible on the canvas."""
    scale = float(rng.choice(SCALES)) if scale is None else scale
    pixels = product(number, round(scale * SIDE))
    height, width = pixels.shape[:2]
    section = int(rng.integers(3))
    margin = 14
    x = round((0.3, 0.5, 0.7)[section] * SIDE - width / 2)
    x = min(max(margin, x), SIDE - width - margin)
    base = round(float(rng.uniform(0.78, 0.9)) * SIDE) if support is Support.STANDS else (SIDE + height) // 2
    return placed_at(pixels, x, base - height, support, section, scale)


def placed_at(pixels: np.ndarray, x: int, y: int, support: Support, section: int, scale: float) -> Placed:
    """Premultiplied pixels on the canvas with their upper left corner at (x, y); what runs over the edge is cut off."""
    height, width = pixels.shape[:2]
    left, top, right, bottom = max(0, x), max(0, y), min(SIDE, x + width), min(SIDE, y + height)
    canvas = np.zeros((SIDE, SIDE, 4), np.uint8)
    canvas[top:bottom, left:right] = pixels[top - y : bottom - y, left - x : right - x]
    plan = Plan(section, section, 3, 0.0, scale, (x + width / 2) / SIDE, (y + height) / SIDE, support, 0)
    return Placed(plan, canvas, (left, top, right, bottom), hashlib.sha256(pixels.tobytes()).hexdigest())


def colour(code: str) -> np.ndarray:
    return np.array([int(code[at : at + 2], 16) for at in (1, 3, 5)], float)


def paint_background(scene: Scene, rng: np.random.Generator) -> np.ndarray:
    """Floor and wall with a falloff of light and grain, or one surface; colours near the palette."""
    codes = rng.permutation(len(PALETTE))
    wall, floor = (np.clip(colour(PALETTE[code]) + rng.normal(0, 4, 3), 0, 255) for code in codes[:2])
    rows, columns = np.mgrid[:SIDE, :SIDE] / SIDE
    picture = np.broadcast_to(floor, (SIDE, SIDE, 3)).copy()
    if scene.horizon is not None:
        picture[rows < scene.horizon] = wall
    picture *= (1 + 0.10 * (columns - 0.5) * float(rng.choice([-1, 1])) + 0.06 * (rows - 0.5))[..., None]
    texture = rng.normal(0, 1, (SIDE // 4, SIDE // 4)).astype(np.float32)
    rough = np.asarray(Image.fromarray(texture).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    return np.clip(picture + 2.5 * rough[..., None] + rng.normal(0, 1.5, (SIDE, SIDE, 1)), 0, 255)


def blurred(mask: np.ndarray, radius: float) -> np.ndarray:
    """A Gaussian blur of a (height, width) array of 0 to 1."""
    picture = Image.fromarray(np.rint(255 * np.clip(mask, 0, 1)).astype(np.uint8))
    return np.asarray(picture.filter(ImageFilter.GaussianBlur(radius))).astype(np.float32) / 255


def cast_shadow(placed: Placed, light: Light) -> np.ndarray:
    """Contact and cast shadow away from the light: an offset silhouette from above, a sheared flat one on a floor."""
    alpha = placed.alpha.astype(np.float32) / 255
    left, top, right, bottom = placed.box
    away = math.radians(light.azimuth + 180)
    if placed.plan.support is Support.LIES:
        reach = 14 / math.tan(math.radians(light.elevation))
        cast = np.roll(alpha, (round(-math.sin(away) * reach), round(math.cos(away) * reach)), (0, 1))
        return np.clip(0.35 * blurred(cast, 5) + 0.45 * blurred(alpha, 2.5), 0, 0.8)
    shadow = np.zeros_like(alpha)
    height, width = bottom - top, right - left
    flat = max(4, round(0.16 * height))
    silhouette = Image.fromarray(placed.alpha[top:bottom, left:right]).resize((width, flat))
    drift = math.cos(away) * 0.55 * height / math.tan(math.radians(max(25.0, light.elevation)))
    for row, line in enumerate(np.asarray(silhouette).astype(np.float32) / 255):
        at = bottom - flat + row + 3
        start = left + round(drift * (1 - row / flat))
        first, last = max(0, start), min(SIDE, start + width)
        if at < SIDE and last > first:
            shadow[at, first:last] = np.maximum(shadow[at, first:last], line[first - start : last - start])
    contact = np.zeros_like(alpha)
    foot = alpha[max(0, bottom - 14) : bottom].max(axis=0)
    contact[max(0, bottom - 6) : bottom + 6] = foot
    return np.clip(0.4 * blurred(shadow, 5) + 0.6 * blurred(contact, 3), 0, 0.8)


def clean_parts(number: int, seed: int, *, scale: float | None = None, standing: bool | None = None) -> Parts:
    """Picture `seed` of drawn product `number`; even seeds stand, odd ones lie, unless `standing` says."""
    rng = np.random.default_rng((seed, number))
    stands = seed % 2 == 0 if standing is None else standing
    support = Support.STANDS if stands else Support.LIES
    placed = place(number, support, rng, scale)
    side = float(rng.choice([-1, 1]))
    light = Light(90 + side * float(rng.uniform(25, 60)), float(rng.uniform(35, 60)), float(rng.uniform(0.2, 0.6)))
    horizon = float(rng.uniform(0.5, 0.68)) if support is Support.STANDS else None
    scene = Scene("plain", "a product on a plain ground", (SIDE, SIDE), seed, support, light, horizon, PALETTE)
    return Parts(paint_background(scene, rng), cast_shadow(placed, light), placed, scene)


def over(background: np.ndarray, placed: np.ndarray) -> np.ndarray:
    """A premultiplied picture laid over another, uint8."""
    alpha = placed[..., 3:].astype(float) / 255
    return np.rint(np.clip(placed[..., :3] + (1 - alpha) * background, 0, 255)).astype(np.uint8)


def assemble(parts: Parts, pixels: np.ndarray | None = None, shadow_is_known: bool = True) -> AdPicture:
    """The picture of these parts; `pixels` replaces what their sum would show, but for the kept product."""
    background = np.rint(parts.background).astype(np.uint8)
    if pixels is None:
        pixels = over(background * (1 - parts.shadow[..., None]), parts.placed.pixels)
    shadow = parts.shadow.astype(np.float32) if shadow_is_known else None
    return AdPicture(pixels, background, shadow, parts.placed, parts.scene)
