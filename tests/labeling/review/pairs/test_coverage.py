"""A base that answers everything is as silent as the candidate, so that a dash names nobody."""

import pandas as pd
import pytest

from catalog.errors import SelvedgeError
from labeling.review.pairs.coverage import at_same_coverage


def answers(confidences: dict[str, list[float]], left_out: dict[str, list[int]]) -> pd.DataFrame:
    rows = [
        {"product_id": number, "attribute": name, "value": "x", "confidence": sure,
         "abstained": number in left_out.get(name, [])}
        for name, all_of in confidences.items() for number, sure in enumerate(all_of)
    ]  # fmt: skip
    return pd.DataFrame(rows, index=range(100, 100 + len(rows)))


def silent(table: pd.DataFrame) -> dict[str, list[int]]:
    return {str(name): list(rows["product_id"]) for name, rows in table[table["abstained"]].groupby("attribute")}


def test_each_attribute_has_as_many_dashes_on_both_sides() -> None:
    candidate = answers({"fit": [0.9] * 5, "pattern": [0.9] * 5, "colour": [0.9] * 5}, {"fit": [0, 1], "pattern": [4]})
    base = answers({"fit": [0.9, 0.2, 0.8, 0.1, 0.7], "pattern": [0.5] * 5, "colour": [0.1] * 5}, {})
    levelled = at_same_coverage(base, candidate)
    assert silent(levelled) == {"fit": [1, 3], "pattern": [0]}
    assert levelled.drop(columns="abstained").equals(base.drop(columns="abstained"))


def test_what_the_base_left_out_by_itself_counts_and_stays() -> None:
    candidate = answers({"fit": [0.9] * 4}, {"fit": [0, 1]})
    base = answers({"fit": [0.9, 0.1, 0.8, 0.7]}, {"fit": [0]})
    assert silent(at_same_coverage(base, candidate)) == {"fit": [0, 1]}
    assert silent(at_same_coverage(base, answers({"fit": [0.9] * 4}, {}))) == {"fit": [0]}


def test_without_a_confidence_it_is_refused() -> None:
    base = answers({"fit": [float("nan")]}, {})
    with pytest.raises(SelvedgeError, match="no confidence"):
        at_same_coverage(base, base)
