"""The lock: one holder at a time, and none once its process is gone."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from infra.errors import ServiceFailure
from infra.local.lock import exclusive

ROOT = Path(__file__).resolve().parents[2]
HOLDER = "import sys,time; from pathlib import Path; from infra.local.lock import exclusive\n"
HOLDER += "with exclusive(Path(sys.argv[1]), 1, 'holding'):\n    print('held', flush=True)\n    time.sleep(600)"


def test_the_second_waits_and_is_told_who_holds(tmp_path):
    with exclusive(tmp_path / "lock", 1, "busy"):
        began = time.monotonic()
        refused = pytest.raises(
            ServiceFailure, match=r"another process is busy \(process \d+, since \d.* UTC; it holds .*lock\)"
        )
        with refused, exclusive(tmp_path / "lock", 0.2, "counting"):
            raise AssertionError("both held it")
    assert time.monotonic() - began >= 0.2


def test_a_killed_holder_frees_it(tmp_path):
    lock = tmp_path / "lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(lock)], stdout=subprocess.PIPE, cwd=ROOT)
    assert holder.stdout.readline() == b"held\n"
    holder.kill()
    holder.wait()
    with exclusive(lock, 2, "busy"):
        assert lock.exists()
