"""The parts of a home that move to PostgreSQL, each into its schema: ledger, Dagster, MLflow, Label Studio.

Belongs here: how each part's tables are made, by its own tool, and which rows of which file they get. Not here: values
(moved_rows.py), order, resuming and the switch (migrate.py).

Dagster keeps the events of a run in a file of the run's, and copies those of assets, checks and ends of runs into one
index. Cursors of sensors and conditions are numbers of that index: its events keep their numbers, and the others get
the numbers after them, run by run. So in the page of a run from before the move, materialisations stand above the rest.
"""

import hashlib
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.errors import SelvedgeError
from infra.local.label_studio import make_tables as make_label_studio_tables
from infra.local.mlflow_artifacts import serve_older_files
from infra.local.mlflow_server import migrate, upgrade
from orchestration.jobs.moved_rows import (
    Row,
    TargetTable,
    common_columns,
    source_rows,
    source_tables,
    tables_of,
)
from orchestration.runtime.dagster_private import make_postgres_tables
from orchestration.runtime.databases import transaction
from orchestration.runtime.postgres import DAGSTER, LABEL_STUDIO, LEDGER, MLFLOW
from orchestration.runtime.services import in_our_words
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Connection

Progress = Callable[[str], None]
VERSIONS = ("alembic_version", "ledger_version")  # as the tables were made, here
DAGSTER_OWN = ("secondary_indexes",)  # which indexes are built: all of them, in new tables
EVENTS = "event_logs"
HISTORY, SCHEDULES = "history", "schedules"
DAGSTER_FILES = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")


@dataclass(frozen=True)
class Part:
    """One part of a home.

    Attributes:
        schema: of PostgreSQL's. title: for people. files: its SQLite databases; none where the part is elsewhere or was
            never used. leaves: what is moved aside when the move is done. make: its tables, by an address.
    """

    schema: str
    title: str
    files: tuple[Path, ...]
    leaves: tuple[Path, ...]
    make: Callable[[str], None]

    def sources(self, connection: "Connection") -> Iterator[tuple[TargetTable, list[str], Iterator[Row]]]:
        """Every table that gets rows, its columns, and the rows; those that others refer to first.

        Raises:
            SelvedgeError: a table is of another version, or there is one that nobody knows.
        """
        tables = {table.name: table for table in tables_of(connection, self.schema) if table.name not in VERSIONS}
        holders: dict[str, tuple[Path, Mapping[str, list[str]]]] = {}
        for file in self.files:
            there: Mapping[str, list[str]] = source_tables(file)
            for name in there:
                if name in VERSIONS or (self.schema == DAGSTER and name in DAGSTER_OWN):
                    continue
                if name not in tables:
                    raise SelvedgeError(
                        f"table {name} of {file} is none that the installed packages make; install what wrote it, and "
                        "run again."
                    )
                if name in holders:
                    raise SelvedgeError(f"table {name} stands in two files ({holders[name][0]}, {file}); remove one.")
                holders[name] = (file, there)
        for name, table in tables.items():
            if name in holders:
                file, there = holders[name]
                columns = common_columns(file, table, there)
                events = self.schema == DAGSTER and name == EVENTS
                yield (
                    table,
                    columns,
                    dagster_events(self.files, columns) if events else source_rows(file, name, columns),
                )


def parts_of(settings: Settings, on_sqlite: Settings, progress: Progress) -> list[Part]:
    """Every part, the ledger last: from its copy to the switch nobody may write into it.

    Args:
        on_sqlite: the same home as it is before the move.
    """
    dagster, mlflow = settings.dagster_home, settings.mlflow_home / "mlflow.db"
    studio = settings.label_studio_home / "data" / "label_studio.sqlite3"

    def make_mlflow(uri: str) -> None:
        with in_our_words():
            if mlflow.exists():
                migrate(settings.mlflow_home, on_sqlite.mlflow_database_uri, progress)
                if "://" not in settings.mlflow_artifact_root:
                    serve_older_files(mlflow, settings.mlflow_artifact_root)
            upgrade(uri)

    def make_studio(uri: str) -> None:
        if studio.exists():  # else its first start does
            places = (settings.label_studio_home, settings.logs, settings.secrets)
            with in_our_words():
                make_label_studio_tables(*places, uri, settings.label_studio_environments, progress)

    def there(elsewhere: bool, *paths: Path) -> tuple[Path, ...]:
        return () if elsewhere else tuple(path for path in paths if path.is_file() and path.stat().st_size)

    histories = there(False, *(dagster / name for name in DAGSTER_FILES))
    mlflows = there(settings.mlflow_database is not None or settings.tracking_uri is not None, mlflow)
    studios = there(settings.label_studio_database is not None, studio)
    ledgers = there(settings.ledger is not None, settings.home / "ledger.db")
    return [
        Part(DAGSTER, "Dagster", histories, (dagster / HISTORY, dagster / SCHEDULES), make_dagster),
        Part(MLFLOW, "MLflow", mlflows, mlflows, make_mlflow),
        Part(LABEL_STUDIO, "Label Studio", studios, studios, make_studio),
        Part(LEDGER, "ledger", ledgers, ledgers, make_ledger),
    ]


def make_dagster(uri: str) -> None:
    try:
        make_postgres_tables(uri.replace("+psycopg:", "+psycopg2:", 1))
    except ImportError as error:
        raise SelvedgeError(
            f"Dagster on PostgreSQL needs packages that are not installed ({error.name}); install selvedge[postgres]."
        ) from error


def make_ledger(uri: str) -> None:
    from labeling.review.ledger.database import make_tables

    with transaction(uri) as connection:
        make_tables(connection)


def dagster_events(files: tuple[Path, ...], columns: list[str]) -> Iterator[Row]:
    """Events of the index as they are, then those that only the runs' own files hold, in the order of the runs."""
    index = next(file for file in files if file.name == "index.db")
    identity, run, event = (columns.index(name) for name in ("id", "run_id", "event"))
    last = 0
    for row in source_rows(index, EVENTS, columns):
        last = max(last, row[identity])
        yield row
    for run_id, file in _run_files(files, index.parent):
        mirrored = _hashes(index, run_id)
        for row in source_rows(file, EVENTS, columns):
            if mirrored[key := _hash(row[event])] > 0 and row[run] == run_id:
                mirrored[key] -= 1
                continue
            last += 1
            yield [last if position == identity else value for position, value in enumerate(row)]


def _run_files(files: tuple[Path, ...], folder: Path) -> Iterator[tuple[str, Path]]:
    """The file of every run, in the order in which runs were made."""
    there = {file.stem: file for file in sorted(folder.glob("*.db")) if file.name != "index.db"}
    runs = next((file for file in files if file.name == "runs.db"), None)
    for (run_id,) in source_rows(runs, "runs", ["run_id"]) if runs is not None else ():
        if run_id in there:
            yield run_id, there.pop(run_id)
    yield from there.items()


def _hashes(index: Path, run_id: str) -> Counter[bytes]:
    with closing(sqlite3.connect(f"{index.as_uri()}?mode=ro", uri=True)) as database:
        return Counter(
            _hash(event) for (event,) in database.execute("SELECT event FROM event_logs WHERE run_id = ?", (run_id,))
        )


def _hash(event: str) -> bytes:
    return hashlib.sha256(event.encode("utf-8", "surrogatepass")).digest()[:16]
