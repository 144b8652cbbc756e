"""Asking: a project in Label Studio with the chosen pictures. Run again, it goes on and makes no second one.

Belongs here: these steps. Not here: which pictures (choosing.py), the page (page.py), the record (request.py).

People see the standard copy of a picture, at most 512 pixels long, and label that: no generator here draws larger ones.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from catalog.errors import SelvedgeError
from catalog.pictures import Limits, StandardCopy, standard_copy
from catalog.quarantine import Rejection
from labeling.handsoff.choosing import read_picture
from labeling.handsoff.page import instructions, label_config, picture_task
from labeling.handsoff.request import (
    NAME_DIGITS,
    AskedPicture,
    LabelRequest,
    content_digest,
    read_request,
    write_request,
)
from labeling.review.label_studio.protocol import DrawingServer, no_progress
from labeling.review.label_studio.protocol import Progress as Uploading
from training.handsoff.pictures import Read

TITLE = "Labels"
LONGEST_TITLE = 50 - 1 - NAME_DIGITS  # Label Studio takes 50 characters, and the request's name stands behind it


@dataclass(frozen=True)
class AskedLabels:
    """A project that annotators can work on. resumed: it had been opened before."""

    request: LabelRequest
    link: str
    resumed: bool


def ask_for_labels(
    folder: Path,
    server: DrawingServer,
    selection: Sequence[tuple[str, Read]],
    classes: tuple[str, ...],
    title: str = TITLE,
    progress: Uploading = no_progress,
) -> AskedLabels:
    """Open a project for these pictures, or complete one whose opening was cut short; each picture is labelled once.

    Args:
        folder: where requests are kept. selection: names and readers, the most informative first.

    Raises:
        SelvedgeError: the title is too long; two pictures of one name; a picture that cannot be read, does not decode
            or changes meanwhile.
        ServiceUnavailable: Label Studio does not answer.
    """
    title = plain_title(title)
    sources = {_stem(name): (name, read) for name, read in selection}
    if len(sources) < len(selection):
        twice = next(name for name, _ in selection if sources[_stem(name)][0] != name)
        raise SelvedgeError(f"picture {twice} and another have one name but for the ending; rename one of them.")
    pictures = tuple(_asked(stem, _shown(*source)) for stem, source in sources.items())
    names = {picture.key: picture.name for picture in pictures}
    for picture in pictures:
        if names[picture.key] != picture.name:
            raise SelvedgeError(f"pictures {picture.name} and {names[picture.key]} are the same; take one of them out.")
    digest = content_digest(classes, pictures)
    earlier = read_request(folder, digest)
    name = earlier.title if earlier else f"{title} {digest[:NAME_DIGITS]}"
    opened = server.find_project(name)
    project = opened or _project(server, name, classes)
    request = LabelRequest(name, project, classes, pictures)
    if request != earlier:
        write_request(folder, request)
    server.import_tasks(project, _Uploads(sources, pictures), progress)
    return AskedLabels(request, server.project_url(project), opened is not None)


def plain_title(title: str) -> str:
    """The beginning of a project's title, without blanks around it.

    Raises:
        SelvedgeError: it is empty or too long.
    """
    title = title.strip()
    if not 1 <= len(title) <= LONGEST_TITLE:
        raise SelvedgeError(f"title {title!r} has {len(title)} characters; give 1 to {LONGEST_TITLE}.")
    return title


class _Uploads(Collection[dict[str, str]]):
    """The tasks of a request, made one at a time."""

    def __init__(self, sources: dict[str, tuple[str, Read]], pictures: Sequence[AskedPicture]) -> None:
        self._sources, self._pictures = sources, pictures

    def __len__(self) -> int:
        return len(self._pictures)

    def __contains__(self, task: object) -> bool:
        return isinstance(task, dict) and task.get("key") in {picture.key for picture in self._pictures}

    def __iter__(self) -> Iterator[dict[str, str]]:
        for picture in self._pictures:
            shown = _shown(*self._sources[picture.name])
            if shown.sha256 != picture.sha256:
                raise SelvedgeError(f"picture {picture.name} changed while it was asked about; run again.")
            yield picture_task(picture.key, shown.content)


def _shown(name: str, read: Read) -> StandardCopy:
    try:
        return standard_copy(read_picture(name, read), Limits())
    except Rejection as error:
        raise SelvedgeError(f"picture {name} cannot be shown ({error}); take it out or replace it.") from error


def _asked(stem: str, shown: StandardCopy) -> AskedPicture:
    return AskedPicture(stem, shown.sha256, shown.width, shown.height)


def _stem(name: str) -> str:
    return PurePosixPath(name).with_suffix("").as_posix()


def _project(server: DrawingServer, title: str, classes: Sequence[str]) -> int:
    """A new project; of two that were made at once the older."""
    made = server.create_project(
        title, label_config(classes), instructions(classes), overlap=1, in_order=True, may_skip=True
    )
    project = server.find_project(title) or made
    if project != made:
        server.delete_project(made)
    return project
