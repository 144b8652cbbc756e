"""The daemon and the Automation page over what twelve months leave: memory by ticks, seconds of the page by ticks kept.

Belongs here: filling a home's tick tables to a year's size, asking the page, reading memory. Not here: the year itself
(year.py), memory of an idle home by the hour (idle.py).

Two issues of Dagster stand behind it: a daemon whose memory grows until it is restarted (dagster#32070), and an
Automation page that takes minutes after months of SQLite and short intervals (dagster#30172).

First the page: a home under `selvedge up` makes ticks of every sensor; its own rows are copied back in time, as many as
retention leaves of a year (skipped ones of 2 days), and then as many as months without retention would leave. Each
time the page's queries are timed. Then the daemon: every sensor is due whenever the daemon looks (brisk.py), which is
every five seconds; every tick is a real one. Memory is read beside the number of ticks, and a line is fitted to it.

Run: `python -m benchmarks.operations daemon [--minutes 20] [--folder DIR] [--save docs] [--small]`.
"""

import argparse
import json
import sqlite3
import sys
import time
import urllib.request
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.operations import shop
from benchmarks.operations.idle import UP, memory, slope
from evaluation.plot_style import SERIES, png, styled_figure
from infra.proxy.door import ensure_token
from orchestration.runtime.services import DEFINITIONS
from orchestration.runtime.settings import Settings

DAY_SECONDS = 86400
KEPT_DAYS = 2  # of skipped ticks, as dagster.yaml says
UNKEPT_DAYS = (10,)  # without retention; a year of it is 36 times that
RETENTION, UNKEPT = "{skipped: 2, success: 30, failure: 60}", "-1"
WARM_UP_TICKS = 1500
LOCATION = "benchmarks.operations.brisk"
STARTED = (
    f"from orchestration.runtime import services; services.DEFINITIONS = '{LOCATION}'; "
    "from orchestration.cli.main import main; main()"
)
BRISK = (sys.executable, "-c", STARTED)
QUERIES = {
    "automations": """{ workspaceOrError { ... on Workspace { locationEntries { locationOrLoadError {
        ... on RepositoryLocation { repositories { id
            sensors { id name sensorState { id status nextTick { timestamp }
                ticks(limit: 1) { id status timestamp skipReason runIds error { message } } } }
            schedules { id name scheduleState { id status nextTick { timestamp }
                ticks(limit: 1) { id status timestamp skipReason runIds error { message } } } }
        } } } } } } }""",
    "ticks of a sensor": """{ sensorOrError(sensorSelector: {repositoryName: "__repository__",
        repositoryLocationName: "LOCATION", sensorName: "inbox"}) { ... on Sensor { sensorState { id
            ticks(limit: 15) { id status timestamp endTimestamp skipReason cursor runIds logKey } } } } }""",
}


def asked(settings: Settings, query: str) -> float:
    """Seconds of one query, as the page's browser sends it."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {ensure_token(settings.secrets)}"}
    body = json.dumps({"query": query}).encode()
    began = time.monotonic()
    with urllib.request.urlopen(
        urllib.request.Request(f"{settings.dagster_uri}/graphql", body, headers=headers), timeout=300
    ) as answer:
        told: dict[str, Any] = json.load(answer)
    if "errors" in told:
        raise SystemExit(f"Dagster's page refuses the query: {told['errors'][0]['message']}")
    return time.monotonic() - began


def page_seconds(settings: Settings, location: str = DEFINITIONS, times: int = 5) -> dict[str, float]:
    """The median of each query."""
    queries = {name: query.replace("LOCATION", location) for name, query in QUERIES.items()}
    return {name: median(asked(settings, query) for _ in range(times)) for name, query in queries.items()}


def ticks_made(database: Path) -> tuple[int, int]:
    """Ticks that were ever made, and those that are kept."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as opened:
        made, kept = opened.execute("select coalesce(max(id), 0), count(*) from job_ticks").fetchone()
    return int(made), int(kept)


