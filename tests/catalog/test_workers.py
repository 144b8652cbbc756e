"""Worker processes: order, bounds, and no orphan when the parent is killed."""

import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from catalog.errors import SelvedgeError
from catalog.workers import map_in_order


def slower_when_early(number: int) -> int:
    time.sleep(0.02 if number % 3 == 0 else 0)
    return number * number


def die(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.mark.parametrize("workers", [None, 1, 3])
def test_results_come_in_order(workers: int | None) -> None:
    assert list(map_in_order(slower_when_early, range(40), workers=workers)) == [n * n for n in range(40)]
    assert list(map_in_order(slower_when_early, [], workers=workers)) == []


def test_a_worker_that_dies_is_one_sentence() -> None:
    with pytest.raises(SelvedgeError, match="worker process died"):
        list(map_in_order(die, range(8), workers=2))


PARENT = """
import sys, time
from catalog.workers import map_in_order
def wait(number):
    time.sleep(60)
if __name__ == "__main__":
    print("ready", flush=True)
    list(map_in_order(time.sleep, [60] * 8, workers=2))
"""


def test_workers_end_with_a_parent_that_is_killed() -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)
    try:
        assert parent.stdout is not None
        parent.stdout.readline()
        deadline = time.monotonic() + 20
        family: list[psutil.Process] = []
        while time.monotonic() < deadline and len(family) < 4:  # fork server, resource tracker, two workers
            family = psutil.Process(parent.pid).children(recursive=True)
            time.sleep(0.05)
        assert len(family) >= 4
        parent.kill()
        parent.wait()
        _, alive = psutil.wait_procs(family, timeout=10)
        assert alive == []
    finally:
        parent.kill()
