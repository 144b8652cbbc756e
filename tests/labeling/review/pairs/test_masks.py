"""Masks in pairs: both sides over one picture in one size, errors that are plain to see, and bad tables."""

import base64
import io
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from catalog.errors import SelvedgeError
from catalog.files import png_bytes
from catalog.mask_colours import PALETTE, class_colours, laid_over
from labeling.review.pairs.masks import SHEET_SIDE, GarmentMask, GarmentMasks
from labeling.review.pairs.products import Product
from tests.training.segmenter.squares import CLASSES, drawn

KIND = GarmentMasks()


def table(count: int = 3, side: int = 16, **changes: Any) -> pd.DataFrame:
    pictures, masks = drawn(count, side=side)
    rows = [
        {"product_id": row + 1, "picture": png_bytes(pictures[row]), "mask": png_bytes(masks[row]), "classes": CLASSES}
        for row in range(count)
    ]
    return pd.DataFrame(rows).assign(**changes)


def shown(side: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(side.partition(",")[2]))))


def test_sides_have_one_size_whatever_a_version_works_at() -> None:
    small, large = KIND.read(table(side=16))[1], KIND.read(table(side=64))[1]
    assert {shown(KIND.render(result)).shape for result in (small, large)} == {(SHEET_SIDE, SHEET_SIDE, 3)}


def test_a_side_shows_each_class_in_its_colour_and_the_backdrop_pale() -> None:
    picture, mask = (array[0] for array in drawn(1, side=32))
    over = laid_over(mask, picture).astype(float)
    inside = np.zeros_like(mask, bool)
    inside[2:-2, 2:-2] = True
    for number in (1, 2):
        pixels = over[(mask == number) & inside].mean(axis=0)
        assert np.corrcoef(pixels, PALETTE[number - 1].astype(float))[0, 1] > 0.9
    assert over[0, 0].min() > 240
    assert (class_colours(np.array([0, 1, 11])) == [[255] * 3, PALETTE[0], PALETTE[0]]).all()


def test_a_planted_mask_lies_beside_its_garment() -> None:
    result = KIND.read(table())[1]
    wrong = KIND.plant(result, Product(1, {}, bytes), 0)
    assert wrong is not None and wrong.picture == result.picture
    ours, theirs = (np.asarray(Image.open(io.BytesIO(mask))) for mask in (result.mask, wrong.mask))
    assert ((ours > 0) != (theirs > 0)).mean() > 0.05 and (theirs > 0).sum() > 0.5 * (ours > 0).sum()
    nothing = GarmentMask(result.picture, png_bytes(np.zeros((16, 16), np.uint8)), CLASSES)
    assert KIND.plant(nothing, Product(1, {}, bytes), 0) is None


def test_the_photograph_beside_a_pair_is_the_test_picture() -> None:
    results = table()
    assert KIND.products(results, {}, None)(2).picture() == results["picture"][1]


def test_bad_tables_are_refused_in_a_sentence() -> None:
    with pytest.raises(SelvedgeError, match="shows product 1 twice"):
        KIND.read(table(product_id=1))
    with pytest.raises(SelvedgeError, match="table masks has no column mask"):
        KIND.read(table().drop(columns="mask"))
    one, other = (KIND.read(frame)[1] for frame in (table(), table(classes=[("background", "all")] * 3)))
    with pytest.raises(SelvedgeError, match="other pictures or classes"):
        KIND.level(one, other)
    for wrong, words in (
        (GarmentMask(b"nothing", one.mask, CLASSES), "holds what is no picture"),
        (GarmentMask(one.picture, png_bytes(np.zeros((4, 4), np.uint8)), CLASSES), "another size than its picture"),
    ):
        with pytest.raises(SelvedgeError, match=words):
            KIND.render(wrong)
