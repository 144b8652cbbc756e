"""The ledger of this home: where its database is, and one turn at a time for whoever moves a champion.

Belongs here: the engine, made once a process, and the lock that goes with that database. Not here: what is written
(labeling/review/ledger/ledger.py, promotions.py), who moves what (promotion.py).

SQLAlchemy is imported when a ledger is opened, not when the graph is loaded.
"""

import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zlib import crc32

from catalog.errors import SelvedgeError, ServiceUnavailable
from infra.database_address import without_password
from infra.local.lock import exclusive
from labeling.review.ledger.records import BEFORE
from orchestration.registry.head import HeadFile
from orchestration.runtime.databases import ensure_databases
from orchestration.runtime.label_studio import annotators_made_here
from orchestration.runtime.private import close_to_others
from orchestration.runtime.reserve import let_reserve_go_when_full
from orchestration.runtime.services import in_our_words
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from labeling.review.ledger.ledger import Ledger

_LOG = logging.getLogger("selvedge.ledger")
LOCK_SECONDS = 60.0
CONNECTIONS = 2  # of a process to a ledger in PostgreSQL: kept, and as many again for a moment
POSTGRES_LOCKS = 0x5E1F  # first half of an advisory lock's key; the second is the family's


def open_ledger(settings: Settings) -> "Ledger":
    """The ledger that `SELVEDGE_LEDGER` names, its tables made or updated, all of it checked when it is first opened.

    What was changed in it is told on stderr and refuses promotions (`refuse_changed`); rounds and history can be read.

    Raises:
        SelvedgeError: the address cannot be read, its driver is not installed, a newer Selvedge wrote it, it is
            damaged, or this home had another one.
        ServiceUnavailable: its database does not answer.
    """
    let_reserve_go_when_full(settings.home)
    ensure_databases(settings)
    memory = head_file(settings)
    close_to_others(settings.home)
    _refuse_lost(settings, memory)
    ledger, first = _opened(settings.ledger_uri, memory, os.getpid())  # connections are not shared with a forked child
    if first:
        first.clear()
        if ledger.record.migrated:
            for email in annotators_made_here(settings):
                ledger.record.list_annotator(email, None, BEFORE)
            _LOG.warning(
                "selvedge: the ledger of an older Selvedge was taken into the hash chain; what was written before is "
                "vouched for from now on."
            )
        for sentence in ledger_problems(settings):
            _LOG.warning("selvedge: %s", sentence)
    return ledger


def head_file(settings: Settings) -> HeadFile:
    """This home's memory of its ledger."""
    shown = _shown(settings.ledger_uri)
    return HeadFile(settings.home / "ledger.head", shown, alone=settings.ledger_in_home)


def ledger_problems(settings: Settings) -> list[str]:
    """What was changed in the ledger, and where it is not what this home remembers; one sentence each.

    Raises:
        SelvedgeError: as `open_ledger`.
    """
    ledger = open_ledger(settings)
    return [*head_file(settings).problems(ledger), *ledger.record.problems()]


def refuse_changed(settings: Settings) -> None:
    """Nothing may be promoted, and no champion used, on a ledger that another program changed.

    Raises:
        SelvedgeError: it was changed; the first thing that is wrong is in the sentence.
    """
    if problems := ledger_problems(settings):
        raise SelvedgeError(problems[0])


def _refuse_lost(settings: Settings, memory: HeadFile) -> None:
    """A home without its ledger must not begin a new one in silence."""
    if not settings.ledger_in_home:
        return  # of a database elsewhere its first transaction asks
    file = Path(settings.ledger_uri.removeprefix("sqlite:///"))
    if (not file.exists() or file.stat().st_size == 0) and (memory.remembered() or (None,))[0] is not None:
        raise SelvedgeError(memory.lost())


def _shown(uri: str) -> str:
    """The address without its password."""
    return without_password(uri).removeprefix("sqlite:///")


@lru_cache(maxsize=8)
def _opened(uri: str, memory: HeadFile, _process: int) -> "tuple[Ledger, list[bool]]":
    """The ledger, and a list that is not empty until it was checked."""
    from labeling.review.ledger.ledger import Ledger

    return Ledger(_engine(uri), memory), [True]


@lru_cache(maxsize=8)
def _locking_engine(uri: str, _process: int) -> "Engine":
    """Connections of their own: a lock held for a minute must not take one from the writers."""
    return _engine(uri, kept=0)


def _engine(uri: str, kept: int = CONNECTIONS) -> "Engine":
    """kept: connections to PostgreSQL that stay open when nobody uses them."""
    from sqlalchemy import NullPool, create_engine, make_url
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    try:
        url = make_url(uri)
        if url.drivername == "postgresql":  # the driver that selvedge[postgres] installs
            url = url.set(drivername="postgresql+psycopg")
        if url.get_backend_name() == "sqlite" and url.database:
            Path(url.database).parent.mkdir(parents=True, exist_ok=True)
        if url.get_backend_name() == "sqlite":
            return create_engine(url)
        bounds: dict[str, Any] = {"pool_size": kept, "max_overflow": CONNECTIONS} if kept else {"poolclass": NullPool}
        return create_engine(url, **bounds)
    except (NoSuchModuleError, ImportError) as error:
        raise SelvedgeError(
            f"setting SELVEDGE_LEDGER needs a driver that is not installed ({error}); install selvedge[postgres] or "
            "leave it out."
        ) from error
    except ArgumentError as error:
        raise SelvedgeError(
            "setting SELVEDGE_LEDGER is no database address; write it like postgresql://user@host/selvedge."
        ) from error
    except OSError as error:
        raise SelvedgeError(
            f"the ledger's folder {error.filename} cannot be written ({error.strerror}); set SELVEDGE_LEDGER elsewhere."
        ) from error


@contextmanager
def one_at_a_time(settings: Settings, family: str) -> Iterator[None]:
    """Whoever moves a family's champion does it alone, among all homes that share this ledger.

    The lock ends with its holder, however that ends: a file lock beside a SQLite ledger, a session's advisory lock in
    PostgreSQL. So an intent that is found open while holding it was left by somebody who is gone.

    Raises:
        ServiceUnavailable: somebody else held it for a minute, or the database does not answer.
    """
    engine = _locking_engine(settings.ledger_uri, os.getpid())
    if engine.dialect.name == "sqlite":
        database = Path(engine.url.database or settings.home / "ledger.db")
        name = re.sub(r"[^A-Za-z0-9_-]", "_", family)
        with (
            in_our_words(),
            exclusive(database.with_name(f"{database.name}.{name}.lock"), LOCK_SECONDS, f"promoting {family}"),
        ):
            yield
        return
    with _advisory(engine, family):
        yield


@contextmanager
def _advisory(engine: "Engine", family: str) -> Iterator[None]:
    from sqlalchemy import text
    from sqlalchemy.exc import OperationalError

    key = {"house": POSTGRES_LOCKS, "family": crc32(family.encode()) - 2**31}
    try:
        connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
    except OperationalError as error:
        where = without_password(engine.url.render_as_string(hide_password=False))
        raise ServiceUnavailable(f"the ledger at {where} does not answer ({error.orig}); start it again.") from error
    try:
        try:
            connection.execute(text(f"SET lock_timeout = '{LOCK_SECONDS:g}s'"))
            connection.execute(text("SELECT pg_advisory_lock(:house, :family)"), key)
        except OperationalError as error:
            raise ServiceUnavailable(
                f"another process is promoting {family} (it holds the ledger's lock); wait until it ends and run again."
            ) from error
        yield
    finally:
        connection.invalidate()  # ends the session, and its lock with it
        connection.close()
