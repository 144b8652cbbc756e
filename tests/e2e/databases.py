"""Where the databases of a test's home are: SQLite, or PostgreSQL where the session is told of a server.

`SELVEDGE_TEST_POSTGRES=postgresql://user@host:port/postgres pytest tests/e2e/…` runs the same tests there: every home
gets a database of its own, which stays for whoever looks at a failure.
"""

import os
import secrets
from pathlib import Path

from sqlalchemy import create_engine, make_url, text

from orchestration.runtime.postgres import PSYCOPG, STORED

VARIABLE = "SELVEDGE_TEST_POSTGRES"


def begin_home(home: Path) -> Path:
    """The home, which begins on PostgreSQL where the session has a server."""
    file = home / "secrets" / STORED
    if (address := os.environ.get(VARIABLE)) and not file.exists():
        url, name = make_url(address), f"home_{secrets.token_hex(6)}"
        engine = create_engine(url.set(drivername=PSYCOPG), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        engine.dispose()
        file.parent.mkdir(parents=True, mode=0o700)
        file.touch(0o600)
        file.write_text(url.set(drivername="postgresql", database=name).render_as_string(hide_password=False) + "\n")
    return home
