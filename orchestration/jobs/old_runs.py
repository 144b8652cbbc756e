"""Old runs: Dagster's finished runs, their events and logs, and the ticks of sensors and schedules, kept by days.

Belongs here: which runs may go, and removing them by Dagster's own calls. Not here: files (garbage.py).

Dagster's retention knows ticks only, and a year of runs is gigabytes. A run stays, however old, while it made the
newest of anything (materialisation, observation, check), while what it failed to make was not made since, while a
record names it, and while an unfinished run or backfill goes on from it. A failure that was forgotten would be taken
for one that never was: the drop would be tried again, and a candidate would wait for its training for ever.

Of a run that stays for what it made, little is needed: its row, what it made and checked, its states. What it said of
its steps, and their logs, go; of one that failed they stay, since they may be all that says why. On SQLite that is a
file of each run, 150 kB at least, so a home grows by what its drops hold, and not by how they were made.
"""

import shutil
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import dagster as dg

from catalog.errors import ServiceUnavailable
from orchestration.assets.failed_runs import unmended
from orchestration.assets.pinning import BACKFILL_TAG
from orchestration.jobs.garbage import QUEUED
from orchestration.jobs.mentions import Mentions, newest_events, texts_of_database
from orchestration.runtime.dagster_private import (
    keeps_runs_in_a_folder,
    remove_step_events,
    runs_with_step_events,
    unfinished_backfills,
)
from orchestration.runtime.recovery import UNFINISHED
from orchestration.runtime.settings import Settings

FAILED = [dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
FINISHED = [dg.DagsterRunStatus.SUCCESS, *FAILED]
PAGE = 500
TRACKED = {"training", "evaluation"}  # stages whose runs a tracking server of somebody else's may name
ANCESTORS = ("dagster/parent_run_id", "dagster/root_run_id")
DATABASES = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")


def find_old_runs(
    settings: Settings, definitions: dg.Definitions, instance: dg.DagsterInstance, before: float
) -> list[str]:
    """Runs that ended before a moment and that nothing needs, the oldest first.

    Args:
        before: seconds since the epoch.

    Raises:
        ServiceUnavailable: a database whose records may name runs does not answer.
    """
    moment = datetime.fromtimestamp(before, UTC)
    query = dg.RunsFilter(statuses=FINISHED, updated_before=moment)
    old = {run.run_id: run for run in instance.get_runs(query)}
    failed = instance.get_run_records(dg.RunsFilter(statuses=FAILED, updated_before=moment))
    needed = _newest_makers(definitions, instance) | _named_by_records(settings, old) | unmended(instance, failed)
    backfills, ancestors = _unfinished(definitions, instance)
    needed |= ancestors

    def unneeded(run: dg.DagsterRun) -> bool:
        stages = {key.path[0] for key in run.asset_selection or ()}
        named_elsewhere = settings.tracking_uri is not None and bool(stages & TRACKED)
        return run.run_id not in needed and run.tags.get(BACKFILL_TAG) not in backfills and not named_elsewhere

    return [run_id for run_id, run in reversed(old.items()) if unneeded(run)]


def find_old_events(
    settings: Settings, definitions: dg.Definitions, instance: dg.DagsterInstance, before: float
) -> list[str]:
    """Runs that succeeded before a moment and still have what they said of their steps, the oldest first.

    Args:
        before: seconds since the epoch.
    """
    query = dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS], updated_before=datetime.fromtimestamp(before, UTC))
    backfills, ancestors = _unfinished(definitions, instance)
    old = [
        run.run_id
        for run in reversed(instance.get_runs(query))
        if run.run_id not in ancestors and run.tags.get(BACKFILL_TAG) not in backfills
    ]
    if keeps_runs_in_a_folder(instance):
        return [run_id for run_id in old if any(path.exists() for path in _files_of_run(settings, run_id))]
    pages = [old[start : start + PAGE] for start in range(0, len(old), PAGE)]
    return [run_id for page in pages for run_id in runs_with_step_events(instance, page)]


def _unfinished(definitions: dg.Definitions, instance: dg.DagsterInstance) -> tuple[set[str], set[str]]:
    """Backfills that are not over, and runs that an unfinished one goes on from."""
    backfills = {backfill.backfill_id for backfill in unfinished_backfills(instance, definitions.resolve_asset_graph())}
    unfinished = instance.get_runs(dg.RunsFilter(statuses=[*UNFINISHED, QUEUED]))
    return backfills, {run.tags[tag] for run in unfinished for tag in ANCESTORS if tag in run.tags}


