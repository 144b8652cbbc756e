"""Folders that a command writes for a person: new ones only, whole or not at all.

Belongs here: refusing a folder that holds something, and clearing what killed commands left behind. Not here: writing
a folder whole (catalog/files.py).
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from catalog.errors import SelvedgeError
from catalog.files import whole_folder


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to write into that becomes `out` when everything went well, and vanishes otherwise.

    Raises:
        SelvedgeError: `out` is there and holds something; a command overwrites nothing of a person's.
    """
    out = out.expanduser().resolve()
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise SelvedgeError(f"{out} is already there; name another folder, or remove it first.")
    for part in out.parent.glob(f".{out.name}.*.part"):  # .NAME.PID.TOKEN.part
        pid = part.name.split(".")[-3]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(part, ignore_errors=True)
    with whole_folder(out) as part:
        yield part
