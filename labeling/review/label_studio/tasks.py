"""The tasks of a project: read page by page, brought in exactly once.

Belongs here: pages of tasks, imports that survive a lost answer, a project that is gone. Not here: what a task holds
(labeling/review/rounds/tasks.py) and everything that is not a task (client.py).

Pages are asked for one by one: the SDK's own iteration asks for one page more than there is.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

from catalog.errors import SelvedgeError, ServiceUnavailable
from labeling.review.label_studio.connection import Connection, Refused
from labeling.review.label_studio.protocol import Progress, no_progress
from labeling.review.label_studio.records import key_of

if TYPE_CHECKING:
    from label_studio_sdk.base_client import LabelStudioBase
    from label_studio_sdk.core.request_options import RequestOptions

Content = TypeVar("Content")
BATCH_TASKS = 200
BATCH_BYTES = 8 * 1024 * 1024
PAGE_TASKS = 500
WORK_SECONDS = 180.0  # of a page, an import, a deletion
IMPORT_PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0, None)  # after a lost answer; None gives up


class ProjectGone(SelvedgeError):
    """The project is not there: it was deleted, or the server lost its database."""


class Tasks:
    """The tasks of every project of one server."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def gone(self, project: int) -> ProjectGone:
        return ProjectGone(
            f"project {project} is not in {self._connection.name} (it was deleted, or the server lost its database); "
            "ballots already pulled are kept, open a new round for the rest."
        )

    def page(
        self,
        project: int,
        number: int,
        size: int,
        fields: str,
        read: Callable[[Any], Content],
        *,
        newest_first: bool = False,
        annotations: bool = False,
    ) -> tuple[list[Content], int]:
        """What `read` makes of each task of one page, and how many tasks there are; ([], 0) behind the last page.

        Args:
            fields: those that are sent, with commas. annotations: tasks come with theirs.

        Raises:
            ProjectGone: the project was deleted.
        """
        order = "-tasks:updated_at" if newest_first else "tasks:id"

        def tasks(sdk: "LabelStudioBase", options: "RequestOptions") -> tuple[list[Content], int]:
            page = sdk.tasks.list(
                project=project,
                page=number,
                page_size=size,
                include=fields,
                query=f'{{"ordering": ["{order}"]}}',
                resolve_uri=False,
                fields="all" if annotations else None,
                request_options=options,
            ).response
            return [read(task) for task in page.tasks], int(page.total)

        try:
            return self._connection.ask(tasks, repeatable=True, answer_seconds=WORK_SECONDS)
        except Refused as refusal:
            if refusal.status != 404:
                raise
            if "page" not in refusal.detail:
                raise self.gone(project) from refusal
            return [], 0

    def all(
        self,
        project: int,
        fields: str,
        read: Callable[[Any], Content],
        progress: Progress = no_progress,
        *,
        annotations: bool = False,
        page_tasks: int | None = None,
    ) -> Iterator[Content]:
        """What `read` makes of every task, in the order of their ids."""
        done, number = 0, 1
        while True:
            tasks, total = self.page(project, number, page_tasks or PAGE_TASKS, fields, read, annotations=annotations)
            yield from tasks
            done, number = done + len(tasks), number + 1
            progress(done, max(done, total))
            if not tasks or done >= total:  # a server may give smaller pages than asked
                return

    def bring(
        self, project: int, tasks: Collection[Mapping[str, Any]], progress: Progress = no_progress
    ) -> dict[str, int]:
        """See `LabelStudio.import_tasks`."""
        stored = self._ids(project)
        seen: dict[str, None] = {}
        batch: list[dict[str, Any]] = []
        size = 0
        for task in tasks:
            key = _checked_key(task, seen)
            if key not in stored:
                batch.append({"data": dict(task), "meta": {"key": key}})
                size += sum(len(str(value)) for value in task.values())
            if len(batch) >= BATCH_TASKS or size >= BATCH_BYTES:
                self._bring_batch(project, batch)
                batch, size = [], 0
                progress(len(seen), len(tasks))
        if batch:
            self._bring_batch(project, batch)
        progress(len(seen), len(tasks))
        return self._each_once(project, seen)

    def raise_overlap(self, project: int, people: Mapping[str, int]) -> int:
        """See `LabelStudio.raise_overlap`."""

        def standing(task: Any) -> tuple[int, int, int]:
            return int(task.id), int(task.overlap), people.get(key_of(task.meta, task.data) or "", 0)

        stored = list(self.all(project, "id,meta,overlap", standing))
        lower = [(number, wanted) for number, overlap, wanted in stored if overlap < wanted]
        for number, wanted in lower:
            self._connection.ask(partial(_show_to, number, wanted), repeatable=True)
        return len(lower)

    def authors(self, task_id: int) -> dict[int, int | None]:
        """Who made each annotation of a task: user ids by annotation id."""
        return self._connection.ask(
            lambda sdk, options: {
                int(annotation.id): annotation.completed_by
                for annotation in sdk.annotations.list(task_id, request_options=options)
            },
            repeatable=True,
        )

    def _ids(self, project: int) -> dict[str, list[int]]:
        ids: dict[str, list[int]] = {}
        for key, number in self.all(project, "id,meta", lambda task: (key_of(task.meta, task.data), int(task.id))):
            if key is not None:
                ids.setdefault(key, []).append(number)
        return ids

    def _bring_batch(self, project: int, batch: list[dict[str, Any]]) -> None:
        for pause_seconds in IMPORT_PAUSES_SECONDS:
            try:
                self._connection.ask(partial(_import, project, batch), repeatable=False, answer_seconds=WORK_SECONDS)
                return
            except Refused as refusal:
                if refusal.status == 404:
                    raise self.gone(project) from refusal
                raise
            except ServiceUnavailable:  # AnswerLost as well
                if pause_seconds is None:
                    raise
                time.sleep(pause_seconds)
                # It was carried out or not: what is stored tells (and asking waits for a server that restarts).
                stored = self._ids(project)
                batch = [task for task in batch if task["meta"]["key"] not in stored]
                if not batch:
                    return

    def _each_once(self, project: int, keys: Iterable[str]) -> dict[str, int]:
        """Ids by key; a task that a late server has stored twice is removed again, the first stays."""
        ids = self._ids(project)
        for later in (number for numbers in ids.values() for number in sorted(numbers)[1:]):
            if not self.authors(later):  # nobody has voted on it yet
                delete(self._connection, partial(_delete, later))
        missing = [key for key in keys if key not in ids]
        if missing:
            raise ServiceUnavailable(
                f"{self._connection.name} has lost {len(missing)} tasks of project {project}; run again."
            )
        return {key: min(ids[key]) for key in keys}


