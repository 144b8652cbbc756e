"""Promotion: moving the champion's alias, once, on evidence, with a record; and moving it back.

Belongs here: asking the gate, the order of the writes, rollback. Not here: whether a candidate deserves it
(evaluation/gate.py), the records themselves (labeling/review/ledger/promotions.py), what a kill or a hand left behind
(repair.py).

MLflow moves aliases without memory and without compare-and-swap. So: alone among all who share the ledger, the champion
is read again and must be the one that the evidence names; the ledger takes an intent before the first alias moves and
its end after the last. Whoever comes next finds the intent and completes it. Two promotions on evidence against the
same champion: the second finds another champion and is refused.
"""

import getpass
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from catalog.errors import SelvedgeError, ServiceUnavailable
from evaluation.gate import VERDICT, Evidence, GateRule, decide, rests_on_simulation
from labeling.review.rounds.evidence import refuse_unproved
from orchestration.registry.interface import CHAMPION, ModelVersionInfo
from orchestration.registry.ledger import one_at_a_time, open_ledger, refuse_changed
from orchestration.registry.registry import Registry
from orchestration.registry.repair import carry_out, moved_by_hand, registry_problems, removed_by_hand, settle_alone

if TYPE_CHECKING:
    from labeling.review.ledger.records import PromotionKind, PromotionRecord


@dataclass(frozen=True)
class PromotionOutcome:
    """What came of asking: whether the alias moved, who is champion now, and why."""

    model: ModelVersionInfo  # the candidate's
    status: Literal["promoted", "already_champion", "refused"]
    champion: int | None
    old_champion: int | None
    reasons: tuple[str, ...]
    record: "PromotionRecord | None" = None

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
        evidence: names the candidate and the champion it was compared with; both are looked up again, and so is a
            verdict among it.
        by: who asked, for the record; the user of this process by default.

    Raises:
        SelvedgeError: the candidate has no model version, or the ledger was changed by another program.
        ServiceUnavailable: MLflow or the ledger does not answer; a promotion that had begun is completed by the next
            command.
    """
    family = rule.family
    candidate = registry.of_candidate(family, evidence.candidate)
    if candidate is None:
        raise SelvedgeError(f"{evidence.candidate} has no model version of {family}; register it by training it first.")
    ledger = open_ledger(registry.settings)
    with one_at_a_time(registry.settings, family):
        refuse_changed(registry.settings)
        repairs = settle_alone(registry, family)
        champion = registry.aliases(family).get(CHAMPION)
        if champion == candidate.version:
            return _already(registry, family, candidate)
        decision = decide(rule, evidence, None if champion is None else str(champion))
        ids = _evidence_ids(evidence)
        refusals = [
            *registry_problems(registry, family),
            *_spent(ids, ledger.promotions.history(family)),
            *refuse_unproved(ledger, evidence, candidate.version),
            *(() if decision.promote else decision.reasons),
        ]
        if not refusals:
            try:
                record = _move(
                    registry,
                    family,
                    kind="promotion",
                    to=candidate,
                    champion=champion,
                    previous=champion,
                    by=by,
                    reasons=decision.reasons,
                    evidence=ids,
                    simulated=rests_on_simulation(evidence),
                )
                return PromotionOutcome(
                    candidate, "promoted", candidate.version, champion, tuple(decision.reasons), record
                )
            except ServiceUnavailable:
                raise
            except SelvedgeError as error:  # somebody came first: the later of two is refused, which is no failure
                refusals = [str(error)]
        now = registry.aliases(family).get(CHAMPION)
        return PromotionOutcome(candidate, "refused", now, now, tuple(dict.fromkeys([*refusals, *repairs])))


def rollback(registry: Registry, family: str, reason: str = "", by: str | None = None) -> "PromotionRecord":
    """Make the previous champion champion again; a second rollback goes one further back.

    Who that was is asked of the ledger, not of MLflow's alias: an alias moved by hand would be a way around the gate.

    Raises:
        SelvedgeError: there is no champion, none before it, its version was deleted, or the ledger was changed.
        ServiceUnavailable: MLflow or the ledger does not answer.
    """
    ledger = open_ledger(registry.settings).promotions
    with one_at_a_time(registry.settings, family):
        refuse_changed(registry.settings)
        settle_alone(registry, family)
        champion, made = registry.aliases(family).get(CHAMPION), ledger.champion(family)
        if champion is None or made is None:
            removed = removed_by_hand(registry, family)
            raise SelvedgeError(f"{removed or f'{family} has no champion yet; promote a candidate first'}.")
        previous = _before(registry, family, champion)
        target = registry.version(family, previous)
        # Whom the target replaced the first time: rolling back again must lead further back, never round in a circle.
        before = [
            record.old_champion
            for record in ledger.history(family)
            if record.outcome == "completed" and record.kind == "promotion" and record.version == str(previous)
        ]
        return _move(
            registry,
            family,
            kind="rollback",
            to=target,
            champion=champion,
            previous=int(before[0]) if before and before[0] is not None else None,
            by=by,
            reasons=(reason or "rolled back by hand.",),
            evidence={},
            simulated=False,
        )


def _before(registry: Registry, family: str, champion: int) -> int:
    """Who is champion after a rollback: the one before, or, where a hand moved the alias, the last that was promoted.

    Raises:
        SelvedgeError: there is none, or it was deleted.
    """
    promoted = open_ledger(registry.settings).promotions.promoted(family)
    if promoted is None or str(champion) != promoted.version:
        if promoted is None or _lacks(registry, family, promoted.version):
            raise SelvedgeError(f"version {champion} was made champion by hand; {moved_by_hand(registry, family)}.")
        return int(promoted.version)
    if promoted.previous_champion is None:
        raise SelvedgeError(f"{family} has no champion before version {champion}; there is nothing to go back to.")
    if _lacks(registry, family, promoted.previous_champion):
        raise SelvedgeError(
            f"there is no version {promoted.previous_champion} of {family} any more, which was champion before version "
            f"{champion}: it was deleted in MLflow. Promote another candidate (`selvedge promote`)."
        )
    return int(promoted.previous_champion)


def _lacks(registry: Registry, family: str, version: str) -> bool:
    """Was a version deleted in MLflow?"""
    return all(str(info.version) != version for info in registry.versions(family))


def history(registry: Registry, family: str) -> "list[PromotionRecord]":
    """Every completed move of the champion's alias, oldest first."""
    records = open_ledger(registry.settings).promotions.history(family)
    return sorted((record for record in records if record.outcome == "completed"), key=lambda record: record.number)


