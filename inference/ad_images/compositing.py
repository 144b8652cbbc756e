"""Compositing: the placed product pasted over its background, with nothing of it changed.

Belongs here: pasting, the assertion that the product is untouched, whether a backend moved it, mask polarity. Not here:
shadows (shadows.py), backends (backdrops/).

Inpainting changes what it was asked to keep: seven pipelines did, by up to 255 (diffusers #4782 is open since 2023).
Whatever a backend returned, the placed product is pasted over it, and what was kept is compared afterwards.

The mask convention of this house is True for what may be painted (plan.py). `to_backend` is the only place where it is
turned around.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from inference.ad_images.plan import Placed
from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.ad_images.scene import AdPicture, Scene

MAX_SHIFT = 0.5  # pixels
RING = 12  # pixels outside the product that the comparison sees
CERTAIN = 0.2  # correlation of the edges, from which the product is recognised
GAIN = 0.03  # of it over no movement at all, from which a shift is one and not chance


class ProductChanged(RuntimeError):
    """A finished picture does not show the product as it was placed: a fault of ours, never of the input."""


class Polarity(StrEnum):
    """What white means in a service's mask."""

    PAINT_WHITE = "paint_white"  # diffusers, Stability
    PAINT_BLACK = "paint_black"  # Nova Canvas' inpainting


def to_backend(mask: np.ndarray, polarity: Polarity) -> np.ndarray:
    """Our mask as a service reads it.

    Args:
        mask: (height, width) bool, True is what may be painted.

    Returns:
        (height, width) uint8, 0 and 255 only.
    """
    _require_mask(mask)
    return np.where(mask if polarity is Polarity.PAINT_WHITE else ~mask, np.uint8(255), np.uint8(0))


def from_backend(mask: np.ndarray, polarity: Polarity) -> np.ndarray:
    """A service's mask as ours: (height, width) bool.

    Raises:
        ValueError: a grey value, which means nothing in either convention.
    """
    if mask.ndim != 2 or not np.isin(mask, (0, 255)).all():
        raise ValueError("a mask is (height, width) and holds 0 and 255 only")
    white = mask == 255
    return white if polarity is Polarity.PAINT_WHITE else ~white


def _require_mask(mask: np.ndarray) -> None:
    if mask.dtype != np.bool_ or mask.ndim != 2:
        raise ValueError(f"a mask is (height, width) bool, not {mask.shape} {mask.dtype}")


def pasted(background: np.ndarray, placed: Placed) -> np.ndarray:
    """The placed product over a background: (height, width, 3) uint8.

    Raises:
        ValueError: the background has another size or type than the canvas.
    """
    if background.shape != (*placed.pixels.shape[:2], 3) or background.dtype != np.uint8:
        raise ValueError(
            f"a background is {(*placed.pixels.shape[:2], 3)} uint8 here, not {background.shape} {background.dtype}"
        )
    left, top, right, bottom = placed.box
    over = placed.pixels[top:bottom, left:right].astype(np.uint16)
    picture = background.copy()
    under = picture[top:bottom, left:right]
    picture[top:bottom, left:right] = over[..., :3] + (under * (255 - over[..., 3:]) + 127) // 255
    return picture


def compose(
    background: np.ndarray, shaded: np.ndarray, placed: Placed, scene: Scene, shadow: np.ndarray | None
) -> AdPicture:
    """The finished picture.

    Args:
        background: (height, width, 3) uint8, as the backend painted it.
        shaded: the same after shadows were laid on it; the background itself where the backend paints its own.
        shadow: (height, width) float32, what was taken away; None where the backend paints its own.

    Raises:
        ValueError: sizes or types that do not fit together.
        ProductChanged: a kept pixel differs from the placed product.
    """
    if background.shape != shaded.shape or (shadow is not None and shadow.shape != shaded.shape[:2]):
        raise ValueError("background, shaded background and shadow are of one size")
    picture = pasted(shaded, placed)
    require_untouched(picture, placed)
    return AdPicture(picture, background, shadow, placed, scene)


