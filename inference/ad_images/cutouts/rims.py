"""Rims: backdrop that an outline took along, along the product's edge and up narrow gaps.

Belongs here: which pixels of an outline are backdrop in a contact shadow or in JPEG's ringing, taken out again. Not
here: finding the outline (border.py), soft edges (matting.py).

In a small JPEG a shadow is as rough as an edge, and the outline stops at its outer end. What is of the backdrop's hue
and not much darker is undecided therefore, and a watershed on the slope decides once more, now between what is surely
product and what is surely outside. What it gives back is taken out only where the old outline crossed no step: a white
sole and a pale stripe end in one, a shadow fades.
"""

import numpy as np
from scipy import ndimage
from skimage.morphology import h_minima, isotropic_closing
from skimage.segmentation import watershed

from inference.ad_images.cutouts.border import LEAST_EMPTY, Backdrop, flooded, gradient, parts, refit
from inference.ad_images.cutouts.lab import squared

LEAST_CONTRAST = 20.0  # ΔE of a product to the backdrop; a paler one is not told from a shadow by its colour
DARKEST = 32.0  # L below the backdrop, that a contact shadow reaches
DARKEST_SHARE = 0.5  # of the product's own ΔE, that it may reach beside one of the backdrop's hue
COLOURED = 16.0  # Δab to the backdrop, from which a product's hue alone tells it from a shadow
BRIGHTEST = 4.0  # L above the backdrop, that ringing reaches
HUE = (4.0, 0.15, 0.08)  # Δab: at once, per L that it darkens, and of the Δab beside it (JPEG's coarser colours)
BESIDE = 9  # pixels, of a block and its edge
INSIDE = 3  # pixels inside an outline, where a product's own colours are measured
FAR, EMPTY = 12, 3.0  # pixels from an outline, and ΔE to the backdrop, of what is empty
WIDE, DEEPEST = 2, 6  # pixels that a rim loses on either side and is gone; pixels inside an outline, that it reaches
ALONG = 3.0  # pixels along a rim, the deviation of the window in which its steps are averaged
STEP, STEP_SHARE = 9.0, 0.6  # ΔE, and of the step to the product, of a step to the outside that ends a product
PALE_SHARE = 0.06  # of a product that is of a shadow's colour, from which its stripes may be taken for one
PALE_STEP, PALE_EMPTY = 4.0, 4.0  # the step that is enough then; ΔE to the backdrop that a gap must be under
CLOSED = 6  # pixels, the radius of the closing of a product that flecks stick out of; white prints and laces do not
THIN_SHARE = 0.4  # of the step to the product, that the step to the outside of a thin fleck stays under
FLECK_STEP, FLECK_SHARE = 12.0, 0.5  # the steps that are enough for one of any width, and
FLECK = 0.003  # of a mask, its largest area; white soles are larger
FADING = 2.0  # ΔE to the backdrop of what lies outside beside a fleck: the rest of the shadow that it is in
PALE_SHADED = 9.0  # ΔE to the backdrop from which a gap is in a shadow; white soles and stripes differ by less
SHADE_STEP, SHADE_SHARE = 5.0, 0.32  # the steps that are enough then
MOUTH = 0.2  # of a gap's edge along the product, that may lead outside; a white collar or toe has more of it
SPOT = 6.0  # ΔE that the way out of a pale spot beside a gap climbs; noise is less
LEAST_KEPT = 0.75  # of a mask; what loses more, or falls apart, is a product with bands of the backdrop's own colour
SQUARE = np.ones((3, 3), bool)


def without_rims(lab: np.ndarray, mask: np.ndarray, backdrop: Backdrop) -> np.ndarray:
    """A mask without the backdrop along its edge and in its gaps.

    Args:
        lab: (height, width, 3) float32, blurred by a pixel, as the mask was found on.
        mask: (height, width) bool.

    Returns:
        (height, width) bool, nowhere true where the mask is not; the mask itself where the product is pale.
    """
    inside = ndimage.binary_erosion(mask, iterations=INSIDE, border_value=1) & mask
    if not inside.any():
        return mask
    empty = ~ndimage.binary_dilation(mask, iterations=FAR) & (squared(lab - backdrop.lab) < EMPTY**2)
    change = lab - (refit(lab, empty, backdrop) if empty.mean() > LEAST_EMPTY else backdrop).lab
    distance = np.sqrt(squared(change))
    contrast = float(np.median(distance[inside]))
    if contrast < LEAST_CONTRAST:
        return mask
    coloured = float(np.median(_hue(change[inside]))) > COLOURED
    shadowy = _shadowy(change, DARKEST if coloured else min(DARKEST, DARKEST_SHARE * contrast))
    pale = bool((shadowy & (distance > PALE_EMPTY))[inside].mean() >= PALE_SHARE)
    rows, columns = ndimage.find_objects(mask.astype(np.uint8))[0]
    box = slice(max(0, rows.start - 1), rows.stop + 1), slice(max(0, columns.start - 1), columns.stop + 1)
    kept = mask.copy()
    kept[box] = _kept(lab[box], mask[box], shadowy[box], distance[box], pale)
    kept = parts(kept)
    in_pieces = ndimage.label(kept)[1] > ndimage.label(mask)[1]
    return mask if in_pieces or kept.sum() < LEAST_KEPT * mask.sum() else kept


