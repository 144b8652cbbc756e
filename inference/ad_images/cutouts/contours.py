"""Contours: a second opinion on where a product ends, from edges alone.

Belongs here: the silhouette that closed edges enclose. Not here: colours, backdrops and shadows (border.py, whose
decisions it must not share: their agreement is a cut-out's confidence).

Each pixel gets the height of the lowest pass between it and the photograph's border, over the landscape of its
edges (a greyscale hole filling). A closed contour makes a plateau; of all heights to cut the plateau at, the
lowest is taken around which its area is steady (as in Matas and others, 2002). Soft shadows have no edges and stay low.
"""

from collections.abc import Iterator

import numpy as np
from PIL import Image
from scipy.ndimage import (
    binary_closing,
    binary_dilation,
    binary_erosion,
    binary_fill_holes,
    maximum_filter,
    uniform_filter,
)
from skimage.morphology import reconstruction

from inference.ad_images.cutouts.lab import lab_of, squared

SIDE = 256  # pixels, the longer side on which contours are followed
HEIGHTS = 0.4 * 1.22 ** np.arange(18)  # ΔE, at which a silhouette may be cut
STEADY = 0.03  # share by which the area may change from one height to the next
LONGEST_RUN = 12  # heights that a cut is raised at most, on a steady plateau
GAP = 2  # pixels of the reduced photograph, that a contour may lack on either side
HALO = 2  # pixels of the reduced photograph
RINGING = (0.0, 0.05, 0.12)  # of an edge, that JPEG may repeat beside it
KEPT = 0.75  # of the most careful silhouette's area, that a less careful one has
RINGING_SIZE = 9  # pixels, of a block and its edge
GRAIN = 0.5  # ΔE of the border's own edges, above which single pixels say little and slopes are followed
QUIET = 0.95  # quantile of the border's own edges, which no contour may be lower than
CROSSING, CROSSING_NOISE = 1.0, 6.0  # ΔE, and times the border's median, of an edge that crosses the border
LEAST_RUN = 0.15  # share of the border; shorter runs between two such edges are product
AREAS = (0.004, 0.97)  # shares of the photograph that a silhouette may have


def silhouettes(rgb: np.ndarray) -> Iterator[np.ndarray]:
    """What closed contours enclose, holes filled: once for each share of `RINGING`, the most careful first.

    Args:
        rgb: (height, width, 3) uint8.

    Yields:
        (height, width) bool of the reduced photograph (see `reduced_size`).
    """
    small = np.asarray(Image.fromarray(rgb).resize(reduced_size(rgb.shape), Image.Resampling.BOX))
    lab = lab_of(small)
    edges = _edges(lab)
    if _quiet_level(edges) > GRAIN:
        slope = _slope(lab)
        yield binary_erosion(_plateau(slope, _quiet_level(slope)))  # a slope begins a pixel outside
        return
    around = maximum_filter(edges, RINGING_SIZE)
    least = 0.0
    for share in RINGING:
        landscape = np.maximum(edges - share * around, 0)
        plateau = _plateau(landscape, _quiet_level(landscape))
        if plateau.sum() >= least:  # what is much smaller lost part of the product, not a frayed edge
            yield plateau
        least = max(least, KEPT * float(plateau.sum()))


def _quiet_level(landscape: np.ndarray) -> float:
    return float(np.quantile(landscape[_entered(landscape)], QUIET))


def _entered(landscape: np.ndarray) -> np.ndarray:
    """Where the backdrop is entered: the photograph's border, but for short runs between edges that cross it.

    Such a run is the inside of a product that the photograph's frame cuts.
    """
    rows, columns = _frame(landscape.shape)
    values = landscape[rows, columns]
    crossing = np.flatnonzero(values > max(CROSSING, CROSSING_NOISE * float(np.median(values))))
    around = np.ones(len(values), bool)
    if len(crossing):
        lengths = np.diff(crossing, append=crossing[0] + len(values)) - 1
        for first, length in zip(crossing, lengths, strict=True):
            if length < LEAST_RUN * len(values):
                around[np.arange(first, first + length + 1) % len(values)] = False
    entered = np.zeros(landscape.shape, bool)
    entered[rows[around], columns[around]] = True
    return entered if around.any() else _all_around(landscape.shape)


