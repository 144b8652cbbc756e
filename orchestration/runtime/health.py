"""What is wrong with the machine under a home: its SQLite files, its disks, its clock, Dagster's pools.

Belongs here: each as one sentence with the remedy, asked without changing anything. Not here: `selvedge doctor`, which
asks all of them (orchestration/cli/doctor_command.py), the ledger's own chain (orchestration/registry/).
"""

import os
import shutil
import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from orchestration.runtime.settings import Settings

SQLITE_FILES = (
    "ledger.db",
    "ads.db",
    "mlflow/mlflow.db",
    "label-studio/data/label_studio.sqlite3",
    "dagster/history/runs.db",
    "dagster/history/runs/index.db",
    "dagster/schedules/schedules.db",
)
FEW_BYTES = 1_000_000_000  # a drop, its features and a checkpoint
AHEAD_SECONDS = 300.0  # that machines which share a home may differ
# What SQLite says, to what a person does about it.
REMEDIES = {
    "readonly database": "make its file and its folder writable for this user",
    "unable to open database file": "make its file and its folder readable and writable for this user",
    "database is locked": "another program writes to it for long; end that, and run again",
    "disk is full": "free some space, and run again",
    "disk I/O error": "check the disk, and run again",
    "not a database": "it is damaged; restore it from a backup (`selvedge restore`)",
    "malformed": "it is damaged; restore it from a backup (`selvedge restore`)",
    "no such table": "it is of another version; install the one that wrote it, or restore a backup of this one",
    "no such column": "it is of another version; install the one that wrote it, or restore a backup of this one",
}


def refused_by_sqlite(error: BaseException | None) -> str:
    """The sentence of what SQLite refused, whoever asked it; "" for anything else."""
    while error is not None:
        told = getattr(error, "orig", None) or error
        remedy = next((remedy for part, remedy in REMEDIES.items() if part in str(told)), None)
        if isinstance(told, sqlite3.Error) and remedy is not None:
            said = " ".join(str(told).split())[:200]
            return f"a database of this home refused ({said}); `selvedge doctor` says which: {remedy}."
        error = error.__cause__
    return ""


def sqlite_problems(home: Path) -> Iterator[str]:
    """Databases that cannot be read, or not be written."""
    for file in (home / name for name in SQLITE_FILES):
        if not file.is_file() or not file.stat().st_size:
            continue
        try:
            with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True, timeout=5)) as database:
                database.execute("PRAGMA schema_version").fetchone()
        except sqlite3.Error as error:
            remedy = next((remedy for part, remedy in REMEDIES.items() if part in str(error)), "see what stands there")
            yield f"database {file} cannot be read ({error}); {remedy}."
            continue
        if not (os.access(file, os.W_OK) and os.access(file.parent, os.W_OK | os.X_OK)):
            yield f"database {file} can only be read; make the file and its folder writable for this user."


def disk_problems(settings: Settings) -> Iterator[str]:
    """Disks of the home and the inbox with little room."""
    told = set()
    for what, folder in (("home", settings.home), ("inbox", settings.inbox_folder)):
        there = next((place for place in (folder, *folder.parents) if place.is_dir()), None) if folder else None
        if there is None or there.stat().st_dev in told:
            continue
        told.add(there.stat().st_dev)
        free = shutil.disk_usage(there).free
        if free < FEW_BYTES:
            yield (
                f"the disk of the {what} {folder} has {free / 1e9:.1f} GB left; `selvedge gc` says what may go, "
                "or move what lies beside it."
            )


def clock_problems(instance: dg.DagsterInstance, now: datetime | None = None) -> Iterator[str]:
    """Runs and heartbeats of the future: the clock was ahead then, or is behind now."""
    now = now or datetime.now(UTC)
    newest = [record.create_timestamp for record in instance.get_run_records(limit=1)]
    beats = [datetime.fromtimestamp(beat.timestamp, UTC) for beat in instance.get_daemon_heartbeats().values()]
    latest = max([*newest, *beats], default=now)
    if (ahead := (latest - now).total_seconds()) > AHEAD_SECONDS:
        yield (
            f"Dagster's database holds something of {latest:%Y-%m-%d %H:%M} UTC, {ahead / 3600:.1f} h after this "
            f"machine's clock ({now:%Y-%m-%d %H:%M} UTC); set the clock, or schedules wait until it is that late."
        )


def pool_problems(instance: dg.DagsterInstance, pools: Collection[str]) -> Iterator[str]:
    """Limits of pools that nothing uses.

    Args:
        pools: those there are.
    """
    for limit in instance.event_log_storage.get_pool_limits():
        if limit.name not in pools:
            yield (
                f"Dagster holds a limit for the pool {limit.name!r}, which does not exist; the pools are "
                f"{', '.join(sorted(pools))}. Delete it under Deployment, Concurrency, and set the one that is meant."
            )
