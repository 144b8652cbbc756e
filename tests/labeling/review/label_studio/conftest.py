"""A server that answers what a test says, and a client that does not pause for long."""

from collections.abc import Iterator

import pytest

from labeling.review.label_studio import connection
from tests.labeling.review.label_studio.faulty_server import FaultyServer


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    monkeypatch.setattr(connection, "FIRST_PAUSE_SECONDS", 0.01)
    monkeypatch.setattr(connection, "LONGEST_PAUSE_SECONDS", 0.02)
    made = FaultyServer()
    yield made
    made.stop()
