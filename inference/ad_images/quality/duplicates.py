"""Duplicates: the product a second time in its background.

Belongs here: the search by colour and silhouette. Not here: growth of the product itself (identity.py).

A product has a few colours of its own; where the background has the same colours in the product's silhouette, and
other colours around it, the product is there again. The search is a normalised cross-correlation of "how much has this
pixel a colour of the product" with the silhouette, at several sizes and mirrored.
"""

import numpy as np
from PIL import Image
from scipy.fft import irfft2, next_fast_len, rfft2

from inference.ad_images.quality.colour import dominant
from inference.ad_images.quality.view import Floats, Mask, View, grown, to_lab

SIDE = 96  # pixels of the copy's longer side
SCALES = (0.45, 0.6, 0.8, 1.0)
COLOURS = 4
SAME_COLOUR = 9.0  # ΔE at which a pixel's colour counts by 1/e
SMALLEST = 7  # pixels of a silhouette's longer side
OVERLAP = 0.3  # of a silhouette that the product itself may hide


def duplicates(view: View) -> float:
    """Likeness of the likeliest second product, 0 to 1."""
    factor = SIDE / max(view.alpha.shape)
    size = (max(8, round(view.alpha.shape[1] * factor)), max(8, round(view.alpha.shape[0] * factor)))
    pixels = np.asarray(Image.fromarray(view.pixels).resize(size, Image.Resampling.BOX))
    alpha = np.asarray(Image.fromarray(np.ascontiguousarray(view.alpha)).resize(size, Image.Resampling.BOX))
    product = alpha >= 128
    if product.sum() < 2 * SMALLEST:
        return 0.0
    likeness = _has_product_colour(pixels, product)
    hidden = grown(alpha > 0, 1)
    likeness[hidden] = 0.0
    if likeness.max() < 0.3:
        return 0.0
    rows, columns = np.nonzero(product)
    silhouette = product[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
    return max(0.0, *(_best_match(likeness, hidden, _resized(silhouette, scale)) for scale in SCALES))


def _has_product_colour(pixels: np.ndarray, product: Mask) -> Floats:
    lab = to_lab(pixels)
    colours, weights = dominant(pixels[product], COLOURS)
    colours = colours[weights > 0.08]
    distance = np.linalg.norm(lab[..., None, :] - colours, axis=-1).min(axis=-1)
    return np.exp(-((distance / SAME_COLOUR) ** 2)).astype(np.float32)


def _resized(silhouette: Mask, scale: float) -> Mask:
    height, width = (max(1, round(side * scale)) for side in silhouette.shape)
    grey = Image.fromarray(silhouette.astype(np.uint8) * 255).resize((width, height), Image.Resampling.BOX)
    return np.asarray(grey) >= 128


def _best_match(likeness: Floats, hidden: Mask, silhouette: Mask) -> float:
    if max(silhouette.shape) < SMALLEST or not silhouette.any():
        return 0.0
    padded = np.pad(silhouette, max(2, max(silhouette.shape) // 6))
    window = grown(padded, max(2, max(silhouette.shape) // 6))
    mirrored = np.array_equal(padded, padded[:, ::-1])
    forms = [(padded, window)] if mirrored else [(padded, window), (padded[:, ::-1], window[:, ::-1])]
    return max(_correlation(likeness, hidden, shape, around) for shape, around in forms)


def _correlation(likeness: Floats, hidden: Mask, shape: Mask, window: Mask) -> float:
    """Highest correlation of `likeness` with the silhouette within its window, over all places."""
    full = tuple(next_fast_len(a + b - 1, True) for a, b in zip(likeness.shape, shape.shape, strict=True))
    image, square = rfft2(likeness, full), rfft2(likeness**2, full)
    around = np.conj(rfft2(window.astype(np.float32), full))
    form = np.conj(rfft2(shape.astype(np.float32), full))
    covered = irfft2(rfft2(hidden.astype(np.float32), full) * form, full)
    count, inside = float(window.sum()), float(shape.sum())
    total, squares, within = (irfft2(a * b, full) for a, b in ((image, around), (square, around), (image, form)))
    spread = np.maximum(squares - total**2 / count, 1e-3) * (inside - inside**2 / count)
    match = (within - total * inside / count) / np.sqrt(np.maximum(spread, 1e-3))
    match[(covered > OVERLAP * inside) | (within < 0.35 * inside)] = 0.0
    return float(np.clip(match.max(), 0, 1))
