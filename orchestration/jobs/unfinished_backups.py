"""Unfinished backups: what killed ones left beside their targets, so that it is named and removed.

Belongs here: a home's notes of the backups that are under way, and the parts of those whose process is gone. Not here:
making one (backup.py), what killed commands left in the home itself (garbage.py).

A backup lies where a person wants it, and half of one holds secrets like a whole one. So the home notes where each is
made for as long as it is; a note whose process is gone says where to look.
"""

import glob
import json
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from catalog.errors import SelvedgeError
from catalog.files import publish_text
from catalog.places import parts_of_the_dead
from orchestration.runtime.owner import Owner

NOTES = "unfinished-backups"  # in the home; no part of a backup


@dataclass(frozen=True)
class Unfinished:
    """A backup that was killed.

    Attributes:
        note: the home's, None of a restore into the home, which had none yet. parts: what it left, maybe nothing.
    """

    note: Path | None
    parts: tuple[Path, ...]

    @property
    def paths(self) -> tuple[Path, ...]:
        return self.parts if self.note is None else (*self.parts, self.note)


@contextmanager
def noted(home: Path, target: Path) -> Iterator[None]:
    """While a backup is made, the home knows where; what killed ones left is removed before it begins.

    A home on a disk that takes nothing more is backed up all the same, without a note: then the next backup of the same
    name removes what a kill leaves.
    """
    for killed in unfinished_backups(home):
        remove(killed)
    note = home / NOTES / f"{os.getpid()}.{secrets.token_hex(4)}.json"
    with suppress(SelvedgeError):
        publish_text(json.dumps({"target": str(target), "owner": str(Owner.here())}), note, private=True)
    try:
        yield
    finally:
        if note.exists():
            note.unlink(missing_ok=True)


def unfinished_backups(home: Path) -> list[Unfinished]:
    """Backups of a home, and restores into it, whose process is gone before their end.

    The parts of a backup whose folder is away (a disk that is not mounted) are found when it is back.
    """
    killed = [Unfinished(note, parts) for note in sorted((home / NOTES).glob("*.json")) for parts in _left(note)]
    restores = tuple(parts_of_the_dead(home.parent, home.name))
    return [*killed, *([Unfinished(None, restores)] if restores else [])]


def _left(note: Path) -> Iterator[tuple[Path, ...]]:
    try:
        content = json.loads(note.read_text(encoding="utf-8"))
        target, owner = Path(content["target"]), Owner.parse(content["owner"])
    except FileNotFoundError:  # that backup has just come to its end
        return
    except (ValueError, KeyError, TypeError) as error:
        raise SelvedgeError(f"{note} is no note of a backup; remove it, and look where backups were made.") from error
    if owner is not None and owner.proved_dead() and target.parent.is_dir():
        yield tuple(sorted(target.parent.glob(f".{glob.escape(target.name)}.{owner.pid}.*.part")))


def remove(killed: Unfinished) -> None:
    """Remove what it left, the note at last."""
    for path in killed.paths:
        with suppress(FileNotFoundError):
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def problems(home: Path) -> Iterator[str]:
    """One sentence for each that left something."""
    for killed in unfinished_backups(home):
        for part in killed.parts:
            what = "a restore" if killed.note is None else "a backup"
            yield (
                f"{part} is left of {what} that was killed, with the home's secrets in it; `selvedge gc --delete` "
                "removes it, and so does the next backup."
            )
