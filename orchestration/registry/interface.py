"""The registry as promotion, repair and the graph use it: what the real one and a stand-in of the tests both offer.

Belongs here: the protocols, what a version is and how it answers; nothing heavy is imported. Not here: MLflow
(registry.py, tracking.py).
"""

import importlib.metadata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from mlflow.models import ModelSignature

    from orchestration.runtime.settings import Settings

CHAMPION = "champion"  # the alias


@dataclass(frozen=True)
class Served:
    """What a family's versions are behind `mlflow models serve`.

    Attributes:
        entry: the models-from-code file that a version answers with.
        signature: makes MLflow's description of a request and its answer.
        requirements: packages of the serving environment besides Selvedge itself, which no index has: the MLmodel file
            names its code by hash and says where to get it. Given, never guessed: MLflow's guess imports the model and
            lists what it saw.
    """

    entry: Path
    signature: Callable[[], "ModelSignature"]
    requirements: tuple[str, ...]

    def pinned(self) -> list[str]:
        """The requirements at the versions here; a local build label (`+cpu`) is no version to ask an index for."""
        return [f"{name}=={importlib.metadata.version(name).partition('+')[0]}" for name in self.requirements]


@dataclass(frozen=True)
class ModelVersionInfo:
    """One version of a family's model."""

    family: str
    version: int
    model_id: str
    candidate: str
    digest: str  # sha256 over the artefact's files
    run_id: str
    created: datetime
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def uri(self) -> str:
        """The pinned address: it names this version whatever becomes champion."""
        return f"models:/{self.family}/{self.version}"


class ClosingReporter(Protocol):
    """A reporter of training that sends what it still holds when it is closed."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None: ...
    def picture(self, step: int, name: str, image: Any) -> None: ...
    def progress(self, done: int, total: int, what: str) -> None: ...
    def close(self) -> None: ...


class Run(Protocol):
    """An open run of the tracking server."""

    @property
    def url(self) -> str: ...
    def params(self, values: Mapping[str, Any]) -> None: ...
    def metrics(self, values: Mapping[str, float], step: int = 0) -> None: ...
    def content(self, name: str, content: bytes) -> None: ...
    def dataset(self, name: str, sha256: str, source: str, context: str) -> None: ...
    def reporter(self) -> ClosingReporter: ...


class AliasClient(Protocol):
    """The calls of MLflow's client that move aliases and tag versions."""

    def set_registered_model_alias(self, name: str, alias: str, version: str) -> None: ...
    def delete_registered_model_alias(self, name: str, alias: str) -> None: ...
    def set_model_version_tag(self, name: str, version: str, key: str, value: str) -> None: ...


class VersionStore(Protocol):
    """Versions and aliases of every family."""

    settings: "Settings"
    uri: str

    @property
    def client(self) -> AliasClient: ...
    def register(
        self,
        family: str,
        candidate: str,
        artefact: Path,
        run: Any,
        metadata: Mapping[str, Any] | None = None,
        *,
        served: Served,
    ) -> ModelVersionInfo: ...
    def version(self, family: str, version: int) -> ModelVersionInfo: ...
    def versions(self, family: str) -> Sequence[ModelVersionInfo]: ...
    def of_candidate(self, family: str, candidate: str) -> ModelVersionInfo | None: ...
    def aliases(self, family: str) -> Mapping[str, int]: ...
    def aliased(self, family: str, alias: str) -> ModelVersionInfo | None: ...
    def note_decision(self, family: str, candidate: str, passed: bool, reasons: Sequence[str]) -> None: ...
    def champion(self, family: str) -> ModelVersionInfo | None: ...
    def artefact_path(self, version: ModelVersionInfo) -> Path: ...
