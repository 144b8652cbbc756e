"""Strengths equal closed forms and published fits, and their intervals hold the truth."""

import numpy as np
import pandas as pd
import pytest

from catalog.errors import SelvedgeError
from evaluation.paired_models import fit_strengths, round_comparisons

from .votes import drawn, exchanged, table

# Agresti, Categorical Data Analysis: the American League East of 1987, wins of the home and of the visiting team.
BASEBALL = """
Milwaukee Detroit 4 3 Toronto 4 2 NewYork 4 3 Boston 6 1 Cleveland 4 2 Baltimore 6 0
Detroit Milwaukee 3 3 Toronto 4 2 NewYork 4 3 Boston 6 0 Cleveland 6 1 Baltimore 4 3
Toronto Milwaukee 2 5 Detroit 4 3 NewYork 2 4 Boston 4 3 Cleveland 4 2 Baltimore 6 0
NewYork Milwaukee 3 3 Detroit 5 1 Toronto 2 5 Boston 4 3 Cleveland 4 2 Baltimore 6 1
Boston Milwaukee 5 1 Detroit 2 5 Toronto 3 3 NewYork 4 2 Cleveland 5 2 Baltimore 6 0
Cleveland Milwaukee 2 5 Detroit 3 3 Toronto 3 4 NewYork 4 3 Boston 4 2 Baltimore 2 4
Baltimore Milwaukee 2 5 Detroit 1 5 Toronto 1 6 NewYork 2 4 Boston 1 6 Cleveland 3 4
"""


def baseball() -> pd.DataFrame:
    rows = []
    for line in BASEBALL.split("\n"):
        home, *games = line.split() or [""]
        for visitor, won, lost in zip(games[::3], games[1::3], games[2::3], strict=True):
            rows += [(home, visitor, side) for side, n in (("left", won), ("right", lost)) for _ in range(int(n))]
    return pd.DataFrame(rows, columns=["left", "right", "side"])


@pytest.mark.parametrize(
    ("home_advantage", "published", "side"),
    [
        (False, {"Boston": 1.1077, "Cleveland": 0.6839, "Detroit": 1.4364, "Milwaukee": 1.5814, "Toronto": 1.2945}, 0),
        (
            True,
            {"Boston": 1.1438, "Cleveland": 0.7047, "Detroit": 1.4754, "Milwaukee": 1.6196, "Toronto": 1.3271},
            0.3023,
        ),
    ],
)
def test_bradley_terry_equals_the_published_fit(home_advantage, published, side):
    fitted = fit_strengths(baseball(), side_bias=home_advantage)
    strength = dict(zip(fitted.versions, fitted.strength, strict=True))
    for team, value in published.items():
        assert strength[team] - strength["Baltimore"] == pytest.approx(value, abs=5e-4)
    assert fitted.side == pytest.approx(side, abs=5e-4)
    assert fitted.tie == 0 and sum(fitted.strength) == pytest.approx(0, abs=1e-9)


def comparisons(wins: int, losses: int, ties: int, left: str = "a", right: str = "b") -> pd.DataFrame:
    sides = ["left"] * wins + ["right"] * losses + ["tie"] * ties
    return pd.DataFrame({"left": left, "right": right, "side": sides})


def test_two_versions_have_a_closed_form():
    fitted = fit_strengths(comparisons(60, 20, 30), side_bias=False)
    assert fitted.strength[0] - fitted.strength[1] == pytest.approx(np.log(60 / 20), abs=1e-4)
    assert fitted.tie == pytest.approx(30 / np.sqrt(60 * 20), abs=1e-4)
    assert fitted.probabilities("a", "b") == pytest.approx((60 / 110, 20 / 110, 30 / 110), abs=1e-4)


def test_side_bias_is_told_from_preference():
    """Shares that follow the model exactly give its parameters back."""
    counts = []
    for left, right, lead in (("a", "b", 0.8), ("b", "a", -0.8)):
        weights = np.array([np.exp((lead + 0.5) / 2), np.exp(-(lead + 0.5) / 2), 0.4])
        counts.append(comparisons(*np.rint(1e4 * weights / weights.sum()).astype(int), left, right))
    fitted = fit_strengths(pd.concat(counts, ignore_index=True))
    assert fitted.strength[0] - fitted.strength[1] == pytest.approx(0.8, abs=1e-3)
    assert (fitted.side, fitted.tie) == pytest.approx((0.5, 0.4), abs=1e-3)
    blind = fit_strengths(pd.concat(counts, ignore_index=True), side_bias=False)
    assert 0.7 < blind.strength[0] - blind.strength[1] < 0.79  # left out, the bias hides some of the preference


def test_a_round_exchanged_gives_the_opposite_strengths():
    ballots = drawn(120, 0.7, ties=0.2)
    ours, theirs = (fit_strengths(round_comparisons(b, "v2", "v1")) for b in (ballots, exchanged(ballots)))
    assert ours.versions == ("v1", "v2") and ours.strength[1] > 0
    assert ours.strength == pytest.approx(theirs.strength[::-1], abs=1e-5)
    assert (ours.side, ours.tie) == pytest.approx((theirs.side, theirs.tie), abs=1e-5)


def test_both_bad_counts_as_a_tie():
    ballots = drawn(60, 0.6, ties=0.3)
    bad = ballots.assign(side=ballots["side"].replace("tie", "both_bad"))
    assert fit_strengths(round_comparisons(bad)) == fit_strengths(round_comparisons(ballots))


def test_intervals_hold_the_truth_and_widen_with_alike_raters():
    rng = np.random.default_rng(0)
    rater = rng.integers(0, 12, 600)
    taste = rng.normal(0, 1.5, 12)
    width = {}
    for name, lead in (("alike", 0.8 + taste[rater] * 0), ("apart", 0.8 + taste[rater])):
        chance = 1 / (1 + np.exp(-lead))
        sides = np.where(rng.random(600) < chance, "left", "right")
        frame = pd.DataFrame({"left": "a", "right": "b", "side": sides, "rater": rater.astype(str)})
        fitted = fit_strengths(frame.assign(item=np.arange(600).astype(str)), side_bias=False, resamples=120)
        assert fitted.intervals[0].low <= 0.4 <= fitted.intervals[0].high
        width[name] = fitted.intervals[0].high - fitted.intervals[0].low
    assert width["apart"] > 1.3 * width["alike"]


def test_a_version_that_never_lost_stays_finite():
    fitted = fit_strengths(comparisons(10, 0, 0), side_bias=False)
    assert 2 < fitted.strength[0] < 20


@pytest.mark.parametrize(
    ("frame", "sentence"),
    [
        (comparisons(0, 0, 0), "no comparisons"),
        (comparisons(1, 0, 0).assign(side="best"), "comparison 0 has a side"),
        (comparisons(1, 0, 0, "a", "a"), "sets a version against itself"),
        (pd.concat([comparisons(3, 2, 0), comparisons(3, 2, 0, "c", "d")], ignore_index=True), "fall into 2 sets"),
    ],
)
def test_what_cannot_be_fitted_is_refused(frame, sentence):
    with pytest.raises(SelvedgeError, match=sentence):
        fit_strengths(frame)


def test_only_plain_ballots_are_compared():
    assert len(round_comparisons(table([{}, {"kind": "aa", "left": None}, {"kind": "repeat"}]))) == 1
