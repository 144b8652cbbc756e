"""White: the background of a main image, #ffffff and nothing else.

Belongs here: `White`. Not here: how a product fills its frame (composition.py), who asks for a main image
(quality/brand.py). No shadow is laid on it: one that shows is no longer white.
"""

from collections.abc import Sequence

import numpy as np

from inference.ad_images.plan import Placed
from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.ad_images.scene import Scene

MOST_SIDE = 4096  # pixels


class White:
    """Paints every scene white, at any size."""

    name = "white"
    version = "1"
    paints_shadows = False

    def check(self, size: tuple[int, int], theme: str) -> None:
        """Raises AdRefused: BAD_SIZE."""
        if max(size) > MOST_SIDE:
            raise AdRefused(
                RefusalCode.BAD_SIZE,
                f"a main image of {size[0]}x{size[1]} pixels is not made; each side is at most {MOST_SIDE}.",
            )

    def paint(self, scenes: Sequence[Scene], placed: Sequence[Placed]) -> list[np.ndarray]:
        """See `Backdrop.paint`."""
        return [np.full((*product.alpha.shape, 3), 255, np.uint8) for product in placed]
