"""Opening a round: compare, register the plan, make the project, upload the tasks. Run again, it goes on.

Belongs here: these steps in their order, and what is done where an earlier opening was cut short. Not here: comparing
(a family's contest), registering (registration.py), keeping (compared.py), what Label Studio is asked (label_studio/).

Everything that can be refused is refused before the ledger is written; from then on the round exists, and each later
step looks at what is there before it adds anything: the tables in the round's folder, the project by its title, the
tasks by their keys.

Where an opening can be killed, and what the next one does:

    before plan and pairs are registered     nothing happened; it compares and registers
    while they are registered                one transaction: nothing happened
    registered, the folder not whole         it compares again and keeps the tables; if they are other ones by now, the
                                             round, which nobody has seen, becomes void, and a new one is opened
    folder whole, no project asked for       it reads the folder, and makes the project
    project asked for or made, not bound     it finds the project by its title, and binds it
    bound, some tasks uploaded               it uploads the tasks whose keys are not there
    all uploaded, the link not given         it finds everything, adds nothing, and gives the link
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from catalog.errors import SelvedgeError
from labeling.review.rounds.compared import Compared, is_whole, keep, kept_plan, read_compared
from labeling.review.rounds.contest import Contest
from labeling.review.rounds.progress import Progress, named, silent

if TYPE_CHECKING:
    from upath import UPath

    from evaluation.preference_plan import PreferencePlan
    from labeling.review.label_studio import LabelStudio
    from labeling.review.ledger.ledger import Ledger
    from labeling.review.ledger.records import Round
    from labeling.review.pairs.kinds import PairKind
    from labeling.review.pairs.plan import RoundPlan


@dataclass(frozen=True)
class RoundRequest:
    """What a person chooses about a round; the rest follows from the candidate.

    Attributes:
        round_id: made from the candidate's name when not given. kind: of pair, one of the family's. items: products
        shown as plain pairs.
        overlap: ballots asked for a pair. preference: the rule of the verdict. gold_share: pairs with a planted error,
            as a share of `items`; models that are hardly ever right leave none to plant an error in.
    """

    family: str
    candidate: str
    kind: "PairKind[Any]"
    items: int
    overlap: int
    seed: int
    preference: "PreferencePlan"
    round_id: str | None = None
    gold_share: float = 0.10


@dataclass(frozen=True)
class Opened:
    """A round that annotators can work on.

    Attributes:
        pairs: tasks in the project. resumed: it had been opened before.
    """

    round: "Round"
    link: str
    pairs: int
    resumed: bool


def open_round(
    rounds_folder: "UPath",
    ledger: "Ledger",
    server: "LabelStudio",
    request: RoundRequest,
    contest: Callable[[], Contest],
    progress: Progress = silent,
) -> Opened:
    """Open a round, or complete one whose opening was cut short.

    Args:
        contest: finds the two versions; called only when there is something to compare.

    Raises:
        SelvedgeError: the candidate is unknown, judged or being judged; no opponent; the plan is another one than the
            round was opened with; a NoRound where there are too few products, or the versions show the same.
        ServiceUnavailable: Label Studio does not answer.
    """
    from labeling.review.pairs.plan import check_round_id
    from labeling.review.rounds.registration import register_round
    from labeling.review.rounds.tasks import round_tasks

    if request.round_id is not None:
        check_round_id(request.round_id)
    earlier = _open_round_of(ledger, request)
    kept = earlier is not None and _is_kept(rounds_folder, earlier)
    if earlier is not None and kept:
        compared = read_compared(rounds_folder / earlier.plan.round_id, [request.kind])
        plan = _as_requested(ledger, earlier.plan, request, compared)
    else:
        versions = contest()
        if earlier is None:  # refused before minutes of work, and once more when the plan is registered
            ledger.refuse_second_round(request.family, request.candidate, versions.opponent_version)
        compared = versions.compare(request.kind, progress)
        plan = _plan(ledger, request, versions, compared, earlier)
        if earlier is not None and _cannot_be_completed(rounds_folder, ledger, earlier, plan):
            # It would stand in the way of every other round of this candidate.
            ledger.void_round(earlier.plan.round_id, "its opening was cut short, and what it was to show changed since")
            earlier = _open_round_of(ledger, request)
            plan = _plan(ledger, request, versions, compared, earlier)
    material = compared.material(plan.seed)
    opened = register_round(ledger, plan, material, compared.products, compared.splits, progress)
    if not kept:
        keep(compared, rounds_folder / plan.round_id, plan.to_json())
    tasks = round_tasks(ledger, plan.round_id, material)
    project = _project(ledger, server, opened, request.kind, len(tasks))
    # A round that an older version of the program uploaded is not drawn again: it goes on as it was shown.
    if server.counter(project).tasks < len(tasks):
        server.import_tasks(project, tasks, named(progress, "uploading"))
    return Opened(ledger.round(plan.round_id), server.project_url(project), len(tasks), earlier is not None)


def _open_round_of(ledger: "Ledger", request: RoundRequest) -> "Round | None":
    """The round of this candidate that is not judged yet, to be gone on with.

    Raises:
        SelvedgeError: it is another one than is asked for.
    """
    if request.round_id is not None:
        named = ledger.find_round(request.round_id)
        if named is not None and named.state != "open":
            raise SelvedgeError(f"round {request.round_id} is {named.state}; open a new one under another name.")
    for earlier in ledger.rounds(request.family):
        if earlier.plan.candidate != request.candidate or earlier.void is not None:
            continue
        round_id = earlier.plan.round_id
        if ledger.verdict(round_id) is not None:
            continue
        if earlier.closed_at is not None:
            raise SelvedgeError(
                f"round {round_id} is closed without a verdict; run `selvedge review close {round_id}`."
            )
        if request.round_id not in (None, round_id) or earlier.plan.kind != request.kind.name:
            raise SelvedgeError(f"{request.candidate} is being judged in round {round_id}; close that one first.")
        return earlier
    return None


def _cannot_be_completed(rounds_folder: "UPath", ledger: "Ledger", earlier: "Round", plan: "RoundPlan") -> bool:
    """Whether a round was registered with another plan than can be kept now, and is in nobody's hands."""
    from labeling.review.pairs.plan import plan_changes

    if not plan_changes(earlier.plan, plan):
        return False
    # Looked at again: comparing takes minutes, in which the opening of another process may have come to its end.
    now = ledger.round(earlier.plan.round_id)
    return now.state == "open" and now.project_id is None and not _is_kept(rounds_folder, now)


