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
from inference.ad_images.quality.view import Floats, Mask, View, grown, length, to_lab

SIDE = 96  # pixels of the copy's longer side
SCALES = (0.45, 0.53, 0.63, 0.75, 0.87, 1.0)
COLOURS = 6
SAME_COLOUR = 13.0  # ΔE at which a pixel's colour counts by 1/e
ONE_COLOUR = 12.0  # ΔE within which two colours of a background are one
COMMON = 0.2  # of the background: a colour as frequent is no second product's
SAME_MEAN = 22.0  # ΔE between the mean colours of a product and its double
SMALLEST = 7  # pixels of a form's longer side
AS_STRONG = 0.5  # of the product's own colours that a second one must show
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
    lab = to_lab(pixels)
    own = _own_colour(pixels, lab, product, ~hidden)
    if float(own[product].mean()) < PLAIN:
        return None
    rows, columns = np.nonzero(product)
    box = slice(rows.min(), rows.max() + 1), slice(columns.min(), columns.max() + 1)
    form = np.where(product[box], own[box], 0).astype(np.float32)
    elsewhere = np.where(hidden, np.float32(0), own)
    if elsewhere.max() < 0.3:
        return 0.0
    search = _Search(elsewhere, hidden, lab, np.average(lab[box].reshape(-1, 3), axis=0, weights=form.ravel()))
    return max(search.best(form, scale) for scale in SCALES)


def _own_colour(pixels: np.ndarray, lab: Floats, product: Mask, background: Mask) -> Floats:
    """(height, width) 0 to 1: near a colour of the product, and nearer to it than to the background's common ones."""
    colours, shares = dominant(pixels[product], COLOURS)
    near = _nearest(lab, colours[shares > 0.06])
    common = _common(*dominant(pixels[background], 8))
    like = np.exp(-((near / SAME_COLOUR) ** 2))
    if not len(common):
        return np.asarray(like, np.float32)
    away = _nearest(lab, common)
    return np.asarray(like * np.clip((away - near) / ONE_COLOUR, 0, 1), np.float32)


def _nearest(lab: Floats, colours: Floats) -> Floats:
    """(height, width) ΔE of each pixel to the nearest of (colours, 3), of which there is at least one."""
    return np.minimum.reduce([length(lab - colour) for colour in colours])


def _common(colours: Floats, shares: np.ndarray) -> Floats:
    """Colours of at least `COMMON` of the background, neighbours merged."""
    left = list(np.argsort(-shares))
    means: list[np.ndarray] = []
    while left:
        near = [at for at in left if np.linalg.norm(colours[at] - colours[left[0]]) < ONE_COLOUR]
        if shares[near].sum() >= COMMON:
            means.extend(colours[at] for at in near)
        left = [at for at in left if at not in near]
    return np.array(means, np.float32).reshape(-1, 3)


class _Search:
    """Looks for a form in the map of the product's own colours.

    Args:
        elsewhere: (height, width) the map, 0 on the product itself. hidden: the product and its rim.
        lab: (height, width, 3) of the picture. mean: (3,) CIELAB of the product where it has colours of its own.
    """

    def __init__(self, elsewhere: Floats, hidden: Mask, lab: Floats, mean: np.ndarray) -> None:
        self._map, self._lab, self._mean = elsewhere, lab, mean
        self._shape = [next_fast_len(2 * side, True) for side in elsewhere.shape]  # room for a form as large as the map
        layers = (elsewhere, elsewhere**2, hidden.astype(np.float32))
        self._image, self._square, self._hidden = (rfft2(layer, self._shape) for layer in layers)

    def best(self, form: Floats, scale: float) -> float:
        """Highest correlation with the form at a share of its size, mirrored or not."""
        height, width = (max(1, round(side * scale)) for side in form.shape)
        if max(height, width) < SMALLEST:
            return 0.0
        small = np.asarray(Image.fromarray(form).resize((width, height), Image.Resampling.BOX))
        margin = max(2, max(small.shape) // 6)
        padded = np.pad(small, margin)
        window = grown(padded > 0.05, margin)
        return max(self._correlation(padded[:, ::step], window[:, ::step]) for step in (1, -1))

    def _correlation(self, form: Floats, window: Mask) -> float:
        shape, inked = self._shape, form > 0.05
        around, inner, pattern = (np.conj(rfft2(layer.astype(np.float32), shape)) for layer in (window, inked, form))
        total, squares = irfft2(self._image * around, shape), irfft2(self._square * around, shape)
        within, covered = irfft2(self._image * pattern, shape), irfft2(self._hidden * inner, shape)
        count, inside = float(window.sum()), float(form.sum())
        common = within - total * inside / count
        spread = max(1e-3, float((form**2).sum()) - inside**2 / count)
        match = common / np.sqrt(np.maximum(squares - total**2 / count, 1e-3) * spread)
        weak = (common / spread < AS_STRONG) | (total < 0.35 * inside)
        match[weak | (covered > OVERLAP * inked.sum())] = 0.0
        row, column = np.unravel_index(int(match.argmax()), match.shape)
        at = (
            (int(row) if row < self._map.shape[0] else int(row) - shape[0]),
            (int(column) if column < self._map.shape[1] else int(column) - shape[1]),
        )
        likeness = float(np.clip(match[row, column], 0, 1))
        return likeness if likeness and self._has_its_colour(form, at) else 0.0

    def _has_its_colour(self, form: Floats, at: tuple[int, int]) -> bool:
        """Whether the mean colour at a place is the product's: a grey tree is no grey heel of a blue shoe."""
        rows, columns = (slice(max(0, start), start + side) for start, side in zip(at, form.shape, strict=True))
        there = self._lab[rows, columns]
        weights = form[rows.start - at[0] :, columns.start - at[1] :][: there.shape[0], : there.shape[1]]
        if not weights.any():
            return False
        mean = np.average(there.reshape(-1, 3), axis=0, weights=weights.ravel())
        return float(np.linalg.norm(mean - self._mean)) < SAME_MEAN
