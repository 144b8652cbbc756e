"""Studio: the backend that draws backgrounds, no weights and no network.

Belongs here: `Studio`, which painter paints which theme, when drawings are shared between plans. Not here: painting
(scenes/, surfaces/).
"""

import hashlib
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
import skia

from inference.ad_images.backdrops.studio.canvas import Box, Painter, StudioCanvas
from inference.ad_images.backdrops.studio.scenes import SCENES
from inference.ad_images.backdrops.studio.surfaces import SURFACES
from inference.ad_images.plan import Placed, Support
from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.ad_images.scene import Scene
from inference.ad_images.themes import theme, theme_names

DRAWING = 4  # goes up with every change that makes other pixels
SIDES = range(256, 2048 + 1, 64)


class Studio:
    """Draws a scene from its theme, seed, light, horizon and palette."""

    name = "studio"
    version = hashlib.sha256(f"studio {DRAWING} skia {skia.__version__} numpy {np.__version__}".encode()).hexdigest()[
        :12
    ]
    paints_shadows = False

    def check(self, size: tuple[int, int], theme: str) -> None:
        """Raises AdRefused: a side that is no multiple of 64 from 256 to 2048 pixels, or a theme that is not drawn."""
        if any(side not in SIDES for side in size):
            raise AdRefused(
                RefusalCode.BAD_SIZE,
                f"studio draws no {size[0]}×{size[1]} pixels; choose sides of 256 to 2048 that are multiples of 64.",
            )
        if theme not in SCENES or theme not in SURFACES:
            raise AdRefused(
                RefusalCode.NO_ASSET, f"studio draws no theme '{theme:.40}'; choose one of {', '.join(theme_names())}."
            )

    def paint(self, scenes: Sequence[Scene], placed: Sequence[Placed]) -> list[np.ndarray]:
        """A background for each plan; what plans of one scene share is drawn once. See `Backdrop.paint`."""
        shared: dict[Hashable, Any] = {}
        return [self._painted(scene, product.box, shared) for scene, product in zip(scenes, placed, strict=True)]

    def _painted(self, scene: Scene, clear: Box, shared: dict[Hashable, Any]) -> np.ndarray:
        self.check(scene.size, scene.theme)
        canvas = StudioCanvas(scene, theme(scene.theme).palette_of(scene.seed), shared)
        painter(scene.theme, scene.view)(canvas, scene, clear)
        return canvas.finish()


def painter(theme: str, view: Support) -> Painter:
    """Who paints a theme at eye level (STANDS) or from above (LIES)."""
    return (SCENES if view is Support.STANDS else SURFACES)[theme]
