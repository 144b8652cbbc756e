"""Rows on their way from SQLite to PostgreSQL: copied by COPY, counted and hashed at both ends.

Belongs here: what one value becomes, tables and their sequences. Not here: which tables of which part
(moved_parts.py), the order of a move (migrate.py).

A table's digest does not depend on the order of its rows, as the two databases sort texts differently. A value is
hashed as the type of the target's column has it: 1 and true, `2026-01-01 00:00:00` and the moment, are the same.
"""

import hashlib
import json
import math
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.errors import SelvedgeError

if TYPE_CHECKING:
    from sqlalchemy import Connection

MODULUS = 1 << 256
PAGE = 2000
Row = Sequence[Any]


@dataclass(frozen=True)
class Digest:
    """Rows of a table: how many, and the sum of their hashes."""

    rows: int = 0
    total: int = 0

    def add(self, values: Iterable[str | None]) -> "Digest":
        sha256 = hashlib.sha256(json.dumps(list(values), ensure_ascii=False).encode("utf-8", "surrogatepass"))
        return Digest(self.rows + 1, (self.total + int(sha256.hexdigest(), 16)) % MODULUS)


@dataclass(frozen=True)
class TargetTable:
    """A table of PostgreSQL's.

    Attributes:
        columns: with their types, as `information_schema` spells them. computed: further columns that the database
            fills itself, of others or for a search by words.
    """

    name: str
    columns: Mapping[str, str]
    computed: frozenset[str]


def tables_of(connection: "Connection", schema: str) -> list[TargetTable]:
    """Tables of a schema, those that others refer to first."""
    from sqlalchemy import MetaData, text
    from sqlalchemy.schema import sort_tables_and_constraints

    metadata = MetaData()
    metadata.reflect(connection, schema=schema)
    rows = connection.execute(
        text(
            "SELECT table_name, column_name, data_type, is_generated = 'ALWAYS' OR data_type = 'tsvector' AS computed "
            "FROM information_schema.columns WHERE table_schema = :schema ORDER BY table_name, ordinal_position"
        ),
        {"schema": schema},
    )
    columns: dict[str, dict[str, str]] = {table.name: {} for table in metadata.tables.values()}
    computed: dict[str, set[str]] = {name: set() for name in columns}
    for row in rows:
        if row.computed:
            computed[row.table_name].add(row.column_name)
        else:
            columns[row.table_name][row.column_name] = row.data_type
    ordered = sort_tables_and_constraints(metadata.tables.values())  # of Label Studio's two, each refers to the other
    names = [table.name for table, _ in ordered if table is not None]
    return [TargetTable(name, columns[name], frozenset(computed[name])) for name in names]


def source_tables(file: Path) -> dict[str, list[str]]:
    """Tables of a SQLite file with their columns."""
    with closing(_reading(file)) as database:
        names = [
            name
            for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
            if not name.startswith("sqlite_")
        ]
        return {name: [row[1] for row in database.execute(f'PRAGMA table_info("{name}")')] for name in names}


def source_rows(file: Path, table: str, columns: Sequence[str]) -> Iterator[Row]:
    """Rows of a table in the order they were written.

    Raises:
        SelvedgeError: the file is damaged.
    """
    names = ", ".join(f'"{column}"' for column in columns)
    try:
        with closing(_reading(file)) as database:
            yield from database.execute(f'SELECT {names} FROM "{table}"')
    except sqlite3.Error as error:
        raise SelvedgeError(f"database {file} cannot be read ({error}); restore it from a backup.") from error


def copy_rows(
    connection: "Connection", schema: str, table: TargetTable, columns: Sequence[str], rows: Iterable[Row]
) -> None:
    """Add rows to a table.

    Raises:
        SelvedgeError: PostgreSQL does not take a value: a NUL in a text, a number that is too large.
    """
    import psycopg

    kinds = [table.columns[column] for column in columns]
    names = ", ".join(f'"{column}"' for column in columns)
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor().copy(f'COPY "{schema}"."{table.name}" ({names}) FROM STDIN') as copy:
            for row in rows:
                copy.write_row([for_target(kind, value) for kind, value in zip(kinds, row, strict=True)])
    except (psycopg.DataError, psycopg.IntegrityError, ValueError) as error:
        why = str(error).strip().splitlines()[0]
        raise SelvedgeError(
            f"a row of {schema}.{table.name} does not fit into PostgreSQL ({why}); nothing of it was moved, and the "
            "home is as it was."
        ) from error


def digest_of_rows(table: TargetTable, columns: Sequence[str], rows: Iterable[Row]) -> Digest:
    """What a table is to hold."""
    kinds = [table.columns[column] for column in columns]
    digest = Digest()
    for row in rows:
        values = (for_target(kind, value) for kind, value in zip(kinds, row, strict=True))
        digest = digest.add(canonical(kind, value) for kind, value in zip(kinds, values, strict=True))
    return digest


