"""Things: photographs that show many things, or writing, instead of one product.

Belongs here: counting the parts of a photograph. Not here: one product's own parts (border.py).
"""

import numpy as np
from scipy import ndimage

from inference.ad_images.refusal import AdRefused, RefusalCode

MANY = 5  # things of a like size; a pair of shoes or a pack of three is one product
ALIKE = 0.3  # of the largest, that a thing of a like size has
LETTERS = 40  # parts of some pixels, none of them large, are writing
SPECK = 6  # pixels
LEADING = 0.35  # share of all parts that a product's largest has


def require_one_thing(parts: np.ndarray) -> None:
    """Raises AdRefused: not_a_product, where the parts of a mask (height, width) bool are many things or letters."""
    labels, count = ndimage.label(parts, np.ones((3, 3)))
    if count < MANY:
        return
    areas = np.bincount(labels.ravel())[1:]
    areas = areas[areas >= SPECK]
    if not len(areas):
        return
    alike = int((areas >= ALIKE * areas.max()).sum())
    if len(areas) >= LETTERS and areas.max() < LEADING * areas.sum():
        raise AdRefused(
            RefusalCode.NOT_A_PRODUCT,
            f"the photograph shows writing or a pattern of {len(areas)} small parts; give a photograph of the product.",
        )
    if alike >= MANY:
        raise AdRefused(
            RefusalCode.NOT_A_PRODUCT,
            f"the photograph shows {alike} things of a like size; give one that shows the product once.",
        )
