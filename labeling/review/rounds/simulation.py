"""Simulated rounds: how often a true preference is detected, and how many ballots it takes.

Belongs here: drawing rounds of scripted annotators and judging them as real ones are. Not here: the rule
(evaluation/preference.py), the table of error rates over thousands of rounds (benchmarks/preference.py).
"""

import random
from collections import Counter
from dataclasses import dataclass
from statistics import mean, median
from typing import TYPE_CHECKING

from catalog.errors import SelvedgeError
from labeling.review.rounds.progress import Progress, silent

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Simulated:
    """What many rounds of one truth end in.

    Attributes:
        outcomes: outcome -> rounds. median_ballots, mean_ballots: counted ballots at the end.
        decided_median: of those that ended before their cap; None where none did.
    """

    outcomes: dict[str, int]
    median_ballots: float
    mean_ballots: float
    decided_median: float | None


def simulate_rounds(
    preference: float,
    rounds: int,
    raters: int = 5,
    ties: float = 0.1,
    most: int = 600,
    look_every: int = 10,
    seed: int = 0,
    progress: Progress = silent,
) -> Simulated:
    """Draw rounds and look at each as its ballots come in, until it is decided or at its cap.

    Args:
        preference: true share of decided votes for the candidate. raters: who take turns, one ballot an item.
        ties: share of ties. most: ballots of a round at most. look_every: ballots between two looks.

    Raises:
        SelvedgeError: a figure is outside its range.
    """
    from evaluation.preference import INCONCLUSIVE, OPEN, judge_round
    from evaluation.preference_plan import PreferencePlan

    for name, value, least in (("--rounds", rounds, 1), ("--ballots", most, 20), ("--look-every", look_every, 1)):
        if value < least:
            raise SelvedgeError(f"{name} {value} is too few; give at least {least}.")
    plan = PreferencePlan(ballots_cap=most, rater_cap=most)
    outcomes: Counter[str] = Counter()
    ended = []
    decided = []
    for number in range(rounds):
        table = _drawn(preference, raters, ties, most, seed * 1_000_003 + number)
        counted, outcome = most, INCONCLUSIVE
        for look in [*range(plan.minimum_ballots, most, look_every), most]:
            judgement = judge_round(table.iloc[:look], plan, forecast=False)
            if judgement.outcome not in (OPEN, INCONCLUSIVE):
                counted, outcome = look, judgement.outcome
                decided.append(look)
                break
        outcomes[outcome] += 1
        ended.append(counted)
        progress(number + 1, rounds, "simulating")
    return Simulated(dict(outcomes), median(ended), mean(ended), median(decided) if decided else None)


def _drawn(preference: float, raters: int, ties: float, ballots: int, seed: int) -> "pd.DataFrame":
    """A table of plain ballots by scripted annotators in turn."""
    import pandas as pd

    from labeling.review.ledger.records import Pair
    from labeling.review.rounds.annotators import ScriptedAnnotator

    if raters < 1:
        raise SelvedgeError(f"--raters {raters} can judge nothing; give at least 1.")
    people = [
        ScriptedAnnotator(f"r{n}", seed, preference=preference, consensus=0.0, noise=0.0, ties=ties, both_bad=0.0)
        for n in range(raters)
    ]
    rows = []
    sides = random.Random(seed)
    for item in range(ballots):
        rater = people[item % raters]
        pair = Pair(f"{seed}-{item}", item, "plain", sides.choice(("candidate", "champion")), None, 20, "")
        choice = rater.choose(pair)
        rows.append((rater.name, str(item), "plain", choice.side, pair.left, None, choice.seconds))
    frame = pd.DataFrame(rows, columns=["rater", "item", "kind", "side", "left", "correct", "seconds"])
    return frame.assign(at=pd.date_range("2026-01-01", periods=len(frame), freq="min", tz="UTC"))
