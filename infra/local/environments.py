"""Environments: a virtual environment of its own for a service whose packages must not meet ours.

Belongs here: making one from a file of pinned requirements, once. Not here: what is started from it (label_studio.py).

An environment cannot be moved, so it is made in its place and a stamp is written last: without the stamp it is half
made, and made again. Its folder is named after the requirements and the Python version, so a newer Selvedge makes a
new one beside the old and never changes one that a running server uses.
"""

import hashlib
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from infra.errors import ServiceFailure
from infra.local.lock import exclusive
from infra.local.services import Progress

INSTALL_TIMEOUT_SECONDS = 1800
TELL_SECONDS = 5.0
UNREACHABLE = re.compile(
    r"name resolution|Name or service not known|Failed to establish a new connection|Max retries exceeded|"
    r"Cannot connect to proxy|Network is unreachable|Connection refused|timed out|CERTIFICATE_VERIFY_FAILED",
    re.IGNORECASE,
)


class NotInstalled(ServiceFailure):
    """pip reached no index: nothing a person can change in Selvedge."""


def ensure_environment(
    folder: Path, name: str, requirements: Path, log: Path, progress: Progress = lambda line: None
) -> Path:
    """The Python of an environment with exactly these requirements; made when it is missing or half made.

    Args:
        folder: where environments are kept; several homes may share it.
        name: what the environment is for, as told to a person.
        requirements: a pip requirements file that pins every package.
        log: gets everything pip said.

    Raises:
        ServiceFailure: pip cannot reach an index, or refused; the folder is removed again.
    """
    environment = folder / f"{name}-{_digest(requirements)}"
    if _ready(environment):
        return _python(environment)
    with exclusive(folder / f"{name}.lock", INSTALL_TIMEOUT_SECONDS, f"installing {name}"):
        if not _ready(environment):
            if environment.exists():
                progress(f"{name}: removing an installation that was interrupted")
                shutil.rmtree(environment)
            try:
                _make(environment, name, requirements, log, progress)
            except BaseException:  # Ctrl-C as well: nothing half made stays, a kill leaves one without a stamp
                shutil.rmtree(environment, ignore_errors=True)
                raise
    return _python(environment)


def _digest(requirements: Path) -> str:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    return hashlib.sha256(requirements.read_bytes() + version.encode()).hexdigest()[:12]


def _python(environment: Path) -> Path:
    return environment / "bin" / "python"


def _stamp(environment: Path) -> Path:
    return environment / "selvedge-ready"


def _ready(environment: Path) -> bool:
    # The interpreter is a link to the system's: it may have been upgraded away.
    return _stamp(environment).exists() and os.access(_python(environment), os.X_OK)


def _make(environment: Path, name: str, requirements: Path, log: Path, progress: Progress) -> None:
    progress(f"{name}: installing it into {environment} (once, a few minutes)")
    environment.parent.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("")
    _run((sys.executable, "-I", "-m", "venv", str(environment)), name, log, lambda line: None)
    pip = (str(_python(environment)), "-I", "-m", "pip")
    # Of some ten thousand modules a server imports few, and compiles those itself.
    install = (*pip, "install", "--no-input", "--disable-pip-version-check", "--no-compile")
    total = sum(1 for line in requirements.read_text().splitlines() if "==" in line and not line.startswith("#"))
    _run((*install, "--retries", "3", "-r", str(requirements)), name, log, _PipProgress(name, total, progress))
    _stamp(environment).write_text(f"{name}\n")


class _PipProgress:
    """Turns pip's lines into one line of progress every few seconds."""

    def __init__(self, name: str, total: int, progress: Progress) -> None:
        self._name, self._total, self._progress = name, total, progress
        self._found = 0
        self._unpacking = False
        self._last = time.monotonic()

    def __call__(self, line: str) -> None:
        self._found += line.startswith(("Collecting ", "Processing "))
        if line.startswith("Installing collected packages"):
            self._unpacking = True
            self._progress(f"{self._name}: unpacking {self._total} packages")
        elif not self._unpacking and time.monotonic() - self._last > TELL_SECONDS:
            self._last = time.monotonic()
            self._progress(f"{self._name}: fetched {min(self._found, self._total)} of {self._total} packages")


def _run(command: tuple[str, ...], name: str, log: Path, each_line: "_PipProgress | Progress") -> None:
    # On a leash: an installer that outlived this process would write into the folder the next one makes.
    leash = (sys.executable, "-I", "-S", str(Path(__file__).with_name("leash.py")), str(os.getpid()))
    environment = {key: value for key, value in os.environ.items() if key != "PIP_CONSTRAINT"}
    lines: list[str] = []
    with (
        log.open("a") as record,
        subprocess.Popen(
            (*leash, *command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            env=environment,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            for line in process.stdout:
                record.write(line)
                lines.append(line.strip())
                each_line(line)
        except BaseException:
            process.terminate()
            raise
    if process.returncode:
        raise _failure(name, lines, log)


def _failure(name: str, lines: list[str], log: Path) -> ServiceFailure:
    if any(UNREACHABLE.search(line) for line in lines):
        return NotInstalled(
            f"{name} could not be installed because pip cannot reach a package index; connect this machine, or set "
            f"PIP_INDEX_URL to a mirror, and run again (pip's words are in {log})."
        )
    errors = [line for line in lines if line.startswith("ERROR:") or "Error:" in line] or lines or ["no message"]
    why = errors[0].removeprefix("ERROR:").strip()[:300]
    return ServiceFailure(f"{name} could not be installed: {why} (see {log}).")
