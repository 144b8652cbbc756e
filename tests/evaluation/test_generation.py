"""Distances between sets of pictures are what the books say, agree with torchmetrics, and refuse unequal sides."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import sqrtm
from torchmetrics.image.fid import FrechetInceptionDistance
from torchmetrics.image.inception import InceptionScore
from torchmetrics.image.kid import KernelInceptionDistance

from catalog.errors import SelvedgeError
from evaluation import generation


class Identity(torch.nn.Module):
    """Takes features for pictures."""

    def __init__(self, num_features: int) -> None:
        super().__init__()
        self.num_features = num_features

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features


def drawn(n: int, d: int, seed: int, spread: float = 1.0, shift: float = 0.0) -> np.ndarray:
    """Features of unequal, correlated dimensions."""
    rng = np.random.default_rng(seed)
    mix = np.random.default_rng(99).standard_normal((d, d)) / np.sqrt(d)
    return rng.standard_normal((n, d)) @ mix * spread + shift


def exactly(mean: np.ndarray, covariance: np.ndarray, n: int = 60, seed: int = 0) -> np.ndarray:
    """Features whose sample mean and covariance are the given ones."""
    raw = np.random.default_rng(seed).standard_normal((n, len(mean)))
    raw -= raw.mean(axis=0)
    white = raw @ np.linalg.inv(np.linalg.cholesky(np.cov(raw, rowvar=False)).T)
    return white @ np.linalg.cholesky(covariance).T + mean


SIDES = [(drawn(300, 16, 1), drawn(300, 16, 2)), (drawn(500, 64, 1), drawn(500, 64, 2, spread=1.4, shift=0.3))]


@pytest.mark.parametrize("sides", SIDES)
def test_the_frechet_distance_agrees_with_torchmetrics(sides):
    metric = FrechetInceptionDistance(feature=Identity(sides[0].shape[1]))
    for side, real in zip(sides, (True, False), strict=True):
        metric.update(torch.from_numpy(side), real=real)
    assert generation.frechet_distance(*sides) == pytest.approx(float(metric.compute()), rel=1e-5)


@pytest.mark.parametrize("sides", SIDES)
def test_the_kernel_distance_agrees_with_torchmetrics(sides):
    count = len(sides[0])
    metric = KernelInceptionDistance(feature=Identity(sides[0].shape[1]), subsets=1, subset_size=count)
    for side, real in zip(sides, (True, False), strict=True):
        metric.update(torch.from_numpy(side), real=real)
    expected = float(metric.compute()[0])
    assert generation.kernel_distance(*sides) == pytest.approx(expected, rel=1e-4, abs=1e-7)


def test_the_inception_score_agrees_with_torchmetrics():
    logits = drawn(400, 7, 5, spread=3.0)
    metric = InceptionScore(feature=Identity(7), splits=1)
    metric.update(torch.from_numpy(logits))
    probabilities = torch.from_numpy(logits).softmax(dim=1).numpy()
    assert generation.inception_score(probabilities) == pytest.approx(float(metric.compute()[0]), rel=1e-5)


def test_gaussians_of_known_moments_have_the_known_distance():
    first, second = np.diag([1.0, 4.0, 9.0]), np.diag([4.0, 4.0, 1.0])
    sides = exactly(np.zeros(3), first), exactly(np.array([1.0, 0.0, -2.0]), second, seed=1)
    # |mean difference|² + sum of (difference of standard deviations)², for covariances that commute
    assert generation.frechet_distance(*sides) == pytest.approx(5 + 1 + 0 + 4, rel=1e-9)
    rng = np.random.default_rng(4)
    a, b = (m @ m.T + 0.1 * np.eye(5) for m in rng.standard_normal((2, 5, 5)))
    expected = np.trace(a) + np.trace(b) - 2 * np.trace(sqrtm(a @ b).real)
    measured = generation.frechet_distance(exactly(np.zeros(5), a), exactly(np.zeros(5), b, seed=1))
    assert measured == pytest.approx(expected, rel=1e-7)


def test_nearly_singular_covariances_give_a_real_distance():
    flat = np.repeat(drawn(100, 2, 1), 10, axis=1)
    other = np.repeat(drawn(100, 2, 2), 10, axis=1)
    measured = generation.frechet_distance(flat, other)
    assert measured == pytest.approx(10 * generation.frechet_distance(flat[:, ::10], other[:, ::10]), rel=1e-4)


@pytest.mark.parametrize(("pictures", "share"), [(100, 0.34), (200, 0.17), (500, 0.070), (1000, 0.034)])
def test_the_bias_of_the_frechet_distance_falls_with_the_number_of_pictures(pictures, share):
    measured = [
        generation.frechet_distance(*np.random.default_rng([pictures, seed]).standard_normal((2, pictures, 64))) / 64
        for seed in range(4)
    ]
    assert np.mean(measured) == pytest.approx(share, rel=0.06)


def test_the_kernel_distance_of_one_distribution_is_0_on_average():
    distances = [
        generation.kernel_distance(*np.random.default_rng(seed).standard_normal((2, 400, 16))) for seed in range(20)
    ]
    assert abs(np.mean(distances)) < 3 * np.std(distances, ddof=1) / np.sqrt(20)
    assert min(distances) < 0 < max(distances)


def test_the_kernel_distance_is_the_sum_over_pairs_that_it_says(monkeypatch):
    monkeypatch.setattr(generation, "ROWS_AT_ONCE", 4)
    left, right = drawn(9, 3, 1), drawn(9, 3, 2)
    k = lambda a, b: (a @ b / 3 + 1) ** 3  # noqa: E731
    within = sum(k(s[i], s[j]) for s in (left, right) for i in range(9) for j in range(9) if i != j) / 72
    between = sum(k(a, b) for a in left for b in right) / 81
    assert generation.kernel_distance(left, right) == pytest.approx(within - 2 * between)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 6), st.integers(8, 30), st.floats(0.1, 10))
def test_distances_are_symmetric_and_blind_to_the_order_of_pictures(seed, d, n, scale):
    rng = np.random.default_rng(seed)
    left, right = rng.standard_normal((2, n, d)) * scale
    mixed = rng.permutation(n)
    for measure in (generation.frechet_distance, generation.kernel_distance):
        measured = measure(left, right)
        tolerance = {"rel": 1e-6, "abs": 1e-7 * max(1, scale**6)}
        assert measure(right, left) == pytest.approx(measured, **tolerance)
        assert measure(left[mixed], right) == pytest.approx(measured, **tolerance)
    assert generation.frechet_distance(left, right) >= 0
    assert generation.frechet_distance(left, left[mixed]) == pytest.approx(0, abs=1e-6 * scale**2)
    assert generation.frechet_distance(left, left + 3.0) == pytest.approx(9 * d, rel=1e-6)


@pytest.mark.parametrize("classes", [2, 3, 11])
def test_certain_answers_over_all_classes_score_as_many_as_there_are(classes):
    certain = np.eye(classes)[np.arange(10 * classes) % classes]
    assert generation.inception_score(certain) == pytest.approx(classes)
    assert generation.inception_score(certain[::classes]) == pytest.approx(1)
    assert generation.inception_score(np.full((20, classes), 1 / classes)) == pytest.approx(1)


def test_the_inception_score_depends_on_confidence_and_number_as_the_books_say():
    for confidence, score in ((0.9, 6.31), (0.7, 2.99)):
        unsure = np.full((1100, 11), (1 - confidence) / 10)
        unsure[np.arange(1100), np.arange(1100) % 11] = confidence
        assert generation.inception_score(unsure) == pytest.approx(score, abs=0.01)
    rng = np.random.default_rng(0)
    few = [generation.inception_score(np.eye(11)[rng.integers(0, 11, 50)]) for _ in range(200)]
    assert np.mean(few) == pytest.approx(9.85, abs=0.1)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(2, 8), st.integers(1, 40))
def test_the_inception_score_lies_between_1_and_the_number_of_classes(seed, classes, n):
    rng = np.random.default_rng(seed)
    table = rng.dirichlet(np.full(classes, 0.3), n)
    measured = generation.inception_score(table)
    assert 1 - 1e-9 <= measured <= classes + 1e-9
    assert generation.inception_score(table[rng.permutation(n)]) == pytest.approx(measured)


def test_accuracy_counts_only_what_the_prompt_asks_for():
    probabilities = {"type": np.eye(3)[[0, 1, 2, 0]], "colour": np.eye(2)[[0, 0, 1, 1]]}
    wanted = np.array([[0, -1], [1, 1], [0, 1], [-1, -1]])
    measured = generation.attribute_accuracy(probabilities, wanted)
    assert measured == pytest.approx({"type": 2 / 3, "colour": 1 / 2, "all": 3 / 5})
    nothing = generation.attribute_accuracy(probabilities, np.full((4, 2), -1))
    assert all(np.isnan(value) for value in nothing.values())


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda: generation.frechet_distance(drawn(9, 3, 0), drawn(8, 3, 0)), "9 real and 8 generated pictures"),
        (lambda: generation.kernel_distance(drawn(9, 3, 0), drawn(8, 3, 0)), "take equally many"),
        (lambda: generation.frechet_distance(drawn(8, 8, 0), drawn(8, 8, 1)), "more than 8 pictures a side and has 8"),
        (lambda: generation.kernel_distance(drawn(1, 8, 0), drawn(1, 8, 1)), "at least two pictures"),
        (lambda: generation.kernel_distance(drawn(9, 3, 0), drawn(9, 4, 0)), "3 features and generated ones 4"),
        (lambda: generation.kernel_distance(np.full((3, 2), np.nan), np.ones((3, 2))), "real picture 0 are not finite"),
        (lambda: generation.kernel_distance(np.ones(3), np.ones((3, 2))), "one row a picture"),
        (lambda: generation.inception_score(np.ones((3, 2))), "sum to 1"),
        (lambda: generation.inception_score(np.ones((0, 2))), "one row a picture"),
        (lambda: generation.attribute_accuracy({"type": np.eye(2)}, [[2], [0]]), "wants type 2"),
        (lambda: generation.attribute_accuracy({"type": np.eye(2)}, [[0, 1]]), "one column an attribute"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_with_a_sentence(call, sentence):
    with pytest.raises(SelvedgeError, match=sentence):
        call()
