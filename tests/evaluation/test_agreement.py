"""Agreement equals the published worked examples, and moves as it must."""

import math

import numpy as np
import pandas as pd
import pytest

from evaluation.agreement import krippendorff_alpha, rater_agreement, self_consistency

from .votes import answered, drawn, table


def alpha(*observers: str) -> float:
    """Of observers written as rows of one character a unit, a dot for a missing answer."""
    answers = [(unit, value) for row in observers for unit, value in enumerate(row) if value != "."]
    frame = pd.DataFrame(answers, columns=["unit", "answer"])
    return krippendorff_alpha(frame["unit"], frame["answer"], resamples=20).alpha


@pytest.mark.parametrize(
    ("observers", "published"),
    [
        # Krippendorff 2011, sections A, B and C.
        (["0100000010", "1110010000"], 0.095),
        (["aabbdcccedda", "babbbccceddd"], 0.692),
        (["123321412...", "1233224125.3", ".3332342251.", "12332441251."], 0.743),
        # The three coders with missing answers of Wikipedia's article.
        ([".....34121133.3", "1.213343.......", "..21344.21133.4"], 0.691),
    ],
)
def test_alpha_equals_published_examples(observers, published):
    assert alpha(*observers) == pytest.approx(published, abs=0.0006)


def brute_force(frame: pd.DataFrame) -> float:
    """Alpha from the list of all ordered pairs of answers within units, and of all answers."""
    kept = frame.groupby("unit")["answer"].filter(lambda rows: len(rows) > 1)
    observed = 0.0
    for _, rows in frame.loc[kept.index].groupby("unit")["answer"]:
        values = rows.tolist()
        pairs = [(a, b) for i, a in enumerate(values) for j, b in enumerate(values) if i != j]
        observed += sum(a != b for a, b in pairs) / (len(values) - 1)
    values = kept.tolist()
    expected = sum(a != b for i, a in enumerate(values) for j, b in enumerate(values) if i != j)
    return 1 - (len(values) - 1) * observed / expected


def test_alpha_equals_counting_pairs():
    rng = np.random.default_rng(1)
    frame = pd.DataFrame({"unit": rng.integers(0, 20, 70), "answer": rng.choice(list("abcd"), 70)})
    estimate = krippendorff_alpha(frame["unit"], frame["answer"])
    assert estimate.alpha == pytest.approx(brute_force(frame))
    assert estimate.low <= estimate.alpha <= estimate.high
    assert abs(estimate.alpha) < 0.2  # answers by chance


def test_agreement_is_perfect_absent_or_unknown():
    assert alpha("abab", "abab", "ab.b") == 1
    assert math.isnan(alpha("aaaa", "aaaa"))
    assert math.isnan(alpha("ab..", "..ab"))
    nothing = krippendorff_alpha(pd.Series([], dtype=object), pd.Series([], dtype=object))
    assert nothing.units == 0 and math.isnan(nothing.alpha)


def test_raters_who_see_the_same_agree():
    same = answered(np.repeat(["candidate", "champion", "tie", "candidate"], 3).tolist() * 5, raters=3, per_item=3)
    assert rater_agreement(same).alpha == 1
    assert rater_agreement(same).units == 20
    assert rater_agreement(drawn(30, 0.5)).units == 0  # one ballot an item says nothing about agreement


def test_a_steady_rater_and_one_who_presses_a_key():
    first = table([{"item": f"i{n}", "side": side} for n, side in enumerate(["left", "right", "tie", "left"])])
    again = first.assign(kind="repeat", left="champion")
    steady = again.assign(side=again["side"].replace({"left": "right", "right": "left"}))
    estimate = self_consistency(pd.concat([first, steady]))
    assert (estimate.repeats, estimate.same, estimate.same_side) == (4, 4, 0) and estimate.high == 1
    estimate = self_consistency(pd.concat([first, again]))
    assert (estimate.repeats, estimate.same, estimate.same_side) == (4, 1, 3)
    assert self_consistency(first).repeats == 0
