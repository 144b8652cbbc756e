"""The reserve: a little of a home's disk that is kept, so that a disk which fills up can still be told.

Belongs here: keeping it, asking for it before work, letting it go. Not here: the sentences of a refused write
(catalog/places.py), whether the disk is nearly full (health.py).

Whoever writes a file on a full disk is refused, and says so in a sentence. A database is not asked: SQLite maps the
index of its log into memory, and where a page of it finds no room (a file system with small blocks, or one that writes
every change to a new place) the kernel ends the process by SIGBUS, without a word. So the home holds a file that takes
up room; work begins only while there is as much again, and what meets a full disk all the same lets the file go first:
Dagster and ledger then have room to write down why. A command that looks at a home on a full disk gets it, too.
"""

import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import dagster as dg

from catalog.errors import SelvedgeError
from catalog.places import is_full
from orchestration.runtime.settings import DAGSTER, Settings

RESERVE = "reserve"  # in the home
BYTES = 1_000_000  # of a megabyte
PLENTY = 1_000_000_000  # bytes, twice as many as may be set


def keep_reserve(settings: Settings) -> None:
    """Have the reserve, and as much again free, before a command works on a home.

    Raises:
        SelvedgeError: the disk has less; nothing was written.
    """
    _keep(settings.home, settings.disk_reserve_mb)


def keep_reserve_of(instance: dg.DagsterInstance) -> None:
    """The same before a step, by the settings of this process. An instance that is no home's keeps none.

    Raises:
        SelvedgeError: as `keep_reserve`.
    """
    home = _home_of(instance)
    if home is not None and not (_size(home / RESERVE) and _room(home) > PLENTY):  # reading all settings takes 10 ms
        _keep(home, _megabytes())


def let_reserve_go(instance: dg.DagsterInstance) -> None:
    """Give its room to whoever writes down that the disk is full."""
    home = _home_of(instance)
    if home is not None:
        (home / RESERVE).unlink(missing_ok=True)


def let_reserve_go_when_full(home: Path) -> None:
    """Give its room to a command that only looks, or frees: on a full disk not even that can open a database."""
    if is_full(home):
        with suppress(OSError):  # a disk that can only be read: the database says so in a sentence
            (home / RESERVE).unlink(missing_ok=True)


def ended_by_a_full_disk(instance: dg.DagsterInstance) -> str:
    """What may have ended a process of a home that left no word; "" while its disk has room."""
    home = _home_of(instance)
    if home is None or _room(home) >= 2 * _megabytes() * BYTES:
        return ""
    return f" The disk of {home} is full, which ends a process without a word: free some space."


def _megabytes() -> int:
    """As the environment of this process has it."""
    overrides: dict[str, Any] = {}
    return Settings(**overrides).disk_reserve_mb


def _keep(home: Path, megabytes: int) -> None:
    file, wanted = home / RESERVE, megabytes * BYTES
    if not wanted:
        file.unlink(missing_ok=True)
        return
    if _room(home) < 2 * wanted:
        file.unlink(missing_ok=True)
        raise _no_room(home, megabytes)
    if _size(file) == wanted:
        return
    home.mkdir(parents=True, exist_ok=True)
    try:
        file.touch(mode=0o600)
        megabyte = os.urandom(BYTES)  # a file system may pack zeros into nothing
        with file.open("wb") as kept:
            for _ in range(megabytes):
                kept.write(megabyte)
            kept.flush()
            os.fsync(kept.fileno())
    except OSError as error:
        file.unlink(missing_ok=True)
        raise _no_room(home, megabytes) from error


def _no_room(home: Path, megabytes: int) -> SelvedgeError:
    return SelvedgeError(
        f"the disk of {home} has less than the {2 * megabytes} MB left that its databases need while something runs "
        "(twice SELVEDGE_DISK_RESERVE_MB); nothing was begun. Free some space and run again; `selvedge gc` says what "
        "may go."
    )


def _room(home: Path) -> int:
    """Bytes that are free, or would be without the reserve."""
    nearest = next(place for place in (home, *home.parents) if place.is_dir())
    status = os.statvfs(nearest)
    return status.f_bavail * status.f_frsize + _size(home / RESERVE)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _home_of(instance: dg.DagsterInstance) -> Path | None:
    root = Path(instance.root_directory)
    return root.parent if root.name == DAGSTER and (root / "dagster.yaml").is_file() else None
