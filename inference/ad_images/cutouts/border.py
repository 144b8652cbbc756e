"""Border: the outline of a product before a plain backdrop, from what the photograph's own border shows.

Belongs here: the backdrop as a smooth surface, what is shadow, what is product, which holes are holes. Not here: soft
edges and colours (matting.py), a second opinion (contours.py).

A shadow is backdrop: of its hue, darker, and smooth. So the backdrop is entered from the border and followed through
everything of that description, as far as an edge; where the edge has a gap, a watershed on the gradient closes it.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

from inference.ad_images.cutouts.lab import squared

SURE = 7.0  # ΔE to the backdrop that no noise explains
LEAST_TOLERANCE = 1.6  # ΔE; flat white has no noise of its own
DEEPEST_SHADOW = 42.0  # L below the backdrop; darker is product
SHADOW_HUE = (3.0, 0.10)  # Δab that a shadow may have: at once, and per L that it darkens
CALM = 0.6  # ΔE a pixel at 512 pixels a side; an empty backdrop is smoother
RINGING = 0.05  # of the contrast beside it, that JPEG makes of an empty backdrop
RINGING_SIZE = 9  # pixels, of a block and its edge
GAP = 2  # pixels; narrower gaps of an outline let no backdrop in
LEAST_EMPTY = 0.05  # share of the photograph that must be empty before light is measured on it
HOLE_AREA = 0.0004  # share of the photograph; smaller holes are gloss
HOLE_RADIUS = 0.009  # of the longer side; narrower holes are laces and prints of the backdrop's colour
HOLE_EDGE = 0.3  # of the outline's own contrast, that a hole's rim has,
LARGE_HOLE = 0.02  # share of the photograph
ALL_AROUND = 0.2  # share of a hole's rim that may be less sharp, or paler, than is asked of it
DARK_RIM = 45.0  # ΔE to the backdrop of a dark one
THIN, MOST_THIN = 0.006, 0.2  # of the longer side; share of a hole's rim that may be so thin: else it is a pale part
HALF_THIN = 0.5  # the same where the rim is dark: a handle, not the line around a pale part
RIM_REACH = 5  # pixels around a hole, whose colour counts
HOLE_RIM = 3.0  # or ΔE a pixel
PALE, PALE_HOLES = 14.0, 0.2  # ΔE to the backdrop under which a product is pale, and its holes are not so large
CRISP, CRISP_SIZE, CRISP_LEAST = 0.25, 9, 2.0  # share of a change that is at one pixel; pixels around it; ΔE of it
PART_AREA = 0.02  # share of the largest part; smaller ones are dust


@dataclass(frozen=True)
class Reading:
    """What is taken for a shadow.

    Attributes:
        rough: ΔE to the mean of 3 x 3 pixels, at 512 pixels a side, below which it must be.
        steepening: ΔE a pixel that it may change more for each L by which it has darkened.
        sharp: ΔE a pixel at 512 pixels a side, below which it must be however dark.
        ringing: share of what JPEG may have made of it (`RINGING`) that is let pass.
    """

    rough: float
    steepening: float
    sharp: float
    ringing: float = 0.0


READINGS = (Reading(0.8, 0.7, 4.0, 1.0), Reading(0.8, 0.7, 4.0), Reading(0.4, 0.5, 2.0))
"""Tight shadows, as of cloth that lies, with the ringing of JPEG in them; without it, where that eats the product; and,
where even that eats a pale one, hardly any."""


@dataclass(frozen=True)
class Backdrop:
    """The backdrop of a photograph.

    Attributes:
        lab: (height, width, 3) float32, what an empty backdrop would show.
        homogeneity: share of the border's pixels that it explains.
        noise: ΔE, of the border's own high frequencies after the blur.
    """

    lab: np.ndarray
    homogeneity: float
    noise: float

    @property
    def tolerance(self) -> float:
        return max(LEAST_TOLERANCE, 2 * self.noise)


def backdrop_of(lab: np.ndarray) -> Backdrop:
    """The backdrop as a quadratic surface through the border, outliers left out.

    Args:
        lab: (height, width, 3) float32, blurred by a pixel.
    """
    height, width = lab.shape[:2]
    strip = max(2, round(0.015 * min(height, width)))
    frame = np.ones((height, width), bool)
    frame[strip:-strip, strip:-strip] = False
    rows, columns = np.nonzero(frame)
    values = lab[rows, columns]
    terms = _terms(rows / height, columns / width)
    near = np.linalg.norm(values - np.median(values, axis=0), axis=1) < 3 * SURE
    for limit in (2 * SURE, SURE, 0.6 * SURE):
        if near.sum() < 4 * terms.shape[1]:
            break
        surface, *_ = np.linalg.lstsq(terms[near], values[near], rcond=None)
        distance = np.linalg.norm(values - terms @ surface, axis=1)
        near = distance < limit
    else:
        fine = lab - ndimage.uniform_filter(lab, (5, 5, 0))
        noise = 1.4826 * float(np.median(np.linalg.norm(fine[rows, columns][near], axis=1)))
        return Backdrop(_drawn(surface, height, width), float((distance < SURE).mean()), noise)
    return Backdrop(np.broadcast_to(np.median(values, axis=0), lab.shape).astype(np.float32), float(near.mean()), SURE)


def _terms(y: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=-1)


def _drawn(surface: np.ndarray, height: int, width: int) -> np.ndarray:
    y, x = (np.arange(height) / height)[:, None], (np.arange(width) / width)[None, :]
    planes = [c[0] + c[3] * x * x + c[1] * x + (c[2] * y + c[5] * y * y) + c[4] * x * y for c in surface.T]
    return np.stack(planes, axis=-1).astype(np.float32)


def refit(lab: np.ndarray, empty: np.ndarray, backdrop: Backdrop) -> Backdrop:
    """The same with the surface through all pixels that are `empty`: light falls off towards the middle too."""
    rows, columns = np.nonzero(empty)
    step = max(1, len(rows) // 4000)
    rows, columns = rows[::step], columns[::step]
    height, width = empty.shape
    surface, *_ = np.linalg.lstsq(_terms(rows / height, columns / width), lab[rows, columns], rcond=None)
    return Backdrop(_drawn(surface, height, width), backdrop.homogeneity, backdrop.noise)


def product_mask(lab: np.ndarray, backdrop: Backdrop, reading: Reading = READINGS[0]) -> np.ndarray:
    """Which pixels are product.

    Args:
        lab: (height, width, 3) float32, blurred by a pixel.

    Returns:
        (height, width) bool; nowhere true where the photograph shows backdrop only.
    """
    scale = max(1.0, 512 / max(lab.shape[:2]))
    frame = np.ones(lab.shape[:2], bool)
    frame[1:-1, 1:-1] = False
    slope = gradient(lab)
    calm = CALM * scale + backdrop.noise
    rough = _roughness(lab)
    smooth = rough < reading.rough * scale + backdrop.noise
    empty = _touching((_distance(lab, backdrop) < backdrop.tolerance) & (slope < calm), frame)
    if empty.mean() > LEAST_EMPTY:
        backdrop = refit(lab, empty, backdrop)
    distance = _distance(lab, backdrop)
    ringing = RINGING * ndimage.maximum_filter(distance, RINGING_SIZE)
    empty = (distance < backdrop.tolerance + ringing) & (slope < calm + ringing)
    empty = _without_specks(empty & (smooth | (ringing > 1)))
    let_pass = reading.ringing * ringing
    smooth = rough < reading.rough * scale + backdrop.noise + 0.5 * let_pass
    soft = smooth & ~_crisp(distance, slope, let_pass + 2 * backdrop.noise)
    shade = _without_specks(empty | (_shaded(lab, backdrop, reading, slope - let_pass, scale) & soft))
    outside = _touching(_opened(shade, GAP), frame & empty)
    silhouette = ndimage.binary_closing((distance > SURE) & ~outside, iterations=3)
    silhouette = ndimage.binary_fill_holes(silhouette | ~(smooth | outside))
    holes = _hole_seeds(empty & silhouette & ~outside, shade & silhouette & ~outside)
    around = ndimage.binary_dilation(outside | holes, iterations=1)
    inside = ndimage.binary_erosion(silhouette, iterations=2) & ~around
    if not inside.any():
        return np.zeros(lab.shape[:2], bool)
    markers = np.where(inside, np.int32(1), np.int32(0))
    markers[outside | holes] = 2
    markers[frame & empty] = 2
    return parts(_true_holes(flooded(slope, markers), slope, distance, backdrop.tolerance))


def flooded(slope: np.ndarray, markers: np.ndarray) -> np.ndarray:
    """Where a watershed on the slope comes from markers of 1; only flooded where not all around is 2 already."""
    rows, columns = np.flatnonzero((markers != 2).any(axis=1)), np.flatnonzero((markers != 2).any(axis=0))
    box = tuple(slice(max(0, int(open_[0]) - 1), int(open_[-1]) + 2) for open_ in (rows, columns))
    mask = np.zeros(markers.shape, bool)
    mask[box] = watershed(slope[box], markers[box]) == 1
    return mask


def _distance(lab: np.ndarray, backdrop: Backdrop) -> np.ndarray:
    return np.sqrt(squared(lab - backdrop.lab))


def gradient(lab: np.ndarray) -> np.ndarray:
    """Steepest change, ΔE a pixel."""
    down, across = np.zeros_like(lab), np.zeros_like(lab)
    down[1:-1] = (lab[2:] - lab[:-2]) / 2
    across[:, 1:-1] = (lab[:, 2:] - lab[:, :-2]) / 2
    return np.sqrt(squared(down) + squared(across))


def _roughness(lab: np.ndarray) -> np.ndarray:
    """How far a pixel is from the mean around it, ΔE: high on lines and edges, low on any slope."""
    return np.sqrt(squared(lab - ndimage.uniform_filter(lab, (3, 3, 0))))


def _shaded(lab: np.ndarray, backdrop: Backdrop, reading: Reading, slope: np.ndarray, scale: float) -> np.ndarray:
    """Of the backdrop's hue, darker within reason, and the smoother the less it darkens."""
    change = lab - backdrop.lab
    darker = -change[..., 0]
    hue = np.hypot(change[..., 1], change[..., 2])
    alike = (darker > -backdrop.tolerance) & (darker < DEEPEST_SHADOW) & (hue < SHADOW_HUE[0] + SHADOW_HUE[1] * darker)
    limit = np.minimum(CALM * scale + reading.steepening * np.maximum(darker, 0), reading.sharp * scale)
    return alike & (slope < limit + backdrop.noise)


