"""Services: one typed declaration, started as a child process, watched until it answers, stopped with its children.

Belongs here: port, pid file and health, the same for every service. Not here: which services there are
(mlflow_server.py, dagster_services.py), which processes are a service's (processes.py) and the command that runs them
all (up.py).

Whose a running service is, is decided by its pid file together with the process's creation time: a pid alone is handed
out again after a reboot. A service never outlives the command that started it (leash.py); should a part of it all the
same, the next start finds it by the mark that the pid file holds, and ends it.
"""

import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from infra.errors import ServiceFailure
from infra.local.files import whole_file
from infra.local.lock import exclusive
from infra.local.processes import MARK, Process, end_service, holder_of, port_taken
from infra.local.service_logs import LOG_LIMIT_BYTES, ending

Progress = Callable[[str], None]
HEALTH_TIMEOUT_SECONDS = 2.0
POLL_SECONDS = 0.15
PATIENCE_SECONDS = 15.0  # a busy machine answers late; a running service is not ended for that
STOP_GRACE_SECONDS = 15.0
STUCK_GRACE_SECONDS = 5.0
LOG_PATIENCE_SECONDS, LOG_MOMENT_SECONDS = 3.0, 0.2  # until what a service printed last stands in its log
EXIT_SECONDS = 5.0
# A mapped page that finds no room on the disk; SQLite maps the index of its log.
ENDED_BY_THE_DISK = ", as happens on a full disk: free some space"


@dataclass(frozen=True)
class Service:
    """What to start and how to know that it is up.

    `port` and `health_url` are None for a process that listens nowhere: it counts as up once it has lived
    `settle_seconds`. One that is asked otherwise than by HTTP has `answering`. One that signs elsewhere that it lives
    has `pulse`: a number that changes while it does, and whenever it cannot be asked for.
    """

    name: str
    command: tuple[str, ...]
    folder: Path  # holds the pid file and the lock
    log: Path
    port: int | None = None
    health_url: str | None = None
    port_setting: str = ""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)  # may hold secrets
    start_timeout_seconds: float = 120.0
    settle_seconds: float = 1.0
    answering: Callable[[], bool] | None = None
    pulse: Callable[[], float] | None = None

    @property
    def pid_file(self) -> Path:
        return self.folder / f"{self.name}.pid"


class Running:
    """A service that answers. `started_here` tells whether stopping it is this command's business."""

    def __init__(
        self,
        service: Service,
        process: Process,
        child: subprocess.Popen[bytes] | None = None,
        log_begin: int = 0,
        writer: subprocess.Popen[bytes] | None = None,
    ) -> None:
        self.service = service
        self.process = process
        self._child = child  # kept, or Python warns of a child nobody waits for
        self._log_begin = log_begin  # bytes of earlier starts in the log
        self._writer = writer
        self.started_here = child is not None

    def alive(self) -> bool:
        return self.process.find() is not None

    def end(self) -> str:
        """How it ended and the last error of its log, for a sentence that begins with the service's name."""
        code = self._exit_code()
        self._await_log()
        killed = code is not None and code < 0
        if killed:
            how = f"was ended by {_signal_name(-int(code or 0))}"
            how += ENDED_BY_THE_DISK if code == -signal.SIGBUS else ""
        else:
            how = "ended by itself" if code in (None, 0) else f"ended by itself with code {code}"
        return f"{how}; {ending(self.service.log, self._log_begin, only_errors=killed)}"

    def _exit_code(self) -> int | None:
        """None where it is not known. On a busy machine the threads of a killed process end later than its first one,
        and until then the kernel has no code to tell."""
        try:
            return None if self._child is None else self._child.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            return None

    def log_ending(self) -> str:
        """The last error that this start wrote into its log, or its last line."""
        if not self.alive():
            self._await_log()
        return ending(self.service.log, self._log_begin)

    def stop(self, grace_seconds: float = STOP_GRACE_SECONDS) -> None:
        """End the service and everything it started; a service of another command is left alone."""
        if self.started_here:
            end_service(self.process, grace_seconds)
            if self._child is not None:
                self._child.poll()
            self._await_log()
            self.service.pid_file.unlink(missing_ok=True)

    def _await_log(self) -> None:
        """Until all that it printed is written down; where a process that it left may still print, not for long."""
        if self._writer is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._writer.wait(LOG_MOMENT_SECONDS if self.process.others() else LOG_PATIENCE_SECONDS)


