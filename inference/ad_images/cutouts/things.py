"""Things: photographs that show many things, or writing, instead of one product.

Belongs here: counting the parts of a photograph. Not here: one product's own parts (border.py).
"""

import numpy as np
from scipy import ndimage

from inference.ad_images.refusal import AdRefused, RefusalCode

MANY = 5  # parts; a pair of shoes or a pack of three is one product
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
    if len(areas) >= MANY and areas.max() < LEADING * areas.sum():
        raise AdRefused(
            RefusalCode.NOT_A_PRODUCT,
            f"the photograph shows {len(areas)} separate parts, as many things or writing do, and none of them leads; "
            "give one that shows the product once.",
        )
