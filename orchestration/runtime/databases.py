"""The databases of a home: SQLite files in it, or the schemas of one PostgreSQL database that is its own.

Belongs here: which of the two a home is on, making the schemas of a new one, and what PostgreSQL refuses as one
sentence. Not here: addresses (postgres.py), moving a home (orchestration/jobs/migrate.py).

A home and its database know each other: `postgres.json` holds an id, and so does a comment on every schema. So a
database of another home is not written into, and a home that lives there is not begun anew in SQLite.
"""

import json
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from catalog.errors import SelvedgeError, ServiceUnavailable
from catalog.files import publish_text
from infra.database_address import without_password
from infra.errors import ServiceFailure
from infra.local.lock import exclusive
from orchestration.runtime.postgres import PSYCOPG, SCHEMAS, SETTING, STORED
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    from sqlalchemy import Connection
    from sqlalchemy.exc import DBAPIError

MEMORY = "postgres.json"
MAKING, MOVING, HERE = "making", "moving", "here"
COMMENT = "selvedge "  # and the home's id, and what its move came to
DAGSTER_VARIABLE = "DAGSTER_POSTGRES_URL"
MAKING_LOCK = 0x5E1F_DBA5  # any number that no other program uses on this database
CONNECT_SECONDS = 10
CONNECTIONS = 60  # that a home holds at most with two runs at once, as benchmarks/operations/connections.py counts them
# What libpq says, which has no codes before a connection stands.
REMEDIES = {
    "does not exist": "make it, as with `createdb`, or name another one in {setting}.",
    "password authentication failed": "put the right password into {setting} or {setting}_FILE.",
    "no password supplied": "put the password into {setting} or {setting}_FILE.",
    "no pg_hba.conf entry": "allow this machine in its pg_hba.conf.",
    "too many clients": "raise max_connections, or stop other programs that use it.",
    "remaining connection slots": "raise max_connections, or stop other programs that use it.",
}


