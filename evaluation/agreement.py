"""Agreement: do raters see the same, and does a rater see the same twice?

Belongs here: Krippendorff's alpha for named answers, self-consistency on repeats. Not here: whether ballots suffice for
a verdict (preference.py). Written here because the package of that name is GPL.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import binomtest

from evaluation.ballots import PLAIN, REPEAT, check_ballots
from evaluation.classification import Floats
from evaluation.intervals import GroupResamples, interval


@dataclass(frozen=True)
class Agreement:
    """alpha: 1 perfect, 0 as by chance; NaN where no unit has two answers or only one answer was ever given.

    low, high: 95 %, units resampled. units: with at least two answers. answers: in those units.
    """

    alpha: float
    low: float
    high: float
    units: int
    answers: int


def krippendorff_alpha(units: pd.Series, answers: pd.Series, resamples: int = 1000, seed: int = 0) -> Agreement:
    """Krippendorff's alpha for nominal data, any number of raters, missing answers left out.

    Args:
        units, answers: (n,) what was judged and the answer, one row an answer; who gave it is without effect. Missing
            answers may be left out or be NaN.

    With n_uc answers c on unit u, m_u on it, n_c and n in all, over units with m_u >= 2:
    alpha = 1 - (n - 1) sum_u [(m_u^2 - sum_c n_uc^2) / (m_u - 1)] / (n^2 - sum_c n_c^2).

    Source: Krippendorff, Computing Krippendorff's Alpha-Reliability, 2011, section C. The interval resamples units
    (items differ in difficulty) in place of the paper's disagreements.
    """
    frame = pd.DataFrame({"unit": units.to_numpy(), "answer": answers.to_numpy()}).dropna()
    frame = frame[frame.duplicated("unit", keep=False)]
    table = pd.crosstab(frame["unit"], frame["answer"]).to_numpy(dtype=np.float64)
    if not len(table):
        return Agreement(float("nan"), float("nan"), float("nan"), 0, 0)
    names = [str(number) for number in range(len(table))]
    weights = GroupResamples(names, resamples, seed).row_weights(names)
    point = float(_alpha(table, np.ones((1, len(table)), dtype=np.float32))[0])
    bounds = interval(point, _alpha(table, weights))
    return Agreement(point, bounds.low, bounds.high, len(table), int(table.sum()))


def _alpha(table: Floats, weights: NDArray[np.float32]) -> Floats:
    sizes = table.sum(axis=1)
    disagreement = weights.astype(np.float64) @ ((sizes**2 - (table**2).sum(axis=1)) / (sizes - 1))
    totals = weights.astype(np.float64) @ table
    n = totals.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(1 - (n - 1) * disagreement / (n**2 - (totals**2).sum(axis=1)))


def rater_agreement(ballots: pd.DataFrame, resamples: int = 1000, seed: int = 0) -> Agreement:
    """Krippendorff's alpha of the four choices over the items of plain ballots."""
    table = check_ballots(ballots)
    plain = table[table["kind"] == PLAIN]
    return krippendorff_alpha(plain["item"], plain["choice"], resamples, seed)


@dataclass(frozen=True)
class Consistency:
    """Answers to repeats. same: chose the same version (or tie, both bad) again; same_side: pressed the same key, left
    or right, on a pair whose sides were swapped: the mark of a rater who does not look. low, high: exact 95 % of same.
    """

    repeats: int
    same: int
    same_side: int
    low: float
    high: float


def self_consistency(ballots: pd.DataFrame) -> Consistency:
    """How often a rater gives the same answer to a pair shown again with sides swapped.

    Source of the interval: Clopper and Pearson, Biometrika 1934. Repeats without their plain ballot are left out.
    """
    table = check_ballots(ballots)
    first, again = table[table["kind"] == PLAIN], table[table["kind"] == REPEAT]
    both = again.merge(first, on=["rater", "item"], suffixes=("", "_first"))
    both = both[both["left"] != both["left_first"]]
    same = int((both["choice"] == both["choice_first"]).sum())
    same_side = int(((both["side"] == both["side_first"]) & both["side"].isin(["left", "right"])).sum())
    if not len(both):
        return Consistency(0, 0, 0, 0.0, 1.0)
    bounds = binomtest(same, len(both)).proportion_ci()
    return Consistency(len(both), same, same_side, float(bounds.low), float(bounds.high))
