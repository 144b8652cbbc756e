"""The verdict: what a round of blind ballots says about a candidate. A plan and ballots in, a verdict with reasons out.

Belongs here: the verdict, the path of the evidence, the forecast. Not here: the plan (preference_plan.py), the test
itself (sequential.py), which ballots count (ballots.py), ties, side bias and strengths (paired_models.py), promotion
(gate.py).

A preference is accepted when three things hold at one look, with a quorum present:

1. the e-value of the decided ballots reaches 1/alpha. This alone holds the error at alpha for independent ballots;
2. it still does when the ballots are divided by their design effect. Ballots of one rater or one item resemble each
   other; without this, 5 raters of intraclass correlation 0.2 give a false preference in two rounds of three;
3. it still does without any one rater. "Still" means that the others reach 1/alpha in the same direction by
   themselves; asking only that the majority stays was simulated and catches next to nothing, because the majority of
   four raters who share a wrong impression does not turn.

A plan that says so is judged after every ballot in order of arrival, and its first decision stands: who looks, and
when, is without effect, and ballots that arrive after the decision are not counted. It decides nothing on the first
part of a round: a test that may stop at any ballot is right about the ballots up to there, and wrong about people who
change their minds later (`python -m benchmarks.round_order`).

`no_difference`: the confidence sequence of ballots divided by their design effect lies inside the band of differences
too small to matter, also where it excludes one half. Candidate and champion are treated alike: exchanging them
exchanges `preferred` and `not_preferred`. Rates and costs of these rules: `python -m benchmarks.preference`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from evaluation.ballots import (
    CANDIDATE,
    CHAMPION,
    CHOICES,
    COUNTED,
    DesignEffect,
    blind,
    check_ballots,
    count_ballots,
    design_effect,
    exclude_raters,
)
from evaluation.preference_plan import INCONCLUSIVE, NO_DIFFERENCE, NOT_PREFERRED, PREFERRED, PreferencePlan
from evaluation.sequential import confidence_sequence, inside_band, log_e_value
from evaluation.simulated_rounds import NO_END, Ballots, verdict_ends

OPEN = "open"
AFTERWARDS = "after the decision"  # why a ballot does not count
DRAWS, LOOKS = 400, 250  # of the forecast: its median moves by about 5 % with another seed


@dataclass(frozen=True)
class Forecast:
    """Counted ballots still needed, if raters go on as they did.

    median, low, high: the middle and the 10th and 90th percentile. ends: verdict -> probability at the plan's cap.
    """

    median: int
    low: int
    high: int
    ends: Mapping[str, float]


@dataclass(frozen=True)
class Judgement:
    """What is known at one look. Plain data: `dataclasses.asdict` of it is JSON.

    outcome: one of VERDICTS, or `open`. reasons: sentences. counts: choice -> counted plain ballots.
    uncounted: rule -> plain ballots left out. excluded: rater -> reason. raters: rater -> decided ballots.
    e_value, low, high: of the decided ballots as they are. effective_…: divided by their design effect.
    without_rater: rater -> e-value of all others, 0 where they favour the other version. E-values end at 1e300.
    """

    outcome: str
    reasons: tuple[str, ...]
    plan_sha256: str
    counts: Mapping[str, int]
    uncounted: Mapping[str, int]
    excluded: Mapping[str, str]
    raters: Mapping[str, int]
    e_value: float
    low: float
    high: float
    effective_e_value: float
    effective_low: float
    effective_high: float
    design_effect: DesignEffect
    without_rater: Mapping[str, float]
    forecast: Forecast | None


def judge_round(
    ballots: pd.DataFrame, plan: PreferencePlan, closed: bool = False, forecast: bool = True, asked: int = 0
) -> Judgement:
    """The verdict on the ballots so far, as the plan says: of the first ballot at which they decide, or of all of them,
    where every look stands by itself.

    Args:
        ballots: in order of arrival, columns as in ballots.py; all of the round, not only the newest.
        closed: no ballot will follow, so an open round ends as inconclusive.
        forecast: simulate how many ballots are still needed (some hundredths of a second), for open rounds only.
        asked: ballots that the round asks for (`PreferencePlan.asked`); 0 where it has no end of its own.

    Raises:
        SelvedgeError: the ballots are not as ballots.py says.
    """
    table = check_ballots(ballots)
    excluded = exclude_raters(blind(table), plan)
    fates = ballot_fates(table, excluded, plan, asked)
    counted = table.loc[fates.index[fates == COUNTED]]
    decided = counted[counted["choice"].isin([CANDIDATE, CHAMPION])]
    counts = {choice: int((counted["choice"] == choice).sum()) for choice in CHOICES}
    won, lost = counts[CANDIDATE], counts[CHAMPION]
    effect = design_effect(decided)
    raters = {str(name): int(count) for name, count in decided.groupby("rater").size().items()}
    others = _without_each_rater(decided, won, lost)
    without = {name: _e_value(s, f, plan) * ((s - f) * (won - lost) > 0) for name, (s, f) in others.items()}
    effective = won / effect.value, lost / effect.value
    lows, highs = confidence_sequence([won, effective[0]], [lost, effective[1]], plan.alpha, plan.shape)
    (low, effective_low), (high, effective_high) = lows, highs
    e_value, effective_e_value = _e_value(won, lost, plan), _e_value(*effective, plan)

    lacks = _lacks_of_quorum(raters, decided["item"].nunique(), plan)
    given = 0 if decided.empty else int((counted.index <= decided.index[-1]).sum())  # a tie decides nothing
    if given < plan.first_look(asked):
        lacks.append(f"nothing is decided before ballot {plan.first_look(asked)} of {asked}.")
    doubts = _doubts(e_value, effective_e_value, effect.value, without, plan)
    at_cap = len(counted) >= plan.ballots_cap
    if not lacks and inside_band(*effective, plan.difference, plan.alpha, plan.shape):
        outcome = NO_DIFFERENCE
        band = f"{0.5 - plan.difference:.0%} to {0.5 + plan.difference:.0%}"
        reasons = [f"the share is between {effective_low:.1%} and {effective_high:.1%}, inside the band {band}."]
    elif not lacks and not doubts:
        outcome = PREFERRED if won > lost else NOT_PREFERRED
        reasons = [f"the evidence is {effective_e_value:.3g} after the design effect ({plan.needed:g} needed)."]
        reasons += [f"it is at least {min(without.values()):.3g} without any one rater."]
    else:
        outcome = INCONCLUSIVE if closed or at_cap else OPEN
        reasons = lacks + doubts
        if at_cap:
            reasons.append(f"the round is at its cap of {plan.ballots_cap} ballots.")
        elif closed:
            reasons.append("the round was closed before it was decided.")
    if won + lost:
        reasons.insert(0, f"the candidate won {won} of {won + lost} decided ballots ({won / (won + lost):.0%}).")
    ahead = None
    if outcome == OPEN and forecast:
        weakest = others[min(without, key=lambda name: without[name])] if others else (0, 0)
        ahead = _forecast((won, lost), len(counted), weakest, effect.value, plan, asked)
    return Judgement(
        outcome, tuple(reasons), plan.sha256, counts, _tally(fates[fates != COUNTED]), excluded, raters, e_value,
        float(low), float(high), effective_e_value, float(effective_low), float(effective_high), effect, without, ahead,
    )  # fmt: skip


def ballot_fates(table: pd.DataFrame, excluded: Mapping[str, str], plan: PreferencePlan, asked: int = 0) -> pd.Series:
    """What happens to every plain ballot: `counted`, or the rule that left it out. Indexed like the plain ballots.

    Args:
        table: checked ballots. excluded: from `exclude_raters`. asked: as in `judge_round`.
    """
    fates = count_ballots(table, dict(excluded), plan)
    counted = table.loc[fates.index[fates == COUNTED]]
    decided = counted[counted["choice"].isin([CANDIDATE, CHAMPION])]
    if not plan.latched or decided.empty:
        return fates
    raters, items = (pd.factorize(decided[column])[0] for column in ("rater", "item"))
    won = (decided["choice"] == CANDIDATE).to_numpy()[None]
    counted_so_far = counted.index.searchsorted(decided.index)[None] + 1
    of_round = Ballots(won, raters[None], items[None], int(raters.max()) + 1, np.ones_like(won), counted_so_far)
    last, end = verdict_ends(of_round, plan, asked)[0]
    if end != NO_END:
        fates.loc[counted.index[counted.index > decided.index[last - 1]]] = AFTERWARDS
    return fates


def evidence_path(ballots: pd.DataFrame, plan: PreferencePlan, asked: int = 0) -> pd.DataFrame:
    """How the evidence moved with each counted ballot, for the report; exclusions as they stand now.

    Args:
        asked: as in `judge_round`.

    Returns:
        one row a counted ballot: ballot (from 1), at, rater, item, choice, won, lost, share (NaN without a decided
        ballot), e_value, low, high (confidence sequence), in order of arrival.
    """
    table = check_ballots(ballots)
    fates = ballot_fates(table, exclude_raters(blind(table), plan), plan, asked)
    counted = table.loc[fates.index[fates == COUNTED], ["at", "rater", "item", "choice"]].reset_index(drop=True)
    won = (counted["choice"] == CANDIDATE).cumsum().to_numpy(float)
    lost = (counted["choice"] == CHAMPION).cumsum().to_numpy(float)
    low, high = confidence_sequence(won, lost, plan.alpha, plan.shape)
    with np.errstate(invalid="ignore"):
        share = won / (won + lost)
    e_value = np.exp(np.minimum(log_e_value(won, lost, 0.5, plan.shape), _LARGEST))
    figures = {"won": won.astype(int), "lost": lost.astype(int), "share": share, "e_value": e_value}
    path = counted.assign(**figures, low=low, high=high)
    path.insert(0, "ballot", np.arange(1, len(path) + 1))
    return path


_LARGEST = math.log(1e300)


def _e_value(won: float, lost: float, plan: PreferencePlan) -> float:
    return math.exp(min(float(log_e_value(won, lost, 0.5, plan.shape)), _LARGEST))


def _without_each_rater(decided: pd.DataFrame, won: int, lost: int) -> dict[str, tuple[int, int]]:
    groups = (decided["choice"] == CANDIDATE).groupby(decided["rater"])
    return {str(name): (won - int(own.sum()), lost - int((~own).sum())) for name, own in groups}


def _tally(fates: pd.Series) -> dict[str, int]:
    return {str(fate): int(count) for fate, count in fates.value_counts().sort_index().items()}


def _lacks_of_quorum(raters: dict[str, int], items: int, plan: PreferencePlan) -> list[str]:
    ballots, lacks = sum(raters.values()), []
    if len(raters) < plan.minimum_raters:
        lacks.append(f"{len(raters)} raters have decided ballots; the quorum is {plan.minimum_raters}.")
    if ballots < plan.minimum_ballots:
        lacks.append(f"{ballots} ballots are decided; the quorum is {plan.minimum_ballots}.")
    if items < plan.minimum_items:
        lacks.append(f"{items} products have a decided ballot; the quorum is {plan.minimum_items}.")
    if ballots and max(raters.values()) > plan.maximum_share * ballots:
        busiest = max(raters, key=lambda name: raters[name])
        lacks.append(
            f"{busiest} gave {raters[busiest] / ballots:.0%} of the decided ballots; the quorum allows "
            f"{plan.maximum_share:.0%}."
        )
    return lacks


def _doubts(
    e_value: float, effective: float, effect: float, without: dict[str, float], plan: PreferencePlan
) -> list[str]:
    """Why a preference is not accepted; only the first reason, the later ones follow from it."""
    if e_value < plan.needed:
        return [f"the evidence for a preference is {e_value:.3g}; {plan.needed:g} is needed."]
    if effective < plan.needed:
        return [
            f"the ballots resemble each other by rater or item: divided by the design effect of {effect:.2f} the "
            f"evidence is {effective:.3g}; {plan.needed:g} is needed."
        ]
    name = min(without, key=lambda rater: without[rater])
    if without[name] < plan.needed:
        return [f"without {name} the evidence is {without[name]:.3g}; {plan.needed:g} is needed without any one rater."]
    return []


def _forecast(
    counts: tuple[int, int], counted: int, weakest: tuple[int, int], effect: float, plan: PreferencePlan, asked: int
) -> Forecast:
    """Simulate the rest of the round from what is known now.

    The true share is drawn from its posterior (Beta mixture, ballots divided by the design effect), not set to the
    share so far: an estimate that takes today's lead for the truth promises too early an end. The rest keeps today's
    share of ties and today's design effect, and the rater without whom the evidence is weakest keeps their pace.
    """
    won, lost = counts
    decided, rest = won + lost, plan.ballots_cap - counted
    step = math.ceil(rest / LOOKS)
    ahead = np.minimum(np.arange(1, math.ceil(rest / step) + 1) * step, rest)
    sizes = np.diff(ahead, prepend=0)
    rng = np.random.default_rng(0)
    share = rng.beta(plan.shape + won / effect, plan.shape + lost / effect, size=(DRAWS, 1))
    new = rng.binomial(sizes, (decided + 1) / (counted + 2), size=(DRAWS, len(sizes)))
    own = (decided - sum(weakest)) / decided if decided else 1 / plan.minimum_raters
    others = rng.binomial(new, 1 - own)
    gained_others = rng.binomial(others, share)
    gained = gained_others + rng.binomial(new - others, share)
    s, n = won + gained.cumsum(axis=1), decided + new.cumsum(axis=1)
    s_others, n_others = weakest[0] + gained_others.cumsum(axis=1), sum(weakest) + others.cumsum(axis=1)
    level = -math.log(plan.alpha)
    small = inside_band(s / effect, (n - s) / effect, plan.difference, plan.alpha, plan.shape)
    clear = log_e_value(s / effect, (n - s) / effect, 0.5, plan.shape) >= level
    clear &= log_e_value(s_others, n_others - s_others, 0.5, plan.shape) >= level
    clear &= ((2 * s - n) * (2 * s_others - n_others) > 0) & (n >= plan.minimum_ballots)
    ended = (small | clear) & (counted + ahead >= plan.first_look(asked))
    first = np.where(ended.any(axis=1), ended.argmax(axis=1), len(ahead) - 1)
    row = np.arange(DRAWS)
    stopped, band = ended[row, first], small[row, first]
    lead = 2 * s[row, first] > n[row, first]
    ends = {
        PREFERRED: stopped & ~band & lead,
        NOT_PREFERRED: stopped & ~band & ~lead,
        NO_DIFFERENCE: band,
        INCONCLUSIVE: ~stopped,
    }
    low, median, high = (int(x) for x in np.ceil(np.percentile(ahead[first], [10, 50, 90])))
    return Forecast(median, low, high, {name: float(rows.mean()) for name, rows in ends.items()})
