"""Label Studio as a round uses it: projects, tasks, annotators, ballots.

Belongs here: what is asked of a server. Not here: HTTP
(label_studio_connection.py), what comes back (label_studio_records.py), accounts (label_studio_accounts.py), the page
(label_page.py) and what a ballot means.

Facts this rests on, all seen with Label Studio 1.23.2 community: every account may read, edit and delete everything, so
nothing secret goes in, and a ballot's last editor comes out with it; the server keeps `updated_by` itself, while
`completed_by` is believed from the client; results are not checked against the page; a label config cannot change once
there are annotations, so a round is a project.
"""

import time
import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

from catalog.errors import SelvedgeError, ServiceUnavailable
from labeling.review.label_studio_accounts import Credentials, sign_in, sign_up
from labeling.review.label_studio_connection import PATIENCE_SECONDS, Connection, Refused
from labeling.review.label_studio_records import Annotation, Counter, Ping, Task, annotation_of, key_of

Progress = Callable[[int, int], None]  # done, total
TITLE_LENGTH = (3, 50)
BATCH_TASKS = 200
BATCH_BYTES = 8 * 1024 * 1024
PAGE_TASKS = 500
IMPORT_SECONDS = 180.0
IMPORT_PAUSES_SECONDS = (0.5, 1.0, 2.0, 4.0, None)  # after a lost answer; None gives up
# A page of tasks without their data: pictures would make a pull a thousand times larger.
ANNOTATION_FIELDS = "id,meta,annotations,result,completed_by,updated_by,lead_time,created_at,updated_at,was_cancelled"


