"""Plans: where, how large and how turned a product stands in a picture, and the product so placed.

Belongs here: `Plan`, `Placed` and the mask convention. Not here: choosing plans and resampling (composition.py).

One mask convention everywhere: True (or 255) is what a backend may paint, False (or 0) is product. An adapter whose
service means the opposite turns it around itself.
"""

from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

import numpy as np

KEPT_EROSION = 2  # pixels inside the opaque part that must come back unchanged


class Support(StrEnum):
    """What carries the product, and so from where the scene is seen."""

    STANDS = "stands"  # eye level, on a floor or table in perspective; never turned
    LIES = "lies"  # from above, on a surface; may be turned


@dataclass(frozen=True)
class Plan:
    """One composition.

    Attributes:
        number: of the grid, from 0.
        section: column of the canvas, 0 (left) to `sections` - 1.
        rotation: degrees, clockwise; 0 for what stands.
        scale: the product's longer side as a share of the canvas' shorter side.
        center_x: of the product's box, share of the width. base_y: its lowest pixel row, share of the height.
        scene_seed: of the background; plans that may not be turned differ in it.
        note: why the plan departs from the grid, for the recipe.
    """

    number: int
    section: int
    sections: int
    rotation: float
    scale: float
    center_x: float
    base_y: float
    support: Support
    scene_seed: int
    note: str = ""


@dataclass(frozen=True)
class Placed:
    """A cut-out on an empty canvas.

    Attributes:
        pixels: (height, width, 4) uint8 of the canvas, premultiplied; the only resampling since the photograph.
        box: left, top, right, bottom of alpha > 0, pixels.
        cutout_digest: what was placed.
    """

    plan: Plan
    pixels: np.ndarray
    box: tuple[int, int, int, int]
    cutout_digest: str

    @property
    def alpha(self) -> np.ndarray:
        return self.pixels[..., 3]

    @cached_property
    def kept(self) -> np.ndarray:
        """(height, width) bool: pixels that every picture must show exactly as placed."""
        inside = np.pad(self.alpha == 255, KEPT_EROSION)
        for _ in range(KEPT_EROSION):  # by a pixel in four directions; six times as fast as scipy's binary_erosion
            smaller = inside.copy()
            smaller[1:] &= inside[:-1]
            smaller[:-1] &= inside[1:]
            smaller[:, 1:] &= inside[:, :-1]
            smaller[:, :-1] &= inside[:, 1:]
            inside = smaller
        return inside[KEPT_EROSION:-KEPT_EROSION, KEPT_EROSION:-KEPT_EROSION]

    @cached_property
    def repaint(self) -> np.ndarray:
        """(height, width) bool: pixels that a backend may paint."""
        return self.alpha < 255
