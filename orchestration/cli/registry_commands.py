"""`selvedge promote`, `rollback` and `history`: who is champion, who was, and moving it.

Belongs here: options and results. Not here: the gate (evaluation/gate.py), the move (promotion.py).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.errors import SelvedgeError
from orchestration import families
from orchestration.cli.results import JsonFlag, emit
from orchestration.cli.tailoring import family_argument, tailored
from orchestration.cli.terminal import say
from orchestration.families.contract import Family

if TYPE_CHECKING:
    import dagster as dg

    from labeling.review.ledger.records import PromotionRecord
    from orchestration.registry.registry import Registry
    from orchestration.runtime.settings import Settings


def add_to(app: typer.Typer) -> None:
    for name, command in (("promote", promote), ("rollback", rollback), ("history", history)):
        app.command(name)(tailored(command, {"family": family_argument()}))


def promote(
    family: str,
    candidate: Annotated[str, typer.Argument(metavar="CANDIDATE", help="e.g. FAMILY-20261120-a1b2c3.")],
    as_json: JsonFlag = False,
) -> None:
    """Make a candidate champion, if its evidence says so. A refusal is told and exits with 1."""
    named = families.find_family(family)
    from orchestration.assets.published import Tables
    from orchestration.families.settings import load_settings
    from orchestration.graph.evidence import whole_evidence
    from orchestration.registry.ledger import open_ledger
    from orchestration.registry.promotion import promote as move

    settings = load_settings()
    with _home(settings, named) as (instance, registry):
        tables = Tables(root=str(settings.tables()))
        evidence = whole_evidence(named, instance, tables, open_ledger(settings), candidate, settings)
        outcome = move(registry, named.rule(settings), evidence)
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
    family: str,
    reason: Annotated[str, typer.Option(help="Why; kept in the promotion record.")] = "",
    as_json: JsonFlag = False,
) -> None:
    """Make the previous champion champion again."""
    named = families.find_family(family)
    from orchestration.families.settings import load_settings
    from orchestration.registry.promotion import rollback as move_back

    with _home(load_settings(), named) as (_, registry):
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
    family: str,
    at: Annotated[
        str | None,
        typer.Option(metavar="DATE", help="2026-05-03 (the end of that day, UTC), or a moment with its zone."),
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say who was champion on a date, and every move of the alias until then. Asks the ledger alone."""
    families.find_family(family)
    moment = None if at is None else _moment(at)
    from orchestration.families.settings import load_settings
    from orchestration.registry.ledger import open_ledger
    from orchestration.registry.promotion import record_fields

    ledger = open_ledger(load_settings()).promotions
    made = ledger.champion(family) if moment is None else ledger.champion_at(family, moment)
    records = [record for record in ledger.history(family) if moment is None or _until(record.at, moment)]
    records.sort(key=lambda record: record.number)
    champion = None if made is None else record_fields(made)
    values = {
        "family": family,
        "at": None if moment is None else moment.isoformat(),
        "champion": champion["version"] if champion else None,
        "candidate": champion["candidate"] if champion else None,
        "kind": champion["kind"] if champion else None,
        "by": champion["by"] if champion else None,
        "since": champion["ended_at"] if champion else None,
        "simulated": champion["simulated"] if champion else None,
        # A person reads lines; what a record holds besides is for programs.
        "records": [record_fields(record) if as_json else _line(record) for record in records],
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


@contextmanager
def _home(settings: "Settings", family: Family) -> "Iterator[tuple[dg.DagsterInstance, Registry]]":
    """The home's instance and the registry; afterwards Dagster knows who is champion."""
    from orchestration.graph.sensors import report_champion
    from orchestration.registry.ledger import open_ledger
    from orchestration.registry.registry import Registry
    from orchestration.registry.repair import settle
    from orchestration.runtime.instance import open_instance

    registry = Registry(settings)
    for sentence in settle(registry, [family.name]):
        say(f"selvedge: {sentence}")
    with open_instance(settings) as instance:
        yield instance, registry
        champion = registry.champion(family.name)
        if champion is not None:
            made = open_ledger(settings).promotions.champion(family.name)
            report_champion(instance, family.champion, champion, made.kind if made else "")


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
