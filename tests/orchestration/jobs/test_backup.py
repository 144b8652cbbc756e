"""A backup of a home at work is a home: whole, held to its hashes, its evidence unbroken; a damaged one is told."""

import json
import shutil
import sqlite3
import stat
import tarfile
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from catalog.errors import SelvedgeError, ServiceUnavailable
from catalog.files import json_sha256
from orchestration.cli.main import run
from orchestration.families.restgan import NAME as FAMILY
from orchestration.jobs import backup as backups
from orchestration.jobs.backup import elsewhere, make_backup
from orchestration.jobs.backup_files import versions_here
from orchestration.jobs.restore import restore_backup
from orchestration.registry import ledger as ledgers
from orchestration.registry.ledger import ledger_problems, open_ledger
from orchestration.runtime.instance import open_instance
from orchestration.runtime.settings import Settings
from orchestration.runtime.signing import is_signed, signature

EVIDENCE = ["macro-F1 0.9", "ballots 120"]


def silent(done: int, total: int, what: str) -> None: ...


def as_another_process() -> None:
    ledgers._opened.cache_clear()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home with a champion by the ledger, a table, signed evidence, and what needs no backup."""
    monkeypatch.setenv("SELVEDGE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SELVEDGE_MLFLOW_PORT", "1")
    monkeypatch.setenv("SELVEDGE_LABEL_STUDIO", "off")
    settings = Settings(home=tmp_path / "home", mlflow_port=1, label_studio="off")
    promotions = open_ledger(settings).promotions
    record = promotions.intend(
        family=FAMILY, kind="promotion", candidate="c1", version="1", old_champion=None, previous_champion=None,
        who="ann", reasons=("preferred.",), evidence={},
    )  # fmt: skip
    promotions.complete(record.record_id)
    signature(settings, EVIDENCE)
    for file in ("tables/catalog/products/may.parquet", "features/f.safetensors", "logs/mlflow.log", "work/w.pt",
                 "label-studio/environments/bin/python", "proxy/dagster-proxy.pid", "tables/.x.1.a.part"):  # fmt: skip
        (settings.home / file).parent.mkdir(parents=True, exist_ok=True)
        (settings.home / file).write_bytes(f"content of {file}".encode())
    (settings.home / "inbox" / "may").mkdir(parents=True)
    (settings.home / "inbox" / "may" / "styles.csv.lock").write_text("a person's file")
    (settings.home / "inbox" / "june").symlink_to("/deliveries/june")
    return settings


@pytest.mark.parametrize("target", ["backup", "backup.tar"])
def test_a_restored_home_answers_as_its_original(
    home: Settings, tmp_path: Path, target: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["backup", str(tmp_path / target), "--json"]) == 0
    printed = capsys.readouterr()
    made = json.loads(printed.out)
    assert "credentials and keys are in it (1 files): only you can read it" in printed.err
    assert (made["databases"], made["secrets"], made["elsewhere"]) == (1, 1, [])
    shutil.move(home.home, tmp_path / "lost")
    as_another_process()
    monkeypatch.setenv("SELVEDGE_HOME", str(tmp_path / "again"))
    assert run(["restore", str(tmp_path / target), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["sha256"], told["files"], told["home"]) == (made["sha256"], made["files"], str(tmp_path / "again"))
    again = home.model_copy(update={"home": tmp_path / "again"})
    files = {str(path.relative_to(again.home)) for path in again.home.rglob("*") if path.is_file()}
    assert files == {
        "ledger.db",
        "ledger.head",
        "secrets/evidence-key",
        "tables/catalog/products/may.parquet",
        "inbox/may/styles.csv.lock",
    }
    assert (again.home / "inbox" / "june").readlink() == Path("/deliveries/june")
    assert {stat.S_IMODE(path.stat().st_mode) for path in again.home.rglob("*") if path.is_file()} == {0o600}
    table = "tables/catalog/products/may.parquet"
    assert (again.home / table).stat().st_mtime_ns == (tmp_path / "lost" / table).stat().st_mtime_ns, "drops are as old"
    assert stat.S_IMODE((tmp_path / target).stat().st_mode) & 0o077 == 0
    assert run(["doctor"]) == 0, capsys.readouterr()
    assert run(["history", FAMILY, "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["champion"] == 1
    lost = home.model_copy(update={"home": tmp_path / "lost"})
    assert is_signed(again, EVIDENCE, signature(lost, EVIDENCE)), "its evidence passes the gate as before"


def test_runs_that_were_under_way_are_closed_and_the_rest_of_dagster_is_there(home: Settings, tmp_path: Path) -> None:
    @dg.op
    def sew() -> None: ...

    @dg.job
    def sewing() -> None:
        sew()

    with open_instance(home) as instance:
        under_way = instance.create_run_for_job(sewing, status=dg.DagsterRunStatus.STARTED)
        instance.report_runless_asset_event(dg.AssetMaterialization("cloth", metadata={"rows": 3}))
        made = make_backup(home, tmp_path / "b", (), silent)  # while its databases are open
    assert made.databases >= 4
    assert restore_backup(home, tmp_path / "b", tmp_path / "again", silent).closed == 1
    with open_instance(home.model_copy(update={"home": tmp_path / "again"})) as instance:
        assert instance.get_run_by_id(under_way.run_id).status == dg.DagsterRunStatus.FAILURE  # type: ignore[union-attr]
        event = instance.get_latest_materialization_event(dg.AssetKey("cloth"))
        assert event is not None and event.asset_materialization.metadata["rows"].value == 3  # type: ignore[union-attr]


def test_the_ledger_and_what_remembers_its_head_agree_while_somebody_writes(home: Settings, tmp_path: Path) -> None:
    stop, written = threading.Event(), []

    def write() -> None:
        while not stop.is_set():
            written.append(open_ledger(home).promotions.record_found(FAMILY, str(len(written)), "c", "moved by hand"))

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(4):
            make_backup(home, tmp_path / f"b{number}", (FAMILY,), silent)
    finally:
        stop.set()
        writer.join()
    assert written
    for number in range(4):
        restore_backup(home, tmp_path / f"b{number}", tmp_path / f"r{number}", silent)
        assert ledger_problems(home.model_copy(update={"home": tmp_path / f"r{number}"})) == []


def publish(settings: Settings, content: str) -> None:
    """A table, then the row of a database that names it, as a run does."""
    (settings.home / "tables" / "rows.json").write_text(content)
    with closing(sqlite3.connect(settings.home / "ads.db")) as database, database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("create table if not exists named (content text)")
        database.execute("insert into named values (?)", [content])


def test_files_that_change_meanwhile_are_copied_again_with_the_databases(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backups, "WAIT_SECONDS", 0.0)
    publish(home, "first")
    left = iter(["second", "third and last"])

    def meanwhile(done: int, total: int, what: str) -> None:
        if done == total and (content := next(left, "")):
            publish(home, content)

    make_backup(home, tmp_path / "b", (), meanwhile)
    restore_backup(home, tmp_path / "b", tmp_path / "again", silent)
    with closing(sqlite3.connect(tmp_path / "again" / "ads.db")) as database:
        rows = [row for (row,) in database.execute("select content from named")]
    assert rows == ["first", "second", "third and last"]
    assert (tmp_path / "again" / "tables" / "rows.json").read_text() == "third and last"
    with pytest.raises(ServiceUnavailable, match=r"rows.json changed while the home was copied"):
        make_backup(home, tmp_path / "c", (), lambda done, total, what: publish(home, str(time.time())))
    assert not (tmp_path / "c").exists() and list(tmp_path.glob(".c.*")) == []


def spoil(folder: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    (folder / name).write_bytes(change((folder / name).read_bytes()))


def tell(folder: Path, **changes: Any) -> None:
    """A manifest that says something else, and is whole."""
    content = json.loads((folder / "manifest.json").read_text())
    content = {**content, **changes}
    del content["sha256"]
    (folder / "manifest.json").write_text(json.dumps({**content, "sha256": json_sha256(content)}))


OUTSIDE = [{"path": "../x", "sha256": "0", "bytes": 1, "mode": 384, "changed": 0}]


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (lambda folder: spoil(folder, "home/ledger.db", lambda old: old[:-1] + b"?"), "damaged: ledger.db is not what"),
        (lambda folder: spoil(folder, "home/ledger.head", lambda old: old + b" "), "damaged: ledger.head is not what"),
        (lambda folder: (folder / "home/ledger.db").unlink(), "damaged: ledger.db is not what"),
        (
            lambda folder: spoil(folder, "manifest.json", lambda old: old.replace(b'"bytes": ', b'"bytes": 1')),
            "manifest",
        ),
        (lambda folder: spoil(folder, "manifest.json", lambda old: old[:40]), "damaged: manifest.json"),
        (lambda folder: (folder / "manifest.json").unlink(), "holds no manifest.json, so it is no whole backup"),
        (lambda folder: tell(folder, format=2, versions={"selvedge": "9.1"}), "has format 2, .* made it .version 9.1"),
        (lambda folder: tell(folder, versions={**versions_here(), "mlflow": "99.0"}), "made with mlflow 99.0, and"),
        (lambda folder: tell(folder, versions={}), "damaged: manifest.json"),
        (lambda folder: tell(folder, files=OUTSIDE), "names '../x', which is outside a home"),
        (lambda folder: tell(folder, links={"/etc/x": "y"}), "names '/etc/x', which is outside a home"),
    ],
)
def test_a_backup_that_is_damaged_or_of_another_version_leaves_nothing(
    home: Settings, tmp_path: Path, harm: Callable[[Path], None], sentence: str
) -> None:
    make_backup(home, tmp_path / "b", (), silent)
    harm(tmp_path / "b")
    with pytest.raises(SelvedgeError, match=sentence):
        restore_backup(home, tmp_path / "b", tmp_path / "again", silent)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b", "home"]


def test_what_is_no_backup_and_where_none_may_go_is_told(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def told(*arguments: object) -> str:
        assert run([str(argument) for argument in arguments]) == 1
        return capsys.readouterr().err

    assert "lies in the home itself" in told("backup", home.home / "b")
    assert "would be packed, which pictures and weights are already; name it NAME.tar." in told("backup", "b.tar.gz")
    for target in ("b", "b.tar"):
        assert run(["backup", str(tmp_path / target)]) == 0
        assert "is already there" in told("backup", tmp_path / target)
    assert "does not exist; name what `selvedge backup` wrote" in told("restore", tmp_path / "nothing.tar")
    assert "is already there; name another folder" in told("restore", tmp_path / "b")  # the home is not empty
    whole = (tmp_path / "b.tar").read_bytes()
    (tmp_path / "half.tar").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.tar").write_text("no archive")
    for name in ("half.tar", "text.tar"):
        sentence = told("restore", tmp_path / name, "--into", tmp_path / "again")
        assert "damaged" in sentence and sentence.count("\n") <= 2 and not (tmp_path / "again").exists()
    with tarfile.open(tmp_path / "b.tar") as archive:
        assert archive.getnames()[0] == "manifest.json"
    (home.home / "ads.db").write_bytes(b"SQLite format 3\0" + b"no page" * 99)
    assert "ads.db is damaged" in told("backup", tmp_path / "c")
    monkeypatch.setenv("SELVEDGE_HOME", str(tmp_path / "none"))
    assert "holds nothing to back up" in told("backup", tmp_path / "d")


def test_what_lies_elsewhere_is_named_without_a_password(tmp_path: Path) -> None:
    of = {
        "storage": "s3://shop/selvedge", "ledger": "postgresql://ann:secret@db/ledger", "tracking_uri": "http://mlflow",
        "label_studio": "https://labels.example", "mlflow_database": "postgresql://ann:secret@db/mlflow",
        "evidence_key": "k" * 32, "inbox": "s3://shop/inbox",
    }  # fmt: skip
    sentences = " ".join(elsewhere(Settings(home=tmp_path, **of)))
    assert "secret@" not in sentences and "kkk" not in sentences
    assert "s3://shop/inbox" in sentences
    for part in ("s3://shop/selvedge", "@db/ledger", "@db/mlflow", "http://mlflow", "labels.example", "EVIDENCE_KEY"):
        assert part in sentences
