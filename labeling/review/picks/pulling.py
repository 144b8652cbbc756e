"""Pulling picks: from annotations to rows of the ledger, which of them count, and which pictures they publish.

Belongs here: what makes a pick void, its comment's order, the last pick of each annotator, the published picture. Not
here: storing (labeling/review/ledger/picks.py), what a comment means (whoever routes it).

The rules are those of ballots (labeling/review/rounds/ballots.py): of an account that was not listed, or changed by
somebody else, a pick is void, and a void revision never takes the place of an earlier one.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from catalog.errors import SelvedgeError
from labeling.review.label_studio.protocol import RoundServer
from labeling.review.ledger.picks import AdPick, Judgement, PickTask, PulledPick, ShownPicture
from labeling.review.picks.blinding import public_title
from labeling.review.picks.page import ANSWERS, NONE_OF_THESE
from labeling.review.rounds.annotators import is_simulated
from labeling.review.rounds.ballots import FOREIGN, NO_RATER, NOT_OURS, AnnotatorList
from labeling.review.rounds.progress import Progress, named, silent

if TYPE_CHECKING:
    from labeling.review.label_studio.records import Annotation
    from labeling.review.ledger.ledger import Ledger

NO_ANSWER = "holds no choice of a picture or none of these"
NOT_SHOWN = "chooses a place that shows no picture"
Route = Callable[[str], Mapping[str, Any] | None]
"""A comment → what it would run again: `stages` and `sentence`; None for one that asks for nothing."""


@dataclass(frozen=True)
class PickSync:
    """What a pull brought. void: the new revisions that do not count, one sentence each. rework: orders among it."""

    new: int
    corrected: int
    void: tuple[str, ...]
    rework: int


@dataclass(frozen=True)
class Published:
    """A request's picture that people publish. picks: that chose it. simulated: only scripted annotators picked."""

    request: str
    product_id: int | None
    picture: ShownPicture
    picks: int
    simulated: bool


def sync_picks(
    ledger: "Ledger", server: RoundServer, round_id: str, route: Route, progress: Progress = silent
) -> PickSync:
    """Take in everything Label Studio holds for a round; the same again changes nothing.

    Raises:
        SelvedgeError: there is no such round, or it has no project.
        ServiceUnavailable: Label Studio does not answer.
    """
    registered = ledger.picks.round(round_id)
    project = server.find_project(public_title(registered.key, round_id))
    if project is None:
        raise SelvedgeError(f"round {round_id} has no project; run `selvedge review picks open` to complete it.")
    annotations = server.pull_annotations(project, named(progress, "pulling"))
    accounts = {annotation.rater: annotation.rater_id for annotation in annotations}
    tasks, listed = ledger.picks.tasks(round_id), AnnotatorList.of(ledger)

    def judge(pick: PulledPick) -> Judgement:
        void = find_fault(pick, tasks) or listed.fault(pick.rater, accounts.get(pick.rater))
        task = tasks.get(pick.task_key)
        picked = _picked(pick, task) if task is not None and void is None else None
        rework = route(pick.comment) if pick.comment.strip() and void is None and not pick.cancelled else None
        return Judgement(picked, rework, is_simulated(pick.rater), void)

    stored = ledger.picks.store(round_id, map(as_pulled, annotations), judge, datetime.now(UTC))
    good = [pick for pick in stored if pick.judgement.void is None]
    return PickSync(
        new=sum(pick.revision == 1 for pick in good),
        corrected=sum(pick.revision > 1 for pick in good),
        void=tuple(
            f"annotation {pick.pick.annotation_id} of {pick.pick.rater or 'nobody'} does not count: it "
            f"{pick.judgement.void}."
            for pick in stored
            if pick.judgement.void is not None
        ),
        rework=sum(pick.judgement.rework is not None for pick in good),
    )


def as_pulled(annotation: "Annotation") -> PulledPick:
    """What Label Studio gave, as the ledger takes it; of several choices none is taken."""
    return PulledPick(
        annotation_id=annotation.annotation_id,
        task_key=annotation.task_key or "",
        rater=annotation.rater,
        updated_by=f"account {annotation.updated_by}" if annotation.edited_by_another else None,
        answer=annotation.choices[0] if len(annotation.choices) == 1 else "",
        comment=annotation.comment,
        seconds=annotation.lead_time_seconds,
        created_at=annotation.created_at,
        updated_at=annotation.updated_at,
        cancelled=annotation.cancelled,
    )


def find_fault(pick: PulledPick, tasks: Mapping[str, PickTask]) -> str | None:
    """Why a revision may never count, if so, whoever its annotator is."""
    if pick.task_key not in tasks:
        return NOT_OURS
    if pick.updated_by not in (None, pick.rater):
        return FOREIGN.format(who=str(pick.updated_by)[:200])
    if not pick.rater:
        return NO_RATER
    if pick.cancelled:
        return None  # a skip takes back the pick before it
    if pick.answer not in ANSWERS:
        return NO_ANSWER
    shown = len(tasks[pick.task_key].shown)
    return NOT_SHOWN if pick.answer != NONE_OF_THESE and int(pick.answer) > shown else None


def last_picks(picks: Iterable[AdPick]) -> list[AdPick]:
    """The one pick of each annotator on each request that counts, in the order of picking by the server's clock."""
    last: dict[tuple[str, str, str], AdPick] = {}
    for pick in sorted((pick for pick in picks if pick.judgement.void is None), key=_by_server_clock):
        last[pick.round_id, pick.pick.rater, pick.pick.task_key] = pick
    return sorted((pick for pick in last.values() if not pick.pick.cancelled), key=_by_server_clock)


def published(tasks: Mapping[str, PickTask], picks: Sequence[AdPick]) -> list[Published]:
    """The picture of each request that most of its people picked; while two are level, none is published.

    Scripted annotators' picks publish only where no person picked at all, and say so.

    Args:
        tasks, picks: of one round.
    """
    given: list[Published] = []
    counted = last_picks(picks)
    for key, task in tasks.items():
        mine = [pick for pick in counted if pick.pick.task_key == key]
        people = [pick for pick in mine if not pick.judgement.simulated] or mine
        votes = Counter(pick.judgement.picked_sha256 for pick in people).most_common(2)
        if not votes or votes[0][0] is None or (len(votes) > 1 and votes[0][1] == votes[1][1]):
            continue
        picture = next(picture for picture in task.shown if picture.sha256 == votes[0][0])
        simulated = all(pick.judgement.simulated for pick in people)
        given.append(Published(task.request, task.product_id, picture, votes[0][1], simulated))
    return given


def all_published(ledger: "Ledger") -> dict[str, Published]:
    """What is published of each request, by its name; of one that several rounds showed, by the newest of them."""
    given: dict[str, Published] = {}
    for each in ledger.picks.rounds():
        tasks = ledger.picks.tasks(each.round_id)
        given |= {one.request: one for one in published(tasks, ledger.picks.picks(each.round_id))}
    return given


def _picked(pick: PulledPick, task: PickTask) -> str | None:
    if pick.cancelled or pick.answer == NONE_OF_THESE:
        return None
    return task.shown[int(pick.answer) - 1].sha256


def _by_server_clock(pick: AdPick) -> tuple[datetime, int, int]:
    return pick.pick.updated_at, pick.pick.annotation_id, pick.revision