def require_untouched(picture: np.ndarray, placed: Placed) -> None:
    """Raises ProductChanged: a pixel inside the eroded mask is not exactly as it was placed."""
    kept = placed.kept
    changed = (picture[kept] != placed.pixels[kept][:, :3]).any(axis=1)
    if changed.any():
        worst = np.abs(picture[kept].astype(int) - placed.pixels[kept][:, :3]).max()
        raise ProductChanged(f"{changed.sum()} kept pixels of plan {placed.plan.number} changed, by up to {worst}")


@dataclass(frozen=True)
class Movement:
    """How far a product moved between two pictures.

    Attributes:
        across, down: pixels, to the right and down.
        likeness: correlation of the product's edges once moved back, -1 to 1.
        gain: how much more alike they are than without moving.
    """

    across: float
    down: float
    likeness: float
    gain: float

    @property
    def distance(self) -> float:
        return math.hypot(self.across, self.down)

    @property
    def certain(self) -> bool:
        """Whether the product was recognised where it says; otherwise the distance means nothing."""
        return self.likeness >= CERTAIN and self.gain >= GAIN


def movement(before: np.ndarray, after: np.ndarray, placed: Placed) -> Movement:
    """How far the product moved between what a backend was given and what it returned.

    The edges of the product and of what is printed on it are compared by phase correlation, in a window that fades out
    `RING` pixels beyond the product: a plain product on a new background still has its outline. Once with the same
    window on what came back, which keeps its new background out, and once without, for what moved far.

    Args:
        before, after: (height, width, 3) uint8.

    Source: Guizar-Sicairos et al., Opt. Lett. 33, 2008, as scikit-image has it.
    """
    from scipy.ndimage import distance_transform_edt
    from skimage.registration import phase_cross_correlation

    left, top, right, bottom = placed.box
    if (after == after[0, 0]).all():
        return Movement(0.0, 0.0, 0.0, 0.0)  # a blank has no edges to compare
    rows = slice(max(top - 2 * RING, 0), bottom + 2 * RING)
    columns = slice(max(left - 2 * RING, 0), right + 2 * RING)
    window = np.clip(1 - distance_transform_edt(placed.alpha[rows, columns] == 0) / RING, 0, 1)
    first, second = (_edges(picture[rows, columns]) for picture in (before, after))
    at_rest = _likeness(first, second, window, (0.0, 0.0))
    tries = []
    for other in (second * window, second):
        back = phase_cross_correlation(first * window, other, upsample_factor=20, normalization=None)[0]
        tries.append((_likeness(first, second, window, back), -float(back[1]), -float(back[0])))
    likeness, across, down = max(tries)
    return Movement(across, down, likeness, likeness - at_rest)


def _likeness(first: np.ndarray, second: np.ndarray, window: np.ndarray, back: Sequence[float]) -> float:
    """Correlation of two pictures of edges inside a window, the second moved back by (rows, columns)."""
    from scipy.ndimage import shift

    weight = window > 0
    a, b = first[weight], shift(second, back, order=1, mode="nearest")[weight]
    a, b = a - a.mean(), b - b.mean()
    energy = math.sqrt(float((a * a).sum() * (b * b).sum()))
    return float((a * b).sum()) / energy if energy else 0.0


def _edges(picture: np.ndarray) -> np.ndarray:
    """Strength of the edges of the strongest channel, (height, width) float64."""
    from scipy.ndimage import gaussian_filter

    smooth = gaussian_filter(picture.astype(np.float64), (0.7, 0.7, 0))
    across, down = np.gradient(smooth, axis=1), np.gradient(smooth, axis=0)
    return np.asarray(np.hypot(across, down).max(axis=2))


def require_unmoved(before: np.ndarray, after: np.ndarray, placed: Placed) -> None:
    """Raises AdRefused: the backend moved what it was asked to keep by more than half a pixel.

    What it painted then belongs to a product that is no longer where ours is pasted: a second outline beside it.
    """
    moved = movement(before, after, placed)
    if moved.certain and moved.distance > MAX_SHIFT:
        raise AdRefused(
            RefusalCode.PRODUCT_MOVED,
            f"the backend moved the product of plan {placed.plan.number} by {moved.distance:.1f} px "
            f"({moved.across:+.1f} across, {moved.down:+.1f} down), so its background does not fit; use another "
            "backend, or a size that it keeps.",
        )