def tick_seconds(database: Path, newest: int = 200) -> dict[str, float]:
    """Median seconds of the newest ticks of each sensor."""
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30)) as opened:
        bodies = opened.execute("select tick_body from job_ticks order by id desc limit ?", (newest,)).fetchall()
    seconds: dict[str, list[float]] = {}
    for (body,) in bodies:
        tick = json.loads(body)
        if tick.get("end_timestamp"):
            seconds.setdefault(tick["job_name"], []).append(tick["end_timestamp"] - tick["timestamp"])
    return {name: median(values) for name, values in seconds.items()}


def fill(database: Path, days: float, intervals: dict[str, float], before: float) -> None:
    """Copy the newest skipped tick of every sensor back in time: as many as so many days hold.

    Args:
        intervals: seconds between two ticks, by the sensor's name. before: the moment that all of them precede.
    """
    with closing(sqlite3.connect(database, timeout=60)) as opened, opened:
        newest = opened.execute(
            "select job_origin_id, selector_id, status, type, tick_body from job_ticks where id in "
            "(select max(id) from job_ticks where status = 'SKIPPED' group by selector_id)"
        ).fetchall()
        rows = []
        for origin, selector, status, kind, body in newest:
            every = intervals.get(json.loads(body)["job_name"], 60.0)
            for number in range(1, int(days * DAY_SECONDS / every) + 1):
                moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(before - number * every))
                rows.append((origin, selector, status, kind, moment, body, moment, moment))
        opened.executemany(
            "insert into job_ticks (job_origin_id, selector_id, status, type, timestamp, tick_body, create_timestamp, "
            "update_timestamp) values (?, ?, ?, ?, ?, ?, ?, ?)",
            rows,
        )


def intervals_of() -> dict[str, float]:
    """Seconds between two ticks of each sensor of the installed definitions."""
    from orchestration.graph.build import build_defs

    sensors = build_defs().get_repository_def().sensor_defs
    return {sensor.name: float(sensor.minimum_interval_seconds or 30) for sensor in sensors}


def time_the_page(settings: Settings, folder: Path, database: Path, days: Sequence[float]) -> list[dict[str, Any]]:
    """Seconds of the page with the home's own ticks, and after each filling."""
    rows, intervals, filled = [], intervals_of(), 0.0
    configuration = settings.dagster_home / "dagster.yaml"
    now = time.time()
    for upto in (0.0, *days):
        if upto > KEPT_DAYS:  # the first tick of the daemon would remove them again
            configuration.write_text(configuration.read_text().replace(RETENTION, UNKEPT))
        if upto:
            fill(database, upto - filled, intervals, now - filled * DAY_SECONDS)
            filled = upto
        with shop.running(settings, folder, UP):
            if not upto:
                time.sleep(90)  # every sensor has looked
            kept = ticks_made(database)[1]
            rows.append({"days": upto, "kept": kept, "bytes": database.stat().st_size, **page_seconds(settings)})
        print(json.dumps(rows[-1]), file=sys.stderr, flush=True)
    configuration.write_text(configuration.read_text().replace(UNKEPT, RETENTION))
    return rows


def watch(
    settings: Settings, folder: Path, database: Path, minutes: float, every: float = 20.0
) -> list[dict[str, Any]]:
    """Memory by ticks made, while every sensor is due at each look.

    The ticks that were filled in belong to the other code location: the page does not read them here.
    """
    samples: list[dict[str, Any]] = []
    with shop.running(settings, folder, BRISK) as up:
        began, (first, _) = time.monotonic(), ticks_made(database)
        while (passed := time.monotonic() - began) < minutes * 60:
            made, kept = ticks_made(database)
            samples.append({"minute": passed / 60, "ticks": made - first, "kept": kept, "memory": memory(up)})
            if len(samples) % 6 == 1:
                samples[-1]["page"] = page_seconds(settings, LOCATION, 3)
                samples[-1]["tick_seconds"] = tick_seconds(database)
            print(json.dumps(samples[-1]), file=sys.stderr, flush=True)
            (folder / "samples.json").write_text(json.dumps(samples))
            time.sleep(every)
    return samples