def _kept(lab: np.ndarray, mask: np.ndarray, shadowy: np.ndarray, distance: np.ndarray, pale: bool) -> np.ndarray:
    """A mask without its rims and gaps.

    Args:
        pale: whether the product has parts of a shadow's colour.
    """
    product = _surely_product(lab, mask, shadowy, pale)
    undecided = mask & ~product
    wide = ndimage.binary_dilation(ndimage.binary_opening(undecided, SQUARE, iterations=WIDE), SQUARE)
    wide = undecided & (wide | (ndimage.distance_transform_cdt(mask, "chessboard") > DEEPEST))
    thin = undecided & ~wide
    step = PALE_STEP if pale else STEP
    kept = mask & ~_faded_rims(lab, thin, ~mask, product, step, STEP_SHARE)
    gaps = _faded_gaps(lab, wide, ~kept, product, step, STEP_SHARE)
    if not pale:
        return kept & ~gaps
    shades = _without_spots(_faded_gaps(lab, wide, ~kept, product, SHADE_STEP, SHADE_SHARE), ~kept, distance)
    shades = _narrow_mouthed(_differing(shades, distance, PALE_SHADED, np.inf), kept)
    jutting = undecided & ~_closed(product)
    thin = jutting & _faded_rims(lab, thin & kept, ~mask, product, STEP, THIN_SHARE)
    kept &= ~(_differing(gaps, distance, 0, PALE_EMPTY) | shades | _in_shadow(thin, distance, ~kept))
    flecks = _flecks(lab, jutting & kept, kept, product, FLECK * mask.sum())
    return kept & ~_in_shadow(flecks, distance, ~kept)


def _surely_product(lab: np.ndarray, mask: np.ndarray, shadowy: np.ndarray, pale: bool) -> np.ndarray:
    """What a watershed gives to the parts that no shadow explains, and not to the outside."""
    sure = parts(ndimage.binary_opening(mask & ~shadowy, SQUARE))  # single pixels are JPEG's
    markers = np.where(sure, np.int32(1), np.int32(0))
    if not pale:
        markers[~ndimage.binary_erosion(sure, border_value=1)] = 0  # its outermost pixels lie on the slope's outer side
    markers[~mask] = 2
    return flooded(gradient(lab), markers)


def _hue(change: np.ndarray) -> np.ndarray:
    return np.hypot(change[..., 1], change[..., 2])


def _shadowy(change: np.ndarray, darkest: float) -> np.ndarray:
    """Of the backdrop's hue, as far as JPEG keeps it, and no darker than a contact shadow."""
    darker = -change[..., 0]
    hue = _hue(change)
    at_once, darkening, beside = HUE
    alike = hue < at_once + darkening * np.maximum(darker, 0) + beside * ndimage.maximum_filter(hue, BESIDE)
    return np.asarray(alike & (darker > -BRIGHTEST) & (darker < darkest))


def _closed(product: np.ndarray) -> np.ndarray:
    padded = np.pad(product, CLOSED + 1)  # or it would be closed along the edge of the picture
    return isotropic_closing(padded, CLOSED)[CLOSED + 1 : -CLOSED - 1, CLOSED + 1 : -CLOSED - 1]


def _faded_rims(
    lab: np.ndarray, rim: np.ndarray, outside: np.ndarray, product: np.ndarray, step: float, share: float
) -> np.ndarray:
    """Where, along a thin rim, the step to the outside is low, and low beside that to the product.

    Args:
        share: of the step to the product, that the step to the outside stays under.
    """
    outer, inner = (_average(_step(lab, rim, other), ALONG) for other in (outside, product))
    return rim & (outer < step) & (outer < share * inner)


