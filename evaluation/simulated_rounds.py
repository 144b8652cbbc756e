"""Many rounds at once: the rule of the verdict after every ballot of every round, as arrays.

Belongs here: the arithmetic of `preference.judge_round` over (rounds, ballots) arrays of decided ballots, for the first
decision of a round and for simulations of many. Not here: the rule's reasons (preference.py), which ballots count
(ballots.py), drawing rounds (labeling/review/rounds/simulation.py, benchmarks/preference.py).
"""

import functools
import math
from collections.abc import Callable

import numpy as np

from evaluation.preference_plan import PreferencePlan
from evaluation.sequential import inside_band, intraclass_correlation, log_e_value

NO_END = 9
FEW_ROUNDS = 8
Evidence = Callable[[np.ndarray, np.ndarray], np.ndarray]


def running(clusters: np.ndarray, won: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ballots and wins of a ballot's cluster up to and with it: two (rounds, ballots) int32 arrays."""
    order = np.argsort(clusters, axis=1, kind="stable")
    grouped = np.take_along_axis(clusters, order, 1)
    wins = np.take_along_axis(won, order, 1).cumsum(1, dtype=np.int32)
    place = np.broadcast_to(np.arange(clusters.shape[1], dtype=np.int32), clusters.shape)
    starts = np.concatenate([np.ones_like(grouped[:, :1], dtype=bool), np.diff(grouped, axis=1) != 0], axis=1)
    start = np.maximum.accumulate(np.where(starts, place, 0), axis=1)
    before = np.take_along_axis(np.concatenate([np.zeros_like(wins[:, :1]), wins], axis=1), start, 1)
    size, own = np.empty_like(wins), np.empty_like(wins)
    np.put_along_axis(size, order, place - start + 1, 1)
    np.put_along_axis(own, order, wins - before, 1)
    return size, own


class Ballots:
    """Rounds of counted, decided ballots with all that the rules look at, after every ballot.

    won: (rounds, ballots) bool, for the candidate. rater, item: the same shape, int. raters: more than any rater's
    number. counted: which of the ballots count. place: the same shape, int, how many ballots count up to each, ties
    among them; without ties where it is not given.
    """

    def __init__(
        self,
        won: np.ndarray,
        rater: np.ndarray,
        item: np.ndarray,
        raters: int,
        counted: np.ndarray,
        place: np.ndarray | None = None,
    ) -> None:
        # Ballots that do not count move to the end, behind `length`.
        order = np.argsort(~counted, axis=1, kind="stable")
        self.won, self.rater, self.item = (np.take_along_axis(values, order, 1) for values in (won, rater, item))
        self.raters = raters
        self.length = counted.sum(1)
        self.s = self.won.cumsum(1, dtype=np.int32)
        self.n = np.broadcast_to(np.arange(1, won.shape[1] + 1, dtype=np.int32), won.shape)
        self.valid = self.n <= self.length[:, None]
        self.place = self.n if place is None else np.take_along_axis(place, order, 1)

    def design_effect(self) -> np.ndarray:
        """(rounds, ballots) float64, as `evaluation.ballots.design_effect` after every ballot."""
        value = np.ones(self.won.shape)
        for clusters in (self.rater, self.item):
            size, own = running(clusters, self.won)
            before = np.where(size > 1, (own - self.won) ** 2 / np.maximum(size - 1, 1), 0.0)
            within = (own**2 / size - before).cumsum(1)
            squares = (2 * size - 1).cumsum(1, dtype=np.int64)
            value += intraclass_correlation(self.n, self.s, (size == 1).cumsum(1), squares, within)[1] - 1
        return value

    def items(self) -> np.ndarray:
        """(rounds, ballots) int, the items with a decided ballot so far."""
        return (running(self.item, self.won)[0] == 1).cumsum(1)

    def without_one(
        self, row: np.ndarray, ballot: np.ndarray, evidence: Evidence, plan: PreferencePlan
    ) -> tuple[np.ndarray, np.ndarray]:
        """Whether the preference at each look stands without any one rater, and whether enough raters are there."""
        stands, quorum = np.ones(len(row), bool), np.zeros(len(row), np.int32)
        n, s = self.n[row, ballot], self.s[row, ballot]
        largest = np.zeros(len(row), np.int32)
        for rater in range(self.raters):
            own = self.rater == rater
            m = own.cumsum(1, dtype=np.int32)[row, ballot]
            w = (own & self.won).cumsum(1, dtype=np.int32)[row, ballot]
            same = (2 * (s - w) - (n - m)) * (2 * s - n) > 0
            stands &= (m == 0) | (same & (evidence(n - m, s - w) >= -math.log(plan.alpha)))
            quorum += m > 0
            largest = np.maximum(largest, m)
        return stands, (quorum >= plan.minimum_raters) & (largest <= plan.maximum_share * n)


def first_look(stops: np.ndarray) -> np.ndarray:
    """The first look at which a round stops, -1 where it does not."""
    return np.where(stops.any(1), stops.argmax(1), -1)


@functools.cache
def _table(ballots: int, shape: float) -> np.ndarray:
    won, of = np.arange(ballots + 1)[None], np.arange(ballots + 1)[:, None]
    return log_e_value(won, np.maximum(of - won, 0), 0.5, shape)


def log_evidence(ballots: Ballots, plan: PreferencePlan) -> Evidence:
    """Log e-value by (ballots, wins); from a table where there are many rounds: the counts are few, the looks many."""
    if len(ballots.won) < FEW_ROUNDS:
        return lambda n, s: log_e_value(s, n - s, 0.5, plan.shape)
    table = _table(ballots.won.shape[1], plan.shape)
    return lambda n, s: np.asarray(table[n, s])


def verdict_ends(ballots: Ballots, plan: PreferencePlan, asked: int = 0) -> np.ndarray:
    """How each round ends that is judged after every ballot, and where.

    Args:
        asked: ballots that a round asks for (`PreferencePlan.asked`); 0 where it has no end of its own.

    Returns:
        (rounds, 2) int: the decided ballots at the end, and 1 for preferred, -1 for not preferred, 0 for no difference,
        NO_END where no look decides.
    """
    evidence = log_evidence(ballots, plan)
    enough = ballots.valid & (ballots.n >= plan.minimum_ballots) & (ballots.items() >= plan.minimum_items)
    enough &= ballots.place >= plan.first_look(asked)
    clear = (evidence(ballots.n, ballots.s) >= -math.log(plan.alpha)) & enough
    # The band can be reached only where the undivided counts reach it, too: dividing widens the sequence.
    near = inside_band(ballots.s, ballots.n - ballots.s, plan.difference, plan.alpha, plan.shape)
    row, ballot = np.nonzero((clear | near) & enough)
    stands, quorum = ballots.without_one(row, ballot, evidence, plan)
    effect = ballots.design_effect()[row, ballot]
    s, n = ballots.s[row, ballot], ballots.n[row, ballot]
    won, lost = s / effect, (n - s) / effect
    level = log_e_value(won, lost, 0.5, plan.shape) >= -math.log(plan.alpha)
    small, decided = np.zeros_like(clear), np.zeros_like(clear)
    small[row, ballot] = quorum & inside_band(won, lost, plan.difference, plan.alpha, plan.shape)
    decided[row, ballot] = quorum & stands & level & clear[row, ballot]
    look = first_look(decided | small)
    rows = np.arange(len(look))
    direction = np.sign(2 * ballots.s[rows, look] - ballots.n[rows, look])
    direction = np.where(small[rows, look], 0, direction)
    end = np.where(look < 0, NO_END, direction)
    return np.stack([np.where(look < 0, ballots.length, look + 1), end], axis=1)