def _frame(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Rows and columns of a photograph's border, once around."""
    last, right = shape[0] - 1, shape[1] - 1
    rows = [np.zeros(right, int), np.arange(last), np.full(right, last), np.arange(last, 0, -1)]
    columns = [np.arange(right), np.full(last, right), np.arange(right, 0, -1), np.zeros(last, int)]
    return np.concatenate(rows), np.concatenate(columns)


def _all_around(shape: tuple[int, ...]) -> np.ndarray:
    entered = np.zeros(shape, bool)
    entered[_frame(shape)] = True
    return entered


def _plateau(landscape: np.ndarray, noise: float) -> np.ndarray:
    """The lowest steady plateau above the noise, cut as high as it is steady."""
    start = np.where(_entered(landscape), landscape, landscape.max())
    passes = reconstruction(start, landscape, method="erosion")
    areas = np.array([(passes > height).mean() for height in HEIGHTS])
    change = (areas[:-1] - areas[1:]) / np.maximum(areas[:-1], 1e-6)
    fair = (areas[:-1] > AREAS[0]) & (areas[:-1] < AREAS[1]) & (HEIGHTS[:-1] > noise)
    if not fair.any():
        return np.zeros(landscape.shape, bool)
    steady = fair & (change < STEADY)
    if not steady.any():
        return _closed(passes > HEIGHTS[np.argmin(np.where(fair, change, np.inf))])
    first = int(np.argmax(steady))
    length = int(np.argmin(np.append(steady[first:], False)))
    return _closed(passes > HEIGHTS[first + min(length, LONGEST_RUN)])


def _closed(contour: np.ndarray) -> np.ndarray:
    """With the gaps of a contour closed that one height opened, and filled."""
    room = 2 * GAP
    padded = binary_closing(np.pad(contour, room), iterations=GAP)
    return np.asarray(binary_fill_holes(padded)[room:-room, room:-room])


def reduced_size(shape: tuple[int, ...]) -> tuple[int, int]:
    """(width, height) of the reduced photograph."""
    factor = min(1.0, SIDE / max(shape[:2]))
    return max(1, round(shape[1] * factor)), max(1, round(shape[0] * factor))


def reduced(mask: np.ndarray) -> np.ndarray:
    """A mask of the whole photograph, holes filled, on the reduced one."""
    filled = Image.fromarray(binary_fill_holes(mask).astype(np.uint8) * 255)
    return np.asarray(filled.resize(reduced_size(mask.shape), Image.Resampling.BOX)) >= 128


def agreement(first: np.ndarray, second: np.ndarray) -> float:
    """IoU of two silhouettes of the reduced photograph.

    The `HALO` around the first does not count: a contour begins an edge's width further out, and JPEG frays it.
    """
    second = second & ~(binary_dilation(first, iterations=HALO) & ~first)
    union = int((first | second).sum())
    return float((first & second).sum() / union) if union else 0.0


def _edges(lab: np.ndarray) -> np.ndarray:
    """How far a pixel is from the mean around it, ΔE: high on lines and edges, low on any slope, however steep."""
    return np.sqrt(squared(lab - uniform_filter(lab, (3, 3, 0))))


def _slope(lab: np.ndarray) -> np.ndarray:
    """Change to the pixel below and to the right, ΔE."""
    down, across = np.zeros(lab.shape[:2], np.float32), np.zeros(lab.shape[:2], np.float32)
    down[:-1] = np.sqrt(np.square(lab[1:] - lab[:-1]).sum(axis=-1))
    across[:, :-1] = np.sqrt(np.square(lab[:, 1:] - lab[:, :-1]).sum(axis=-1))
    return np.maximum(down, across)
