"""Databases of inference: an SQL database that a setting names, with its failures as sentences.

Belongs here: SQLite and PostgreSQL alike, tables that are made where they are missing. Not here: what a table holds
(ad_images/ad_rows.py, service/), the ledger (labeling/).
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Engine, MetaData, create_engine
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

from catalog.errors import SelvedgeError, ServiceUnavailable
from catalog.places import refused_by_the_machine, remedy_of

WAIT_SECONDS = 30


class Database:
    """One database and the tables that some code keeps in it.

    Args:
        url: as SQLAlchemy takes it, such as `sqlite:////home/ads.db`. Tables are made where they are missing.
        name: of what it holds, for sentences: "the database of {name}".

    Raises:
        SelvedgeError: another database, or a file that is none.
        ServiceUnavailable: it does not answer.
    """

    def __init__(self, url: str, tables: MetaData, name: str) -> None:
        self.engine: Engine = create_engine(
            url, connect_args={"timeout": WAIT_SECONDS} if url.startswith("sqlite") else {}
        )
        self._name = name
        if self.engine.dialect.name not in ("sqlite", "postgresql"):
            raise SelvedgeError(f"rows of {name} cannot live in {self.engine.dialect.name}; use SQLite or PostgreSQL.")
        self.where = self.engine.url.set(query={}).render_as_string(hide_password=True)
        with self.answering():
            try:
                tables.create_all(self.engine)
            except DBAPIError as error:
                if "already exists" not in str(error.orig):  # another process was a moment earlier
                    raise

    @contextmanager
    def answering(self) -> Iterator[None]:
        """What the driver raises inside, as a sentence; a row that there is already is raised as it is."""
        try:
            yield
        except IntegrityError:
            raise
        except (OperationalError, InterfaceError) as error:
            if refusal := refused_by_the_machine(error):
                raise SelvedgeError(
                    f"the database of {self._name} at {self.where} could not be written ({_why(error)}). "
                    f"{remedy_of(refusal)}"
                ) from error
            raise ServiceUnavailable(
                f"the database of {self._name} at {self.where} does not answer ({_why(error)}); check that it runs and "
                "that its folder exists, and run again."
            ) from error
        except DBAPIError as error:
            raise SelvedgeError(
                f"the database of {self._name} at {self.where} cannot be used ({_why(error)}); restore it from a "
                f"backup, or give {self._name} one of their own."
            ) from error


def _why(error: DBAPIError) -> str:
    return str(error.orig).strip().partition("\n")[0]
