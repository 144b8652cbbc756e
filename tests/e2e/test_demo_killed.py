"""A demo that is killed at any of these moments and run again at once publishes what an undisturbed one does.

It is killed four times: the run that goes on after a kill is the one that the next kill meets, further on.
"""

import shutil
import signal
import time
from pathlib import Path

import pytest

from orchestration.runtime.instance import open_instance
from orchestration.runtime.recovery import recover
from tests.e2e.databases import begin_home
from tests.e2e.demo_runs import published, run, settings, slots_held

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.xdist_group("demo"), pytest.mark.timeout(1500)]

# A dead run's slot is waited for ten minutes where nobody frees it.
NO_WAITING_SECONDS = 300


# An interrupted training may come to its end while the interrupt is delivered, so the kill in the middle comes first.
KILLS = (
    ("ingest", signal.SIGKILL),
    ("training", signal.SIGKILL),
    ("training", signal.SIGINT),
    ("inference", signal.SIGKILL),
)


def test_a_killed_demo_ends_in_the_same_tables(demo_folder: Path, undisturbed: dict[str, str]) -> None:
    shutil.rmtree(demo_folder / "home")
    begin_home(demo_folder / "home")
    for moment, number in KILLS:
        began = time.monotonic()
        killed = run(demo_folder, moment, number.name)
        assert time.monotonic() - began < NO_WAITING_SECONDS
        assert killed.returncode != 0
        if number is signal.SIGKILL:
            assert killed.returncode == -signal.SIGKILL
            if moment == "training":
                assert slots_held(demo_folder) == 1
        assert was_reached(demo_folder, moment)
    began = time.monotonic()
    done = run(demo_folder)
    assert done.returncode == 0, done.stderr[-3000:]
    assert time.monotonic() - began < NO_WAITING_SECONDS
    assert published(demo_folder) == undisturbed
    with open_instance(settings(demo_folder)) as instance:
        assert not recover(instance)
    assert slots_held(demo_folder) == 0


def was_reached(folder: Path, moment: str) -> bool:
    """Whether the run was ended where it was to be, and not before or after: what is published tells."""
    tables = settings(folder).tables()
    there = [(tables / name / "drawn-1.parquet").exists() for name in ("catalog/products", "inference/attributes")]
    return there == {"ingest": [False, False], "training": [True, False], "inference": [True, True]}[moment]
