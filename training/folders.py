"""Folders: putting a finished one in the place of another, and where the models that ship lie.

Not here: what a folder holds (its writer).
"""

import os
import secrets
import shutil
from pathlib import Path


def models_folder() -> Path:
    """SELVEDGE_MODELS, else the models folder that ships with the project."""
    return Path(os.environ.get("SELVEDGE_MODELS") or Path(__file__).resolve().parents[1] / "models")


def replace_folder(part: Path, folder: Path) -> None:
    """Put a finished folder in place of another; a kill leaves the old one, the new one, or the old one set aside."""
    if folder.exists():
        aside = folder.parent / f".{folder.name}.{secrets.token_hex(4)}.old"
        folder.rename(aside)
        part.rename(folder)
        shutil.rmtree(aside)
    else:
        part.rename(folder)
