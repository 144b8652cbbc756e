"""Duplicates: the product a second time in its background.

Belongs here: the search by colour and form. Not here: growth of the product itself (identity.py).

Every pixel gets a number: how much it has a colour of the product's that its background has not. The product makes a
pattern in this map; where the same pattern stands elsewhere, with other colours around it, the product is there again.
The search is a normalised cross-correlation at several sizes, mirrored and not.
"""

import numpy as np
from PIL import Image
from scipy.fft import irfft2, next_fast_len, rfft2

from inference.ad_images.quality.colour import dominant
from inference.ad_images.quality.view import Floats, Mask, View, grown, to_lab

SIDE = 96  # pixels of the copy's longer side
SCALES = (0.45, 0.53, 0.63, 0.75, 0.87, 1.0)
COLOURS = 6
SAME_COLOUR = 13.0  # ΔE at which a pixel's colour counts by 1/e
ONE_COLOUR = 12.0  # ΔE within which two colours of a background are one
COMMON = 0.2  # of the background: a colour as frequent is no second product's
SMALLEST = 7  # pixels of a form's longer side
OVERLAP = 0.3  # of a form that the product itself may hide
PLAIN = 0.15  # mean of the product in the map: less has no colour of its own


def duplicates(view: View) -> float | None:
    """Likeness of the likeliest second product, 0 to 1.

    Returns:
        None where the product has the colours of its background throughout, so that nothing can be told.
    """
    factor = SIDE / max(view.alpha.shape)
    size = (max(8, round(view.alpha.shape[1] * factor)), max(8, round(view.alpha.shape[0] * factor)))
    pixels = np.asarray(Image.fromarray(view.pixels).resize(size, Image.Resampling.BOX))
    alpha = np.asarray(Image.fromarray(np.ascontiguousarray(view.alpha)).resize(size, Image.Resampling.BOX))
    product, hidden = alpha >= 160, grown(alpha > 0, 1)
    if product.sum() < 2 * SMALLEST or hidden.all():
        return None
    own = _own_colour(pixels, product, ~hidden)
    if float(own[product].mean()) < PLAIN:
        return None
    rows, columns = np.nonzero(product)
    box = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    form = np.where(product[box], own[box], 0)
    elsewhere = np.where(hidden, np.float32(0), own)
    if elsewhere.max() < 0.3:
        return 0.0
    return max(_best_match(elsewhere, hidden, form, scale) for scale in SCALES)


def _own_colour(pixels: np.ndarray, product: Mask, background: Mask) -> Floats:
    """(height, width) 0 to 1: near a colour of the product, and nearer to it than to the background's common ones."""
    lab = to_lab(pixels)
    colours, shares = dominant(pixels[product], COLOURS)
    near = np.linalg.norm(lab[..., None, :] - colours[shares > 0.06], axis=-1).min(axis=-1)
    common = _common(*dominant(pixels[background], 8))
    like = np.exp(-((near / SAME_COLOUR) ** 2))
    if not len(common):
        return np.asarray(like, np.float32)
    away = np.linalg.norm(lab[..., None, :] - common, axis=-1).min(axis=-1)
    return np.asarray(like * np.clip((away - near) / ONE_COLOUR, 0, 1), np.float32)


def _common(colours: Floats, shares: np.ndarray) -> Floats:
    """Colours of at least `COMMON` of the background, neighbours merged."""
    left, means = list(np.argsort(-shares)), []
    while left:
        near = [at for at in left if np.linalg.norm(colours[at] - colours[left[0]]) < ONE_COLOUR]
        if shares[near].sum() >= COMMON:
            means.extend(colours[at] for at in near)
        left = [at for at in left if at not in near]
    return np.array(means, np.float32).reshape(-1, 3)


def _best_match(elsewhere: Floats, hidden: Mask, form: Floats, scale: float) -> float:
    height, width = (max(1, round(side * scale)) for side in form.shape)
    if max(height, width) < SMALLEST:
        return 0.0
    small = np.asarray(Image.fromarray(form.astype(np.float32)).resize((width, height), Image.Resampling.BOX))
    margin = max(2, max(small.shape) // 6)
    padded = np.pad(small, margin)
    window = grown(padded > 0.05, margin)
    return max(_correlation(elsewhere, hidden, padded[:, ::step], window[:, ::step]) for step in (1, -1))


def _correlation(elsewhere: Floats, hidden: Mask, form: Floats, window: Mask) -> float:
    """Highest correlation of the map with the form within its window, over all places."""
    full = tuple(next_fast_len(a + b - 1, True) for a, b in zip(elsewhere.shape, form.shape, strict=True))
    image, square = rfft2(elsewhere, full), rfft2(elsewhere**2, full)
    around, shape = np.conj(rfft2(window.astype(np.float32), full)), np.conj(rfft2(form, full))
    covered = irfft2(
        rfft2(hidden.astype(np.float32), full) * np.conj(rfft2((form > 0.05).astype(np.float32), full)), full
    )
    count, inside = float(window.sum()), float(form[window].sum())
    total, squares, within = (irfft2(a * b, full) for a, b in ((image, around), (square, around), (image, shape)))
    spread = np.maximum(squares - total**2 / count, 1e-3) * max(
        1e-3, float((form[window] ** 2).sum()) - inside**2 / count
    )
    match = (within - total * inside / count) / np.sqrt(np.maximum(spread, 1e-3))
    match[(covered > OVERLAP * (form > 0.05).sum()) | (total < 0.35 * inside)] = 0.0
    return float(np.clip(match.max(), 0, 1))
