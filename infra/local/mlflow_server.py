"""The MLflow server of this machine: its database brought up to date once, then one small server process.

Belongs here: how MLflow is started. Not here: what is logged and what a champion is
(orchestration/registry/).

The database's address may hold a password: MLflow gets it in its environment, which only its owner reads, never as an
argument, and no file holds it.

Two facts shape this file, both seen with MLflow 3.17: six processes that opened a fresh SQLite file together all failed
and left it unusable, so the database is made whole before anything may open it; and a server starts seven helper
processes of 235 MB unless job execution is switched off.
"""

import importlib.metadata
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

from infra.database_address import without_password
from infra.errors import ServiceFailure
from infra.local.files import whole_file
from infra.local.lock import exclusive
from infra.local.mlflow_artifacts import address_of, serve_older_files
from infra.local.services import Progress, Running, Service, ensure

MIGRATION_TIMEOUT_SECONDS = 300
NEWER = "Can't locate revision"  # of alembic, whose scripts end before what the database says
QUIET = {
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "DO_NOT_TRACK": "true",
}
SQLITE = "sqlite:///"
# Of each of the server's two stores to PostgreSQL, which refuses everybody once it has too many; SQLite knows no such
# limit. A request that finds none waits for one.
CONNECTIONS = {"MLFLOW_SQLALCHEMYSTORE_POOL_SIZE": "3", "MLFLOW_SQLALCHEMYSTORE_MAX_OVERFLOW": "2"}
DATABASE_VARIABLE = "MLFLOW_BACKEND_STORE_URI"  # read by `mlflow server` in place of --backend-store-uri
# `mlflow db upgrade` takes the address as an argument only: its function is called with what the environment holds.
UPGRADE = f"import os; from mlflow.db import upgrade; upgrade.callback(os.environ['{DATABASE_VARIABLE}'])"
# Empty databases that `mlflow db upgrade` made, beside the packages of this virtual environment, one for each version
# of MLflow: homes that share the environment are spared its fifty migrations. Made before anything is logged.
PREPARED_DATABASES = Path(sys.prefix) if sys.prefix != sys.base_prefix else None


def mlflow_service(
    home: Path, logs: Path, port: int, database_uri: str, artifact_root: str, hosts: str | None = None
) -> Service:
    """The declaration: one worker on the loopback address.

    `hosts` are the only Host headers it answers to, its health aside; by default those of local networks.
    `artifact_root` is a folder, which the server serves, or an s3:// address that clients write to directly.
    """
    command = (
        *(sys.executable, "-m", "mlflow", "server"),
        *("--default-artifact-root", address_of(artifact_root)),
        "--serve-artifacts",
        *("--artifacts-destination", artifact_root),
        *("--host", "127.0.0.1", "--port", str(port)),
        *("--workers", "1"),
    )
    environment = {**QUIET, DATABASE_VARIABLE: database_uri}
    if not database_uri.startswith(SQLITE):
        environment |= CONNECTIONS
    return Service(
        name="mlflow",
        command=command,
        folder=home,
        log=logs / "mlflow.log",
        port=port,
        health_url=f"http://127.0.0.1:{port}/health",
        port_setting="SELVEDGE_MLFLOW_PORT",
        environment=environment if hosts is None else {**environment, "MLFLOW_SERVER_ALLOWED_HOSTS": hosts},
    )


def ensure_mlflow(
    home: Path,
    logs: Path,
    port: int,
    database_uri: str,
    artifact_root: str,
    progress: Progress = lambda line: None,
    hosts: str | None = None,
) -> Running:
    """A healthy MLflow server on an up-to-date database; the one that is already ours, or a new one.

    Raises:
        ServiceFailure: the database could not be prepared, the port is taken, or the server did not start.
    """
    migrate(home, database_uri, progress)
    if "://" not in artifact_root:
        Path(artifact_root).mkdir(parents=True, exist_ok=True)
        if database_uri.startswith(SQLITE):
            serve_older_files(Path(database_uri.removeprefix(SQLITE)), artifact_root)
    return ensure(mlflow_service(home, logs, port, database_uri, artifact_root, hosts), progress)


