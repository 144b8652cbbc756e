"""The MLflow server: a database that is whole before anything opens it, and one small server on it."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from infra.database_address import without_password
from infra.errors import ServiceFailure
from infra.local import mlflow_server
from infra.local.mlflow_artifacts import address_of, folder_of, serve_older_files
from infra.local.mlflow_server import ensure_mlflow, migrate, mlflow_service
from tests.ports import free_port

ROOT = Path(__file__).resolve().parents[2]
RACER = """
import sys
from pathlib import Path
from infra.local import mlflow_server
home = Path(sys.argv[1])
mlflow_server.PREPARED_DATABASES = home  # nothing is there yet
mlflow_server.migrate(home, f"sqlite:///{home}/mlflow.db")
from mlflow import MlflowClient
print(len(MlflowClient(f"sqlite:///{home}/mlflow.db").search_experiments()))
"""


@pytest.mark.e2e
@pytest.mark.slow
def test_six_processes_on_a_fresh_database_all_work(tmp_path):
    """Without the lock all six failed and left the file unusable (MLflow 3.17)."""
    command = [sys.executable, "-c", RACER, str(tmp_path)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "cwd": ROOT}
    racers = [subprocess.Popen(command, **pipes) for _ in range(6)]
    ended = [(*racer.communicate(timeout=300), racer.returncode) for racer in racers]
    assert [(out, code) for out, _, code in ended] == [("1\n", 0)] * 6, ended
    assert not list(tmp_path.glob(".*.part*"))
    (prepared,) = tmp_path.glob("mlflow-*.sqlite3")
    with closing(sqlite3.connect(prepared)) as database:
        assert database.execute("select count(*) from experiments").fetchone() == (0,)
        assert database.execute("select count(*) from alembic_version").fetchone() == (1,)


def test_homes_of_one_environment_share_the_empty_database_of_their_mlflow(tmp_path, monkeypatch):
    commands = []

    def upgrade(command, env, **_):
        commands.append(command)
        file = env[mlflow_server.DATABASE_VARIABLE].removeprefix("sqlite:///")
        with closing(sqlite3.connect(file)) as database, database:
            database.execute(f"create table if not exists experiments{len(commands)} (name text)")
        return subprocess.CompletedProcess(command, 0)

    def tables(home):
        with closing(sqlite3.connect(home / "mlflow.db")) as database:
            return [name for (name,) in database.execute("select name from sqlite_master order by name")]

    monkeypatch.setattr(mlflow_server.subprocess, "run", upgrade)
    monkeypatch.setattr(mlflow_server, "PREPARED_DATABASES", tmp_path)
    homes = [tmp_path / name for name in ("first", "second", "newer")]
    for home in homes[:2]:
        home.mkdir()
        migrate(home, f"sqlite:///{home}/mlflow.db")
        assert tables(home) == ["experiments1"] and len(commands) == 1
    monkeypatch.setattr(mlflow_server.importlib.metadata, "version", lambda name: "99.0")
    migrate(homes[0], f"sqlite:///{homes[0]}/mlflow.db")  # not empty: its own rows are migrated
    assert tables(homes[0]) == ["experiments1", "experiments2"]
    homes[2].mkdir()
    migrate(homes[2], f"sqlite:///{homes[2]}/mlflow.db")
    assert tables(homes[2]) == ["experiments3"] and len(list(tmp_path.glob("mlflow-*.sqlite3"))) == 2
    assert not list(tmp_path.rglob(".*.part"))


@pytest.fixture
def upgrades(monkeypatch):
    """Stands in for `mlflow db upgrade` (4 s): makes a table, and counts."""
    asked = []

    def upgrade(database_uri):
        asked.append(database_uri)
        with closing(sqlite3.connect(database_uri.removeprefix("sqlite:///"))) as database:
            database.execute("create table if not exists experiments (name text)")
            database.commit()

    monkeypatch.setattr(mlflow_server, "_upgrade", upgrade)
    return asked


def test_a_database_is_migrated_once_and_again_when_it_is_gone(tmp_path, upgrades):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    migrate(tmp_path, uri)
    migrate(tmp_path, uri)
    assert len(upgrades) == 1
    (tmp_path / "mlflow.db").unlink()
    migrate(tmp_path, uri)
    assert len(upgrades) == 2 and (tmp_path / "mlflow.db").exists()


def test_a_newer_mlflow_migrates_and_keeps_what_is_there(tmp_path, upgrades, monkeypatch):
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    migrate(tmp_path, uri)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        database.execute("insert into experiments values ('kept')")
        database.commit()
    monkeypatch.setattr(mlflow_server.importlib.metadata, "version", lambda name: "99.0")
    migrate(tmp_path, uri)
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        assert database.execute("select name from experiments").fetchall() == [("kept",)]


def test_a_failed_migration_leaves_the_old_database_and_says_why(tmp_path, monkeypatch):
    (tmp_path / "mlflow.db").write_bytes(b"as it was")

    def refuse(database_uri):
        raise ServiceFailure("MLflow's database could not be prepared: revision unknown")

    monkeypatch.setattr(mlflow_server, "_upgrade", refuse)
    monkeypatch.setattr(mlflow_server, "_copy_database", lambda source, copy: copy.write_bytes(source.read_bytes()))
    with pytest.raises(ServiceFailure, match="revision unknown"):
        migrate(tmp_path, f"sqlite:///{tmp_path}/mlflow.db")
    assert (tmp_path / "mlflow.db").read_bytes() == b"as it was"
    assert not list(tmp_path.glob(".*.part")) and not (tmp_path / "database-version").exists()


def test_a_password_stands_in_no_argument_and_in_no_file(tmp_path, monkeypatch):
    uri = "postgresql+psycopg://shop:pa55/w%40rd@db.example/mlflow?sslmode=require&sslpassword=pa55too"
    started = []

    def run(command, **options):
        started.append((command, options["env"]["MLFLOW_BACKEND_STORE_URI"]))
        return subprocess.CompletedProcess(command, len(started) - 1, "", f"Traceback\nOSError: no {uri}\n")

    monkeypatch.setattr(subprocess, "run", run)
    migrate(tmp_path, uri)
    stamp = tmp_path / "database-version"
    assert stamp.read_text().endswith(" postgresql+psycopg://shop:***@db.example/mlflow?sslmode=require")
    monkeypatch.setattr(mlflow_server.importlib.metadata, "version", lambda name: "99.0")
    with pytest.raises(ServiceFailure, match=r"no postgresql\+psycopg://shop:\*\*\*@db") as failure:
        migrate(tmp_path, uri)
    server = mlflow_service(tmp_path, tmp_path / "logs", 5050, uri, str(tmp_path / "artifacts"))
    assert server.environment["MLFLOW_BACKEND_STORE_URI"] == uri and [told for _, told in started] == [uri, uri]
    stamp.write_text(f"99.0 {uri}")  # of an older Selvedge: good, and rewritten
    migrate(tmp_path, uri)
    assert len(started) == 2
    files = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    seen = " ".join([repr(server), str(failure.value), *files, *(word for command, _ in started for word in command)])
    assert "pa55" not in seen
    assert "SQLAlchemy cannot read" in without_password("postgresql://shop:pa55@pa55@db.example/mlflow")


def test_a_file_that_is_no_database_is_one_sentence(tmp_path):
    (tmp_path / "mlflow.db").write_bytes(b"not a database at all, but long enough to be looked at" * 100)
    with pytest.raises(ServiceFailure, match=r"MLflow's database .*mlflow\.db could not be prepared \(file is not"):
        migrate(tmp_path, f"sqlite:///{tmp_path}/mlflow.db")


def database_of(home: Path, root: str) -> Path:
    """A database as MLflow 3 lays it out, with one run, one model and one version of experiment 1."""
    file = home / "mlflow" / "mlflow.db"
    file.parent.mkdir(parents=True)
    with closing(sqlite3.connect(file)) as database, database:
        database.executescript(
            "create table experiments (experiment_id integer, artifact_location text);"
            "create table runs (artifact_uri text); create table logged_models (artifact_location text);"
            "create table model_versions (storage_location text);"
        )
        database.execute("insert into experiments values (1, ?)", (f"{root}/1",))
        for table in ("runs", "logged_models", "model_versions"):
            database.executemany(f"insert into {table} values (?)", [(f"{root}/1/x/artifacts",), (f"{root}/12/y",)])
    return file


def addresses(file: Path) -> list[str]:
    with closing(sqlite3.connect(file)) as database:
        columns = ("artifact_uri from runs", "artifact_location from logged_models")
        rows = [row for column in columns for row in database.execute(f"select {column}")]
        return [text for (text,) in rows]


@pytest.mark.parametrize("where", ["as it was", "moved", "copied"])
def test_an_older_home_s_full_paths_become_the_server_s_addresses(tmp_path, where):
    old, home = tmp_path / "old", tmp_path / ("old" if where == "as it was" else "new")
    file = database_of(home, f"{old}/mlflow/artifacts")
    if where == "copied":
        (old / "mlflow" / "artifacts" / "1").mkdir(parents=True)
    root = str(home / "mlflow" / "artifacts")
    assert serve_older_files(file, root) == 1
    assert addresses(file) == ["mlflow-artifacts:/1/x/artifacts", f"{old}/mlflow/artifacts/12/y"] * 2
    assert serve_older_files(file, root) == 0
    assert folder_of("mlflow-artifacts:/1/x/artifacts", root) == Path(root, "1/x/artifacts")


@pytest.mark.parametrize("root", ["/data/models", "s3://bucket/mlflow", "mlflow-artifacts:"])
def test_a_place_outside_of_homes_is_left_alone(tmp_path, root):
    file = database_of(tmp_path / "home", root)
    assert serve_older_files(file, str(tmp_path / "home" / "mlflow" / "artifacts")) == 0
    assert addresses(file)[0] == f"{root}/1/x/artifacts"


def test_what_only_a_server_or_a_bucket_has_is_no_folder():
    assert folder_of("s3://bucket/1", "/home/a") is None
    assert folder_of("mlflow-artifacts:/1", None) is None and folder_of("mlflow-artifacts:/1", "s3://bucket") is None
    assert folder_of("file:///data/1", None) == folder_of("/data/1", "s3://bucket") == Path("/data/1")
    assert address_of("s3://bucket/mlflow") == "s3://bucket/mlflow" and address_of("/home/a") == "mlflow-artifacts:/"


@pytest.mark.e2e
@pytest.mark.slow
def test_the_server_is_two_processes_and_listens_on_loopback_only(tmp_path):
    """MLflow's default is seven helper processes more, and four workers."""
    port = free_port()
    where = (tmp_path, tmp_path / "logs", port, f"sqlite:///{tmp_path}/mlflow.db", str(tmp_path / "artifacts"))
    running = ensure_mlflow(*where)
    try:
        root = psutil.Process(running.process.pid)
        assert not any("mlflow.db" in word for one in (root, *root.children()) for word in one.cmdline())
        assert len(root.children(recursive=True)) == 1
        listening = [
            connection.laddr
            for process in (root, *root.children(recursive=True))
            for connection in process.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        ]
        assert {address.ip for address in listening} == {"127.0.0.1"}
        assert {address.port for address in listening} == {port}
        assert mlflow_service(*where).environment["MLFLOW_DISABLE_TELEMETRY"] == "true"
    finally:
        running.stop()
