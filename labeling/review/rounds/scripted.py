"""Scripted annotators at work: they sign in, take tasks and vote through Label Studio's API, as people's pages do.

Belongs here: driving them. Not here: what they choose (labeling/review/rounds/annotators.py).

Their accounts end in a domain that can be no person's, so every ballot of theirs is marked simulated however it
reaches the ledger.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.errors import SelvedgeError
from labeling.review.rounds.progress import Progress, silent

if TYPE_CHECKING:
    from labeling.review.label_studio import LabelStudio
    from labeling.review.ledger.ledger import Ledger
    from labeling.review.rounds.annotators import ScriptedAnnotator


@dataclass(frozen=True)
class Voted:
    """Votes by annotator's e-mail, those of this call."""

    votes: dict[str, int]

    @property
    def total(self) -> int:
        return sum(self.votes.values())


def demo_annotators(seed: int) -> "list[ScriptedAnnotator]":
    """Six raters who prefer the candidate in 85 of 100 pairs: four careful ones, one who leans to the left, and one who
    hardly looks, for the registered rules to find. The five who are left are the quorum of the house's plan."""
    from labeling.review.rounds.annotators import ScriptedAnnotator

    habits = {
        "aiko": {}, "ben": {}, "finn": {}, "carla": {"noise": 0.1}, "dario": {"left_bias": 0.15},
        "eve": {"laziness": 0.7},
    }  # fmt: skip
    return [ScriptedAnnotator(name, seed, preference=0.85, **habit) for name, habit in habits.items()]


def vote(
    sign_in: "Callable[[str], LabelStudio]",
    ledger: "Ledger",
    round_id: str,
    annotators: "list[ScriptedAnnotator]",
    most: int | None = None,
    progress: Progress = silent,
) -> Voted:
    """Let annotators work in turns until no task is left for any of them.

    Args:
        sign_in: an annotator's account, by e-mail. most: votes of each at most.

    Raises:
        SelvedgeError: there is no such round, it is not open, or it has no project.
        ServiceUnavailable: Label Studio does not answer.
    """
    from labeling.review.label_page import ballot_result

    registered, pairs = ledger.round(round_id), ledger.pairs(round_id)
    if registered.state != "open":
        raise SelvedgeError(f"round {round_id} is {registered.state}; nobody can vote in it any more.")
    if registered.project_id is None:
        raise SelvedgeError(f"round {round_id} has no project yet; run `selvedge review open` again to complete it.")
    accounts = {annotator: sign_in(annotator.email) for annotator in annotators}
    for annotator, account in accounts.items():  # as a person's account, before the first ballot
        ledger.record.list_annotator(annotator.email, account.user_id, "scripted")
    votes = {annotator.email: 0 for annotator in annotators}
    limit = most or len(pairs)
    total = min(len(pairs) * min(registered.plan.overlap, len(accounts)), limit * len(accounts))
    working = list(accounts)
    while working:
        for annotator in list(working):
            account = accounts[annotator]
            task = account.next_task(registered.project_id) if votes[annotator.email] < limit else None
            if task is None or task.key not in pairs:
                working.remove(annotator)
                continue
            choice = annotator.choose(pairs[task.key])
            account.annotate(task.task_id, ballot_result(choice.side), choice.seconds)
            votes[annotator.email] += 1
            progress(min(sum(votes.values()), total), total, "voting")
    return Voted(votes)
