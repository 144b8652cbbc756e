"""Who executes a run: the process, by machine, number and birth, so that a dead one is not taken for a slow one.

Belongs here: writing an owner down and proving it dead. Not here: closing its runs (recovery.py for Dagster,
tracking.py for MLflow).
"""

import socket
from dataclasses import dataclass
from typing import Self

import psutil

from infra.local.processes import has_ended

# A process is born before it writes its first event; clocks of kernel and Python differ by less than this.
SLACK_SECONDS = 2.0


@dataclass(frozen=True)
class Owner:
    """The process that executes a run; `born` in seconds since the epoch, exact or an upper bound."""

    host: str
    pid: int
    born: float
    exact: bool = True

    @classmethod
    def here(cls) -> Self:
        """This process."""
        process = psutil.Process()
        return cls(socket.gethostname(), process.pid, process.create_time())

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """What `str` wrote; None for anything else."""
        parts = text.split()
        try:
            return cls(parts[0], int(parts[1]), float(parts[2])) if len(parts) == 3 else None
        except ValueError:
            return None

    def __str__(self) -> str:
        return f"{self.host} {self.pid} {self.born:.2f}"

    def proved_dead(self) -> bool:
        """It ran on this machine, and no process here has its number and birth."""
        if self.host != socket.gethostname():
            return False
        try:
            process = psutil.Process(self.pid)
            born = process.create_time()
            if has_ended(process):
                return True
        except psutil.NoSuchProcess:
            return True
        except psutil.AccessDenied:
            return False
        return abs(born - self.born) > SLACK_SECONDS if self.exact else born > self.born + SLACK_SECONDS