def remembered(home: Path) -> tuple[str, str] | None:
    """The id of a home that is on PostgreSQL, or being moved there, and which; None of one on SQLite.

    Raises:
        SelvedgeError: the file is damaged.
    """
    path = home / MEMORY
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return str(content["home"]), str(content["state"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SelvedgeError(f"{path} cannot be read; restore it from a backup.") from error


def remember(settings: Settings, home_id: str, state: str, uri: str) -> None:
    """Write down where the databases of a home are, or are being moved to."""
    content = {"home": home_id, "state": state, "database": without_password(uri)}
    publish_text(json.dumps(content, indent=1) + "\n", settings.home / MEMORY)


def new_id() -> str:
    return secrets.token_hex(8)


def ensure_databases(settings: Settings) -> None:
    """The home's databases are where its settings say; schemas of a new home on PostgreSQL are made.

    Raises:
        SelvedgeError: they are elsewhere, the move there was cut short, or the database is another home's.
        ServiceUnavailable: the server does not answer.
    """
    uri, memory = settings.postgres_uri, remembered(settings.home)
    if uri is None:
        if memory is not None and memory[1] == HERE:
            raise SelvedgeError(
                f"home {settings.home} is on PostgreSQL, and no setting says where; set {SETTING}_FILE or {SETTING}."
            )
        return
    if memory is None or memory[1] == MAKING:
        if files := sqlite_files(settings.home):
            raise SelvedgeError(
                f"home {settings.home} is on SQLite ({files[0].relative_to(settings.home)}); `selvedge migrate` moves "
                f"it to PostgreSQL, or unset {SETTING}."
            )
        _begin(settings, uri)
    elif memory[1] == MOVING:
        raise SelvedgeError(
            f"the move of {settings.home} to PostgreSQL was cut short; run `selvedge migrate` again, or unset "
            f"{SETTING} to go on with SQLite."
        )
    _checked(uri, (remembered(settings.home) or ("", ""))[0], settings.home, os.getpid())


def sqlite_files(home: Path) -> list[Path]:
    """The databases of a home on SQLite, those that hold something."""
    names = ("ledger.db", "mlflow/mlflow.db", "label-studio/data/label_studio.sqlite3")
    dagster = ("history/runs.db", "history/runs/index.db", "schedules/schedules.db")
    files = [home / name for name in (*names, *(f"dagster/{name}" for name in dagster))]
    return [file for file in files if file.is_file() and file.stat().st_size]


def dagster_environment(settings: Settings) -> dict[str, str]:
    """What Dagster's processes need to find its database: its dagster.yaml names this variable, and holds no secret."""
    uri = settings.dagster_database_uri
    return {} if uri is None else {DAGSTER_VARIABLE: uri}


@contextmanager
def transaction(uri: str, setting: str = SETTING) -> Iterator["Connection"]:
    """One transaction on PostgreSQL; what it refuses is one sentence.

    Raises:
        SelvedgeError: user, password, database or rights do not fit, or the database is read-only.
        ServiceUnavailable: it does not answer.
    """
    from sqlalchemy import create_engine, make_url
    from sqlalchemy.exc import DBAPIError, NoSuchModuleError
    from sqlalchemy.pool import NullPool

    url = make_url(uri)
    if "application_name" not in url.query:
        url = url.update_query_dict({"application_name": "selvedge"})
    try:
        engine = create_engine(
            url.set(drivername=PSYCOPG), poolclass=NullPool, connect_args={"connect_timeout": CONNECT_SECONDS}
        )
    except (NoSuchModuleError, ImportError) as error:
        raise SelvedgeError(f"{setting} needs packages that are not installed; install selvedge[postgres].") from error
    try:
        with engine.begin() as connection:
            yield connection
    except DBAPIError as error:
        raise refused(uri, error, setting) from error


def refused(uri: str | None, error: "DBAPIError", setting: str = SETTING) -> SelvedgeError:
    """What PostgreSQL said, as a sentence with the remedy and without a password; no `uri`: the home's own database."""
    where = "of this home" if uri is None else f"at {without_password(uri.partition('?')[0])}"
    code = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "pgcode", None)
    lines = [line.strip() for line in str(error.orig).splitlines() if line.strip()] or ["no message"]
    why = lines[0].rpartition("FATAL:  ")[2][:300]
    if code == "25006":
        return SelvedgeError(f"the database {where} is read-only ({why}); name the primary server in {setting}.")
    if code == "42501":
        return SelvedgeError(
            f"the database {where} refuses its user ({why}); its owner runs GRANT CREATE ON DATABASE … TO …."
        )
    for words, remedy in REMEDIES.items():
        if any(words in line for line in lines):
            why = next(line for line in lines if words in line).rpartition("FATAL:  ")[2]
            return SelvedgeError(f"the database {where} cannot be used ({why}); {remedy.format(setting=setting)}")
    if code is None or code.startswith(("08", "57")):
        return ServiceUnavailable(
            f"the database {where} does not answer ({why}); start it, or correct {setting}, and run again."
        )
    return SelvedgeError(f"the database {where} refused ({why}).")


def owners(connection: "Connection") -> dict[str, str]:
    """Schemas of a home that are in the database, each with its comment; "" where it has none."""
    from sqlalchemy import text

    rows = connection.execute(
        text(
            "SELECT nspname, coalesce(obj_description(oid, 'pg_namespace'), '') AS comment FROM pg_namespace "
            "WHERE nspname = ANY(:names)"
        ),
        {"names": list(SCHEMAS)},
    )
    return {row.nspname: row.comment for row in rows}


def make_schema(connection: "Connection", schema: str, home_id: str, state: str) -> None:
    """An empty schema of a home, with its comment."""
    from sqlalchemy import text

    connection.execute(text(f'CREATE SCHEMA "{schema}"'))
    sign(connection, schema, home_id, state)


def sign(connection: "Connection", schema: str, home_id: str, state: str) -> None:
    """Say whose a schema is, and how far it is."""
    from sqlalchemy import text

    assert all(letter.isalnum() or letter == " " for letter in f"{home_id}{state}")
    connection.execute(text(f"COMMENT ON SCHEMA \"{schema}\" IS '{COMMENT}{home_id} {state}'"))


def refuse_used(connection: "Connection", uri: str, home_id: str) -> None:
    """Raises SelvedgeError: the database holds something that is not this home's."""
    from sqlalchemy import text

    where = without_password(uri)
    for schema, comment in owners(connection).items():
        if not comment.startswith(f"{COMMENT}{home_id} "):
            whose = "another home's" if comment.startswith(COMMENT) else "somebody else's"
            raise SelvedgeError(
                f"the database at {where} holds the schema {schema} of {whose}; name an empty database in {SETTING}."
            )
    other = connection.execute(
        text(
            "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') "
            "AND NOT schemaname = ANY(:names) ORDER BY 1, 2 LIMIT 1"
        ),
        {"names": list(SCHEMAS)},
    ).first()
    if other is not None:
        raise SelvedgeError(
            f"the database at {where} holds the table {other.schemaname}.{other.tablename}, which is not this home's; "
            f"name an empty database in {SETTING}."
        )


def _begin(settings: Settings, uri: str) -> None:
    """Make the schemas of a new home; of several commands that start at once one does it."""
    try:
        with exclusive(settings.home / f".{MEMORY}.lock", CONNECT_SECONDS * 3, "preparing PostgreSQL"):
            home_id, state = remembered(settings.home) or (new_id(), "")
            if state == HERE:
                return
            with transaction(uri) as connection:
                lock(connection)
                refuse_used(connection, uri, home_id)
                remember(settings, home_id, MAKING, uri)  # a kill from here on leaves schemas that are known as its own
                for schema in set(SCHEMAS) - set(owners(connection)):
                    make_schema(connection, schema, home_id, HERE)
            remember(settings, home_id, HERE, uri)
    except ServiceFailure as failure:
        raise ServiceUnavailable(str(failure)) from failure


def lock(connection: "Connection") -> None:
    """Until the transaction ends nobody else makes or moves a home in this database."""
    from sqlalchemy import text

    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MAKING_LOCK})


