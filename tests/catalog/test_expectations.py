"""The suites pass on sound tables and fail by name on each planted fault."""

from collections.abc import Callable

import pandas as pd
import pytest

from catalog.errors import SelvedgeError
from catalog.expectations import validate
from catalog.qa import make_qa_pairs
from catalog.schema import COLUMNS, load_schema
from catalog.splits import assign_splits
from tests.catalog.shops import products_table

PRODUCTS = products_table([{"product_id": i} for i in range(1, 40)])
SPLITS = assign_splits(PRODUCTS)
PAIRS = make_qa_pairs(PRODUCTS, SPLITS, load_schema(), COLUMNS).table
TABLES = {"products": PRODUCTS, "splits": SPLITS, "qa_pairs": PAIRS}
CONTEXT = {"products": {"rows_in": 42, "quarantined": 3}, "splits": {"products": PRODUCTS}, "qa_pairs": {}}


@pytest.mark.parametrize("suite", list(TABLES))
def test_sound_tables_pass(suite: str) -> None:
    outcomes = validate(suite, TABLES[suite], **CONTEXT[suite])
    assert len(outcomes) >= 7
    assert [outcome.name for outcome in outcomes if not outcome.success] == []
    assert len({outcome.name for outcome in outcomes}) == len(outcomes)


def put(column: str, value: object, row: int = 0) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def changed(frame: pd.DataFrame) -> pd.DataFrame:
        values = frame[column].tolist()
        values[row] = value
        return frame.assign(**{column: values})

    return changed


def twice(frame: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([frame, frame.head(1)], ignore_index=True)


def shuffled_splits(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(split=["train", "test"] * (len(frame) // 2) + ["train"] * (len(frame) % 2), group_id="g1")


FAULTS = [
    ("products", lambda frame: frame.iloc[1:], {"rows in = products + quarantine"}),
    ("products", twice, {"rows in = products + quarantine", "a product once per drop"}),
    ("products", put("product_id", -4), {"no negative product id"}),
    ("products", put("image_sha256", "abc"), {"image sha256 well formed"}),
    ("products", put("image_width", 0), {"image width"}),
    ("products", put("year", 20_110), {"year plausible"}),
    ("products", lambda frame: frame.assign(article_type="Spaceships"), {"most article types known"}),
    ("splits", lambda frame: frame.iloc[1:], {"every product has a split"}),
    ("splits", twice, {"a product has one split"}),
    ("splits", put("split", "holdout"), {"splits are known"}),
    ("splits", put("group_id", "../g1"), {"group ids well formed"}),
    ("splits", shuffled_splits, {"no group in two splits"}),
    ("splits", lambda frame: frame.assign(split="test"), {"something to train on"}),
    ("qa_pairs", lambda frame: frame.iloc[:0], {"at least one pair"}),
    ("qa_pairs", twice, {"a question once per product"}),
    ("qa_pairs", put("split", "excluded"), {"splits are known"}),
    ("qa_pairs", put("question", "Name it."), {"questions are questions"}),
    ("qa_pairs", put("answer", "Shirts"), {"answers in the published form"}),
    ("qa_pairs", put("value", "Sparkling"), {"answers in the published form", "values in the vocabulary"}),
    ("qa_pairs", shuffled_splits, {"no group in two splits"}),
]


@pytest.mark.parametrize(("suite", "damage", "failing"), FAULTS)
def test_each_planted_fault_fails_its_own_expectation(
    suite: str, damage: Callable[[pd.DataFrame], pd.DataFrame], failing: set[str]
) -> None:
    outcomes = validate(suite, damage(TABLES[suite].to_pandas()), **CONTEXT[suite])
    failed = {outcome.name: outcome for outcome in outcomes if not outcome.success}
    assert set(failed) == failing
    assert all(outcome.observed for outcome in failed.values())


def test_an_image_in_two_splits_fails() -> None:
    products = products_table([{"product_id": i, "image_sha256": "a" * 64} for i in (1, 2)])
    splits = pd.DataFrame({"product_id": [1, 2], "drop": "d1", "group_id": ["g1", "g2"], "split": ["train", "test"]})
    failed = [outcome.name for outcome in validate("splits", splits, products=products) if not outcome.success]
    assert failed == ["no image in two splits"]


def test_unknown_suites_and_missing_context_are_refused() -> None:
    with pytest.raises(SelvedgeError, match="suite 'product' is unknown"):
        validate("product", PRODUCTS)
    with pytest.raises(SelvedgeError, match="needs the context 'rows_in'"):
        validate("products", PRODUCTS)
