"""A round that runs: pulling its ballots, how it stands, closing and judging it.

Belongs here: these steps in their order. Not here: what a ballot is worth (ballots.py), the rule (evaluation/).

A round is closed before it is judged and its raters are excluded on the final ballots, without a look at which version
won: between those steps a kill costs nothing, because each finds what was done already.

Where pulling and closing can be killed, and what the next call does:

    while pages are fetched                  nothing is stored; it pulls everything again
    while the pull is stored                 one transaction: nothing is stored
    pull stored, its result not given        it pulls the same again, which adds no row; `status` has the ballots
    some pairs asked again, not all          it asks for the others; those that were are left as they are
    before the round is closed               it is open: it is pulled again and closed
    closed, raters not excluded              it excludes them, on the ballots that were pulled before the close
    excluded, not judged                     it finds the exclusions and judges
    judged, no report                        it gives the verdict there is; the report is written from the ledger
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from catalog.errors import SelvedgeError
from labeling.review.rounds.compared import kept_plan
from labeling.review.rounds.progress import Progress, named, silent

if TYPE_CHECKING:
    import pandas as pd
    from upath import UPath

    from evaluation.preference import Judgement
    from labeling.review.label_studio import LabelStudio
    from labeling.review.ledger.ledger import Ledger
    from labeling.review.ledger.records import Exclusion, Round, Verdict
    from labeling.review.rounds.asking_again import AskedAgain
    from labeling.review.rounds.ballots import SyncReport


def sync_round(
    rounds_folder: "UPath",
    ledger: "Ledger",
    server: "LabelStudio",
    round_id: str,
    progress: Progress = silent,
) -> "SyncReport":
    """Pull everything Label Studio holds for a round into the ledger; pulling twice adds nothing.

    Raises:
        SelvedgeError: no such round, it has no project, its plan was changed (it is void then), or its project is gone.
        ServiceUnavailable: Label Studio does not answer.
    """
    from labeling.review.rounds.ballots import as_pulled, sync

    project = hold_to_plan(rounds_folder, ledger, round_id).project_id
    if project is None:
        raise SelvedgeError(f"round {round_id} has no project yet; run `selvedge review open` again to complete it.")
    annotations = server.pull_annotations(project, named(progress, "pulling tasks"))
    accounts = {annotation.rater: annotation.rater_id for annotation in annotations}
    return sync(ledger, round_id, map(as_pulled, annotations), accounts=accounts)


def hold_to_plan(rounds_folder: "UPath", ledger: "Ledger", round_id: str) -> "Round":
    """The round, if its plan is still the one it was opened with; otherwise it becomes void, for good.

    Raises:
        SelvedgeError: there is no such round, or it is void.
    """
    from labeling.review.pairs.plan import RoundPlan

    registered = ledger.round(round_id)
    kept = kept_plan(rounds_folder / round_id)
    if registered.void is None and kept is None:
        raise SelvedgeError(f"the opening of round {round_id} was cut short; run `selvedge review open` again.")
    if registered.void is None and kept is not None:
        try:
            plan = RoundPlan.from_json(kept)
        except SelvedgeError as error:
            ledger.void_round(round_id, "the plan in its folder was changed")
            raise SelvedgeError(f"round {round_id} is void from now on: {error}") from error
        return ledger.hold_to_plan(plan)
    return ledger.hold_to_plan(registered.plan)


def table_of(ledger: "Ledger", round_id: str) -> "pd.DataFrame":
    """The ballots that count, un-blinded, as the statistics read them."""
    from labeling.review.rounds.ballots import counted_ballots

    return counted_ballots(ledger.ballots(round_id), ledger.pairs(round_id))


def evidence_picture(ledger: "Ledger", registered: "Round") -> bytes | None:
    """How the evidence moved with every ballot, as a PNG; None before the first that counts."""
    from evaluation.preference import evidence_path
    from evaluation.review_plots import evidence_plot

    plan = registered.plan
    path = evidence_path(table_of(ledger, plan.round_id), plan.preference, plan.asked)
    return evidence_plot(path, plan.preference, plan.opponent) if len(path) else None


@dataclass(frozen=True)
class Standing:
    """How a round stands at its last pull.

    Attributes:
        verdict: what is recorded; None before. judgement: what the ballots say now.
        ballots: that count, by kind of pair. void: revisions that do not. simulated: some are scripted.
        capacity: plain ballots that its tasks can give. asked_again: of raters who are left out, while it is open.
    """

    round: "Round"
    verdict: "Verdict | None"
    judgement: "Judgement"
    ballots: dict[str, int]
    void: int
    simulated: bool
    capacity: int
    asked_again: "AskedAgain"
    pulled: str | None

    @property
    def share(self) -> float | None:
        """Of decided ballots, the candidate's; None where none decides."""
        won, lost = self.judgement.counts["candidate"], self.judgement.counts["champion"]
        return won / (won + lost) if won + lost else None


