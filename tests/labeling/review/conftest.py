"""Fixtures of the review: an empty ledger on each database that this machine has."""

import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from labeling.review.ledger.ledger import Ledger
from tests.labeling.review import postgres_for_tests


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    if why := postgres_for_tests.missing():
        pytest.skip(why)
    with postgres_for_tests.server(tmp_path_factory.mktemp("postgres")) as address:
        engine = create_engine(address, isolation_level="AUTOCOMMIT")
        yield engine
        engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Engine]:
    """An engine of an empty database."""
    if request.param == "sqlite":
        made = create_engine(f"sqlite:///{tmp_path / 'ledger.db'}")
    else:
        server: Engine = request.getfixturevalue("postgres")
        name = f"test_{secrets.token_hex(4)}"
        with server.connect() as connection:
            connection.execute(text(f"CREATE DATABASE {name}"))
        made = create_engine(server.url.set(database=name))
    yield made
    made.dispose()


@pytest.fixture
def ledger(engine: Engine) -> Ledger:
    return Ledger(engine)
