"""Promotion: moving the champion's alias, once, on evidence, with a record; and moving it back.

Belongs here: the order of the writes, so that a kill between any two of them is repaired by the next command, and the
records. Not here: whether a candidate deserves it (evaluation/gate.py).

MLflow moves aliases without memory and without compare-and-swap. So: under a lock, the champion is read again and must
be the one the evidence names; an intent is written on the registered model before the first alias moves and removed
after the record is written. Whoever comes next finds an intent and completes it. Two promotions on evidence against
the same champion: the second finds another champion and is told.

The lock is a file of this home: promote one family from one home only.
"""

import getpass
import json
import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Literal

from catalog.errors import SelvedgeError
from evaluation.gate import Evidence, GateRule, decide
from infra.local.lock import exclusive
from orchestration.registry import CHALLENGER, CHAMPION, PREVIOUS_CHAMPION, ModelVersionInfo, Registry
from orchestration.services import in_our_words
from orchestration.tracking import told_in_one_sentence

INTENT_TAG = "selvedge.promotion.intent"
RECORD_TAG = "selvedge.promotion."  # + the record's id, on the version that became champion; never written twice
LOCK_SECONDS = 60.0


@dataclass(frozen=True)
class PromotionRecord:
    """One move of the champion's alias: append-only."""

    id: str
    kind: Literal["promotion", "rollback"]
    family: str
    candidate: str
    version: int  # champion from now on
    old_champion: int | None
    previous_champion: int | None  # where the alias of that name points from now on
    evidence_sha256: str  # empty for a rollback
    reasons: tuple[str, ...]
    by: str
    at: str  # ISO 8601, UTC

    @property
    def tag(self) -> str:
        return f"{RECORD_TAG}{self.id}"

    @classmethod
    def from_json(cls, text: str) -> "PromotionRecord":
        content = json.loads(text)
        return cls(**{**content, "reasons": tuple(content["reasons"])})


@dataclass(frozen=True)
class PromotionOutcome:
    """What came of asking: whether the alias moved, who is champion now, and why."""

    model: ModelVersionInfo  # the candidate's
    status: Literal["promoted", "already_champion", "refused"]
    champion: int | None
    old_champion: int | None
    reasons: tuple[str, ...]
    record: PromotionRecord | None = None

    @property
    def promoted(self) -> bool:
        return self.status == "promoted"

    def require_champion(self) -> ModelVersionInfo:
        """The candidate's version, which is champion now.

        Raises:
            SelvedgeError: it was refused; the reasons are in the sentence.
        """
        if self.status == "refused":
            raise SelvedgeError(f"{self.model.candidate} was not promoted: {' '.join(self.reasons)}")
        return self.model


def promote(registry: Registry, rule: GateRule, evidence: Evidence, by: str | None = None) -> PromotionOutcome:
    """Make the candidate of the evidence champion if the gate lets it, judged here and now.

    Asking again after success changes nothing. A refusal is an outcome, not an error: losing is ordinary.

    Args:
        evidence: names the candidate and the champion it was compared with; both are looked up again.
        by: who asked, for the record; the user of this process by default.

    Raises:
        SelvedgeError: the candidate has no model version.
        ServiceUnavailable: MLflow does not answer; a promotion that had begun is completed by the next command.
    """
    family = rule.family
    candidate = registry.of_candidate(family, evidence.candidate)
    if candidate is None:
        raise SelvedgeError(f"{evidence.candidate} has no model version of {family}; register it by training it first.")
    with _alone(registry, family):
        repair(registry, family)
        aliases = registry.aliases(family)
        champion = aliases.get(CHAMPION)
        earlier = [record for record in history(registry, family) if record.evidence_sha256 == evidence.sha256]
        if champion == candidate.version:
            reasons = earlier[-1].reasons if earlier else ("it is champion already.",)
            return PromotionOutcome(candidate, "already_champion", champion, champion, tuple(reasons))
        decision = decide(rule, evidence, None if champion is None else str(champion))
        refusals = (*_spent(earlier), *(() if decision.promote else decision.reasons))
        if refusals:
            return PromotionOutcome(candidate, "refused", champion, champion, refusals)
        record = PromotionRecord(
            id=_record_id(),
            kind="promotion",
            family=family,
            candidate=candidate.candidate,
            version=candidate.version,
            old_champion=champion,
            previous_champion=champion,
            evidence_sha256=evidence.sha256,
            reasons=decision.reasons,
            by=by or _somebody(),
            at=_now(),
        )
        _begin(registry, record)
        _complete(registry, record)
        return PromotionOutcome(candidate, "promoted", record.version, champion, decision.reasons, record)


