"""`selvedge promote`, `rollback`, `history` and `status`: who is champion, who was, and moving it.

Belongs here: options and results. Not here: the gate (evaluation/gate.py), the move (promotion.py).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from catalog.errors import SelvedgeError, ServiceUnavailable
from orchestration.cli.families import FAMILIES, FamilyArgument, known_family
from orchestration.cli.results import JsonFlag, emit
from orchestration.cli.terminal import say

if TYPE_CHECKING:
    import dagster as dg

    from labeling.review.ledger.records import PromotionRecord
    from orchestration.families.contract import Family
    from orchestration.registry.registry import Registry
    from orchestration.runtime.settings import Settings


def add_to(app: typer.Typer) -> None:
    app.command("promote")(promote)
    app.command("rollback")(rollback)
    app.command("history")(history)
    app.command("status")(status)


def promote(
    family: FamilyArgument,
    candidate: Annotated[str, typer.Argument(metavar="CANDIDATE", help="e.g. blip2-attributes-20261120-a1b2c3.")],
    as_json: JsonFlag = False,
) -> None:
    """Make a candidate champion, if its evidence says so. A refusal is told and exits with 1."""
    known_family(family)
    from orchestration.assets.published import Tables
    from orchestration.graph.evidence import whole_evidence
    from orchestration.registry.ledger import open_ledger
    from orchestration.registry.promotion import promote as move
    from orchestration.runtime.settings import load_settings

    settings = load_settings()
    with _home(settings, family) as (instance, declared, registry):
        tables = Tables(root=str(settings.tables()))
        evidence = whole_evidence(declared, instance, tables, open_ledger(settings), candidate)
        outcome = move(registry, declared.rule(settings), evidence)
    values = {
        "family": family,
        "status": outcome.status,
        "candidate": outcome.model.candidate,
        "version": outcome.model.version,
        "champion": outcome.champion,
        "old_champion": outcome.old_champion,
        "reasons": list(outcome.reasons),
        "record": outcome.record.record_id if outcome.record else None,
        "simulated": outcome.record.simulated if outcome.record else None,
    }
    emit("promote", as_json, values)
    outcome.require_champion()


def rollback(
    family: FamilyArgument,
    reason: Annotated[str, typer.Option(help="Why; kept in the promotion record.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Make the previous champion champion again."""
    known_family(family)
    from orchestration.registry.promotion import rollback as move_back
    from orchestration.runtime.settings import load_settings

    with _home(load_settings(), family) as (_, _, registry):
        record = move_back(registry, family, reason)
    values = {
        "family": family,
        "champion": int(record.version),
        "old_champion": None if record.old_champion is None else int(record.old_champion),
        "candidate": record.candidate,
        "record": record.record_id,
    }
    emit("rollback", as_json, values)


