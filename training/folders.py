"""Folders: written whole or not at all, and where the models that ship lie.

Not here: what a folder holds (its writer).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

from catalog.files import whole_folder
from catalog.places import errno_in, not_written


def models_folder() -> Path:
    """SELVEDGE_MODELS, else the models folder that ships with the project."""
    return Path(os.environ.get("SELVEDGE_MODELS") or Path(__file__).resolve().parents[1] / "models")


@contextmanager
def written_whole(folder: Path, what: str) -> Iterator[Path]:
    """An empty folder to fill: it takes the place of `folder` when all went well, and vanishes otherwise.

    A kill leaves the old one, the new one, or the old one set aside.

    Args:
        what: names the folder in the message, like "checkpoint".

    Raises:
        SelvedgeError: the disk is full or not writable; what was there before stays.
    """
    try:
        with whole_folder(folder) as part:
            yield part
    except OSError as error:
        raise not_written(f"{what} {folder}", error) from error
    except SafetensorError as error:
        raise not_written(f"{what} {folder}", os_error_of(error)) from error


def os_error_of(error: SafetensorError) -> OSError:
    """What the operating system said to safetensors, whose text ends in "(os error 28)"."""
    number = errno_in(str(error))
    return OSError(number, os.strerror(number)) if number else OSError(str(error))
