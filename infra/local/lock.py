"""One at a time: a lock that a dead process cannot hold.

Belongs here: the lock between processes of one machine. Not here: what is done while holding it.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

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
        ServiceFailure: another process held it for longer than the timeout; the sentence says which one, since when.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    deadline = time.monotonic() + timeout_seconds
    with path.open("a+") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise ServiceFailure(
                        f"another process is {_doing(path) or what} ({_holder(path)}it holds {path}); "
                        "wait until it ends and run again."
                    ) from None
                time.sleep(POLL_SECONDS)
        _sign(file, what)
        try:
            yield
        finally:
            _sign(file, "")


def _sign(file: IO[str], what: str) -> None:
    """Who holds the lock since when and what for, for the one who is refused; the lock itself is the kernel's."""
    moment = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    with contextlib.suppress(OSError):  # a full disk: the lock holds without a name
        os.ftruncate(file.fileno(), 0)
        # Past the file's own buffer, which would try once more when it is closed, and fail the command then.
        os.write(file.fileno(), f"process {os.getpid()}, since {moment}\n{what}\n".encode() if what else b"")


def _holder(path: Path) -> str:
    lines = path.read_text(errors="replace").splitlines()
    return f"{lines[0]}; " if len(lines) > 1 else ""


def _doing(path: Path) -> str:
    lines = path.read_text(errors="replace").splitlines()
    return lines[1] if len(lines) > 1 else ""