class ProjectGone(SelvedgeError):
    """The project is not there: it was deleted, or the server lost its database."""


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
        self._me: int | None = None

    @property
    def url(self) -> str:
        return self._connection.url

    @property
    def requests_sent(self) -> int:
        return self._connection.requests

    def server_time(self) -> datetime:
        """Now on the server's clock; compare it, not ours, with an annotation's timestamps."""
        return self._connection.now()

    def ping(self) -> Ping:
        """Is it there, is it Label Studio, does it take the token?

        Raises:
            ServiceUnavailable: it does not answer. SelvedgeError: another program answers, or the token is refused.
        """
        try:
            version = self._connection.get("/api/version")
        except Refused as refusal:
            if refusal.status != 404:
                raise
            version = None
        if not (isinstance(version, Mapping) and "label-studio-os-package" in version):
            raise SelvedgeError(
                f"{self._name}: what answers there is not Label Studio; correct the address or the port."
            )
        me = self._connection.get("/api/current-user/whoami")
        self._me = int(me["id"])
        return Ping(str(version.get("release", "")), self._me, str(me["email"]), self._connection.server_ahead)

    # Projects

    def create_project(self, title: str, label_config: str, instructions: str, overlap: int) -> int:
        """A new project; its id.

        Args:
            label_config: see label_page.py. instructions: HTML, behind a button of the page.
            overlap: how many different people get each task.

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
        body = {
            "title": title,
            "label_config": label_config,
            "expert_instruction": instructions,
            "show_instruction": False,
            "maximum_annotations": overlap,
            "sampling": "Uniform sampling",
            "show_skip_button": False,
            "enable_empty_annotation": False,
            "show_annotation_history": False,
            "show_collab_predictions": False,
            "show_ground_truth_first": False,
        }
        return int(self._connection.call("POST", "/api/projects/", repeatable=False, body=body)["id"])

    def find_project(self, title: str) -> int | None:
        """The oldest project with exactly this title: what a restarted opening looks for."""
        answer = self._connection.get("/api/projects/", title=title.strip(), include="id,title", page_size=1000)
        found = [int(one["id"]) for one in answer["results"] if one["title"] == title.strip()]
        return min(found, default=None)

    def delete_project(self, project: int) -> None:
        """Delete it with its tasks and annotations. One that is gone already is no error."""
        self._delete(f"/api/projects/{project}/")

    def project_url(self, project: int) -> str:
        """The link an annotator opens."""
        return f"{self.url}/projects/{project}/data?labeling=1"

    def counter(self, project: int) -> Counter:
        """How much there is and when it last changed, in two requests: 0.1 s at 2,000 tasks and 6,000 annotations.

        Raises:
            ProjectGone: it was deleted.
        """
        wanted = "id,task_number,finished_task_number,total_annotations_number"
        results = self._connection.get("/api/projects/counts/", ids=project, include=wanted)["results"]
        if not results:
            raise self._gone(project)
        newest = self._tasks_page(project, 1, 1, "id,updated_at", newest_first=True)["tasks"]
        return Counter(
            int(results[0]["task_number"] or 0),
            int(results[0]["finished_task_number"] or 0),
            int(results[0]["total_annotations_number"] or 0),
            datetime.fromisoformat(newest[0]["updated_at"]) if newest else None,
        )

    # Tasks

    def import_tasks(
        self,
        project: int,
        tasks: Collection[Mapping[str, Any]],
        progress: Progress = lambda done, total: None,
    ) -> dict[str, int]:
        """Bring every task into the project exactly once; task ids by key.

        A task is what the page shows plus `key`, an opaque name of ours. What is there already is not sent again, so a
        call that was killed is simply repeated. `tasks` is gone through once and never held: give a lazy collection.

        Raises:
            SelvedgeError: a task without a key, a key twice, or a task that does not fit the page.
            ProjectGone: the project was deleted.
        """
        there = self._task_ids(project)
        seen: dict[str, None] = {}
        batch: list[dict[str, Any]] = []
        size = 0
        for task in tasks:
            key = _checked_key(task, seen)
            if key not in there:
                batch.append({"data": dict(task), "meta": {"key": key}})
                size += sum(len(str(value)) for value in task.values())
            if len(batch) >= BATCH_TASKS or size >= BATCH_BYTES:
                self._import_batch(project, batch)
                batch, size = [], 0
                progress(len(seen), len(tasks))
        if batch:
            self._import_batch(project, batch)
        progress(len(seen), len(tasks))
        return self._each_once(project, seen)

    def task_keys(self, project: int) -> dict[str, int]:
        """Task ids by key, of the tasks that carry one.

        Raises:
            ProjectGone: the project was deleted.
        """
        return {key: min(ids) for key, ids in self._task_ids(project).items()}

    def next_task(self, project: int) -> Task | None:
        """The next task for this user; None when nothing is left.

        Raises:
            ProjectGone: the project was deleted.
        """
        try:
            found = self._connection.get(f"/api/projects/{project}/next/")
        except Refused as refusal:
            if refusal.status != 404:
                raise
            if "no tasks" in refusal.detail:
                return None
            raise self._gone(project) from refusal
        return Task(int(found["id"]), key_of(found), found["data"])

    # Annotations

    def annotate(self, task_id: int, result: list[dict[str, Any]], lead_time_seconds: float | None = None) -> int:
        """Answer a task as this user; the annotation's id. A repeated request is recognised, so no vote counts twice.

        Args:
            result: see label_page.ballot_result.

        Raises:
            SelvedgeError: the task is gone.
        """
        body = {"result": result, "lead_time": lead_time_seconds, "unique_id": str(uuid.uuid4())}
        place = f"/api/tasks/{task_id}/annotations/"
        try:
            return int(self._connection.call("POST", place, repeatable=True, body=body)["id"])
        except Refused as refusal:
            if refusal.status == 404:
                raise SelvedgeError(
                    f"task {task_id} is not in {self._name} any more; ask for the next one."
                ) from refusal
            if refusal.status != 409:
                raise
        # 409: an earlier try, whose answer was lost, had been carried out.
        mine = [one["id"] for one in self._connection.get(place) if one["completed_by"] == self._my_id()]
        return int(max(mine))

    def correct(self, annotation_id: int, result: list[dict[str, Any]]) -> None:
        """Replace the result of an annotation, in this user's name; `updated_by` tells who did.

        Raises:
            SelvedgeError: the annotation is gone.
        """
        try:
            self._connection.call(
                "PATCH", f"/api/annotations/{annotation_id}/", repeatable=True, body={"result": result}
            )
        except Refused as refusal:
            if refusal.status != 404:
                raise
            raise SelvedgeError(f"annotation {annotation_id} is not in {self._name} any more.") from refusal

    def pull_annotations(self, project: int, progress: Progress = lambda done, total: None) -> list[Annotation]:
        """Every annotation of the project, by id. Reads only; pulling twice gives the same.

        Pages go by task, and the tasks of a round do not change, so an annotation that arrives meanwhile is in this
        pull or in the next, never lost between two pages.

        Raises:
            ProjectGone: the project was deleted.
        """
        raters = {int(user["id"]): str(user["email"]) for user in self._connection.get("/api/users/")}
        found: dict[int, Annotation] = {}
        for task in self._tasks(project, ANNOTATION_FIELDS, progress, annotations=True):
            for one in task["annotations"]:
                found[int(one["id"])] = annotation_of(one, task, raters)
        return [found[number] for number in sorted(found)]

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

    # How it is asked

    @property
    def _name(self) -> str:
        return self._connection.name

    def _my_id(self) -> int:
        if self._me is None:
            self._me = int(self._connection.get("/api/current-user/whoami")["id"])
        return self._me

    def _gone(self, project: int) -> ProjectGone:
        return ProjectGone(
            f"project {project} is not in {self._name} (it was deleted, or the server lost its database); ballots "
            "already pulled are kept, open a new round for the rest."
        )

    def _delete(self, place: str) -> None:
        try:
            self._connection.call("DELETE", place, repeatable=True, answer_seconds=IMPORT_SECONDS)
        except Refused as refusal:
            if refusal.status != 404:
                raise

    def _tasks_page(
        self, project: int, page: int, size: int, fields: str, newest_first: bool = False, annotations: bool = False
    ) -> Any:
        order = "-tasks:updated_at" if newest_first else "tasks:id"
        query: dict[str, Any] = {
            "project": project,
            "page": page,
            "page_size": size,
            "include": fields,
            "query": f'{{"ordering": ["{order}"]}}',
            "resolve_uri": "false",
        }
        if annotations:
            query["fields"] = "all"
        try:
            return self._connection.call(
                "GET", "/api/tasks/", repeatable=True, params=query, answer_seconds=IMPORT_SECONDS
            )
        except Refused as refusal:
            if refusal.status == 404 and "page" not in refusal.detail:
                raise self._gone(project) from refusal
            if refusal.status == 404:
                return {"tasks": [], "total": 0}
            raise

    def _tasks(
        self,
        project: int,
        fields: str,
        progress: Progress = lambda done, total: None,
        annotations: bool = False,
    ) -> Iterator[Any]:
        done, page = 0, 1
        while True:
            answer = self._tasks_page(project, page, PAGE_TASKS, fields, annotations=annotations)
            yield from answer["tasks"]
            done, page = done + len(answer["tasks"]), page + 1
            progress(done, max(done, int(answer["total"])))
            if not answer["tasks"] or done >= int(answer["total"]):  # a server may give smaller pages than asked
                return

    def _task_ids(self, project: int) -> dict[str, list[int]]:
        ids: dict[str, list[int]] = {}
        for task in self._tasks(project, "id,meta"):
            key = key_of(task)
            if key is not None:
                ids.setdefault(key, []).append(int(task["id"]))
        return ids

    def _import_batch(self, project: int, batch: list[dict[str, Any]]) -> None:
        place = f"/api/projects/{project}/import"
        for pause_seconds in IMPORT_PAUSES_SECONDS:
            try:
                self._connection.call("POST", place, repeatable=False, body=batch, answer_seconds=IMPORT_SECONDS)
                return
            except Refused as refusal:
                if refusal.status == 404:
                    raise self._gone(project) from refusal
                raise
            except ServiceUnavailable:  # AnswerLost as well
                if pause_seconds is None:
                    raise
                time.sleep(pause_seconds)
                # It was carried out or not: what is there tells (and waits for a server that restarts).
                there = self._task_ids(project)
                batch = [task for task in batch if task["meta"]["key"] not in there]
                if not batch:
                    return

    def _each_once(self, project: int, keys: Iterable[str]) -> dict[str, int]:
        """Ids by key; a task that a late server has stored twice is removed again, the first stays."""
        ids = self._task_ids(project)
        for later in (number for found in ids.values() for number in sorted(found)[1:]):
            place = f"/api/tasks/{later}/"
            if not self._connection.get(f"{place}annotations/"):  # nobody has voted on it yet
                self._delete(place)
        missing = [key for key in keys if key not in ids]
        if missing:
            raise ServiceUnavailable(f"{self._name} has lost {len(missing)} tasks of project {project}; run again.")
        return {key: min(ids[key]) for key in keys}


def _checked_key(task: Mapping[str, Any], seen: dict[str, None]) -> str:
    key = task.get("key")
    if not (isinstance(key, str) and key):
        raise SelvedgeError(f"task {len(seen) + 1} has no key; give every task an opaque one.")
    if key in seen:
        raise SelvedgeError(f"task key {key!r} is there twice; a task is known by its key alone.")
    seen[key] = None
    return key