def record_fields(record: "PromotionRecord") -> dict[str, Any]:
    """A record as plain data, for a command's result; versions are numbers there, as everywhere in MLflow."""
    return {
        "id": record.record_id,
        "number": record.number,
        "kind": record.kind,
        "family": record.family,
        "candidate": record.candidate,
        "version": int(record.version),
        "old_champion": _number(record.old_champion),
        "previous_champion": _number(record.previous_champion),
        "by": record.who,
        "at": record.at.isoformat(timespec="seconds"),
        "outcome": record.outcome,
        "ended_at": record.ended_at.isoformat(timespec="seconds") if record.ended_at else None,
        "simulated": record.simulated,
        "evidence_sha256": record.evidence.get(f"candidate:{record.candidate}", ""),
        "evidence": dict(record.evidence),
        "reasons": list(record.reasons),
    }


def _move(
    registry: Registry,
    family: str,
    *,
    kind: "PromotionKind",
    to: ModelVersionInfo,
    champion: int | None,
    previous: int | None,
    by: str | None,
    reasons: tuple[str, ...],
    evidence: Mapping[str, str],
    simulated: bool,
) -> "PromotionRecord":
    """Intent, aliases, end.

    Raises:
        SelvedgeError: another move is not ended, or the champion is another one than `champion`.
    """
    intent = open_ledger(registry.settings).promotions.intend(
        family=family,
        kind=kind,
        candidate=to.candidate,
        version=str(to.version),
        old_champion=_text(champion),
        previous_champion=_text(previous),
        who=by or _somebody(),
        reasons=reasons,
        evidence=evidence,
        simulated=simulated,
    )
    record = carry_out(registry, intent)
    if record.outcome != "completed":
        raise SelvedgeError(record.detail)
    return record


def _already(registry: Registry, family: str, candidate: ModelVersionInfo) -> PromotionOutcome:
    """The candidate is champion: by a record of ours, or because a hand put it there, which is no promotion."""
    version, made = candidate.version, open_ledger(registry.settings).promotions.promoted(family)
    if made is None or made.version != str(version):
        reason = (
            f"version {version} is champion because the alias was moved by hand, not by a promotion; "
            f"{moved_by_hand(registry, family)}."
        )
        return PromotionOutcome(candidate, "refused", version, version, (reason,))
    return PromotionOutcome(candidate, "already_champion", version, version, made.reasons)


def _evidence_ids(evidence: Evidence) -> dict[str, str]:
    """What a promotion rests on, id -> sha256: the whole evidence, and the verdict by itself where there is one."""
    ids = {f"candidate:{evidence.candidate}": evidence.sha256}
    verdict = evidence.others.get(VERDICT)
    if isinstance(verdict, Mapping):
        ids[f"round:{verdict.get('round_id')}"] = str(verdict.get("verdict_sha256"))
    return ids


def _spent(ids: Mapping[str, str], records: "list[PromotionRecord]") -> list[str]:
    """One piece of evidence promotes once: after a rollback the version needs new evidence to come back."""
    for record in reversed(records):
        again = [name for name, sha256 in ids.items() if record.evidence.get(name) == sha256]
        if record.outcome == "completed" and again:
            what = "evidence" if again[0].startswith("candidate:") else "verdict"
            remedy = "score the candidate again" if what == "evidence" else "train another candidate"
            return [
                f"this {what} already made version {record.version} champion on {record.at:%d %B %Y %H:%M} UTC, and it "
                f"was replaced since; {remedy}."
            ]
    return []


def _text(version: int | None) -> str | None:
    return None if version is None else str(version)


def _number(version: str | None) -> int | None:
    return None if version is None else int(version)


def _somebody() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return "unknown"