def ensure(service: Service, progress: Progress = lambda line: None) -> Running:
    """The service, healthy: the one that is already ours, or a new one.

    Raises:
        ServiceFailure: the port belongs to another program, the service ended while starting, or it never answered.
    """
    starting = f"starting {service.name}"
    with exclusive(service.folder / f"{service.name}.lock", service.start_timeout_seconds + 30, starting):
        recorded = recorded_process(service)
        if recorded is not None and recorded.find() is not None:
            if recorded.port != service.port:
                raise ServiceFailure(
                    f"{service.name} of {service.folder} already runs on port {recorded.port}; "
                    f"set {service.port_setting} to that port, or stop it first."
                )
            if _answers_within(service, PATIENCE_SECONDS):
                return Running(service, recorded)
            progress(f"{service.name}: ending one that does not answer")
            end_service(recorded, STUCK_GRACE_SECONDS)
        elif recorded is not None and (left := recorded.others()):
            numbers = ", ".join(str(process.pid) for process in left)
            progress(f"{service.name}: ending what a killed one left behind (process {numbers})")
            end_service(recorded, STUCK_GRACE_SECONDS)
        _refuse_taken_port(service)
        try:
            running = _start(service)
        except OSError as error:
            raise ServiceFailure(
                f"{service.name} could not be started ({error.filename or service.log}: {error.strerror or error}); "
                "mend that, and start it again."
            ) from error
        try:
            _wait_until_healthy(running, progress)
        except BaseException:  # Ctrl-C while it starts must not leave it behind
            running.stop(grace_seconds=3)
            raise
        return running


def state(service: Service) -> str:
    """`running` (ours and answering), `starting or stuck`, `stopped`, or whose else the port is.

    `left over`: a part of ours that outlived its parent; the next start ends it. `taken`: of another program.
    """
    recorded = recorded_process(service)
    if recorded is not None and recorded.find() is not None:
        return "running" if answers(service) else "starting or stuck"
    if service.port is None or not port_taken(service.port):
        return "stopped"
    return "left over" if recorded is not None and recorded.others() else "taken"


def recorded_process(service: Service) -> Process | None:
    """What the pid file says; None when there is none or it was cut short."""
    try:
        return Process(**json.loads(service.pid_file.read_text()))
    except (OSError, ValueError, TypeError):
        return None


def answers(service: Service) -> bool:
    """Does the health address answer 200? A service without one is asked in its own way, or answers by being alive."""
    if service.health_url is None:
        return service.answering is None or service.answering()
    try:
        with urllib.request.urlopen(service.health_url, timeout=HEALTH_TIMEOUT_SECONDS) as response:
            return bool(response.status == 200)
    except (OSError, ValueError):  # URLError, HTTPError and time-outs are OSErrors
        return False


def _refuse_taken_port(service: Service) -> None:
    if service.port is not None and port_taken(service.port):
        raise ServiceFailure(
            f"port {service.port}, wanted by {service.name}, is in use by {holder_of(service.port)}; "
            f"stop it or set {service.port_setting} to a free port."
        )


def _answers_within(service: Service, seconds: float) -> bool:
    deadline = time.monotonic() + seconds
    while not answers(service):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    return True


def _start(service: Service) -> Running:
    service.log.parent.mkdir(parents=True, exist_ok=True)
    with service.log.open("ab") as log:  # raises what its writer could tell nobody
        log_begin = log.tell()
    mark = secrets.token_hex(8)
    # The kernel's death signal follows the thread that forked: only the main thread lives as long as the command.
    parent = os.getpid() if threading.current_thread() is threading.main_thread() else 0
    writer = subprocess.Popen(
        (*_script("log_writer.py"), str(service.log), str(LOG_LIMIT_BYTES)),
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    assert writer.stdin is not None
    with writer.stdin:
        child = subprocess.Popen(
            (*_script("leash.py"), str(parent), *service.command),
            stdin=subprocess.DEVNULL,
            stdout=writer.stdin,
            stderr=subprocess.STDOUT,
            env={**os.environ, **service.environment, MARK: f"{mark} {service.pid_file}"},
            start_new_session=True,  # Ctrl-C reaches the command, which then stops its services in order
        )
    process = Process(child.pid, psutil.Process(child.pid).create_time(), service.port, mark)
    try:
        with whole_file(service.pid_file) as part:
            part.write_text(json.dumps(process.__dict__))
    except BaseException:  # nobody would find it again
        end_service(process, STUCK_GRACE_SECONDS)
        child.wait()
        raise
    return Running(service, process, child, log_begin, writer)


def _script(name: str) -> tuple[str, ...]:
    """A script of this room, run without site packages."""
    return (sys.executable, "-I", "-S", str(Path(__file__).with_name(name)))


def _wait_until_healthy(running: Running, progress: Progress) -> None:
    service = running.service
    began = time.monotonic()
    reported = 0
    while (seconds := time.monotonic() - began) < service.start_timeout_seconds:
        if not running.alive():
            raise ServiceFailure(f"{service.name} ended while starting; {running.log_ending()}")
        asked = service.health_url is not None or service.answering is not None
        if answers(service) and (asked or seconds >= service.settle_seconds):
            return
        if int(seconds) >= reported + 2:
            reported = int(seconds)
            progress(f"{service.name}: starting, {reported} s")
        time.sleep(POLL_SECONDS)
    raise ServiceFailure(
        f"{service.name} did not answer within {service.start_timeout_seconds:.0f} s; {running.log_ending()}"
    )


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # a real-time signal
        return f"signal {number}"
