"""selvedge.json, what every family's artefact says of itself.

Belongs here: reading it and refusing another family's or another format. Not here: what a family writes into it
(training/blip2/artefact.py, training/restgan/sampling.py).
"""

import json
from pathlib import Path
from typing import Any

from catalog.errors import SelvedgeError


def read_artefact_file(folder: Path, family: str, known_format: int) -> dict[str, Any]:
    """`selvedge.json` of an artefact, its family and format checked; loads no weights.

    Raises:
        SelvedgeError: missing, unreadable, another family, or a format this code does not know.
    """
    file = folder / "selvedge.json"
    try:
        about: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise SelvedgeError(
            f"model {file} is missing or not JSON ({error}); give a folder written by `selvedge train`."
        ) from error
    named = about.get("family") if isinstance(about, dict) else None
    if named != family:
        raise SelvedgeError(f"model {folder} is of the family {named}, not {family}; give another folder.")
    if about.get("format") != known_format:
        raise SelvedgeError(
            f"model {folder} has format {about.get('format')}, this version reads {known_format}; update selvedge."
        )
    return about
