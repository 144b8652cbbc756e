"""The report's pictures: thumbnails, and colour swatches measured on the photographs.

Belongs here: decoding and encoding what the page shows. Not here: which products have a card (products.py), plots of a
family (its own section).
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from PIL import Image

from catalog.pages import Picture, small
from catalog.stores import stored_bytes

STRIP_SIDE, PHOTO_SIDE = 120, 360  # pixels
PER_COLOUR = 12  # photographs behind one swatch
NEAR_WHITE = 238  # of 255: backdrop, not cloth


@dataclass(frozen=True)
class ColourSwatch:
    """One colour name of the catalogue with how many products carry it and what it looks like."""

    name: str
    products: int
    rgb: str  # '#rrggbb', the median over the middle of those products' photographs


def thumbnail(uri: str, side: int, label: str) -> Picture:
    """The standard copy, made small, as a JPEG."""
    return small(stored_bytes(uri), side, label)


def photo(uri: str, label: str) -> Picture:
    """A product's picture as large as its card."""
    return thumbnail(uri, PHOTO_SIDE, label)


def strip(products: pd.DataFrame, uris: Mapping[int, str], most: int, seed: int) -> list[Picture]:
    """Products of as many article types as there are, one of each in turn.

    Args:
        products: table of that name. uris: product id -> its picture; products without one are not shown.
    """
    pictured = products[products["product_id"].isin(uris)]
    shuffled = pictured.iloc[np.random.default_rng(seed).permutation(len(pictured))]
    turn = shuffled.groupby("article_type").cumcount()
    shown = shuffled.assign(turn=turn).sort_values("turn", kind="stable").head(most)
    return [
        thumbnail(uris[int(row.product_id)], STRIP_SIDE, str(row.product_display_name))
        for row in shown.itertuples(index=False)
    ]


def colours(products: pd.DataFrame, uris: Mapping[int, str], seed: int, most: int = 24) -> list[ColourSwatch]:
    """Each colour name with the colour its products show: the median of what is not backdrop in the middle."""
    pictured = products[products["product_id"].isin(uris)]
    swatches = []
    for name, count in pictured["base_colour"].value_counts().head(most).items():
        of_colour = pictured[pictured["base_colour"] == name]
        sample = of_colour.sample(min(PER_COLOUR, len(of_colour)), random_state=seed)["product_id"]
        middles = np.concatenate([_middle(uris[int(product)]) for product in sample])
        cloth = middles[(middles < NEAR_WHITE).any(axis=1)]
        red, green, blue = np.median(cloth if len(cloth) else middles, axis=0).astype(int)
        swatches.append(ColourSwatch(str(name), int(count), f"#{red:02x}{green:02x}{blue:02x}"))
    return swatches


def _middle(uri: str) -> np.ndarray:
    """(n, 3) uint8: the pixels of the middle third, small."""
    with Image.open(io.BytesIO(stored_bytes(uri))) as opened:
        shrunk = opened.convert("RGB").resize((48, 48), Image.Resampling.BOX)
    return np.asarray(shrunk)[16:32, 16:32].reshape(-1, 3)
