"""View: a picture as the measurements look at it, with what they share computed once.

Belongs here: the copies of at most 512 px, masks, lightness, fast colour conversion. Not here: any judgement.
"""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.ad_images.scene import AdPicture

LONGEST = 512  # pixels of the working copy's longer side
SMALL = 128  # pixels of the copy on which colours are compared
CLEARANCE = 3  # pixels around the product that count neither as product nor as background

Floats = NDArray[np.float32]
Mask = NDArray[np.bool_]

_CODES = np.arange(256) / 255.0
LINEAR = np.where(_CODES <= 0.04045, _CODES / 12.92, ((_CODES + 0.055) / 1.055) ** 2.4).astype(np.float32)
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_TO_WHITE_RELATIVE = (_TO_XYZ / _TO_XYZ.sum(axis=1, keepdims=True)).astype(np.float32)  # D65
_STEPS = 4096
_RATIOS = np.arange(_STEPS + 1) / _STEPS
_ROOTS = np.where(_RATIOS > 0.008856, np.cbrt(_RATIOS), 7.787 * _RATIOS + 16 / 116).astype(np.float32)


def to_lab(rgb: np.ndarray) -> Floats:
    """CIELAB (D65) of (..., 3) uint8 sRGB, to about 0.1; tables make it ten times as fast as an exact conversion."""
    ratios = LINEAR.take(rgb) @ _TO_WHITE_RELATIVE.T
    roots = _ROOTS[np.minimum(ratios * _STEPS + 0.5, _STEPS).astype(np.int32)]
    x, y, z = roots[..., 0], roots[..., 1], roots[..., 2]
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=-1)


def luminance(rgb: np.ndarray) -> Floats:
    """Relative luminance, 0 to 1, of (..., 3) uint8 sRGB."""
    return LINEAR.take(rgb) @ _TO_WHITE_RELATIVE[1]


def strongest(values: np.ndarray) -> np.ndarray:
    """(...) the largest of (..., 3); a maximum over so short an axis takes numpy several times as long."""
    return np.asarray(np.maximum(np.maximum(values[..., 0], values[..., 1]), values[..., 2]))


def weakest(values: np.ndarray) -> np.ndarray:
    """(...) the smallest of (..., 3)."""
    return np.asarray(np.minimum(np.minimum(values[..., 0], values[..., 1]), values[..., 2]))


def length(vectors: np.ndarray) -> np.ndarray:
    """(...) the Euclidean length of (..., 3), to the bit as numpy's norm sums it."""
    squares = vectors * vectors
    return np.asarray(np.sqrt(squares[..., 0] + squares[..., 1] + squares[..., 2]))


def grown(mask: Mask, radius: int) -> Mask:
    """The mask with a margin of `radius` pixels (a square's), by doubling shifts."""
    for axis in (0, 1):
        reached = 0
        while reached < radius:
            step = min(reached + 1, radius - reached) if reached else 1
            wider = mask.copy()
            ahead = [slice(None)] * 2
            behind = [slice(None)] * 2
            ahead[axis], behind[axis] = slice(step, None), slice(None, -step)
            wider[tuple(ahead)] |= mask[tuple(behind)]
            wider[tuple(behind)] |= mask[tuple(ahead)]
            mask = wider
            reached += step
    return mask


def shrunk(mask: Mask, radius: int) -> Mask:
    """The mask without its outermost `radius` pixels; the canvas edge does not eat at it."""
    return ~grown(~mask, radius)


