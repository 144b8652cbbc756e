"""Repair: what a kill, or a hand on MLflow's page, left between the aliases and the ledger.

Belongs here: carrying out an announced move, completing or abandoning one that was cut short, and noticing an alias
that no record put where it is. Not here: announcing a move (promotion.py).

Where a promotion can be killed, and what the next start does:

    before the intent                    nothing happened; asking again promotes
    intent, alias not moved              the alias is still on the old champion: the move is carried out
    alias moved, no end in the ledger    the version is tagged and the move completed
    completed, not reported to Dagster   the alias watcher, or the next command, reports the champion
    intent, alias moved by hand since    the move is abandoned, and what the hand did is recorded as that
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from catalog.errors import SelvedgeError, ServiceUnavailable
from labeling.review.rounds.evidence import verdict_evidence
from orchestration.registry.champion import way_out
from orchestration.registry.interface import CHAMPION
from orchestration.registry.ledger import ledger_problems, one_at_a_time, open_ledger
from orchestration.registry.registry import CHALLENGER, PREVIOUS_CHAMPION, Registry
from orchestration.registry.tracking import mlflow_errors_as_sentences

if TYPE_CHECKING:
    from labeling.review.ledger.records import Head, PromotionRecord

RECORD_TAG = "selvedge.promotion."  # + the record's id, on the version that became champion; never written twice


def settle(registry: Registry, families: Sequence[str]) -> list[str]:
    """Bring aliases and ledger together, at a start; what had to be done, one sentence each.

    Only where something is amiss is the lock taken: a start must not wait for a promotion that is under way and well.

    Raises:
        ServiceUnavailable: MLflow or the ledger does not answer.
    """
    sentences = []
    for family in families:
        if _amiss(registry, family):
            with one_at_a_time(registry.settings, family):
                sentences += settle_alone(registry, family)
    return sentences


def settle_alone(registry: Registry, family: str) -> list[str]:
    """`settle` for one family, by somebody who holds its lock.

    On a ledger that another program changed nothing is completed: the intent may be a row that nobody's gate let in.
    """
    if problems := ledger_problems(registry.settings):
        return problems
    sentences = []
    ledger = open_ledger(registry.settings).promotions
    for intent in ledger.open_intents(family):
        if (why := _unproved(registry, intent)) is not None:
            ledger.abandon(intent.record_id, why)
            sentences.append(f"the {intent.kind} of {family} to version {intent.version} was abandoned: {why}")
            continue
        record = carry_out(registry, intent)
        done = "completed" if record.outcome == "completed" else f"abandoned: {record.detail}"
        sentences.append(f"the {record.kind} of {family} to version {record.version}, which was cut short, was {done}")
    return [line.rstrip(".") + "." for line in (*sentences, *_notice(registry, family))]


def carry_out(registry: Registry, intent: "PromotionRecord") -> "PromotionRecord":
    """Everything after the intent; each write may have been made already.

    Returns:
        the record with its end: completed, or abandoned where the alias is on neither of the two versions any more, or
        the new one is gone.
    """
    ledger = open_ledger(registry.settings).promotions
    client, family, version = registry.client, intent.family, int(intent.version)
    champion = registry.aliases(family).get(CHAMPION)
    if champion != version and _text(champion) != intent.old_champion:
        # Somebody moved the alias by hand since; their word is newer.
        position = "nowhere" if champion is None else f"on version {champion}"
        return ledger.abandon(intent.record_id, f"the alias {CHAMPION} was moved by hand meanwhile and is {position}.")
    versions = {str(info.version) for info in registry.versions(family)}
    if intent.version not in versions:
        # An intent that can never be carried out would stop every later promotion.
        return ledger.abandon(intent.record_id, f"version {version} was deleted meanwhile.")
    head = open_ledger(registry.settings).record.head()
    with mlflow_errors_as_sentences(registry.uri):
        if intent.previous_champion in versions:
            client.set_registered_model_alias(family, PREVIOUS_CHAMPION, str(intent.previous_champion))
        else:
            client.delete_registered_model_alias(family, PREVIOUS_CHAMPION)
        client.set_registered_model_alias(family, CHAMPION, intent.version)
        if registry.aliases(family).get(CHALLENGER) == version:
            client.delete_registered_model_alias(family, CHALLENGER)
        client.set_model_version_tag(family, intent.version, f"{RECORD_TAG}{intent.record_id}", _tag(intent, head))
    return ledger.complete(intent.record_id)


def registry_problems(registry: Registry, family: str) -> list[str]:
    """Where the ledger no longer has an entry that MLflow remembers from a promotion, one sentence each.

    Raises:
        ServiceUnavailable: MLflow does not answer.
    """
    record = open_ledger(registry.settings).record
    for info in registry.versions(family):
        for name, text in info.tags.items():
            head = _head_of(text) if name.startswith(RECORD_TAG) else None
            if head is not None and record.link_sha256(head[0]) != head[1]:
                return [
                    f"the ledger does not hold entry {head[0]}, which version {info.version} of {family} was promoted "
                    "on; restore it from a backup."
                ]
    return []


def _unproved(registry: Registry, intent: "PromotionRecord") -> str | None:
    """Why an announced promotion may not be completed: a verdict it names does not follow from its ballots."""
    ledger = open_ledger(registry.settings)
    for name in intent.evidence:
        kind, _, round_id = name.partition(":")
        if kind == "round":
            try:
                verdict_evidence(ledger, round_id)
            except ServiceUnavailable:
                raise
            except SelvedgeError as error:
                return str(error)
    return None


def _head_of(text: str) -> tuple[int, str] | None:
    """The ledger's head in a promotion's tag; None in a tag of an older Selvedge, or one that a hand wrote."""
    try:
        head = json.loads(text)["ledger"]
        return int(head["number"]), str(head["sha256"])
    except (ValueError, KeyError, TypeError):
        return None


def removed_by_hand(registry: Registry, family: str) -> str | None:
    """The sentence for a champion's alias that is gone although something was promoted; None where all is well."""
    made = open_ledger(registry.settings).promotions.promoted(family)
    if made is None or CHAMPION in registry.aliases(family):
        return None
    version, versions = int(made.version), _versions(registry, family)
    gone = "was removed by hand" if version in versions else "is gone"
    return (
        f"the alias {CHAMPION} of {family} {gone}; by the record version {version} is champion: "
        f"{way_out(family, None, version, versions)}"
    )


