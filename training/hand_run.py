"""The record of a run that was trained by hand: what it is, and from what.

Belongs here: writing and reading `run.json` beside the artefact. Not here: the training, taking the run into a home
(orchestration/jobs/register.py), which may be on another machine.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from catalog.errors import SelvedgeError

RECORD_FILE = "run.json"
RECORD_FORMAT = 1


@dataclass(frozen=True)
class HandRun:
    """A finished run.

    Attributes:
        settings: plain data. catalog: the directory it learnt from. dataset_sha256: what its tables held.
        digest: of the artefact. parameters, history, result: as training gives them.
    """

    family: str
    settings: Mapping[str, Any]
    catalog: str
    dataset_sha256: str
    digest: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    history: Sequence[Mapping[str, Any]] = ()
    result: Mapping[str, Any] = field(default_factory=dict)


def write_run(folder: Path, run: HandRun) -> None:
    """Leave the record in the run's folder."""
    from catalog.files import publish_text  # with Pillow: not for a command that only names this module

    content = {"format": RECORD_FORMAT, **asdict(run)}
    publish_text(json.dumps(content, indent=1, sort_keys=True, default=str), folder / RECORD_FILE)


def read_run(folder: Path) -> HandRun:
    """The record of a run's folder, or of the artefact inside one.

    Raises:
        SelvedgeError: there is none, or it cannot be read.
    """
    file = next((path for path in (folder / RECORD_FILE, folder.parent / RECORD_FILE) if path.is_file()), None)
    if file is None:
        raise SelvedgeError(
            f"{folder} holds no {RECORD_FILE}; run the `selvedge train` that wrote it again with the same --config and "
            "--out: it takes up what is there and leaves the record."
        )
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content.pop("format") != RECORD_FORMAT:
            raise SelvedgeError(f"{file} was written by another version of Selvedge; train the run again.")
        return HandRun(**content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise SelvedgeError(f"{file} is damaged ({error}); run `selvedge train` again into the same folder.") from error
