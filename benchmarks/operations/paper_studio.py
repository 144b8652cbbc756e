"""Label Studio on paper: projects, tasks and votes in dictionaries, so that a year's rounds need no server.

Belongs here: what opening, pulling and voting ask of a server (labeling/review/label_studio/protocol.py), and the desk
that hands it to the graph. Not here: rounds, ballots, verdicts and the ledger: those are the real ones.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from labeling.review.label_studio.protocol import Progress, no_progress
from labeling.review.label_studio.records import Annotation, Counter, Task
from labeling.review.ledger.ledger import Ledger
from orchestration.runtime.settings import Settings


@dataclass
class PaperStudio:
    """One server. projects: titles by number. tasks: (number, key), held: annotations, overlap: people a task is shown
    to, by project. raised: the same of single tasks, by project and key."""

    projects: dict[int, str] = field(default_factory=dict)
    tasks: dict[int, list[tuple[int, str]]] = field(default_factory=dict)
    held: dict[int, list[Annotation]] = field(default_factory=dict)
    overlap: dict[int, int] = field(default_factory=dict)
    raised: dict[tuple[int, str], int] = field(default_factory=dict)
    numbers: int = 0

    def next_number(self) -> int:
        self.numbers += 1
        return self.numbers

    def create_project(
        self,
        title: str,
        label_config: str,
        instructions: str,
        overlap: int,
        in_order: bool = False,
        may_skip: bool = False,
    ) -> int:
        project = self.next_number()
        self.projects[project], self.tasks[project], self.held[project] = title, [], []
        self.overlap[project] = overlap
        return project

    def find_project(self, title: str) -> int | None:
        return min((number for number, name in self.projects.items() if name == title), default=None)

    def delete_project(self, project: int) -> None:
        del self.projects[project], self.tasks[project], self.held[project]

    def project_url(self, project: int) -> str:
        return f"http://paper/{project}"

    def import_tasks(
        self,
        project: int,
        tasks: Collection[Mapping[str, Any]],
        progress: Progress = no_progress,
    ) -> dict[str, int]:
        stored = {key for _, key in self.tasks[project]}
        fresh = [task["key"] for task in tasks if task["key"] not in stored]
        self.tasks[project] += [(self.next_number(), key) for key in fresh]
        return {key: number for number, key in self.tasks[project]}

    def counter(self, project: int) -> Counter:
        held = self.held[project]
        return Counter(len(self.tasks[project]), 0, len(held), max((one.updated_at for one in held), default=None))

    def pull_annotations(self, project: int, progress: Progress = no_progress) -> list[Annotation]:
        return list(self.held[project])

    def raise_overlap(self, project: int, people: Mapping[str, int]) -> int:
        raised = {key: number for key, number in people.items() if self.people(project, key) < number}
        self.raised |= {(project, key): number for key, number in raised.items()}
        return len(raised)

    def people(self, project: int, key: str) -> int:
        """How many different people a task is shown to."""
        return self.raised.get((project, key), self.overlap[project])


@dataclass(frozen=True)
class PaperAccount:
    """An annotator's page."""

    studio: PaperStudio
    email: str
    user_id: int

    def next_task(self, project: int) -> Task | None:
        """One that this annotator has not voted on, and that is to have more votes."""
        votes: dict[int, list[int]] = {}
        for one in self.studio.held[project]:
            votes.setdefault(one.task_id, []).append(one.rater_id)
        for number, key in self.studio.tasks[project]:
            given = votes.get(number, [])
            if self.user_id not in given and len(given) < self.studio.people(project, key):
                return Task(number, key, {})
        return None

    def annotate(self, task_id: int, result: list[dict[str, Any]], lead_time_seconds: float | None = None) -> int:
        project, key = next(
            (project, key) for project, tasks in self.studio.tasks.items() for number, key in tasks if number == task_id
        )
        number, now = self.studio.next_number(), datetime.now(UTC)
        choices = tuple(result[0]["value"]["choices"])
        vote = Annotation(
            number, task_id, key, self.user_id, self.email, None, choices, (), lead_time_seconds, now, now, False
        )
        self.studio.held[project].append(vote)
        return number


@dataclass
class PaperDesk:
    """The methods of `orchestration.assets.resources.Reviews`, beside a server on paper."""

    settings: Settings
    studio: PaperStudio = field(default_factory=PaperStudio)
    accounts: dict[str, PaperAccount] = field(default_factory=dict)

    def ledger(self) -> Ledger:
        from orchestration.registry.ledger import open_ledger

        return open_ledger(self.settings)

    def open(
        self, family: str, candidate: str, kind: Any, seed: int, contest: Callable[..., Any], progress: Any
    ) -> Any:
        from evaluation.preference_plan import PreferencePlan
        from labeling.review.rounds.opening import RoundRequest, open_round

        of = self.settings
        request = RoundRequest(family, candidate, kind, of.review_items, of.review_overlap, seed, PreferencePlan())
        server: Any = self.studio
        return open_round(of.rounds(), self.ledger(), server, request, lambda: contest(of, family, candidate), progress)

    def server(self, patience_seconds: float | None = None) -> PaperStudio:
        return self.studio

    def vote(self, annotators: list[Any]) -> int:
        """Scripted annotators work through every open round; votes."""
        from labeling.review.rounds.scripted import vote

        ledger, votes = self.ledger(), 0
        for round_ in ledger.rounds():
            if round_.state == "open" and round_.project_id is not None:
                votes += vote(self._account, ledger, round_.plan.round_id, annotators).total  # type: ignore[arg-type]
        return votes

    def _account(self, email: str) -> PaperAccount:
        if email not in self.accounts:
            self.accounts[email] = PaperAccount(self.studio, email, self.studio.next_number())
        return self.accounts[email]
