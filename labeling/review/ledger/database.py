"""The ledger's database: how writers take turns on it, and how its tables come about.

Belongs here: locks, transactions, migrations, on SQLite and PostgreSQL. Not here: what is written (ledger.py,
promotions.py).

All writers take turns (SQLite: BEGIN IMMEDIATE; PostgreSQL: one advisory lock for the transaction). Writes are few and
short, and a check before a write (is the round still open, is this still the champion) then holds until it commits.

Whoever keeps the chain's head outside the database is told before a transaction commits and after it did, so that a
kill in between leaves them with both heads, of which the database has one.
"""

import errno
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, event, text
from sqlalchemy.exc import DatabaseError, DBAPIError, OperationalError

from catalog.errors import SelvedgeError, ServiceUnavailable
from catalog.places import is_full, remedy_of
from labeling.review.ledger import chain
from labeling.review.ledger.records import Head

MIGRATIONS = Path(__file__).with_name("migrations")
WAIT_SECONDS = 30
SYNCHRONOUS = "FULL"  # a promotion's intent must survive a power cut
SWITCH_SECONDS = 0.02  # between two tries to switch a new file
ADVISORY_LOCK = 0x5E1F_ED6E  # any number that no other program uses on this database
_READS = "ledger_reads"
SQLITE = "sqlite:///"
# What the operating system said where SQLite passes on its own word for it.
REFUSALS = {
    sqlite3.SQLITE_FULL: errno.ENOSPC,
    sqlite3.SQLITE_READONLY: errno.EACCES,
    sqlite3.SQLITE_PERM: errno.EACCES,
}


class HeadKeeper(Protocol):
    """Who keeps the chain's head outside the database."""

    def announce(self, before: Head | None, after: Head) -> None:
        """A transaction is about to commit. Raises: SelvedgeError: `before` is not the head that was kept."""

    def settle(self, after: Head) -> None:
        """It committed."""


class Database:
    """Transactions on one ledger, whose tables exist and are of this version.

    Attributes:
        migrated: opening it took rows of an older Selvedge into the hash chain.
    """

    def __init__(self, engine: Engine, keeper: HeadKeeper | None = None) -> None:
        """Make or update the tables, once, whoever else is starting.

        Raises:
            SelvedgeError: another database than SQLite or PostgreSQL, one of a newer Selvedge, or a damaged one.
            ServiceUnavailable: it does not answer.
        """
        self._keeper = keeper
        self.migrated = False
        if engine.dialect.name not in ("sqlite", "postgresql"):
            raise SelvedgeError(f"the ledger cannot live in {engine.dialect.name}; use SQLite or PostgreSQL.")
        self.engine = engine
        if engine.dialect.name == "sqlite" and not event.contains(engine, "connect", _set_up_sqlite):
            event.listen(engine, "connect", _set_up_sqlite)
            event.listen(engine, "begin", _begin_sqlite)
            engine.dispose()  # connections made before would not take turns
        after = None
        with self._alone() as connection:
            make_tables(connection)
            if chain.head(connection) is None:
                self.migrated = chain.begin(connection)
                after = chain.head(connection)
                self._announce(None, after)
        self._settle(after)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that no other writer runs beside; rolled back on any exception.

        Raises:
            SelvedgeError: the database is damaged, or is not as it was left.
            ServiceUnavailable: the database does not answer, or stayed locked.
        """
        with self._alone() as connection:
            before = chain.head(connection)
            yield connection
            after = chain.head(connection)
            changed = after if after != before else None
            self._announce(before, changed)
        self._settle(changed)

    def _announce(self, before: Head | None, after: Head | None) -> None:
        if self._keeper is not None and after is not None:
            self._keeper.announce(before, after)

    def _settle(self, after: Head | None) -> None:
        if self._keeper is not None and after is not None:
            self._keeper.settle(after)

    @contextmanager
    def _alone(self) -> Iterator[Connection]:
        with self._told(), self.engine.begin() as connection:
            if self.engine.dialect.name == "postgresql":
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view, which waits for no writer.

        Raises:
            ServiceUnavailable: the database does not answer.
        """
        options: dict[str, Any] = {_READS: True}
        if self.engine.dialect.name == "postgresql":
            options["isolation_level"] = "REPEATABLE READ"
        with self._told(), self.engine.execution_options(**options).begin() as connection:
            yield connection

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except (DatabaseError, sqlite3.Error) as error:
            where = self.engine.url.set(query={}).render_as_string(hide_password=True)  # secrets may stand in both
            sentence = _sentence(where, error)
            if sentence is None:
                raise
            raise sentence from error
        except ValueError as error:  # SQLite looks at no value: a date that is none, bytes that are no text
            where = self.engine.url.render_as_string(hide_password=True)
            raise SelvedgeError(f"the ledger at {where} is damaged ({error}); restore it from a backup.") from error


def _sentence(where: str, error: DatabaseError | sqlite3.Error) -> SelvedgeError | None:
    """What a failure of the database means for a person; None where it is ours to mend."""
    cause: BaseException | None = error.orig if isinstance(error, DatabaseError) else error
    why = str(cause).strip().partition("\n")[0]
    if isinstance(cause, sqlite3.OperationalError) and ("locked" in why or "busy" in why):
        return ServiceUnavailable(
            f"the ledger at {where} is locked by another process ({why}); wait until it ends, or stop it; run again."
        )
    code = REFUSALS.get(getattr(cause, "sqlite_errorcode", 0) & 0xFF)
    if code is None and isinstance(cause, sqlite3.OperationalError) and is_full(Path(where.removeprefix(SQLITE))):
        code = errno.ENOSPC  # whatever SQLite said: its log and its index want room, too
    if code is not None:
        return SelvedgeError(f"the ledger at {where} could not be used ({why}). {remedy_of(OSError(code, why))}")
    if type(cause) is sqlite3.DatabaseError or "disk I/O error" in why:
        return SelvedgeError(f"the ledger at {where} is damaged ({why}); restore it from a backup.")
    if Path(where.removeprefix(SQLITE)).is_dir():
        return SelvedgeError(f"the ledger at {where} is a folder; restore it from a backup, as a file.")
    if isinstance(error, OperationalError | sqlite3.OperationalError):
        return ServiceUnavailable(f"the ledger at {where} does not answer ({why}); start it again.")
    return None


def _set_up_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # the driver would begin transactions by its own rules
    connection.execute(f"PRAGMA busy_timeout = {WAIT_SECONDS * 1000}")
    _use_wal(connection)
    connection.execute(f"PRAGMA synchronous = {SYNCHRONOUS}")
    connection.execute("PRAGMA foreign_keys = ON")


def _use_wal(connection: Any) -> None:
    """Switching a new file needs it alone, and for that SQLite does not wait by itself, whatever its timeout is."""
    end = time.monotonic() + WAIT_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > end:
                raise
            time.sleep(SWITCH_SECONDS)


def _begin_sqlite(connection: Connection) -> None:
    reads = connection.get_execution_options().get(_READS)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


def make_tables(connection: Connection) -> None:
    """Make the tables of a ledger with their triggers, or bring them to this version; no row is written.

    Raises:
        SelvedgeError: a newer Selvedge wrote it, or something else has these names.
    """
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise SelvedgeError(f"the ledger was written by a newer Selvedge ({error}); upgrade this one.") from error
    except DBAPIError as error:
        if isinstance(error, OperationalError) and "already exists" not in str(error.orig):
            raise
        raise SelvedgeError(
            f"the ledger's tables could not be made ({error.orig}); give the ledger a database of its own."
        ) from error
