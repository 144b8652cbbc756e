"""A candidate's evidence: what its scores were published with, and the verdict that people reached.

Belongs here: finding both and putting them together. Not here: gathering them (a family's `score`, review/), the rule
that judges them (evaluation/gate.py).

The scores' part is a file beside them, held to the recorded hash and to a signature with the home's key: the record is
Dagster's, and whoever reaches its event log may write there. The verdict's part is read from the ledger whenever
it is needed, never from a file: the ledger alone is append-only.
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dagster as dg

from catalog.errors import SelvedgeError
from catalog.stores import is_there, stored_bytes
from orchestration.assets.published import Tables, materialised
from orchestration.families.contract import Family
from orchestration.runtime.settings import Settings
from orchestration.runtime.signing import is_signed, signature

if TYPE_CHECKING:
    from evaluation.gate import Evidence
    from labeling.review.ledger.ledger import Ledger
    from labeling.review.ledger.records import Round

EVIDENCE_FILE, SIGNATURE_FILE = "evidence.json", "evidence.signature"
SIGNED = "selvedge evidence 1"  # what the signature is over, in which form


def evidence_place(family: Family, tables: Tables, candidate: str) -> Any:
    """Where a candidate's evidence is kept: in a folder beside its scores, with the plots that go with it."""
    return tables.path("/".join(family.scores.path), candidate).with_suffix("") / EVIDENCE_FILE


def sign_evidence(family: Family, tables: Tables, settings: Settings, evidence: "Evidence", scores_sha256: str) -> None:
    """Put the home's signature beside the evidence: these figures, of this table of scores, of this candidate.

    Args:
        scores_sha256: content hash of the published table.
    """
    from catalog.tables import publish_bytes

    texts = _signed_texts(family, evidence.candidate, evidence.sha256, scores_sha256)
    file = evidence_place(family, tables, evidence.candidate).with_name(SIGNATURE_FILE)
    publish_bytes(f"{signature(settings, texts)}\n".encode(), file)


def unsigned(family: Family, tables: Tables, candidate: str) -> bool:
    """Was the evidence written by a Selvedge that did not sign yet? Then it can be read, and promotes nothing."""
    return not is_there(evidence_place(family, tables, candidate).with_name(SIGNATURE_FILE))


def scores_evidence(
    family: Family,
    instance: dg.DagsterInstance,
    tables: Tables,
    candidate: str,
    settings: Settings,
    to_read: bool = False,
) -> "Evidence":
    """The evidence that the newest scores of a candidate were published with.

    Args:
        to_read: for a page that decides nothing: evidence of before there were signatures is given as well, and the
            page says so (`unsigned`).

    Raises:
        SelvedgeError: the candidate was never scored, or its evidence is missing, not the recorded one, or not signed
            with this home's key.
    """
    from evaluation.gate import Evidence

    recorded = materialised(instance, "/".join(family.scores.path), candidate)
    path = evidence_place(family, tables, candidate)
    if recorded is None or not is_there(path):
        raise SelvedgeError(
            f"candidate {candidate} has no evidence; materialise {'/'.join(family.scores.path)} first, or, if it was "
            "trained by hand, `selvedge register RUN_FOLDER`."
        )
    evidence = Evidence.from_json(stored_bytes(path).decode())
    if evidence.sha256 != recorded["evidence_sha256"] or evidence.candidate != candidate:
        raise SelvedgeError(
            f"the evidence of {candidate} is not the one its scores were published with; score it again."
        )
    if not (to_read and unsigned(family, tables, candidate)):
        texts = _signed_texts(family, candidate, evidence.sha256, str(recorded.get("sha256", "")))
        _check_signature(family, tables, candidate, settings, texts)
    return evidence


def _signed_texts(family: Family, candidate: str, evidence_sha256: str, scores_sha256: str) -> tuple[str, ...]:
    return SIGNED, family.name, candidate, evidence_sha256, scores_sha256


def _check_signature(
    family: Family, tables: Tables, candidate: str, settings: Settings, texts: tuple[str, ...]
) -> None:
    again = f"score it again (materialise {'/'.join(family.scores.path)} of it)"
    if unsigned(family, tables, candidate):
        raise SelvedgeError(
            f"the evidence of {candidate} has no signature: it was scored by an older Selvedge, or the file is lost; "
            f"{again}."
        )
    given = stored_bytes(evidence_place(family, tables, candidate).with_name(SIGNATURE_FILE)).decode(errors="replace")
    if not is_signed(settings, texts, given):
        raise SelvedgeError(
            f"the evidence of {candidate}, or what Dagster records of its scores, is not what was signed with this "
            f"home's key; {again}, and where several machines share tables give all the same SELVEDGE_EVIDENCE_KEY."
        )


def whole_evidence(
    family: Family,
    instance: dg.DagsterInstance,
    tables: Tables,
    ledger: "Ledger",
    candidate: str,
    settings: Settings,
    to_read: bool = False,
) -> "Evidence":
    """The scores' evidence, and the verdict of the candidate's newest round where that is judged.

    Args:
        to_read: as `scores_evidence`.

    Raises:
        SelvedgeError: as `scores_evidence`.
        ServiceUnavailable: the ledger does not answer.
    """
    from evaluation.gate import VERDICT
    from labeling.review.rounds.evidence import verdict_evidence

    evidence = scores_evidence(family, instance, tables, candidate, settings, to_read)
    newest = newest_round(ledger, family.name, candidate)
    if newest is None or ledger.verdict(newest.plan.round_id) is None:
        return evidence
    verdict = verdict_evidence(ledger, newest.plan.round_id)
    return replace(evidence, others={**evidence.others, VERDICT: verdict.to_dict()})


def newest_round(ledger: "Ledger", family: str, candidate: str) -> "Round | None":
    """The round of a candidate that was opened last; void ones decide nothing and are passed over."""
    rounds = [round_ for round_ in ledger.rounds(family) if round_.plan.candidate == candidate and round_.void is None]
    return rounds[-1] if rounds else None