@lru_cache(maxsize=16)
def _checked(uri: str, home_id: str, home: Path, _process: int) -> None:
    """Once a process: the database is the one that the home remembers, and can be written."""
    from sqlalchemy import text

    with transaction(uri) as connection:
        there = owners(connection)
        foreign = [schema for schema in SCHEMAS if there.get(schema) != f"{COMMENT}{home_id} {HERE}"]
        if foreign:
            raise SelvedgeError(
                f"the database at {without_password(uri)} is not the one of home {home} (schema {foreign[0]} is "
                f"{'missing' if foreign[0] not in there else 'of another home'}); correct {SETTING}, or restore the "
                "database from its backup."
            )
        if connection.scalar(text("SHOW transaction_read_only")) == "on":
            raise SelvedgeError(
                f"the database at {without_password(uri)} is read-only; name the primary server in {SETTING}, or set "
                "its default_transaction_read_only to off."
            )


def keep_address(settings: Settings) -> None:
    """Keep the address that was given to a command in the home's secrets, where later commands find it."""
    if settings.postgres is not None:
        publish_text(settings.postgres.get_secret_value() + "\n", settings.secrets / STORED, private=True)


def few_connections(settings: Settings) -> Iterator[str]:
    """A sentence where the server allows fewer connections than a home may need."""
    from sqlalchemy import text

    if settings.postgres_uri is not None:
        with transaction(settings.postgres_uri) as connection:
            allowed = int(connection.scalar(text("SHOW max_connections")) or 0)
        if allowed < CONNECTIONS:
            yield f"PostgreSQL allows {allowed} connections, and a home may need {CONNECTIONS}; raise max_connections."
