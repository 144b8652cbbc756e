"""Everything that runs beside each other while somebody works: started in order, watched, stopped together.

Belongs here: a group of services as one thing, and starting one again that ended, hangs or holds too much memory. Not
here: which services (mlflow_server.py, dagster_services.py) and how one is started (services.py).

Time is that of the monotonic clock: a clock that is set, or jumps, neither ends a service nor hides one that hangs.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from infra.errors import ServiceFailure
from infra.local.restarts import note
from infra.local.services import STUCK_GRACE_SECONDS, Progress, Running, answers

WATCH_SECONDS = 1.0
PROBE_SECONDS = 10.0  # between two looks at whether a service answers
UNANSWERED_PROBES = 6  # in a row: a busy machine answers late, and is not made idler by a restart
RESTART_WAITS = (1.0, 5.0, 15.0)  # seconds before each of the restarts that a service gets
RESTART_WINDOW_SECONDS = 300.0
PULSE_SECONDS = 300.0  # without a change; Dagster's daemon signs every 30 s, and a slow tick of its delays that
MEMORY_SECONDS = 3600.0  # since its start, before which no service is started again for its memory


@dataclass(frozen=True)
class MemoryRule:
    """When a service that lives is started again for what it holds.

    Attributes:
        limit_bytes: resident memory of the service and its helpers; 0: never.
        at_rest: whether nothing would be lost by it now; asked only of a service above the limit.
    """

    limit_bytes: int = 0
    at_rest: Callable[[], bool] = lambda: True


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
    started: float = field(default_factory=time.monotonic)
    pulse: float | None = None  # as last read
    pulse_changed: float = field(default_factory=time.monotonic)

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

    def watch(self, tell: Progress = lambda line: None, memory: MemoryRule | None = None) -> None:
        """Keep every service running until somebody interrupts; the others go on while one is started again.

        On the main thread, as `add`: a service ends with the thread that started it.

        Raises:
            ServiceFailure: the last of them was given up.
        """
        while True:
            for kept in self.kept:
                _look_after(kept, tell, memory or MemoryRule())
            if all(kept.given_up for kept in self.kept):
                names = ", ".join(kept.name for kept in self.kept)
                raise ServiceFailure(f"no service runs any more ({names}); mend what the sentences above name.")
            time.sleep(WATCH_SECONDS)


def _look_after(kept: Kept, tell: Progress, memory: MemoryRule) -> None:
    """Notice that a service ended, hangs or holds too much, or start it again when that is due."""
    if kept.given_up:
        return
    if kept.due is None:
        if not kept.running.alive():
            _ended(kept, f"{kept.name} {kept.running.end()}", tell)
        elif not _probe_is_due(kept):
            return
        elif _hangs(kept):
            # Now, not at the next start: one that answers again meanwhile would count as another command's.
            kept.running.stop(STUCK_GRACE_SECONDS)
            _ended(kept, f"{kept.name} {_silence(kept)}; {kept.running.log_ending()}", tell)
        elif _too_large(kept, memory):
            _relieve(kept, memory, tell)
    elif time.monotonic() >= kept.due:
        kept.due = None
        kept.restarts.append(time.monotonic())
        try:
            kept.running = kept.start()
            kept.probed = kept.started = kept.pulse_changed = time.monotonic()
            kept.pulse, kept.unanswered = None, 0
            tell(f"{kept.name} runs again.")
        except ServiceFailure as failure:
            _ended(kept, str(failure), tell)


def _probe_is_due(kept: Kept) -> bool:
    if time.monotonic() - kept.probed < PROBE_SECONDS:
        return False
    kept.probed = time.monotonic()
    return True


def _hangs(kept: Kept) -> bool:
    """Whether a service that lives has not answered for several probes in a row, this one among them."""
    answered = answers(kept.running.service) and _beats(kept)
    kept.unanswered = 0 if answered else kept.unanswered + 1
    return kept.unanswered >= UNANSWERED_PROBES


def _beats(kept: Kept) -> bool:
    """Whether its sign of life changed lately; a service that gives none passes."""
    if kept.running.service.pulse is None:
        return True
    pulse = kept.running.service.pulse()
    if pulse != kept.pulse:
        kept.pulse, kept.pulse_changed = pulse, time.monotonic()
    return time.monotonic() - kept.pulse_changed < PULSE_SECONDS


def _silence(kept: Kept) -> str:
    service = kept.running.service
    if service.health_url is not None or service.answering is not None:
        return f"was ended: it ran, and {service.health_url or 'it'} did not answer {kept.unanswered} times in a row"
    seconds = time.monotonic() - kept.pulse_changed
    return f"was ended: it ran, and has given no sign of life for {seconds:.0f} s"


def _too_large(kept: Kept, memory: MemoryRule) -> bool:
    old = time.monotonic() - kept.started >= MEMORY_SECONDS
    return bool(
        memory.limit_bytes
        and old
        and kept.running.process.resident_bytes() > memory.limit_bytes
        and memory.at_rest()
        # Helpers of the work that has just ended may have counted.
        and kept.running.process.resident_bytes() > memory.limit_bytes
    )


def _relieve(kept: Kept, memory: MemoryRule, tell: Progress) -> None:
    """End a service that holds too much; it is started again at the next look."""
    held, limit = kept.running.process.resident_bytes(), memory.limit_bytes
    hours = (time.monotonic() - kept.started) / 3600
    sentence = f"{kept.name} held {held / 1e9:.2f} GB after {hours:.1f} h, {limit / 1e9:.2f} GB are allowed;"
    kept.running.stop()
    kept.due = time.monotonic()
    note(kept.running.service, sentence.rstrip(";") + ".")
    tell(f"{sentence} it is started again now, while nothing runs.")


def _ended(kept: Kept, sentence: str, tell: Progress) -> None:
    """Plan the next start, or say that there will be none."""
    now = time.monotonic()
    kept.restarts = [moment for moment in kept.restarts if now - moment < RESTART_WINDOW_SECONDS]
    tries = len(kept.restarts)
    if tries < len(RESTART_WAITS):
        kept.due = now + RESTART_WAITS[tries]
        note(kept.running.service, sentence)
        tell(f"{sentence} It is started again ({tries + 1} of {len(RESTART_WAITS)}); the others go on.")
        return
    kept.given_up = True
    kept.running.stop()
    tell(
        f"{sentence} It was started again {tries} times in {RESTART_WINDOW_SECONDS / 60:.0f} minutes and stays down; "
        "the others go on. Mend what its log says, then stop and start this command."
    )
