"""Processes of a service: which ones are its own, and ending all of them.

Belongs here: identity, membership, who listens on a port. Not here: starting a service (services.py).

A service is more than the process that was started: MLflow's server starts the one that listens, and a `kill -9` of the
first leaves the second on the port with nothing to say whose it was. So every process inherits a mark in its
environment; the pid file holds the same mark, and what carries it is the service's, whatever became of its parents. A
number alone is handed out again, by a reboot or sooner.
"""

import contextlib
import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

MARK = "INFRA_SERVICE"  # in the environment of every process of a service: "<mark> <pid file>"
SAME_BIRTH_SECONDS = 0.02
POLL_SECONDS = 0.02


@dataclass(frozen=True)
class Process:
    """A process that cannot be mistaken for another one with the same number.

    `mark` is what its whole service carries; empty in a pid file of an older Selvedge.
    """

    pid: int
    created: float  # seconds since the epoch, as the kernel has it
    port: int | None
    mark: str = ""

    def find(self) -> psutil.Process | None:
        try:
            process = psutil.Process(self.pid)
            same = abs(process.create_time() - self.created) < SAME_BIRTH_SECONDS
            return process if same and not has_ended(process) else None
        except psutil.NoSuchProcess:
            return None

    def others(self) -> list[psutil.Process]:
        """Everything alive that belongs to the same service: what carries its mark, and the descendants."""
        members: set[psutil.Process] = set()
        root = self.find()
        if root is not None:
            with contextlib.suppress(psutil.NoSuchProcess):  # it ended just now
                members |= set(root.children(recursive=True))
        if self.mark:
            members |= {process for process in psutil.process_iter() if _mark_of(process)[0] == self.mark}
        own = (self.pid, os.getpid())  # a command may have been started from within the service
        return [process for process in members if process.pid not in own and _alive(process)]

    def resident_bytes(self) -> int:
        """Memory that its process and the descendants hold; pages that several of them share count for each."""
        root, total = self.find(), 0
        if root is None:
            return 0
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in (root, *root.children(recursive=True)):
                with contextlib.suppress(psutil.Error):
                    total += process.memory_info().rss
        return total


def end_service(process: Process, grace_seconds: float) -> None:
    """SIGTERM to a service's first process, then to what it leaves; SIGKILL for what is still there after the grace.

    The others are listed first: once the parent is gone, an unmarked child cannot be attributed any more.
    """
    family = process.others()
    root = process.find()
    if root is not None:
        family.append(root)
        _quietly(root, "terminate")
        _survivors([root], grace_seconds)
    # A service that ends in order ends its children; those that are left get a moment of their own.
    alive = _survivors([*family, *process.others()], 0.3 if root is not None else 0)
    for action in ("terminate", "kill"):
        for survivor in alive:
            _quietly(survivor, action)
        alive = _survivors(alive, 2)


def _survivors(processes: Sequence[psutil.Process], seconds: float) -> list[psutil.Process]:
    """Those still alive after so many seconds at most; a zombie that nobody fetches counts as ended."""
    deadline = time.monotonic() + seconds
    while (alive := [process for process in processes if _alive(process)]) and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
    return alive


def has_ended(process: psutil.Process) -> bool:
    """Whether nothing of a process is left but, perhaps, its exit code.

    The first thread of a killed process is a zombie while the others still end, and its port is taken until they have.
    """
    try:
        return process.status() == psutil.STATUS_ZOMBIE and process.num_threads() <= 1
    except psutil.NoSuchProcess:
        return True


def port_taken(port: int) -> bool:
    """Does anything listen on the port of the loopback address?"""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def holder_of(port: int) -> str:
    """Who listens on a port, as far as this user may see: a program and its number, or a service of another home."""
    pid = next(iter(_listeners(port)), None)
    try:
        process = psutil.Process(pid) if pid is not None else None
        if process is None:
            return "another program"
        _, pid_file = _mark_of(process)
        if pid_file:
            return f"the service that {pid_file} records (process {pid})"
        return f"another program ({process.name()}, process {pid})"
    except psutil.NoSuchProcess:
        return "another program"


def _listeners(port: int) -> Sequence[int]:
    try:
        connections = psutil.net_connections("tcp")
    except psutil.AccessDenied:  # macOS tells root only
        return ()
    listening = [
        connection
        for connection in connections
        if connection.status == psutil.CONN_LISTEN and tuple(connection.laddr)[1:] == (port,)
    ]
    return [connection.pid for connection in listening if connection.pid is not None]


def _mark_of(process: psutil.Process) -> tuple[str, str]:
    """The mark and the pid file in a process's environment; empty for another user's process or an unmarked one."""
    try:
        mark, _, pid_file = process.environ().get(MARK, "").partition(" ")
        return mark, pid_file
    except (psutil.Error, OSError):
        return "", ""


def _alive(process: psutil.Process) -> bool:
    return process.is_running() and not has_ended(process)


def _quietly(process: psutil.Process, action: str) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        getattr(process, action)()