def migrate(home: Path, database_uri: str, progress: Progress = lambda line: None) -> None:
    """Bring MLflow's database to the installed version, once; processes that ask together wait for the first.

    A SQLite file is migrated beside its place and moved there whole, so that a kill leaves the old one or the new one.

    Raises:
        ServiceFailure: MLflow's upgrade failed; its last line is in the sentence.
    """
    version = importlib.metadata.version("mlflow")
    prepared = f"{version} {without_password(database_uri)}"
    stamp = home / "database-version"
    with exclusive(home / "database.lock", MIGRATION_TIMEOUT_SECONDS, "preparing MLflow's database"):
        file = Path(database_uri.removeprefix(SQLITE)) if database_uri.startswith(SQLITE) else None
        stamped = stamp.read_text() if stamp.exists() else ""
        if stamped in (prepared, f"{version} {database_uri}") and (file is None or file.exists()):
            if stamped != prepared:  # as an older Selvedge wrote it, with the password
                stamp.write_text(prepared)
            return
        progress("mlflow: preparing its database")
        if file is None:
            _upgrade(database_uri)
        else:
            _upgrade_beside(file)
        stamp.write_text(prepared)


def _upgrade_beside(file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with whole_file(file) as part:
            if file.exists():
                _copy_database(file, part)
            try:
                _upgrade(f"{SQLITE}{part}")
            except ServiceFailure as failure:  # it names the copy
                raise ServiceFailure(str(failure).replace(str(part), str(file))) from failure
    except (OSError, sqlite3.Error) as error:
        raise ServiceFailure(f"MLflow's database {file} could not be prepared ({error}).") from error


def _copy_database(source: Path, copy: Path) -> None:
    # SQLite's own copy: after a kill part of the rows may still be in the journal beside the file.
    with closing(sqlite3.connect(source)) as reader, closing(sqlite3.connect(copy)) as writer:
        reader.backup(writer)


def _upgrade(database_uri: str) -> None:
    file = Path(database_uri.removeprefix(SQLITE)) if database_uri.startswith(SQLITE) else None
    prepared = _prepared_database() if file is not None and not file.exists() else None
    if file is None or prepared is None:
        upgrade(database_uri)
        return
    if not prepared.exists():
        upgrade(database_uri)
        with whole_file(prepared) as part:
            _copy_database(file, part)
        return
    _copy_database(prepared, file)


def upgrade(database_uri: str) -> None:
    """Make MLflow's tables, or bring them to the installed version.

    Raises:
        ServiceFailure: MLflow refused; its last line is in the sentence.
    """
    command = (sys.executable, "-c", UPGRADE)
    environment = {**os.environ, **QUIET, DATABASE_VARIABLE: database_uri}
    result = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if result.returncode != 0:
        lines = [line for line in (result.stderr + result.stdout).splitlines() if line.strip()] or ["no message"]
        if NEWER in result.stderr + result.stdout:
            raise ServiceFailure(
                f"MLflow's database {without_password(database_uri)} was written by a newer MLflow than the installed "
                f"{importlib.metadata.version('mlflow')}; install that one, or restore a backup of this version."
            )
        said = lines[-1].strip().replace(database_uri, without_password(database_uri))
        raise ServiceFailure(f"MLflow's database could not be prepared: {said[:300]}")


def _prepared_database() -> Path | None:
    """The place of the empty database of the installed MLflow; None where nothing can be kept."""
    if PREPARED_DATABASES is None or not os.access(PREPARED_DATABASES, os.W_OK):
        return None
    return PREPARED_DATABASES / f"mlflow-{importlib.metadata.version('mlflow')}.sqlite3"
