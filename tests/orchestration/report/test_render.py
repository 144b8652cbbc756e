"""The report's figures: nothing is dropped, and every subject stands where it belongs."""

import pandas as pd

from evaluation.floors import MAJORITY, MAJORITY_GIVEN_COARSE, MAJORITY_GIVEN_TYPE, NO_PICTURE, PRIOR_DRAW
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


def test_every_row_names_the_floor_that_is_hardest_there():
    values = {
        ("Neck", MAJORITY): 0.2,
        ("Neck", MAJORITY_GIVEN_TYPE): 0.5,
        ("Fit", MAJORITY): 0.3,
        ("Fit", NO_PICTURE): 0.1,
    }
    values |= {("mean", MAJORITY): 0.25, ("mean", MAJORITY_GIVEN_TYPE): 0.4, ("Fit", "candidate"): 0.9}
    rows = [(*key, value) for key, value in values.items()]
    scores = pd.DataFrame(rows, columns=["attribute", "subject", "value"])
    scores = scores.assign(low=scores["value"], high=scores["value"], metric="macro_f1", slice="all", support=9)
    floors = {row["attribute"]: row["floor"] for row in score_rows(scores)}
    assert floors["Neck"] == {"value": 0.5, "name": FLOORS[MAJORITY_GIVEN_TYPE]}
    assert floors["Fit"] == {"value": 0.3, "name": FLOORS[MAJORITY]}
    assert floors["mean"]["value"] == 0.4, "the mean of 0.5 and 0.3, each of another floor"


def test_a_row_says_whether_the_candidate_beats_the_cnn_beside_it():
    rows = [(name, "candidate", "macro_f1", 0.5, 0.4, 0.6) for name in ("Collar", "Fit", "Neck", "mean")]
    rows += [
        ("Collar", "candidate", "macro_f1_minus_cnn", -0.2, -0.3, -0.1),
        ("Fit", "candidate", "macro_f1_minus_cnn", 0.1, 0.05, 0.2),
        ("Neck", "candidate", "macro_f1_minus_cnn", 0.1, -0.1, 0.3),
    ]
    columns = ["attribute", "subject", "metric", "value", "low", "high"]
    scores = pd.DataFrame(rows, columns=columns).assign(slice="all", support=9)
    against = {row["attribute"]: row["cnn"] for row in score_rows(scores)}
    assert {name: cnn and cnn["word"] for name, cnn in against.items()} == {
        "mean": None, "Collar": "worse", "Fit": "better", "Neck": "level"
    }  # fmt: skip
    assert against["Collar"] == {"value": -0.2, "low": -0.3, "high": -0.1, "word": "worse"}


def test_the_page_knows_every_floor_and_ceiling_by_its_name():
    assert {MAJORITY, PRIOR_DRAW, MAJORITY_GIVEN_COARSE, MAJORITY_GIVEN_TYPE, NO_PICTURE} == set(FLOORS)
    assert {LINEAR_PROBE, CEILING_CNN} == set(CEILINGS)
