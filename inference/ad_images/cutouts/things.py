"""Things: photographs that show many things, or writing, instead of one product, or only a piece of one.

Belongs here: counting the parts of a photograph, and whether its frame cuts them. Not here: one product's own parts
(border.py).
"""

import numpy as np
from scipy import ndimage

from inference.ad_images.refusal import AdRefused, RefusalCode

MANY = 5  # parts; a pair of shoes or a pack of three is one product
SPECK = 6  # pixels
LEADING = 0.35  # share of all parts that a product's largest has
MOST_CUT = 0.25  # of a product's width or height, that may lie on the photograph's frame: a close one touches it


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


def require_uncut(mask: np.ndarray, article_type: str | None = None) -> None:
    """Raises AdRefused: product_cut, where the frame cuts a mask (height, width) bool of the whole photograph.

    A straight cut would stand in every ad. It is also what shows of a person whom nobody has noticed: who wears
    trousers in a photograph is cut at the waist.
    """
    sides = {"top": mask[0], "bottom": mask[-1], "left": mask[:, 0], "right": mask[:, -1]}
    extents = {"top": mask.any(axis=0), "left": mask.any(axis=1)}
    extents |= {"bottom": extents["top"], "right": extents["left"]}
    cut = [name for name, strip in sides.items() if strip.sum() > MOST_CUT * extents[name].sum()]
    if cut:
        raise AdRefused(
            RefusalCode.PRODUCT_CUT,
            f"the photograph's frame cuts the {article_type or 'product'} off ({', '.join(cut)}); give one that shows "
            "it whole.",
        )
