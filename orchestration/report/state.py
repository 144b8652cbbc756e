"""The state of a home: what an operator asks for at a glance, as plain data.

Belongs here: champions, open rounds, drops, retraining, schedules and disk, each from where it is recorded. Not here:
the states of services (runtime/services.py), failed runs (assets/failed_runs.py), how they are printed
(cli/status_command.py).

Every part answers without the servers: the ledger, Dagster's database and the folder are on this machine.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from catalog.errors import SelvedgeError, ServiceUnavailable
from orchestration.assets.partitions import candidate_partitions
from orchestration.assets.published import Tables, materialised
from orchestration.assets.unmade import unmade
from orchestration.defs.catalog.arrivals import drop_states
from orchestration.defs.catalog.training_set import WARNINGS
from orchestration.families.contract import Family
from orchestration.families.retraining import decision as decide_now
from orchestration.runtime.settings import Settings


def champions(settings: Settings, families: Sequence[str]) -> tuple[dict[str, Any] | None, list[str], str]:
    """Aliases, versions and newest move of every family, what was amiss, and why the ledger had to answer alone.

    MLflow is asked first, and repaired where a kill left it half moved. Without it the ledger names the champion;
    versions, which only MLflow counts, are None then. The families are None where there is no ledger either.
    """
    from orchestration.registry.promotion import history, record_fields
    from orchestration.registry.registry import Registry
    from orchestration.registry.repair import settle

    try:
        registry = Registry(settings)
        warnings = settle(registry, families)
        states = {}
        for family in families:
            records = history(registry, family)
            states[family] = {
                "aliases": dict(registry.aliases(family)),
                "versions": len(registry.versions(family)),
                "promotion": record_fields(records[-1]) if records else None,
            }
        return states, warnings, ""
    except ServiceUnavailable as error:
        return _by_the_ledger(settings, families), [], str(error)


def _by_the_ledger(settings: Settings, families: Sequence[str]) -> dict[str, Any] | None:
    from orchestration.registry.ledger import open_ledger
    from orchestration.registry.promotion import record_fields

    if not has_ledger(settings):
        return None
    ledger = open_ledger(settings).promotions
    states = {}
    for family in families:
        made = ledger.champion(family)
        states[family] = {
            "aliases": {} if made is None else {"champion": int(made.version)},
            "versions": None,
            "promotion": None if made is None else record_fields(made),
        }
    return states


def ledger_warnings(settings: Settings) -> list[str]:
    """What another program changed in the ledger, one sentence each.

    Raises:
        SelvedgeError: the ledger is lost or damaged.
    """
    from orchestration.registry.ledger import ledger_problems

    return ledger_problems(settings) if has_ledger(settings) else []


def open_rounds(settings: Settings) -> list[dict[str, Any]]:
    """Rounds that wait for ballots, with those that were pulled."""
    from orchestration.registry.ledger import open_ledger

    if not has_ledger(settings):
        return []
    ledger = open_ledger(settings)
    return [
        {
            "round": round_.plan.round_id,
            "family": round_.plan.family,
            "candidate": round_.plan.candidate,
            "opened": round_.opened_at.isoformat(timespec="seconds"),
            "ballots": len(ledger.ballots(round_.plan.round_id)),
        }
        for round_ in ledger.rounds()
        if round_.state == "open"
    ]


def drops(settings: Settings, instance: dg.DagsterInstance) -> list[dict[str, Any]]:
    """Every drop and every entry of the inbox: state, rows, and the sentence that stands in the way of reading it."""
    return [asdict(state) for state in drop_states(settings, instance)]


def unexplained(runs: Sequence[Mapping[str, Any]], drops: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The failed runs, without those that read a drop whose own sentence says why it could not be read."""
    refused = {drop["drop"] for drop in drops if drop["sentence"]}
    return [run for run in runs if run["partition"] not in refused or "catalog/products" not in run["assets"]]


def retraining(
    settings: Settings, instance: dg.DagsterInstance, installed: Sequence[Family]
) -> dict[str, dict[str, Any]]:
    """By family that was trained here and learns from drops: on, retrain, reason, and the figures of the decision.

    A family whose training settings cannot be read has the sentence as its reason.
    """
    from orchestration.registry.ledger import open_ledger

    tables = Tables(root=str(settings.tables()))
    ledger = open_ledger(settings) if has_ledger(settings) else None
    decided: dict[str, dict[str, Any]] = {}
    for family in installed:
        if not family.learns_from_drops or materialised(instance, family.prepared[-1]) is None:
            continue
        try:
            decision, _ = decide_now(family, instance, settings, tables, ledger)
            said = {"retrain": decision.retrain, "reason": decision.reason, **decision.figures}
        except SelvedgeError as error:
            said = {"retrain": False, "reason": str(error)}
        decided[family.name] = {"on": settings.retrain, **said}
    return decided


def schedules(
    settings: Settings, families: Sequence[Family], instance: dg.DagsterInstance | None = None
) -> list[dict[str, Any]]:
    """Every schedule: is it on, off, or switched in Dagster's pages, when it fires next, and what it does then.

    Args:
        instance: of the home; None for a home that has none yet.

    Raises:
        SelvedgeError: a setting names an unknown family, or no time.
    """
    from orchestration.families.timetable import timetable
    from orchestration.runtime.dagster_private import stopped_by_hand

    switched = stopped_by_hand(instance) if instance is not None else {}
    now, states = datetime.now(UTC), []
    for entry in timetable(settings, families):
        runs = not switched.get(entry.name, not entry.on)
        by_hand = " by hand" if runs != entry.on else ""
        states.append(
            {
                "schedule": entry.name,
                "state": f"{'on' if runs else 'off'}{by_hand}",
                "cron": entry.cron,
                "time_zone": entry.time_zone,
                "next": entry.next_tick(now).isoformat() if runs else None,
                "what": entry.what,
            }
        )
    return states


def catalogue_warnings(instance: dg.DagsterInstance) -> list[str]:
    """What is doubtful about the catalogue as it stands: that it is too small to teach a model."""
    return list((materialised(instance, "catalog/qa_pairs") or {}).get(WARNINGS, ()))


def candidates_without_a_round(instance: dg.DagsterInstance, families: Sequence[Family]) -> list[str]:
    """Of every family whose newest candidate people cannot be asked about: why, and what to do."""
    said = []
    for family in families:
        candidates = instance.get_dynamic_partitions(candidate_partitions(family.name).name or "")
        if family.review is not None and candidates and (sentence := unmade(instance, family.round, candidates[-1])):
            said.append(sentence)
    return said


def disk(home: Path) -> dict[str, int]:
    """Bytes of everything in the home, by its first folder; the largest first."""
    sizes = {}
    for entry in os.scandir(home) if home.is_dir() else ():
        sizes[entry.name] = _bytes_below(entry.path) if entry.is_dir(follow_symlinks=False) else _bytes(entry.path)
    return dict(sorted(sizes.items(), key=lambda size: -size[1]))


def has_ledger(settings: Settings) -> bool:
    """Asking a SQLite ledger that is not there would make one; a home that remembers one says that it is lost."""
    return not settings.ledger_in_home or any((settings.home / name).exists() for name in ("ledger.db", "ledger.head"))


def _bytes_below(folder: str) -> int:
    return sum(_bytes(os.path.join(parent, file)) for parent, _, files in os.walk(folder) for file in files)  # noqa: PTH118


def _bytes(path: str) -> int:
    try:
        return os.lstat(path).st_size
    except FileNotFoundError:  # gone while this looks: services write all the time
        return 0
