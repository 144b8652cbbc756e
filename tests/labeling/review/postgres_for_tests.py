"""A PostgreSQL server of a test session's own, where the machine has one."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from tests.ports import free_port

USER = "nobody" if os.getuid() == 0 else None  # the server refuses to run as root
DEBIAN = Path("/usr/lib/postgresql")  # off the PATH, one folder a version


def missing() -> str | None:
    """Why there can be no server, or None."""
    for program in ("initdb", "pg_ctl", "postgres"):
        if program_file(program) is None:
            return f"no `{program}` on the PATH or below {DEBIAN}: PostgreSQL is not installed here"
    return None if find_spec("psycopg") else "psycopg is not installed; the extra `postgres` brings it"


def program_file(name: str) -> str | None:
    """A program of PostgreSQL's, the newest version's where Debian keeps several."""
    folders = sorted(DEBIAN.glob("*/bin"), key=lambda folder: float(folder.parent.name), reverse=True)
    return shutil.which(name) or next(filter(None, (shutil.which(name, path=one) for one in folders)), None)


@contextmanager
def server(folder: Path) -> Iterator[str]:
    """The address of an empty server, stopped at the end."""
    data, port = folder / "data", free_port()
    for place in (folder, *folder.parents):  # pytest keeps its folders to its own user
        if not place.stat().st_mode & 0o001:
            place.chmod(0o755)
    data.mkdir()
    if USER is not None:
        shutil.chown(data, USER)

    def call(program: str, *options: str) -> None:
        command = (program_file(program) or program, *options)
        subprocess.run(command, check=True, user=USER, cwd="/", stdout=subprocess.DEVNULL, timeout=60)

    call("initdb", "-D", str(data), "-U", "selvedge", "-A", "trust", "-E", "UTF8", "--no-sync")
    options = f"-p {port} -h 127.0.0.1 -k {data} -c fsync=off"
    call("pg_ctl", "-D", str(data), "-l", str(data / "log"), "-w", "-o", options, "start")
    try:
        yield f"postgresql+psycopg://selvedge@127.0.0.1:{port}/postgres"
    finally:
        call("pg_ctl", "-D", str(data), "-m", "immediate", "-w", "stop")