def history(
    family: FamilyArgument,
    at: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="2026-05-03 (the end of that day, UTC), or a moment with its zone."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say who was champion on a date, and every move of the alias until then. Asks the ledger alone."""
    known_family(family)
    moment = None if at is None else _moment(at)
    from orchestration.registry.ledger import open_ledger
    from orchestration.registry.promotion import as_told
    from orchestration.runtime.settings import load_settings

    ledger = open_ledger(load_settings()).promotions
    made = ledger.champion(family) if moment is None else ledger.champion_at(family, moment)
    records = [one for one in ledger.history(family) if moment is None or _until(one.at, moment)]
    told = None if made is None else as_told(made)
    values = {
        "family": family,
        "at": None if moment is None else moment.isoformat(),
        "champion": told["version"] if told else None,
        "candidate": told["candidate"] if told else None,
        "kind": told["kind"] if told else None,
        "by": told["by"] if told else None,
        "since": told["ended_at"] if told else None,
        "simulated": told["simulated"] if told else None,
        # A person reads lines; what a record holds besides is for programs.
        "records": [as_told(one) if as_json else _line(one) for one in sorted(records, key=lambda one: one.number)],
    }
    emit("history", as_json, values)


def _line(record: "PromotionRecord") -> str:
    instead = f", was {record.old_champion}" if record.old_champion else ""
    stamp = " SIMULATED" if record.simulated else ""
    ended = record.outcome or "not ended"
    return (
        f"{record.at:%Y-%m-%d %H:%M} UTC  {record.kind.replace('_', ' ')}{stamp} by {record.who}, {ended}: version "
        f"{record.version} ({record.candidate}{instead}): {' '.join(record.reasons)}"
    )


def status(as_json: JsonFlag = False) -> None:
    """Say which services run, who is champion and what is published."""
    from orchestration.runtime.services import links
    from orchestration.runtime.settings import load_settings

    settings = load_settings()
    families, warnings = _families(settings)
    values = {
        "home": str(settings.home),
        "services": [asdict(link) for link in links(settings)],
        "families": families,
        "tables": _tables(settings),
        "warnings": warnings,
    }
    emit("status", as_json, values)


@contextmanager
def _home(settings: "Settings", family: str) -> "Iterator[tuple[dg.DagsterInstance, Family, Registry]]":
    """The home's instance, the declaration and the registry; afterwards Dagster knows who is champion."""
    from orchestration.families.contract import families_by_name
    from orchestration.graph.build import FAMILIES as DECLARED
    from orchestration.graph.sensors import report_champion
    from orchestration.registry.ledger import open_ledger
    from orchestration.registry.registry import Registry
    from orchestration.registry.repair import settle
    from orchestration.runtime.instance import open_instance

    registry = Registry(settings)
    declared = families_by_name(DECLARED)[family]
    for sentence in settle(registry, [family]):
        say(f"selvedge: {sentence}")
    with open_instance(settings) as instance:
        yield instance, declared, registry
        champion = registry.champion(family)
        if champion is not None:
            made = open_ledger(settings).promotions.champion(family)
            report_champion(instance, declared.champion, champion, made.kind if made else "")


def _families(settings: "Settings") -> tuple[dict[str, Any] | None, list[str]]:
    """Aliases, versions and the newest record by family, None when MLflow does not answer; and what was amiss."""
    from orchestration.registry.promotion import as_told, history
    from orchestration.registry.registry import Registry
    from orchestration.registry.repair import settle

    try:
        registry = Registry(settings)
        warnings = settle(registry, FAMILIES)
        found = {}
        for family in FAMILIES:
            records = history(registry, family)
            found[family] = {
                "aliases": dict(registry.aliases(family)),
                "versions": len(registry.versions(family)),
                "promotion": as_told(records[-1]) if records else None,
            }
        return found, warnings
    except ServiceUnavailable as error:
        say(f"selvedge: {error}")
        return None, []


def _moment(text: str) -> date | datetime:
    """A day, or a moment with its zone.

    Raises:
        SelvedgeError: neither, or one that has not come yet.
    """
    try:
        moment = date.fromisoformat(text) if len(text) <= 10 else datetime.fromisoformat(text)
    except ValueError as error:
        raise SelvedgeError(
            f"--at {text!r} is no date; write it like 2026-05-03, or a moment like 2026-05-03T14:00+02:00."
        ) from error
    if isinstance(moment, datetime) and moment.tzinfo is None:
        raise SelvedgeError(f"--at {text} names no time zone; write it like {text}+00:00.")
    now = datetime.now(UTC)
    if (moment > now) if isinstance(moment, datetime) else (moment > now.date()):
        raise SelvedgeError(f"--at {text} has not come yet; nobody knows who will be champion then.")
    return moment


def _until(at: datetime, moment: date | datetime) -> bool:
    return at <= moment if isinstance(moment, datetime) else at.astimezone(UTC).date() <= moment


def _tables(settings: "Settings") -> dict[str, int]:
    """Files of every published table, by `stage/name`."""
    root = settings.tables()
    counts: dict[str, int] = {}
    for file in sorted(root.rglob("*.parquet"), key=str) if root.exists() else ():
        parts = file.relative_to(root).parts
        name = "/".join(parts[:2]).removesuffix(".parquet")
        counts[name] = counts.get(name, 0) + 1
    return counts
