"""The report's figures: nothing is dropped, and every subject stands where it belongs."""

import pandas as pd

from evaluation.floors import MAJORITY, MAJORITY_GIVEN_COARSE, NO_PICTURE, PRIOR_DRAW
from evaluation.linear_probe import LINEAR_PROBE
from orchestration.families.blip2_attributes.report_section import CEILINGS, FLOORS, score_rows
from orchestration.report.render import bars
from training.attribute_classifier import CEILING_CNN


def test_bars_lose_no_product():
    counts = pd.Series({f"type {number}": number for number in range(20, 0, -1)})
    drawn = bars(counts, most=5)
    assert sum(bar["count"] for bar in drawn) == counts.sum()
    assert max(bar["share"] for bar in drawn) == 1


def test_the_mean_comes_first_with_every_subject_of_its_row():
    rows = [("Neck", "base", 0.2), ("mean", "base", 0.3), ("mean", "candidate", 0.6)]
    scores = pd.DataFrame(rows, columns=["attribute", "subject", "value"])
    scores = scores.assign(low=scores["value"], high=scores["value"], metric="macro_f1", slice="all", support=9)
    first, second = score_rows(scores)
    assert first["attribute"] == "mean" and set(first["marks"]) == {"base", "candidate"}
    assert second["marks"]["base"]["value"] == 0.2


def test_the_page_knows_every_floor_and_ceiling_by_its_name():
    assert {MAJORITY, PRIOR_DRAW, MAJORITY_GIVEN_COARSE, NO_PICTURE} == set(FLOORS)
    assert {LINEAR_PROBE, CEILING_CNN} == set(CEILINGS)