def rollback(registry: Registry, family: str, reason: str = "", by: str | None = None) -> PromotionRecord:
    """Make the previous champion champion again; a second rollback goes one further back.

    Raises:
        SelvedgeError: there is no champion, or none before it.
        ServiceUnavailable: MLflow does not answer.
    """
    with _alone(registry, family):
        repair(registry, family)
        aliases = registry.aliases(family)
        champion, target = aliases.get(CHAMPION), aliases.get(PREVIOUS_CHAMPION)
        if champion is None:
            raise SelvedgeError(f"{family} has no champion yet; promote a candidate first.")
        if target is None:
            raise SelvedgeError(f"{family} has no champion before version {champion}; there is nothing to go back to.")
        version = registry.version(family, target)
        promotions = [record for record in history(registry, family) if record.kind == "promotion"]
        before = [record.old_champion for record in promotions if record.version == target]
        record = PromotionRecord(
            id=_record_id(),
            kind="rollback",
            family=family,
            candidate=version.candidate,
            version=target,
            old_champion=champion,
            # Not the version that is left: rolling back twice must not bring it back.
            previous_champion=before[-1] if before else None,
            evidence_sha256="",
            reasons=(reason or "rolled back by hand.",),
            by=by or _somebody(),
            at=_now(),
        )
        _begin(registry, record)
        _complete(registry, record)
        return record


def repair(registry: Registry, family: str) -> PromotionRecord | None:
    """Complete a move that was cut short; the record that was completed, or None.

    Call it holding the lock (`promote` and `rollback` do) or through `repair_all`.
    """
    intent = pending(registry, family)
    if intent is None:
        return None
    current = registry.aliases(family).get(CHAMPION)
    if current not in (intent.old_champion, intent.version):
        # Somebody moved the alias by hand since; their word is newer.
        with told_in_one_sentence(registry.uri):
            registry.client.delete_registered_model_tag(family, INTENT_TAG)
        return None
    _complete(registry, intent)
    return intent


def repair_all(registry: Registry, families: Sequence[str]) -> list[PromotionRecord]:
    """`repair` for every family, at start-up; the records that were completed."""
    completed = []
    for family in families:
        if pending(registry, family) is not None:
            with _alone(registry, family):
                record = repair(registry, family)
            completed += [record] if record else []
    return completed


def pending(registry: Registry, family: str) -> PromotionRecord | None:
    """The move that was begun and not completed, if there is one."""
    text = registry.model_tags(family).get(INTENT_TAG)
    return PromotionRecord.from_json(text) if text else None


def history(registry: Registry, family: str) -> list[PromotionRecord]:
    """Every move of the champion's alias, oldest first."""
    records = [
        PromotionRecord.from_json(text)
        for version in registry.versions(family)
        for tag, text in version.tags.items()
        if tag.startswith(RECORD_TAG)
    ]
    return sorted(records, key=lambda record: (record.at, record.id))


@contextmanager
def _alone(registry: Registry, family: str) -> Iterator[None]:
    with in_our_words(), exclusive(registry.locks / f"promotion-{family}.lock", LOCK_SECONDS, f"promoting {family}"):
        yield


def _spent(earlier: Sequence[PromotionRecord]) -> list[str]:
    """One piece of evidence promotes once: after a rollback the version needs new evidence to come back."""
    if not earlier:
        return []
    record = earlier[-1]
    return [
        f"this evidence already made version {record.version} champion on {record.at}, and it was replaced since; "
        "score the candidate again."
    ]


def _begin(registry: Registry, record: PromotionRecord) -> None:
    with told_in_one_sentence(registry.uri):
        registry.client.set_registered_model_tag(record.family, INTENT_TAG, json.dumps(asdict(record)))


def _complete(registry: Registry, record: PromotionRecord) -> None:
    """Everything after the intent; each write may have been made already."""
    client, family = registry.client, record.family
    with told_in_one_sentence(registry.uri):
        if record.previous_champion is not None:
            client.set_registered_model_alias(family, PREVIOUS_CHAMPION, str(record.previous_champion))
        else:
            client.delete_registered_model_alias(family, PREVIOUS_CHAMPION)
        client.set_registered_model_alias(family, CHAMPION, str(record.version))
        if registry.aliases(family).get(CHALLENGER) == record.version:
            client.delete_registered_model_alias(family, CHALLENGER)
        client.set_model_version_tag(family, str(record.version), record.tag, json.dumps(asdict(record)))
        client.delete_registered_model_tag(family, INTENT_TAG)


def _record_id() -> str:
    return f"{datetime.now(UTC):%Y%m%dT%H%M%S}-{secrets.token_hex(3)}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def _somebody() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return "unknown"
