"""Migrate: a home on SQLite moved to PostgreSQL, part by part, each held to counts and hashes at both ends.

Belongs here: what must be so before, the order, going on after a kill, and the switch. Not here: which rows
(moved_parts.py), what a value becomes (moved_rows.py).

Until the switch the home is on SQLite, and its files are only read. The switch is one file taking its name
(`postgres.json`); afterwards the SQLite files stand in `before-postgres/`. A kill at any moment leaves the one or the
other: run again, parts that stand are held to their hashes once more, and one that was half copied is begun anew.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import dagster as dg
from pydantic import SecretStr

from catalog.errors import SelvedgeError
from infra.database_address import without_password
from orchestration.jobs.moved_parts import Part, parts_of
from orchestration.jobs.moved_rows import Digest, copy_rows, digest_of, digest_of_rows, empty, set_sequences
from orchestration.registry.ledger import head_file, ledger_problems, open_ledger
from orchestration.runtime.dagster_private import of_other_versions, unfinished_backfills
from orchestration.runtime.databases import (
    COMMENT,
    HERE,
    MOVING,
    lock,
    make_schema,
    new_id,
    owners,
    refuse_used,
    remember,
    remembered,
    sign,
    sqlite_files,
    transaction,
)
from orchestration.runtime.home import held
from orchestration.runtime.instance import open_instance, write_configuration
from orchestration.runtime.postgres import LEDGER, SCHEMAS, SETTING, in_schema
from orchestration.runtime.recovery import UNFINISHED, recover
from orchestration.runtime.services import links
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Connection

ASIDE = "before-postgres"
STANDS = "whole"  # of a schema that holds all of its part
AT_WORK = ("running", "starting or stuck", "stuck", "left over")
COUNTED = {"runs": "runs", "ballots": "ballots", "promotions": "promotions", "events": "event_logs"}


@dataclass(frozen=True)
class Moved:
    """A home that is on PostgreSQL now.

    Attributes:
        tables: of all parts. rows: by schema. counts: of what people ask for first. again: it was there already.
        aside: where the SQLite files are now.
    """

    database: str
    tables: int
    rows: dict[str, int]
    counts: dict[str, int]
    again: bool
    aside: Path


def move(settings: Settings, definitions: dg.Definitions, report: Callable[[str], None]) -> Moved:
    """Move a home; of one that is there already only leftovers are put aside.

    Args:
        settings: with the database that it moves to. report: takes a line for people.

    Raises:
        SelvedgeError: no database is named, the home is at work or its ledger was changed, the database holds
            something, or a row differs at the two ends; the home is on SQLite as before.
        ServiceUnavailable: the database does not answer.
    """
    uri = settings.postgres_uri
    if uri is None:
        raise SelvedgeError(f"no database to move to; set {SETTING}_FILE or {SETTING}, or give --postgres.")
    on_sqlite = settings.model_copy(update={"postgres": SecretStr(""), "postgres_file": None})
    memory = remembered(settings.home)
    if memory is None and not sqlite_files(settings.home):
        raise SelvedgeError(f"{settings.home} holds no SQLite databases; `selvedge up` begins a home on PostgreSQL.")
    with held(settings, "selvedge migrate"):
        again = memory is not None and memory[1] == HERE
        parts = parts_of(settings, on_sqlite, report)
        digests: dict[str, dict[str, Digest]] = {}
        if not again:
            _refuse_at_work(on_sqlite, definitions, report)
            home_id = memory[0] if memory is not None else new_id()
            with transaction(uri) as connection:
                lock(connection)
                refuse_used(connection, uri, home_id)
                remember(settings, home_id, MOVING, uri)
            with _nobody_writes(on_sqlite):
                for part in parts:
                    digests[part.schema] = _move_part(uri, home_id, part, report)
                _hold_ledger(on_sqlite, uri)
                _switch(settings, uri, home_id)
        _put_aside(settings, parts)
    rows = {schema: sum(digest.rows for digest in tables.values()) for schema, tables in digests.items()}
    everything = {name: digest.rows for tables in digests.values() for name, digest in tables.items()}
    counts = {what: everything.get(table, 0) for what, table in COUNTED.items()}
    return Moved(without_password(uri), sum(map(len, digests.values())), rows, counts, again, settings.home / ASIDE)


def _refuse_at_work(on_sqlite: Settings, definitions: dg.Definitions, report: Callable[[str], None]) -> None:
    """Raises SelvedgeError: a service or a run of the home is at work, or what is to be moved is not sound."""
    for link in links(on_sqlite):
        if link.state in AT_WORK:
            raise SelvedgeError(f"{link.name} of {on_sqlite.home} is {link.state}; stop `selvedge up`, and run again.")
    if (on_sqlite.dagster_home / "dagster.yaml").exists():
        with open_instance(on_sqlite) as instance:
            recover(instance, report)
            _refuse_unfinished(instance, definitions)
            if other := of_other_versions(instance):
                raise SelvedgeError(
                    f"Dagster's database is of another version ({other[0]}); run "
                    f"`DAGSTER_HOME={on_sqlite.dagster_home} dagster instance migrate`, or install what wrote it."
                )
    if (on_sqlite.home / "ledger.db").exists():
        open_ledger(on_sqlite)  # brings an older one up to date
        if problems := ledger_problems(on_sqlite):
            raise SelvedgeError(f"the ledger is not moved as it is: {problems[0]}")


def _refuse_unfinished(instance: dg.DagsterInstance, definitions: dg.Definitions) -> None:
    if runs := instance.get_runs(dg.RunsFilter(statuses=UNFINISHED)):
        raise SelvedgeError(
            f"{len(runs)} runs are not over (run {runs[0].run_id[:8]}); wait until they end, or cancel them, and run "
            "again."
        )
    if backfills := unfinished_backfills(instance, definitions.resolve_asset_graph()):
        raise SelvedgeError(
            f"backfill {backfills[0].backfill_id} is not over; wait until it ends, or run `selvedge backfill --cancel`."
        )


@contextmanager
def _nobody_writes(on_sqlite: Settings) -> Iterator[None]:
    """No promotion and no vote is written into the ledger meanwhile: it would be left behind."""
    if not (on_sqlite.home / "ledger.db").exists():
        yield
        return
    with head_file(on_sqlite).unchanging():
        yield


def _move_part(uri: str, home_id: str, part: Part, report: Callable[[str], None]) -> dict[str, Digest]:
    """A part in its schema, with all its rows; one that stands from an earlier try is held to its hashes."""
    address = in_schema(uri, part.schema)
    with transaction(uri) as connection:
        lock(connection)
        comment = owners(connection).get(part.schema)
    if comment in (f"{COMMENT}{home_id} {STANDS}", f"{COMMENT}{home_id} {HERE}"):
        with transaction(address) as connection:
            digests, differing = _compared(connection, part)
        if not differing:
            report(f"{part.title}: stands, {_rows(digests)} rows as they are here")
            return digests
    with transaction(uri) as connection:
        lock(connection)
        if comment is not None:
            _drop(connection, part.schema)
        make_schema(connection, part.schema, home_id, MOVING)
    if not part.files:
        with transaction(uri) as connection:
            sign(connection, part.schema, home_id, STANDS)
        return {}
    report(f"{part.title}: making its tables")
    part.make(address)
    with transaction(address) as connection:
        _copy(connection, part)
        digests, differing = _compared(connection, part)
        if differing:
            raise SelvedgeError(
                f"table {differing[0]} of {part.title} is not the same at both ends; nothing of it was kept, and the "
                "home is on SQLite as before."
            )
        sign(connection, part.schema, home_id, STANDS)
    report(f"{part.title}: {_rows(digests)} rows in {len(digests)} tables, the same at both ends")
    return digests


def _rows(digests: dict[str, Digest]) -> str:
    return f"{sum(digest.rows for digest in digests.values()):,}"


def _drop(connection: "Connection", schema: str) -> None:
    from sqlalchemy import text

    assert schema in SCHEMAS
    connection.execute(text(f'DROP SCHEMA "{schema}" CASCADE'))


def _copy(connection: "Connection", part: Part) -> None:
    from sqlalchemy import text

    connection.execute(text("SET LOCAL TIME ZONE 'UTC'"))
    sources = list(part.sources(connection))
    empty(connection, part.schema, [table for table, _, _ in sources])
    for table, columns, rows in sources:
        copy_rows(connection, part.schema, table, columns, rows)
    set_sequences(connection, part.schema, [table for table, _, _ in sources])


def _compared(connection: "Connection", part: Part) -> tuple[dict[str, Digest], list[str]]:
    """The rows of every table by its SQLite file, read once more, and the tables that PostgreSQL has otherwise."""
    from sqlalchemy import text

    connection.execute(text("SET LOCAL TIME ZONE 'UTC'"))
    digests, differing = {}, []
    for table, columns, rows in part.sources(connection):
        digests[table.name] = digest_of_rows(table, columns, rows)
        if digests[table.name] != digest_of(connection, part.schema, table, columns):
            differing.append(table.name)
    return digests, differing


def _hold_ledger(on_sqlite: Settings, uri: str) -> None:
    """The hash chain of the moved ledger, and its head, which is the one that the home remembers."""
    from labeling.review.ledger import chain

    if not (on_sqlite.home / "ledger.db").exists() or on_sqlite.ledger is not None:
        return
    ledger = open_ledger(on_sqlite)
    expected = ledger.record.head()
    ledger.close()  # its file is moved aside
    with transaction(in_schema(uri, LEDGER)) as connection:
        problems, head = chain.problems(connection), chain.head(connection)
    if problems or head != expected:
        what = problems[0] if problems else "its chain ends elsewhere."
        raise SelvedgeError(f"the ledger did not arrive as it was: {what} The home is on SQLite as before.")


def _switch(settings: Settings, uri: str, home_id: str) -> None:
    """From here on the home is on PostgreSQL."""
    with transaction(uri) as connection:
        lock(connection)
        for schema in SCHEMAS:
            sign(connection, schema, home_id, HERE)
    remember(settings, home_id, HERE, uri)


def _put_aside(settings: Settings, parts: Sequence[Part]) -> None:
    """The SQLite files, out of the way and kept; and Dagster told of its database."""
    write_configuration(settings)
    for part in parts:
        for path in part.leaves:
            for file in sorted(path.parent.glob(f"{path.name}*")):
                if file.name.removeprefix(path.name) in ("", "-wal", "-shm", "-journal"):
                    target = settings.home / ASIDE / file.relative_to(settings.home)
                    target.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                    file.rename(target)
