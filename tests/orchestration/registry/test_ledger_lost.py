"""A ledger that is gone, damaged, locked or changed: told with the remedy, and never taken for an empty one."""

import json
import re
import shutil
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from catalog.errors import SelvedgeError, ServiceUnavailable
from labeling.review.ledger import database
from orchestration.cli.main import run
from orchestration.families.restgan import NAME as FAMILY
from orchestration.registry import ledger as ledgers
from orchestration.registry.ledger import ledger_problems, open_ledger
from orchestration.runtime.settings import Settings


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home whose ledger holds one champion, closed by the process that wrote it."""
    monkeypatch.setenv("SELVEDGE_HOME", str(tmp_path))
    monkeypatch.setenv("SELVEDGE_MLFLOW_PORT", "1")
    monkeypatch.setenv("SELVEDGE_LABEL_STUDIO", "off")
    open_ledger(Settings(home=tmp_path)).promotions.record_found(FAMILY, "3", "c3", "moved by hand")
    start_again()
    with sqlite3.connect(tmp_path / "ledger.db") as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return tmp_path


def start_again() -> None:
    """As another process would open it."""
    ledgers._opened.cache_clear()


def remove(file: Path) -> None:
    for part in file.parent.glob(f"{file.name}*"):
        if part.suffix != ".lock":
            part.unlink()


def overwrite(file: Path) -> None:
    with file.open("r+b") as content:
        content.seek(100)
        content.write(bytes(range(256)) * 64)


def spoil_text(file: Path, before: bytes, after: bytes) -> None:
    """The same number of bytes: as a database it stays sound."""
    content, spoilt = re.subn(before, after, file.read_bytes())
    assert spoilt
    file.write_bytes(content)


def put_a_folder(file: Path) -> None:
    remove(file)
    file.mkdir()


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (remove, "is missing or empty, but this home had one with 3 entries; restore it from a backup"),
    "emptied": (lambda file: file.write_bytes(b""), "is missing or empty, but this home had one"),
    "cut": (lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]), "is damaged"),
    "overwritten": (overwrite, "is damaged"),
    "a month that is none": (lambda file: spoil_text(file, rb"(20\d\d-)\d\d(-\d\d )", rb"\g<1>93\2"), "is damaged"),
    "bytes that are no text": (lambda file: spoil_text(file, b"CREATE TRIGGER", b"CREATE TRIGG\xc9R"), "is damaged"),
    "a folder": (put_a_folder, "is a folder; restore it from a backup, as a file"),
    "no database": (lambda file: file.write_bytes(b"hello " * 2000), "is damaged (file is not a database)"),
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("command", [("history", FAMILY), ("status",), ("review", "status")])
def test_a_lost_ledger_is_told_and_no_empty_one(
    home: Path, capsys: pytest.CaptureFixture[str], damage: str, command: tuple[str, ...]
) -> None:
    spoil, sentence = DAMAGES[damage]
    spoil(home / "ledger.db")
    assert run(command) == 1
    shown = capsys.readouterr()
    assert sentence in shown.err and "restore it from a backup" in shown.err
    assert shown.err.count("\n") == 1 and shown.out == ""


def test_a_ledger_that_is_locked_is_told_so(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "WAIT_SECONDS", 0)
    holder = sqlite3.connect(home / "ledger.db", isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(ServiceUnavailable, match=r"is locked by another process .*; wait until it ends"):
        open_ledger(Settings(home=home))
    holder.close()


def test_an_older_copy_of_the_ledger_is_noticed_until_a_person_accepts_it(
    home: Path, tmp_path_factory: pytest.TempPathFactory, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = tmp_path_factory.mktemp("backup") / "ledger.db"
    shutil.copy(home / "ledger.db", kept)
    settings = Settings(home=home)
    open_ledger(settings).promotions.record_found(FAMILY, "4", "c4", "moved by hand")
    start_again()
    remove(home / "ledger.db")
    shutil.copy(kept, home / "ledger.db")
    (problem,) = ledger_problems(settings)
    assert "is not as this home left it" in problem and "--accept-ledger" in problem
    with pytest.raises(SelvedgeError, match="is not as this home left it"):
        open_ledger(settings).promotions.record_found(FAMILY, "5", "c5", "moved by hand")
    assert run(["doctor", "--json"]) == 1
    checks = {check["check"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert not checks["ledger"]["ok"] and checks["file modes"]["ok"]
    assert run(["doctor", "--accept-ledger"]) == 0
    assert ledger_problems(settings) == []
    assert open_ledger(settings).record.notes()[-1][0] == "accepted"


def test_a_row_slipped_in_with_its_own_link_is_another_head(home: Path) -> None:
    """Whoever knows the chain can go on with it; the home remembers where it ended."""
    other = Settings(home=home / "attacker", ledger=f"sqlite:///{home / 'ledger.db'}")
    open_ledger(other).promotions.record_found(FAMILY, "9", "c9", "slipped in")
    assert open_ledger(other).record.problems() == []
    (problem,) = ledger_problems(Settings(home=home))
    assert "entries were added, changed or taken away by another program" in problem


def test_a_trigger_that_is_gone_is_told(home: Path) -> None:
    with sqlite3.connect(home / "ledger.db") as connection:
        connection.execute("DROP TRIGGER ballots_no_update")
    (problem,) = ledger_problems(Settings(home=home))
    assert "its trigger ballots_no_update is gone or altered" in problem


def test_a_ledger_of_older_code_is_taken_into_the_chain_once_and_says_so(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """As the first version left it: no chain, no list of annotators, no memory in the home."""
    with sqlite3.connect(home / "ledger.db") as connection:
        for table in ("links", "notes", "annotators", "ad_picks", "pick_tasks", "pick_rounds"):
            connection.execute(f"DROP TABLE {table}")
        connection.execute("UPDATE ledger_version SET version_num = '0001'")
    (home / "ledger.head").unlink()
    settings = Settings(home=home)
    assert [one.version for one in open_ledger(settings).promotions.history()] == ["3"]
    assert "taken into the hash chain" in caplog.text and ledger_problems(settings) == []
    assert open_ledger(settings).record.notes()[0][0] == "migrated"
    caplog.clear()
    start_again()
    open_ledger(settings)
    assert caplog.text == ""


def test_other_users_of_the_machine_may_read_nothing(home: Path) -> None:
    (home / "ledger.db").chmod(0o644)
    assert run(["history", FAMILY]) == 0
    for name in ("ledger.db", "ledger.head"):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600
