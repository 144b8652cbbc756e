"""Folders that a command writes for a person: new ones only, whole or not at all.

Belongs here: refusing a folder that holds something. Not here: writing a folder whole (catalog/files.py), whether a
place may be written (catalog/places.py).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from catalog.errors import SelvedgeError
from catalog.files import whole_folder
from catalog.places import check_output_folder, not_written


def check_new_folder(out: Path) -> Path:
    """The folder's whole address; refuses one that is not to be written, before any work.

    Raises:
        SelvedgeError: it is there and holds something, as a command overwrites nothing of a person's; or nothing may be
            made there.
    """
    out = out.expanduser().resolve()
    check_output_folder(out)
    if out.exists() and any(out.iterdir()):
        raise SelvedgeError(f"{out} is already there; name another folder, or remove it first.")
    return out


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """A folder to write into that becomes `out` when everything went well, and vanishes otherwise.

    Raises:
        SelvedgeError: as `check_new_folder`; or another command wrote there meanwhile.
    """
    out = check_new_folder(out)
    try:
        with whole_folder(out, replacing=False) as part:
            yield part
    except OSError as error:
        raise not_written(out, error) from error
