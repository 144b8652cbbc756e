"""What the life of a round asks of a review server: the interface that the real client and every fake follow.

Belongs here: the methods that opening, pulling, voting and drawing labels call, with their types. Not here: how they
are carried out (client.py). mypy holds `LabelStudio` to it; tests/labeling/review/label_studio/test_protocol.py the
fakes.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, Protocol

from labeling.review.label_studio.accounts import Credentials
from labeling.review.label_studio.records import Annotation, Counter, DrawnTask, Task

Progress = Callable[[int, int], None]  # done, total


def no_progress(done: int, total: int) -> None:
    """Reports to nobody."""


class BallotSource(Protocol):
    """Where ballots come from: what a sensor, a pull and asking again need."""

    def counter(self, project: int) -> Counter: ...

    def pull_annotations(self, project: int, progress: Progress = no_progress) -> list[Annotation]: ...

    def raise_overlap(self, project: int, people: Mapping[str, int]) -> int: ...


class ProjectServer(Protocol):
    """Where projects are made and filled."""

    def create_project(
        self,
        title: str,
        label_config: str,
        instructions: str,
        overlap: int,
        in_order: bool = False,
        may_skip: bool = False,
    ) -> int: ...

    def find_project(self, title: str) -> int | None: ...

    def delete_project(self, project: int) -> None: ...

    def project_url(self, project: int) -> str: ...

    def import_tasks(
        self, project: int, tasks: Collection[Mapping[str, Any]], progress: Progress = no_progress
    ) -> dict[str, int]: ...


class RoundServer(BallotSource, ProjectServer, Protocol):
    """Where a round is opened."""


class DrawingServer(ProjectServer, Protocol):
    """Where people draw labels on pictures."""

    def pull_drawings(self, project: int, progress: Progress = no_progress) -> Iterator[DrawnTask]: ...


class AnnotatorAccounts(Protocol):
    """Where annotators get their accounts."""

    def create_annotator(self, email: str, password: str | None = None) -> Credentials: ...

    def sign_in(self, email: str, password: str) -> Credentials: ...

    def account_of(self, email: str) -> int | None: ...


class Voting(Protocol):
    """What an annotator that is a program needs."""

    @property
    def user_id(self) -> int: ...

    def next_task(self, project: int) -> Task | None: ...

    def annotate(self, task_id: int, result: list[dict[str, Any]], lead_time_seconds: float | None = None) -> int: ...


class ReviewServer(RoundServer, AnnotatorAccounts, Voting, Protocol):
    """All of it: what `LabelStudio` is."""
