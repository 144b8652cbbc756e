"""Shadows: the light that a placed product takes from the ground, and its reflection in it.

Belongs here: contact and cast shadow, reflection, laying both on a background, the light that a product's own shading
suggests. Not here: the background (backdrops/), pasting the product (compositing.py).

Light is that of scene.py: an azimuth in the picture plane, and an elevation. Shadows fall to the other side in both
views: what stands throws its shadow over the floor, sideways by the horizontal part of the light and, foreshortened,
towards or away from the camera by the rest; what lies throws it around itself by its thickness.

All is computed on a picture of at most 192 pixels a side: what a shadow has to show is soft.
"""

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from inference.ad_images.cutout import Cutout
from inference.ad_images.linear_light import to_linear, to_srgb
from inference.ad_images.plan import Placed, Support
from inference.ad_images.scene import Light, Scene

SIDE = 192  # pixels of the picture that shadows are computed on
RAYS = 24  # directions that stand for a light of some size
LENS = 1.1  # focal length, in heights of the picture; sets how flat the floor looks
MOST_SLOPE = 0.5  # of the outline where it may touch the ground: steeper parts are sides
UNSURE = Light(azimuth=125.0, elevation=50.0, softness=0.55, warmth=0.0)  # from above, a little left, as shops light
GOLDEN = np.pi * (3 - np.sqrt(5))


def cast(placed: Placed, scene: Scene) -> np.ndarray:
    """How much of the light the product takes from each pixel of the background.

    Returns:
        (height, width) float32, 0 to 1. Where the product stands, nothing above the horizon.
    """
    small = _Small.of(placed, scene)
    if not small.alpha.any():
        return np.zeros(placed.alpha.shape, np.float32)
    if placed.plan.support is Support.LIES:
        taken = _around(small, scene.light)
    else:
        free = (1 - _thrown(small, scene.light)) * (1 - _contact(small))
        taken = (1 - free) * _floor(small)
    return np.clip(_enlarged(taken, placed.alpha.shape), 0, 1)


def reflection(placed: Placed, scene: Scene, reflectance: float) -> np.ndarray:
    """The product upside down in a glossy floor, fainter and softer with the distance from where it stands.

    Args:
        reflectance: of the ground, 0 to 1 (themes.yaml).

    Returns:
        (height, width, 4) float32, linear light premultiplied by alpha; nothing where the product lies.
    """
    height, width = placed.alpha.shape
    empty = np.zeros((height, width, 4), np.float32)
    if placed.plan.support is Support.LIES or reflectance <= 0 or not placed.alpha.any():
        return empty
    small = _Small.of(placed, scene)
    rows, columns = small.alpha.shape
    ground = np.round(small.ground).astype(int)
    below = np.arange(rows)[:, None] - ground[None, :]  # rows under the line on which the product stands
    source = np.clip(ground[None, :] - below, 0, rows - 1)
    mirrored = small.pixels[source, np.arange(columns)[None, :]] * (below >= 0)[..., None]
    reach = 0.35 * small.tall
    fade = reflectance * np.exp(-np.maximum(below, 0) / reach) * (below >= 0)
    near, far = (gaussian_filter(mirrored, (sigma, sigma * 0.6, 0)) for sigma in (0.6, 0.045 * small.tall))
    share = np.clip(below / (0.5 * small.tall), 0, 1)[..., None]
    layer = (near * (1 - share) + far * share) * fade[..., None] * _floor(small)[..., None]
    top = max(int(ground.min() * height / rows) - 2, 0)
    for channel in range(4):
        empty[top:, :, channel] = _enlarged(layer[..., channel], (height, width), top)
    return empty


def apply(background: np.ndarray, shadow: np.ndarray, reflected: np.ndarray | None, light: Light) -> np.ndarray:
    """Lays reflection and shadow on a background.

    A shadow is not black: the rest of the room still lights it, in the colour that the key light lacks.

    Args:
        background: (height, width, 3) uint8. shadow: of cast(). reflected: of reflection(), or None.

    Returns:
        (height, width, 3) uint8; pixels without shadow and reflection as they were.
    """
    touched = shadow > 1 / 512
    if reflected is not None:
        touched |= reflected[..., 3] > 1 / 512
    lines, columns = np.flatnonzero(touched.any(1)), np.flatnonzero(touched.any(0))
    result = background.copy()
    if not len(lines):
        return result
    part = (slice(lines[0], lines[-1] + 1), slice(columns[0], columns[-1] + 1))
    lit = to_linear(background[part])
    if reflected is not None:
        lit = lit * (1 - reflected[part][..., 3:]) + reflected[part][..., :3]
    ambient = np.array([0.055 - 0.035 * light.warmth, 0.06, 0.075 + 0.045 * light.warmth], np.float32)
    lit *= 1 - shadow[part][..., None] * (1 - ambient)
    result[part] = np.where(touched[part][..., None], to_srgb(lit), background[part])
    return result


