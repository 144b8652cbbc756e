"""What only a home's owner may read: databases, logs and secrets, however old the home is.

Belongs here: the mask of new files, and the modes of those there are. Not here: what is in them.

The ledger holds the keys of blind rounds, and MLflow's database says who is champion: another user of the machine must
not read either.
"""

import os
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
    files = [path for pattern in PRIVATE for path in sorted(home.glob(pattern)) if path.is_file()]
    return [path for path in files if path.stat().st_mode & OWNER_ONLY]


def close_to_others(home: Path) -> None:
    """Take other users' rights from the private files of a home; a file that is somebody else's stays, for `doctor`."""
    for path in open_to_others(home):
        with suppress(PermissionError, FileNotFoundError):
            path.chmod(path.stat().st_mode & ~OWNER_ONLY)
