"""Ballots: from annotations as they were pulled to the votes that count.

Belongs here: what makes a ballot void, whether its annotator is on the list, which of a rater's ballots on a pair is
the last, and the un-blinded table. Not here: storing, and keeping the list (labeling/review/ledger/), making accounts
(label_studio/accounts.py), excluding raters and deciding (evaluation/).

A void revision never counts, and never makes an earlier revision void. Otherwise an annotator could remove a
colleague's ballot by editing it, and so choose which ballots count. When somebody else changes a ballot, or its author
changes it after the close, the author's last revision that was pulled in time stands.

"After the close" means "first pulled after the close", which needs no two clocks to agree. Among a rater's ballots on
one pair the last by the server's clock counts, whatever order they were pulled in.

Whoever has an account of the community server can read the invitation to it, and make more accounts; so an account
counts only from the moment at which it was listed, and a ballot that was pulled before stays void.
"""

import hashlib
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pandas as pd

from evaluation.ballots import COLUMNS, GOLD, PLAIN, REPEAT, SIDES, check_ballots
from labeling.review.ledger.ledger import Ledger
from labeling.review.ledger.records import LATE, Ballot, Pair, PulledAnnotation
from labeling.review.rounds.annotators import is_simulated

if TYPE_CHECKING:
    from labeling.review.label_studio.records import Annotation
    from labeling.review.ledger.whole import Annotator

CLOCK_TOLERANCE = timedelta(minutes=2)
# The reasons, as they are stored.
NOT_OURS = "is of a task that is not this round's"
FOREIGN = "was changed by {who}, who did not make it"
NO_CHOICE = "holds no choice of left, right, tie or both bad"
NO_TIME = "has no time of voting"
NO_RATER = "is of an account that was deleted"
STRANGER = "is of an account that `selvedge review annotator add` did not make"


@dataclass(frozen=True)
class SyncReport:
    """What a pull brought, for whoever runs the round.

    new: ballots never seen before. corrected: further revisions by their author. void: the new revisions that do not
    count, one sentence each. vanished: annotations gone from the server; their ballots stand. warnings: clocks.
    """

    pull: int
    new: int
    corrected: int
    void: tuple[str, ...]
    vanished: tuple[int, ...]
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class AnnotatorList:
    """Annotators by e-mail; each has one entry an account."""

    entries: "Mapping[str, tuple[Annotator, ...]]"

    @classmethod
    def of(cls, ledger: Ledger) -> "AnnotatorList":
        """The list as the ledger holds it."""
        return cls.from_annotators(ledger.record.annotators())

    @classmethod
    def from_annotators(cls, annotators: "Iterable[Annotator]") -> "AnnotatorList":
        entries: dict[str, tuple[Annotator, ...]] = {}
        for annotator in annotators:
            entries[annotator.email] = (*entries.get(annotator.email, ()), annotator)
        return cls(entries)

    def fault(self, rater: str, account: int | None = None, before: int | None = None) -> str | None:
        """Why ballots of a rater do not count, if so.

        Args:
            account: the rater's number in Label Studio, where it is known. before: position in the ledger's chain that
                the listing must precede.
        """
        for entry in self.entries.get(rater.lower(), ()):
            same = account is None or entry.account is None or entry.account == account
            if same and (before is None or entry.position < before):
                return None
        return STRANGER


def sync(
    ledger: Ledger,
    round_id: str,
    annotations: Iterable[PulledAnnotation],
    now: datetime | None = None,
    accounts: Mapping[str, int] | None = None,
) -> SyncReport:
    """Take in everything the review server holds for a round; the same again changes nothing.

    Args:
        accounts: the server's numbers of the raters, by e-mail; where they are known, the list is held to them too.

    Raises:
        SelvedgeError: there is no such round.
    """
    at = now or datetime.now(UTC)
    pairs, listed, numbers = ledger.pairs(round_id), AnnotatorList.of(ledger), accounts or {}

    def fault(annotation: PulledAnnotation, closed: bool) -> str | None:
        return find_fault(annotation, pairs, closed) or listed.fault(annotation.rater, numbers.get(annotation.rater))

    stored = ledger.store_pull(round_id, annotations, fault, is_simulated, at)
    good = [ballot for ballot in stored.ballots if ballot.void is None]
    return SyncReport(
        pull=stored.pull.number,
        new=sum(ballot.revision == 1 for ballot in good),
        corrected=sum(ballot.revision > 1 for ballot in good),
        void=tuple(_why_void(ballot) for ballot in stored.ballots if ballot.void is not None),
        vanished=stored.vanished,
        warnings=tuple(_clock_warnings([ballot.annotation for ballot in stored.ballots], at)),
    )


