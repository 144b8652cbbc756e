"""Colour and light of the background: palette, exposure, contrast, sharpness, clutter.

Belongs here: what is measured of tones. Not here: shadows (ground.py), the product's own edge (identity.py).
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from catalog.lab import difference
from inference.ad_images.quality.view import Floats, View, grown, strongest, to_lab, weakest

DOMINANT = 6  # colours of a background
SMALLEST_SHARE = 0.05  # of the background; rarer colours are details
BURNT, BLACK = 250, 8  # levels
EDGE = 12.0  # levels per pixel


def dominant(pixels: np.ndarray, colours: int) -> tuple[Floats, NDArray[np.float64]]:
    """Dominant colours by median cut: CIELAB (colours, 3) and their shares.

    Args:
        pixels: (pixels, 3) uint8, at least one.
    """
    strip = Image.fromarray(np.ascontiguousarray(pixels[None]))
    cut = strip.quantize(colours, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    index = np.asarray(cut)[0]
    counts = np.bincount(index, minlength=colours).astype(np.float64)
    means = np.stack([np.bincount(index, pixels[:, channel], colours) for channel in range(3)], axis=1)
    present = counts > 0
    rgb = np.rint(means[present] / counts[present, None]).astype(np.uint8)
    return to_lab(rgb), counts[present] / counts.sum()


def palette(view: View) -> float | None:
    """Mean ΔE2000 of the background's dominant colours to the nearest colour of the brand, by area.

    Returns:
        None for a brand without a palette, or a picture without background.
    """
    if not view.palette or not view.small_outside.any():
        return None
    wanted = to_lab(np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in view.palette], np.uint8))
    colours, shares = dominant(view.shrink(view.pixels)[view.small_outside], DOMINANT)
    large = shares >= min(SMALLEST_SHARE, shares.max())
    nearest = difference(colours[large][:, None], wanted[None]).min(axis=1)
    return float(np.average(nearest, weights=shares[large]))


def highlights(view: View) -> float | None:
    """Background pixels burnt out in every channel, %."""
    return _share(view, weakest(view.pixels) >= BURNT)


def blacks(view: View) -> float | None:
    """Background pixels black in every channel, %."""
    return _share(view, strongest(view.pixels) <= BLACK)


def brightness(view: View) -> float | None:
    """Mean lightness of the background, L*."""
    if not view.small_outside.any():
        return None
    return float(view.small_lab[..., 0][view.small_outside].mean())


def contrast(view: View) -> float | None:
    """ΔE2000 of the product's outer part against the background beside it, mean along the outline."""
    lab, alpha = view.small_lab, view.small_alpha
    inside = (alpha > 0.98).astype(np.float32)
    outside = (alpha < 0.02).astype(np.float32)
    rim = grown(inside > 0, 1) & grown(outside > 0, 1)
    near_in, near_out = ndimage.uniform_filter(inside, 7), ndimage.uniform_filter(outside, 7)
    rim &= (near_in > 0.05) & (near_out > 0.05)
    if not rim.any():
        return None
    sides = []
    for side, near in ((inside, near_in), (outside, near_out)):
        mean = ndimage.uniform_filter(lab * side[..., None], (7, 7, 1))[rim] / near[rim][:, None]
        sides.append(mean)
    return float(difference(*sides).mean())


def sharpness(view: View) -> float | None:
    """Sharpness of product and outline against that of the background: ratio of 95 % quantiles, at most 20."""
    step = view.steps
    product = grown(view.product, 1)
    if not product.any() or not view.outside.any():
        return None
    on, off = (float(np.quantile(step[where][::3], 0.95)) for where in (product, view.outside))
    return min(20.0, (on + 1) / (off + 1))


def clutter(view: View) -> float | None:
    """Background pixels on an edge, %."""
    return _share(view, view.steps > EDGE)


def _share(view: View, mask: np.ndarray) -> float | None:
    count = np.count_nonzero(view.outside)
    return 100 * (np.count_nonzero(mask & view.outside) / count) if count else None
