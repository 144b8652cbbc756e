"""Many orders: made once, kept afterwards, refused with a sentence; published pictures are held to their files."""

import hashlib
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from catalog.errors import SelvedgeError
from catalog.tables import as_table
from inference.ad_images.batch import counts_of, fulfil, fulfil_all
from inference.ad_images.funnel import funnel, funnel_plot, stage_seconds
from inference.ad_images.orders import orders_of, themes_named
from inference.ad_images.published import broken_pictures
from inference.ad_images.recipes import read_recipe
from inference.ad_images.request import OnModel
from inference.tables import AD_IMAGES
from tests.inference.ad_images.shop import BAG, HEELS, SHIRT, SIZE, a_maker, listed, photo_of

STAMPS = {"backdrop": "studio 1"}


def tables(tmp_path, ids=(BAG, SHIRT, HEELS)):
    products, images = [], []
    for product_id in ids:
        one = listed(product_id)
        file = tmp_path / f"{product_id}.png"
        file.write_bytes(photo_of(product_id))
        products.append(
            {
                "drop": "d1",
                "product_id": product_id,
                "product_display_name": one.title,
                "article_type": one.article_type,
                "master_category": one.master_category,
                "gender": one.gender,
                "base_colour": one.colour,
                "season": one.season,
                "usage": one.usage,
                "brand": one.brand,
            }
        )
        images.append(
            {"product_id": product_id, "uri": str(file), "sha256": hashlib.sha256(photo_of(product_id)).hexdigest()}
        )
    attributes = pd.DataFrame(
        [
            {"product_id": BAG, "attribute": "Pattern", "value": "Solid", "abstained": False},
            {"product_id": BAG, "attribute": "Fabric", "value": "Silk", "abstained": True},
        ]
    ).assign(model_uri="models:/toy/1", model_digest="ab" * 32)
    return pd.DataFrame(products), pd.DataFrame(images), attributes


def orders(tmp_path, ids=(BAG, SHIRT, HEELS), **changes):
    return orders_of(*tables(tmp_path, ids), **{"size": SIZE, "stamps": STAMPS, "themes": ("studio",), **changes})


def test_orders_carry_what_the_champion_is_sure_of(tmp_path):
    bag = next(order for order in orders(tmp_path) if order.product.product_id == BAG)
    assert bag.product.attributes == {"Pattern": "Solid"}
    assert bag.model_version == f"models:/toy/1@{'ab' * 6}"


def test_article_types_take_turns_when_there_are_few_orders(tmp_path):
    ids = (SHIRT, 10002, BAG)
    taken = orders(tmp_path, ids, most=2)
    assert {order.product.article_type for order in taken} == {listed(BAG).article_type, listed(SHIRT).article_type}
    assert orders(tmp_path, ids, most=0) == []


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"size": (320, 256)}, {"stamps": {"backdrop": "studio 2"}}, {"on_model": OnModel.KEEP}]
)
def test_the_input_hash_follows_everything_that_decides(tmp_path, change):
    assert orders(tmp_path)[0].input_hash == orders(tmp_path)[0].input_hash
    assert orders(tmp_path)[0].input_hash != orders(tmp_path, **change)[0].input_hash


def test_what_happens_to_people_is_part_of_an_order_and_of_its_hash(tmp_path):
    kept = orders(tmp_path, on_model=OnModel.KEEP)[0]
    assert kept.request().on_model is OnModel.KEEP and orders(tmp_path)[0].request().on_model is OnModel.REFUSE
    assert kept.input_hash != orders(tmp_path)[0].input_hash


def test_themes_of_a_setting():
    assert themes_named(None) == (None,)
    assert themes_named("beach, snow,beach") == ("beach", "snow")
    for wrong in ("moon", " , "):
        with pytest.raises(SelvedgeError, match="no theme"):
            themes_named(wrong)


def test_an_order_is_made_once(tmp_path):
    maker = a_maker(tmp_path)
    (order,) = orders(tmp_path, (BAG,))
    first, again = fulfil(order, maker), fulfil(order, maker)
    assert first.rows and not first.kept and again.kept
    assert [dict(row) for row in first.rows] == [dict(row) for row in again.rows]
    as_table(pd.DataFrame(first.rows, columns=AD_IMAGES.names), "ad_images")
    assert [row["rank"] for row in first.rows] == list(range(1, len(first.rows) + 1))


