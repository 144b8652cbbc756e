"""The drawn catalogue: garments drawn as product photographs, in the public Kaggle layout, with their truth.

Belongs here: everything that draws, and nothing that reads. Selvedge ships no photographs; this is its embedded
default, and the one catalogue whose truth (attributes, part masks, keypoints) is known.

Names are loaded when they are first used, so that importing `catalog` never asks for skia.

`VERSION` changes whenever a drawing changes for the same (seed, id). It is frozen before a model is tuned on the
drawings; the style "atelier" is kept for tests only, so that the hands that set the exam do not also give the answers.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from catalog.drawn.catalogue import DrawnCatalogue, draw_catalogue
    from catalog.drawn.garments import draw_garment
    from catalog.drawn.sheet import contact_sheet
    from catalog.drawn.spec import STYLES, GarmentSpec, sample_spec
    from catalog.drawn.studio import Drawing

VERSION = "1"

_HOMES = {
    "DrawnCatalogue": "catalog.drawn.catalogue",
    "draw_catalogue": "catalog.drawn.catalogue",
    "contact_sheet": "catalog.drawn.sheet",
    "draw_garment": "catalog.drawn.garments",
    "Drawing": "catalog.drawn.studio",
    "GarmentSpec": "catalog.drawn.spec",
    "STYLES": "catalog.drawn.spec",
    "sample_spec": "catalog.drawn.spec",
}

__all__ = [
    "STYLES",
    "VERSION",
    "Drawing",
    "DrawnCatalogue",
    "GarmentSpec",
    "contact_sheet",
    "draw_catalogue",
    "draw_garment",
    "sample_spec",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'catalog.drawn' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
