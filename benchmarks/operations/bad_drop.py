"""One drop among many that can never be read: the others are published, and it costs a bounded number of runs.

Belongs here: the inbox with the bad one in its middle, and counting. Not here: what refuses it (catalog/delivery.py),
what bounds the retries (orchestration/assets/failures.py).

The real daemon under `selvedge up` takes every drop from the inbox. The bad one's table has lost its header, which no
retry mends. Once the others are published the home is left alone for a while, to see that nothing asks for the bad one
again; then the standing checks of operations/left_failed are made.

Run: `python -m benchmarks.operations bad_drop` (60 drops of 20 products); `--small`: 4 drops.
"""

import argparse
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg

from benchmarks.operations import shop
from orchestration.assets.failures import SENTENCE_TAG
from orchestration.assets.partitions import PARTITION_TAG
from orchestration.runtime.instance import open_instance
from orchestration.runtime.recovery import UNFINISHED
from orchestration.runtime.settings import Settings

RUNS_OF_A_PERMANENT_FAILURE = 1  # the bound: an error of ours is never tried again
POLL_SECONDS = 5.0
PATIENCE_SECONDS = 3600.0
BUSY = [*UNFINISHED, dg.DagsterRunStatus.QUEUED]


def spoil(drop: Path) -> None:
    """Take the header from a drop's table."""
    table = drop / "styles.csv"
    table.write_text("".join(table.read_text(encoding="utf-8").splitlines(keepends=True)[1:]), encoding="utf-8")


def wait_until_published(settings: Settings, names: Sequence[str]) -> float:
    """Seconds until every drop has its descriptions and no run is left. The patience is an hour."""
    began = time.monotonic()
    table = settings.tables() / "inference" / "descriptions"
    with open_instance(settings) as instance:
        while time.monotonic() - began < PATIENCE_SECONDS:
            there = sum((table / f"{name}.parquet").exists() for name in names)
            if there == len(names) and not instance.get_runs(dg.RunsFilter(statuses=BUSY), limit=1):
                return time.monotonic() - began
            time.sleep(POLL_SECONDS)
    raise SystemExit(f"{there} of {len(names)} drops were published within {PATIENCE_SECONDS:.0f} s")


def runs_by_partition(settings: Settings) -> tuple[Counter[str], dict[str, str]]:
    """How many runs every partition took ("" for what has none), and the sentence of each that failed."""
    runs, sentences = Counter[str](), {}
    with open_instance(settings) as instance:
        for run in instance.get_runs():
            partition = run.tags.get(PARTITION_TAG, "")
            runs[partition] += 1
            if run.is_failure:
                sentences[partition] = run.tags.get(SENTENCE_TAG, "(no sentence)")
    return runs, sentences


def standing_check(settings: Settings) -> dict[str, Any]:
    """What operations/left_failed counts, and how its check stands."""
    from orchestration.assets.published import materialised
    from orchestration.jobs.in_process import keys

    with shop.opened(settings) as graph:
        graph.run(keys("operations/left_failed"))
        told = materialised(graph.instance, "operations/left_failed") or {}
        check = dg.AssetCheckKey(dg.AssetKey(["operations", "left_failed"]), "no_partition_left_failed")
        (record,) = graph.instance.event_log_storage.get_asset_check_execution_history(check, limit=1)
        event = record.event.asset_check_evaluation if record.event else None
        return {
            "failed": told.get("failed"),
            "passed": None if event is None else event.passed,
            "sentence": None if event is None else event.description,
        }


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.operations bad_drop")
    parser.add_argument("--drops", type=int, default=60)
    parser.add_argument("--products", type=int, default=20)
    parser.add_argument("--alone-seconds", type=float, default=180.0, help="left alone after the last run")
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args(arguments)
    if options.small:
        options.drops, options.alone_seconds = 4, 60.0
    folder = shop.folder_of("bad_drop", options.folder)
    settings = shop.settings_of(folder)
    shop.make_champion(settings)
    names = shop.draw_drops(folder / "drops", options.drops, options.products)
    bad = names[len(names) // 2]
    spoil(folder / "drops" / bad)
    good = [name for name in names if name != bad]
    before, _ = runs_by_partition(settings)
    with shop.running(settings, folder):
        for name in names:
            (folder / "drops" / name).rename(settings.inbox / name)
        seconds = wait_until_published(settings, good)
        time.sleep(options.alone_seconds)
    runs, sentences = runs_by_partition(settings)
    of_good = [runs[name] for name in good]
    shop.emit(
        "bad_drop",
        drops=len(names),
        published=len(good),
        seconds=seconds,
        runs_of_the_bad=runs[bad],
        bound=RUNS_OF_A_PERMANENT_FAILURE,
        runs_of_a_good={"least": min(of_good), "most": max(of_good)},
        other_runs=runs[""] - before[""],
        sentences=sentences,
        standing_check=standing_check(settings),
        status=[line for line in shop.selvedge(settings, "status").stdout.splitlines() if bad in line],
    )
