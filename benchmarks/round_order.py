"""The order of a round in simulation: how often people who change their minds give a false verdict.

Belongs here: rounds of people whose preference is even on the whole and drifts from one version to the other, in two
orders of the pairs, judged by the plan of the house with other least progress, too. Not here: rounds without a
drift (benchmarks/preference.py), what a round of one truth ends in (`selvedge review simulate`).

Drifts, all of mean one half over the round:
  by product  the share falls from pair to pair of the order in which they were uploaded
  by time     it falls from ballot to ballot, whatever is shown
  at once     it is high in the first half of the ballots, and low in the second

Orders:
  uploaded    pair after pair as uploaded, three ballots each
  drawn       pairs at random, one that somebody has begun before a new one: what Label Studio does with a round's
              project (`sampling="Uniform sampling"` and more than one ballot a pair)

Run: `python -m benchmarks.round_order [--rounds N]`; the tables are Markdown. 2,000 rounds a cell take two minutes.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from benchmarks.preference import markdown
from evaluation.preference_plan import PreferencePlan
from labeling.review.rounds.simulation import Panel, in_turn, judge_drawn

PANEL = Panel()
PLAN = PreferencePlan()
AT_ONCE = replace(PLAN, minimum_progress=0)  # decides at any ballot after the quorum
AT_THE_END = replace(PLAN, minimum_progress=0.95)
UPLOADED, DRAWN = "uploaded", "drawn"
CHUNK = 200  # rounds simulated at once
BALLOTS = PANEL.items * PANEL.overlap


@dataclass(frozen=True)
class Drift:
    """share: (rounds, ballots) int of the item shown -> (rounds, ballots) float, true share for the candidate."""

    name: str
    share: Callable[[np.ndarray], np.ndarray]


def by_product(high: float) -> Drift:
    shares = np.linspace(high, 1 - high, PANEL.items)
    return Drift(f"{high:.0%} to {1 - high:.0%} by product", lambda item: shares[item])


def by_time(high: float) -> Drift:
    shares = np.linspace(high, 1 - high, BALLOTS)
    return Drift(f"{high:.0%} to {1 - high:.0%} by time", lambda item: np.broadcast_to(shares, item.shape))


def in_halves(high: float) -> Drift:
    shares = np.where(np.arange(BALLOTS) < BALLOTS / 2, high, 1 - high)
    return Drift(f"{high:.0%}, then {1 - high:.0%}, at once", lambda item: np.broadcast_to(shares, item.shape))


def steady(share: float) -> Drift:
    return Drift(f"{share:.0%} throughout", lambda item: np.full(item.shape, share))


DRIFTS = (
    steady(0.5), by_product(0.6), by_product(0.7), by_time(0.6), by_time(0.7), in_halves(0.6), in_halves(0.7),
)  # fmt: skip
TRUTHS = (steady(0.6), steady(0.65), steady(0.7))
COLUMNS = ((UPLOADED, AT_ONCE), (DRAWN, AT_ONCE), (DRAWN, PLAN), (DRAWN, AT_THE_END))


def judged(drift: Drift, order: str, plan: PreferencePlan, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """The end of each round, as in `verdict_ends`, and its ballots up to there; the same rounds for every plan."""
    ends, counts = [], []
    for start in range(0, rounds, CHUNK):
        size, rng = min(CHUNK, rounds - start), np.random.default_rng([7, start])
        rater, item = in_turn(PANEL)
        item = np.broadcast_to(item, (size, BALLOTS))
        if order == DRAWN:
            item = np.take_along_axis(rng.permuted(np.tile(np.arange(PANEL.items), (size, 1)), axis=1), item, 1)
        end, ballots = judge_drawn(drift.share(item), rater, item, PANEL, plan, rng)
        ends.append(end)
        counts.append(ballots)
    return np.concatenate(ends), np.concatenate(counts)


def false_verdicts(drift: Drift, order: str, plan: PreferencePlan, rounds: int) -> float:
    """The share of rounds that end in a preference, either way, where there is none on the whole."""
    end, _ = judged(drift, order, plan, rounds)
    return float(np.isin(end, (1, -1)).mean())


def report(rounds: int) -> str:
    header = ["preference", *(f"{order}, {_from(plan)}" for order, plan in COLUMNS)]
    drifts = [
        [drift.name, *(f"{false_verdicts(drift, *column, rounds):.1%}" for column in COLUMNS)] for drift in DRIFTS
    ]
    text = [f"False verdicts, {rounds:,} rounds of {PANEL.items} pairs, {PANEL.overlap} ballots each\n"]
    text.append(markdown(header, drifts))
    rows = []
    for truth in TRUTHS:
        row = [truth.name]
        for plan in (AT_ONCE, PLAN, AT_THE_END):
            end, ballots = judged(truth, DRAWN, plan, rounds)
            row += [f"{(end == 1).mean():.1%}", f"{ballots.mean():.0f}"]
        rows.append(row)
    text.append("What it costs: share of rounds that end in `preferred`, and ballots cast on average\n")
    costs = [name for plan in (AT_ONCE, PLAN, AT_THE_END) for name in (_from(plan), "ballots")]
    text.append(markdown(["preference", *costs], rows))
    return "\n".join(text)


def _from(plan: PreferencePlan) -> str:
    return f"from {plan.minimum_progress:.0%}" if plan.minimum_progress else "any ballot"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=2_000)
    print(report(parser.parse_args().rounds))


if __name__ == "__main__":
    main()
