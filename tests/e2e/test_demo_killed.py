"""A demo that is killed at any of these moments and run again at once publishes what an undisturbed one does."""

import shutil
import signal
import time
from pathlib import Path

import pytest

from orchestration.runtime.instance import open_instance
from orchestration.runtime.recovery import recover
from tests.e2e.demo_runs import published, run, settings, slots_held

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.xdist_group("demo"), pytest.mark.timeout(1500)]

# A dead run's slot is waited for ten minutes where nobody frees it.
NO_WAITING_SECONDS = 300


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ("ingest", signal.SIGKILL),
        ("training", signal.SIGKILL),
        ("training", signal.SIGINT),
        ("inference", signal.SIGKILL),
    ],
)
def test_a_killed_demo_ends_in_the_same_tables(
    demo_folder: Path, undisturbed: dict[str, str], moment: str, number: signal.Signals
) -> None:
    shutil.rmtree(demo_folder / "home")
    killed = run(demo_folder, moment, number.name)
    assert killed.returncode != 0
    if number is signal.SIGKILL:
        assert killed.returncode == -signal.SIGKILL
        if moment == "training":
            assert slots_held(demo_folder) == 1
    began = time.monotonic()
    done = run(demo_folder)
    assert done.returncode == 0, done.stderr[-3000:]
    assert time.monotonic() - began < NO_WAITING_SECONDS
    assert published(demo_folder) == undisturbed
    with open_instance(settings(demo_folder)) as instance:
        assert not recover(instance)
    assert slots_held(demo_folder) == 0
