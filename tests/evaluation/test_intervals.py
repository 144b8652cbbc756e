"""Group intervals: the fast way equals the slow one, groups widen them, and they cover what they promise."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evaluation import classification as metrics
from evaluation import intervals
from evaluation.intervals import GroupResamples

from .rows import answered, labelled

ROWS = answered(labelled(120), 0.7)
ONE = ROWS[ROWS["attribute"] == "neck"].reset_index(drop=True)


def rebuilt(frame: pd.DataFrame, statistic, resamples: int) -> np.ndarray:
    """The statistic of every resample, each built row by row."""
    weights = GroupResamples(frame["group_id"], resamples, seed=3).row_weights(frame["group_id"])
    return np.array([statistic(frame.iloc[np.repeat(np.arange(len(frame)), w.astype(int))]) for w in weights])


def test_fast_resampled_metrics_equal_the_metric_of_every_rebuilt_resample():
    weights = GroupResamples(ONE["group_id"], 25, seed=3).row_weights(ONE["group_id"])
    codes = metrics.encode(ONE["truth"], ONE["value"])
    correct = codes.truth == codes.answer
    right = ONE.assign(correct=correct)
    risk = intervals.resampled_risk(ONE["confidence"], correct, weights, [0.1])
    pairs = [
        (intervals.resampled_mean(correct, weights), lambda f: f["correct"].mean()),
        (intervals.resampled_macro_f1(codes, weights), lambda f: metrics.macro_f1(f["truth"], f["value"])),
        (
            intervals.resampled_calibration_error(ONE["confidence"], correct, weights),
            lambda f: metrics.expected_calibration_error(f["confidence"], f["correct"]),
        ),
        (
            risk.coverage_at[0.1],
            lambda f: metrics.coverage_at_risk(metrics.coverage_risk(f["confidence"], f["correct"]), 0.1),
        ),
    ]
    for fast, slow in pairs:
        np.testing.assert_allclose(fast, rebuilt(right, slow, 25), atol=1e-5)
    areas = rebuilt(right, lambda f: metrics.area_under_risk(f["confidence"], f["correct"]), 25)
    np.testing.assert_allclose(risk.area, areas, atol=1 / len(ONE))


def test_macro_f1_over_large_classes_keeps_its_classes_in_every_resample():
    codes = metrics.encode(["a"] * 30 + ["b"] * 3, ["a"] * 30 + ["a"] * 3)
    weights = GroupResamples(map(str, range(33)), 200, seed=0).row_weights(map(str, range(33)))
    only_a = intervals.resampled_macro_f1(codes, weights, minimum_support=20)
    assert np.all(only_a > 0.85)
    assert np.isnan(intervals.resampled_macro_f1(codes, weights, minimum_support=50)).all()


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("abcz"), st.integers(0, 9)), min_size=1, max_size=40))
def test_an_interval_holds_its_point_and_stays_in_bounds(rows):
    groups = [str(g) for *_, g in rows]
    codes = metrics.encode([t for t, *_ in rows], [a for _, a, _ in rows])
    weights = GroupResamples(groups, 60).row_weights(groups)
    f1, _ = metrics.class_f1(codes)
    for point, replicates in (
        (float(np.mean(codes.truth == codes.answer)), intervals.resampled_mean(codes.truth == codes.answer, weights)),
        (float(f1.mean()), intervals.resampled_macro_f1(codes, weights)),
    ):
        bounds = intervals.interval(point, replicates)
        assert 0 <= bounds.low <= point <= bounds.high <= 1 + 1e-6


def test_the_order_of_rows_and_groups_is_without_effect():
    resampled = []
    for rows in (ONE, ONE.sample(frac=1.0, random_state=5)):
        weights = GroupResamples(rows["group_id"], 80).row_weights(rows["group_id"])
        resampled.append(intervals.resampled_mean(rows["truth"] == rows["value"], weights))
    np.testing.assert_allclose(*resampled, rtol=1e-6)


def test_rows_that_stand_and_fall_together_widen_the_interval():
    rng = np.random.default_rng(0)
    right = np.repeat(rng.random(100) < 0.7, 8)
    together = np.repeat(np.arange(100), 8).astype(str)
    apart = np.arange(800).astype(str)
    width = {}
    for name, groups in (("together", together), ("apart", apart)):
        weights = GroupResamples(groups, 500).row_weights(groups)
        bounds = intervals.interval(float(right.mean()), intervals.resampled_mean(right, weights))
        width[name] = bounds.high - bounds.low
    assert width["together"] > 2 * width["apart"]


def test_nineteen_of_twenty_intervals_hold_the_truth():
    rng, held = np.random.default_rng(7), 0
    for trial in range(200):
        groups = np.repeat(np.arange(80), 2)
        right = (np.repeat(rng.random(80), 2) < 0.6).astype(float)
        weights = GroupResamples(groups.astype(str), 300, seed=trial).row_weights(groups.astype(str))
        bounds = intervals.interval(float(right.mean()), intervals.resampled_mean(right, weights))
        held += bounds.low <= 0.6 <= bounds.high
    assert 0.90 <= held / 200 <= 0.99


def test_paired_differences_are_sharper_than_their_sides():
    groups = [str(g) for g in range(300)]
    rng = np.random.default_rng(1)
    first = rng.random(300) < 0.7
    second = first | (rng.random(300) < 0.05)
    weights = GroupResamples(groups, 400).row_weights(groups)
    a, b = intervals.resampled_mean(first, weights), intervals.resampled_mean(second, weights)
    difference = intervals.interval(float(second.mean() - first.mean()), b - a)
    side = intervals.interval(float(first.mean()), a)
    assert difference.low > 0
    assert difference.high - difference.low < 0.5 * (side.high - side.low)


def test_no_groups_is_refused():
    with pytest.raises(ValueError, match="no groups"):
        GroupResamples([])
