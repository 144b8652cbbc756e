"""Processes that are forked from one that has imported everything: importing is most of what a short one takes.

Belongs here: that process, `python -m tests.e2e.forked MODULE ...`, and asking it for another. Not here: what another
does: that is `main(*arguments)` of the first module.
"""

import importlib
import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


class Forks:
    """Runs `main(*arguments)` of a module, each time in a process of its own that may be killed.

    Args:
        module: whose `main` it is. imported: modules that are imported beforehand besides.
    """

    def __init__(self, module: str, *imported: str) -> None:
        self.modules = (module, *imported)
        self._first: subprocess.Popen[str] | None = None

    def run(self, *arguments: str, output: Path) -> subprocess.CompletedProcess[str]:
        """What it printed and how it ended, as `subprocess.run` tells it.

        Args:
            output: beginning of the names of two files, which hold what is printed.
        """
        if self._first is None:
            self._first = subprocess.Popen(
                [sys.executable, "-m", __name__, *self.modules],
                cwd=ROOT,
                env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)},
                stdin=subprocess.PIPE,  # closed when this process ends, and then that one ends
                stdout=subprocess.PIPE,
                text=True,
            )
        assert self._first.stdin is not None and self._first.stdout is not None
        files = [f"{output}.{name}" for name in ("stdout", "stderr")]
        print(json.dumps([files, arguments]), file=self._first.stdin, flush=True)
        ended = self._first.stdout.readline()
        assert ended, f"the process that {self.modules[0]} is forked from has ended"
        return subprocess.CompletedProcess(arguments, int(ended), *(Path(file).read_text() for file in files))


def main(*modules: str) -> None:
    """Fork for every line of stdin, and tell on stdout how that process ended."""
    first, *_ = [importlib.import_module(name) for name in modules]
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            files, arguments = json.loads(line)
            _redirect(*files)
            first.main(*arguments)
            sys.exit()
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)


def _redirect(stdout: str, stderr: str) -> None:
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    for number, file in ((1, stdout), (2, stderr)):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)


if __name__ == "__main__":
    main(*sys.argv[1:])