def _is_kept(rounds_folder: "UPath", registered: "Round") -> bool:
    """Whether the round's folder is whole, and this round's: a ledger that was lost leaves folders of the same names.

    Once a project is bound the folder is taken as it is, so that a plan changed in it is noticed (judging.py).
    """
    folder = rounds_folder / registered.plan.round_id
    return is_whole(folder) and (registered.project_id is not None or kept_plan(folder) == registered.plan.to_json())


def _plan(
    ledger: "Ledger", request: RoundRequest, contest: Contest, compared: Compared, earlier: "Round | None"
) -> "RoundPlan":
    from labeling.review.pairs.plan import RoundPlan

    rounds = [entry for entry in ledger.rounds(request.family) if entry.plan.candidate == request.candidate]
    number = len(rounds) + (earlier is None)
    seed = _seed(ledger, request, earlier.plan if earlier else None)
    return RoundPlan(
        round_id=request.round_id or (earlier.plan.round_id if earlier else f"{request.candidate}-r{number}"),
        family=request.family,
        candidate=request.candidate,
        candidate_version=contest.candidate_version,
        opponent=contest.opponent,
        opponent_version=contest.opponent_version,
        kind=request.kind.name,
        seed=seed,
        items=_items(request, compared, seed),
        preference=request.preference,
        gold_share=request.gold_share,
        overlap=request.overlap,
        results=compared.results(),
    )


def _seed(ledger: "Ledger", request: RoundRequest, plan: "RoundPlan | None") -> int:
    """Of the draw of products: another one for every round of a family, or its annotators would see the same products
    for ever."""
    names = [entry.plan.round_id for entry in ledger.rounds(request.family)]
    return request.seed + (names.index(plan.round_id) if plan and plan.round_id in names else len(names))


def _items(request: RoundRequest, compared: Compared, seed: int) -> int:
    from labeling.review.rounds.registration import count_differing, items_to_show

    counts = count_differing(compared.material(seed), compared.products, compared.splits)
    return items_to_show(request.items, request.gold_share, *counts)


def _as_requested(ledger: "Ledger", plan: "RoundPlan", request: RoundRequest, compared: Compared) -> "RoundPlan":
    """The registered plan with what is asked for now; the ledger refuses it when that differs.

    What is nobody's choice stays as the plan has it: an open round of an earlier version of the program goes on. It
    drew by the seed itself, and equal pairs among the others.
    """
    from evaluation.preference_plan import PreferencePlan, house_plans

    seed = request.seed if plan.seed == request.seed else _seed(ledger, request, plan)
    items = request.items if plan.items == request.items else _items(request, compared, seed)
    house = request.preference == PreferencePlan() and plan.preference in house_plans()
    return replace(
        plan,
        items=items,
        overlap=request.overlap,
        seed=seed,
        gold_share=request.gold_share,
        preference=plan.preference if house else request.preference,
    )


def _project(ledger: "Ledger", server: "LabelStudio", opened: "Round", kind: "PairKind[Any]", pairs: int) -> int:
    """The project of a round: the one there is, else a new one."""
    from labeling.review.label_page import Pace, label_config
    from labeling.review.label_studio import ProjectGone
    from labeling.review.pairs.blinding import public_title

    round_id = opened.plan.round_id
    if opened.project_id is not None:
        try:
            server.counter(opened.project_id)
            return opened.project_id
        except ProjectGone:
            # A server that lost its database numbers annotations from 1 again: new ballots would be taken for
            # corrections of those already pulled.
            if ledger.pulls(round_id):
                raise
    title = public_title(opened.key, round_id)
    project = server.find_project(title)
    if project is None:
        rule = opened.plan.preference
        pace = Pace(pairs, rule.minimum_seconds, rule.words_per_second)
        config = label_config(kind.question, kind.guidelines, kind.reasons, kind.sides, pace)
        made = server.create_project(title, config, kind.guidelines + pace.told, opened.plan.overlap)
        # Another opening, or one that was killed while the server worked on its request, may have been faster: both
        # take the older one, or ballots would go where nobody pulls them.
        project = server.find_project(title) or made
        if project != made:
            server.delete_project(made)
    ledger.bind_project(round_id, project)
    return project