def standing(ledger: "Ledger", round_id: str) -> Standing:
    """Look at a round; always allowed, because the rule stays valid however often one looks.

    Raises:
        SelvedgeError: there is no such round.
    """
    from evaluation.preference import judge_round
    from labeling.review.rounds.asking_again import NOTHING_OWED, owed_ballots
    from labeling.review.rounds.ballots import rests_on_simulation

    registered = ledger.round(round_id)
    everything, pairs = ledger.ballots(round_id), ledger.pairs(round_id)
    table, pulls = table_of(ledger, round_id), ledger.pulls(round_id)
    counts = table["kind"].value_counts()
    owed = owed_ballots(ledger, round_id) if registered.state == "open" else NOTHING_OWED
    return Standing(
        round=registered,
        verdict=ledger.verdict(round_id),
        judgement=judge_round(
            table, registered.plan.preference, registered.state != "open", asked=registered.plan.asked
        ),
        ballots={kind: int(counts.get(kind, 0)) for kind in ("plain", "gold", "aa", "repeat")},
        void=sum(ballot.void is not None for ballot in everything),
        simulated=rests_on_simulation(everything),
        capacity=sum(pair.slot == "plain" for pair in pairs.values()) * registered.plan.overlap + owed.plain,
        asked_again=owed,
        pulled=pulls[-1].at.isoformat(timespec="seconds") if pulls else None,
    )


def close_round(rounds_folder: "UPath", ledger: "Ledger", round_id: str, undecided: bool = False) -> "Verdict":
    """Close a round on the ballots pulled so far, and judge it; a judged round gives its verdict again.

    Args:
        undecided: close it also where the ballots do not decide yet; it is then `inconclusive`.

    Raises:
        SelvedgeError: there is no such round, it is void, or it is undecided.
    """
    from evaluation.ballots import blind, exclude_raters
    from evaluation.preference import OPEN, judge_round
    from labeling.review.rounds.ballots import ballots_sha256, rests_on_simulation

    recorded = ledger.verdict(round_id)
    if recorded is not None:
        return recorded
    registered = hold_to_plan(rounds_folder, ledger, round_id)
    plan = registered.plan.preference
    if registered.state == "open" and not undecided:
        now = judge_round(table_of(ledger, round_id), plan, asked=registered.plan.asked)
        if now.outcome == OPEN:
            needed = f"about {now.forecast.median} more ballots" if now.forecast else "more ballots"
            raise SelvedgeError(
                f"round {round_id} is not decided: {' '.join(now.reasons)} Collect {needed}, or close it as "
                "inconclusive with --undecided."
            )
    ledger.close_round(round_id)
    everything, table = ledger.ballots(round_id), table_of(ledger, round_id)
    ledger.exclude(round_id, _exclusions(exclude_raters(blind(table), plan)))
    judgement = judge_round(table, plan, closed=True, asked=registered.plan.asked)
    evidence = verdict_content(registered, judgement)
    return ledger.record_verdict(
        round_id,
        judgement.outcome,  # type: ignore[arg-type]  # a closed round is never `open`
        evidence,
        ballots_sha256(everything),
        rests_on_simulation(everything),
    )


def judge_if_decided(
    rounds_folder: "UPath",
    ledger: "Ledger",
    server: "Callable[[], LabelStudio]",
    round_id: str,
    progress: Progress = silent,
) -> Standing:
    """Pull, then close and judge a round whose ballots decide it, or which no further ballot can reach.

    One that stays open is asked again where a rater is left out.

    Args:
        server: connects to Label Studio; called only where there is something to pull.

    Returns:
        how it stands; its verdict is None while it is undecided.

    Raises:
        SelvedgeError: as `sync_round`.
        ServiceUnavailable: Label Studio does not answer.
    """
    from evaluation.preference import OPEN
    from labeling.review.rounds.asking_again import ask_again

    if ledger.verdict(round_id) is None:
        if ledger.round(round_id).state != "closed":
            connected = server()
            sync_round(rounds_folder, ledger, connected, round_id, progress)
            now = standing(ledger, round_id)
            if now.judgement.outcome == OPEN and not _is_exhausted(ledger, now):
                ask_again(ledger, connected, round_id)
                return now
        close_round(rounds_folder, ledger, round_id, undecided=True)
    return standing(ledger, round_id)


def _is_exhausted(ledger: "Ledger", now: Standing) -> bool:
    """Whether every task has all the ballots it is shown for; void ones are used up, too."""
    plan = now.round.plan
    pairs = ledger.pairs(plan.round_id)
    ballots = ledger.ballots(plan.round_id)
    given = {ballot.annotation.annotation_id for ballot in ballots if ballot.annotation.task_key in pairs}
    return len(given) >= len(pairs) * plan.overlap + now.asked_again.ballots


def _exclusions(excluded: dict[str, str]) -> "list[Exclusion]":
    from labeling.review.ledger.records import Exclusion

    return [Exclusion(rater, "pre-registered", reason) for rater, reason in excluded.items()]


def verdict_content(registered: "Round", judgement: "Judgement") -> dict[str, Any]:
    """What the verdict rests on, as plain data: the judgement, and which versions it is about."""
    plan = registered.plan
    return {
        **asdict(judgement),
        "forecast": None,
        "round": plan.round_id,
        "family": plan.family,
        "kind": plan.kind,
        "candidate": plan.candidate,
        "candidate_version": plan.candidate_version,
        "opponent": plan.opponent,
        "opponent_version": plan.opponent_version,
        "round_plan_sha256": plan.sha256,
    }
