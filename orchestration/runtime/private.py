"""What only a home's owner may read: databases, logs and secrets, however old the home is.

Belongs here: the mask of new files, the modes of those there are, and reading one line of a secret. Not here: what it
is for.

The ledger holds the keys of blind rounds, and MLflow's database says who is champion: another user of the machine must
not read either.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from catalog.errors import SelvedgeError

OWNER_ONLY = 0o077
PRIVATE = (
    "ledger.db*", "ledger.head", "service.db*", "mlflow/*.db*", "dagster/**/*.db*", "label-studio/data/*.sqlite3*",
    "secrets/*", "secrets/annotators/*",
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


def secret_of_file(path: Path, variable: str) -> str:
    """The one line of a file that its owner alone may read.

    Args:
        variable: of the setting that names the file, for the sentence.

    Raises:
        SelvedgeError: it cannot be read, is open to others, or holds anything but one line.
    """
    try:
        status = path.stat()
        if stat.S_ISREG(status.st_mode) and status.st_mode & OWNER_ONLY:
            raise SelvedgeError(f"{path} of {variable} can be read by other users; run `chmod 600 {path}`.")
        content = path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise SelvedgeError(f"{variable} names {path}, which cannot be read; make it, or unset {variable}.") from error
    if not content or not content.isprintable():
        raise SelvedgeError(f"{path} of {variable} is to hold one line, and nothing else.")
    return content
