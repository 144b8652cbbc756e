"""Colours of a mask's classes, wherever a mask is shown to a person.

Belongs here: the palette, colouring a mask, laying it over its picture. Not here: masks themselves
(training/handsoff/labels.py).
"""

import numpy as np
from skimage.segmentation import find_boundaries

PALETTE = np.array(
    [(70, 110, 180), (230, 140, 40), (60, 160, 80), (200, 60, 60), (140, 90, 170), (130, 90, 70), (225, 120, 190),
     (110, 110, 110), (175, 175, 40), (40, 175, 190)], np.uint8,
)  # fmt: skip
"""Of classes 1, 2, …, apart by hue and again from the start where there are more; class 0, the background, is white."""
VEIL, GREY, INK = 0.55, 0.35, 30
"""How much of a class's colour lies over its pixels; how much of the backdrop's own is kept; the grey of borders."""


def class_colours(masks: np.ndarray) -> np.ndarray:
    """(…, 3) uint8 of (…) uint8 class numbers."""
    table = np.concatenate([np.full((1, 3), 255, np.uint8), np.resize(PALETTE, (255, 3))])
    coloured: np.ndarray = table[masks]
    return coloured


def laid_over(mask: np.ndarray, rgb: np.ndarray) -> np.ndarray:
    """A picture in grey with its classes in colour and their borders drawn.

    Args:
        mask: (h, w) uint8. rgb: (h, w, 3) uint8.

    Returns:
        (h, w, 3) uint8.
    """
    grey = rgb.mean(axis=2, dtype=np.float32)
    shown = np.repeat(np.rint(255 - (255 - grey) * GREY).astype(np.uint8)[..., None], 3, axis=2)
    product = mask > 0
    painted = (1 - VEIL) * grey[product][:, None] + VEIL * class_colours(mask[product])
    shown[product] = np.rint(painted).astype(np.uint8)
    shown[find_boundaries(mask)] = INK
    return shown
