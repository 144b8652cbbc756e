"""Openings: where the backdrop shows through a product: in a handle, between a strap and a bag.

Belongs here: enclosed backdrop that the outline has closed, because a small photograph's JPEG and a shadow leave little
of it flat. Not here: openings that are flat to their rim (border.py); the shadow around one (rims.py).

Colour alone does not tell an opening from a white stripe, panel or print: the public photographs have all of these in
their backdrop's very white. An opening is told by what encloses it, too: something narrow, behind which there is
backdrop again, as a handle or strap is and the cloth around a print is not; of another colour all around. And a
product that has other parts of the backdrop's colour may have one more.
"""

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

from inference.ad_images.cutouts.border import LEAST_EMPTY, Backdrop, gradient, refit
from inference.ad_images.cutouts.lab import squared

FAR, EMPTY = 8, 3.0  # pixels from an outline, and ΔE to the backdrop, of what is empty
LIKE = 10.0  # ΔE to the backdrop that an opening's shadow and JPEG's ringing reach
BRIGHTEST = 3.0  # L above the backdrop, that ringing reaches
HUE = (4.0, 0.10)  # Δab of it: at once, and per L that it darkens
LEAST_AREA = 0.0008  # share of the photograph
EMPTY_SHARES = (0.1, 0.25, 0.5)  # of an opening's pixels,
EMPTY_LIMITS = (1.0, 1.35, 2.0)  # that are no further from the backdrop than so many tolerances
NARROW, NARROW_SHARE = 0.065, 0.3  # of the longer side; share of an opening's edge behind which the product is so narrow
RIM, RIM_SHARE, RIM_REACH = 22.0, 0.1, 9  # ΔE to the backdrop of what encloses one; share that is paler; pixels across
LEAST_RIM, THIN_SHARE = 0.004, 0.2  # of the longer side; share of the edge that may be so thin: else it is a pale part
STRAP, EVEN_STRAP, STRAP_SHARE = 0.045, 0.065, 0.5  # the same of a handle or strap, as which nothing but an opening looks,
EVEN, EVEN_SHARE = 1.12, 0.3  # and which is as wide all along, if it is wide: times its least width; share of the edge
TOUCHING, TOUCHING_SHARE = 0.007, 0.05  # and nowhere so thin
BESIDE, WITHIN = 3, 0.5  # pixels; share of the edge of what is left in an opening, that is so near to its hole
PALE, PALE_STRAP = 0.1, 1.0  # of the area of openings, that other parts of the backdrop's colour may have
SQUARE = np.ones((3, 3), bool)


def without_openings(lab: np.ndarray, mask: np.ndarray, backdrop: Backdrop) -> np.ndarray:
    """A mask with its openings open.

    Args:
        lab: (height, width, 3) float32, blurred by a pixel, as the mask was found on.
        mask: (height, width) bool.

    Returns:
        (height, width) bool, nowhere true where the mask is not.
    """
    empty = ~ndimage.binary_dilation(mask, iterations=FAR) & (squared(lab - backdrop.lab) < EMPTY**2)
    change = lab - (refit(lab, empty, backdrop) if empty.mean() > LEAST_EMPTY else backdrop).lab
    distance = np.sqrt(squared(change))
    like = _like_backdrop(change, distance)
    labels, count = _empty_areas(mask & like, distance / backdrop.tolerance)
    if not count:
        return mask
    filled = ndimage.binary_fill_holes(mask)
    flooded = _flooded(labels, filled & ~like, ~mask, gradient(lab))
    depth = ndimage.distance_transform_edt(np.pad(filled, 1))[1:-1, 1:-1] / max(mask.shape)
    rim = ndimage.maximum_filter(np.where(filled, distance, 0), RIM_REACH)
    beside_hole = ndimage.binary_dilation(filled & ~mask, SQUARE, iterations=BESIDE)
    enclosed, strapped = np.zeros(count + 1, bool), np.zeros(count + 1, bool)
    for number in range(1, count + 1):
        area = flooded == number
        edge = area & ~ndimage.binary_erosion(area)
        within = edge & beside_hole
        strapped[number] = within.sum() > WITHIN * edge.sum() or _is_strapped(depth[edge], rim[edge & ~within])
        enclosed[number] = strapped[number] or _is_enclosed(depth[edge], rim[edge & ~within])
    for opening, most in ((enclosed, PALE), (strapped, PALE_STRAP)):
        openings = opening[flooded]
        pale = mask & like & ~ndimage.binary_dilation(openings, SQUARE, iterations=BESIDE)
        if ndimage.binary_opening(pale, SQUARE).sum() <= most * openings.sum():
            return mask & ~openings
    return mask


def _like_backdrop(change: np.ndarray, distance: np.ndarray) -> np.ndarray:
    darker = -change[..., 0]
    hue = np.hypot(change[..., 1], change[..., 2])
    return np.asarray((distance < LIKE) & (darker > -BRIGHTEST) & (hue < HUE[0] + HUE[1] * np.maximum(darker, 0)))


def _empty_areas(area: np.ndarray, distance: np.ndarray) -> tuple[np.ndarray, int]:
    """The parts of an area of some size, that show the backdrop's colour; labelled, and how many."""
    labels, count = ndimage.label(ndimage.binary_opening(area, SQUARE))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)
    number, numbers = 0, np.zeros(count + 1, np.int32)
    for old in np.flatnonzero(sizes[1:] > LEAST_AREA * area.size) + 1:
        if (np.quantile(distance[labels == old], EMPTY_SHARES) <= EMPTY_LIMITS).all():
            number += 1
            numbers[old] = number
    return numbers[labels], number


def _flooded(labels: np.ndarray, product: np.ndarray, outside: np.ndarray, slope: np.ndarray) -> np.ndarray:
    """Labelled areas, grown to the steepest step around them."""
    other = int(labels.max()) + 1
    markers = labels.copy()
    markers[(ndimage.binary_erosion(product, SQUARE) & (labels == 0)) | outside] = other
    grown = watershed(slope, markers)
    return np.where((grown == other) | outside, 0, grown)


def _is_enclosed(depths: np.ndarray, rims: np.ndarray) -> bool:
    narrow = np.quantile(depths, NARROW_SHARE) <= NARROW
    thin = np.quantile(depths, THIN_SHARE) <= LEAST_RIM
    return bool(narrow and not thin and np.quantile(rims, RIM_SHARE) >= RIM)


def _is_strapped(depths: np.ndarray, rims: np.ndarray) -> bool:
    least, lower, middle = np.quantile(depths, (TOUCHING_SHARE, EVEN_SHARE, STRAP_SHARE))
    narrow = middle <= (EVEN_STRAP if lower <= EVEN * least else STRAP)
    return bool(narrow and least > TOUCHING and np.quantile(rims, RIM_SHARE) >= RIM)
