"""Matting: from an outline to soft edges and to the product's own colours beneath them.

Belongs here: alpha in the band around an outline, colours without the backdrop in them, premultiplied pixels. Not here:
finding the outline (border.py, segmenters).

In the band a pixel lies between the backdrop beside it and the product beside it: its place between the two is its
alpha (Berman and others, 2000). Where both look alike a guided filter (He and others, 2010) decides. Colours are then
estimated under the alpha by blurred fusion (Forte, 2021), so that no rim of the backdrop is pasted anywhere.
"""

import numpy as np
from scipy import ndimage

from inference.ad_images.cutouts.lab import dot, squared

BAND = 1 / 256  # of the longer side, to either side of the outline; at least LEAST_BAND
LEAST_BAND = 2  # pixels
APART = 18.0  # levels of 255 between product and backdrop from which their mixture says more than the guided filter
GUIDE_NOISE = 1e-4  # squared share of full scale below which the guided filter takes a change for noise
CLEAR, SOLID = 0.08, 0.92  # alpha below and above which a pixel is none or all of the product
RINGS = 2  # rounds of blurred fusion


def soft_alpha(rgb: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """Alpha of a product from its outline.

    Args:
        rgb: (height, width, 3) float32, 0 to 255.
        mask: (height, width) bool.

    Returns:
        (height, width) float32, 0 to 1; 1 well inside the outline, 0 well outside.
    """
    radius = max(LEAST_BAND, round(BAND * max(mask.shape)))
    inside = ndimage.binary_erosion(mask, iterations=radius, border_value=1)
    outside = ~ndimage.binary_dilation(mask, iterations=radius)
    front, back = _spread(rgb, inside | _core(mask), radius), _spread(rgb, outside | _core(~mask), radius)
    apart = front - back
    length = squared(apart)
    mixture = dot(rgb - back, apart) / np.maximum(length, 1)
    trust = length / (length + APART**2)
    alpha = trust * mixture + (1 - trust) * guided_filter(rgb.mean(axis=-1) / 255, mask.astype(np.float32), radius)
    alpha = np.clip((alpha - CLEAR) / (SOLID - CLEAR), 0, 1)
    alpha[inside] = 1
    alpha[outside] = 0
    return alpha.astype(np.float32)


def guided_filter(guide: np.ndarray, values: np.ndarray, radius: int, noise: float = GUIDE_NOISE) -> np.ndarray:
    """Values smoothed as the guide is smooth: locally they are a straight function of it.

    Args:
        guide, values: (height, width) float32, 0 to 1. radius: pixels. noise: variance of the guide that means nothing.
    """
    size = 2 * radius + 1

    def mean(plane: np.ndarray) -> np.ndarray:
        return np.asarray(ndimage.uniform_filter(plane, size))

    centre, level = mean(guide), mean(values)
    slope = (mean(guide * values) - centre * level) / (mean(guide * guide) - centre**2 + noise)
    return mean(slope) * guide + mean(level - slope * centre)


def premultiplied(rgb: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """The product's own colours times its alpha.

    Args:
        rgb: (height, width, 3) float32, 0 to 255. alpha: (height, width) float32, 0 to 1.

    Returns:
        (height, width, 4) uint8, no colour brighter than its alpha; where alpha is 1, exactly the photograph.
    """
    radius = max(LEAST_BAND, round(BAND * max(alpha.shape)))
    share = alpha[..., None]
    front = rgb
    for number in range(RINGS):
        reach = radius * (RINGS - number)
        front_mean, back_mean = _weighted(front, alpha**2, reach), _weighted(rgb, (1 - alpha) ** 2, reach)
        front = np.clip(front_mean + share * (rgb - share * front_mean - (1 - share) * back_mean), 0, 255)
    front = np.where(share == 1, rgb, front)
    opacity = np.rint(share * 255)
    colours = np.minimum(np.rint(front * share), opacity)
    return np.concatenate([colours, opacity], axis=-1).astype(np.uint8)


def _core(mask: np.ndarray) -> np.ndarray:
    """A pixel in from the edge: what thin parts have to show."""
    return np.asarray(ndimage.binary_erosion(mask, iterations=1, border_value=1))


def _spread(rgb: np.ndarray, area: np.ndarray, radius: int) -> np.ndarray:
    return _weighted(rgb, area.astype(np.float32), radius + 1)


def _weighted(rgb: np.ndarray, weight: np.ndarray, radius: int) -> np.ndarray:
    """(height, width, 3) mean of the colours around each pixel, by weight; far from any weight, the colour itself."""
    size = 2 * radius + 1
    total = ndimage.uniform_filter(weight, size)[..., None]
    mean = ndimage.uniform_filter(rgb * weight[..., None], (size, size, 0)) / np.maximum(total, 1e-6)
    return np.where(total > 1e-3, mean, rgb)
