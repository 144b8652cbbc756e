"""What is wrong with the machine under a home: one sentence each with its remedy, by `doctor` or who meets it."""

import json
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from dagster._daemon.types import DaemonHeartbeat

from infra.errors import ServiceFailure
from infra.local import mlflow_server
from orchestration.cli import main
from orchestration.runtime import health
from orchestration.runtime.instance import open_instance, write_configuration
from orchestration.runtime.settings import Settings


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with Dagster's databases, which tests copy: making them takes longest."""
    home = tmp_path_factory.mktemp("whole")
    with open_instance(Settings(home=home)) as instance:
        instance.get_run_records(limit=1)
    return home


@pytest.fixture
def settings(whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    shutil.copytree(whole, tmp_path / "home")
    monkeypatch.setenv("SELVEDGE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SELVEDGE_LABEL_STUDIO", "off")
    return Settings(home=tmp_path / "home", label_studio="off")


def doctor(capsys: pytest.CaptureFixture[str]) -> dict[str, str]:
    """What is wrong, by check."""
    main.run(["doctor", "--json"])
    checks = json.loads(capsys.readouterr().out)["checks"]
    return {check["check"]: check["what"] for check in checks if not check["ok"]}


def test_a_home_that_is_whole_has_nothing_wrong(settings, capsys):
    assert {"database files", "disk", "clock and pools"}.isdisjoint(doctor(capsys))


def test_a_damaged_database_is_named_by_doctor_and_no_traceback_of_any_command(settings, capsys):
    file = settings.dagster_home / "history" / "runs.db"
    for journal in file.parent.glob("runs.db-*"):
        journal.unlink()
    file.write_bytes(b"no database at all " * 400)
    assert main.run(["backfill", "--dry-run"]) == 1
    told = capsys.readouterr().err
    assert "Traceback" not in told and "a database of this home refused (" in told and "`selvedge doctor` says" in told
    wrong = doctor(capsys)
    assert wrong["database files"].startswith(f"database {file} cannot be read (file is not a database); it is damaged")
    assert "clock and pools" in wrong


def test_a_database_that_can_only_be_read_is_named(settings, monkeypatch):
    assert list(health.sqlite_problems(settings.home)) == []
    monkeypatch.setattr(health.os, "access", lambda path, mode: Path(path).name != "schedules")  # tests may run as root
    (sentence,) = health.sqlite_problems(settings.home)
    schedules = settings.dagster_home / "schedules" / "schedules.db"
    assert sentence == f"database {schedules} can only be read; make the file and its folder writable for this user."


@pytest.mark.parametrize(
    ("statement", "remedy"),
    [
        ("PRAGMA query_only=1; CREATE TABLE b (x)", "make its file and its folder writable"),
        ("SELECT x FROM another", "it is of another version"),
        ("SELECT y FROM a", "it is of another version"),
    ],
)
def test_what_sqlite_refuses_is_one_sentence_whoever_asked_it(statement, remedy):
    database = sqlite3.connect(":memory:")
    database.execute("CREATE TABLE a (x)")
    with pytest.raises(sqlite3.Error) as bare:
        database.executescript(statement) if ";" in statement else database.execute(statement)
    wrapped = sa.exc.OperationalError(statement, None, bare.value)
    outer = RuntimeError("of Dagster")
    outer.__cause__ = wrapped
    for error in (bare.value, wrapped, outer):
        sentence = health.refused_by_sqlite(error)
        assert remedy in sentence and "\n" not in sentence
    assert health.refused_by_sqlite(RuntimeError("no such table")) == "", "a fault of ours wants its traceback"


def test_a_newer_mlflow_database_is_refused_with_what_to_do(tmp_path, monkeypatch):
    told = "alembic.util.exc.CommandError: Can't locate revision identified by 'ffffffffffff'\n"  # seen with 3.17
    ended = SimpleNamespace(returncode=1, stdout="", stderr=told)
    monkeypatch.setattr(mlflow_server.subprocess, "run", lambda *command, **options: ended)
    file = tmp_path / "mlflow.db"
    with sqlite3.connect(file) as database:
        database.execute("CREATE TABLE alembic_version (version_num VARCHAR(32))")
        database.execute("INSERT INTO alembic_version VALUES ('ffffffffffff')")
    before = file.read_bytes()
    with pytest.raises(ServiceFailure) as refused:
        mlflow_server.migrate(tmp_path, f"sqlite:///{file}")
    assert str(refused.value).startswith(f"MLflow's database sqlite:///{file} was written by a newer MLflow than the")
    assert file.read_bytes() == before and list(tmp_path.glob(".mlflow.db*")) == []


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("concurrency: {pools: {gpu: 2}}", 'dagster.yaml cannot be used: Error 1: .*unexpected config entry "gpu"'),
        ("- gpu", "dagster.yaml holds no settings of Dagster"),
        ("concurrency: [", "dagster.yaml is no YAML"),
    ],
)
def test_a_pool_or_an_entry_that_dagster_does_not_have_is_one_sentence(tmp_path, written, said):
    settings = Settings(home=tmp_path)
    write_configuration(settings)
    (settings.dagster_home / "dagster.yaml").write_text(written)
    with pytest.raises(main.SelvedgeError, match=said) as refused:
        open_instance(settings)
    assert "\n" not in str(refused.value)


def test_a_limit_of_a_pool_that_nothing_uses_and_a_clock_that_jumped_are_found(settings, capsys):
    now = datetime.now(UTC)
    with open_instance(settings) as instance:
        instance.event_log_storage.set_concurrency_slots("gpu", 2)
        instance.add_daemon_heartbeat(DaemonHeartbeat(now.timestamp(), "SENSOR", "one", []))
        assert list(health.clock_problems(instance)) == list(health.pool_problems(instance, ("gpu", "splits"))) == []
        assert list(health.clock_problems(instance, now - timedelta(seconds=200))) == []
        (behind,) = health.clock_problems(instance, now - timedelta(hours=3))
        instance.event_log_storage.set_concurrency_slots("gppu", 2)
        instance.add_daemon_heartbeat(DaemonHeartbeat(now.timestamp() + 7200, "SENSOR", "one", []))
    assert "3.0 h after this machine's clock" in behind and "set the clock" in behind
    wrong = doctor(capsys)["clock and pools"]
    assert "2.0 h after this machine's clock" in wrong
    assert "a limit for the pool 'gppu', which does not exist; the pools are costs, gpu, splits." in wrong


def test_a_full_disk_of_home_or_inbox_is_told_before_it_stops_anything(settings, tmp_path, monkeypatch):
    monkeypatch.setattr(health.shutil, "disk_usage", lambda place: SimpleNamespace(free=40_000_000))
    (sentence,) = health.disk_problems(settings)
    assert sentence.startswith(f"the disk of the home {settings.home} has 0.0 GB left; `selvedge gc` says what may go")
    apart = settings.model_copy(update={"inbox": Settings(home=tmp_path, inbox="/dev/shm/inbox").inbox})
    assert [line.split()[4] for line in health.disk_problems(apart)] == ["home", "inbox"]
    assert len(list(health.disk_problems(Settings(home=tmp_path, inbox="s3://shop/in")))) == 1
