"""Simulated rounds: how often a true preference is found by the plan that production runs, and after how many ballots.

Belongs here: drawing rounds of annotators who resemble people, judged after every ballot. Not here: the rule
(evaluation/preference.py, as arrays evaluation/simulated_rounds.py), the table of error rates over thousands of rounds
(benchmarks/preference.py), what an order of the pairs does (benchmarks/round_order.py).

Annotators of a round take its pairs in turn, each pair gets `overlap` ballots of different annotators. Whether a ballot
is won is drawn from a normal variable with a part of the annotator's own and one of the product's, so that ballots are
as alike as the two intraclass correlations say (of wins and losses, at an even preference).
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from catalog.errors import SelvedgeError
from evaluation.preference_plan import INCONCLUSIVE, NO_DIFFERENCE, NOT_PREFERRED, PREFERRED, PreferencePlan
from evaluation.simulated_rounds import NO_END, Ballots, verdict_ends
from labeling.review.rounds.progress import Progress, silent

ENDS = {1: PREFERRED, -1: NOT_PREFERRED, 0: NO_DIFFERENCE, NO_END: INCONCLUSIVE}
CHUNK = 100  # rounds at once
POWER_ROUNDS = 400
SECONDS_A_PAIR = 12  # median of a person's vote


@dataclass(frozen=True)
class Panel:
    """Who judges a round, and how alike they are.

    Attributes:
        items: pairs shown. overlap: ballots asked for each. raters: annotators, at least `overlap`.
        ties: share of ballots that decide nothing. rater_icc, item_icc: intraclass correlations, in [0, 1).
    """

    items: int = 120
    overlap: int = 3
    raters: int = 5
    ties: float = 0.2
    rater_icc: float = 0.03
    item_icc: float = 0.2

    def __post_init__(self) -> None:
        for name, value in (("--items", self.items), ("--overlap", self.overlap), ("--raters", self.raters)):
            if value < 1:
                raise SelvedgeError(f"{name} {value} is too few; give at least 1.")
        if self.raters < self.overlap:
            raise SelvedgeError(
                f"--raters {self.raters} cannot give each pair {self.overlap} ballots; give more, or a lower --overlap."
            )
        for name, share in (("--ties", self.ties), ("--rater-icc", self.rater_icc), ("--item-icc", self.item_icc)):
            if not 0 <= share < 1:
                raise SelvedgeError(f"{name} is {share:g}; it must be at least 0 and below 1.")
        if self.rater_icc + self.item_icc >= 1:
            raise SelvedgeError("--rater-icc and --item-icc add up to 1 or more; no ballot could differ from another.")

    @property
    def minutes(self) -> float:
        """Of work, for each annotator."""
        return self.items * self.overlap / self.raters * SECONDS_A_PAIR / 60


@dataclass(frozen=True)
class Simulated:
    """What many rounds of one truth end in.

    Attributes:
        outcomes: outcome -> rounds. median_ballots, mean_ballots: counted ballots at the end, ties among them.
        decided_median: of those that were decided; None where none was.
    """

    outcomes: dict[str, int]
    median_ballots: float
    mean_ballots: float
    decided_median: float | None


def simulate_rounds(
    preference: float,
    rounds: int,
    panel: Panel | None = None,
    plan: PreferencePlan | None = None,
    seed: int = 0,
    progress: Progress = silent,
) -> Simulated:
    """Draw rounds and judge each after every ballot, until it is decided or all of its pairs are voted on.

    Args:
        preference: true share of decided votes for the candidate.

    Raises:
        SelvedgeError: there is no round to draw, or the plan would decide none.
    """
    if rounds < 1:
        raise SelvedgeError(f"--rounds {rounds} is too few; give at least 1.")
    panel, plan = panel or Panel(), plan or PreferencePlan()
    if panel.raters < plan.minimum_raters:
        raise SelvedgeError(
            f"--raters {panel.raters} is below the quorum of {plan.minimum_raters} of the plan, so every round would "
            "end as inconclusive; give more."
        )
    ends, counts = [], []
    for start in range(0, rounds, CHUNK):
        size = min(CHUNK, rounds - start)
        shares = np.full((size, panel.items * panel.overlap), preference)
        end, ballots = judge_drawn(shares, *in_turn(panel), panel, plan, np.random.default_rng([seed, start]))
        ends.append(end)
        counts.append(ballots)
        progress(start + size, rounds, "simulating")
    end, ballots = np.concatenate(ends), np.concatenate(counts)
    decided = ballots[end != NO_END]
    outcomes = {name: int((end == code).sum()) for code, name in ENDS.items()}
    return Simulated(
        {name: count for name, count in outcomes.items() if count},
        float(np.median(ballots)),
        float(ballots.mean()),
        float(np.median(decided)) if len(decided) else None,
    )


def power(panel: Panel, plan: PreferencePlan) -> dict[str, float]:
    """How often rounds of this size find a true preference: share of rounds, by the preference in per cent."""
    found = {}
    for preference in (0.60, 0.65, 0.70):
        outcomes = simulate_rounds(preference, POWER_ROUNDS, panel, plan).outcomes
        found[f"{preference:.0%}"] = outcomes.get(PREFERRED, 0) / POWER_ROUNDS
    return found


def judge_drawn(
    preference: np.ndarray,
    rater: np.ndarray,
    item: np.ndarray,
    panel: Panel,
    plan: PreferencePlan,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Draw the ballots of many rounds and judge each after every ballot.

    Args:
        preference: (rounds, ballots) float, the true share of decided votes for the candidate at each ballot.
        rater, item: (rounds, ballots) or (1, ballots) int, who votes on what, in order of arrival.

    Returns:
        (rounds,) the end of each round as in `verdict_ends`, and its ballots up to there.
    """
    shape = preference.shape
    rounds, number = shape
    # A pair of normal variables of correlation r agrees in sign as often as ballots of correlation 2/pi asin(r).
    own, products = (math.sin(math.pi / 2 * icc) for icc in (panel.rater_icc, panel.item_icc))
    who, what = np.broadcast_to(rater, shape), np.broadcast_to(item, shape)
    latent = (
        math.sqrt(own) * np.take_along_axis(rng.standard_normal((rounds, panel.raters)), who, 1)
        + math.sqrt(products) * np.take_along_axis(rng.standard_normal((rounds, panel.items)), what, 1)
        + math.sqrt(max(0.0, 1 - own - products)) * rng.standard_normal(shape)
    )
    won = latent < ndtri(preference)
    rows = zip(*np.broadcast_arrays(rater, item), strict=True)
    within = np.broadcast_to(np.stack([_within_caps(rater_, item_, plan) for rater_, item_ in rows]), shape)
    counted = (rng.random(shape) >= panel.ties) & within
    table = Ballots(won, who, what, panel.raters, counted, within.cumsum(1))
    last, end = verdict_ends(table, plan, plan.asked(panel.items, panel.overlap)).T
    place = np.argsort(~counted, axis=1, kind="stable")  # where the counted ballots stand among all
    ballots = np.where(end == NO_END, number, place[np.arange(rounds), np.maximum(last, 1) - 1] + 1)
    return end, ballots


def in_turn(panel: Panel) -> tuple[np.ndarray, np.ndarray]:
    """(1, ballots) rater and item: pair after pair, the annotators in turn."""
    number = np.arange(panel.items * panel.overlap)[None]
    return number % panel.raters, number // panel.overlap


def _within_caps(rater: np.ndarray, item: np.ndarray, plan: PreferencePlan) -> np.ndarray:
    """(ballots,) bool: those that the plan's caps let count, ties among them."""
    counted = np.zeros(len(rater), bool)
    by_rater, by_item = np.zeros(rater.max() + 1, int), np.zeros(item.max() + 1, int)
    for ballot, (who, what) in enumerate(zip(rater, item, strict=True)):
        if by_rater[who] < plan.rater_cap and by_item[what] < plan.item_cap and counted.sum() < plan.ballots_cap:
            counted[ballot] = True
            by_rater[who] += 1
            by_item[what] += 1
    return counted
