"""The sequential test: how strongly ballots speak against an even preference, valid however often one looks.

Belongs here: the e-value of won and lost ballots, its confidence sequence, the clustering of ballots. Not here: which
ballots count (ballots.py), what follows from them (preference.py).

The e-value is the mixture likelihood ratio of p ~ Beta(a, a) against one p0: after s won and f lost ballots

    M(p0) = B(a + s, a + f) / B(a, a) / (p0^s (1 - p0)^f),

a martingale of mean 1 when every ballot is won with probability p0 given all earlier ones, so P(M ever reaches
1/alpha) <= alpha (Ville 1939): one may look after every ballot and stop when one likes. It is two-sided: at p0 = 1/2
both directions are equally likely to be reached, so an equal candidate is preferred with at most alpha / 2, and a
worse one more rarely. The confidence sequence is every p0 with M(p0) < 1/alpha.

Sources: Robbins, Ann. Math. Stat. 1970 (mixtures); Howard, Ramdas, McAuliffe, Sekhon, Ann. Stat. 2021, section 3.2
(conjugate mixtures); Waudby-Smith and Ramdas, JRSS B 2024 (e-values and confidence sequences for bounded means).
"""

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize.elementwise import find_root
from scipy.special import betaln, log_expit, logit

from evaluation.classification import Floats

SHAPE = 5.0  # of the Beta mixture: most sensitive around 70/30
ALPHA = 0.05


def log_e_value(won: ArrayLike, lost: ArrayLike, null: ArrayLike = 0.5, shape: float = SHAPE) -> Floats:
    """Natural logarithm of the mixture e-value against p = `null`; 0 without ballots.

    Args:
        won, lost: counts of any one shape, >= 0; fractions are taken, for counts divided by a design effect.
        null: in (0, 1), of a shape that broadcasts.
    """
    s, f, p = (np.asarray(value, dtype=np.float64) for value in (won, lost, null))
    return np.asarray(betaln(shape + s, shape + f) - betaln(shape, shape) - s * np.log(p) - f * np.log1p(-p))


def confidence_sequence(
    won: ArrayLike, lost: ArrayLike, alpha: float = ALPHA, shape: float = SHAPE
) -> tuple[Floats, Floats]:
    """Low and high end of {p0: M(p0) < 1/alpha}, for counts of any one shape; [0, 1] without ballots.

    Every p is inside at all looks together with probability 1 - alpha. The intervals of earlier looks are not
    intersected: that would be as valid for independent ballots, but a first impression that later ballots of the same
    raters take back would stay in the answer for ever, and a ballot can still be corrected or excluded.
    """
    s, f = np.broadcast_arrays(np.asarray(won, dtype=np.float64), np.asarray(lost, dtype=np.float64))
    low, mirrored = _low_end(np.stack([s, f]), np.stack([f, s]), alpha, shape)
    return low, 1.0 - mirrored


def _low_end(won: Floats, lost: Floats, alpha: float, shape: float) -> Floats:
    # log M is convex in p0 with its minimum, at most 0, at the share won: one root lies below it. On the logit scale,
    # where neither end of [0, 1] loses digits.
    def excess(position: Floats, s: Floats, f: Floats) -> Floats:
        mixture = betaln(shape + s, shape + f) - betaln(shape, shape)
        return np.asarray(mixture - s * log_expit(position) - f * log_expit(-position) + np.log(alpha))

    winning = won > 0
    if not np.any(winning):
        return np.zeros_like(won)
    share = np.where(winning, won / np.where(winning, won + lost, 1.0), 0.5)
    top = logit(np.clip(share, 1e-300, 1 - 1e-16))
    safe = np.where(winning, won, 1.0)
    root = find_root(excess, (np.full_like(top, -690.0), top), args=(safe, lost))
    # Without a change of sign M stays below 1/alpha down to p0 = 0.
    return np.where(winning & np.asarray(root.success), np.exp(log_expit(np.asarray(root.x))), 0.0)


def inside_band(
    won: ArrayLike, lost: ArrayLike, difference: float, alpha: float = ALPHA, shape: float = SHAPE
) -> np.ndarray:
    """Whether the confidence sequence lies strictly inside 0.5 +- difference: bool, of the shape of the counts."""
    s, f = np.asarray(won, dtype=np.float64), np.asarray(lost, dtype=np.float64)
    near = np.abs(s - f) < 2 * difference * (s + f)
    ends = [log_e_value(s, f, 0.5 + sign * difference, shape) for sign in (-1, 1)]
    return np.asarray(near & (np.minimum(*ends) > -np.log(alpha)))


def intraclass_correlation(
    ballots: ArrayLike, won: ArrayLike, clusters: ArrayLike, squares: ArrayLike, within: ArrayLike
) -> tuple[Floats, Floats]:
    """How alike the ballots of one cluster (rater or item) are, and their design effect, from sums over clusters.

    Args:
        ballots: n, number of decided ballots. won: s of them. clusters: k. squares: sum of n_j^2.
        within: sum of s_j^2 / n_j. All of one shape.

    Returns:
        icc: analysis-of-variance estimator, cut to [0, 1]; 0 where it is undefined (one cluster, one ballot each).
        design effect: 1 + (sum n_j^2 / n - 1) icc, at least 1.

    Sources: Ridout, Demetrio, Firth, Biometrics 1999, section 2.1; Kish, Survey Sampling, 1965, section 5.4.
    """
    n, s, k, q, v = (np.asarray(x, dtype=np.float64) for x in (ballots, won, clusters, squares, within))
    with np.errstate(invalid="ignore", divide="ignore"):
        between = (v - s * s / n) / (k - 1)
        inside = (s - v) / (n - k)
        usual = (n - q / n) / (k - 1)
        icc = (between - inside) / (between + (usual - 1) * inside)
        icc = np.clip(np.nan_to_num(icc, nan=0.0, posinf=0.0, neginf=0.0), 0.0, 1.0)
        return icc, 1.0 + np.where(n > 0, np.maximum(q / n - 1, 0.0), 0.0) * icc
