"""A candidate's evidence: what its scores were published with, and the verdict that people reached.

Belongs here: finding both and putting them together. Not here: gathering them (a family's `score`, review/), the rule
that judges them (evaluation/gate.py).

The scores' part is a file beside them, held to the recorded hash. The verdict's part is read from the ledger whenever
it is needed, never from a file: the ledger alone is append-only.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dagster as dg

from catalog.errors import SelvedgeError
from orchestration.assets.published import Tables, materialised
from orchestration.families.contract import Family

if TYPE_CHECKING:
    from evaluation.gate import Evidence
    from labeling.review.ledger.ledger import Ledger
    from labeling.review.ledger.records import Round

EVIDENCE_FILE = "evidence.json"


def evidence_place(family: Family, tables: Tables, candidate: str) -> Any:
    """Where a candidate's evidence is kept: in a folder beside its scores, with the plots that go with it."""
    return tables.path("/".join(family.scores.path), candidate).with_suffix("") / EVIDENCE_FILE


def scores_evidence(family: Family, instance: dg.DagsterInstance, tables: Tables, candidate: str) -> "Evidence":
    """The evidence that the newest scores of a candidate were published with.

    Raises:
        SelvedgeError: the candidate was never scored, or its evidence is missing or not the recorded one.
    """
    from evaluation.gate import Evidence

    recorded = materialised(instance, "/".join(family.scores.path), candidate)
    path = evidence_place(family, tables, candidate)
    if recorded is None or not path.exists():
        raise SelvedgeError(
            f"candidate {candidate} has no evidence; materialise {'/'.join(family.scores.path)} first, or, if it was "
            "trained by hand, `selvedge register RUN_FOLDER`."
        )
    evidence = Evidence.from_json(path.read_text())
    if evidence.sha256 != recorded["evidence_sha256"] or evidence.candidate != candidate:
        raise SelvedgeError(
            f"the evidence of {candidate} is not the one its scores were published with; score it again."
        )
    return evidence


def whole_evidence(
    family: Family, instance: dg.DagsterInstance, tables: Tables, ledger: "Ledger", candidate: str
) -> "Evidence":
    """The scores' evidence, and the verdict of the candidate's newest round where that is judged.

    Raises:
        SelvedgeError: as `scores_evidence`.
        ServiceUnavailable: the ledger does not answer.
    """
    from evaluation.gate import VERDICT
    from labeling.review.rounds.evidence import verdict_evidence

    evidence = scores_evidence(family, instance, tables, candidate)
    newest = newest_round(ledger, family.name, candidate)
    if newest is None or ledger.verdict(newest.plan.round_id) is None:
        return evidence
    verdict = verdict_evidence(ledger, newest.plan.round_id)
    return replace(evidence, others={**evidence.others, VERDICT: verdict.to_dict()})


def newest_round(ledger: "Ledger", family: str, candidate: str) -> "Round | None":
    """The round of a candidate that was opened last; void ones decide nothing and are passed over."""
    rounds = [round_ for round_ in ledger.rounds(family) if round_.plan.candidate == candidate and round_.void is None]
    return rounds[-1] if rounds else None