class View:
    """Working copies of one picture.

    Args:
        picture: of any size; copies of at most 512 px are made of larger ones by averaging.
        palette: hex colours of the brand.
    """

    def __init__(self, picture: AdPicture, palette: tuple[str, ...] = ()) -> None:
        self.picture = picture
        self.palette = palette
        self.height, self.width = picture.pixels.shape[:2]
        factor = min(1.0, LONGEST / max(self.width, self.height))
        self.factor = factor
        self._size = (max(1, round(self.width * factor)), max(1, round(self.height * factor)))

    def _copy(self, pixels: np.ndarray) -> np.ndarray:
        if self.factor == 1.0:
            return pixels
        return np.asarray(Image.fromarray(pixels).resize(self._size, Image.Resampling.BOX))

    @cached_property
    def pixels(self) -> np.ndarray:
        """(height, width, 3) uint8."""
        return self._copy(self.picture.pixels)

    @cached_property
    def background(self) -> np.ndarray:
        """(height, width, 3) uint8, without product and shadow."""
        return self._copy(self.picture.background)

    @cached_property
    def shadow(self) -> Floats | None:
        """(height, width) light that was taken away, 0 to 1; None where the backend painted its own."""
        shadow = self.picture.shadow
        if shadow is None or self.factor == 1.0:
            return shadow
        return self._copy(shadow.astype(np.float32))

    @cached_property
    def placed(self) -> np.ndarray:
        """(height, width, 4) uint8, premultiplied."""
        if self.factor == 1.0:
            return self.picture.placed.pixels
        channels = [self._copy(self.picture.placed.pixels[..., number]) for number in range(4)]
        return np.stack(channels, axis=-1)

    @cached_property
    def alpha(self) -> np.ndarray:
        return self.placed[..., 3]

    @cached_property
    def product(self) -> Mask:
        return self.alpha >= 128

    @cached_property
    def outside(self) -> Mask:
        """Background, at least `CLEARANCE` pixels away from the product."""
        return ~grown(self.alpha > 0, CLEARANCE)

    @cached_property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom of the product in the working copy; the whole canvas where it is missing."""
        rows = np.flatnonzero(self.product.any(axis=1))
        columns = np.flatnonzero(self.product.any(axis=0))
        if not len(rows):
            return 0, 0, self._size[0], self._size[1]
        return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1

    @cached_property
    def luma(self) -> Floats:
        """(height, width) 0 to 255, as the eye weighs sRGB codes."""
        weights = np.array([0.2126, 0.7152, 0.0722], np.float32)
        return np.asarray(self.pixels @ weights, np.float32)

    @cached_property
    def steps(self) -> Floats:
        """(height, width) the larger of the steps of `luma` across and down, levels per pixel."""
        luma = self.luma
        step = np.zeros_like(luma)
        np.abs(luma[1:] - luma[:-1], out=step[1:])
        step[:, 1:] = np.maximum(step[:, 1:], np.abs(luma[:, 1:] - luma[:, :-1]))
        return step

    @cached_property
    def light(self) -> Floats:
        """(height, width) relative luminance of the picture."""
        return luminance(self.pixels)

    @cached_property
    def background_light(self) -> Floats:
        return luminance(self.background)

    @cached_property
    def darkness(self) -> Floats:
        """(height, width) how much light is missing against the background alone, 0 to 1; 0 on the product."""
        missing = 1.0 - (self.light + 0.01) / (self.background_light + 0.01)
        return np.asarray(np.where(self.alpha > 0, 0, np.clip(missing, 0, 1)), np.float32)

    @cached_property
    def _small_size(self) -> tuple[int, int]:
        factor = min(1.0, SMALL / max(self._size))
        return max(1, round(self._size[0] * factor)), max(1, round(self._size[1] * factor))

    def shrink(self, pixels: np.ndarray) -> np.ndarray:
        """A working copy at the small size, averaged."""
        return np.asarray(Image.fromarray(pixels).resize(self._small_size, Image.Resampling.BOX))

    @cached_property
    def small_lab(self) -> Floats:
        """(small height, small width, 3) CIELAB of the picture."""
        return to_lab(self.shrink(self.pixels))

    @cached_property
    def small_outside(self) -> Mask:
        return self.shrink(self.outside.astype(np.uint8) * 255) == 255

    @cached_property
    def small_alpha(self) -> Floats:
        """(small height, small width) 0 to 1."""
        return np.asarray(self.shrink(np.ascontiguousarray(self.alpha)), np.float32) / np.float32(255)
