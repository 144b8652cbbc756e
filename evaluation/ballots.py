"""Ballots: what they look like, which raters' count, and how alike they are.

Belongs here: the table's columns and its check, exclusion of raters, caps, design effect, side bias on identical pairs.
Not here: drawing sides and reading Label Studio (labeling/review/), the verdict (preference.py).

A table of ballots has one row a ballot, in order of arrival, and these columns:

    rater    str, who voted
    item     str, what was compared (a repeat carries the item that it repeats)
    kind     plain: candidate against champion; gold: one side planted wrong; aa: both sides identical;
             repeat: a plain pair shown again to the same rater with sides swapped
    side     the answer as given, always there: left, right, tie or both_bad
    left     which version stood on the left, candidate or champion; missing for gold and aa
    correct  bool for gold: the side without the planted fault was chosen; missing otherwise
    seconds  float, >= 0, time taken
    at       UTC timestamp of arrival
    words    optional, float: how many words the pair shows

`choice` (candidate, champion, tie, both_bad; missing for gold and aa) is derived from side and left, never read: two
columns that say the same could disagree. Only plain ballots enter the verdict.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from catalog.errors import SelvedgeError
from evaluation.preference_plan import PreferencePlan
from evaluation.sequential import intraclass_correlation

CANDIDATE, CHAMPION, TIE, BOTH_BAD = CHOICES = ("candidate", "champion", "tie", "both_bad")
PLAIN, GOLD, AA, REPEAT = KINDS = ("plain", "gold", "aa", "repeat")
LEFT, RIGHT = "left", "right"
SIDES = (LEFT, RIGHT, TIE, BOTH_BAD)
COLUMNS = ("rater", "item", "kind", "side", "left", "correct", "seconds", "at")
BLIND = ("rater", "kind", "side", "correct", "seconds", "words")  # all that an exclusion may look at


def check_ballots(ballots: pd.DataFrame) -> pd.DataFrame:
    """The ballots with a fresh index, names as text, `choice` added and `words` filled (0 where unknown).

    Raises:
        SelvedgeError: a column is missing, a value is none of those allowed, or a rater has two plain ballots on one
            item; the sentence names the row, counted from 0.
    """
    if missing := [name for name in COLUMNS if name not in ballots]:
        raise SelvedgeError(f"the ballots lack the column {', '.join(missing)}; add it.")
    table = ballots.reset_index(drop=True).copy()
    table["words"] = table["words"].fillna(0).astype(float) if "words" in table else 0.0
    versions = table["kind"].isin([PLAIN, REPEAT])
    seconds = pd.to_numeric(table["seconds"], errors="coerce")
    faults = {
        "has no rater": table["rater"].isna() | (table["rater"].astype(str) == ""),
        "has no item": table["item"].isna() | (table["item"].astype(str) == ""),
        f"has a kind that is none of {', '.join(KINDS)}": ~table["kind"].isin(KINDS),
        f"has a side that is none of {', '.join(SIDES)}": ~table["side"].isin(SIDES),
        "does not say which version stood on the left": versions & ~table["left"].isin([CANDIDATE, CHAMPION]),
        "is gold and does not say whether it is correct": (table["kind"] == GOLD) & table["correct"].isna(),
        "has seconds that are missing, negative or not finite": ~(np.isfinite(seconds) & (seconds >= 0)),
        "has no time of arrival": table["at"].isna(),
        "is the rater's second plain ballot on its item": (table["kind"] == PLAIN)
        & table[table["kind"] == PLAIN].duplicated(["rater", "item"]).reindex(table.index, fill_value=False),
    }
    for fault, rows in faults.items():
        if rows.any():
            raise SelvedgeError(f"ballot {int(np.argmax(rows))} {fault}; correct it or leave it out.")
    other = table["left"].map({CANDIDATE: CHAMPION, CHAMPION: CANDIDATE})
    choice = table["side"].mask(table["side"] == LEFT, table["left"]).mask(table["side"] == RIGHT, other)
    names = {name: table[name].astype(str) for name in ("rater", "item")}
    return table.assign(**names, seconds=seconds, choice=choice.where(versions))


def blind(ballots: pd.DataFrame) -> pd.DataFrame:
    """Checked ballots without anything that tells which version won."""
    return ballots[list(BLIND)]


def exclude_raters(blinded: pd.DataFrame, plan: PreferencePlan) -> dict[str, str]:
    """The raters whose ballots do not count, with the reason as a sentence.

    Args:
        blinded: columns BLIND; nothing here can depend on which version won, so exclusions cannot favour one.

    Three rules, all of the plan: more than `gold_failures` of at least `gold_minimum` gold pairs failed; more than
    `fast_share` of at least `gold_minimum` ballots faster than `minimum_seconds` or than reading `words_per_second`,
    where only those count that came after `fast_warnings` such ballots, at each of which the page warned; at least
    `one_sided_share` of at least `one_sided_minimum` answers left or right on the same side (identical pairs left out:
    somebody who presses one key there does nothing wrong).
    """
    excluded = {}
    for rater, rows in blinded.groupby("rater", sort=True):
        gold = rows[rows["kind"] == GOLD]
        failed = int((~gold["correct"].astype(bool)).sum())
        fast = _warned(rows["seconds"] < np.maximum(plan.minimum_seconds, rows["words"] / plan.words_per_second), plan)
        sides = rows.loc[(rows["kind"] != AA) & rows["side"].isin([LEFT, RIGHT]), "side"]
        same = int((sides == LEFT).sum())
        same = max(same, len(sides) - same)
        if len(gold) >= plan.gold_minimum and failed > plan.gold_failures * len(gold):
            excluded[str(rater)] = f"{rater} failed {failed} of {len(gold)} gold pairs."
        elif len(fast) >= plan.gold_minimum and fast.sum() > plan.fast_share * len(fast):
            warned = ", after a warning" if plan.fast_warnings else ""
            excluded[str(rater)] = (
                f"{rater} answered {fast.sum()} of {len(fast)} pairs faster than they can be read{warned}."
            )
        elif len(sides) >= plan.one_sided_minimum and same >= plan.one_sided_share * len(sides):
            excluded[str(rater)] = f"{rater} chose one side on {same} of {len(sides)} pairs."
    return excluded


def _warned(fast: pd.Series, plan: PreferencePlan) -> pd.Series:
    """Whether each ballot was too fast, of those that a rater sent after the last warning; all where none is given."""
    before = fast.cumsum() - fast
    return fast[before >= plan.fast_warnings]


COUNTED = "counted"


def count_ballots(ballots: pd.DataFrame, excluded: dict[str, str], plan: PreferencePlan) -> pd.Series:
    """What happens to every plain ballot: `counted`, or the rule that left it out. Indexed like the plain ballots.

    In order of arrival and without a look at the answer: a tie uses up a rater's and an item's cap like any other.
    """
    plain = ballots[ballots["kind"] == PLAIN]
    raters: Counter[str] = Counter()
    items: Counter[str] = Counter()
    fates = []
    for rater, item in zip(plain["rater"], plain["item"], strict=True):
        if rater in excluded:
            fates.append("rater excluded")
        elif raters.total() >= plan.ballots_cap:
            fates.append("ballots cap")
        elif raters[rater] >= plan.rater_cap:
            fates.append("rater cap")
        elif items[item] >= plan.item_cap:
            fates.append("item cap")
        else:
            raters[rater] += 1
            items[item] += 1
            fates.append(COUNTED)
    return pd.Series(fates, index=plain.index, dtype=object)


@dataclass(frozen=True)
class DesignEffect:
    """How much less decided ballots say than as many independent ones.

    value: at least 1, 1 + the excess of raters + the excess of items. rater_icc, item_icc: in [0, 1].
    effective_ballots: decided ballots / value.
    """

    value: float
    rater_icc: float
    item_icc: float
    effective_ballots: float


def design_effect(decided: pd.DataFrame) -> DesignEffect:
    """Kish's design effect of ballots with choice candidate or champion, clustered by rater and by item at once.

    The two excesses are added, as variances of crossed effects are; each is cut at 0, so that noise in an estimate
    can make the verdict slower, never faster.
    """
    value, icc = 1.0, {}
    for by in ("rater", "item"):
        won = (decided["choice"] == CANDIDATE).groupby(decided[by]).agg(["sum", "size"])
        size, wins = won["size"].to_numpy(float), won["sum"].to_numpy(float)
        icc[by], effect = intraclass_correlation(
            size.sum(), wins.sum(), len(won), (size**2).sum(), (wins**2 / size).sum()
        )
        value += float(effect) - 1
    return DesignEffect(value, float(icc["rater"]), float(icc["item"]), len(decided) / value)


@dataclass(frozen=True)
class SideBias:
    """Answers on identical pairs. left of decided chose the left; p_value: exact, two-sided; ties: all others."""

    left: int
    decided: int
    ties: int
    p_value: float


def side_bias(ballots: pd.DataFrame, raters: Sequence[str] | None = None) -> SideBias:
    """Whether the left side is chosen more or less often than the right where both are identical (exact binomial).

    Args:
        raters: whose ballots to take; None for all.
    """
    rows = ballots[ballots["kind"] == AA]
    sides = (rows if raters is None else rows[rows["rater"].isin(raters)])["side"]
    left, decided = int((sides == LEFT).sum()), int(sides.isin([LEFT, RIGHT]).sum())
    from scipy.stats import binomtest  # half a second, which every command that opens the registry would take

    p_value = float(binomtest(left, decided).pvalue) if decided else 1.0
    return SideBias(left, decided, len(sides) - decided, p_value)