def test_a_picture_that_is_gone_is_made_again_with_the_same_bytes(tmp_path):
    maker = a_maker(tmp_path)
    (order,) = orders(tmp_path, (BAG,))
    row = fulfil(order, maker).rows[0]
    before = Path(row["uri"]).read_bytes()
    (tmp_path / "pictures").joinpath(*row["uri"].split("/")[-3:]).unlink()
    again = fulfil(order, maker)
    assert not again.kept
    assert Path(again.rows[0]["uri"]).read_bytes() == before


def test_a_home_that_was_moved_keeps_its_pictures(tmp_path):
    (order,) = orders(tmp_path, (BAG,))
    (tmp_path / "old").mkdir()
    made = fulfil(order, a_maker(tmp_path / "old"))
    (tmp_path / "old").rename(tmp_path / "new")
    kept = fulfil(order, a_maker(tmp_path / "new"))
    assert kept.kept
    assert [row["sha256"] for row in kept.rows] == [row["sha256"] for row in made.rows]
    assert all(str(tmp_path / "new") in row["uri"] for row in kept.rows)


def test_another_photograph_under_the_name_is_refused(tmp_path):
    (order,) = orders(tmp_path, (BAG,))
    (tmp_path / f"{BAG}.png").write_bytes(photo_of(SHIRT))
    outcome = fulfil(order, a_maker(tmp_path))
    assert outcome.code == "photo_unreadable" and "not the one that was catalogued" in outcome.sentence
    assert not outcome.rows


def test_a_refusal_is_kept_and_the_others_go_on(tmp_path):
    blank = tmp_path / f"{HEELS}.png"
    products, images, attributes = tables(tmp_path, (BAG, HEELS))
    Image.new("RGB", (300, 300), "white").save(blank)
    images.loc[images["product_id"] == HEELS, "sha256"] = hashlib.sha256(blank.read_bytes()).hexdigest()
    made = orders_of(products, images, attributes, themes=("studio",), size=SIZE, stamps=STAMPS)
    told = []
    outcomes = list(
        fulfil_all(made, partial(a_maker, tmp_path), lambda done, total, what: told.append((done, total)), workers=1)
    )
    assert told == [(1, 2), (2, 2)]
    refused = next(outcome for outcome in outcomes if outcome.code)
    assert refused.order.product.product_id == HEELS
    counts = counts_of(outcomes)
    assert counts["orders"] == 2 and counts["refused"] == 1 == counts[f"refused_{refused.code}"]
    assert counts["pictures"] == len(outcomes[0].rows) + len(outcomes[1].rows) > 0
    steps = list(funnel(outcomes).values())
    assert steps[0] == 2 and steps[2] >= steps[3] >= steps[4]
    assert stage_seconds(outcomes)["background"] > 0
    assert funnel_plot(outcomes).startswith(b"\x89PNG")


def test_published_pictures_are_held_to_files_and_recipes(tmp_path):
    maker = a_maker(tmp_path)
    made = [fulfil(order, maker) for order in orders(tmp_path, (BAG, SHIRT))]
    rows = pd.DataFrame([row for outcome in made for row in outcome.rows], columns=AD_IMAGES.names)
    assert broken_pictures(rows) == []
    first, other = rows.iloc[0]["uri"], rows.iloc[-1]["uri"]
    swapped = np.asarray(Image.open(other))
    Image.fromarray(swapped).save(first)
    (fault,) = broken_pictures(rows)
    assert fault.uri == first and "changed" in fault.why
    # Whoever changes the hash in the table as well is caught by the recipe.
    rows.loc[0, "sha256"] = hashlib.sha256(Path(first).read_bytes()).hexdigest()
    (fault,) = broken_pictures(rows)
    assert "of another picture" in fault.why


def test_every_picture_is_made_again_from_its_recipe(tmp_path):
    maker = a_maker(tmp_path)
    (order,) = orders(tmp_path, (HEELS,))
    for row in fulfil(order, maker).rows:
        recipe = read_recipe(Path(row["uri"]).with_suffix(".json"))
        picture = maker.pipeline.remake(recipe, photo_of(HEELS))
        assert np.array_equal(picture.pixels, np.asarray(Image.open(row["uri"])))
        with pytest.raises(SelvedgeError, match="another photograph"):
            maker.pipeline.remake(recipe, photo_of(BAG))
        other = replace(recipe, backdrop_version="studio 0")
        with pytest.raises(SelvedgeError, match="make it again with the same"):
            maker.pipeline.remake(other, photo_of(HEELS))
