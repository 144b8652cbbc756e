"""Asking again: a pair on which a rater was left out is shown to one more.

Belongs here: which pairs are owed a ballot, and telling Label Studio. Not here: who is left out
(evaluation/ballots.py), when it is done (judging.py, `selvedge review sync`).

Label Studio shows a pair to as many people as the plan asks for, whether their ballots count or not; without this, one
rater who does not look takes a ballot from every pair. Who is left out follows from nothing that tells which version
won, and all kinds of pairs are asked again alike, so how many people a pair is shown to says nothing about it.

Nothing is stored: what is owed follows from ballots and plan whenever it is asked. The number of people that a pair is
shown to is only ever raised, so a call that was killed is simply repeated, and whoever was left out and is not any more
costs some ballots too many.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from evaluation.ballots import PLAIN, blind, exclude_raters
from labeling.review.label_studio.protocol import BallotSource
from labeling.review.ledger.ledger import Ledger
from labeling.review.rounds.ballots import counted_ballots, last_ballots


@dataclass(frozen=True)
class AskedAgain:
    """Ballots of raters who are left out.

    Attributes:
        by_pair, by_rater: how many, by the pair's key and by rater. plain: those of plain pairs.
        waiting: of them not given yet on pairs that every annotator of the list has voted on: nobody is there to give
            them.
    """

    by_pair: Mapping[str, int]
    by_rater: Mapping[str, int]
    plain: int
    waiting: int

    @property
    def ballots(self) -> int:
        return sum(self.by_pair.values())


NOTHING_OWED = AskedAgain({}, {}, 0, 0)


def owed_ballots(ledger: Ledger, round_id: str) -> AskedAgain:
    """What a round is owed, as its ballots stand.

    Raises:
        SelvedgeError: there is no such round.
    """
    registered, pairs = ledger.round(round_id), ledger.pairs(round_id)
    everything = ledger.ballots(round_id)
    excluded = exclude_raters(blind(counted_ballots(everything, pairs)), registered.plan.preference)
    seen: dict[str, set[str]] = {}
    for ballot in last_ballots(everything):
        seen.setdefault(ballot.annotation.task_key, set()).add(ballot.annotation.rater)
    by_pair = {key: len(raters & excluded.keys()) for key, raters in seen.items() if raters & excluded.keys()}
    by_rater = Counter(rater for raters in seen.values() for rater in raters & excluded.keys())
    listed = {annotator.email for annotator in ledger.record.annotators()}
    waiting = sum(
        max(0, registered.plan.overlap - len(seen[key] - excluded.keys())) for key in by_pair if listed <= seen[key]
    )
    plain = sum(number for key, number in by_pair.items() if pairs[key].slot == PLAIN)
    return AskedAgain(by_pair, dict(sorted(by_rater.items())), plain, waiting)


def ask_again(ledger: Ledger, server: BallotSource, round_id: str) -> int:
    """Have Label Studio show every pair to one more person for each rater who is left out; how many pairs were raised.

    Raises:
        SelvedgeError: there is no such round. ProjectGone: its project was deleted.
        ServiceUnavailable: Label Studio does not answer.
    """
    registered = ledger.round(round_id)
    owed = owed_ballots(ledger, round_id)
    if registered.state != "open" or registered.project_id is None or not owed.by_pair:
        return 0
    overlap = registered.plan.overlap
    return server.raise_overlap(registered.project_id, {key: overlap + more for key, more in owed.by_pair.items()})