def _newest_makers(definitions: dg.Definitions, instance: dg.DagsterInstance) -> set[str]:
    """Runs that made the newest of something."""
    makers = {event.run_id for event in newest_events(instance)}
    storage = instance.event_log_storage
    for check in definitions.resolve_asset_graph().asset_check_keys:
        seen: set[str | None] = set()
        cursor: int | None = None
        while records := storage.get_asset_check_execution_history(check, limit=PAGE, cursor=cursor):
            for record in records:
                if record.partition not in seen and record.status.value != "PLANNED":
                    seen.add(record.partition)
                    makers.add(record.run_id)
            cursor = records[-1].id
    return makers


def _named_by_records(settings: Settings, runs: Iterable[str]) -> set[str]:
    """Runs that the ledger or MLflow names: the lineage of a model version ends there."""
    mentions = Mentions(list(runs))
    mentions.read_all(texts_of_database(settings.ledger_uri, "the ledger"))
    if settings.tracking_uri is None:
        mentions.read_all(texts_of_database(settings.mlflow_database_uri, "MLflow's database"))
    return mentions.mentioned


def remove_runs(settings: Settings, instance: dg.DagsterInstance, runs: Sequence[str]) -> None:
    """Runs with their events and the logs of their steps."""
    for run_id in runs:
        instance.delete_run(run_id)
    _remove_files(settings, runs)  # Dagster empties a run's own database and leaves the file


def remove_events(settings: Settings, instance: dg.DagsterInstance, runs: Sequence[str]) -> int:
    """What runs said of their steps, with the logs; what they made and checked stays. Bytes of files that went."""
    if not keeps_runs_in_a_folder(instance):
        for start in range(0, len(runs), PAGE):
            remove_step_events(instance, runs[start : start + PAGE])
    return _remove_files(settings, runs)


def _remove_files(settings: Settings, runs: Sequence[str]) -> int:
    freed = 0
    for run_id in runs:
        for path in _files_of_run(settings, run_id):
            freed += sum(file.lstat().st_size for file in (path, *path.rglob("*")) if file.is_file())
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
    return freed


def _files_of_run(settings: Settings, run_id: str) -> list[Path]:
    """Its own database on SQLite, which holds again what the index of all runs has of assets, and its logs."""
    database = settings.dagster_home / "history" / "runs" / f"{run_id}.db"
    return [*(database.with_name(f"{database.name}{end}") for end in ("", "-wal", "-shm")), _logs(settings, run_id)]


def _logs(settings: Settings, run_id: str) -> Path:
    return settings.dagster_home / "storage" / run_id


def old_ticks(instance: dg.DagsterInstance, before: float) -> int:
    """Ticks that `purge_ticks` would remove."""
    number = 0
    for state in instance.all_instigator_state():
        until = _until(instance, state, before)
        number += len(instance.get_ticks(state.instigator_origin_id, state.selector_id, before=until))
    return number


def purge_ticks(instance: dg.DagsterInstance, before: float) -> None:
    """Remove the ticks of sensors and schedules before a moment, and what automation conditions said then.

    The newest of each stays: a schedule goes on from it.
    """
    for state in instance.all_instigator_state():
        instance.purge_ticks(state.instigator_origin_id, state.selector_id, _until(instance, state, before))
    if instance.schedule_storage is not None:
        instance.schedule_storage.purge_asset_evaluations(before)


def _until(instance: dg.DagsterInstance, state: Any, before: float) -> float:
    """The moment until which an instigator's ticks go."""
    newest = instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=1)
    return min(before, newest[0].timestamp) if newest else before


def compact(settings: Settings) -> int:
    """Give the disk back what was removed from Dagster's SQLite files, while nobody else has them open; bytes.

    Raises:
        ServiceUnavailable: the disk is too full to rewrite one, or somebody has it open; it stays as it was.
    """
    freed = 0
    for name in DATABASES:
        file = settings.dagster_home / name
        if file.is_file():
            before = _bytes(file)
            try:
                with closing(sqlite3.connect(file, isolation_level=None)) as database:
                    database.execute("VACUUM")
                    database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.OperationalError as error:
                raise ServiceUnavailable(
                    f"database {file} keeps its size ({error}); everything else was freed. Free some space, and run "
                    "again."
                ) from error
            freed += max(0, before - _bytes(file))
    return freed


def _bytes(file: Path) -> int:
    """With its journal."""
    return sum(part.stat().st_size for part in file.parent.glob(f"{file.name}*"))