def _crisp(distance: np.ndarray, slope: np.ndarray, grain: np.ndarray) -> np.ndarray:
    """Steps, however low: most of what changes around a pixel changes at it. A shadow's edge is a ramp."""
    span = ndimage.maximum_filter(distance, CRISP_SIZE) - ndimage.minimum_filter(distance, CRISP_SIZE)
    return (slope > CRISP * span) & (span > CRISP_LEAST + grain)


def _without_specks(area: np.ndarray) -> np.ndarray:
    """Single pixels of grain filled; a line of a pixel's width stays a line."""
    return area | (ndimage.uniform_filter(area.astype(np.float32), 3) > 6.5 / 9)


def _opened(area: np.ndarray, iterations: int) -> np.ndarray:
    padded = np.pad(area, iterations + 1, mode="edge")
    opened = ndimage.binary_opening(padded, iterations=iterations)
    return opened[iterations + 1 : -iterations - 1, iterations + 1 : -iterations - 1]


def _touching(area: np.ndarray, seeds: np.ndarray) -> np.ndarray:
    """The parts of an area that hold a seed."""
    labels, count = ndimage.label(area)
    held = np.zeros(count + 1, bool)
    held[labels[seeds]] = True
    held[0] = False
    return held[labels]


def _hole_seeds(empty: np.ndarray, shade: np.ndarray) -> np.ndarray:
    """Enclosed backdrop of some size, with the shadow around it."""
    seeds = _large(_opened(empty, max(1, round(HOLE_RADIUS * max(empty.shape)))), HOLE_AREA * empty.size)
    labels, _ = ndimage.label(_opened(shade, 1) | seeds)
    return np.isin(labels, np.unique(labels[seeds])) & (labels > 0)


