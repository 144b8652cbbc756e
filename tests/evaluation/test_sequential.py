"""The sequential test keeps its promises exactly: mean one, error below alpha at all looks together, coverage."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import beta, binom

from evaluation.sequential import confidence_sequence, inside_band, intraclass_correlation, log_e_value

COUNTS = st.integers(0, 400)
NULLS = st.floats(0.02, 0.98)


@pytest.mark.parametrize(
    ("won", "lost", "null"), [(0, 0, 0.5), (9, 2, 0.5), (30, 41, 0.45), (3, 0, 0.1), (61, 23, 0.7)]
)
def test_the_e_value_is_the_likelihood_ratio_averaged_over_the_mixture(won, lost, null):
    def ratio(p: float) -> float:
        return beta.pdf(p, 5, 5) * (p / null) ** won * ((1 - p) / (1 - null)) ** lost

    assert math.exp(log_e_value(won, lost, null)) == pytest.approx(quad(ratio, 0, 1)[0], rel=1e-7)


@settings(deadline=None)
@given(COUNTS, COUNTS, NULLS)
def test_the_next_ballot_leaves_the_e_value_as_it_is_on_average(won, lost, null):
    gain, loss = (
        log_e_value(*after, null) - log_e_value(won, lost, null) for after in ((won + 1, lost), (won, lost + 1))
    )
    assert null * math.exp(gain) + (1 - null) * math.exp(loss) == pytest.approx(1, rel=1e-9)


@pytest.mark.parametrize("null", [0.5, 0.3])
@pytest.mark.parametrize("ballots", [1, 7, 40])
def test_the_mean_over_all_outcomes_is_one(ballots, null):
    won = np.arange(ballots + 1)
    mean = (binom.pmf(won, ballots, null) * np.exp(log_e_value(won, ballots - won, null))).sum()
    assert mean == pytest.approx(1, rel=1e-9)


def ever_reached(null: float, truth: float, ballots: int) -> tuple[float, float]:
    """Exact probability that the e-value reaches 20 within so many ballots, above and below the null."""
    alive, above, below = np.array([1.0]), 0.0, 0.0
    for n in range(1, ballots + 1):
        alive = np.append(alive * (1 - truth), 0) + np.insert(alive * truth, 0, 0)
        won = np.arange(n + 1)
        reached = log_e_value(won, n - won, null) >= math.log(20)
        above += alive[reached & (won > null * n)].sum()
        below += alive[reached & (won < null * n)].sum()
        alive[reached] = 0
    return above, below


def test_looking_after_each_of_a_thousand_ballots_errs_less_than_alpha():
    above, below = ever_reached(0.5, 0.5, 1000)
    assert above == pytest.approx(below, rel=1e-9)
    assert 0.02 < above + below <= 0.05
    assert ever_reached(0.5, 0.4, 1000)[0] < above  # a worse candidate is preferred more rarely still


@pytest.mark.parametrize("truth", [0.1, 0.3, 0.62])
def test_the_sequence_holds_the_truth_at_all_looks_together(truth):
    assert sum(ever_reached(truth, truth, 600)) <= 0.05


@settings(deadline=None)
@given(COUNTS, COUNTS, NULLS)
def test_the_sequence_is_every_share_that_the_e_value_does_not_reject(won, lost, share):
    low, high = confidence_sequence(won, lost)
    assert 0 <= low <= high <= 1
    assert not won + lost or low <= won / (won + lost) <= high
    evidence = float(log_e_value(won, lost, share))
    if abs(evidence - math.log(20)) > 1e-6:
        assert (low <= share <= high) == (evidence < math.log(20))


@settings(deadline=None)
@given(st.floats(0, 300), st.floats(0, 300))
def test_exchanging_the_sides_mirrors_everything(won, lost):
    assert log_e_value(won, lost) == pytest.approx(float(log_e_value(lost, won)), abs=1e-9)
    low, high = confidence_sequence(won, lost)
    mirrored_low, mirrored_high = confidence_sequence(lost, won)
    assert (low, high) == pytest.approx((1 - mirrored_high, 1 - mirrored_low), abs=1e-12)


@settings(deadline=None)
@given(st.integers(0, 3000), st.integers(0, 3000), st.sampled_from([0.03, 0.05, 0.1]))
def test_the_band_asks_what_the_sequence_says(won, lost, difference):
    low, high = confidence_sequence(won, lost)
    assert bool(inside_band(won, lost, difference)) == bool(0.5 - difference < low and high < 0.5 + difference)


def test_thousands_of_ballots_stay_finite():
    assert np.isfinite(log_e_value([10**6, 0], [0, 10**6])).all()
    assert np.isfinite(confidence_sequence([10**6, 0, 5 * 10**5], [0, 10**6, 5 * 10**5])).all()


def of_clusters(sizes: np.ndarray, wins: np.ndarray) -> tuple[float, float]:
    correlation = intraclass_correlation(sizes.sum(), wins.sum(), len(sizes), (sizes**2).sum(), (wins**2 / sizes).sum())
    return float(correlation[0]), float(correlation[1])


def test_intraclass_correlation_is_the_analysis_of_variance_of_the_ballots():
    clusters = [[1, 1, 0, 1], [0, 0, 1], [1, 1, 1, 1, 0, 1], [0, 0]]
    everything = np.concatenate(clusters)
    between = sum(len(c) * (np.mean(c) - everything.mean()) ** 2 for c in clusters) / 3
    within = sum(((np.array(c) - np.mean(c)) ** 2).sum() for c in clusters) / (15 - 4)
    usual = (15 - sum(len(c) ** 2 for c in clusters) / 15) / 3
    icc, effect = of_clusters(np.array([4, 3, 6, 2]), np.array([3, 1, 5, 0]))
    assert icc == pytest.approx((between - within) / (between + (usual - 1) * within))
    assert effect == pytest.approx(1 + (65 / 15 - 1) * icc)


def test_intraclass_correlation_finds_what_was_planted():
    rng = np.random.default_rng(0)
    sizes = np.full(400, 30)
    assert of_clusters(sizes, rng.binomial(30, rng.beta(2, 2, 400)))[0] == pytest.approx(0.2, abs=0.03)
    assert of_clusters(sizes, rng.binomial(30, 0.5, 400))[0] < 0.01
    assert of_clusters(np.ones(50, int), rng.binomial(1, 0.5, 50)) == (0, 1)
    assert of_clusters(np.array([12]), np.array([7])) == (0, 1)
