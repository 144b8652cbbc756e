"""`selvedge up` with nothing to do: what memory and processor its processes take, and how its databases grow.

Belongs here: looking, and the slopes. Not here: what is done about growth (retention in dagster.yaml, `selvedge gc`).

A home with a champion and a few published drops is left alone under `selvedge up` as everybody gets it, all families
and Label Studio included. Once a minute the resident memory of every process and the size of every database is read.
A slope is a least-squares line over the samples after the warm-up; its interval (95 %) takes the residuals for
independent, which those of memory are not, so read it as the least that is uncertain.

Run: `python -m benchmarks.operations idle --minutes 120`; `--small` looks for three minutes.
"""

import argparse
import json
import re
import sys
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from statistics import mean

import psutil

from benchmarks.operations import shop

WARM_UP_MINUTES = 10.0
SERVICES = (
    *("dagster-daemon", "dagster-code-server", "dagster-webserver", "dagster-proxy", "mlflow", "mlflow-proxy"),
    *("label-studio", "label-studio-proxy"),
)
DATABASE = re.compile(r"(?P<name>.+?)\.(db|sqlite3)(-wal|-shm|-journal)?$")
UP = (sys.executable, "-m", "orchestration.cli")


def memory(up: shop.Up) -> dict[str, float]:
    """MB resident by service, with the command that watches them."""
    resident: dict[str, float] = defaultdict(float)
    resident["selvedge up"] = psutil.Process(up.process.pid).memory_info().rss / 1e6
    for name in SERVICES:
        for process in with_helpers(up.service(name)):
            try:
                resident[name] += process.memory_info().rss / 1e6
            except psutil.NoSuchProcess:
                continue
    return dict(resident)


def with_helpers(service: psutil.Process | None) -> list[psutil.Process]:
    """A service's process and all that it started; empty while it is down."""
    try:
        return [] if service is None else [service, *service.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def processor(up: shop.Up) -> dict[str, float]:
    """Processor seconds of every service so far, of the helpers that it has started and that ended, too."""
    seconds: dict[str, float] = {}
    for name in SERVICES:
        if (service := up.service(name)) is not None:
            try:
                living = [sum(child.cpu_times()[:4]) for child in service.children(recursive=True)]
                seconds[name] = sum(service.cpu_times()[:4]) + sum(living)
            except psutil.NoSuchProcess:  # a helper ended meanwhile; the next sample has it
                continue
    return seconds


def databases(home: Path) -> dict[str, float]:
    """MB of every database of a home with its write-ahead log, those of Dagster's single runs together; and of logs."""
    sizes: dict[str, float] = defaultdict(float)
    for file in home.rglob("*"):
        try:
            size = file.stat().st_size / 1e6 if file.is_file() else 0.0
        except FileNotFoundError:  # a journal that was just folded in
            continue
        name = str(file.relative_to(home))
        sizes["home"] += size
        if name.startswith("logs/"):
            sizes["logs"] += size
        elif database := DATABASE.match(name):
            own = database["name"]
            single = own.startswith("dagster/history/runs/") and not own.endswith(("/index", "/runs"))
            sizes["dagster, single runs" if single else own] += size
    return dict(sizes)


def slope(hours: Sequence[float], values: Sequence[float]) -> tuple[float, float]:
    """Units an hour, and half of its 95 % interval."""
    from scipy import stats

    if len(set(values)) == 1:
        return 0.0, 0.0
    line = stats.linregress(hours, values)
    return float(line.slope), float(stats.t.ppf(0.975, len(hours) - 2) * line.stderr)


def tell(samples: Sequence[dict[str, object]], minutes: float) -> dict[str, object]:
    """Print slopes and growth over the samples after the warm-up."""
    kept = [sample for sample in samples if float(str(sample["minute"])) >= min(WARM_UP_MINUTES, minutes / 3)]
    hours = [float(str(sample["minute"])) / 60 for sample in kept]
    found: dict[str, object] = {"hours": hours[-1] - hours[0], "samples": len(kept)}
    parts = (("memory", "MB", "MB/h", 1.0), ("databases", "MB", "MB/day", 24.0), ("processor", "s", "s/h", 1.0))
    for part, unit, pace, days in parts:
        series: dict[str, list[float]] = defaultdict(list)
        for sample in kept:
            for name, value in dict(sample[part]).items():  # type: ignore[call-overload]
                series[name].append(value)
        print(f"{part}: first, mean, last {unit}; {pace} with 95 % interval")
        rows = {}
        for name, values in sorted(series.items()):
            if len(values) == len(hours):  # a service that was away for a sample has no line
                rise, half = (days * one for one in slope(hours, values))
                rows[name] = {"mean": mean(values), pace: rise, "half_interval": half}
                last = f"{values[0]:8.1f} {mean(values):8.1f} {values[-1]:8.1f}"
                print(f"  {name:36s} {last}  {rise:+8.2f} ± {half:.2f}")
        found[part] = rows
    return found


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.operations idle")
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--every", type=float, default=60.0, help="seconds between two samples")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args(arguments)
    minutes, every = (3.0, 10.0) if options.small else (options.minutes, options.every)
    folder = shop.folder_of("idle", options.folder)
    settings = shop.settings_of(folder, label_studio="local")
    shop.make_champion(settings)
    names = shop.draw_drops(folder / "drops", 3, 20 if options.small else 200)
    shop.publish_drops(settings, folder / "drops", names)
    samples: list[dict[str, object]] = []
    with shop.running(settings, folder, UP) as up, (folder / "samples.jsonl").open("w") as written:
        began = time.monotonic()
        while (minute := (time.monotonic() - began) / 60) < minutes:
            sample: dict[str, object] = {"minute": minute, "memory": memory(up), "processor": processor(up)}
            sample["databases"] = databases(settings.home)
            samples.append(sample)
            print(json.dumps(sample), file=written, flush=True)
            time.sleep(every)
    shop.emit("idle", **tell(samples, minutes))
