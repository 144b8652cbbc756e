"""Models on paper: promotion, repair and ledger are the real ones, the registry is a file, tracking keeps nothing."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from tests.orchestration.paper_registry import PaperRegistry
from training.reporting import Silent


class PaperReporter(Silent):
    def close(self) -> None: ...


@dataclass
class PaperRun:
    """An `interface.Run` that keeps what it is told."""

    url: str = "http://paper/run"
    told: dict[str, Any] = field(default_factory=dict)

    def params(self, values: Mapping[str, Any]) -> None:
        self.told |= values

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        self.told |= values

    def content(self, name: str, content: bytes) -> None:
        self.told[name] = content

    def dataset(self, name: str, sha256: str, source: str, context: str) -> None:
        self.told[context] = (name, sha256, source)

    def reporter(self) -> PaperReporter:
        return PaperReporter()


@dataclass
class PaperModels:
    """`orchestration.assets.resources.Models` on paper: a `ModelStore`."""

    paper: PaperRegistry

    def registry(self) -> PaperRegistry:
        return self.paper

    @contextmanager
    def tracked(self, context: dg.AssetExecutionContext, family: str, dataset_sha256: str = "") -> Iterator[PaperRun]:
        yield PaperRun()

    @contextmanager
    def attempt(self, family: str, name: str, lineage: Any) -> Iterator[PaperRun]:
        yield PaperRun()

    def run_page(self, run_id: str) -> str:
        return "http://paper/run"
