"""Seeds and prompts are drawn together, comparisons are paired, and intervals hold the truth about as often as said."""

import numpy as np
import pytest

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
        seeds = np.repeat(np.arange(3), draws.seed_weights[index].astype(int))
        columns = np.repeat(np.arange(24), weights[index])
        rebuilt = top[np.ix_(seeds, columns)].sum() / bottom[np.ix_(seeds, columns)].sum()
        assert estimate.replicates[index] == pytest.approx(rebuilt)


def test_pictures_of_one_prompt_are_drawn_together():
    draws = CrossedResamples(PROMPTS, 1, resamples=50)
    weights = draws.prompt_weights(["p3", "p3", "p4"])
    assert np.array_equal(weights[:, 0], weights[:, 1]) and not np.array_equal(weights[:, 0], weights[:, 2])
    assert np.all(draws.seed_weights == 1)
    assert np.all(CrossedResamples(PROMPTS, 4).seed_weights.sum(axis=1) == 3)


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


def test_a_seed_that_was_not_drawn_cannot_spoil_a_mean():
    draws = CrossedResamples(PROMPTS, 2, resamples=30)
    replicates = np.where(draws.seed_weights > 0, 1.0, np.nan)
    assert np.all(draws.mean_over_seeds([1.0, 1.0], replicates).replicates == 1)


@pytest.mark.parametrize(("seeds", "least"), [(3, 0.86), (5, 0.89)])
def test_intervals_hold_the_truth_about_as_often_as_the_docstring_says(seeds, least):
    """Prompt and seed effects of equal share in the variance of the figure; truth 0."""
    inside, prompts = 0, [str(number) for number in range(60)]
    for trial in range(300):
        rng = np.random.default_rng(trial)
        values = rng.standard_normal((seeds, 1)) / np.sqrt(60 / seeds) + rng.standard_normal(60)
        values = values + 0.3 * rng.standard_normal((seeds, 60))
        estimate = CrossedResamples(prompts, seeds, resamples=400, seed=trial).ratio(
            values, np.ones_like(values), prompts
        )
        inside += estimate.interval.low <= 0 <= estimate.interval.high
    assert inside / 300 > least


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
