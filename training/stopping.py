"""Being asked to stop: SIGTERM and Ctrl-C become a flag that a training loop reads between two steps.

Belongs here: catching the signals and giving the old handlers back. Not here: what is saved before stopping (each
loop).
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from catalog.errors import Interrupted


class TrainingStopped(Interrupted):
    """Somebody asked to stop; a checkpoint was written and the same command goes on from it."""


class StopRequest:
    """True once a signal came."""

    def __init__(self) -> None:
        self.signal: int | None = None

    def __bool__(self) -> bool:
        return self.signal is not None


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Within it, the first SIGTERM or SIGINT sets the flag; a second one acts as it did before.

    Outside the main thread Python allows no handlers, and the flag simply stays false.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def note(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 (a signal handler's)
        request.signal = number
        signal.signal(number, before[signal.Signals(number)])

    for number in before:
        signal.signal(number, note)
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
