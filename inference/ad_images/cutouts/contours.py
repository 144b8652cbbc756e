"""Contours: a second opinion on where a product ends, from edges alone.

Belongs here: the silhouette that closed edges enclose. Not here: colours, backdrops and shadows (border.py, whose
decisions it must not share: their agreement is a cut-out's confidence).

Each pixel gets the height of the lowest pass between it and the photograph's border, over the landscape of the
gradient (a greyscale hole filling). A closed contour makes a plateau; of all heights to cut the plateau at, the one is
taken around which its area changes least (Matas and others, 2002). Soft shadows have no steep slope and stay low.
"""

import numpy as np
from PIL import Image
from skimage.morphology import reconstruction

from inference.ad_images.cutouts.lab import lab_of

SIDE = 256  # pixels, the longer side on which contours are followed
HEIGHTS = 1.6 * 1.22 ** np.arange(16)  # ΔE a pixel, at which a silhouette may be cut
AREAS = (0.004, 0.97)  # shares of the photograph that a silhouette may have


def silhouette(rgb: np.ndarray) -> np.ndarray:
    """What closed contours enclose, holes filled.

    Args:
        rgb: (height, width, 3) uint8.

    Returns:
        (height, width) bool of the reduced photograph (see `reduced_size`).
    """
    width, height = reduced_size(rgb.shape)
    small = np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.BOX))
    slope = _slope(lab_of(small))
    start = np.full_like(slope, slope.max())
    for edge in (np.s_[0], np.s_[-1], np.s_[:, 0], np.s_[:, -1]):
        start[edge] = slope[edge]
    passes = reconstruction(start, slope, method="erosion")
    areas = np.array([(passes > height).mean() for height in HEIGHTS])
    change = (areas[:-2] - areas[2:]) / np.maximum(areas[1:-1], 1e-6)
    fair = (areas[1:-1] > AREAS[0]) & (areas[1:-1] < AREAS[1])
    if not fair.any():
        return np.zeros(slope.shape, bool)
    best = HEIGHTS[1:-1][np.argmin(np.where(fair, change, np.inf))]
    return np.asarray(passes > best)


def reduced_size(shape: tuple[int, ...]) -> tuple[int, int]:
    """(width, height) of the reduced photograph."""
    factor = min(1.0, SIDE / max(shape[:2]))
    return max(1, round(shape[1] * factor)), max(1, round(shape[0] * factor))


def agreement(mask: np.ndarray, second: np.ndarray) -> float:
    """IoU of a mask, its holes filled, with a silhouette of the reduced photograph."""
    from scipy.ndimage import binary_fill_holes

    size = (second.shape[1], second.shape[0])
    filled = Image.fromarray(binary_fill_holes(mask).astype(np.uint8) * 255)
    first = np.asarray(filled.resize(size, Image.Resampling.BOX)) >= 128
    union = int((first | second).sum())
    return float((first & second).sum() / union) if union else 0.0


def _slope(lab: np.ndarray) -> np.ndarray:
    """Change to the pixel below and to the right, ΔE: an edge is one pixel wide."""
    down, across = np.zeros(lab.shape[:2], np.float32), np.zeros(lab.shape[:2], np.float32)
    down[:-1] = np.sqrt(np.square(lab[1:] - lab[:-1]).sum(axis=-1))
    across[:, :-1] = np.sqrt(np.square(lab[:, 1:] - lab[:, :-1]).sum(axis=-1))
    return np.maximum(down, across)