def digest_of(connection: "Connection", schema: str, table: TargetTable, columns: Sequence[str]) -> Digest:
    """What stands in a table."""
    kinds = [table.columns[column] for column in columns]
    names = ", ".join(
        f'"{column}"::text' if _as_text(kind) else f'"{column}"' for column, kind in zip(columns, kinds, strict=True)
    )
    digest = Digest()
    driver: Any = connection.connection.driver_connection
    with driver.cursor(name="moved") as cursor:
        cursor.itersize = PAGE
        cursor.execute(f'SELECT {names} FROM "{schema}"."{table.name}"')
        for row in cursor:
            digest = digest.add(canonical(kind, value) for kind, value in zip(kinds, row, strict=True))
    return digest


def empty(connection: "Connection", schema: str, tables: Sequence[TargetTable]) -> None:
    """Remove what fresh tables hold by themselves; those of the ledger hold nothing, and refuse it."""
    from sqlalchemy import text

    names = [f'"{schema}"."{table.name}"' for table in tables]
    if any(connection.scalar(text(f"SELECT 1 FROM {name} LIMIT 1")) for name in names):
        connection.execute(text(f"TRUNCATE {', '.join(names)}"))


def set_sequences(connection: "Connection", schema: str, tables: Iterable[TargetTable]) -> None:
    """Numbers that the database gives go on after the largest that came along."""
    from sqlalchemy import text

    for table in tables:
        for column, kind in table.columns.items():
            if kind not in ("integer", "bigint", "smallint"):
                continue
            where = {"table": f'"{schema}"."{table.name}"', "column": column}
            sequence = connection.scalar(text("SELECT pg_get_serial_sequence(:table, :column)"), where)
            if sequence is not None:
                largest = connection.scalar(text(f'SELECT max("{column}") FROM "{schema}"."{table.name}"'))
                if largest is not None:
                    numbers = {"sequence": sequence, "largest": largest}
                    connection.execute(text("SELECT setval(cast(:sequence AS regclass), :largest)"), numbers)


def common_columns(file: Path, table: TargetTable, source: Mapping[str, Collection[str]]) -> list[str]:
    """Columns that a table has at both ends.

    Raises:
        SelvedgeError: the source has another form than the installed packages make.
    """
    here, there = set(source[table.name]) - table.computed, set(table.columns)
    if here != there:
        odd = sorted(here ^ there)[0]
        raise SelvedgeError(
            f"table {table.name} of {file} is of another version (column {odd}); start `selvedge up` once, which "
            "brings it up to date, stop it, and run again."
        )
    return list(table.columns)


def canonical(kind: str, value: Any) -> str | None:
    """A value as both databases have it."""
    return None if value is None else CANONICAL.get(kind, str)(value)


def for_target(kind: str, value: Any) -> Any:
    """A value of SQLite's for a column of PostgreSQL's."""
    return None if value is None else TO_TARGET.get(kind, _same)(value)


def _same(value: Any) -> Any:
    return value


def _as_text(kind: str) -> bool:
    return kind in ("json", "jsonb")


def _moment(value: Any) -> str:
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return (moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment).isoformat(timespec="microseconds")


def _with_zone(value: Any) -> str:
    moment = datetime.fromisoformat(str(value))
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat()


def _json(value: Any) -> str:
    return json.dumps(_whole_numbers(json.loads(value)), sort_keys=True)


def _whole_numbers(value: Any) -> Any:
    """JSON in which 1.0 and 1 are the same, as in PostgreSQL."""
    if isinstance(value, dict):
        return {name: _whole_numbers(content) for name, content in value.items()}
    if isinstance(value, list):
        return [_whole_numbers(content) for content in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _float(value: Any) -> str:
    return "nan" if math.isnan(number := float(value)) else repr(number + 0.0)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


CANONICAL: Mapping[str, Callable[[Any], str]] = {
    "boolean": lambda value: "true" if value else "false",
    "timestamp with time zone": _moment,
    "timestamp without time zone": _moment,
    "date": lambda value: value.isoformat() if isinstance(value, date) else str(value),
    "json": _json,
    "jsonb": _json,
    "bytea": lambda value: hashlib.sha256(bytes(value)).hexdigest(),
    "double precision": _float,
    "real": _float,
    "numeric": lambda value: format(Decimal(str(value)).normalize(), "f"),
    "uuid": lambda value: str(value).replace("-", ""),
}
TO_TARGET: Mapping[str, Callable[[Any], Any]] = {
    "boolean": bool,
    "timestamp with time zone": _with_zone,
    "text": _text,
    "character varying": _text,
    "character": _text,
    "json": _text,
    "jsonb": _text,
}


def _reading(file: Path) -> sqlite3.Connection:
    return sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True, timeout=30)
