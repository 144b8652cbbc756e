"""Backup and restore when they are killed, when the disk is full, and over links and what cannot be read."""

import errno
import os
import signal
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from benchmarks.operations.small_disk import NoMount, SmallDisk, small_disk
from catalog.errors import SelvedgeError
from orchestration.jobs import backup as backups
from orchestration.jobs.backup import make_backup
from orchestration.jobs.backup_files import HOME
from orchestration.jobs.garbage import PARTS, _parts, free
from orchestration.jobs.restore import restore_backup
from orchestration.jobs.unfinished_backups import NOTES, noted, problems
from orchestration.registry.ledger import open_ledger
from orchestration.runtime.settings import Settings
from orchestration.runtime.signing import signature

MIB = 1 << 20
Report = Callable[[int, int, str], None]


def silent(done: int, total: int, what: str) -> None: ...


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    settings = Settings(home=tmp_path / "home", mlflow_port=1, label_studio="off")
    open_ledger(settings)
    for number in range(4):
        (settings.home / "tables").mkdir(exist_ok=True)
        (settings.home / "tables" / f"{number}.parquet").write_bytes(bytes([number]) * MIB)
    return settings


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def killed(work: Callable[[Report], object]) -> None:
    """Work in a process of its own that is killed after its second file."""
    child = os.fork()
    if child == 0:
        work(lambda done, total, what: os.kill(os.getpid(), signal.SIGKILL) if done == 2 else None)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL


@pytest.mark.parametrize("name", ["kept", "kept.tar"])
def test_a_killed_backup_leaves_nothing_under_its_name_and_the_next_one_removes_its_rest(
    home: Settings, tmp_path: Path, name: str
) -> None:
    killed(lambda report: make_backup(home, tmp_path / name, (), report))
    assert not (tmp_path / name).exists() and len(list(tmp_path.glob(f".{name}.*.part"))) == 1
    make_backup(home, tmp_path / name, (), silent)
    killed(lambda report: restore_backup(home, tmp_path / name, tmp_path / "again", report))
    assert not (tmp_path / "again").exists() and len(list(tmp_path.glob(".again.*.part"))) == 1
    restore_backup(home, tmp_path / name, tmp_path / "again", silent)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["again", "home", name])
    assert files(tmp_path / "again" / "tables") == files(home.home / "tables")


@pytest.mark.parametrize("name", ["kept", "kept.tar"])
def test_what_a_killed_backup_left_is_its_owners_alone_named_and_removed_by_the_next_of_any_name(
    home: Settings, tmp_path: Path, name: str
) -> None:
    signature(home, ["ballots 120"])  # makes a key
    for _ in range(2):
        killed(lambda report: make_backup(home, tmp_path / name, (), report))
    (part,) = tmp_path.glob(f".{name}.*.part")  # the second removed what was left of the first
    inner = part / "whole" / HOME if name.endswith(".tar") else part / HOME
    assert inner.is_dir() and stat.S_IMODE(inner.stat().st_mode) == 0o700, "nobody else may enter"
    (sentence,) = problems(home.home)
    assert sentence.startswith(f"{part} is left of a backup that was killed") and "`selvedge gc --delete`" in sentence
    (garbage,) = [thing for thing in _parts(home) if part in thing.paths]
    assert garbage.kind == PARTS and garbage.size() > 0
    make_backup(home, tmp_path / "another", (), silent)
    assert not part.exists() and not list((home.home / NOTES).iterdir())
    assert list(problems(home.home)) == [] and not (tmp_path / "another" / HOME / NOTES).exists()


def test_garbage_takes_what_killed_backups_and_restores_left_and_leaves_those_under_way(
    home: Settings, tmp_path: Path
) -> None:
    make_backup(home, tmp_path / "kept", (), silent)
    killed(lambda report: make_backup(home, tmp_path / "more", (), report))
    again = home.model_copy(update={"home": tmp_path / "again"})
    killed(lambda report: restore_backup(home, tmp_path / "kept", again.home, report))
    (left,) = problems(again.home)
    assert "is left of a restore that was killed" in left
    with noted(again.home, tmp_path / "under_way"):
        (tmp_path / f".under_way.{os.getpid()}.0a.part").mkdir()
        free([*_parts(home), *_parts(again)])
    assert sorted(path.name for path in tmp_path.glob(".*.part")) == [f".under_way.{os.getpid()}.0a.part"]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    try:
        with small_disk(tmp_path, 12 * MIB) as made:
            yield made
    except NoMount as error:
        pytest.skip(str(error))