def estimate_light(cutout: Cutout) -> Light:
    """The light that a product's own shading suggests: where its bright side is.

    The outline, taken as that of a pillow, gives each pixel a slope; the brightness that goes with the slope is fitted
    by least squares. A product whose colours say more than its shading gets the light of a usual product photograph.
    Light never comes from below.
    """
    image = Image.fromarray(cutout.pixels).resize((64, 64), Image.Resampling.BOX)
    pixels = np.asarray(image, np.float32)
    alpha = pixels[..., 3] / 255
    inside = alpha > 0.98
    if inside.sum() < 64:
        return UNSURE
    luminance = to_linear(np.asarray(image)[..., :3]) @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    padded = np.pad(alpha, 32)
    pillow = (gaussian_filter(padded, 5.0) + gaussian_filter(padded, 14.0))[32:-32, 32:-32]
    down, right = np.gradient(pillow)
    slopes = np.stack([np.ones(inside.sum()), -right[inside], down[inside]], axis=1)  # facing right, facing up
    weights, *_ = np.linalg.lstsq(slopes, luminance[inside] / (luminance[inside].mean() + 1e-6), rcond=None)
    explained = np.std(slopes[:, 1:] @ weights[1:])
    if explained < 0.04:
        return UNSURE
    azimuth = float(np.degrees(np.arctan2(max(weights[2], 0.35 * abs(weights[1])), weights[1])))
    softness = float(np.clip(0.75 - 1.5 * explained, 0.3, 0.7))
    return Light(round(azimuth, 1), UNSURE.elevation, round(softness, 2), 0.0)


@dataclass(frozen=True)
class _Small:
    """A placed product on the small picture.

    Attributes:
        pixels: (rows, columns, 4) float32, linear light premultiplied. alpha: its last channel.
        ground: (columns,) row on which the product stands under each column. gap: rows of air between, inf beside it.
        tall, wide: of its box, rows and columns. horizon: row; negative where there is none.
        flat: how much shorter than wide a length on the floor looks towards the horizon.
    """

    pixels: np.ndarray
    ground: np.ndarray
    gap: np.ndarray
    tall: float
    wide: float
    horizon: float
    flat: float

    @property
    def alpha(self) -> np.ndarray:
        return self.pixels[..., 3]

    @classmethod
    def of(cls, placed: Placed, scene: Scene) -> "_Small":
        height, width = placed.alpha.shape
        shrink = min(1.0, SIDE / max(height, width))
        rows, columns = max(round(height * shrink), 1), max(round(width * shrink), 1)
        reduced = np.asarray(Image.fromarray(placed.pixels, "RGBa").resize((columns, rows), Image.Resampling.BOX))
        pixels = np.concatenate([to_linear(reduced[..., :3]), reduced[..., 3:].astype(np.float32) / 255], axis=-1)
        left, top, right, bottom = placed.box
        tall, wide = max((bottom - top) * shrink, 1.0), max((right - left) * shrink, 1.0)
        ground, gap = _standing(pixels[..., 3])
        horizon = -1.0 if scene.horizon is None else scene.horizon * rows
        base = float(ground.max())
        flat = float(np.clip((base - max(horizon, 0.0)) / rows / LENS, 0.12, 0.4))
        return cls(pixels, ground, gap, tall, wide, horizon, flat)