def growth(samples: Sequence[dict[str, Any]]) -> dict[str, dict[str, float]]:
    """MB for 1,000 ticks of each process, with half of its 95 % interval, after the warm-up."""
    warm = min(WARM_UP_TICKS, samples[-1]["ticks"] / 3)
    kept = [sample for sample in samples if sample["ticks"] >= warm]
    ticks = [sample["ticks"] / 1000 for sample in kept]
    rows = {}
    for name in kept[0]["memory"]:
        values = [sample["memory"].get(name) for sample in kept]
        if None not in values:
            rise, half = slope(ticks, values)
            rows[name] = {"first": values[0], "last": values[-1], "mb_per_1000": rise, "half": half}
    return rows


def figure_of(found: dict[str, Any]) -> bytes:
    """Memory over ticks, and the page over the ticks that are kept."""
    samples = found["samples"]
    shown = ("dagster-daemon", "dagster-code-server", "dagster-webserver", "mlflow")
    with styled_figure(8.4, 3.6) as figure:
        left, right = figure.subplots(1, 2)
        for position, name in enumerate(shown):
            there = [(sample["ticks"], sample["memory"][name]) for sample in samples if name in sample["memory"]]
            left.plot(*zip(*there, strict=True), color=SERIES[position], label=name)
        left.set_xlabel("ticks since the start")
        left.set_ylabel("MB resident")
        left.set_ylim(0)
        left.grid()
        for position, name in enumerate(QUERIES):
            rows = found["page"]
            right.plot([row["kept"] for row in rows], [row[name] for row in rows], color=SERIES[position], marker="o",
                       markersize=4, label=f"page: {name}")  # fmt: skip
        right.set_xlabel("ticks in the database")
        right.set_ylabel("seconds")
        right.set_ylim(0)
        right.grid()
        left.legend()
        right.legend()
        return png(figure)


def lines_of(found: dict[str, Any]) -> list[str]:
    """Markdown for docs/operations.md."""
    lines = ["| ticks kept | of | database | automations | one sensor |", "|---|---|---|---|---|"]
    for row in found["page"]:
        of = f"{row['days']:g} days of every sensor" if row["days"] else "a minute"
        seconds = " | ".join(f"{row[name]:.2f} s" for name in QUERIES)
        lines.append(f"| {row['kept']:,} | {of} | {row['bytes'] / 1e6:.0f} MB | {seconds} |")
    last = found["samples"][-1]
    over = f"process, over {last['ticks']:,} ticks in {last['minute']:.0f} minutes"
    lines += ["", f"| {over} | first | last | MB for 1,000 ticks |", "|---|---|---|---|"]
    for name, row in found["growth"].items():
        grown = f"{row['mb_per_1000']:+.2f} ± {row['half']:.2f}"
        lines.append(f"| {name} | {row['first']:.0f} MB | {row['last']:.0f} MB | {grown} |")
    return lines


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="daemon", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0, help="of watching the daemon")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--save", type=Path, help="folder of the manual, for images/daemon.png")
    parser.add_argument("--small", action="store_true")
    options = parser.parse_args(arguments)
    folder = shop.folder_of("daemon", options.folder)
    (folder / "settings.yaml").write_text("{}\n")
    settings = shop.settings_of(folder)
    database = settings.dagster_home / "schedules" / "schedules.db"
    days = (KEPT_DAYS,) if options.small else (KEPT_DAYS, *UNKEPT_DAYS)
    page = time_the_page(settings, folder, database, days)
    samples = watch(settings, folder, database, 2 if options.small else options.minutes)
    found = {"page": page, "samples": samples, "growth": growth(samples)}
    (folder / "found.json").write_text(json.dumps(found))
    if options.save:
        (options.save / "images" / "daemon.png").write_bytes(figure_of(found))
    print("\n".join(lines_of(found)))
    shop.emit("daemon", page=page, growth=found["growth"], ticks=samples[-1]["ticks"])
