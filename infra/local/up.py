"""Everything that runs beside each other while somebody works: started in order, watched, stopped together.

Belongs here: a group of services as one thing, and starting one again that ended or hangs. Not here: which services
(mlflow_server.py, dagster_services.py) and how one is started (services.py).
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from infra.errors import ServiceFailure
from infra.local.service_logs import rotate
from infra.local.services import STUCK_GRACE_SECONDS, Progress, Running, answers

WATCH_SECONDS = 1.0
PROBE_SECONDS = 10.0  # between two looks at whether a service answers
UNANSWERED_PROBES = 6  # in a row: a busy machine answers late, and is not made idler by a restart
RESTART_WAITS = (1.0, 5.0, 15.0)  # seconds before each of the restarts that a service gets
RESTART_WINDOW_SECONDS = 300.0


@dataclass
class Kept:
    """A service that is kept running: how to start it, and its restarts."""

    start: Callable[[], Running]
    running: Running
    restarts: list[float] = field(default_factory=list)  # moments of the monotonic clock
    due: float | None = None  # when to start it again, once it has ended
    probed: float = field(default_factory=time.monotonic)
    unanswered: int = 0  # probes in a row
    given_up: bool = False

    @property
    def name(self) -> str:
        return self.running.service.name


class Group:
    """Services started one after another and stopped in reverse, whatever happens in between."""

    def __init__(self) -> None:
        self.kept: list[Kept] = []

    def __enter__(self) -> "Group":
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def add(self, start: Callable[[], Running]) -> Running:
        """Start one more; should it fail, leaving the group stops those before it."""
        running = start()
        self.kept.append(Kept(start, running))
        return running

    def stop(self) -> None:
        while self.kept:
            self.kept.pop().running.stop()

    def watch(self, tell: Progress = lambda line: None) -> None:
        """Keep every service running until somebody interrupts; the others go on while one is started again.

        On the main thread, as `add`: a service ends with the thread that started it.

        Raises:
            ServiceFailure: the last of them was given up.
        """
        while True:
            for kept in self.kept:
                _look_after(kept, tell)
            if all(kept.given_up for kept in self.kept):
                names = ", ".join(kept.name for kept in self.kept)
                raise ServiceFailure(f"no service runs any more ({names}); mend what the sentences above name.")
            time.sleep(WATCH_SECONDS)


def _look_after(kept: Kept, tell: Progress) -> None:
    """Notice that a service ended or hangs, or start it again when that is due."""
    if kept.given_up:
        return
    if kept.due is None:
        if not kept.running.alive():
            _ended(kept, f"{kept.name} {kept.running.end()}", tell)
        elif _hangs(kept):
            # Now, not at the next start: one that answers again meanwhile would count as another command's.
            kept.running.stop(STUCK_GRACE_SECONDS)
            _ended(kept, f"{kept.name} {_silence(kept)}; {kept.running.log_ending()}", tell)
        else:
            rotate(kept.running.service.log)
    elif time.monotonic() >= kept.due:
        kept.due = None
        kept.restarts.append(time.monotonic())
        try:
            kept.running = kept.start()
            kept.probed, kept.unanswered = time.monotonic(), 0
            tell(f"{kept.name} runs again.")
        except ServiceFailure as failure:
            _ended(kept, str(failure), tell)


def _hangs(kept: Kept) -> bool:
    """Whether a service that lives has not answered for several probes in a row. Looks when a probe is due."""
    if time.monotonic() - kept.probed >= PROBE_SECONDS:
        kept.unanswered = 0 if answers(kept.running.service) else kept.unanswered + 1
        kept.probed = time.monotonic()
    return kept.unanswered >= UNANSWERED_PROBES


def _silence(kept: Kept) -> str:
    return f"was ended: it ran, and {kept.running.service.health_url} did not answer {kept.unanswered} times in a row"


def _ended(kept: Kept, sentence: str, tell: Progress) -> None:
    """Plan the next start, or say that there will be none."""
    now = time.monotonic()
    kept.restarts = [moment for moment in kept.restarts if now - moment < RESTART_WINDOW_SECONDS]
    tries = len(kept.restarts)
    if tries < len(RESTART_WAITS):
        kept.due = now + RESTART_WAITS[tries]
        tell(f"{sentence} It is started again ({tries + 1} of {len(RESTART_WAITS)}); the others go on.")
        return
    kept.given_up = True
    kept.running.stop()
    tell(
        f"{sentence} It was started again {tries} times in {RESTART_WINDOW_SECONDS / 60:.0f} minutes and stays down; "
        "the others go on. Mend what its log says, then stop and start this command."
    )
