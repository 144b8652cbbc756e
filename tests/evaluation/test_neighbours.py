"""Copies of training pictures are found, honest pictures are not accused, and missing kinds are named."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import NearestNeighbors

from catalog.errors import SelvedgeError
from evaluation import neighbours


def drawn(n: int, seed: int, d: int = 8) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((n, d))


TRAIN, HELDOUT = drawn(600, 0), drawn(300, 1)


def test_nearest_pictures_are_those_that_scikit_learn_finds(monkeypatch):
    monkeypatch.setattr(neighbours, "ROWS_AT_ONCE", 70)
    distance, index = neighbours.nearest_real(HELDOUT, TRAIN)
    expected = NearestNeighbors(n_neighbors=1).fit(TRAIN).kneighbors(HELDOUT)
    np.testing.assert_allclose(distance, expected[0][:, 0])
    assert np.array_equal(index, expected[1][:, 0])


def test_fresh_pictures_of_the_same_distribution_are_innocent():
    report = neighbours.memorisation(drawn(300, 2), TRAIN, HELDOUT)
    assert report.closer == pytest.approx(0.5, abs=0.06)
    assert report.copies < 0.04
    np.testing.assert_allclose(report.generated[3:], report.heldout[3:], rtol=0.12)


def test_copies_are_found_and_pictures_of_something_else_are_far():
    copies = TRAIN[:300] + 0.01 * drawn(300, 3)
    report = neighbours.memorisation(copies, TRAIN, HELDOUT)
    assert report.closer > 0.99 and report.copies > 0.99
    assert np.array_equal(report.nearest, np.arange(300))
    half = neighbours.memorisation(np.concatenate([copies[:30], drawn(270, 4)]), TRAIN, HELDOUT)
    assert half.copies == pytest.approx(0.1, abs=0.03)
    exact = neighbours.memorisation(TRAIN[:20], TRAIN, HELDOUT)
    assert np.all(exact.distance == 0)
    assert neighbours.memorisation(drawn(300, 5) + 9.0, TRAIN, HELDOUT).closer < 0.01


def test_coverage_is_high_for_the_same_distribution_and_falls_with_lost_modes():
    left = drawn(500, 6)
    assert neighbours.coverage(left, drawn(500, 7)) == pytest.approx(1 - 2**-5, abs=0.03)
    half = drawn(500, 8)  # nothing below 1 in one feature: less than half of the real ones have that
    half[:, 0] = np.abs(half[:, 0]) + 1.0
    assert neighbours.coverage(left, half) < 0.55
    assert neighbours.coverage(left, np.repeat(left[:1], 500, axis=0)) < 0.05


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10**6), st.integers(8, 40), st.integers(1, 5))
def test_coverage_is_a_share_that_more_pictures_never_lower(seed, n, k):
    rng = np.random.default_rng(seed)
    left, right = rng.standard_normal((2, n, 3))
    fewer, all_of_them = neighbours.coverage(left, right[: n // 2], k), neighbours.coverage(left, right, k)
    assert 0 <= fewer <= all_of_them <= 1
    assert neighbours.coverage(left, left, k) == 1
    assert neighbours.coverage(left, right[rng.permutation(n)], k) == all_of_them


def test_missing_combinations_are_named_the_commonest_first():
    real = np.array([[0, 0]] * 5 + [[0, 1]] * 3 + [[1, 1]] * 2)
    report = neighbours.modes_covered(real, np.array([[0, 0], [2, 2]]))
    assert (report.real, report.covered, report.mass) == (3, 1, 0.5)
    assert report.share == pytest.approx(1 / 3) and report.missing == ((0, 1), (1, 1))
    assert neighbours.modes_covered(real, real).missing == ()


def test_bad_input_is_refused_with_a_sentence():
    with pytest.raises(SelvedgeError, match="8 and 7 columns"):
        neighbours.nearest_real(HELDOUT, TRAIN[:, :7])
    with pytest.raises(SelvedgeError, match="coverage by 5 neighbours"):
        neighbours.coverage(TRAIN[:5], TRAIN)
    with pytest.raises(SelvedgeError, match="one row a picture on both sides"):
        neighbours.modes_covered(np.ones((3, 2)), np.ones((3, 3)))
