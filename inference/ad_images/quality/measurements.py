"""Measurements: every guideline that code answers, by name; and how far two pictures are apart.

Belongs here: the list and the working copy they share. Not here: the measuring itself (identity.py, duplicates.py,
framing.py, colour.py, ground.py, overlays.py), limits (guidelines.py, brand.py), verdicts (control.py).
"""

from collections.abc import Callable, Iterable

import numpy as np
from PIL import Image

from inference.ad_images.quality import colour, duplicates, framing, ground, identity, overlays
from inference.ad_images.quality.brand import Brand
from inference.ad_images.quality.guidelines import GUIDELINES
from inference.ad_images.quality.view import View, to_lab
from inference.ad_images.scene import AdPicture

Measurement = Callable[[View], float | None]

_ALL: tuple[Measurement, ...] = (
    identity.product_identity,
    identity.object_expansion,
    identity.halo,
    duplicates.duplicates,
    framing.clipping,
    framing.frame_share,
    framing.thirds,
    framing.longer_side,
    framing.white_background,
    overlays.text_area,
    overlays.overlay_area,
    ground.contact_shadow,
    ground.shadow_side,
    ground.horizon,
    ground.horizon_tilt,
    colour.highlights,
    colour.blacks,
    colour.brightness,
    colour.palette,
    colour.contrast,
    colour.sharpness,
    colour.clutter,
)
MEASUREMENTS: dict[str, Measurement] = {
    name: next(function for function in _ALL if getattr(function, "__name__", "") == name) for name in GUIDELINES
}
LIKE_SIDE = 24  # pixels of the copies that are compared


def measure(picture: AdPicture, brand: Brand, names: Iterable[str] = tuple(GUIDELINES)) -> dict[str, float]:
    """Values of measurements, in the units of guidelines.py; one that does not apply to the picture is left out.

    Args:
        names: of guidelines.py; all of them without.
    """
    view = View(picture, brand.palette)
    values = ((name, MEASUREMENTS[name](view)) for name in names)
    return {name: value for name, value in values if value is not None}


def apart(first: AdPicture, second: AdPicture) -> float:
    """How differently two pictures look, mean ΔE (CIE76) of their 24 × 24 copies: 0 for one and the same."""
    return float(np.linalg.norm(thumbnail(first) - thumbnail(second), axis=-1).mean())


def thumbnail(picture: AdPicture) -> np.ndarray:
    """(24, 24, 3) CIELAB: what is left of a picture at a glance."""
    small = Image.fromarray(picture.pixels).resize((LIKE_SIDE, LIKE_SIDE), Image.Resampling.BOX)
    return to_lab(np.asarray(small))
