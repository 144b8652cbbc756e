"""The address of a home's one PostgreSQL database, and that of each part's schema in it.

Belongs here: what such an address looks like and where it is kept. Not here: connecting (databases.py), moving a home
there (orchestration/jobs/migrate.py).

An address may hold a password: it is read from the environment or from a file of its owner's, and never shown.
"""

from pathlib import Path
from typing import TYPE_CHECKING

from catalog.errors import SelvedgeError
from orchestration.runtime.private import secret_of_file

if TYPE_CHECKING:
    from pydantic import SecretStr
    from sqlalchemy import URL

SETTING = "SELVEDGE_POSTGRES"
LEDGER, DAGSTER, MLFLOW, LABEL_STUDIO = "ledger", "dagster", "mlflow", "label_studio"
SCHEMAS = (LEDGER, DAGSTER, MLFLOW, LABEL_STUDIO)
STORED = "postgres-url"  # in the home's secrets: where `--postgres` keeps it
PSYCOPG, PSYCOPG2 = "postgresql+psycopg", "postgresql+psycopg2"  # the second is what dagster-postgres speaks
FORM = "it is an address like postgresql://user@host:5432/selvedge, of a database that is this home's alone"


def checked(text: str) -> str:
    """The address itself. Raises: ValueError: it is none of a database; it is not repeated."""
    url = _url(text)
    if url is None or url.get_backend_name() not in ("postgresql", "postgres"):
        raise ValueError(FORM)
    if not url.host or not url.database or "@" in url.host or "/" in url.database:
        raise ValueError(f"{FORM}; in a password @ is written %40 and / is written %2F")
    if not set(url.query) <= {"sslmode"}:
        raise ValueError(f"{FORM}; of parameters it takes ?sslmode=… alone")
    return text


def address(given: "SecretStr | None", file: Path | None, home: Path) -> str | None:
    """The address that the environment, a file of the owner's or the home itself holds; None where none does.

    An empty one that is given means SQLite, whatever the home holds.

    Raises:
        SelvedgeError: environment and file are both set, or the file cannot be read or holds no address.
    """
    if given is not None and file is not None:
        raise SelvedgeError(f"{SETTING} and {SETTING}_FILE are both set; unset one.")
    if given is not None:
        return given.get_secret_value() or None
    stored = home / "secrets" / STORED
    if file is None and not stored.exists():
        return None
    text = secret_of_file(file or stored, f"{SETTING}_FILE")
    try:
        return checked(text)
    except ValueError as error:
        raise SelvedgeError(f"{file or stored} holds no address of a database: {error}.") from error


def in_schema(uri: str, schema: str, driver: str = PSYCOPG) -> str:
    """The address of a part: whatever is made by it is in its schema."""
    url = _url(uri)
    assert url is not None  # it was checked
    # The name is what `pg_stat_activity` shows.
    named = {"application_name": f"selvedge {schema}", "options": f"-csearch_path={schema}"}
    part = url.set(drivername=driver).update_query_dict(named)
    return part.render_as_string(hide_password=False)


def _url(text: str) -> "URL | None":
    from sqlalchemy.engine import make_url
    from sqlalchemy.exc import ArgumentError

    try:
        return make_url(text)
    except (ArgumentError, ValueError):  # the second: a port that is no number
        return None