def _large(area: np.ndarray, least: float) -> np.ndarray:
    labels, _ = ndimage.label(area)
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    return (areas > least)[labels]


def _true_holes(mask: np.ndarray, slope: np.ndarray, distance: np.ndarray, tolerance: float) -> np.ndarray:
    """Which holes of a mask are holes.

    A hole's rim is as sharp as the outline, wider than a line, and of another colour than the backdrop, and in it is
    the backdrop; all else is a pale part of the product, and filled.
    """
    filled = ndimage.binary_fill_holes(mask)
    labels, count = ndimage.label(filled & ~mask)
    if not count:
        return mask
    outline = filled & ~ndimage.binary_erosion(filled, iterations=2)
    steepest = ndimage.maximum_filter(slope, 3)
    limit = min(HOLE_EDGE * float(np.median(steepest[outline])), HOLE_RIM)
    grown = ndimage.grey_dilation(labels, size=3)
    rim = (grown > 0) & (labels == 0)
    on_rim = np.where(rim, grown, 0)
    index = np.arange(1, count + 1)
    areas = ndimage.sum_labels(np.ones_like(mask), labels, index)
    shallow = ndimage.distance_transform_edt(filled) <= 1 + max(2, round(THIN * max(mask.shape)))
    thin = ndimage.sum_labels(shallow, on_rim, index) / ndimage.sum_labels(rim, on_rim, index)
    near = ndimage.grey_dilation(labels, size=2 * RIM_REACH + 1)
    beside = np.where(mask & (grown == 0), near, 0)
    apart = ndimage.median(distance, beside, index) > SURE
    sharp = ndimage.median(steepest, on_rim, index) >= limit
    all_sharp = sharp & (_quantiles(steepest, on_rim, count, ALL_AROUND) >= limit)
    dark = all_sharp & (_quantiles(distance, beside, count, ALL_AROUND) > DARK_RIM)
    empty = _empty_holes(labels, distance, tolerance, all_sharp, dark)
    wide = thin <= np.where(dark, HALF_THIN, MOST_THIN)
    true = sharp & apart & wide & empty & (areas > HOLE_AREA * mask.size)
    hole = np.append(False, true)[labels]
    pale = float(np.median(distance[mask])) < PALE
    return filled if pale and hole.sum() > PALE_HOLES * filled.sum() else filled & ~hole


