"""The report's pictures: thumbnails, colour swatches measured on the photographs, learning curves.

Belongs here: decoding and encoding what the page shows. Not here: which products are shown (gather.py).
"""

import base64
import io
import re

import dagster as dg
import numpy as np
import pandas as pd
from PIL import Image
from upath import UPath

from catalog.pages import Picture, small
from orchestration.assets.published import materialised
from orchestration.families.blip2_attributes.declaration import BLIP2_ATTRIBUTES
from orchestration.report.data import Colour

STRIP_SIDE, PHOTO_SIDE = 120, 360  # pixels
PER_COLOUR = 12  # photographs behind one swatch
NEAR_WHITE = 238  # of 255: backdrop, not cloth


def thumbnail(uri: str, side: int, label: str) -> Picture:
    """The standard copy, made small, as a JPEG."""
    return small(UPath(uri).read_bytes(), side, label)


def photo(uri: str, label: str) -> Picture:
    """A product's picture as large as its card."""
    return thumbnail(uri, PHOTO_SIDE, label)


def strip(products: pd.DataFrame, where: dict[int, str], most: int, seed: int) -> list[Picture]:
    """Products of as many article types as there are, one of each in turn."""
    known = products[products["product_id"].isin(where)]
    shuffled = known.iloc[np.random.default_rng(seed).permutation(len(known))]
    turn = shuffled.groupby("article_type").cumcount()
    chosen = shuffled.assign(turn=turn).sort_values("turn", kind="stable").head(most)
    return [
        thumbnail(where[int(row.product_id)], STRIP_SIDE, str(row.product_display_name))
        for row in chosen.itertuples(index=False)
    ]


def colours(products: pd.DataFrame, where: dict[int, str], seed: int, most: int = 24) -> list[Colour]:
    """Each colour name with the colour its products show: the median of what is not backdrop in the middle."""
    known = products[products["product_id"].isin(where)]
    found = []
    for name, count in known["base_colour"].value_counts().head(most).items():
        of_colour = known[known["base_colour"] == name]
        chosen = of_colour.sample(min(PER_COLOUR, len(of_colour)), random_state=seed)["product_id"]
        middles = np.concatenate([_middle(where[int(product)]) for product in chosen])
        cloth = middles[(middles < NEAR_WHITE).any(axis=1)]
        red, green, blue = np.median(cloth if len(cloth) else middles, axis=0).astype(int)
        found.append(Colour(str(name), int(count), f"#{red:02x}{green:02x}{blue:02x}"))
    return found


def _middle(uri: str) -> np.ndarray:
    """(n, 3) uint8: the pixels of the middle third, small."""
    with Image.open(io.BytesIO(UPath(uri).read_bytes())) as opened:
        small = opened.convert("RGB").resize((48, 48), Image.Resampling.BOX)
    return np.asarray(small)[16:32, 16:32].reshape(-1, 3)


def curves(instance: dg.DagsterInstance, candidate: str | None) -> Picture | None:
    """Losses and validation accuracy of the newest candidate, from what its training recorded."""
    from evaluation.plots import learning_curves

    recorded = materialised(instance, "/".join(BLIP2_ATTRIBUTES.candidate.path), candidate) if candidate else None
    if not recorded or not recorded.get("history"):
        return None
    return Picture(learning_curves(recorded["history"]), "image/png", "learning curves of the candidate")


def embedded(markdown: str, label: str) -> Picture | None:
    """The picture that `orchestration.assets.metadata.image` put into an asset's metadata; None where there is none."""
    found = re.search(r"data:(image/\w+);base64,([A-Za-z0-9+/=]+)", markdown)
    return Picture(base64.b64decode(found[2]), found[1], label) if found else None
