"""A verdict as evidence, and the proof that it is the one in the ledger.

Belongs here: turning the ledger's verdict into what the gate judges, and comparing the two again before an alias moves.
Not here: the judgement (evaluation/verdict_gate.py), moving the alias (promotion.py).

A file of evidence can be written by anybody who may write files, and a row by anybody who may write to the database.
So whoever promotes asks the ledger again, and a verdict that is not there, or was another, whose round is void since,
or which does not follow from its ballots (proof.py), promotes nothing.
"""

import json
from typing import TYPE_CHECKING

from catalog.errors import SelvedgeError, ServiceUnavailable

if TYPE_CHECKING:
    from evaluation.gate import Evidence
    from evaluation.verdict_gate import VerdictEvidence
    from labeling.review.ledger.ledger import Ledger


def verdict_evidence(ledger: "Ledger", round_id: str) -> "VerdictEvidence":
    """The verdict of a round as the gate takes it; `to_dict` of it goes into `Evidence.others["verdict"]`.

    What was stored with `Ledger.record_verdict` must hold `plan_sha256`, the preference plan it was computed by, as
    `dataclasses.asdict` of a verdict of evaluation/preference.py does.

    Raises:
        SelvedgeError: there is no such round, it is void, not judged, or its verdict does not follow from ballots.
        ServiceUnavailable: the ledger does not answer.
    """
    from evaluation.verdict_gate import VerdictEvidence
    from labeling.review.rounds.ballots import rests_on_simulation
    from labeling.review.rounds.proof import refuse_unproved_verdict

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
    from evaluation.verdict_gate import verdict_of

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
