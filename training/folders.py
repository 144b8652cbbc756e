"""Folders that are whole: putting a finished one in the place of another.

Belongs here: the swap. Not here: what a folder holds (its writer).
"""

import secrets
import shutil
from pathlib import Path


def replace_folder(part: Path, folder: Path) -> None:
    """Put a finished folder in place of another; a kill leaves the old one, the new one, or the old one set aside."""
    if folder.exists():
        aside = folder.parent / f".{folder.name}.{secrets.token_hex(4)}.old"
        folder.rename(aside)
        part.rename(folder)
        shutil.rmtree(aside)
    else:
        part.rename(folder)