def moved_by_hand(registry: Registry, family: str) -> str:
    """What can be done about an alias that a hand put where it is."""
    made = open_ledger(registry.settings).promotions.promoted(family)
    alias, recorded = registry.aliases(family).get(CHAMPION), None if made is None else int(made.version)
    return way_out(family, alias, recorded, _versions(registry, family))


def _versions(registry: Registry, family: str) -> set[int]:
    return {info.version for info in registry.versions(family)}


def _amiss(registry: Registry, family: str) -> bool:
    ledger = open_ledger(registry.settings).promotions
    made, champion = ledger.champion(family), registry.aliases(family).get(CHAMPION)
    return bool(ledger.open_intents(family)) or _text(champion) != (made.version if made else None)


def _notice(registry: Registry, family: str) -> list[str]:
    """Record an alias that was moved by hand, which promotes nothing: it is only known from then on who is champion."""
    ledger = open_ledger(registry.settings).promotions
    made, champion = ledger.champion(family), registry.aliases(family).get(CHAMPION)
    old = made.version if made else None
    if champion is None:
        removed = removed_by_hand(registry, family)
        return [removed] if removed else []
    if str(champion) == old:
        return []
    detail = (
        f"the alias {CHAMPION} of {family} was found on version {champion}, where no promotion put it"
        f" (by the record it was {'on none' if old is None else f'on version {old}'})"
    )
    info = registry.version(family, champion)
    if old is not None and int(old) in _versions(registry, family):
        with mlflow_errors_as_sentences(registry.uri):  # before the record, which says that it points there
            registry.client.set_registered_model_alias(family, PREVIOUS_CHAMPION, old)
    ledger.record_found(family, str(champion), info.candidate, f"{detail}.")
    return [f"{detail}; it was recorded as moved by hand: {moved_by_hand(registry, family)}"]


def _tag(record: "PromotionRecord", head: "Head") -> str:
    """The record for whoever looks at the version in MLflow, with the ledger's head; the ledger is what counts."""
    content = {
        "record": record.record_id,
        "kind": record.kind,
        "by": record.who,
        "at": record.at.isoformat(timespec="seconds"),
        "old_champion": record.old_champion,
        "evidence": dict(record.evidence),
        "simulated": record.simulated,
        "reasons": list(record.reasons),
        "ledger": asdict(head),
    }
    return json.dumps(content)


def _text(version: int | None) -> str | None:
    return None if version is None else str(version)
