"""Where MLflow keeps files: addresses that name no folder, so that a home can be moved or copied.

Belongs here: the root that a server is started with, and rewriting the full paths of a database that an older Selvedge
made. Not here: starting the server (mlflow_server.py).

MLflow writes the place of an experiment's files into its database once, and every run and model below it. A full path
there makes a copied home read and write the folder it was copied from. `mlflow-artifacts:/` means "ask the server", and
the server knows the folder from its command line.
"""

import sqlite3
from contextlib import closing
from pathlib import Path

from infra.errors import ServiceFailure

SERVED = "mlflow-artifacts:/"
IN_A_HOME = ("mlflow", "artifacts")
BELOW_AN_EXPERIMENT = (
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "storage_location"),
    ("experiments", "artifact_location"),
)


def address_of(artifact_root: str) -> str:
    """What is written into the database for new experiments: the server's address for a folder of this machine.

    A bucket stays its own address: clients write to it directly, as large uploads through the server time out
    (mlflow issues 7564, 8539).
    """
    return artifact_root if "://" in artifact_root else SERVED


def folder_of(location: str, artifact_root: str | None) -> Path | None:
    """The folder of this machine behind an address in the database; None where only the server or a bucket has it.

    Args:
        artifact_root: of the server; None for a server of somebody else's, of which nobody here knows it.
    """
    if location.startswith(SERVED) and artifact_root is not None and "://" not in artifact_root:
        return Path(artifact_root, location.removeprefix(SERVED))
    path = location.removeprefix("file://")
    return None if ":/" in path else Path(path)


def serve_older_files(database: Path, artifact_root: str) -> int:
    """Rewrite the full paths of an older home's database as the server's addresses; how many experiments it were.

    Only paths of this home are rewritten: those below `artifact_root`, and those of the home that this one was copied
    or moved from. A folder that somebody chose outside of a home is left as it is.

    Raises:
        ServiceFailure: the database cannot be read or written.
    """
    try:
        with closing(sqlite3.connect(database, timeout=30)) as connection, connection:
            query = "select experiment_id, artifact_location from experiments"
            moved = [
                (str(number), location)
                for number, location in connection.execute(query).fetchall()
                if _of_this_home(str(number), location or "", artifact_root)
            ]
            for number, location in moved:
                for table, column in BELOW_AN_EXPERIMENT:
                    connection.execute(
                        f"update {table} set {column} = ? || substr({column}, ?) "
                        f"where {column} = ? or substr({column}, 1, ?) = ?",
                        (f"{SERVED}{number}", len(location) + 1, location, len(location) + 1, f"{location}/"),
                    )
        return len(moved)
    except sqlite3.Error as error:
        raise ServiceFailure(f"MLflow's database {database} could not be prepared ({error}).") from error


def _of_this_home(experiment: str, location: str, artifact_root: str) -> bool:
    path = Path(location.removeprefix("file://"))
    if ":/" in str(path) or not path.is_absolute() or path.name != experiment:
        return False
    return path.parent == Path(artifact_root) or path.parts[-3:-1] == IN_A_HOME
