"""How a training loop tells what it is doing: one small protocol, so that no loop knows MLflow or Dagster.

Belongs here: the protocol and the reporter that says nothing. The bindings (MLflow, Dagster metadata, a progress bar)
are in orchestration/.
"""

from collections.abc import Mapping
from typing import Protocol

from PIL import Image


class Reporter(Protocol):
    """Receives what a long job has to tell. Calls are cheap; implementations throttle."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        """Scalars at an optimiser step, names like `train/loss`."""

    def picture(self, step: int, name: str, image: Image.Image) -> None:
        """A picture worth keeping, named like `samples`."""

    def progress(self, done: int, total: int, what: str) -> None:
        """How far a job named `what` is."""


class Silent:
    """A reporter that drops everything, for tests and libraries."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None: ...

    def picture(self, step: int, name: str, image: Image.Image) -> None: ...

    def progress(self, done: int, total: int, what: str) -> None: ...
