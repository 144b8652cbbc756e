"""A demo that is killed at any of these moments and run again at once publishes what an undisturbed one does."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from catalog.tables import content_sha256, read_table
from orchestration.runtime.instance import open_instance
from orchestration.runtime.recovery import recover
from orchestration.runtime.settings import Settings
from tests.orchestration.micro_base import save_micro_base, save_micro_settings
from tests.ports import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1500)]

ROOT = Path(__file__).resolve().parents[2]
# A dead run's slot is waited for ten minutes where nobody frees it.
NO_WAITING_SECONDS = 300


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One folder for all runs, because tables name the pictures' places; each run starts without a home."""
    folder = tmp_path_factory.mktemp("demo")
    save_micro_settings(folder / "settings.yaml", save_micro_base(folder / "base"))
    return folder


@pytest.fixture(scope="module")
def undisturbed(folder: Path) -> dict[str, str]:
    """Hashes of the tables that a demo publishes when nobody disturbs it."""
    done = run(folder)
    assert done.returncode == 0, done.stderr[-3000:]
    outcome = json.loads(done.stdout.splitlines()[-1])
    assert outcome["products"] == 72 and outcome["champion"] == "models:/blip2-attributes/1"
    assert Path(outcome["report"]).stat().st_size > 100_000
    hashes = published(folder)
    assert len(hashes) > 12
    again = run(folder)  # nothing changed: nothing is made again
    assert again.returncode == 0, again.stderr[-3000:]
    assert not [
        line for line in again.stderr.splitlines() if "[drawn-" in line or line.startswith(("catalog/", "training/"))
    ]
    assert published(folder) == hashes
    return hashes


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
    folder: Path, undisturbed: dict[str, str], moment: str, number: signal.Signals
) -> None:
    shutil.rmtree(folder / "home")
    killed = run(folder, moment, number.name)
    assert killed.returncode != 0
    if number is signal.SIGKILL:
        assert killed.returncode == -signal.SIGKILL
        if moment == "training":
            assert slots_held(folder) == 1
    began = time.monotonic()
    done = run(folder)
    assert done.returncode == 0, done.stderr[-3000:]
    assert time.monotonic() - began < NO_WAITING_SECONDS
    assert published(folder) == undisturbed
    with open_instance(settings(folder)) as instance:
        assert not recover(instance)
    assert slots_held(folder) == 0


def run(folder: Path, *moment: str) -> subprocess.CompletedProcess[str]:
    port = folder / "port"
    if not port.exists():
        port.write_text(str(free_port()))
    command = [sys.executable, "-m", "tests.e2e.demo_process", str(folder), port.read_text(), *moment]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=1200)


def settings(folder: Path) -> Settings:
    return Settings(home=folder / "home")


def slots_held(folder: Path) -> int:
    with open_instance(settings(folder)) as instance:
        return len(instance.event_log_storage.get_concurrency_info("gpu").claimed_slots)


def published(folder: Path) -> dict[str, str]:
    """Content hashes of every published table; a candidate's name carries the day, so it is left out."""
    hashes = {}
    root = settings(folder).tables()
    for path in sorted(root.rglob("*.parquet"), key=str):
        name = "/".join(path.relative_to(root).parts)
        table = read_table(path)
        if name.startswith("evaluation/"):
            name = "/".join([*name.split("/")[:2], path.name.partition("-2")[0]])
            table = table.drop_columns([column for column in ("candidate",) if column in table.column_names])
        hashes[name] = content_sha256(table.replace_schema_metadata(None))
    return hashes
