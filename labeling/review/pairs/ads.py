"""Ads in pairs: two pictures of one product, each of which could be posted.

Belongs here: the kind, in its two forms, and the error of a gold pair. Not here: making the pictures and choosing one
of each version (the contest of a family that orders ads), picks among three (labeling/review/picks/).
"""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
from PIL import Image

import labeling.tables  # noqa: F401  declares the table `ads`
from catalog.errors import SelvedgeError
from catalog.files import png_bytes
from catalog.schema import AttributeSchema
from labeling.review.label_page import SQUARE_PIXELS, Sides
from labeling.review.pairs.kinds import need_columns
from labeling.review.pairs.products import Product, photograph
from labeling.review.pairs.rendering import drawn_uri

SHEET_SIDE = 2 * SQUARE_PIXELS  # pixels; twice what the page gives a side, for screens of twice the pixels


@dataclass(frozen=True)
class AdPictures:
    """The product's photograph, and two ads of it. The files of either version are read and encoded anew."""

    name: str = "ads"
    label: str = "ads"
    base: str | None = "the order of an untrained ranker"
    results: str = "ads"
    further: tuple[str, ...] = ("images",)
    question: str = "Which of the two would you rather publish?"
    guidelines: str = (
        "<p>Look at the product in the photograph first: nothing may be wrong with it in the ad. Then look at each ad "
        "as a whole: place and size of the product, light and shadow, background. Choose the one that you would rather "
        "post for your shop.</p><p>Choose <b>tie</b> when you see no difference, and <b>both bad</b> when you would "
        "publish neither.</p>"
    )
    reasons: tuple[str, ...] = ("product looks wrong", "size or place", "light or shadow", "background")
    sides: Sides = "square"

    @property
    def style(self) -> str:
        return Path(__file__).with_name("ads.css").read_text()

    def read(self, table: pd.DataFrame) -> dict[int, bytes]:
        need_columns(table, "ads", ("product_id", "picture"))
        pictures: dict[int, bytes] = {}
        for product_id, picture in zip(table["product_id"], table["picture"], strict=True):
            if int(product_id) in pictures:
                raise SelvedgeError(f"table ads shows product {product_id} twice; keep one.")
            pictures[int(product_id)] = bytes(picture)
        return pictures

    def products(
        self, results: pd.DataFrame, further: Mapping[str, pd.DataFrame], vocabulary: AttributeSchema | None
    ) -> Callable[[int], Product]:
        images = further["images"]
        uris = dict(zip(images["product_id"].astype(int), images["uri"], strict=True))
        return lambda product_id: Product(product_id, {}, partial(photograph, uris, product_id))

    def level(self, first: bytes, second: bytes) -> tuple[bytes, bytes]:
        return first, second  # size and encoding are levelled when a side is rendered

    def render(self, result: bytes) -> str:
        picture = _opened(result)
        scale = SHEET_SIDE / max(picture.size)
        size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
        canvas = Image.new("RGB", (SHEET_SIDE, SHEET_SIDE), "white")
        shown = picture.resize(size, Image.Resampling.LANCZOS)
        canvas.paste(shown, ((SHEET_SIDE - size[0]) // 2, (SHEET_SIDE - size[1]) // 2))
        return drawn_uri(canvas)

    def plant(self, result: bytes, product: Product, seed: int) -> bytes | None:
        """The ad on its head: whoever looks sees that."""
        return png_bytes(_opened(result).transpose(Image.Transpose.ROTATE_180))

    def report(self, candidate: str, opponent: str) -> tuple[str, str]:
        ours, theirs = (
            f'<img class="ad" src="{uri}" alt="ad of the {side}">'
            for side, uri in (("candidate", candidate), ("opponent", opponent))
        )
        return ours, theirs


def against_first_plan() -> AdPictures:
    """The whole pipeline beside its first plan: not judged, not ranked, not made again."""
    return AdPictures(name="ads-first-plan", label="ads and first plans", base="the first plan, unranked")


def _opened(content: bytes) -> Image.Image:
    try:
        with Image.open(io.BytesIO(content)) as opened:
            return opened.convert("RGB")
    except (OSError, ValueError) as error:
        raise SelvedgeError(f"table ads holds what is no picture ({error}); compare the versions again.") from error
