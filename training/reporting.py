"""How a training loop tells what it is doing: one small protocol, so that no loop knows MLflow or Dagster.

Belongs here: the protocol, several reporters as one, the one that says nothing, and how the time left is said. Not
here: the bindings (MLflow, Dagster metadata, a progress bar; in orchestration/).
"""

import math
import time
from collections.abc import Callable, Mapping
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


class TimeLeft:
    """How long the jobs that report their progress still take, as every line of progress says it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._began: dict[str, tuple[int, float]] = {}

    def words(self, done: int, total: int, what: str) -> str:
        """`12 min left`, by the pace since the job's first report; "" before there is a pace, and at the end.

        A job that goes on after a stop begins where it was: what was done before says nothing of this machine's pace.
        """
        now = self._clock()
        first, began = self._began.setdefault(what, (done, now))
        if done >= total:
            self._began.pop(what)  # the next job of this name has a pace of its own
            return ""
        if done <= first or now <= began:
            return ""
        seconds = (total - done) * (now - began) / (done - first)
        if seconds < 60:
            return f"{max(1, math.ceil(seconds))} s left"
        minutes = math.ceil(seconds / 60)
        return f"{minutes} min left" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min left"


class Reporters:
    """Several reporters as one."""

    def __init__(self, *reporters: Reporter) -> None:
        self._reporters = reporters

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        for reporter in self._reporters:
            reporter.metrics(step, values)

    def picture(self, step: int, name: str, image: Image.Image) -> None:
        for reporter in self._reporters:
            reporter.picture(step, name, image)

    def progress(self, done: int, total: int, what: str) -> None:
        for reporter in self._reporters:
            reporter.progress(done, total, what)


class Silent:
    """A reporter that drops everything, for tests and libraries."""

    def metrics(self, step: int, values: Mapping[str, float]) -> None: ...

    def picture(self, step: int, name: str, image: Image.Image) -> None: ...

    def progress(self, done: int, total: int, what: str) -> None: ...