def _standing(alpha: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where the product meets the ground: its outline's lower hull, around the lowest point as far as that is no side.

    A shoe seen from over its toe stands on two sides of its outline, which run up the picture to the left and right; a
    ball on a point, because its outline soon gets steep.
    """
    rows, columns = alpha.shape
    solid = alpha > (0.5 if (alpha > 0.5).any() else 0)
    seen = solid.any(0)
    if not seen.any():
        return np.full(columns, float(rows)), np.full(columns, np.inf)
    lowest = np.where(seen, rows - np.argmax(solid[::-1], axis=0), 0).astype(np.float64)
    hull: list[int] = []
    for column in np.flatnonzero(seen):
        while len(hull) > 1 and _turns_up(lowest, hull[-2], hull[-1], column):
            hull.pop()
        hull.append(int(column))
    corners, heights = np.array(hull), lowest[hull]
    flat = np.abs(np.diff(heights)) <= MOST_SLOPE * np.diff(corners)
    bottom = int(np.argmax(heights))
    first = bottom - int(np.argmin(np.append(flat[:bottom][::-1], False)))
    last = bottom + int(np.argmin(np.append(flat[bottom:], False)))
    ground = np.interp(np.arange(columns), corners[first : last + 1], heights[first : last + 1])
    return ground, np.where(seen, np.maximum(ground - lowest, 0), np.inf)


def _turns_up(lowest: np.ndarray, first: int, middle: int, last: int) -> bool:
    """Whether the outline's point in the middle is above the line between the others (rows grow downwards)."""
    return bool((lowest[middle] - lowest[first]) * (last - first) <= (lowest[last] - lowest[first]) * (middle - first))


def _contact(small: _Small) -> np.ndarray:
    """The dark line where the product touches the ground, and the wider dimness under and around it."""
    rows, columns = small.alpha.shape
    taken = np.ones((rows, columns))
    at = np.arange(columns)
    for reach, down, across, strength in (
        (0.012, 0.7, 1.2, 0.80),
        (0.05, 0.012 * small.tall + 1.0, 0.02 * small.wide + 1.5, 0.55),
        (0.30, 0.035 * small.tall + 1.2, 0.06 * small.wide + 2.0, 0.34),
    ):
        weight = np.exp(-np.maximum(small.gap, 0) / (reach * small.tall + 0.4))  # exp(-inf) is 0
        marks = np.zeros((rows, columns))
        row = np.clip(small.ground - 0.5, 0, rows - 1)
        upper = np.floor(row).astype(int)
        share = row - upper
        marks[upper, at] += weight * (1 - share)
        marks[np.minimum(upper + 1, rows - 1), at] += weight * share
        dimmed = gaussian_filter(marks, (down, across), mode="constant") * (down * np.sqrt(2 * np.pi))
        taken *= 1 - strength * np.clip(dimmed, 0, 1)
    return 1 - taken


def _thrown(small: _Small, light: Light) -> np.ndarray:
    """The shadow over the floor: the mean of what the rays of a light of some size throw, pixel by pixel."""
    rows, columns = small.alpha.shape
    row, column = np.nonzero(small.alpha > 0.05)
    opaque = small.alpha[row, column]
    foot = small.ground[column].astype(np.float32)
    height = np.maximum(foot - row, 0).astype(np.float32)
    column = column.astype(np.float32)
    thrown = np.zeros((rows + 2) * (columns + 2), np.float32)  # a pixel around for what falls outside
    spread = 2.5 + 20 * light.softness
    thick = 0.10 * min(small.wide, small.tall)
    for number in range(RAYS):
        radius, turn = spread * np.sqrt((number + 0.5) / RAYS), number * GOLDEN
        elevation = np.radians(np.clip(light.elevation + radius * np.sin(turn), 14, 88))
        azimuth = np.radians(light.azimuth + 1.3 * radius * np.cos(turn))
        length = 1 / np.tan(elevation)
        sideways, forward = float(-np.cos(azimuth) * length), float(np.sin(azimuth) * length * small.flat)
        depth = float(thick * small.flat * np.cos(2.4 * number))  # the product is no sheet of paper
        down = np.clip(foot + (forward * height + (depth + 1.0)), 0, rows + 1).astype(np.int32)
        right = np.clip(column + (sideways * height + 1.5), 0, columns + 1).astype(np.int32)
        thrown += np.minimum(np.bincount(down * (columns + 2) + right, opaque, len(thrown)), 1)
    taken = thrown.reshape(rows + 2, columns + 2)[1:-1, 1:-1] / RAYS
    soft = gaussian_filter(taken, (0.9 + 1.2 * light.softness, 1.0 + 2.0 * light.softness))
    return soft * (0.74 - 0.28 * light.softness)


def _around(small: _Small, light: Light) -> np.ndarray:
    """The shadow of what lies: a tight dimness all around, and a softer one away from the light."""
    thick = 0.03 * min(small.tall, small.wide) + 0.8
    azimuth = np.radians(light.azimuth)
    reach = thick * np.clip(1 / np.tan(np.radians(light.elevation)), 0.3, 2.2)
    taken = 1 - 0.42 * gaussian_filter(small.alpha, 0.5 * thick)
    for share, blur, strength in ((0.5, 0.45, 0.30), (1.15, 0.9 + light.softness, 0.34 - 0.1 * light.softness)):
        moved = _moved(small.alpha, reach * share * np.sin(azimuth), -reach * share * np.cos(azimuth))
        taken *= 1 - strength * gaussian_filter(moved, blur * thick)
    return 1 - taken


def _moved(field: np.ndarray, down: float, right: float) -> np.ndarray:
    """A field moved by a part of a pixel, zeros coming in."""
    from scipy.ndimage import shift

    return shift(field, (down, right), order=1, mode="constant")


def _floor(small: _Small) -> np.ndarray:
    """(rows, 1): 1 on the floor, 0 over the horizon, soft just under it."""
    rows = np.arange(small.alpha.shape[0], dtype=np.float64)[:, None] + 0.5
    return np.clip((rows - small.horizon - 0.5) / (0.02 * len(rows) + 1), 0, 1)


def _enlarged(field: np.ndarray, shape: tuple[int, int], top: int = 0) -> np.ndarray:
    """A field at the size of the picture, from its row `top` on."""
    image = Image.fromarray(np.ascontiguousarray(field, np.float32))
    part = (0, top * field.shape[0] / shape[0], field.shape[1], field.shape[0])
    return np.asarray(image.resize((shape[1], shape[0] - top), Image.Resampling.BILINEAR, part))
