"""Floors never share a group, resampled distances equal rebuilt ones, and paired models are told apart."""

import numpy as np
import pytest

from catalog.errors import SelvedgeError
from evaluation import generation_intervals as estimates
from evaluation.generation import frechet_distance, inception_score, kernel_distance
from evaluation.hierarchical import CrossedResamples, difference, relative_change
from evaluation.intervals import GroupResamples

N, D = 160, 6
GROUPS = [f"g{number // 2}" for number in range(N)]
PROMPTS = [f"p{number // 4}" for number in range(N)]
REAL = np.random.default_rng(0).standard_normal((N, D))
DRAWS = CrossedResamples(PROMPTS, 3, resamples=80, seed=2)


def trainings(shift: float = 0.0, noise: float = 0.02) -> np.ndarray:
    """Three trainings on one set of prompts; the same base, so that models are paired."""
    rng = np.random.default_rng(1)
    base = rng.standard_normal((3, N, D))
    return base + shift + noise * np.random.default_rng(3).standard_normal((3, N, D))


def test_a_floor_never_has_a_group_on_both_sides_and_takes_as_many_from_each():
    seen = []

    def measure(left: np.ndarray, right: np.ndarray) -> float:
        assert len(left) == len(right) and not set(left[:, 0]) & set(right[:, 0])
        seen.append(len(left))
        return float(len(seen))

    sizes = np.random.default_rng(0).integers(1, 7, 60)
    groups = np.repeat(np.arange(60), sizes)
    features = np.stack([groups, np.arange(len(groups))], axis=1).astype(float)
    floor = estimates.real_floor(features, [str(g) for g in groups], measure=measure, repeats=7)
    assert floor.distances == tuple(map(float, range(1, 8))) and floor.value == 4
    assert set(seen) == {floor.rows} and floor.rows > 0.4 * len(groups)
    fewer = estimates.real_floor(features, [str(g) for g in groups], rows=20, measure=measure, repeats=2)
    assert fewer.rows == 20 and seen[-1] == 20


