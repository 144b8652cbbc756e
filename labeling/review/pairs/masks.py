"""Masks in pairs: the parts of one garment, as two segmenters see them.

Belongs here: the kind, what a side looks like, the error of a gold pair. Not here: segmenting (the contest of a family
that segments), colours (catalog/mask_colours.py).

Both sides are drawn over the same picture in the same colours and size, whatever side a version works at.
"""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont

import labeling.tables  # noqa: F401  declares the table `masks`
from catalog.errors import SelvedgeError
from catalog.files import png_bytes
from catalog.mask_colours import class_colours, laid_over
from catalog.schema import AttributeSchema
from labeling.review.label_page import SQUARE_PIXELS, Sides
from labeling.review.pairs.kinds import need_columns
from labeling.review.pairs.products import Product
from labeling.review.pairs.rendering import drawn_uri

SHEET_SIDE = 2 * SQUARE_PIXELS  # pixels; twice what the page gives a side, for screens of twice the pixels
LEGEND, FONT = 64, 26  # pixels
SHIFT = 0.2  # of the side, by which a planted mask lies beside its garment
COLUMNS = ("product_id", "picture", "mask", "classes")


@dataclass(frozen=True)
class GarmentMask:
    """What one version says of one picture.

    Attributes:
        picture: PNG or JPEG. mask: PNG of the picture's size, 8 bits, one class a pixel. classes: their names.
    """

    picture: bytes
    mask: bytes
    classes: tuple[str, ...]


@dataclass(frozen=True)
class GarmentMasks:
    """The product's photograph, and its parts in colour twice."""

    name: str = "garment-masks"
    label: str = "garment masks"
    base: str | None = "the mask of the most similar labelled picture"
    results: str = "masks"
    further: tuple[str, ...] = ()
    question: str = "Which colouring follows the parts of the product better?"
    guidelines: str = (
        "<p>Look at the photograph first. Each side colours the parts of the product; the names of the colours stand "
        "below. The better side colours the whole product and nothing beside it, and gives every part its own colour "
        "up to its edge.</p><p>Choose <b>tie</b> when you see no difference, and <b>both bad</b> when you would cut "
        "out the product by neither.</p>"
    )
    reasons: tuple[str, ...] = ("part of the product missing", "background coloured", "wrong part", "ragged edge")
    sides: Sides = "square"

    @property
    def style(self) -> str:
        return Path(__file__).with_name("masks.css").read_text()

    def read(self, table: pd.DataFrame) -> dict[int, GarmentMask]:
        need_columns(table, "masks", COLUMNS)
        masks: dict[int, GarmentMask] = {}
        for product_id, picture, mask, classes in zip(*(table[name] for name in COLUMNS), strict=True):
            if int(product_id) in masks:
                raise SelvedgeError(f"table masks shows product {product_id} twice; keep one.")
            masks[int(product_id)] = GarmentMask(bytes(picture), bytes(mask), tuple(map(str, classes)))
        return masks

    def products(
        self, results: pd.DataFrame, further: Mapping[str, pd.DataFrame], vocabulary: AttributeSchema | None
    ) -> Callable[[int], Product]:
        pictures = dict(zip(results["product_id"].astype(int), results["picture"], strict=True))
        return lambda product_id: Product(product_id, {}, partial(bytes, pictures[product_id]))

    def level(self, first: GarmentMask, second: GarmentMask) -> tuple[GarmentMask, GarmentMask]:
        """Both sides name the same classes; sizes are levelled when a side is rendered."""
        if first.classes != second.classes or first.picture != second.picture:
            raise SelvedgeError("the versions were asked about other pictures or classes; compare them again.")
        return first, second

    def render(self, result: GarmentMask) -> str:
        picture, mask = _opened(result)
        scale = (SHEET_SIDE - LEGEND) / max(picture.size)
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        large = np.asarray(picture.resize(size, Image.Resampling.LANCZOS))
        shown = laid_over(np.asarray(mask.resize(size, Image.Resampling.NEAREST)), large)
        sheet = Image.new("RGB", (SHEET_SIDE, SHEET_SIDE), "white")
        sheet.paste(Image.fromarray(shown), ((SHEET_SIDE - size[0]) // 2, (SHEET_SIDE - LEGEND - size[1]) // 2))
        _write_legend(sheet, result.classes)
        return drawn_uri(sheet)

    def plant(self, result: GarmentMask, product: Product, seed: int) -> GarmentMask | None:
        """The mask beside its garment: whoever looks sees that. None where there is none to shift."""
        mask = np.asarray(_opened(result)[1])
        by = max(1, round(SHIFT * mask.shape[1]))
        shifted = np.zeros_like(mask)
        shifted[:, by:] = mask[:, :-by]
        if (shifted != mask).mean() < SHIFT / 4:
            return None
        return replace(result, mask=png_bytes(shifted))

    def report(self, candidate: str, opponent: str) -> tuple[str, str]:
        ours, theirs = (
            f'<img class="mask" src="{uri}" alt="parts as the {side} sees them">'
            for side, uri in (("candidate", candidate), ("opponent", opponent))
        )
        return ours, theirs


def _opened(result: GarmentMask) -> tuple[Image.Image, Image.Image]:
    """Picture and mask. Raises: SelvedgeError: one is no picture, or they differ in size."""
    try:
        with Image.open(io.BytesIO(result.picture)) as opened:
            picture = opened.convert("RGB")
        with Image.open(io.BytesIO(result.mask)) as opened:
            mask = opened.convert("L")
    except (OSError, ValueError) as error:
        raise SelvedgeError(f"table masks holds what is no picture ({error}); compare the versions again.") from error
    if picture.size != mask.size:
        raise SelvedgeError("table masks holds a mask of another size than its picture; compare the versions again.")
    return picture, mask


def _write_legend(sheet: Image.Image, classes: tuple[str, ...]) -> None:
    """Names of the classes below, each after a square of its colour; smaller where they are many."""
    pen, size = ImageDraw.Draw(sheet), FONT
    while size > 10 and _width(classes, size) > sheet.width - 20:
        size -= 1
    font, left, middle = ImageFont.load_default(size), 10.0, sheet.height - LEGEND // 2
    for number, name in enumerate(classes[1:], 1):
        colour = tuple(int(part) for part in class_colours(np.array(number)))
        pen.rectangle((left, middle - size // 2, left + size, middle + size // 2), fill=colour)
        pen.text((left + size + 6, middle), name, "black", font, anchor="lm")
        left += size + 6 + font.getlength(name) + size


def _width(classes: tuple[str, ...], size: int) -> float:
    font = ImageFont.load_default(size)
    return sum(2 * size + 6 + font.getlength(name) for name in classes[1:])
