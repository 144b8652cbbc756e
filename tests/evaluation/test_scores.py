"""One table, every subject on the same rows, floors and differences beside the figures."""

import numpy as np
import pandas as pd
import pytest

from catalog.errors import SelvedgeError
from catalog.tables import as_table
from evaluation import classification, floors, tables
from evaluation.scores import (
    ALL,
    MEAN,
    ScoreSettings,
    intervals_apart,
    labelled_rows,
    score_subjects,
    subject_order,
)

from .rows import VOCABULARY, answered, labelled

QUICK = ScoreSettings(resamples=200)
TEST, TRAIN = labelled(300), labelled(900, seed=1, first_id=50001)
PREDICTIONS = {
    **floors.floor_predictions(TRAIN, TEST, ["article_type", "gender"]),
    "base": answered(TEST, 0.1, 1),
    "champion": answered(TEST, 0.6, 2),
    "candidate": answered(TEST, 0.75, 3),
    "ceiling:cnn": answered(TEST, 0.95, 4),
}
SCORES = score_subjects(PREDICTIONS, "blip2-attributes", "c1", QUICK)


def score_one(subject: str, rows: pd.DataFrame) -> pd.DataFrame:
    return score_subjects({subject: rows}, "blip2-attributes", "c1", QUICK)


def figure(scores: pd.DataFrame, subject: str, attribute: str, metric: str, part: str = ALL) -> pd.Series:
    matches = scores[
        (scores["subject"] == subject)
        & (scores["attribute"] == attribute)
        & (scores["metric"] == metric)
        & (scores["slice"] == part)
    ]
    assert len(matches) == 1, (subject, attribute, metric, part)
    return matches.iloc[0]


def test_the_table_fits_its_contract_and_holds_every_figure_once():
    assert as_table(SCORES, "scores").schema == tables.SCORES
    assert not SCORES.duplicated(["subject", "attribute", "slice", "metric"]).any()
    for subject in PREDICTIONS:
        for attribute in (*VOCABULARY, MEAN):
            for metric in (
                "accuracy",
                "macro_f1",
                "macro_f1_min20",
                "ece",
                "aurc",
                "oov_rate",
                "coverage_at_risk_0.05",
            ):
                row = figure(SCORES, subject, attribute, metric)
                assert row["low"] <= row["value"] <= row["high"]
    assert figure(SCORES, "candidate", "fit", "macro_f1")["support"] == 300
    assert figure(SCORES, "candidate", MEAN, "macro_f1")["support"] == 900


def test_figures_are_those_of_the_metrics():
    rows = PREDICTIONS["candidate"]
    fit = rows[rows["attribute"] == "fit"]
    assert figure(SCORES, "candidate", "fit", "macro_f1")["value"] == pytest.approx(
        classification.macro_f1(fit["truth"], fit["value"])
    )
    kept = fit[~fit["abstained"]]
    assert figure(SCORES, "candidate", "fit", "answered")["value"] == pytest.approx(len(kept) / len(fit))
    assert figure(SCORES, "candidate", "fit", "answered_risk")["value"] == pytest.approx(
        (kept["truth"] != kept["value"]).mean()
    )
    men = fit[fit["gender"] == "Men"]
    row = figure(SCORES, "candidate", "fit", "macro_f1", "gender=Men")
    assert row["value"] == pytest.approx(classification.macro_f1(men["truth"], men["value"]))
    assert row["support"] == len(men)
    means = [figure(SCORES, "candidate", name, "aurc")["value"] for name in VOCABULARY]
    assert figure(SCORES, "candidate", MEAN, "aurc")["value"] == pytest.approx(np.mean(means))


def test_differences_are_to_the_best_floor_of_each_attribute():
    f1 = SCORES[(SCORES["metric"] == "macro_f1") & (SCORES["slice"] == ALL)]
    table = f1.pivot(index="attribute", columns="subject", values="value")
    best = table[[name for name in table if name.startswith("floor:")]].max(axis=1)
    for attribute in VOCABULARY:
        row = figure(SCORES, "candidate", attribute, "macro_f1_minus_floor")
        assert row["value"] == pytest.approx(table.at[attribute, "candidate"] - best[attribute])
    mean = figure(SCORES, "candidate", MEAN, "macro_f1_minus_floor")
    assert mean["value"] == pytest.approx((table["candidate"] - best)[list(VOCABULARY)].mean())
    versus = figure(SCORES, "candidate", MEAN, "macro_f1_minus_champion")
    assert versus["value"] == pytest.approx(table.at[MEAN, "candidate"] - table.at[MEAN, "champion"])
    assert versus["low"] > 0
    cnn = figure(SCORES, "candidate", MEAN, "macro_f1_minus_cnn")
    assert cnn["value"] == pytest.approx(table.at[MEAN, "candidate"] - table.at[MEAN, "ceiling:cnn"])
    assert cnn["high"] < 0


