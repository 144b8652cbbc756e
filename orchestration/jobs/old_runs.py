"""Old runs: Dagster's finished runs, their events and logs, and the ticks of sensors and schedules, kept by days.

Belongs here: which runs may go, and removing them by Dagster's own calls. Not here: files (garbage.py).

Dagster's retention knows ticks only, and a year of runs is gigabytes. A run stays, however old, while it made the
newest of anything (materialisation, observation, check), while what it failed to make was not made since, while a
record names it, and while an unfinished run or backfill goes on from it. A failure that was forgotten would be taken
for one that never was: the drop would be tried again, and a candidate would wait for its training for ever.
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
from orchestration.runtime.dagster_private import keeps_runs_in_a_folder, unfinished_backfills
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
    graph = definitions.resolve_asset_graph()
    backfills = {backfill.backfill_id for backfill in unfinished_backfills(instance, graph)}
    for run in instance.get_runs(dg.RunsFilter(statuses=[*UNFINISHED, QUEUED])):
        needed |= {run.tags[tag] for tag in ANCESTORS if tag in run.tags}

    def unneeded(run: dg.DagsterRun) -> bool:
        stages = {key.path[0] for key in run.asset_selection or ()}
        named_elsewhere = settings.tracking_uri is not None and bool(stages & TRACKED)
        return run.run_id not in needed and run.tags.get(BACKFILL_TAG) not in backfills and not named_elsewhere

    return [run_id for run_id, run in reversed(old.items()) if unneeded(run)]


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
    in_a_folder = keeps_runs_in_a_folder(instance)
    for run_id in runs:
        instance.delete_run(run_id)
        if in_a_folder:  # Dagster empties a run's own database and leaves the file
            for file in (settings.dagster_home / "history" / "runs").glob(f"{run_id}.db*"):
                file.unlink(missing_ok=True)
        shutil.rmtree(settings.dagster_home / "storage" / run_id, ignore_errors=True)


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
