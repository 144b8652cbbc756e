"""Opening a round of picks: register what is shown, make the project, upload the tasks. Run again, it goes on.

Belongs here: these steps. Not here: which requests there are (orchestration/), the page (page.py).

A round is named by its drop and by what it shows, so the same ads give the same round again, and ads that were made
anew another one. Everything that can be refused is refused before the ledger is written.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from catalog.errors import SelvedgeError
from catalog.files import json_sha256
from catalog.stores import stored_bytes
from labeling.review.label_studio.protocol import RoundServer
from labeling.review.ledger.picks import PickRound, PickTask, ShownPicture
from labeling.review.pairs.blinding import new_key
from labeling.review.picks.blinding import page_order, public_title, task_key
from labeling.review.picks.page import GUIDELINES, pick_config, pick_task
from labeling.review.rounds.progress import Progress, named, silent

if TYPE_CHECKING:
    from labeling.review.ledger.ledger import Ledger

DROP_LETTERS, NAME_DIGITS = 40, 6


@dataclass(frozen=True)
class PickRequest:
    """A request whose pictures people choose from. pictures: best first, one to three."""

    request: str
    product_id: int | None
    pictures: tuple[ShownPicture, ...]


@dataclass(frozen=True)
class OpenedPicks:
    """A round that annotators can work on. resumed: it had been opened before."""

    round: PickRound
    link: str
    tasks: int
    resumed: bool


def open_picks(
    ledger: "Ledger",
    server: RoundServer,
    drop: str,
    requests: Sequence[PickRequest],
    overlap: int = 1,
    progress: Progress = silent,
) -> OpenedPicks:
    """Open a round of picks, or complete one whose opening was cut short.

    Args:
        overlap: people asked for each request.

    Raises:
        SelvedgeError: there are no requests, or a picture is gone or was changed.
        ServiceUnavailable: Label Studio does not answer.
    """
    if not requests:
        raise SelvedgeError(f"drop {drop} has no ads to pick from; materialise inference/ad_images for it first.")
    round_id = round_name(drop, requests)
    registered = ledger.picks.find_round(round_id)
    if registered is None:
        key = new_key()
        tasks = [_task(key, round_id, request) for request in requests]
        for task in tasks:
            pick_task(task.task_key, _pictures(task))
        registered, resumed = ledger.picks.open_round(round_id, drop, key, tasks)
    else:
        resumed = True
    uploads = PickUploads(ledger.picks.tasks(round_id))
    project = _project(server, registered, len(uploads), overlap)
    if server.counter(project).tasks < len(uploads):
        server.import_tasks(project, uploads, named(progress, "uploading"))
    return OpenedPicks(registered, server.project_url(project), len(uploads), resumed)


def round_name(drop: str, requests: Sequence[PickRequest]) -> str:
    """Of the round of these pictures."""
    shown = sorted((request.request, sorted(p.sha256 for p in request.pictures)) for request in requests)
    return f"picks-{drop[:DROP_LETTERS]}-{json_sha256(shown)[:NAME_DIGITS]}"


class PickUploads(Collection[dict[str, str]]):
    """The payloads of a round, made one at a time, in the order of their opaque keys."""

    def __init__(self, tasks: dict[str, PickTask]) -> None:
        self._tasks = tasks

    def __len__(self) -> int:
        return len(self._tasks)

    def __contains__(self, payload: object) -> bool:
        return isinstance(payload, dict) and payload.get("key") in self._tasks

    def __iter__(self) -> Iterator[dict[str, str]]:
        """Raises: SelvedgeError: a picture is gone, or is not what was registered."""
        for key in sorted(self._tasks):
            yield pick_task(key, _pictures(self._tasks[key]))


def _task(key: bytes, round_id: str, request: PickRequest) -> PickTask:
    by_sha256 = {picture.sha256: picture for picture in request.pictures}
    order = page_order(key, round_id, request.request, list(by_sha256))
    name = task_key(key, round_id, request.request)
    return PickTask(name, request.request, request.product_id, tuple(by_sha256[sha256] for sha256 in order))


def _pictures(task: PickTask) -> list[str]:
    import hashlib

    from labeling.review.pairs.rendering import picture_uri

    uris = []
    for picture in task.shown:
        try:
            content = stored_bytes(picture.uri)
        except OSError as error:
            raise SelvedgeError(f"the ad {picture.uri} is gone; materialise inference/ad_images again.") from error
        if hashlib.sha256(content).hexdigest() != picture.sha256:
            raise SelvedgeError(f"the ad {picture.uri} was changed since it was made; make the ads of the drop again.")
        uris.append(picture_uri(content, f"request {task.request}"))
    return uris


def _project(server: RoundServer, registered: PickRound, requests: int, overlap: int) -> int:
    """The round's project: the one there is, else a new one; of two that were made at once the older."""
    title = public_title(registered.key, registered.round_id)
    project = server.find_project(title)
    if project is not None:
        return project
    made = server.create_project(title, pick_config(requests), GUIDELINES, overlap)
    project = server.find_project(title) or made
    if project != made:
        server.delete_project(made)
    return project
