"""One at a time: a lock that a dead process cannot hold.

Belongs here: the lock between processes of one machine. Not here: what is done while holding it.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.errors import ServiceFailure

POLL_SECONDS = 0.05


@contextmanager
def exclusive(path: Path, timeout_seconds: float, what: str) -> Iterator[None]:
    """Hold the lock at `path`; the kernel frees it when the process ends, however it ends.

    Args:
        path: a file made for nothing else; it is created and stays.
        timeout_seconds: how long to wait for another holder.
        what: completes "another process is …", for the error.

    Raises:
        ServiceFailure: another process held it for longer than the timeout.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout_seconds
    with path.open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ServiceFailure(
                        f"another process is {what} (it holds {path}); wait until it ends and run again."
                    ) from None
                time.sleep(POLL_SECONDS)
        yield
