"""The ledger in PostgreSQL: its address, and the lock that ends with its holder."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from catalog.errors import ServiceUnavailable
from orchestration.registry import ledger
from orchestration.registry.ledger import one_at_a_time, open_ledger
from orchestration.runtime.settings import Settings
from tests.labeling.review import postgres_for_tests


@pytest.fixture
def settings(tmp_path_factory: pytest.TempPathFactory, tmp_path: Path) -> Iterator[Settings]:
    if why := postgres_for_tests.missing():
        pytest.skip(why)
    with postgres_for_tests.server(tmp_path_factory.mktemp("postgres")) as address:
        yield Settings(home=tmp_path, ledger=address.replace("+psycopg", ""))


def test_one_at_a_time_by_family(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    assert open_ledger(settings).promotions.history() == []
    monkeypatch.setattr(ledger, "LOCK_SECONDS", 0.5)
    order: list[str] = []

    def second() -> None:
        with one_at_a_time(settings, "a"):
            order.append("second")

    with one_at_a_time(settings, "a"):
        with one_at_a_time(settings, "b"):
            order.append("another family")
        with pytest.raises(ServiceUnavailable, match="another process is promoting a"), one_at_a_time(settings, "a"):
            pass
        monkeypatch.setattr(ledger, "LOCK_SECONDS", 30)
        waiting = threading.Thread(target=second)
        waiting.start()
        order.append("first")
    waiting.join(20)
    assert order == ["another family", "first", "second"]
