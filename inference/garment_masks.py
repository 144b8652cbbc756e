"""Garment masks of a drop: a champion's segmenter over its standard pictures.

Belongs here: the rows, not computing again what still holds, the sheet of an asset's page. Not here: segmenting a
picture (training/segmenter/segmenter.py), cutting out for ads (ad_images/cutouts/).
"""

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pyarrow as pa
from PIL import Image

from catalog.catalogued_pictures import read_picture
from catalog.files import json_sha256, png_bytes
from catalog.mask_colours import laid_over
from inference.tables import GARMENT_MASKS

if TYPE_CHECKING:
    from training.reporting import Reporter
    from training.segmenter.segmenter import GarmentSegmenter

FORMAT = 1  # of `input_hash`
SHOWN, SIDE = 12, 160  # products of the sheet, pixels of each
GROUND = (96, 160, 150)  # behind what is cut out, of no garment's colour


@dataclass(frozen=True)
class Segmented:
    """Rows of a drop. computed, kept: segmented now, taken over. shares: of all pixels, by class."""

    frame: pd.DataFrame
    computed: int
    kept: int
    shares: Mapping[str, float]


def segment_products(
    images: pd.DataFrame,
    segmenter: "GarmentSegmenter",
    model_uri: str,
    previous: pa.Table | None,
    reporter: "Reporter",
) -> Segmented:
    """A mask of every picture.

    Args:
        images: the published table of one drop. previous: the rows that were published before.

    Raises:
        SelvedgeError: a picture is missing, changed or does not decode.
    """
    before = pd.DataFrame(columns=GARMENT_MASKS.names) if previous is None else previous.to_pandas()
    masks = dict(zip(before["input_hash"], before["mask"], strict=True))
    rows, computed = [], 0
    sums = np.zeros(len(segmenter.classes))
    for done, image in enumerate(images.itertuples(index=False), 1):
        input_hash = json_sha256([FORMAT, image.sha256, segmenter.digest])
        if input_hash not in masks:
            rgb = np.asarray(read_picture(image.uri, image.sha256).convert("RGB"))
            masks[input_hash] = png_bytes(segmenter.segment(rgb), optimize=True)
            computed += 1
        counts = np.bincount(_opened(masks[input_hash]).ravel(), minlength=len(sums))
        sums += counts / counts.sum()
        rows.append(
            {
                "drop": image.drop, "product_id": image.product_id, "mask": masks[input_hash],
                "classes": list(segmenter.classes), "product_share": float(1 - counts[0] / counts.sum()),
                "model_uri": model_uri, "model_digest": segmenter.digest, "input_hash": input_hash,
            }
        )  # fmt: skip
        reporter.progress(done, len(images), "segmenting products")
    frame = pd.DataFrame(rows, columns=GARMENT_MASKS.names)
    shares = dict(zip(segmenter.classes, (sums / max(1, len(rows))).tolist(), strict=True))
    return Segmented(frame, computed, len(rows) - computed, shares)


def sheet_of(images: pd.DataFrame, masks: pd.DataFrame) -> bytes:
    """PNG: the first products of a drop, and below each its parts in colour and the product cut out."""
    uris = dict(zip(images["product_id"], zip(images["uri"], images["sha256"], strict=True), strict=True))
    shown = masks.head(SHOWN)
    sheet = Image.new("RGB", (len(shown) * SIDE, 3 * SIDE), "white")
    for column, row in enumerate(shown.itertuples(index=False)):
        picture = read_picture(*uris[row.product_id]).convert("RGB")
        mask, pixels = _opened(row.mask), np.asarray(picture)
        alone = np.where((mask > 0)[..., None], pixels, GROUND).astype(np.uint8)
        for line, tile in enumerate((picture, Image.fromarray(laid_over(mask, pixels)), Image.fromarray(alone))):
            tile.thumbnail((SIDE, SIDE))
            sheet.paste(tile, (column * SIDE + (SIDE - tile.width) // 2, line * SIDE + (SIDE - tile.height) // 2))
    return png_bytes(sheet, optimize=True)


def _opened(mask: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(mask)))
