"""Reporters: what a long step reports, in Dagster's log and at a terminal.

Belongs here: the binding to Dagster's log. Not here: MLflow's (tracking.py), the terminal's (cli/terminal.py).
"""

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from training.reporting import Reporters, TimeLeft

if TYPE_CHECKING:
    from PIL.Image import Image

    from training.reporting import Reporter

Context = dg.AssetExecutionContext | dg.AssetCheckExecutionContext
LOG_SECONDS = 15.0  # every line is a row of Dagster's database


class DagsterLog:
    """Progress and figures as log lines of the run, now and then."""

    def __init__(self, context: Context) -> None:
        self._log = context.log
        self._logged_at: dict[str, float] = {}
        self._figures = ""
        self._left = TimeLeft()

    def metrics(self, step: int, values: Mapping[str, float]) -> None:  # of the protocol
        self._figures = "  ".join(f"{name} {value:.4g}" for name, value in values.items())

    def picture(self, step: int, name: str, image: "Image") -> None: ...

    def progress(self, done: int, total: int, what: str) -> None:
        now = time.monotonic()
        left = self._left.words(done, total, what)
        if now - self._logged_at.setdefault(what, now) >= LOG_SECONDS:
            self._logged_at[what] = now
            self._log.info("  ".join(part for part in (f"{what}: {done} of {total}", left, self._figures) if part))


def log_and(context: Context, *others: "Reporter") -> Any:
    """The run's log and other reporters as one."""
    return Reporters(DagsterLog(context), *others)
