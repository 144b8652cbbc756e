"""A drawn sample library, for the demo and for trying the library out: nobody's photographs, free for any shop.

Belongs here: which scenes are drawn, what the library says of them. Not here: drawing them (backdrops/).
"""

import io
from pathlib import Path

import numpy as np
import yaml
from PIL import Image

from catalog.errors import SelvedgeError
from catalog.places import remedy_of
from inference.ad_images.media.library import MANIFEST
from inference.ad_images.plan import Placed, Plan, Support
from inference.ad_images.scene import Backdrop, Scene
from inference.ad_images.themes import theme, theme_names

LICENCE = "CC0-1.0, drawn by Selvedge"
EYE_LEVEL, FROM_ABOVE = "scene", "surface"


def draw_sample_library(folder: Path, backdrop: Backdrop, size: tuple[int, int] = (768, 768), seed: int = 0) -> int:
    """Draw a background of each theme at eye level and from above into a folder, with its list of licences.

    Args:
        backdrop: who paints. size: (width, height), pixels, that it can paint.

    Returns:
        The number of pictures; the list of licences is written last, so that a folder without one is unfinished.

    Raises:
        SelvedgeError: the folder cannot be written, or the backdrop does not paint this size.
    """
    files: dict[str, dict[str, object]] = {}
    try:
        (folder / "backgrounds").mkdir(parents=True, exist_ok=True)
        (folder / MANIFEST).unlink(missing_ok=True)
        for name in theme_names():
            backdrop.check(size, name)
            for view, what in ((Support.STANDS, EYE_LEVEL), (Support.LIES, FROM_ABOVE)):
                file = f"backgrounds/{name}-{what}.jpg"
                out = io.BytesIO()
                Image.fromarray(_painted(backdrop, name, view, size, seed)).save(out, "JPEG", quality=92, subsampling=0)
                (folder / file).write_bytes(out.getvalue())
                words = theme(name)
                files[file] = {
                    "licence": LICENCE,
                    "kind": "background",
                    "themes": [name],
                    "tags": [*words.words[:6], "from above" if view is Support.LIES else "eye level"],
                    "title": words.title,
                }
        (folder / MANIFEST).write_text(yaml.safe_dump({"files": files}, sort_keys=False), encoding="utf-8")
    except OSError as error:
        raise SelvedgeError(f"sample library {folder} could not be written ({error}). {remedy_of(error)}") from error
    return len(files)


def _painted(backdrop: Backdrop, name: str, view: Support, size: tuple[int, int], seed: int) -> np.ndarray:
    width, height = size
    scenery = theme(name)
    horizon = sum(scenery.horizon) / 2 if view is Support.STANDS else None
    scene = Scene(name, scenery.title, size, seed, view, scenery.light, horizon)
    plan = Plan(0, 1, 3, 0.0, 0.4, 0.5, sum(scenery.base_y) / 2, view, seed)
    base = round(plan.base_y * height)
    box = (round(0.4 * width), base - round(0.2 * height), round(0.6 * width), base)
    empty = Placed(plan, np.zeros((height, width, 4), np.uint8), box, "")
    return backdrop.paint([scene], [empty])[0]
