"""Scripted annotators who pick: for the rehearsal of a round and for tests. What they pick is nobody's preference.

Belongs here: their taste and their work through Label Studio's API. Not here: what makes a rater simulated
(labeling/review/rounds/annotators.py): the address of their accounts, whatever way a pick reaches the ledger.
"""

import hashlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from labeling.review.label_studio.protocol import Voting
from labeling.review.ledger.picks import PickTask
from labeling.review.picks.page import NONE_OF_THESE, pick_result
from labeling.review.rounds.annotators import SIMULATED_DOMAIN

if TYPE_CHECKING:
    from labeling.review.ledger.ledger import Ledger

NONE_OF = 20  # one request in so many is given none
Taste = Callable[[PickTask, str], int]
"""task, annotator → the place on the page that is picked, from 0."""


def any_picture(task: PickTask, annotator: str) -> int:
    """No taste at all: by a hash of request and annotator."""
    return _drawn(task, annotator, "place") % len(task.shown)


def pick_by_script(
    accounts: Mapping[str, Voting], ledger: "Ledger", round_id: str, project: int, taste: Taste = any_picture
) -> dict[str, int]:
    """Let scripted annotators work through a round's tasks; picks by annotator.

    Args:
        accounts: each annotator's Label Studio, by name.
    """
    tasks = ledger.picks.tasks(round_id)
    picks = dict.fromkeys(accounts, 0)
    for name, account in accounts.items():
        email = f"{name}@{SIMULATED_DOMAIN}"
        ledger.record.list_annotator(email, account.user_id, "scripted")
        while (task := account.next_task(project)) is not None and task.key in tasks:
            shown = tasks[task.key]
            refused = _drawn(shown, name, "none") % NONE_OF == 0
            answer = NONE_OF_THESE if refused else str(taste(shown, name) + 1)
            account.annotate(task.task_id, pick_result(answer), 5.0)
            picks[name] += 1
    return picks


def _drawn(task: PickTask, annotator: str, use: str) -> int:
    digest = hashlib.sha256("\0".join((use, task.request, annotator)).encode()).digest()
    return int.from_bytes(digest[:8])
