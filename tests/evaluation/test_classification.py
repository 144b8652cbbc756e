"""Metrics agree with scikit-learn and torchmetrics, keep their bounds, and do not depend on the order of the rows."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, f1_score
from torchmetrics.classification import BinaryCalibrationError

from evaluation import classification as metrics

LABELS = st.sampled_from(["a", "b", "c", "d"])
PAIRS = st.lists(st.tuples(LABELS, st.sampled_from(["a", "b", "c", "d", "outside", None])), min_size=1, max_size=60)
SURE = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


@given(PAIRS)
def test_accuracy_and_macro_f1_are_those_of_scikit_learn(pairs):
    truth = [t for t, _ in pairs]
    answer = [a if a is not None else "none" for _, a in pairs]
    raw = [a for _, a in pairs]
    assert metrics.accuracy(truth, raw) == pytest.approx(accuracy_score(truth, answer))
    expected = f1_score(truth, answer, labels=sorted(set(truth)), average="macro", zero_division=0)
    assert metrics.macro_f1(truth, raw) == pytest.approx(expected)


@given(PAIRS, st.integers(2, 6))
def test_macro_f1_over_large_classes_keeps_all_rows(pairs, minimum):
    truth = [t for t, _ in pairs]
    answer = [a if a is not None else "none" for _, a in pairs]
    large = [label for label in sorted(set(truth)) if truth.count(label) >= minimum]
    score = metrics.macro_f1(truth, [a for _, a in pairs], minimum)
    if large:
        assert score == pytest.approx(f1_score(truth, answer, labels=large, average="macro", zero_division=0))
    else:
        assert math.isnan(score)


@given(PAIRS, st.randoms())
def test_bounds_order_and_perfection(pairs, random):
    shuffled = pairs.copy()
    random.shuffle(shuffled)
    for metric in (metrics.accuracy, metrics.macro_f1):
        value = metric([t for t, _ in pairs], [a for _, a in pairs])
        assert 0 <= value <= 1
        assert value == pytest.approx(metric([t for t, _ in shuffled], [a for _, a in shuffled]))
        assert metric([t for t, _ in pairs], [t for t, _ in pairs]) == 1


def test_majority_answers_score_high_accuracy_and_low_macro_f1():
    truth = ["solid"] * 90 + ["striped"] * 6 + ["dotted"] * 4
    assert metrics.accuracy(truth, ["solid"] * 100) == pytest.approx(0.9)
    assert metrics.macro_f1(truth, ["solid"] * 100) == pytest.approx(2 * 0.9 / 1.9 / 3)


@given(SURE)
def test_calibration_error_is_that_of_torchmetrics(pairs):
    # torchmetrics keeps a bin of its own for exactly 1.0 and rounds to float32, so both are avoided.
    confidence = np.array([round(c, 3) * 0.9989 for c, _ in pairs])
    correct = np.array([r for _, r in pairs])
    expected = BinaryCalibrationError(n_bins=15, norm="l1")(torch.tensor(confidence), torch.tensor(correct).int())
    assert metrics.expected_calibration_error(confidence, correct) == pytest.approx(float(expected), abs=1e-5)


def test_a_confidence_outside_its_range_is_refused():
    with pytest.raises(ValueError, match="outside 0 to 1"):
        metrics.expected_calibration_error([0.5, float("nan")], [True, False])


@given(SURE, st.randoms())
def test_risk_curve_bounds_and_order(pairs, random):
    confidence, correct = [c for c, _ in pairs], [r for _, r in pairs]
    curve = metrics.coverage_risk(confidence, correct)
    assert curve.coverage[-1] == 1
    assert curve.risk[-1] == pytest.approx(1 - np.mean(correct))
    assert np.all(np.diff(curve.coverage) > 0) and np.all(np.diff(curve.threshold) < 0)
    assert np.all((curve.risk >= 0) & (curve.risk <= 1))
    order = list(range(len(pairs)))
    random.shuffle(order)
    area = metrics.area_under_risk(confidence, correct)
    assert area == pytest.approx(metrics.area_under_risk([confidence[i] for i in order], [correct[i] for i in order]))
    assert 0 <= area <= 1


@settings(max_examples=50)
@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_area_is_the_mean_risk_over_prefixes(correct):
    confidence = np.linspace(1, 0.01, len(correct))
    risks = [1 - np.mean(correct[: k + 1]) for k in range(len(correct))]
    assert metrics.area_under_risk(confidence, correct) == pytest.approx(np.mean(risks))


def test_blind_confidence_has_the_error_rate_as_its_area():
    correct = np.arange(200) % 5 != 0
    assert metrics.area_under_risk(np.full(200, 0.8), correct) == pytest.approx(0.2)


def test_coverage_at_a_stated_risk():
    curve = metrics.coverage_risk([0.9, 0.8, 0.7, 0.6, 0.5], [True, True, False, True, False])
    assert metrics.coverage_at_risk(curve, 0.0) == pytest.approx(0.4)
    assert metrics.coverage_at_risk(curve, 0.25) == pytest.approx(0.8)
    assert metrics.coverage_at_risk(curve, 0.4) == 1
    assert metrics.coverage_at_risk(metrics.coverage_risk([0.9, 0.1], [False, True]), 0.2) == 0


def test_confusion_counts_every_row_once():
    counts, names = metrics.confusion_matrix(["a", "a", "b", "b"], ["a", "b", "b", "z"])
    assert names == ["a", "b"]
    assert counts.tolist() == [[1, 1, 0], [0, 1, 1]]


def test_unlabelled_rows_are_refused():
    with pytest.raises(ValueError, match="truth is missing"):
        metrics.accuracy(["a", None], ["a", "a"])
    with pytest.raises(ValueError, match="not zero"):
        metrics.accuracy([], [])
