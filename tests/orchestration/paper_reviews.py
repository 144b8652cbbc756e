"""Rounds on paper: the ledger, the round's folder and the judgement are the real ones; only Label Studio is a list.

tests/e2e/test_review_road.py drives the same road through a real server.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from catalog.errors import ServiceUnavailable
from labeling.review.label_studio.protocol import Progress, no_progress
from labeling.review.label_studio.records import Annotation, Counter
from labeling.review.ledger.ledger import Ledger
from labeling.review.ledger.records import PulledAnnotation
from labeling.review.rounds.opening import Opened
from orchestration.registry.ledger import open_ledger
from orchestration.runtime.settings import Settings
from tests.orchestration.drawn_round import opened, votes

ITEMS = 40


@dataclass
class PaperReviews:
    """The methods of `orchestration.assets.resources.Reviews`.

    Attributes:
        registry: tells candidate's and champion's versions.
        held: what Label Studio holds, by project. down: it does not answer. items: that a round
            asks about. people: whom tasks are shown to, by key, where it was raised.
    """

    settings: Settings
    registry: Any
    held: dict[int, list[Annotation]] = field(default_factory=dict)
    down: bool = False
    items: int = ITEMS
    pulls: int = 0
    people: dict[str, int] = field(default_factory=dict)

    def ledger(self) -> Ledger:
        return open_ledger(self.settings)

    def open(self, family: str, candidate: str, kind: Any, seed: int, contest: Any, progress: Any) -> Opened:
        champion = self.registry.champion(family)
        version = str(self.registry.of_candidate(family, candidate).version)
        project = len(self.ledger().rounds()) + 1
        ledger = opened(
            self.settings,
            project=project,
            round_id=f"{candidate}-r1",
            family=family,
            candidate=candidate,
            candidate_version=version,
            opponent="base" if champion is None else "champion",
            opponent_version="base" if champion is None else str(champion.version),
            items=self.items,
        )
        found = ledger.round(f"{candidate}-r1")
        return Opened(found, "http://paper", len(ledger.pairs(found.plan.round_id)), False)

    def counter(self, project: int) -> Counter:
        if self.down:
            raise ServiceUnavailable("Label Studio at 127.0.0.1:1 does not answer.")
        held = self.held.get(project, [])
        return Counter(60, 0, len(held), max((one.updated_at for one in held), default=None))

    def server(self, patience_seconds: float | None = None) -> "PaperReviews":
        return self

    def pull_annotations(self, project: int, progress: Progress = no_progress) -> list[Annotation]:
        self.pulls += 1
        return list(self.held.get(project, []))

    def raise_overlap(self, project: int, people: Mapping[str, int]) -> int:
        raised = {key: number for key, number in people.items() if self.people.get(key, 0) < number}
        self.people |= raised
        return len(raised)

    def vote(self, candidate: str, preference: float, raters: int = 6) -> None:
        """Scripted annotators work through the candidate's round in turns, as many on a pair as the plan asks for."""
        found = next(one for one in self.ledger().rounds() if one.plan.candidate == candidate)
        cast = votes(self.ledger(), preference, raters, found.plan.round_id)
        turns = [cast[start : start + raters] for start in range(0, len(cast), raters)]
        shown = [
            turn[(number + place) % raters]
            for number, turn in enumerate(turns)
            for place in range(min(raters, found.plan.overlap))
        ]
        self.held[found.project_id or 0] = [as_held(one) for one in shown]


def as_held(one: PulledAnnotation, changed_by: int | None = None) -> Annotation:
    """A vote as Label Studio has it; changed_by: the account that changed it, None for its author."""
    return Annotation(
        one.annotation_id, one.task_id, one.task_key, 1, one.rater, changed_by, (one.side,), (), one.seconds,
        one.created_at, one.updated_at, False,
    )  # fmt: skip
