"""Label Studio as a round uses it: projects, tasks, annotators, ballots.

Belongs here: what is asked of a server. Not here: HTTP and what may be repeated (connection.py), pages of tasks and
imports (tasks.py), accounts (accounts.py), what comes back (records.py), the page (label_page.py).

Facts this rests on, all seen with Label Studio 1.23.2 community: every account may read, edit and delete everything, so
nothing secret goes in, and a ballot's last editor comes out with it; the server keeps `updated_by` itself, while
`completed_by` is believed from the client; results are not checked against the page; a label config cannot change once
there are annotations, so a round is a project; of a project with uniform sampling the next task is drawn at random at
every request, one that somebody has begun before a new one, so what comes early knows nothing of the pairs.

The SDK's models are built without validation, so what counts is converted inside the call that reads it.
"""

import uuid
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from catalog.errors import SelvedgeError
from labeling.review.label_studio.accounts import Credentials, emails, sign_in, sign_up, whoami
from labeling.review.label_studio.connection import PATIENCE_SECONDS, Connection, Refused
from labeling.review.label_studio.protocol import DrawingServer, Progress, ReviewServer, no_progress
from labeling.review.label_studio.records import (
    Annotation,
    Counter,
    DrawnTask,
    Ping,
    Task,
    annotation_of,
    author_of,
    drawing_of,
    key_of,
)
from labeling.review.label_studio.tasks import Tasks, delete

if TYPE_CHECKING:
    from label_studio_sdk.base_client import LabelStudioBase
    from label_studio_sdk.core.request_options import RequestOptions

TITLE_LENGTH = (3, 50)
# A page of tasks without their data: pictures would make a pull a thousand times larger.
ANNOTATION_FIELDS = "id,meta,annotations,result,completed_by,updated_by,lead_time,created_at,updated_at,was_cancelled"
DRAWN_TASKS = 10  # of a page: pictures and painted regions are large


