"""Label Studio on paper: projects, tasks and annotations in dictionaries, for tests of what a round asks of it.

Belongs here: the methods that opening and pulling call (protocol.RoundServer). Not here: HTTP and accounts, which only
the real one shows (tests/e2e/test_label_studio.py, tests/e2e/test_round_killed.py).
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from labeling.review.label_studio import ProjectGone
from labeling.review.label_studio.protocol import Progress, no_progress
from labeling.review.label_studio.records import Annotation, Counter
from labeling.review.rounds.compared import Compared
from labeling.review.rounds.contest import Contest
from tests.labeling.review import rounds_for_tests as drawn


@dataclass
class PaperStudio:
    """One server.

    Attributes:
        projects: titles by id. tasks: keys by project. held: annotations by project. overlap: people by task's key,
            of tasks that were raised, by project.
        rival: called when a project is asked for, before it is made.
    """

    projects: dict[int, str] = field(default_factory=dict)
    tasks: dict[int, list[str]] = field(default_factory=dict)
    held: dict[int, list[Annotation]] = field(default_factory=dict)
    overlap: dict[int, dict[str, int]] = field(default_factory=dict)
    rival: Callable[[str], None] = lambda title: None
    made: int = 0

    def counter(self, project: int) -> Counter:
        self._refuse_unknown(project)
        return Counter(len(self.tasks[project]), 0, len(self.held.get(project, [])), None)

    def create_project(
        self,
        title: str,
        label_config: str,
        instructions: str,
        overlap: int,
        in_order: bool = False,
        may_skip: bool = False,
    ) -> int:
        self.rival(title)
        return self.new_project(title)

    def new_project(self, title: str) -> int:
        self.made += 1
        self.projects[self.made], self.tasks[self.made] = title, []
        return self.made

    def find_project(self, title: str) -> int | None:
        return min((number for number, name in self.projects.items() if name == title), default=None)

    def delete_project(self, project: int) -> None:
        self.projects.pop(project, None)
        self.tasks.pop(project, None)

    def project_url(self, project: int) -> str:
        return f"http://paper/{project}"

    def import_tasks(
        self, project: int, tasks: Collection[Mapping[str, Any]], progress: Progress = no_progress
    ) -> dict[str, int]:
        self._refuse_unknown(project)
        stored = self.tasks[project]
        stored += [task["key"] for task in tasks if task["key"] not in stored]
        return {key: number for number, key in enumerate(stored, 1)}

    def pull_annotations(self, project: int, progress: Progress = no_progress) -> list[Annotation]:
        self._refuse_unknown(project)
        return list(self.held.get(project, []))

    def raise_overlap(self, project: int, people: Mapping[str, int]) -> int:
        self._refuse_unknown(project)
        before = self.overlap.setdefault(project, {})
        raised = {key: number for key, number in people.items() if before.get(key, 0) < number}
        before |= raised
        return len(raised)

    def _refuse_unknown(self, project: int) -> None:
        if project not in self.projects:
            raise ProjectGone(f"project {project} is not in Label Studio at paper; ballots already pulled are kept.")


@dataclass(frozen=True)
class PaperContest(Contest):
    """Two versions that nobody can ask anything; a test that compares them puts its own tables in place of this."""

    def compare(self, kind: Any, progress: Any = None) -> Compared:
        raise AssertionError("what both versions say is drawn")


def paper_contest(opponent_version: str = "3") -> PaperContest:
    """The versions that `rounds_for_tests.plan` names."""
    plan = drawn.plan()
    return PaperContest(plan.family, plan.candidate, plan.candidate_version, "champion", opponent_version)