def test_intervals_apart_says_whether_they_overlap():
    assert intervals_apart(SCORES, MEAN, "candidate", "base")
    assert not intervals_apart(SCORES, MEAN, "base", "candidate")
    with pytest.raises(SelvedgeError, match="no macro_f1 of ceiling:linear_probe"):
        intervals_apart(SCORES, MEAN, "ceiling:linear_probe", "candidate")


def test_the_order_of_rows_is_without_effect():
    mixed = {name: rows.sample(frac=1.0, random_state=9) for name, rows in PREDICTIONS.items()}
    again = score_subjects(mixed, "blip2-attributes", "c1", QUICK)
    pd.testing.assert_frame_equal(again, SCORES, rtol=1e-5)


def test_perfect_answers_score_one_however_they_are_spelt():
    perfect = answered(TEST, 1.0).assign(
        value=lambda rows: rows["truth"].str.upper().str.replace(" ", "-"), confidence=1.0
    )
    scores = score_one("candidate", perfect)
    assert (scores.loc[scores["metric"].isin(["accuracy", "macro_f1"]), ["value", "low", "high"]] == 1).all(axis=None)
    assert figure(scores, "candidate", MEAN, "ece")["value"] == 0
    assert not scores["metric"].str.contains("_minus_").any()


def test_a_missing_answer_is_wrong_and_a_foreign_one_is_counted():
    rows = answered(TEST, 1.0)
    half = np.arange(len(rows)) % 2 == 0
    broken = rows.assign(value=rows["value"].where(half, None), in_vocabulary=half)
    scores = score_one("candidate", broken)
    assert figure(scores, "candidate", MEAN, "accuracy")["value"] == pytest.approx(0.5, abs=0.01)
    assert figure(scores, "candidate", MEAN, "oov_rate")["value"] == pytest.approx(0.5, abs=0.01)


def test_a_subject_without_confidences_has_no_calibration():
    scores = score_one("base", answered(TEST, 0.8).assign(confidence=np.nan))
    assert "accuracy" in set(scores["metric"]) and "ece" not in set(scores["metric"])


def test_small_slices_stay_out():
    scores = score_one("base", answered(TEST, 0.8).assign(article_type=["Ties"] * 10 + ["Shirts"] * 890))
    assert "article_type=Shirts" in set(scores["slice"]) and "article_type=Ties" not in set(scores["slice"])


def test_other_rows_are_refused_with_a_sentence():
    candidate = PREDICTIONS["candidate"]
    with pytest.raises(SelvedgeError, match="candidate answered other test rows than base"):
        score_subjects({"base": PREDICTIONS["base"], "candidate": candidate.iloc[1:]}, "f", "c", QUICK)
    with pytest.raises(SelvedgeError, match="lack the column confidence"):
        score_one("candidate", candidate.drop(columns="confidence"))
    with pytest.raises(SelvedgeError, match="twice"):
        score_one("candidate", pd.concat([candidate, candidate]))
    with pytest.raises(SelvedgeError, match="are empty"):
        score_one("candidate", candidate.iloc[:0])
    for wrong in (float("nan"), float("inf"), -0.5):
        spoilt = candidate.assign(confidence=[wrong, *candidate["confidence"].tolist()[1:]])
        with pytest.raises(SelvedgeError, match="candidate has a confidence that is no number from 0 to 1"):
            score_one("candidate", spoilt)
    with pytest.raises(SelvedgeError, match="nothing to score"):
        score_subjects({}, "f", "c")


def test_labelled_rows_join_pairs_and_products():
    pairs = pd.DataFrame(
        {"product_id": [1, 1, 2], "group_id": ["a", "a", "b"], "split": ["test", "test", "train"],
         "attribute": ["fit", "neck", "fit"], "value": ["Slim Fit", "Hood", "Slim Fit"]}
    )  # fmt: skip
    products = pd.DataFrame(
        {"product_id": [1, 2], "master_category": ["Apparel"] * 2, "article_type": ["Shirts"] * 2,
         "gender": ["Men", None], "base_colour": ["Red", "Blue"]}
    )  # fmt: skip
    rows = labelled_rows(pairs, products, "test")
    assert rows[["attribute", "truth"]].to_numpy().tolist() == [["fit", "Slim Fit"], ["neck", "Hood"]]
    assert labelled_rows(pairs, products)["gender"].tolist() == ["Men", "Men", "unknown"]
    with pytest.raises(SelvedgeError, match="product 2, which products lacks"):
        labelled_rows(pairs, products.head(1))


def test_subjects_are_read_from_floor_to_ceiling():
    names = ["ceiling:cnn", "candidate", "floor:majority", "base", "champion"]
    assert sorted(names, key=subject_order) == ["floor:majority", "base", "champion", "candidate", "ceiling:cnn"]
