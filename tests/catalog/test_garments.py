"""Garments: which products are bottoms, and that a cut keeps the garment, whole, centred and on white."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from catalog.drawn import draw_garment, sample_spec
from catalog.errors import SelvedgeError
from catalog.garments import (
    BOTTOMS,
    CORES,
    MARGIN,
    choose_bottoms,
    core,
    cut_garments,
    foreground,
    frame,
    median_colour,
    part_mask,
)
from catalog.lab import difference
from catalog.schema import load_schema
from tests.training.restgan.shop import SHADES, Shop, open_shop, photograph


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    return open_shop(tmp_path_factory.mktemp("shop"), 40)


def test_every_bottom_is_an_article_type_of_the_public_catalogue() -> None:
    assert set(BOTTOMS) <= set(load_schema().article_types)
    assert {kind for kind, _ in BOTTOMS.values()} == {"pants", "jeans", "shorts", None}


def test_bottoms_have_a_class_a_wearer_and_a_group(shop: Shop) -> None:
    bottoms = choose_bottoms(shop.products, shop.images, shop.splits, 10)
    assert len(bottoms) == 40 and bottoms["product_id"].is_monotonic_increasing
    assert set(bottoms.loc[bottoms["article_type"] == "Track Pants", "type"]) == {"pants"}
    wearer_of = dict(zip(bottoms["gender"], bottoms["wearer"], strict=True))
    assert wearer_of == {"Men": "men", "Boys": "men", "Women": "women", "Girls": "women", "Unisex": "unisex"}


def test_skirts_shirts_and_excluded_products_are_left_out(shop: Shop) -> None:
    products, splits = shop.products.copy(), shop.splits.copy()
    products.loc[0, "article_type"], products.loc[1, "article_type"] = "Skirts", "Shirts"
    products.loc[2, "gender"] = None
    splits.loc[3, "split"] = "excluded"
    bottoms = choose_bottoms(products, shop.images, splits, 10).set_index("product_id")
    assert set(shop.products["product_id"]) - set(bottoms.index) == {1001, 1002, 1004}
    assert bottoms.loc[1003, "wearer"] == ""


def test_a_product_delivered_twice_counts_once_as_its_group_knows_it(shop: Shop) -> None:
    again = shop.products.assign(drop="d2", base_colour="Red")
    images = pd.concat([shop.images, shop.images.assign(drop="d2")])
    bottoms = choose_bottoms(pd.concat([again, shop.products]), images, shop.splits, 10)
    assert len(bottoms) == 40 and set(bottoms["drop"]) == {"d1"}


def test_a_catalogue_without_bottoms_or_with_too_few_is_refused(shop: Shop) -> None:
    with pytest.raises(SelvedgeError, match="no bottoms"):
        choose_bottoms(shop.products.assign(article_type="Skirts"), shop.images, shop.splits)
    with pytest.raises(SelvedgeError, match=r"40 bottoms .* at least 200"):
        choose_bottoms(shop.products, shop.images, shop.splits)


@pytest.mark.parametrize("size", [32, 64])
def test_a_photograph_is_centred_on_white_at_one_scale(shop: Shop, size: int) -> None:
    bottoms = choose_bottoms(shop.products, shop.images, shop.splits, 10)
    cut = cut_garments(bottoms, size)
    assert cut.pictures.shape == (40, size, size, 3) and cut.pictures.dtype == np.uint8 and not cut.masked.any()
    for picture in cut.pictures:
        dark = (picture < 246).any(axis=2)
        rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
        assert (
            abs((rows[0] + rows[-1]) / 2 - (size - 1) / 2) <= 1
            and abs((columns[0] + columns[-1]) / 2 - (size - 1) / 2) <= 1
        )
        assert max(len(rows), len(columns)) == pytest.approx(size - 2 * round(MARGIN * size), abs=1)
        assert (picture[0] == 255).all() and (picture[:, 0] == 255).all()


def test_the_colour_is_the_garments_not_the_backdrops(shop: Shop) -> None:
    bottoms = choose_bottoms(shop.products, shop.images, shop.splits, 10)
    colours = cut_garments(bottoms, 32).colours
    truth = np.array([SHADES[name] for name in bottoms["base_colour"]], float)
    assert difference(colours, truth).max() < 5


def test_a_light_patch_inside_a_garment_stays() -> None:
    picture = photograph((43, 10, -48), "Shorts", np.random.default_rng(0))
    garment = foreground(picture)
    rows, columns = np.flatnonzero(garment.any(axis=1)), np.flatnonzero(garment.any(axis=0))
    row, column = rows[4], columns[6]
    picture[row : row + 4, column : column + 6] = 251
    assert (foreground(picture) == garment).all()


def test_a_blank_picture_is_kept_whole() -> None:
    blank = np.full((20, 16, 3), 250, np.uint8)
    assert foreground(blank).all()
    assert (frame(blank, foreground(blank), 16).mean() >= 250) and frame(
        blank, np.zeros((20, 16), bool), 16
    ).min() == 255
    assert np.isnan(median_colour(blank, np.zeros((20, 16), bool))).all()


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 20), st.integers(0, 20), st.integers(6, 40), st.integers(6, 40), st.sampled_from([32, 64]))
def test_a_frame_keeps_the_shape_of_what_it_shows(top: int, left: int, height: int, width: int, size: int) -> None:
    picture = np.full((64, 64, 3), 200, np.uint8)
    garment = np.zeros((64, 64), bool)
    garment[top : top + height, left : left + width] = True
    picture[garment] = (10, 90, 160)
    framed = frame(picture, garment, size)
    dark = (framed[..., 0] < 128) & (framed[..., 2] > framed[..., 0])
    shown = dark.any(axis=1).sum(), dark.any(axis=0).sum()
    scale = (size - 2 * round(MARGIN * size)) / max(height, width)
    assert shown == pytest.approx((height * scale, width * scale), abs=2)
    assert not ((framed > 195) & (framed < 205)).all(axis=2).any()  # nothing of the backdrop is left


def test_a_part_mask_removes_the_background_of_a_drawn_garment(tmp_path: Path) -> None:
    product_ids = [
        product_id
        for product_id in range(10001, 10200)
        if sample_spec(5, product_id).article_type in ("Jeans", "Shorts")
    ][:3]
    (tmp_path / "images").mkdir()
    (tmp_path / "truth" / "masks").mkdir(parents=True)
    for product_id in product_ids:
        drawing = draw_garment(sample_spec(5, product_id), 128)
        Image.fromarray(drawing.image).save(tmp_path / "images" / f"{product_id}.jpg", quality=92)
        Image.fromarray(drawing.parts).save(tmp_path / "truth" / "masks" / f"{product_id}.png")
        mask = part_mask(str(tmp_path / "images" / f"{product_id}.jpg"), (128, 128))
        assert mask is not None and (mask == (drawing.parts > 0)).all()
        half = part_mask(str(tmp_path / "images" / f"{product_id}.jpg"), (64, 64))
        assert half is not None and abs(half.mean() - mask.mean()) < 0.02
        framed = frame(drawing.image, mask, 64)
        assert (framed[0] == 255).all() and (framed[:, 0] == 255).all()
        assert difference(median_colour(drawing.image, mask), np.array(sample_spec(5, product_id).base_lab)) < 25
    assert part_mask(str(tmp_path / "images" / "1.jpg"), (128, 128)) is None


def test_a_part_mask_that_does_not_decode_is_named(tmp_path: Path) -> None:
    (tmp_path / "truth" / "masks").mkdir(parents=True)
    (tmp_path / "truth" / "masks" / "7.png").write_bytes(b"\x89PNG\r\n\x1a\nnonsense")
    with pytest.raises(SelvedgeError, match=r"7\.png"):
        part_mask(str(tmp_path / "images" / "7.jpg"), (8, 8))


def test_a_changed_or_missing_picture_is_named(shop: Shop) -> None:
    bottoms = choose_bottoms(shop.products, shop.images, shop.splits, 10)
    with pytest.raises(SelvedgeError, match="changed"):
        cut_garments(bottoms.assign(sha256="0" * 64).head(1), 32)
    with pytest.raises(SelvedgeError, match="missing"):
        cut_garments(bottoms.assign(uri="/nowhere/1.jpg").head(1), 32)
    with pytest.raises(SelvedgeError, match="size 8"):
        cut_garments(bottoms, 8)


def test_the_core_of_a_worn_garment_leaves_out_shirt_and_shoes() -> None:
    garment = np.zeros((100, 40), bool)
    garment[10:90, 5:35] = True
    for low, high in CORES.values():
        band = np.flatnonzero(core(garment, (low, high)).any(axis=1))
        assert band[0] == 10 + int(80 * low) > 20 and band[-1] < 10 + 80 * high < 80
    assert not core(np.zeros((5, 5), bool), (0.2, 0.6)).any()