def as_pulled(annotation: "Annotation") -> PulledAnnotation:
    """What label_studio.py pulled, as the ledger takes it.

    A result that was not made on the page may hold several choices: none of them is then taken.
    """
    return PulledAnnotation(
        annotation_id=annotation.annotation_id,
        task_id=annotation.task_id,
        task_key=annotation.task_key or "",
        rater=annotation.rater,
        updated_by=f"account {annotation.updated_by}" if annotation.edited_by_another else None,
        side=annotation.choices[0] if len(annotation.choices) == 1 else "",
        reasons=annotation.reasons,
        seconds=annotation.lead_time_seconds,
        created_at=annotation.created_at,
        updated_at=annotation.updated_at,
        cancelled=annotation.cancelled,
    )


def find_fault(annotation: PulledAnnotation, pairs: Mapping[str, Pair], closed: bool) -> str | None:
    """Why a revision may never count, if so, whoever its rater is."""
    if annotation.task_key not in pairs:
        return NOT_OURS
    if annotation.updated_by not in (None, annotation.rater):
        return FOREIGN.format(who=str(annotation.updated_by)[:200])
    if not annotation.rater:
        return NO_RATER
    if closed:
        return LATE
    if annotation.cancelled:
        return None  # a skip is an author's word too: it takes back the ballot before it
    if annotation.side not in SIDES:
        return NO_CHOICE
    seconds = annotation.seconds
    # Without a time the pre-registered rule on raters who vote faster than they read could be evaded.
    return None if seconds is not None and math.isfinite(seconds) and seconds > 0 else NO_TIME


def last_ballots(ballots: Iterable[Ballot]) -> list[Ballot]:
    """The one ballot of each rater on each pair that counts, in the order of voting by the server's clock."""
    last: dict[tuple[str, str], Ballot] = {}
    for ballot in sorted((revision for revision in ballots if revision.void is None), key=_by_server_clock):
        last[ballot.annotation.rater, ballot.annotation.task_key] = ballot
    return sorted((ballot for ballot in last.values() if not ballot.annotation.cancelled), key=_by_server_clock)


def counted_ballots(ballots: Iterable[Ballot], pairs: Mapping[str, Pair]) -> pd.DataFrame:
    """The table the statistics read (columns in evaluation/ballots.py, `choice` with it), un-blinded.

    Returns:
        one row per rater and pair, in the order of voting by the server's clock.
    """
    rows = []
    for ballot in last_ballots(ballots):
        annotation, pair = ballot.annotation, pairs[ballot.annotation.task_key]
        rows.append(
            {
                "rater": annotation.rater,
                "item": str(pair.item),
                "kind": pair.slot,
                "side": annotation.side,
                "left": pair.left if pair.slot in (PLAIN, REPEAT) else None,  # else both are of one version
                "correct": annotation.side == pair.sound if pair.slot == GOLD else None,
                "seconds": annotation.seconds,
                "at": annotation.updated_at.astimezone(UTC),
                "words": float(pair.words),
            }
        )
    frame = pd.DataFrame(rows, columns=[*COLUMNS, "words"])
    kinds = {"left": object, "correct": object, "seconds": "float64", "words": "float64"}
    return check_ballots(frame.astype({**kinds, "at": "datetime64[us, UTC]"}))


def ballots_sha256(ballots: Iterable[Ballot]) -> str:
    """Hash of every ballot with the reason why it is void: what a verdict names."""
    lines = sorted(f"{ballot.annotation.content_sha256} {ballot.void or ''}" for ballot in ballots)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def rests_on_simulation(ballots: Iterable[Ballot]) -> bool:
    """Whether a ballot that counts is a scripted annotator's."""
    return any(ballot.simulated for ballot in last_ballots(ballots))


def _by_server_clock(ballot: Ballot) -> tuple[datetime, int, str]:
    return ballot.annotation.updated_at, ballot.annotation.annotation_id, ballot.annotation.content_sha256


def _why_void(ballot: Ballot) -> str:
    annotation = ballot.annotation
    return f"annotation {annotation.annotation_id} of {annotation.rater or 'nobody'} does not count: it {ballot.void}."


def _clock_warnings(annotations: list[PulledAnnotation], at: datetime) -> list[str]:
    warnings = []
    ahead = max((annotation.updated_at - at for annotation in annotations), default=timedelta(0))
    if ahead > CLOCK_TOLERANCE:
        warnings.append(
            f"the review server's clock is {ahead.total_seconds() / 60:.0f} minutes ahead of this machine's; "
            "ballots are ordered by the server's alone, so they count, but set one of the two."
        )
    backwards = sum(annotation.updated_at < annotation.created_at for annotation in annotations)
    if backwards:
        warnings.append(
            f"{backwards} ballots were changed before they were made: the review server's clock was set back; the last "
            "of a rater's ballots on a pair may be the wrong one."
        )
    return warnings
