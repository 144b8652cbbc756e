"""Openings: where the backdrop shows through a product: in a handle, between a strap and a bag.

Belongs here: enclosed backdrop that the outline has closed, because a small photograph's JPEG and a shadow leave little
of it flat. Not here: openings that are flat to their rim (border.py); the shadow around one (rims.py).

Colour alone does not tell an opening from a white sole, stripe or print: the public photographs have all of these in
their backdrop's very white. What encloses it does: a handle or a strap is narrow, nowhere open, of another colour all
around, and has backdrop behind it. Shoes have openings between wider straps, too, and pale parts that look like them;
there it counts whether anything else of the product has the backdrop's colour.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

from inference.ad_images.cutouts.border import LEAST_EMPTY, Backdrop, gradient, refit
from inference.ad_images.cutouts.lab import squared

FAR, EMPTY = 8, 3.0  # pixels from an outline, and ΔE to the backdrop, of what is empty
LIKE = 10.0  # ΔE to the backdrop that an opening's shadow and JPEG's ringing reach
BRIGHTEST = 3.0  # L above the backdrop, that ringing reaches
HUE = (4.0, 0.10)  # Δab of it: at once, and per L that it darkens
LEAST_AREA, LARGE = 0.0008, 0.05  # shares of the photograph
EMPTY_SHARES = (0.1, 0.25, 0.5)  # of an opening's pixels,
EMPTY_LIMITS = (1.0, 1.35, 2.0)  # that are no further from the backdrop than so many tolerances
SHARES = (0.05, 0.2, 0.3, 0.5)  # of an opening's edge, behind which the product is no wider than `Widths` says
TOUCHING = 0.0093  # of the shorter side; where the least width is under it, a pale part may go to the outline
LEAST = 0.0053  # of the shorter side; a thinner rim is a line around a pale part
THIN = 0.027  # of the shorter side: of a cord or chain, which JPEG makes to touch the outside
STRAP, EVEN_STRAP, EVEN = 0.0533, 0.0867, 1.12  # of the shorter side; times its least width, that a wide strap may have
NARROW = 0.0833  # of the shorter side, of whatever else encloses an opening
RIM, RIM_SHARE, RIM_REACH = 22.0, 0.1, 9  # ΔE to the backdrop of what encloses one; share that is paler; pixels across
BESIDE, WITHIN = 3, 0.5  # pixels; share of the edge of what is left in an opening, that is so near to its hole
PALE, PALE_STRAP = 0.1, 1.0  # of the area of openings, that other parts of the backdrop's colour may have
SQUARE = np.ones((3, 3), bool)


@dataclass(frozen=True)
class Widths:
    """How wide the product is between an area and the outside, shares of the shorter side, at `SHARES` of its edge."""

    least: float
    thin: float
    lower: float
    middle: float

    @property
    def closed(self) -> bool:
        return self.least > TOUCHING or (self.thin > LEAST and self.middle <= THIN)

    @property
    def of_strap(self) -> bool:
        even = self.lower <= EVEN * self.least
        return self.least > TOUCHING and self.middle <= (EVEN_STRAP if even else STRAP)


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
    like = mask & _like_backdrop(change, distance)
    labels, count = _empty_areas(like, distance / backdrop.tolerance)
    if not count:
        return mask
    filled = ndimage.binary_fill_holes(mask)
    areas = _flooded(labels, mask & ~like, ~mask, gradient(lab))
    enclosed, strapped = _enclosed(areas, count, filled, mask, distance)
    for opening, most in ((enclosed, PALE), (strapped, PALE_STRAP)):
        openings = opening[areas]
        pale = like & ~ndimage.binary_dilation(openings, SQUARE, iterations=BESIDE)
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
    boxes = ndimage.find_objects(labels)
    number, numbers = 0, np.zeros(count + 1, np.int32)
    for old in np.flatnonzero(sizes[1:] > LEAST_AREA * area.size) + 1:
        box = boxes[old - 1]
        if (np.quantile(distance[box][labels[box] == old], EMPTY_SHARES) <= EMPTY_LIMITS).all():
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


def _enclosed(
    areas: np.ndarray, count: int, filled: np.ndarray, mask: np.ndarray, distance: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """(count + 1,) bool each: which areas something narrow encloses; and which a strap does, or lie in an opening."""
    depth = ndimage.distance_transform_edt(np.pad(filled, 1))[1:-1, 1:-1] / min(mask.shape)
    rim = ndimage.maximum_filter(np.where(filled, distance, 0), RIM_REACH)
    beside_hole = ndimage.binary_dilation(filled & ~mask, SQUARE, iterations=BESIDE)
    enclosed, strapped = np.zeros(count + 1, bool), np.zeros(count + 1, bool)
    for number, (rows, columns) in enumerate(ndimage.find_objects(areas, count), 1):
        box = slice(max(0, rows.start - 1), rows.stop + 1), slice(max(0, columns.start - 1), columns.stop + 1)
        area = areas[box] == number
        edge = area & ~ndimage.binary_erosion(area)
        within = edge & beside_hole[box]
        if within.sum() > WITHIN * edge.sum():
            enclosed[number] = strapped[number] = True
            continue
        widths = Widths(*np.quantile(depth[box][edge], SHARES))
        apart = bool(np.quantile(rim[box][edge & ~within], RIM_SHARE) >= RIM)
        closed = widths.closed or area.sum() > LARGE * areas.size
        strapped[number] = apart and widths.of_strap
        enclosed[number] = strapped[number] or (apart and closed and widths.lower <= NARROW)
    return enclosed, strapped
