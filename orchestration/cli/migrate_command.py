"""`selvedge migrate`: a home on SQLite moved to PostgreSQL.

Belongs here: options, results and the lines for people. Not here: moving (jobs/migrate.py).
"""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.errors import SelvedgeError
from orchestration.cli.results import JsonFlag, emit
from orchestration.cli.terminal import say

if TYPE_CHECKING:
    from orchestration.runtime.settings import Settings

Postgres = Annotated[
    str | None,
    typer.Option(
        "--postgres",
        metavar="URL",
        help="postgresql://user@host:port/name, kept in the home's secrets; SELVEDGE_POSTGRES_FILE keeps a password "
        "out of the list of processes.",
    ),
]


def add_to(app: typer.Typer) -> None:
    app.command("migrate")(migrate)


def migrate(postgres: Postgres = None, as_json: JsonFlag = False) -> None:
    """Move Dagster, MLflow, ledger and Label Studio to PostgreSQL; rows are counted and hashed at both ends."""
    from orchestration.families import FAMILIES
    from orchestration.graph.build import build_defs
    from orchestration.jobs.migrate import move
    from orchestration.runtime.databases import keep_address

    settings = settings_on(postgres)
    began = time.monotonic()
    moved = move(settings, build_defs(settings, FAMILIES), say)
    if postgres is not None:
        keep_address(settings)
    values = {
        "home": str(settings.home),
        "database": moved.database,
        "again": moved.again,
        "tables": moved.tables,
        "rows": moved.rows,
        **moved.counts,
        "aside": str(moved.aside),
        "seconds": time.monotonic() - began,
    }
    emit("migrate", as_json, values)


def settings_on(postgres: str | None) -> "Settings":
    """Settings with the database of `--postgres`.

    Raises:
        SelvedgeError: the environment names one, too, or it is none.
    """
    from pydantic import SecretStr

    from orchestration.families.settings import load_settings

    settings = load_settings()
    if postgres is None:
        return settings
    if settings.postgres is not None or settings.postgres_file is not None:
        raise SelvedgeError("--postgres and SELVEDGE_POSTGRES both name a database; leave one out.")
    settings = load_settings(postgres=SecretStr(postgres))
    from sqlalchemy.engine import make_url

    if make_url(postgres).password:
        say(
            "selvedge: other users can read the password in the list of processes; next time put the address into a "
            "file and name it in SELVEDGE_POSTGRES_FILE."
        )
    return settings
