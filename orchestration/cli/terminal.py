"""The terminal: progress of long work and everything else that is not a result, all on stderr.

Belongs here: a progress bar that is a training reporter, and plain lines where there is no terminal. Not here: results
(results.py).
"""

import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL.Image import Image
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from training.reporting import TimeLeft

PLAIN_LINE_SECONDS = 5.0


def say(line: str) -> None:
    """One line for a person."""
    print(line, file=sys.stderr, flush=True)


class BarReporter:
    """Training's reports as one progress bar per job, with its newest figures behind it."""

    def __init__(self, bars: "RichProgress") -> None:
        self._bars = bars
        self._tasks: dict[str, TaskID] = {}
        self._job: str | None = None  # the one that reported last: figures are of it

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        if self._job is not None:
            self._bars.update(self._tasks[self._job], figures=_figures(values))

    def picture(self, step: int, name: str, image: "Image") -> None: ...

    def progress(self, done: int, total: int, what: str) -> None:
        self._job = what
        if what not in self._tasks:
            self._tasks[what] = self._bars.add_task(what, total=total, figures="")
        self._bars.update(self._tasks[what], completed=done, total=total)


class LineReporter:
    """The same as plain lines, now and then, for logs and pipes."""

    def __init__(self, every_seconds: float = PLAIN_LINE_SECONDS) -> None:
        self._every_seconds = every_seconds
        self._told_at: dict[str, float] = {}
        self._left: TimeLeft | None = None
        self._figures = ""
        self._ended = False  # the job that reported last; what is measured after its end is not of the next

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        self._figures = "" if self._ended else _figures(values)

    def picture(self, step: int, name: str, image: "Image") -> None: ...

    def progress(self, done: int, total: int, what: str) -> None:
        now = time.monotonic()
        left = self._time_left().words(done, total, what)
        due = now - self._told_at.setdefault(what, now) >= self._every_seconds
        if due or (done >= total and self._told_at[what] < now):
            # A finished job is told once; the far future keeps it quiet after that.
            self._told_at[what] = now if done < total else float("inf")
            say("  ".join(part for part in (f"{what}: {done} of {total}", left, self._figures) if part))
        self._ended = done >= total
        if self._ended:
            self._figures = ""

    def _time_left(self) -> "TimeLeft":
        from training.reporting import TimeLeft  # with Pillow: not for a command that has nothing to tell

        self._left = self._left or TimeLeft()
        return self._left


@contextmanager
def reporting() -> Iterator["BarReporter | LineReporter"]:
    """A reporter for one command; bars on a terminal, lines elsewhere."""
    if not sys.stderr.isatty():
        yield LineReporter()
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("[dim]{task.fields[figures]}"),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True, refresh_per_second=4) as bars:
        yield BarReporter(bars)


def _figures(values: Mapping[str, float]) -> str:
    return "  ".join(f"{name.rpartition('/')[2]} {value:.3g}" for name, value in list(values.items())[:3])
