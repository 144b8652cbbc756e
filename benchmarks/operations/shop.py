"""What the proofs share: drawn drops, a home with a champion, everything running over it, and what it published.

Belongs here: making these, the same every time. Not here: breaking anything (a module for each row).
"""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import psutil

from orchestration.runtime.settings import OFF, Settings

ROOT = Path(__file__).resolve().parents[2]
ENVIRONMENTS = ROOT / ".selvedge-environments"  # Label Studio's, made once for every test and benchmark
FIRST_DAY = date(2026, 1, 1)
FIRST_ID = 100_001  # above the demo's own drops
PICTURE_SIDE = 64
COMMAND = (sys.executable, "-m", "benchmarks.operations.command")
# Of a drop, upstream first: what its delivery becomes, and what the champion makes of that.
READ = ("catalog/products", "catalog/quarantine", "catalog/images")
PUBLISHED = ("inference/attributes", "inference/descriptions")
START_SECONDS = 300


def folder_of(row: str, chosen: Path | None, begun: Sequence[str] = ()) -> Path:
    """Where a row works: an empty folder. The default is git-ignored, inside this checkout.

    Args:
        begun: files one of which says that the folder is a row's own to go on with.
    """
    folder = (chosen or ROOT / ".selvedge-operations" / row).resolve()
    if folder.exists() and any(folder.iterdir()) and not any((folder / name).exists() for name in begun):
        raise SystemExit(f"{folder} is not empty; remove it, or name another with --folder.")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def free_port() -> int:
    """A port of the loopback address that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def drop_names(drops: int) -> list[str]:
    """A drop a day: 2026-01-01 and so on."""
    return [(FIRST_DAY + timedelta(days=number)).isoformat() for number in range(drops)]


def draw_drops(folder: Path, drops: int, products: int, seed: int = 11, workers: int | None = 1) -> list[str]:
    """Draw a drop a day into a folder (an inbox, say), each with ids of its own; a drop that is there is left alone.

    The same arguments draw the same files. Each is drawn under a hidden name and renamed, so that an inbox's sensor
    sees whole drops only.
    """
    from catalog.drawn import draw_catalogue

    names = drop_names(drops)
    for number, name in enumerate(names):
        if not (folder / name).exists():
            part = folder / f".{name}"
            first = FIRST_ID + number * 10 * products
            draw_catalogue(part, products, seed + number, size=PICTURE_SIDE, workers=workers, first_id=first)
            part.rename(folder / name)
    return names


def settings_of(folder: Path, **overrides: Any) -> Settings:
    """The settings of a proof's home: no ads, no end-to-end ceiling, one thread, free ports that stay the same.

    Args:
        folder: of the row; the home is its folder `home`. overrides: field names of `Settings`.
    """
    file = folder / "ports.json"
    if not file.exists():
        ports = {f"{name}_port": free_port() for name in ("mlflow", "dagster", "label_studio")}
        file.write_text(json.dumps(ports))
    quick = {"demo_products": 60, "demo_new_products": 12, "ad_products": 0, "cnn_seconds": 0, "threads": 1}
    fixed = {
        "home": folder / "home",
        "family_settings": {"blip2-attributes": folder / "settings.yaml"},
        "label_studio": OFF,
        "label_studio_environments": ENVIRONMENTS,
    }
    return Settings(**{**json.loads(file.read_text()), **quick, **fixed, **overrides})


def variables_of(settings: Settings) -> dict[str, str]:
    """The environment in which `selvedge …` has these settings."""
    fields = sorted(settings.model_fields_set - {"family_settings"})
    own = {f"SELVEDGE_{name.upper()}": str(getattr(settings, name)) for name in fields}
    own["SELVEDGE_BLIP2_SETTINGS"] = str(settings.family_settings["blip2-attributes"])
    quiet = {"DAGSTER_DISABLE_TELEMETRY": "1", "MLFLOW_DISABLE_TELEMETRY": "true", "GX_ANALYTICS_ENABLED": "false"}
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("SELVEDGE_")}
    return {**inherited, **quiet, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), **own}


def make_champion(settings: Settings, steps: int = 12) -> str:
    """A home whose demo has promoted the quick family: half a minute. With other steps, one more champion; its URI."""
    from benchmarks.operations.families import QUICK_FAMILIES, save_quick_base, save_quick_settings
    from orchestration.jobs.demo import run_demo

    file = settings.family_settings["blip2-attributes"]
    base = file.parent / "base"
    if not base.exists():
        save_quick_base(base)
    save_quick_settings(file, base, steps)
    return str(run_demo(settings, families=QUICK_FAMILIES)["champion"])


@contextmanager
def opened(settings: Settings, models: bool = True) -> Iterator[Any]:
    """The graph of a home in this process (`InProcess`). models: with MLflow beside it."""
    from benchmarks.operations.families import QUICK_FAMILIES
    from orchestration.graph.build import build_defs
    from orchestration.jobs.in_process import InProcess
    from orchestration.runtime.instance import open_instance
    from orchestration.runtime.services import tracking_server
    from training.reporting import Silent

    with tracking_server(settings) if models else nullcontext(), open_instance(settings) as instance:
        yield InProcess(build_defs(settings, QUICK_FAMILIES, {"progress": Silent()}), instance)


def publish_drops(
    settings: Settings, source: Path, names: Sequence[str], assets: Sequence[str] = READ + PUBLISHED
) -> None:
    """Make these assets of every drop, a run a drop in this process; then whatever follows by itself."""
    from orchestration.defs.catalog.deliveries import add_drop
    from orchestration.jobs.in_process import keys

    with opened(settings) as graph:
        for name in names:
            add_drop(graph.instance, settings, name, str(source / name))
            graph.run(keys(*assets), name)
        graph.settle()


def published(settings: Settings, under: str = "") -> dict[str, str]:
    """Content hashes of the published tables, without metadata of their files, as those name runs and moments.

    Args:
        under: only tables whose `stage/asset/partition` begins so.
    """
    from catalog.tables import content_sha256, read_table

    root, hashes = settings.tables(), {}
    for path in sorted(root.rglob("*.parquet"), key=str):
        name = "/".join(path.relative_to(root).parts)
        if name.startswith(under):
            hashes[name] = content_sha256(read_table(path).replace_schema_metadata(None))
    return hashes


@dataclass
class Up:
    """`selvedge up` as it runs. log: what it tells people."""

    settings: Settings
    process: "subprocess.Popen[str]"
    log: Path

    @property
    def processes(self) -> list[psutil.Process]:
        """Everything that it started and that lives."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def service(self, name: str) -> psutil.Process | None:
        """The process of a service by its name in `selvedge status`; None while it is down."""
        for file in self.settings.home.glob(f"**/{name}.pid"):
            try:
                return psutil.Process(json.loads(file.read_text())["pid"])
            except (psutil.NoSuchProcess, ValueError, KeyError):
                return None
        return None


@contextmanager
def running(settings: Settings, folder: Path, command: Sequence[str] = COMMAND) -> Iterator[Up]:
    """`selvedge up` on a home until the block ends. Its lines go to `up.log` in the folder."""
    log = folder / "up.log"
    with log.open("a") as told:
        process = subprocess.Popen(
            [*command, "up", "--json"],
            stdout=subprocess.PIPE,
            stderr=told,
            text=True,
            cwd=ROOT,
            env=variables_of(settings),
        )
    try:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise SystemExit(f"`selvedge up` did not start: {log.read_text()[-2000:]}")
        yield Up(settings, process, log)
    finally:
        if process.poll() is None:
            process.terminate()  # a shell that starts a proof in the background leaves SIGINT ignored
        try:
            process.wait(timeout=START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()


def selvedge(settings: Settings, *arguments: str, timeout: float = 3600) -> "subprocess.CompletedProcess[str]":
    """A command on a home, to its end."""
    return subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env=variables_of(settings),
        timeout=timeout,
    )


def emit(row: str, **found: Any) -> None:
    """The last line of a row: what it found, as JSON."""
    print(json.dumps({"row": row, "at": time.strftime("%Y-%m-%d %H:%M"), **found}), flush=True)