def delete(connection: Connection, call: "Callable[[LabelStudioBase, RequestOptions], None]") -> None:
    """Carry out a call that deletes. What is gone already is no error."""
    try:
        connection.ask(call, repeatable=True, answer_seconds=WORK_SECONDS)
    except Refused as refusal:
        if refusal.status != 404:
            raise


def _import(project: int, batch: list[dict[str, Any]], sdk: "LabelStudioBase", options: "RequestOptions") -> None:
    sdk.projects.import_tasks(project, request=batch, request_options=options)


def _show_to(task_id: int, people: int, sdk: "LabelStudioBase", options: "RequestOptions") -> None:
    # The server decides that a task is finished when a vote comes in, and does not look again when its overlap changes.
    sdk.tasks.update(str(task_id), overlap=people, is_labeled=False, request_options=options)


def _delete(task_id: int, sdk: "LabelStudioBase", options: "RequestOptions") -> None:
    sdk.tasks.delete(str(task_id), request_options=options)


def _checked_key(task: Mapping[str, Any], seen: dict[str, None]) -> str:
    key = task.get("key")
    if not (isinstance(key, str) and key):
        raise SelvedgeError(f"task {len(seen) + 1} has no key; give every task an opaque one.")
    if key in seen:
        raise SelvedgeError(f"task key {key!r} is there twice; a task is known by its key alone.")
    seen[key] = None
    return key
