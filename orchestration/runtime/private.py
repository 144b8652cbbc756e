"""What only a home's owner may read: databases, logs and secrets, however old the home is.

Belongs here: the mask of new files, and the modes of those there are. Not here: what is in them.

The ledger holds the keys of blind rounds, and MLflow's database says who is champion: another user of the machine must
not read either.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

OWNER_ONLY = 0o077
PRIVATE = (
    "ledger.db*", "ledger.head", "mlflow/*.db*", "dagster/**/*.db*", "label-studio/data/*.sqlite3*", "secrets/*",
    "secrets/annotators/*",
)  # fmt: skip


@contextmanager
def owner_only() -> Iterator[None]:
    """New files and folders are their owner's alone, those of child processes too; put back at the end."""
    before = os.umask(OWNER_ONLY)
    try:
        yield
    finally:
        os.umask(before)


def open_to_others(home: Path) -> list[Path]:
    """Private files of a home that another user of the machine may read or write."""
    return [path for pattern in PRIVATE for path in sorted(home.glob(pattern)) if _is_open(path)]


def _is_open(path: Path) -> bool:
    try:
        status = path.stat()
    except FileNotFoundError:  # a database that is being closed takes its journal along
        return False
    return stat.S_ISREG(status.st_mode) and bool(status.st_mode & OWNER_ONLY)


def close_to_others(home: Path) -> None:
    """Take other users' rights from the private files of a home; a file that is somebody else's stays, for `doctor`."""
    for path in open_to_others(home):
        with suppress(PermissionError, FileNotFoundError):
            path.chmod(path.stat().st_mode & ~OWNER_ONLY)
