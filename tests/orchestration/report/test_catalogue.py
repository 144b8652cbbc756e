"""The catalogue's part of the report: every row is counted once, and a leak between splits is shown as one."""

import io
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image

from catalog.errors import SelvedgeError
from orchestration.report.catalogue import (
    checked_splits,
    drop_names,
    missing_values,
    odd_words,
    quarantine_samples,
    rows_by_reason,
    source_name,
    summarise_catalogue,
    unmapped_values,
)
from orchestration.report.home import Home
from tests.labeling.review.rounds_for_tests import columns_of
from tests.orchestration.report.small_home import COLOURS, SmallHome, products_table


def test_a_home_without_a_drop_says_how_to_get_one(tmp_path):
    home = SmallHome(tmp_path)
    with pytest.raises(SelvedgeError, match="holds no drop yet; run `selvedge demo`"):
        Home(home.instance, home.settings)


def test_what_came_in_is_what_the_page_says(tmp_path):
    made = SmallHome(tmp_path)
    products = made.read_drop()
    catalogue = summarise_catalogue(Home(made.instance, made.settings), seed=1)
    assert (catalogue.source, catalogue.drop, catalogue.drawn) == ("/shop", "first", False)
    assert catalogue.rows == len(products) + 1 and len(catalogue.products) == len(products)
    assert (catalogue.quarantine, catalogue.recovered, catalogue.missing) == ({"bad_id": 1}, 2, {"season": 1})
    assert catalogue.qa_pairs == 12 and catalogue.unmapped == [("Season", "Monsoon", 5), ("Colour", "Teal", 2)]
    assert [picture.label for picture in catalogue.strip[:2]] != [picture.label for picture in catalogue.strip[2:4]]
    assert len(catalogue.strip) == 12
    assert max(Image.open(io.BytesIO(catalogue.strip[0].content)).size) <= 120
    swatches = {colour.name: colour.rgb for colour in catalogue.colours}
    assert swatches == {name: "#{:02x}{:02x}{:02x}".format(*rgb) for name, rgb in COLOURS.items()}


def test_words_outside_the_vocabulary_are_counted_over_all_drops():
    older, newer = {"recovered": 1}, {"unmapped": {"gender": {"Ladies": 2}, "article_type": {"Tee": 1}}}
    assert odd_words([older]) == []
    assert odd_words([newer, older, newer]) == [("gender", "Ladies", 4), ("article_type", "Tee", 2)]


def test_what_the_demo_planted_is_read_from_the_drawing(tmp_path):
    truth = tmp_path / "home" / "drawn" / "shop" / "truth"
    truth.mkdir(parents=True)
    (truth / "drawn.json").write_text('{"planted_faults": [[3, "bad_id"], [4, "missing_image"]]}')
    made = SmallHome(tmp_path)
    made.read_drop(source=str(truth.parent))
    catalogue = summarise_catalogue(Home(made.instance, made.settings), seed=1)
    assert (catalogue.drawn, catalogue.planted, catalogue.odd_words) == (True, 2, [])


def test_drops_are_named_as_far_as_they_fit():
    assert drop_names(["a"]) == "a" and drop_names(["a", "b", "c"]) == "a and b and c"
    assert drop_names(["a", "b", "c", "d"]) == "a and b and c …"


def test_a_drawn_source_is_named_without_the_home_it_lies_in():
    assert source_name("/home/.selvedge/drawn/catalogue-7", Path("/home/.selvedge")) == "catalogue-7"
    assert source_name("/data/fashion", Path("/home/.selvedge")) == "/data/fashion"


def test_the_first_row_of_every_reason_is_shown_as_it_was_delivered():
    columns = ["drop", "line", "reason", "raw", "detail"]
    rows = [
        ("d", 9, "no_image", b"9,x\r\n", "late"),
        ("d", 2, "no_image", b"\xff2,x", "first"),
        ("d", 5, "bad_id", b"", ""),
    ]
    quarantine = pd.DataFrame(rows, columns=columns)
    assert rows_by_reason(quarantine) == {"no_image": 2, "bad_id": 1}
    samples = quarantine_samples(quarantine)
    assert [(sample.reason, sample.line) for sample in samples] == [("bad_id", 5), ("no_image", 2)]
    assert samples[1].raw == "\ufffd2,x"
    assert rows_by_reason(quarantine.head(0)) == {} and quarantine_samples(pd.DataFrame()) == []


def test_only_columns_that_lack_a_value_are_named():
    assert missing_values(products_table()) == {"season": 1}
    assert missing_values(products_table().assign(season="Fall")) == {}


def test_a_group_in_two_splits_is_counted_as_a_leak():
    products = columns_of(products_table(6).assign(image_sha256=list("abcdef")), "products")
    splits = products[["drop", "product_id"]].assign(
        group_id=["a", "a", "b", "c", "d", "d"], split=["train", "train", "test", "train", "excluded", "excluded"]
    )
    summary = checked_splits(splits, products)
    assert summary.products == {"train": 3, "excluded": 2, "test": 1} and summary.excluded == 2
    assert (summary.groups, summary.groups_of_several, summary.largest_group) == (3, 1, 2)
    assert (summary.shared_groups, summary.shared_images) == (0, 0)
    splits.loc[0, "split"] = "test"
    assert checked_splits(splits, products).shared_groups == 1
    assert checked_splits(pd.DataFrame(), products).groups == 0


def test_values_that_nothing_is_asked_about_come_with_the_most_frequent_first():
    assert unmapped_values({}) == []
    assert unmapped_values({"rare": {"A": {"x": 1}}, "unmapped": {"B": {"y": 3}}}) == [("B", "y", 3), ("A", "x", 1)]
