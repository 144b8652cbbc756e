"""A verdict as evidence, and the proof that it is the ledger's and follows from its ballots.

Belongs here: turning the ledger's verdict into what the gate judges, comparing the two again before an alias moves, and
computing a recorded verdict once more from plan, pairs, pulls, ballots, annotators and exclusions. Not here: the rules
themselves (ballots.py, evaluation/), whether rows were changed (labeling/review/ledger/chain.py), moving the alias.

A file of evidence can be written by anybody who may write files, and a row by anybody who may write to the database.
So whoever promotes asks the ledger again, and a verdict that is not there, or was another, whose round is void since,
or which does not follow from its ballots, promotes nothing. What cannot be made up by one row is that everything before
it gives it: sides and names by the round's key, ballots by the pulls, faults and simulation by the accounts, exclusions
and outcome by the plan that was registered.
"""

import hashlib
import json
import math
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from catalog.errors import SelvedgeError, ServiceUnavailable
from labeling.review.ledger.chain import row_key
from labeling.review.pairs.blinding import left_version, sound_side, task_key
from labeling.review.rounds.annotators import is_simulated
from labeling.review.rounds.ballots import (
    STRANGER,
    AnnotatorList,
    ballots_sha256,
    counted_ballots,
    find_fault,
    rests_on_simulation,
)
from labeling.review.rounds.judging import verdict_content

if TYPE_CHECKING:
    from evaluation.evidence import Evidence
    from evaluation.gate import VerdictEvidence
    from labeling.review.ledger.ledger import Ledger
    from labeling.review.ledger.records import Ballot, Pair, PulledAnnotation, Round, Verdict

# What a recorded judgement must say exactly as it is computed now; figures may differ in their last digits.
EXACT = (
    "outcome", "plan_sha256", "counts", "uncounted", "excluded", "raters", "round", "family", "candidate",
    "candidate_version", "opponent", "opponent_version", "round_plan_sha256",
)  # fmt: skip
FIGURES = ("e_value", "effective_e_value", "low", "high", "effective_low", "effective_high")
TOLERANCE = 1e-6
_REMEDY = "restore the ledger from a backup, or open a new round"


def verdict_evidence(ledger: "Ledger", round_id: str) -> "VerdictEvidence":
    """The verdict of a round as the gate takes it; `to_dict` of it goes into `Evidence.others["verdict"]`.

    What was stored with `Ledger.record_verdict` must hold `plan_sha256`, the preference plan it was computed by, as
    `dataclasses.asdict` of a verdict of evaluation/preference.py does.

    Raises:
        SelvedgeError: there is no such round, it is void, not judged, or its verdict does not follow from ballots.
        ServiceUnavailable: the ledger does not answer.
    """
    from evaluation.gate import VerdictEvidence

    registered, verdict = ledger.round(round_id), ledger.verdict(round_id)
    if registered.void is not None:
        raise SelvedgeError(f"round {round_id} is void: {registered.void}; open a new round.")
    if verdict is None:
        raise SelvedgeError(f"round {round_id} has no verdict yet; close it first.")
    refuse_unproved_verdict(ledger, round_id)
    plan, judgement = registered.plan, json.loads(verdict.evidence)
    return VerdictEvidence(
        round_id=round_id,
        family=plan.family,
        candidate=plan.candidate,
        champion_version=plan.champion_version,
        outcome=verdict.outcome,
        # Asked of the ballots as well: a verdict that forgot to say so must not pass for people's.
        simulated=verdict.simulated or rests_on_simulation(ledger.ballots(round_id)),
        registered_plan_sha256=plan.preference.sha256,
        judged_plan_sha256=str(judgement.get("plan_sha256") or "unknown"),
        round_plan_sha256=plan.sha256,
        verdict_sha256=verdict.evidence_sha256,
        ballots_sha256=verdict.ballots_sha256,
    )


def refuse_unproved(ledger: "Ledger", evidence: "Evidence", candidate_version: int) -> list[str]:
    """Why a verdict among the evidence is not the ledger's, one sentence each; nothing where there is no verdict.

    Raises:
        ServiceUnavailable: the ledger does not answer.
    """
    from evaluation.gate import verdict_of

    try:
        claimed = verdict_of(evidence)
        if claimed is None:
            return []
        recorded = verdict_evidence(ledger, claimed.round_id)
    except ServiceUnavailable:
        raise
    except SelvedgeError as error:
        return [str(error)]
    if claimed != recorded:
        return [f"the verdict among the evidence is not the one of round {claimed.round_id}; judge the round again."]
    judged_version = ledger.round(claimed.round_id).plan.candidate_version
    if judged_version not in (str(candidate_version), f"models:/{evidence.family}/{candidate_version}"):
        return [
            f"round {claimed.round_id} judged version {judged_version}, the candidate is version {candidate_version}; "
            "open a new round."
        ]
    return []


