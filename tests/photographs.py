"""Where the real photographs are, for the tests and measurements that use them. They are never part of the project."""

import os
from pathlib import Path

import pytest

HOME = Path(os.environ.get("SELVEDGE_PHOTOGRAPHS", Path(__file__).resolve().parents[2] / "shared" / "data"))


def photographs(name: str) -> Path:
    """The folder of one set of photographs; skips the calling test where it is missing."""
    folder = HOME / name
    if not folder.is_dir():
        pytest.skip(f"no photographs at {folder}; set SELVEDGE_PHOTOGRAPHS to a folder that holds {name}")
    return folder
