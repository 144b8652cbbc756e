"""Seeds and prompts are drawn together, comparisons are paired, and intervals hold the truth about as often as said."""

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.interval_coverage import coverage
from catalog.errors import SelvedgeError
from evaluation.hierarchical import (
    CrossedResamples,
    Resampled,
    combine,
    difference,
    gap_closed,
    relative_change,
)

PROMPTS = [f"p{number}" for number in range(12)]


def test_a_resampled_ratio_equals_the_ratio_of_every_rebuilt_resample():
    rng = np.random.default_rng(0)
    top, bottom = rng.random((3, 24)), rng.random((3, 24)) + 0.5
    prompts = [PROMPTS[number % 12] for number in range(24)]
    draws = CrossedResamples(PROMPTS, 3, resamples=20, seed=5)
    estimate = draws.ratio(top, bottom, prompts)
    assert estimate.value == pytest.approx(top.sum() / bottom.sum())
    weights = draws.prompt_weights(prompts).astype(int)
    for index in range(20):
        columns = np.repeat(np.arange(24), weights[index])
        of_seed = draws.seed_weights[index]
        rebuilt = of_seed @ top[:, columns].sum(axis=1) / (of_seed @ bottom[:, columns].sum(axis=1))
        assert estimate.replicates[index] == pytest.approx(rebuilt)


def test_pictures_of_one_prompt_are_drawn_together():
    draws = CrossedResamples(PROMPTS, 1, resamples=50)
    weights = draws.prompt_weights(["p3", "p3", "p4"])
    assert np.array_equal(weights[:, 0], weights[:, 1]) and not np.array_equal(weights[:, 0], weights[:, 2])
    assert np.all(draws.seed_weights == 1)
    assert CrossedResamples(PROMPTS, 4).seed_weights.sum(axis=1) == pytest.approx(1)


def test_paired_comparisons_are_surer_than_their_sides():
    rng = np.random.default_rng(1)
    hard = rng.random(200)
    prompts = [str(number) for number in range(200)]
    draws = CrossedResamples(prompts, 3)
    weak, strong = (
        draws.ratio(np.stack([hard + lift + 0.01 * rng.random(200) for _ in range(3)]), np.ones((3, 200)), prompts)
        for lift in (0.0, 0.02)
    )
    width = lambda figure: figure.interval.high - figure.interval.low  # noqa: E731
    apart = difference(strong, weak)
    assert apart.interval.low > 0.01 and width(apart) < width(strong) / 10
    assert relative_change(strong, weak).value == pytest.approx(strong.value / weak.value - 1)
    nothing = difference(weak, weak)
    assert nothing.value == 0 and np.all(nothing.replicates == 0)


def test_the_closed_gap_is_0_at_the_best_baseline_and_1_at_real_pictures():
    rng = np.random.default_rng(2)
    low, middle, high = (Resampled(value, value + 0.01 * rng.standard_normal(500)) for value in (0.4, 0.5, 0.9))
    real = Resampled(1.0, np.full(500, 1.0))
    assert gap_closed(middle, [low, middle], real).value == 0
    assert gap_closed(real, [low, middle], real).value == 1
    estimate = gap_closed(high, [low, middle], real)
    assert estimate.value == pytest.approx(0.8)
    assert 0.7 < estimate.interval.low < 0.8 < estimate.interval.high < 0.9 and estimate.undefined == 0
    with pytest.raises(SelvedgeError, match=r"no gap to close: real pictures reach 0\.500"):
        gap_closed(high, [middle], middle)
    with pytest.raises(SelvedgeError, match="needs a baseline"):
        gap_closed(high, [], real)


def test_resamples_without_a_gap_are_counted_as_undefined():
    best, real = Resampled(0.5, np.array([0.5, 0.7])), Resampled(0.6, np.array([0.6, 0.6]))
    estimate = gap_closed(best, [best], real)
    assert estimate.undefined == 0.5 and estimate.replicates[0] == 0


def test_a_figure_that_no_drawn_prompt_has_is_undefined():
    draws = CrossedResamples(["a", "b"], 1, resamples=200)
    estimate = draws.ratio([[1.0, 0.0]], [[1.0, 0.0]], ["a", "b"])
    assert estimate.value == 1 and 0.1 < estimate.undefined < 0.4
    assert estimate.interval.low == estimate.interval.high == 1
    assert np.isnan(draws.ratio([[0.0, 0.0]], [[0.0, 0.0]], ["a", "b"]).interval.low)


def test_a_training_without_a_value_makes_its_resamples_undefined():
    replicates = np.ones((30, 2))
    replicates[3, 1] = np.nan
    estimate = CrossedResamples(PROMPTS, 2, resamples=30).mean_over_seeds([1.0, 1.0], replicates)
    assert estimate.undefined == 1 / 30 and np.nanmax(np.abs(estimate.replicates - 1)) < 1e-9


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=8).filter(lambda values: np.std(values) > 0.1))
@settings(max_examples=25, deadline=None)
def test_where_trainings_alone_differ_the_interval_is_students(values):
    """Known truth: scipy's t interval of a mean, for any values."""
    draws = CrossedResamples(PROMPTS, len(values), resamples=20_000)
    found = draws.mean_over_seeds(values, np.broadcast_to(values, (20_000, len(values)))).interval
    half = scipy.stats.t.ppf(0.975, len(values) - 1) * scipy.stats.sem(values)
    assert found.high - np.mean(values) == pytest.approx(half, rel=0.12)
    assert np.mean(values) - found.low == pytest.approx(half, rel=0.12)


@pytest.mark.parametrize("trainings", [2, 3, 5])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_intervals_hold_the_truth_as_often_as_they_say(trainings, share):
    found = coverage(trainings, share, 250)
    assert found["Student's"][0] >= 0.92 > found["drawn"][0] - 0.02


def test_with_many_trainings_nothing_is_wider_than_it_was():
    found = coverage(40, 0.5, 40)
    assert found["Student's"][1] == pytest.approx(found["drawn"][1], rel=0.1)


def test_what_does_not_belong_together_is_refused_with_a_sentence():
    draws = CrossedResamples(PROMPTS, 2, resamples=10)
    with pytest.raises(SelvedgeError, match="has 3 trainings and the draws 2"):
        draws.ratio(np.ones((3, 1)), np.ones((3, 1)), ["p1"])
    with pytest.raises(SelvedgeError, match="prompt 'x' is none of those drawn"):
        draws.ratio(np.ones((2, 1)), np.ones((2, 1)), ["x"])
    with pytest.raises(SelvedgeError, match="different numbers of resamples"):
        combine(np.add, Resampled(1.0, np.ones(3)), Resampled(1.0, np.ones(4)))
    with pytest.raises(SelvedgeError, match="at least one prompt"):
        CrossedResamples([], 1)