class LabelStudio:
    """A Label Studio server, as one of its users.

    Args:
        url: its address. token: a legacy token or a personal access token.
        patience_seconds: how long it may be away (restarting, busy) before a call gives up.

    Raises:
        SelvedgeError: the address or the token cannot be one. No request is made before the first method is called.
    """

    def __init__(self, url: str, token: str, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._connection = Connection(url, token, patience_seconds)
        self._tasks = Tasks(self._connection)
        self._me: int | None = None

    @property
    def url(self) -> str:
        return self._connection.url

    @property
    def requests_sent(self) -> int:
        return self._connection.requests

    def ping(self) -> Ping:
        """Is it there, is it Label Studio, does it take the token?

        Raises:
            ServiceUnavailable: it does not answer. SelvedgeError: another program answers, or the token is refused.
        """
        try:
            release = self._connection.ask(_release, repeatable=True)
        except Refused as refusal:
            if refusal.status != 404:
                raise
            release = None
        if release is None:
            raise SelvedgeError(
                f"{self._name}: what answers there is not Label Studio; correct the address or the port."
            )
        self._me, email = self._connection.ask(whoami, repeatable=True)
        return Ping(release, self._me, email, self._connection.server_ahead)

    # Projects

    def create_project(
        self,
        title: str,
        label_config: str,
        instructions: str,
        overlap: int,
        in_order: bool = False,
        may_skip: bool = False,
    ) -> int:
        """A new project; its id.

        Args:
            label_config: see label_page.py. instructions: HTML, behind a button of the page.
            overlap: how many different people get each task. in_order: tasks come as they were brought, not at random.
            may_skip: the page has a button for a task that cannot be answered.

        Raises:
            SelvedgeError: the title is shorter than 3 or longer than 50 characters, or the server refuses the config.
            AnswerLost: it may or may not have been made; `find_project` tells.
        """
        title = title.strip()
        shortest, longest = TITLE_LENGTH
        if not shortest <= len(title) <= longest:
            raise SelvedgeError(
                f"project title {title!r} has {len(title)} characters; Label Studio takes {shortest} to {longest}."
            )
        if overlap < 1:
            raise SelvedgeError(f"an overlap of {overlap} asks nobody; give at least 1.")
        return self._connection.ask(
            lambda sdk, options: int(
                sdk.projects.create(
                    title=title,
                    label_config=label_config,
                    expert_instruction=instructions,
                    show_instruction=False,
                    maximum_annotations=overlap,
                    sampling="Sequential sampling" if in_order else "Uniform sampling",
                    show_skip_button=may_skip,
                    enable_empty_annotation=False,
                    show_annotation_history=False,
                    show_collab_predictions=False,
                    show_ground_truth_first=False,
                    request_options=options,
                ).id
            ),
            repeatable=False,
        )

    def find_project(self, title: str) -> int | None:
        """The oldest project with exactly this title: what a restarted opening looks for."""
        title = title.strip()

        def numbers(sdk: "LabelStudioBase", options: "RequestOptions") -> list[int]:
            page = sdk.projects.list(title=title, include="id,title", page_size=1000, request_options=options)
            return [int(project.id) for project in page.items or [] if project.title == title]

        return min(self._connection.ask(numbers, repeatable=True), default=None)

    def delete_project(self, project: int) -> None:
        """Delete it with its tasks and annotations. One that is gone already is no error."""
        delete(self._connection, lambda sdk, options: sdk.projects.delete(project, request_options=options))

    def project_url(self, project: int) -> str:
        """The link an annotator opens."""
        return f"{self.url}/projects/{project}/data?labeling=1"

    def counter(self, project: int) -> Counter:
        """How much there is and when it last changed, in two requests: 0.1 s at 2,000 tasks and 6,000 annotations.

        Raises:
            ProjectGone: it was deleted.
        """
        fields = "id,task_number,finished_task_number,total_annotations_number"

        def counts(sdk: "LabelStudioBase", options: "RequestOptions") -> list[tuple[int, int, int]]:
            rows = sdk.projects.list_counts(ids=str(project), include=fields, request_options=options).results
            return [
                (int(row.task_number or 0), int(row.finished_task_number or 0), int(row.total_annotations_number or 0))
                for row in rows
            ]

        def change(task: Any) -> datetime:
            if not isinstance(task.updated_at, datetime):
                raise ValueError(f"task {task.id} changed at {task.updated_at!r}")
            return task.updated_at

        numbers = self._connection.ask(counts, repeatable=True)
        if not numbers:
            raise self._tasks.gone(project)
        newest, _ = self._tasks.page(project, 1, 1, "id,updated_at", change, newest_first=True)
        return Counter(*numbers[0], newest[0] if newest else None)

    # Tasks

    def import_tasks(
        self, project: int, tasks: Collection[Mapping[str, Any]], progress: Progress = no_progress
    ) -> dict[str, int]:
        """Bring every task into the project exactly once; task ids by key.

        A task is what the page shows plus `key`, an opaque name of ours. What is there already is not sent again, so a
        call that was killed is simply repeated. `tasks` is gone through once and never held: give a lazy collection.

        Raises:
            SelvedgeError: a task without a key, a key twice, or a task that does not fit the page.
            ProjectGone: the project was deleted.
        """
        return self._tasks.bring(project, tasks, progress)

    def raise_overlap(self, project: int, people: Mapping[str, int]) -> int:
        """Show tasks to as many different people as given; how many were shown to fewer before.

        Args:
            people: by the task's key. A task that is shown to as many already is left as it is, so a call that was
                killed is simply repeated.

        Raises:
            ProjectGone: the project was deleted.
        """
        return self._tasks.raise_overlap(project, people)

    def next_task(self, project: int) -> Task | None:
        """The next task for this user; None when nothing is left.

        Raises:
            ProjectGone: the project was deleted.
        """
        try:
            return self._connection.get(f"/api/projects/{project}/next/", _task)
        except Refused as refusal:
            if refusal.status != 404:
                raise
            if "no tasks" in refusal.detail:
                return None
            raise self._tasks.gone(project) from refusal

    # Annotations

    def annotate(self, task_id: int, result: list[dict[str, Any]], lead_time_seconds: float | None = None) -> int:
        """Answer a task as this user; the annotation's id. A repeated request is recognised, so no vote counts twice.

        Args:
            result: see label_page.ballot_result.

        Raises:
            SelvedgeError: the task is gone.
        """
        unique_id = str(uuid.uuid4())
        try:
            return self._connection.ask(
                lambda sdk, options: int(
                    sdk.annotations.create(
                        task_id,
                        result=result,
                        lead_time=lead_time_seconds,
                        unique_id=unique_id,
                        request_options=options,
                    ).id
                ),
                repeatable=True,
            )
        except Refused as refusal:
            if refusal.status == 404:
                raise SelvedgeError(
                    f"task {task_id} is not in {self._name} any more; ask for the next one."
                ) from refusal
            if refusal.status != 409:
                raise
        # 409: an earlier try, whose answer was lost, had been carried out.
        me = self._my_id()
        return max(number for number, author in self._tasks.authors(task_id).items() if author == me)

    def correct(self, annotation_id: int, result: list[dict[str, Any]]) -> None:
        """Replace the result of an annotation, in this user's name; `updated_by` tells who did.

        Raises:
            SelvedgeError: the annotation is gone.
        """
        try:
            self._connection.ask(
                lambda sdk, options: sdk.annotations.update(annotation_id, result=result, request_options=options),
                repeatable=True,
            )
        except Refused as refusal:
            if refusal.status != 404:
                raise
            raise SelvedgeError(f"annotation {annotation_id} is not in {self._name} any more.") from refusal

    def pull_annotations(self, project: int, progress: Progress = no_progress) -> list[Annotation]:
        """Every annotation of the project, by id. Reads only; pulling twice gives the same.

        Pages go by task, and the tasks of a round do not change, so an annotation that arrives meanwhile is in this
        pull or in the next, never lost between two pages.

        Raises:
            ProjectGone: the project was deleted.
        """
        raters = self._connection.ask(emails, repeatable=True)

        def of_task(task: Any) -> list[Annotation]:
            task_id, key = int(task.id), key_of(task.meta, task.data)
            return [annotation_of(row, task_id, key, raters.get(author_of(row), "")) for row in task.annotations or []]

        pages = self._tasks.all(project, ANNOTATION_FIELDS, of_task, progress, annotations=True)
        annotations = {annotation.annotation_id: annotation for task in pages for annotation in task}
        return [annotations[number] for number in sorted(annotations)]

    def pull_drawings(self, project: int, progress: Progress = no_progress) -> Iterator[DrawnTask]:
        """Every task of the project with its picture and what was drawn on it, by id. Reads only.

        Raises:
            ProjectGone: the project was deleted.
        """

        def of_task(task: Any) -> DrawnTask:
            return DrawnTask(key_of(task.meta, task.data), task.data, tuple(map(drawing_of, task.annotations or ())))

        fields = f"data,{ANNOTATION_FIELDS}"
        return self._tasks.all(project, fields, of_task, progress, annotations=True, page_tasks=DRAWN_TASKS)

    # People

    def create_annotator(self, email: str, password: str | None = None) -> Credentials:
        """An account for one annotator, who submits with Enter.

        Args:
            password: at least 8 characters; drawn when not given. Store it before the call, and an account whose
                credentials were lost in a crash can still be used through `sign_in`.

        Raises:
            AnnotatorExists: the e-mail has an account. SelvedgeError: the e-mail or the password cannot be one.
        """
        return sign_up(self._connection, email, password)

    def sign_in(self, email: str, password: str) -> Credentials:
        """The credentials of an account that exists.

        Raises:
            SelvedgeError: the server does not know this e-mail with this password.
        """
        return sign_in(self._connection, email, password)

    def account_of(self, email: str) -> int | None:
        """The number of the account with this e-mail; None where there is none."""
        email = email.strip().lower()
        accounts = self._connection.ask(emails, repeatable=True)
        return next((number for number, address in accounts.items() if address.lower() == email), None)

    @property
    def user_id(self) -> int:
        """The number of this user's own account."""
        return self._my_id()

    # What it needs itself

    @property
    def _name(self) -> str:
        return self._connection.name

    def _my_id(self) -> int:
        if self._me is None:
            self._me, _ = self._connection.ask(whoami, repeatable=True)
        return self._me


def _release(sdk: "LabelStudioBase", options: "RequestOptions") -> str | None:
    """The version of a server; None when it is no Label Studio."""
    version = sdk.versions.get(request_options=options)
    return str(version.release) if version.label_studio_os_package else None


def _task(body: Any) -> Task:
    return Task(int(body["id"]), key_of(body.get("meta"), body["data"]), body["data"])


def _follows_the_protocol(client: LabelStudio) -> tuple[ReviewServer, DrawingServer]:
    return client, client  # mypy's proof; never called
