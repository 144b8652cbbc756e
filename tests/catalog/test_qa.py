"""Q&A pairs: the published form, and everything left out is counted."""

import csv
from pathlib import Path

import pytest

from catalog.errors import SelvedgeError
from catalog.qa import UNMAPPED, QaPairs, make_qa_pairs, stated_values, write_vqa_csv
from catalog.schema import COLUMNS, DETAILS, AttributeSchema, load_schema
from catalog.splits import assign_splits
from catalog.tables import schema_of
from tests.catalog.shops import products_table
from tests.catalog.test_splits import earlier

SCHEMA = load_schema()


def pairs_of(rows: list[dict[str, object]], question_set: str = DETAILS, minimum: int = 1, **kw: object) -> QaPairs:
    products = products_table(rows)
    splits = kw.get("splits") or assign_splits(products)
    return make_qa_pairs(products, splits, SCHEMA, question_set, minimum_products=minimum)


def test_published_form_and_csv_files(tmp_path: Path) -> None:
    rows = [
        {
            "product_id": i,
            "base_colour": "Navy Blue",
            "attributes": [("Sleeve Length", "Full Sleeves"), ("Neck", "V-Neck")],
        }
        for i in range(1, 60)
    ]
    pairs = pairs_of(rows)
    assert pairs.table.schema == schema_of("qa_pairs")
    first = [row for row in pairs.table.to_pylist() if row["product_id"] == 1]
    assert [(row["question"], row["answer"], row["value"]) for row in first] == [
        ("What is the colour of the shirt in this picture?", "Colour: Navy Blue", "Navy Blue"),
        ("What is the sleeve length of the shirt in this picture?", "Sleeve Length: Long Sleeves", "Long Sleeves"),
    ]  # a shirt has no neck type
    files = write_vqa_csv(pairs.table, tmp_path)
    read = {split: list(csv.reader(file.read_text().splitlines())) for split, file in files.items()}
    assert [lines[0] for lines in read.values()] == [["id", "Question", "Answer"]] * 2
    by_split = pairs.summary()["by_split"]
    assert {split: len(lines) - 1 for split, lines in read.items()} == {s: by_split[s] for s in ("train", "validation")}
    assert sorted(p.name for p in tmp_path.iterdir()) == ["vqa_train.csv", "vqa_validation.csv"]


def test_what_is_left_out_is_counted() -> None:
    fits = ["Slim Fit"] * 3 + ["Regular Fit", "Baggy", "Baggy", None]
    rows = [
        {"product_id": i, "base_colour": "Blue", "attributes": [("Fit", fit)] if fit else []}
        for i, fit in enumerate(fits, start=1)
    ]
    pairs = pairs_of(rows, minimum=2)
    assert pairs.unmapped == {"Fit": {"Baggy": 2}}
    assert pairs.rare == {"Fit": {"Regular Fit": 1}}
    assert pairs.missing["Fit"] == 1
    shirts_questions = len(SCHEMA.applicable("Shirts", DETAILS))
    left_out = sum(sum(c.values()) for c in (*pairs.unmapped.values(), *pairs.rare.values())) + sum(
        pairs.missing.values()
    )
    assert pairs.table.num_rows + left_out == shirts_questions * len(rows)
    assert [row["value"] for row in pairs.table.to_pylist() if row["attribute"] == "Fit"] == ["Slim Fit"] * 3


def test_the_narrowed_schema_knows_only_what_was_taught() -> None:
    rows = [{"product_id": i, "attributes": [("Fit", "Slim Fit")]} for i in range(1, 4)]
    rows += [{"product_id": 9, "article_type": "Jeans", "attributes": [("Fit", "Loose Fit")], "base_colour": None}]
    narrowed = pairs_of(rows, minimum=2).schema
    assert narrowed.attributes["Fit"].vocabulary == ("Slim Fit",)
    assert narrowed.applicable("Shirts", DETAILS) == ["Colour", "Fit"]
    assert narrowed.applicable("Jeans", DETAILS) == ["Colour"]  # its only fit was too rare
    assert narrowed.value_of("Fit", "Loose Fit") is None
    assert AttributeSchema.from_dict(narrowed.to_dict()) == narrowed


def test_a_value_of_test_products_alone_is_asked_and_not_taught() -> None:
    """The vocabulary had been narrowed by the answers of the test products, too."""
    rows = [{"product_id": i, "attributes": [("Fit", fit)]} for i, fit in ((1, "Slim Fit"), (2, "Loose Fit"))]
    pairs = pairs_of(rows, splits=earlier([(1, "g1", "train"), (2, "g2", "test")]))
    assert pairs.schema.attributes["Fit"].vocabulary == ("Slim Fit",)
    assert [row["value"] for row in pairs.table.to_pylist() if row["attribute"] == "Fit"] == ["Slim Fit", "Loose Fit"]


def test_columns_ask_without_naming_the_type() -> None:
    rows = [{"product_id": i, "article_type": "Jeans", "season": None} for i in range(1, 4)]
    asked = {row["question"] for row in pairs_of(rows, COLUMNS).table.to_pylist()}
    assert asked == {
        "What kind of product is in this picture?",
        "What is the colour of the product in this picture?",
        "What is the usage of the product in this picture?",
    }


def test_excluded_and_unassigned_products_get_no_pair() -> None:
    rows = [{"product_id": i} for i in (1, 2, 3)]
    pairs = pairs_of(rows, splits=earlier([(1, "g1", "train"), (2, "g2", "excluded")]))
    assert set(pairs.table.column("product_id").to_pylist()) == {1}
    assert pairs.excluded == 2


def test_a_redelivered_product_is_asked_about_once() -> None:
    rows = [{"product_id": 1}, {"product_id": 1, "drop": "d2", "base_colour": "Red"}, {"product_id": 2}]
    pairs = pairs_of(rows)
    colours = {(row["product_id"], row["drop"], row["value"]) for row in pairs.table.to_pylist()}
    assert colours == {(1, "d1", "Blue"), (2, "d1", "Blue")}
    assert (pairs.redelivered, pairs.excluded) == (1, 0)


def test_no_pair_at_all_is_an_error_that_says_why() -> None:
    rows = [{"product_id": 1, "base_colour": "Sparkling", "attributes": [("Fit", "Baggy")]}]
    with pytest.raises(SelvedgeError, match=r"no Q&A pair from 1 products .*outside the vocabulary 2"):
        pairs_of(rows)


def test_an_unknown_split_is_refused() -> None:
    with pytest.raises(SelvedgeError, match="unknown split 'dev'"):
        pairs_of([{"product_id": 1}], splits=earlier([(1, "g1", "dev")]))


def test_stated_values_are_also_those_that_cannot_be_taught() -> None:
    rows = [
        {"product_id": 1, "base_colour": "navy blue", "gender": "Men", "attributes": [("Fit", "Baggy")]},
        {"product_id": 2, "base_colour": None, "gender": None, "attributes": []},
    ]
    stated = stated_values(products_table(rows), SCHEMA, DETAILS)
    assert {(p, a): v for p, a, v in stated[["product_id", "attribute", "value"]].itertuples(index=False)} == {
        (1, "Colour"): "Navy Blue",
        (1, "Fit"): UNMAPPED,
        (1, "gender"): "Men",
        (1, "article_type"): "Shirts",
        (2, "article_type"): "Shirts",
    }
