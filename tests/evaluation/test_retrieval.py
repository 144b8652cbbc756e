"""Retrieval figures: by hand, by scikit-learn, and by drawing random orders."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import ndcg_score

from catalog.errors import SelvedgeError
from evaluation.hierarchical import CrossedResamples, difference
from evaluation.retrieval import best_grades, chance, gain, mean_over_queries, precision, ranked_grades

GRADES = arrays(np.int64, (4, 12), elements=st.integers(0, 3))


def test_known_rankings():
    grades = [[3, 0, 2, 3]]
    ranked = ranked_grades(grades, [[0.1, 0.9, 0.5, 0.7]], 3)
    assert ranked.tolist() == [[0, 3, 2]]
    assert precision(ranked, 3) == pytest.approx([1 / 3])
    best = best_grades(grades, 3)
    assert best.tolist() == [[3, 3, 2]] and precision(best, 3) == pytest.approx([2 / 3])
    reached, possible = 3 / np.log2(3) + 2 / 2, 3 + 3 / np.log2(3) + 2 / 2
    assert gain(ranked, best) == pytest.approx([reached / possible])
    assert gain(best, best) == pytest.approx([1.0])


@given(GRADES, st.integers(0, 2**16), st.integers(1, 12))
def test_gain_agrees_with_scikit_learn(grades, seed, k):
    scores = np.random.default_rng(seed).permuted(np.tile(np.arange(12.0), (4, 1)), axis=1)
    ours = gain(ranked_grades(grades, scores, k), best_grades(grades, k))
    for row in range(4):
        if grades[row].any():
            assert ours[row] == pytest.approx(ndcg_score(grades[row : row + 1], scores[row : row + 1], k=k))
        else:
            assert np.isnan(ours[row])  # scikit-learn gives 0, which would count as a failure of the ranking


@given(GRADES, st.integers(0, 2**16))
def test_no_ranking_beats_the_best(grades, seed):
    scores = np.random.default_rng(seed).normal(size=grades.shape)
    ranked, best = ranked_grades(grades, scores, 5), best_grades(grades, 5)
    assert (precision(ranked, 3) <= precision(best, 3)).all()
    assert (np.nan_to_num(gain(ranked, best)) <= 1 + 1e-12).all()


def test_equal_scores_keep_the_order_given():
    assert ranked_grades([[1, 2, 3, 0]], np.zeros((1, 4)), 3).tolist() == [[1, 2, 3]]


def test_a_product_left_out_is_not_ranked():
    grades, scores = [[3, 1, 0]], [[9.0, 5.0, 1.0]]
    left_out = [[True, False, False]]
    assert ranked_grades(grades, scores, 2, left_out).tolist() == [[1, 0]]
    assert best_grades(grades, 2, left_out).tolist() == [[1, 0]]


def test_chance_is_the_mean_of_random_orders():
    rng = np.random.default_rng(0)
    grades = rng.integers(0, 4, (3, 30))
    left_out = rng.random((3, 30)) < 0.1
    expected = chance(grades, 10, 3, left_out)
    drawn = [ranked_grades(grades, rng.random((3, 30)), 10, left_out) for _ in range(3000)]
    best = best_grades(grades, 10, left_out)
    assert expected[0] == pytest.approx(np.mean([precision(ranking, 3) for ranking in drawn], axis=0), abs=0.01)
    assert expected[1] == pytest.approx(np.mean([gain(ranking, best) for ranking in drawn], axis=0), abs=0.01)


def test_a_mean_leaves_out_queries_without_a_value_and_pairs_what_is_compared():
    groups = [f"q{row}" for row in range(40)]
    rng = np.random.default_rng(1)
    base = rng.random(40)
    base[3] = np.nan
    draws = CrossedResamples(groups, 1, 400)
    ranking, other = mean_over_queries(base, groups, draws), mean_over_queries(base + 0.1, groups, draws)
    assert ranking.value == pytest.approx(np.nanmean(base))
    assert ranking.interval.low < ranking.value < ranking.interval.high
    apart = difference(other, ranking)
    assert (apart.interval.low, apart.interval.high) == pytest.approx((0.1, 0.1))


@pytest.mark.parametrize(
    ("grades", "scores", "k", "sentence"),
    [
        ([[1, 2]], [[1.0]], 1, "make no ranking"),
        (np.empty((0, 3)), np.empty((0, 3)), 1, "make no ranking"),
        ([[1, 2]], [[1.0, np.nan]], 1, "not finite"),
        ([[1, 2]], [[1.0, 2.0]], 3, "first 3 of 2 products"),
        ([[1, 2]], [[1.0, 2.0]], 0, "first 0 of 2 products"),
    ],
)
def test_what_is_no_ranking_is_refused(grades, scores, k, sentence):
    with pytest.raises(SelvedgeError, match=sentence):
        ranked_grades(grades, scores, k)