def refuse_unproved_verdict(ledger: "Ledger", round_id: str) -> None:
    """Hold a recorded verdict to what it must follow from.

    Raises:
        SelvedgeError: there is no such round or verdict, or the verdict is not the one that plan and ballots give.
        ServiceUnavailable: the ledger does not answer.
    """
    registered, verdict = ledger.round(round_id), ledger.verdict(round_id)
    if verdict is None:
        raise SelvedgeError(f"round {round_id} has no verdict yet; close it first.")
    if registered.closed_at is None:
        raise SelvedgeError(f"round {round_id} has a verdict but was never closed; {_REMEDY}.")
    everything, pairs = ledger.ballots(round_id), ledger.pairs(round_id)
    for what in (
        _wrong_pairs(registered, pairs),
        _wrong_ballots(ledger, round_id, everything, pairs),
        _wrong_judgement(ledger, registered, verdict, everything, pairs),
    ):
        if what:
            raise SelvedgeError(f"the verdict of round {round_id} does not follow from its ballots: {what}; {_REMEDY}.")


def _wrong_pairs(registered: "Round", pairs: "Mapping[str, Pair]") -> str | None:
    """Each pair has the name and the sides that the round's key gives, and there are as many as the plan says."""
    plan, key = registered.plan, registered.key
    for pair in pairs.values():
        sides = pair.left == left_version(key, plan.round_id, pair.item, pair.slot) or pair.slot == "gold"
        sound = sound_side(key, plan.round_id, pair.item) if pair.slot == "gold" else None
        if pair.task_key != task_key(key, plan.round_id, pair.item, pair.slot) or not sides or pair.sound != sound:
            return f"the sides of product {pair.item} are not those that its key gives"
    planned = {
        "plain": plan.items,
        "gold": plan.extra(plan.gold_share),
        "aa": plan.extra(plan.aa_share),
        "repeat": min(plan.extra(plan.repeat_share), plan.items),
    }
    shown = Counter(pair.slot for pair in pairs.values())
    return None if all(shown[slot] == number for slot, number in planned.items()) else "its pairs are not the plan's"  # type: ignore[index]


def _wrong_ballots(
    ledger: "Ledger", round_id: str, everything: "list[Ballot]", pairs: "Mapping[str, Pair]"
) -> str | None:
    """Each ballot is in a pull, and is void and simulated where the rules say so."""
    pulled = ledger.pulled_ballots(round_id)
    if [_content(ballot) for ballot in everything] != [_content(ballot) for ballot, _ in pulled]:
        return "its ballots are not those that were pulled"
    order, listed = ledger.record.ballot_positions(), AnnotatorList.of(ledger)
    closing = ledger.record.closing_position(round_id)
    for ballot, (_, annotation) in zip(everything, pulled, strict=True):
        name = f"ballot {annotation.annotation_id} of {annotation.rater or 'nobody'}"
        position = order.get(row_key(round_id, annotation.annotation_id, ballot.revision), 0)
        late = closing is None or position > closing
        fault = find_fault(annotation, pairs, late) or listed.fault(annotation.rater, before=position)
        if ballot.simulated != is_simulated(annotation.rater):
            return f"{name} is not marked as its annotator's are"
        # By the account's number a ballot may be a stranger's as well; the number is known at the pull alone.
        if ballot.void != fault and not (fault is None and ballot.void == STRANGER):
            return f"{name} {f'counts, but it {fault}' if ballot.void is None else 'is void by no rule'}"
    return None


def _wrong_judgement(
    ledger: "Ledger", registered: "Round", verdict: "Verdict", everything: "list[Ballot]", pairs: "Mapping[str, Pair]"
) -> str | None:
    """Exclusions and outcome are those of the plan, the hashes those of what they name."""
    from evaluation.ballots import blind, exclude_raters
    from evaluation.preference import judge_round

    plan = registered.plan
    if verdict.ballots_sha256 != ballots_sha256(everything):
        return "it names other ballots"
    if verdict.evidence_sha256 != hashlib.sha256(verdict.evidence.encode()).hexdigest():
        return "its evidence was changed"
    if verdict.simulated != rests_on_simulation(everything):
        return "it does not say that its ballots are simulated" if not verdict.simulated else "no ballot is simulated"
    table = counted_ballots(everything, pairs)
    excluded = {exclusion.rater for exclusion in ledger.exclusions(plan.round_id)}
    if excluded != set(exclude_raters(blind(table), plan.preference)):
        return "other annotators were excluded than the plan's rules exclude"
    judgement = judge_round(table, plan.preference, closed=True, asked=plan.asked)
    now = json.loads(json.dumps(verdict_content(registered, judgement)))
    try:
        recorded = dict(json.loads(verdict.evidence))
    except (ValueError, TypeError):
        return "its evidence cannot be read"
    if verdict.outcome != now["outcome"]:
        return f"it says {verdict.outcome}, and they say {now['outcome']}"
    wrong = [name for name in EXACT if recorded.get(name) != now[name]]
    wrong += [name for name in FIGURES if not _close(recorded.get(name), now[name])]
    return f"its {wrong[0].replace('_', ' ')} is another" if wrong else None


def _close(recorded: Any, now: float) -> bool:
    return isinstance(recorded, int | float) and math.isclose(recorded, now, rel_tol=TOLERANCE, abs_tol=TOLERANCE)


def _content(ballot: "Ballot") -> "tuple[PulledAnnotation, int, int]":
    return ballot.annotation, ballot.revision, ballot.pull