def _empty_holes(
    labels: np.ndarray, distance: np.ndarray, tolerance: float, sharp: np.ndarray, dark: np.ndarray
) -> np.ndarray:
    """Which enclosed areas show the backdrop, and not a pale part.

    What is flat and of its colour does. So does what has a little light or shadow in it, if its rim leaves no doubt.

    Args:
        sharp, dark: of each area, whether its rim is so all around.
    """
    count = len(dark)
    core = np.where(ndimage.grey_erosion(labels, size=3) == labels, labels, 0)
    core = np.where(np.append(True, np.bincount(core.ravel(), minlength=count + 1)[1:] > 0)[labels], core, labels)
    low, middle, upper, high = (
        _quantiles(distance, core, count, share) / tolerance for share in (0.25, 0.5, 0.75, 0.9)
    )
    large = np.bincount(core.ravel(), minlength=count + 1)[1:] > LARGE_HOLE * labels.size
    flat = (middle < 0.8) & (upper < 1.2) & (high < 1.3)
    tinted = (middle < 1.25) & (high < 2) & (dark | (large & sharp))
    shaded = (low < 0.25) & dark
    return np.asarray(flat | tinted | shaded)


def _quantiles(values: np.ndarray, labels: np.ndarray, count: int, share: float) -> np.ndarray:
    """(count,) of the values under each label from 1; 0 where there are none."""
    boxes = ndimage.find_objects(labels, count)
    return np.array(
        [
            0.0 if box is None else np.quantile(values[box][labels[box] == number + 1], share)
            for number, box in enumerate(boxes)
        ]
    )


def parts(mask: np.ndarray) -> np.ndarray:
    """The largest part and what is not dust beside it."""
    labels, count = ndimage.label(mask)
    if count <= 1:
        return mask
    areas = np.bincount(labels.ravel())
    areas[0] = 0
    return (areas >= PART_AREA * areas.max())[labels]
