"""Scenes: what is asked of a background, and the protocol of whoever paints it.

Belongs here: `Light`, `Scene`, `Backdrop`, `AdPicture`. Not here: a backend (backdrops/), shadows (shadows.py), pasting
(compositing.py).

A backend returns background only. Whatever it did to the product, the placed one is pasted back (compositing.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from inference.ad_images.plan import Placed, Support

PALETTE_PULL = 0.6  # share of the way to the nearest colour of a brand's palette that a drawn background goes


@dataclass(frozen=True)
class Light:
    """The key light, as the product's own shading suggests it.

    Attributes:
        azimuth: degrees in the picture plane from which it comes; 0 is the right, 90 above, 180 the left.
        elevation: degrees over the ground, 10 to 90; low light casts long shadows.
        softness: 0 (bare sun) to 1 (overcast).
        warmth: -1 (blue) to 1 (orange).
    """

    azimuth: float = 120.0
    elevation: float = 50.0
    softness: float = 0.5
    warmth: float = 0.0


@dataclass(frozen=True)
class LibraryPhoto:
    """A photograph of the media library: its file, name, sha256 and the licence that its library states."""

    file: Path
    name: str
    sha256: str
    licence: str


@dataclass(frozen=True)
class Scene:
    """A background, asked for.

    Attributes:
        theme: a name of themes.yaml. caption: at most 1,024 characters; what a generator is told.
        size: (width, height), pixels. seed: of everything drawn.
        view: STANDS is eye level with a horizon, LIES is from above without one.
        horizon: share of the height, from the top, where floor and wall (or sky) meet; None from above.
        palette: hex colours ("#aabbcc") that the background should keep to; empty for the theme's own.
        photo: a library photograph to be used as the background.
        strength: of a generator, 1.0 repaints all.
        palette_pull: share of the way to `palette` that a drawn background goes.
    """

    theme: str
    caption: str
    size: tuple[int, int]
    seed: int
    view: Support
    light: Light = Light()
    horizon: float | None = None
    palette: tuple[str, ...] = ()
    photo: LibraryPhoto | None = None
    strength: float = 1.0
    palette_pull: float = PALETTE_PULL


class Backdrop(Protocol):
    """Who paints backgrounds.

    Attributes:
        name: in recipes and on the command line.
        version: of its drawing code or weights; a recipe is made again only with the same.
        paints_shadows: False where shadows.py adds them.
    """

    @property
    def name(self) -> str: ...
    @property
    def version(self) -> str: ...
    @property
    def paints_shadows(self) -> bool: ...

    def check(self, size: tuple[int, int], theme: str) -> None:
        """Raises AdRefused: a size or a theme that it cannot paint; before any work."""

    def paint(self, scenes: Sequence[Scene], placed: Sequence[Placed]) -> list[np.ndarray]:
        """A background for each plan, all of one product at once, so that what they share is drawn once.

        Returns:
            (height, width, 3) uint8 each, in the given order; same input, same bytes on CPU.
        """


@dataclass(frozen=True)
class AdPicture:
    """A finished picture with what it was made of, as quality control reads it.

    Attributes:
        pixels: (height, width, 3) uint8. background: the same without product and shadow.
        shadow: (height, width) float32, 0 to 1, how much light shadows.py took away; None where the backend painted its
            own.
    """

    pixels: np.ndarray
    background: np.ndarray
    shadow: np.ndarray | None
    placed: Placed
    scene: Scene
