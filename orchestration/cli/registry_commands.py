"""`selvedge promote`, `rollback` and `status`: who is champion, and moving it.

Belongs here: options and results. Not here: the gate (evaluation/gate.py), the move (promotion.py).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from catalog.errors import ServiceUnavailable
from orchestration.cli.families import FAMILIES, FamilyArgument, known_family
from orchestration.cli.results import JsonFlag, emit
from orchestration.cli.terminal import say

if TYPE_CHECKING:
    import dagster as dg

    from orchestration.family import Family
    from orchestration.registry import Registry
    from orchestration.settings import Settings


def add_to(app: typer.Typer) -> None:
    app.command("promote")(promote)
    app.command("rollback")(rollback)
    app.command("status")(status)


def promote(
    family: FamilyArgument,
    candidate: Annotated[str, typer.Argument(metavar="CANDIDATE", help="e.g. blip2-attributes-20261120-a1b2c3.")],
    as_json: JsonFlag = False,
) -> None:
    """Make a candidate champion, if its evidence says so. A refusal is told and exits with 1."""
    known_family(family)
    from orchestration.family import read_evidence
    from orchestration.promotion import promote as move
    from orchestration.resources import Tables
    from orchestration.settings import load_settings

    settings = load_settings()
    with _home(settings, family) as (instance, declared, registry):
        evidence = read_evidence(declared, instance, Tables(root=str(settings.tables())), candidate)
        outcome = move(registry, declared.rule(), evidence)
    values = {
        "family": family,
        "status": outcome.status,
        "candidate": outcome.model.candidate,
        "version": outcome.model.version,
        "champion": outcome.champion,
        "old_champion": outcome.old_champion,
        "reasons": list(outcome.reasons),
        "record": outcome.record.id if outcome.record else None,
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
    from orchestration.promotion import rollback as move_back
    from orchestration.settings import load_settings

    with _home(load_settings(), family) as (_, _, registry):
        record = move_back(registry, family, reason)
    values = {
        "family": family,
        "champion": record.version,
        "old_champion": record.old_champion,
        "candidate": record.candidate,
        "record": record.id,
    }
    emit("rollback", as_json, values)


def status(as_json: JsonFlag = False) -> None:
    """Say which services run, who is champion and what is published."""
    from orchestration.services import links
    from orchestration.settings import load_settings

    settings = load_settings()
    values = {
        "home": str(settings.home),
        "services": [asdict(link) for link in links(settings)],
        "families": _families(settings),
        "tables": _tables(settings),
    }
    emit("status", as_json, values)


@contextmanager
def _home(settings: "Settings", family: str) -> "Iterator[tuple[dg.DagsterInstance, Family, Registry]]":
    """The home's instance, the declaration and the registry; afterwards Dagster knows who is champion."""
    from orchestration.build import FAMILIES as DECLARED
    from orchestration.family import families_by_name
    from orchestration.family_sensors import report_champion
    from orchestration.instance import open_instance
    from orchestration.registry import Registry

    registry = Registry(settings)
    declared = families_by_name(DECLARED)[family]
    with open_instance(settings) as instance:
        yield instance, declared, registry
        champion = registry.champion(family)
        if champion is not None:
            report_champion(instance, declared.champion, champion)


def _families(settings: "Settings") -> dict[str, Any] | None:
    """Aliases, versions and the newest promotion by family; None when MLflow does not answer."""
    from orchestration.promotion import history
    from orchestration.registry import Registry

    try:
        registry = Registry(settings)
        found = {}
        for family in FAMILIES:
            records = history(registry, family)
            found[family] = {
                "aliases": dict(registry.aliases(family)),
                "versions": len(registry.versions(family)),
                "promotion": asdict(records[-1]) if records else None,
            }
        return found
    except ServiceUnavailable as error:
        say(f"selvedge: {error}")
        return None


def _tables(settings: "Settings") -> dict[str, int]:
    """Files of every published table, by `stage/name`."""
    root = settings.tables()
    counts: dict[str, int] = {}
    for file in sorted(root.rglob("*.parquet"), key=str) if root.exists() else ():
        parts = file.relative_to(root).parts
        name = "/".join(parts[:2]).removesuffix(".parquet")
        counts[name] = counts.get(name, 0) + 1
    return counts
