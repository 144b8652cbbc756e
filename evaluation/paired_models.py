"""Models of paired comparisons: strengths of versions with ties and side bias taken into account.

Belongs here: Davidson's tie model for one round and Bradley-Terry strengths over all versions of a family (the same
model where no tie was given), with intervals. Not here: the verdict, which rests on no model (preference.py).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.optimize import minimize
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.special import logsumexp

from catalog.errors import SelvedgeError
from evaluation.ballots import CANDIDATE, CHAMPION, PLAIN, RIGHT, SIDES, check_ballots
from evaluation.classification import Floats
from evaluation.intervals import GroupResamples, Interval, interval

# Of a quadratic penalty on log-strengths: too weak to move an estimate in its fourth digit, it keeps a version that
# never lost, or a resample without a pair, finite.
PENALTY = 1e-4


@dataclass(frozen=True)
class Strengths:
    """A fitted model. With sides even, version i beats j exp(strength_i - strength_j) times as often as it loses.

    versions: names, sorted. strength: (versions,) log, mean 0. side: log odds that being on the left adds; 0 where it
    was not fitted. tie: Davidson's nu >= 0, P(tie) / sqrt(P(win) P(loss)). intervals: of every strength, 95 %, None
    where none were asked for. side_interval: likewise.
    """

    versions: tuple[str, ...]
    strength: tuple[float, ...]
    side: float
    tie: float
    intervals: tuple[Interval, ...] | None = None
    side_interval: Interval | None = None

    def probabilities(self, first: str, second: str) -> tuple[float, float, float]:
        """P(first wins), P(second wins), P(tie or both bad), sides even."""
        number = {name: index for index, name in enumerate(self.versions)}
        half = (self.strength[number[first]] - self.strength[number[second]]) / 2
        win, loss, tie = np.exp(half), np.exp(-half), self.tie
        total = win + loss + tie
        return float(win / total), float(loss / total), float(tie / total)


def round_comparisons(ballots: pd.DataFrame, candidate: str = CANDIDATE, champion: str = CHAMPION) -> pd.DataFrame:
    """The plain ballots of a round as comparisons of two named versions.

    Returns:
        columns left, right (version names), side, rater, item; those of several rounds may be put together.
    """
    table = check_ballots(ballots)
    plain = table[table["kind"] == PLAIN]
    names = {CANDIDATE: candidate, CHAMPION: champion}
    others = {CANDIDATE: champion, CHAMPION: candidate}
    sides = {"left": plain["left"].map(names), "right": plain["left"].map(others)}
    return plain[["rater", "item", "side"]].assign(**sides).reset_index(drop=True)


def fit_strengths(comparisons: pd.DataFrame, side_bias: bool = True, resamples: int = 0, seed: int = 0) -> Strengths:
    """Maximum likelihood of log-strengths, side bias and ties; both_bad counts as a tie.

    Args:
        comparisons: columns left, right, side, and for intervals rater and item.
        side_bias: whether the left side gets a parameter of its own.
        resamples: of the cluster bootstrap, 0 for none; about 3 ms each. Items and raters are drawn independently and
            a ballot weighs their product, which is on the safe side for crossed clusters.

    Raises:
        SelvedgeError: no comparisons, an unknown side, a version against itself, or versions that no chain of
            comparisons connects.

    Sources: Davidson, JASA 1970, equation 2.3 (ties); Davidson and Beaver, Biometrics 1977 (order within the pair);
    Bradley and Terry, Biometrika 1952; Owen, Annals of Applied Statistics 2007 (bootstrap of crossed clusters).
    """
    if not len(comparisons):
        raise SelvedgeError("there are no comparisons to fit strengths to; collect ballots first.")
    if (wrong := ~comparisons["side"].isin(SIDES)).any():
        raise SelvedgeError(f"comparison {int(np.argmax(wrong))} has a side that is none of {', '.join(SIDES)}.")
    if (same := comparisons["left"] == comparisons["right"]).any():
        raise SelvedgeError(f"comparison {int(np.argmax(same))} sets a version against itself; leave it out.")
    versions = tuple(sorted({*comparisons["left"].astype(str), *comparisons["right"].astype(str)}))
    number = {name: index for index, name in enumerate(versions)}
    pairs = pd.DataFrame({end: comparisons[end].astype(str).map(number).to_numpy() for end in ("left", "right")})
    links = coo_array((np.ones(len(pairs)), (pairs["left"], pairs["right"])), shape=(len(versions),) * 2)
    if (islands := connected_components(links, directed=False)[0]) > 1:
        raise SelvedgeError(
            f"the versions fall into {islands} sets that were never compared with each other; fit each by itself."
        )
    order = pairs.groupby(["left", "right"], sort=True)
    pattern = order.ngroup().to_numpy()
    ends = np.array(list(order.groups), dtype=np.int64)
    answer = np.where(comparisons["side"] == "left", 0, np.where(comparisons["side"] == RIGHT, 1, 2))
    cell = pattern * 3 + answer
    cells = len(ends) * 3
    model = _Model(ends, len(versions), side_bias, bool((answer == 2).any()))
    parameters = model.fit(np.bincount(cell, minlength=cells).reshape(-1, 3))
    strength, side, tie = model.read(parameters)
    fitted = Strengths(versions, tuple(map(float, strength)), side, tie)
    if not resamples:
        return fitted
    weights = np.ones((resamples, len(comparisons)), dtype=np.float32)
    for step, by in enumerate(("item", "rater")):
        weights *= GroupResamples(comparisons[by], resamples, seed + step).row_weights(comparisons[by])
    replicates = [
        model.read(model.fit(np.bincount(cell, weights=row, minlength=cells).reshape(-1, 3), start=parameters))
        for row in weights[weights.sum(axis=1) > 0]
    ]
    of_strength = np.array([values for values, *_ in replicates])
    bounds = tuple(interval(point, of_strength[:, index]) for index, point in enumerate(strength))
    of_side = interval(side, [value for _, value, _ in replicates]) if side_bias else None
    return Strengths(versions, fitted.strength, side, tie, bounds, of_side)


class _Model:
    """The likelihood as a conditional logit: three answers a pair, utilities linear in the parameters, so concave.

    Parameters: a log-strength a version, the side bias where wanted, log nu where ties were given.
    """

    def __init__(self, ends: np.ndarray, versions: int, side_bias: bool, ties: bool) -> None:
        self.versions, self.side_bias, self.ties = versions, side_bias, ties
        size = versions + side_bias + ties
        lead = np.zeros((len(ends), size))
        rows = np.arange(len(ends))
        lead[rows, ends[:, 0]], lead[rows, ends[:, 1]] = 0.5, -0.5
        if side_bias:
            lead[:, versions] = 0.5
        tie = np.zeros_like(lead)
        if ties:
            tie[:, -1] = 1.0
        # (pairs, answers, parameters); without ties the third answer does not exist.
        self.features = np.stack([lead, -lead, tie] if ties else [lead, -lead], axis=1)

    def fit(self, counts: np.ndarray, start: Floats | None = None) -> Floats:
        """The parameters that make the (pairs, 3) counts most likely."""
        counts = counts[:, : self.features.shape[1]]
        totals = counts.sum(axis=1)
        width = self.features.shape[2]

        def loss(parameters: Floats) -> tuple[float, Floats]:
            utility = self.features @ parameters
            logs = utility - logsumexp(utility, axis=1, keepdims=True)
            gap = totals[:, None] * np.exp(logs) - counts
            gradient = np.einsum("pa,pak->k", gap, self.features) + PENALTY * parameters
            return float(PENALTY / 2 * parameters @ parameters - (counts * logs).sum()), gradient

        def curvature(parameters: Floats) -> Floats:
            utility = self.features @ parameters
            chance = np.exp(utility - logsumexp(utility, axis=1, keepdims=True))
            mean = np.einsum("pa,pak->pk", chance, self.features)
            second = np.einsum("p,pa,pak,pal->kl", totals, chance, self.features, self.features)
            return np.asarray(second - np.einsum("p,pk,pl->kl", totals, mean, mean) + PENALTY * np.eye(width))

        begin = np.zeros(width) if start is None else start
        solution = minimize(loss, begin, jac=True, hess=curvature, method="trust-exact", options={"gtol": 1e-7})
        return np.asarray(solution.x)

    def read(self, parameters: Floats) -> tuple[Floats, float, float]:
        """Strengths with mean 0, side bias, nu."""
        strength = parameters[: self.versions]
        side = float(parameters[self.versions]) if self.side_bias else 0.0
        return strength - strength.mean(), side, float(np.exp(parameters[-1])) if self.ties else 0.0
