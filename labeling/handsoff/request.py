"""Requests for labels: which classes were asked for on which pictures, kept in the home beside no picture.

Belongs here: the record and its file. Not here: opening the project (asking.py), reading what was drawn
(collecting.py).

A request is named by the hash of its content, so the same pictures and classes are one request, and its project one.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from catalog.errors import SelvedgeError
from catalog.files import json_sha256, publish_text

FORMAT = 1
NAME_DIGITS, KEY_DIGITS = 8, 32


@dataclass(frozen=True)
class AskedPicture:
    """A picture as it is shown. name: below the source, without its ending. sha256: of the shown file, in hex."""

    name: str
    sha256: str
    width: int
    height: int

    @property
    def key(self) -> str:
        """What its task is called in Label Studio."""
        return self.sha256[:KEY_DIGITS]


@dataclass(frozen=True)
class LabelRequest:
    """What people were asked for. title: of the project in Label Studio; project: its number there."""

    title: str
    project: int
    classes: tuple[str, ...]
    pictures: tuple[AskedPicture, ...]

    @property
    def digest(self) -> str:
        """Hex sha256 of classes and pictures."""
        return content_digest(self.classes, self.pictures)


def content_digest(classes: tuple[str, ...], pictures: tuple[AskedPicture, ...]) -> str:
    """Hex sha256 that names a request."""
    return json_sha256([FORMAT, list(classes), [vars(picture) for picture in pictures]])


def write_request(folder: Path, request: LabelRequest) -> None:
    """Keep a request, in place of an earlier record of the same.

    Raises:
        SelvedgeError: the disk is full or not writable.
    """
    about = {"format": FORMAT, "digest": request.digest, "title": request.title, "project": request.project}
    content = {"classes": list(request.classes), "pictures": [vars(picture) for picture in request.pictures]}
    publish_text(json.dumps(about | content, indent=1) + "\n", _file(folder, request.digest))


def read_request(folder: Path, digest: str) -> LabelRequest | None:
    """The record of a request; None where it was never made.

    Raises:
        SelvedgeError: it is damaged.
    """
    file = _file(folder, digest)
    return _read(file) if file.is_file() else None


def request_of(folder: Path, project: int | None) -> LabelRequest:
    """The request of a project; without a number, of the only one.

    Raises:
        SelvedgeError: there is none, or there are several and no number; or a record is damaged.
    """
    requests = sorted((_read(file) for file in folder.glob("*.json")), key=lambda request: request.project)
    fitting = [request for request in requests if project in (None, request.project)]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        of = "" if project is None else f" in project {project}"
        raise SelvedgeError(f"nobody was asked for labels{of}; `selvedge handsoff ask` opens a project.")
    named = "; ".join(f"{request.project}: {request.title}" for request in fitting)
    raise SelvedgeError(f"labels were asked for in several projects ({named}); name one with --project.")


def _file(folder: Path, digest: str) -> Path:
    return folder / f"{digest[:NAME_DIGITS]}.json"


def _read(file: Path) -> LabelRequest:
    try:
        about: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        pictures = tuple(AskedPicture(**picture) for picture in about["pictures"])
        request = LabelRequest(str(about["title"]), int(about["project"]), tuple(about["classes"]), pictures)
        sound = about["format"] == FORMAT and about["digest"] == request.digest
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SelvedgeError(f"{file} cannot be read ({error}); ask for the same labels again.") from error
    if not sound:
        raise SelvedgeError(f"{file} does not match its own hash; take it away and ask for the same labels again.")
    return request