def _faded_gaps(
    lab: np.ndarray, area: np.ndarray, outside: np.ndarray, product: np.ndarray, step: float, share: float
) -> np.ndarray:
    """The same for each part of some width, as a whole.

    Args:
        share: of the step to the product, that the step to the outside stays under.
    """
    labels, count = ndimage.label(area, SQUARE)
    if not count:
        return area
    index = np.arange(1, count + 1)
    outer, inner = (_medians(_step(lab, area, other), labels, index) for other in (outside, product))
    faded = (outer < step) & (outer < share * inner)
    return np.append(False, faded)[labels]


def _differing(area: np.ndarray, distance: np.ndarray, least: float, most: float) -> np.ndarray:
    """The parts whose median ΔE to the backdrop is from `least` to below `most`."""
    labels, count = ndimage.label(area, SQUARE)
    if not count:
        return area
    medians = np.asarray(ndimage.median(distance, labels, np.arange(1, count + 1)))
    return np.append(False, (medians >= least) & (medians < most))[labels]


def _narrow_mouthed(area: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """The parts that lie between parts of the product, and touch the outside at their mouth alone."""
    labels, outer, inner = _edges(area, kept)
    return np.append(False, outer <= MOUTH * inner)[labels]


def _flecks(lab: np.ndarray, jutting: np.ndarray, kept: np.ndarray, product: np.ndarray, largest: float) -> np.ndarray:
    """The small parts that touch the outside more than the product, where the step outside is the lower one."""
    labels, _ = ndimage.label(jutting, SQUARE)
    small = np.append(False, np.bincount(labels.ravel())[1:] <= largest)[labels]
    faded = _faded_gaps(lab, small, ~kept, product, FLECK_STEP, FLECK_SHARE)
    labels, outer, inner = _edges(faded, kept)
    return np.append(False, outer >= inner)[labels]


def _in_shadow(area: np.ndarray, distance: np.ndarray, outside: np.ndarray) -> np.ndarray:
    """The parts beside which the outside is still darkened."""
    labels, count = ndimage.label(area, SQUARE)
    beside = np.where(outside, ndimage.maximum_filter(labels, 5), 0)
    return np.append(False, _medians(distance, beside, np.arange(1, count + 1)) >= FADING)[labels]


def _edges(area: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The parts of an area as labels, and for each how many of its pixels touch the outside, and the product."""
    labels, count = ndimage.label(area, SQUARE)
    index = np.arange(1, count + 1)
    outer, inner = (
        np.asarray(ndimage.sum_labels(ndimage.binary_dilation(beside, SQUARE), labels, index))
        for beside in (~kept, kept & ~area)
    )
    return labels, outer, inner


def _without_spots(area: np.ndarray, outside: np.ndarray, distance: np.ndarray) -> np.ndarray:
    """An area without the pale spots that touch it: a shadow pales towards the outside, a spot towards its middle."""
    if not area.any():
        return area
    edge = ndimage.binary_dilation(area, SQUARE) & outside
    levels = np.where(edge, -SPOT, np.where(area, distance, distance.max()))  # nothing is lower than the outside
    bowls = ndimage.label(edge | (area & (h_minima(levels, SPOT, SQUARE) > 0)), SQUARE)[0]
    basins = watershed(levels, bowls, mask=area | edge)
    return area & np.isin(basins, np.unique(bowls[edge]))


def _step(lab: np.ndarray, area: np.ndarray, other: np.ndarray) -> np.ndarray:
    """(height, width) ΔE between a pixel of an area and those of the other area that touch it; NaN where none does."""
    share = ndimage.uniform_filter(other.astype(np.float32), 3)
    mean = ndimage.uniform_filter(lab * other[..., None], (3, 3, 0)) / np.maximum(share, 1e-3)[..., None]
    return np.where(area & (share > 0.05), np.sqrt(squared(lab - mean)), np.nan)


def _average(values: np.ndarray, reach: float) -> np.ndarray:
    """Mean of the numbers around each pixel; NaN where there are none."""
    present = np.isfinite(values)
    weight = ndimage.gaussian_filter(present.astype(np.float32), reach)
    total = ndimage.gaussian_filter(np.where(present, values, 0).astype(np.float32), reach)
    return np.where(weight > 1e-4, total / np.maximum(weight, 1e-4), np.nan)


def _medians(values: np.ndarray, labels: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Median of the numbers under each label; NaN where there are none."""
    present = np.isfinite(values)
    counts = ndimage.sum_labels(present, labels, index)
    medians = ndimage.median(np.where(present, values, 0), np.where(present, labels, 0), index)
    return np.where(counts > 0, medians, np.nan)