def test_the_floor_of_the_kernel_distance_holds_0_and_that_of_frechet_falls_with_more_pictures():
    features = np.random.default_rng(5).standard_normal((800, 8))
    groups = [str(number // 2) for number in range(800)]
    kernel = estimates.real_floor(features, groups, measure=kernel_distance)
    assert kernel.low < 0 < kernel.high
    few, many = (estimates.real_floor(features, groups, rows=rows).value for rows in (50, 400))
    assert few == pytest.approx(8 * many, rel=0.35)


def test_resampled_frechet_distances_move_as_rebuilt_ones_do():
    fakes = trainings()
    resampled = estimates.frechet_estimate(REAL, GROUPS, fakes, PROMPTS, DRAWS)
    assert resampled.value == pytest.approx(np.mean([frechet_distance(REAL, fake) for fake in fakes]))
    of_real = GroupResamples(GROUPS, len(DRAWS), seed=1).row_weights(GROUPS).astype(int)
    of_prompt = DRAWS.prompt_weights(PROMPTS).astype(int)
    rebuilt = np.array(
        [
            DRAWS.seed_weights[index]
            @ [
                frechet_distance(REAL.repeat(of_real[index], axis=0), fake.repeat(of_prompt[index], axis=0))
                for fake in fakes
            ]
            for index in range(len(DRAWS))
        ]
    )
    assert rebuilt.mean() > 1.5 * resampled.value  # what the estimate takes off
    assert np.corrcoef(rebuilt, resampled.replicates)[0, 1] > 0.97
    assert resampled.replicates.mean() == pytest.approx(resampled.value, rel=0.1)
    assert resampled.interval.low < resampled.value < resampled.interval.high


def test_resampled_kernel_distances_leave_out_pairs_of_a_picture_with_itself(monkeypatch):
    monkeypatch.setattr(estimates, "ROWS_AT_ONCE", 64)
    fakes = trainings()[:1]
    draws = CrossedResamples(PROMPTS, 1, resamples=5)
    resampled = estimates.kernel_estimate(REAL, GROUPS, fakes, PROMPTS, draws)
    assert resampled.value == pytest.approx(kernel_distance(REAL, fakes[0]))
    of_real = GroupResamples(GROUPS, 5, seed=1).row_weights(GROUPS).astype(int)
    of_fake = draws.prompt_weights(PROMPTS).astype(int)

    def mean(left, rows_left, right, rows_right, same):
        values = (left[rows_left] @ right[rows_right].T / D + 1) ** 3
        return values[rows_left[:, None] != rows_right].mean() if same else values.mean()

    for index in range(5):
        real, fake = (np.repeat(np.arange(N), side[index]) for side in (of_real, of_fake))
        rebuilt = mean(REAL, real, REAL, real, True) + mean(fakes[0], fake, fakes[0], fake, True)
        rebuilt -= 2 * mean(REAL, real, fakes[0], fake, False)
        assert resampled.replicates[index] == pytest.approx(rebuilt)


@pytest.mark.parametrize("estimate", [estimates.frechet_estimate, estimates.kernel_estimate])
def test_a_worse_model_is_told_apart_in_pairs_and_a_model_from_itself_is_not(estimate):
    good, bad = (estimate(REAL, GROUPS, trainings(shift), PROMPTS, DRAWS) for shift in (0.0, 0.5))
    assert difference(bad, good).interval.low > 0
    assert relative_change(good, bad).interval.high < 0
    assert np.all(difference(good, good).replicates == 0)


def test_resampled_inception_scores_equal_the_score_of_every_rebuilt_resample():
    table = np.random.default_rng(0).dirichlet(np.full(4, 0.2), (3, N))
    resampled = estimates.inception_estimate(table, PROMPTS, DRAWS)
    assert resampled.value == pytest.approx(np.mean([inception_score(training) for training in table]))
    weights = DRAWS.prompt_weights(PROMPTS).astype(int)
    for index in range(0, 80, 20):
        of_seed = DRAWS.seed_weights[index]
        rebuilt = of_seed @ [inception_score(training.repeat(weights[index], axis=0)) for training in table]
        assert resampled.replicates[index] == pytest.approx(rebuilt)
    ceiling = estimates.inception_ceiling(np.eye(4)[np.arange(N) % 4], GROUPS, 80, N)
    assert ceiling.value == pytest.approx(4) and difference(ceiling, resampled).interval.low > 0


def test_accuracy_is_of_asked_attributes_and_of_one_attribute_where_wanted():
    wanted = np.full((N, 2), -1)
    wanted[:, 0] = np.arange(N) % 3
    wanted[::2, 1] = 1
    types = np.stack([np.eye(3)[np.arange(N) % 3]] * 3)
    colours = np.stack([np.eye(2)[np.zeros(N, int)]] * 3)
    resampled = {
        name: estimates.accuracy_estimate({"type": types, "colour": colours}, wanted, PROMPTS, DRAWS, name).value
        for name in (None, "type", "colour")
    }
    assert resampled == pytest.approx({None: 2 / 3, "type": 1.0, "colour": 0.0})


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: estimates.real_floor(REAL, GROUPS, rows=100), "at 100 pictures a side needs twice as many"),
        (lambda: estimates.real_floor(REAL, ["g"] * N), "1 of them different"),
        (lambda: estimates.real_floor(REAL, GROUPS[:-1]), "a group for each of its 160"),
        (lambda: estimates.frechet_estimate(REAL, GROUPS, trainings()[:, :-1], PROMPTS[:-1], DRAWS), "real and 159"),
        (lambda: estimates.frechet_estimate(REAL, GROUPS, trainings(), PROMPTS[:-1], DRAWS), "159 prompts"),
        (lambda: estimates.kernel_estimate(REAL, GROUPS, trainings()[0], PROMPTS, DRAWS), "pictures, columns"),
        (lambda: estimates.kernel_estimate(REAL, GROUPS, trainings()[:2], PROMPTS, DRAWS), "2 trainings and the"),
        (lambda: estimates.inception_ceiling(np.eye(4), list("abcd"), 10, 5), "a score on 5 pictures"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_a_sentence(call, sentence):
    with pytest.raises(SelvedgeError, match=sentence):
        call()
