"""Demos with micro settings, each in a process of its own (tests/e2e/demo_process.py), and what they published."""

import json
import subprocess
from pathlib import Path

from catalog.tables import content_sha256, read_table
from orchestration.runtime.instance import open_instance
from orchestration.runtime.settings import Settings
from tests.e2e.forked import Forks
from tests.ports import free_port

DEMOS = Forks(
    "tests.e2e.demo_process",
    *("great_expectations", "matplotlib.pyplot", "mlflow", "torch", "transformers", "training.blip2.candidate"),
)


def undisturbed_demo(folder: Path) -> dict[str, str]:
    """Hashes of the tables that a demo publishes when nobody disturbs it; run again it makes nothing."""
    done = run(folder)
    assert done.returncode == 0, done.stderr[-3000:]
    outcome = json.loads(done.stdout.splitlines()[-1])
    assert outcome["products"] == 72 and outcome["champion"] == "models:/blip2-attributes/1"
    assert Path(outcome["report"]).stat().st_size > 100_000
    hashes = published(folder)
    assert len(hashes) > 12
    again = run(folder)
    assert again.returncode == 0, again.stderr[-3000:]
    assert not [
        line for line in again.stderr.splitlines() if "[drawn-" in line or line.startswith(("catalog/", "training/"))
    ]
    assert published(folder) == hashes
    return hashes


def run(folder: Path, *moment: str) -> subprocess.CompletedProcess[str]:
    return DEMOS.run(str(folder), str(port_of(folder)), *moment, output=folder / "demo")


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


def port_of(folder: Path) -> int:
    """The port of MLflow, the same in every run."""
    file = folder / "port"
    if not file.exists():
        file.write_text(str(free_port()))
    return int(file.read_text())