def test_a_full_disk_is_told_and_leaves_nothing(home: Settings, disk: SmallDisk) -> None:
    for name, left in (("kept", 0), ("kept", 100_000), ("kept", 3 * MIB), ("kept.tar", 6 * MIB)):
        disk.leave(left)
        with pytest.raises(SelvedgeError, match=r"kept.* could not be written \(No space left on device\).*Free some"):
            make_backup(home, disk.root / name, (), silent)
        assert {path.name for path in disk.root.iterdir()} <= {"ballast", "lost+found"}
        disk.make_room()
    make_backup(home, disk.root / name, (), silent)


def test_a_restore_onto_a_full_disk_leaves_nothing(home: Settings, disk: SmallDisk, tmp_path: Path) -> None:
    make_backup(home, tmp_path / "kept", (), silent)
    for left in (0, 2 * MIB):
        disk.leave(left)
        with pytest.raises(SelvedgeError, match=r"again could not be written \(No space left on device\)"):
            restore_backup(home, tmp_path / "kept", disk.root / "again", silent)
        assert {path.name for path in disk.root.iterdir()} <= {"ballast", "lost+found"}
        disk.make_room()
    restore_backup(home, tmp_path / "kept", disk.root / "again", silent)
    assert files(disk.root / "again" / "tables") == files(home.home / "tables")


def test_a_link_out_of_the_home_is_named_and_one_in_it_leads_into_the_restored_one(
    home: Settings, tmp_path: Path
) -> None:
    (tmp_path / "large").mkdir()
    (home.home / "objects").symlink_to(tmp_path / "large")
    (home.home / "newest").symlink_to(home.home / "tables" / "3.parquet")
    (home.home / "inbox").mkdir()
    (home.home / "inbox" / "june").symlink_to("/deliveries/june")
    made = make_backup(home, tmp_path / "kept", (), silent)
    (sentence,) = made.manifest.elsewhere
    assert sentence.startswith(f"objects is a link to {tmp_path / 'large'}: keep that place safe")
    restore_backup(home, tmp_path / "kept", tmp_path / "again", silent)
    assert (tmp_path / "again" / "newest").resolve() == tmp_path / "again" / "tables" / "3.parquet"
    assert (tmp_path / "again" / "objects").readlink() == tmp_path / "large"
    assert (tmp_path / "again" / "inbox" / "june").readlink() == Path("/deliveries/june")


def test_what_cannot_be_read_is_told_of_the_home_and_not_of_the_target(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = home.home / "tables"
    listed, opened = os.scandir, Path.open

    def scandir(path: str) -> object:
        if path == str(refused):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return listed(path)

    with monkeypatch.context() as patched:  # root may read everything
        patched.setattr(os, "scandir", scandir)
        with pytest.raises(SelvedgeError, match=rf"^{refused} cannot be read \(Permission denied\); nothing was"):
            make_backup(home, tmp_path / "kept", (), silent)

    def refusing(path: Path, *arguments: Any, **options: Any) -> Any:
        if path.name == "2.parquet":
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))
        return opened(path, *arguments, **options)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "open", refusing)
        with pytest.raises(SelvedgeError, match=r"2.parquet cannot be read \(Input/output error\); nothing was"):
            make_backup(home, tmp_path / "kept", (), silent)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home"]


def test_what_stands_only_in_a_log_of_sqlite_is_in_the_backup(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups, "WAIT_SECONDS", 0.0)
    with closing(sqlite3.connect(home.home / "ads.db")) as database:  # open, and never moved from its log
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA wal_autocheckpoint = 0")
        with database:
            database.execute("create table kept (number integer)")
            database.execute("insert into kept values (7)")
        assert (home.home / "ads.db-wal").stat().st_size > 0
        make_backup(home, tmp_path / "kept", (), silent)
    restore_backup(home, tmp_path / "kept", tmp_path / "again", silent)
    assert not list((tmp_path / "again").glob("*-wal"))
    with closing(sqlite3.connect(tmp_path / "again" / "ads.db")) as database:
        assert database.execute("select number from kept").fetchall() == [(7,)]
