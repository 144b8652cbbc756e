"""A clock that is moved: a process, and all it starts, in which it is another day than outside.

Belongs here: compiling clock.c, starting this process again under it, setting it. Not here: what happens on which day.

Nothing in Selvedge or Dagster is told: time.time(), datetime, SQLite's CURRENT_TIMESTAMP and a daemon all ask libc, and
are answered from the file. Files get the true time, as the kernel stamps them. Linux, with a C compiler.
"""

import os
import shutil
import struct
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

VARIABLE, PRELOAD = "SIMULATED_CLOCK", "LD_PRELOAD"
SOURCE = Path(__file__).with_name("clock.c")
NUMBERS = struct.Struct("<3q")  # began, thousandths of true speed, ahead; nanoseconds
SECOND = 1_000_000_000


@dataclass(frozen=True)
class Clock:
    """The clock of a file."""

    file: Path

    def set(self, moment: datetime) -> None:
        """Move it to a moment that is not past.

        Raises:
            ValueError: it is: events of a database would lie in the future.
        """
        seconds = moment.timestamp() - time.time()
        if seconds < 0:
            raise ValueError(f"it is {datetime.now(UTC).isoformat()} already, and {moment.isoformat()} is past.")
        began, thousandths, ahead = NUMBERS.unpack(self.file.read_bytes())
        with self.file.open("r+b") as file:  # in its place: it is mapped
            file.write(NUMBERS.pack(began, thousandths, ahead + int(seconds * SECOND)))


def environment(folder: Path, speed: float = 1.0, ahead: float = 0.0) -> dict[str, str]:
    """What a process is started with to live by a clock of its own, which is kept in a folder.

    Args:
        speed: times that of the true one. ahead: seconds.

    Raises:
        SystemExit: this machine has no C compiler, or is no Linux.
    """
    compiler = shutil.which("cc")
    if compiler is None or not sys.platform.startswith("linux"):
        raise SystemExit("a clock that is moved needs Linux and a C compiler (cc).")
    library, file = folder / "clock.so", folder / "clock"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(SOURCE), "-ldl"], check=True)
    file.write_bytes(NUMBERS.pack(time.time_ns(), int(speed * 1000), int(ahead * SECOND)))
    return {PRELOAD: str(library), VARIABLE: str(file)}


def under_a_clock(folder: Path) -> Clock:
    """This process's clock; the process is started again where it has none yet, and does not return from here then."""
    if VARIABLE not in os.environ:
        arguments = [sys.executable, "-m", "benchmarks.operations", *sys.argv[1:]]
        os.execve(sys.executable, arguments, {**os.environ, **environment(folder)})
    return Clock(Path(os.environ[VARIABLE]))
