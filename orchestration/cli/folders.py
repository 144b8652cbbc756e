"""Folders a command writes: whole or not at all.

Belongs here: the temporary sibling that becomes the folder at the end. Not here: tables (catalog/tables.py publishes
those one by one).
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from catalog.errors import SelvedgeError


@contextmanager
def whole_folder(out: Path) -> Iterator[Path]:
    """A folder to write into that becomes `out` when everything went well, and vanishes otherwise.

    Raises:
        SelvedgeError: `out` is there and holds something; a command overwrites nothing of a person's.
    """
    out = out.expanduser().resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SelvedgeError(f"{out} is already there; name another folder, or remove it first.")
    _remove_left_behind(out)
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    part.mkdir(parents=True)
    try:
        yield part
        if out.exists():
            out.rmdir()
        part.rename(out)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _remove_left_behind(out: Path) -> None:
    """Parts of commands that were killed before they could tidy up."""
    for part in out.parent.glob(f".{out.name}.*.part"):
        pid = part.name.split(".")[-2]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(part, ignore_errors=True)
