"""`selvedge history`, and the ledger's address: who was champion when, told by the ledger alone."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from catalog.errors import SelvedgeError
from labeling.review.ledger.promotions import PromotionLedger
from orchestration.cli import results
from orchestration.cli.main import run
from orchestration.families.blip2_attributes import NAME as FAMILY
from orchestration.registry.ledger import one_at_a_time, open_ledger
from orchestration.runtime.settings import Settings

MAY = datetime(2026, 5, 1, 15, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> PromotionLedger:
    """Version 3 on 1 May, 4 on 3 May, back to 3 on 9 May."""
    monkeypatch.setenv("SELVEDGE_HOME", str(tmp_path))
    monkeypatch.setenv("SELVEDGE_MLFLOW_PORT", "1")  # the history is there when MLflow is not
    promotions = open_ledger(Settings(home=tmp_path)).promotions
    for days, version, old, previous, kind in ((0, "3", None, None, "promotion"), (2, "4", "3", "3", "promotion"),
                                               (8, "3", "4", None, "rollback")):  # fmt: skip
        at = MAY + timedelta(days=days)
        record = promotions.intend(
            family=FAMILY, kind=kind, candidate=f"c{version}", version=version, old_champion=old,  # type: ignore[arg-type]
            previous_champion=previous, who="ann", reasons=("preferred.",), evidence={}, now=at,
        )  # fmt: skip
        promotions.complete(record.record_id, now=at)
    return promotions


@pytest.mark.parametrize(
    ("at", "champion", "records"),
    [
        (("--at", "2026-04-30"), None, 0),
        (("--at", "2026-05-01"), 3, 1),
        (("--at", "2026-05-01T14:59:59+00:00"), None, 0),
        (("--at", "2026-05-01T17:00+02:00"), 3, 1),
        (("--at", "2026-05-03"), 4, 2),
        (("--at", "2026-05-10"), 3, 3),
        ((), 3, 3),
    ],
)
def test_who_was_champion(
    ledger: PromotionLedger, capsys: pytest.CaptureFixture[str], at: tuple[str, ...], champion: int, records: int
) -> None:
    assert run(["history", FAMILY, *at, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told) == list(results.declared()["history"])
    assert (told["champion"], len(told["records"])) == (champion, records)
    assert told["candidate"] == (f"c{champion}" if champion else None)


def test_a_person_reads_who_and_when(ledger: PromotionLedger, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["history", FAMILY]) == 0
    shown = capsys.readouterr().out
    assert "champion   3" in shown and len(shown.splitlines()) == 10
    assert "2026-05-09 15:00 UTC  rollback by ann, completed: version 3 (c3, was 4): preferred." in shown


@pytest.mark.parametrize(
    ("at", "sentence"),
    [
        ("3 May", "--at '3 May' is no date; write it like 2026-05-03"),
        ("2026-02-30", "--at '2026-02-30' is no date"),
        ("2026-05-03T12:00", "names no time zone; write it like 2026-05-03T12:00+00:00"),
        ("2999-01-01", "has not come yet"),
    ],
)
def test_a_date_that_is_none_is_one_sentence(
    ledger: PromotionLedger, capsys: pytest.CaptureFixture[str], at: str, sentence: str
) -> None:
    assert run(["history", FAMILY, "--at", at]) == 1
    shown = capsys.readouterr()
    assert sentence in shown.err and shown.err.count("\n") == 1 and shown.out == ""


@pytest.mark.parametrize(
    ("address", "sentence"),
    [
        ("nonsense", "setting SELVEDGE_LEDGER is no database address"),
        ("oracle+none://x/y", "needs a driver that is not installed"),
        ("sqlite:////proc/none/ledger.db", "cannot be written"),
    ],
)
def test_a_wrong_address_is_one_sentence_without_its_password(tmp_path: Path, address: str, sentence: str) -> None:
    settings = Settings(home=tmp_path, ledger=address)
    for ask in (lambda: open_ledger(settings), lambda: one_at_a_time(settings, FAMILY).__enter__()):
        with pytest.raises(SelvedgeError) as error:
            ask()
        assert sentence in str(error.value)


def test_a_ledger_elsewhere_is_used_and_its_lock_lies_beside_it(tmp_path: Path) -> None:
    place = tmp_path / "shared" / "ledger.db"
    homes = [Settings(home=tmp_path / name, ledger=f"sqlite:///{place}") for name in ("a", "b")]
    heads = [open_ledger(home).record.head() for home in homes]
    assert heads[0] == heads[1] and place.exists()
    with one_at_a_time(homes[0], FAMILY):
        assert [path.name for path in place.parent.glob("*.lock")] == [f"ledger.db.{FAMILY}.lock"]
