"""Mentions: which stored things the records of a home name, read again from the records each time.

Belongs here: finding names in tables, JSON files, databases and Dagster's newest events. Not here: what may be freed
(garbage.py), old runs (old_runs.py).

A thing that is stored under a hash or an id is in use when its name stands anywhere in a record: in a table's column, a
file's text, a row of a database. Whatever cannot be read stops the search, so a damaged record frees nothing.
"""

import json
import re
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg

from catalog.errors import SelvedgeError, ServiceUnavailable
from infra.database_address import without_password

TOKEN = re.compile(r"[A-Za-z0-9@._-]+")
WHOLE_HASH = re.compile(r"[0-9a-f]{64}")
DIGITS = 16  # of a hash in the name of a folder
NUMBERS = ("metrics", "latest_metrics")  # tables of MLflow: millions of rows that name nothing but their run
TEXTS = (".json", ".csv", ".yaml", ".journal")
PAGE = 500


class Mentions:
    """Gathers which of some names are mentioned."""

    def __init__(self, names: Collection[str]) -> None:
        self._names = frozenset(names)
        self.mentioned: set[str] = set()

    def read(self, text: str) -> None:
        """Every word of a text, also without its ending, and the first digits of a whole hash."""
        for token in TOKEN.findall(text):
            heads = (token, token.partition(".")[0], token.rpartition(".")[0], token.removesuffix("-judge"))
            self.mentioned.update(head for head in heads if head in self._names)
            if WHOLE_HASH.fullmatch(token) and token[:DIGITS] in self._names:
                self.mentioned.add(token[:DIGITS])

    def read_all(self, texts: Iterable[str]) -> set[str]:
        """Reads them all; what is mentioned so far."""
        for text in texts:
            self.read(text)
        return self.mentioned


def texts_below(folder: Path, leaving_out: Collection[Path] = ()) -> Iterator[str]:
    """What stands in the tables and text files of a folder.

    Raises:
        SelvedgeError: one of them cannot be read.
    """
    for file in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if any(file.is_relative_to(left_out) for left_out in leaving_out) or not file.is_file():
            continue
        try:
            if file.suffix == ".parquet":
                yield from _texts_of_table(file)
            elif file.suffix in TEXTS:
                yield file.read_text(encoding="utf-8", errors="replace")
        except (OSError, ValueError) as error:  # Arrow's errors of a damaged file are ValueErrors
            why = " ".join(str(error).split())[:200]
            raise SelvedgeError(
                f"{file} cannot be read ({why}), so nobody knows what it names; nothing was freed. Restore it from a "
                "backup, or materialise what writes it again."
            ) from error


def texts_of_database(uri: str, what: str) -> Iterator[str]:
    """Every text of every table of a database.

    Args:
        uri: a SQLAlchemy address. what: it is, for the sentence.

    Raises:
        ServiceUnavailable: it does not answer, or is damaged.
    """
    from sqlalchemy import JSON, MetaData, String, create_engine, select
    from sqlalchemy.exc import SQLAlchemyError

    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).is_file():
        return  # asking would make it
    engine = create_engine(uri.replace("postgresql://", "postgresql+psycopg://", 1))
    try:
        tables = MetaData()
        tables.reflect(engine)
        with engine.connect() as connection:
            for table in [table for name, table in tables.tables.items() if name not in NUMBERS]:
                columns = [column for column in table.columns if isinstance(column.type, (String, JSON))]
                for row in connection.execute(select(*columns)).yield_per(PAGE) if columns else ():
                    yield " ".join(json.dumps(cell) if isinstance(cell, dict | list) else str(cell) for cell in row)
    except SQLAlchemyError as error:
        raise ServiceUnavailable(
            f"{what} at {without_password(uri)} cannot be read ({' '.join(str(error).split())[:200]}); nothing was "
            "freed. Start it, or restore it from a backup, and run again."
        ) from error
    finally:
        engine.dispose()


def texts_of_dagster(instance: dg.DagsterInstance, unfinished: Iterable[dg.DagsterRun]) -> Iterator[str]:
    """What the newest materialisation of every partition says, and what unfinished runs were asked for."""
    for event in newest_events(instance):
        materialization = event.event_log_entry.asset_materialization
        if materialization is not None:
            yield " ".join(_plain(value.value) for value in materialization.metadata.values())
            yield " ".join((materialization.tags or {}).values())
    for run in unfinished:
        yield f"{json.dumps(dict(run.tags))} {json.dumps(run.run_config, default=str)}"


def newest_events(instance: dg.DagsterInstance) -> Iterator[dg.EventLogRecord]:
    """The newest materialisation and observation of every asset, or of every partition of it."""
    for key in instance.all_asset_keys():
        for kind, fetch in (
            (dg.DagsterEventType.ASSET_MATERIALIZATION, instance.fetch_materializations),
            (dg.DagsterEventType.ASSET_OBSERVATION, instance.fetch_observations),
        ):
            yield from fetch(key, limit=1).records  # of one without partitions there is no other
            by_partition = instance.event_log_storage.get_latest_storage_id_by_partition(key, kind)
            numbers = sorted(by_partition.values())
            for start in range(0, len(numbers), PAGE):
                query = dg.AssetRecordsFilter(asset_key=key, storage_ids=numbers[start : start + PAGE])
                yield from fetch(query, limit=PAGE).records


def _texts_of_table(file: Path) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.ParquetFile(file).read()
    for field, column in zip(table.schema, table.columns, strict=True):
        if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
            yield " ".join(str(cell) for cell in column.unique().to_pylist() if cell)
        elif pa.types.is_nested(field.type):
            yield " ".join(str(cell) for cell in column.to_pylist() if cell)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, default=repr)
