"""Published ads, checked again on their files.

Belongs here: what a table `ad_images` says of files, held to the files. Not here: making either (batch.py, store.py).
"""

import hashlib
import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image
from upath import UPath

from catalog.errors import SelvedgeError
from catalog.stores import stored_bytes
from inference.ad_images.recipes import pixels_sha256, read_recipe


@dataclass(frozen=True)
class BrokenPicture:
    """A row whose picture is not what it says. why: in a few words."""

    product_id: int
    uri: str
    why: str


def broken_pictures(rows: pd.DataFrame) -> list[BrokenPicture]:
    """Rows whose picture or recipe is missing, changed, or does not belong to the other.

    Args:
        rows: table `ad_images`.
    """
    faults = ((row, _fault(row)) for row in rows.to_dict("records"))
    return [BrokenPicture(int(row["product_id"]), str(row["uri"]), why) for row, why in faults if why]


def _fault(row: Mapping[str, object]) -> str:
    picture = UPath(str(row["uri"]))
    try:
        content, note = stored_bytes(picture), stored_bytes(picture.with_suffix(".json"))
    except OSError as error:
        return f"cannot be read ({type(error).__name__})"
    if hashlib.sha256(content).hexdigest() != row["sha256"]:
        return "the picture was changed"
    if hashlib.sha256(note).hexdigest() != row["recipe_sha256"]:
        return "the recipe was changed"
    try:
        recipe = read_recipe(picture.with_suffix(".json"))
    except SelvedgeError as error:
        return str(error)
    if picture.suffix == ".png" and _pixels(content) != recipe.pixels_sha256:
        return "the recipe is of another picture"
    return ""


def _pixels(content: bytes) -> str:
    with Image.open(io.BytesIO(content)) as picture:  # written by us, and held to its hash above
        return pixels_sha256(np.asarray(picture.convert("RGB")))
