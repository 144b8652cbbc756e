"""What orchestration costs beyond the work: seconds a partition of 10, 100 and 1,000, and beside a plain loop.

Belongs here: both measurements. Not here: what the work itself takes (benchmarks/attributes_speed.py).

growth   Drops of two products are read, one after another, into one home. With 10, 100 and 1,000 partitions in it: the
         seconds of one run beyond a plain loop that reads and writes the same (median of the last ten), of planning a
         backfill of all of them, and of one look of all sensors and conditions. Work that is linear in the partitions
         has constant seconds a partition.
loop     Ten drops of 200 products are made again by a new champion: by a plain loop over the same functions, by
         `selvedge backfill` in its own process, and by the daemon, two runs at once. All read the same feature cache.

Run: `python -m benchmarks.operations overhead`; `--small`: 10 and 30 partitions, 2 drops of 20 products.
"""

import argparse
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.operations import kills, shop
from orchestration.runtime.settings import Settings

PRODUCTS_OF_GROWTH = 2
LAST = 10  # runs whose median counts
TRIES = 3


def seconds_of(action: Callable[[], object]) -> float:
    began = time.perf_counter()
    action()
    return time.perf_counter() - began


def plainly_read(source: Path, name: str, out: Path) -> None:
    """What a run of catalog/products and catalog/quarantine does, without a run."""
    from catalog.delivery import fingerprint
    from catalog.reading import read_catalogue
    from catalog.tables import write_table

    fingerprint(str(source))
    read = read_catalogue(str(source), name)
    for table, rows in (("quarantine", read.quarantine), ("products", read.products)):
        write_table(rows, out / table / f"{name}.parquet", table)


def growth(folder: Path, sizes: Sequence[int]) -> list[dict[str, Any]]:
    """Seconds a partition at each number of partitions."""
    from orchestration.defs.catalog.deliveries import add_drop
    from orchestration.jobs.backfill import plan_backfill
    from orchestration.jobs.in_process import keys

    settings = shop.settings_of(folder)
    names = shop.draw_drops(folder / "drops", sizes[-1], PRODUCTS_OF_GROWTH)
    for table in ("quarantine", "products"):
        (folder / "plain" / table).mkdir(parents=True)
    runs: list[float] = []
    loop: list[float] = []
    rows = []
    with shop.opened(settings) as graph:
        for name in names:
            source = folder / "drops" / name
            add_drop(graph.instance, settings, name, str(source))
            runs.append(seconds_of(lambda name=name: graph.run(keys(*shop.READ[:2]), name)))  # type: ignore[misc]
            loop.append(seconds_of(lambda name=name, source=source: plainly_read(source, name, folder / "plain")))  # type: ignore[misc]
            if len(runs) in sizes:
                plan = lambda: plan_backfill(graph, assets=shop.READ[:2], everything=True)  # noqa: E731
                stale = lambda: plan_backfill(graph, assets=shop.READ[:2])  # noqa: E731
                looks = median(_looks(graph))
                row = {
                    "partitions": len(runs),
                    "run": median(runs[-LAST:]),
                    "loop": median(loop[-LAST:]),
                    "beyond": median(runs[-LAST:]) - median(loop[-LAST:]),
                    "plan": seconds_of(plan) / len(runs),
                    "plan of what is stale": seconds_of(stale) / len(runs),
                    "look": looks / len(runs),
                }
                rows.append(row)
                print("  " + ", ".join(f"{key} {value:.4g}" for key, value in row.items()) + " s", flush=True)
    return rows


def _looks(graph: Any) -> list[float]:
    """Seconds of each evaluation of all automation conditions, as the daemon makes them twice a minute."""
    import dagster as dg

    cursor = None
    looks = []
    for _ in range(1 + TRIES):
        began = time.perf_counter()
        cursor = dg.evaluate_automation_conditions(graph.definitions, graph.instance, cursor=cursor).cursor
        looks.append(time.perf_counter() - began)
    return looks[1:]  # the first sees everything as new


def plainly_published(settings: Settings, names: Sequence[str], out: Path) -> float:
    """Seconds of a loop that makes of every drop what a backfill publishes, and writes it elsewhere."""
    from catalog.tables import write_table
    from inference.attributes import predict_tables
    from inference.descriptions.publish import described
    from orchestration.assets.published import Tables
    from orchestration.assets.resources import Models
    from orchestration.defs.inference.writers import description_writer
    from orchestration.families.blip2_attributes import NAME
    from orchestration.families.stages import reported_champion
    from training.reporting import Silent

    tables = Tables(root=str(settings.tables()))
    for asset in shop.PUBLISHED:
        (out / asset).mkdir(parents=True)
    with shop.opened(settings) as graph:
        instance = graph.instance

        def publish() -> None:
            version, artefact = reported_champion(instance, Models(settings=settings), NAME)
            for name in names:
                images, products = (
                    tables.read(instance, asset, name) for asset in ("catalog/images", "catalog/products")
                )
                before = tables.latest(shop.PUBLISHED[0], name)
                schema, answers = predict_tables(
                    artefact, version.uri, images, products, before, settings.features(), Silent()
                )
                write_table(answers.frame, out / shop.PUBLISHED[0] / f"{name}.parquet", "attributes")
                answered = _table(out / shop.PUBLISHED[0] / f"{name}.parquet")
                texts_before = tables.latest(shop.PUBLISHED[1], name)
                journal, writer = out / f"{name}.journal", description_writer(settings)
                with described(products, answered, texts_before, writer, schema, journal, Silent().progress) as texts:
                    write_table(texts.frame, out / shop.PUBLISHED[1] / f"{name}.parquet", "descriptions")

        return seconds_of(publish)


def _table(path: Path) -> Any:
    from catalog.tables import read_table

    return read_table(path).replace_schema_metadata(None)


def beside_a_loop(folder: Path, drops: int, products: int) -> dict[str, Any]:
    """Seconds of loop, single process and daemon over the same drops, and whether they wrote the same."""
    settings, kept = shop.settings_of(folder), folder / "home.before"
    names = kills.prepare(settings, folder, drops, products)
    shutil.copytree(settings.home, kept, symlinks=True)
    loop = plainly_published(settings, names, folder / "plain")
    single = _timed_backfill(settings)
    wrote = [
        _table(folder / "plain" / asset / f"{name}.parquet").equals(
            _table(settings.tables() / asset / f"{name}.parquet")
        )
        for asset in shop.PUBLISHED
        for name in names
    ]
    settings.home.rename(folder / "home.single")
    kept.rename(settings.home)
    with shop.running(settings, folder):
        multi = _timed_backfill(settings)
    found = {
        "drops": drops,
        "products": products,
        "loop": loop,
        "single": single["backfill"],
        "multi": multi["backfill"],
    }
    found |= {"single command": single["command"], "multi command": multi["command"]}
    found |= {"single / loop": single["backfill"] / loop, "multi / loop": multi["backfill"] / loop}
    return {**found, "same tables": all(wrote)}


def _timed_backfill(settings: Settings) -> dict[str, float]:
    """Seconds of the command, and of its runs from the first one's creation to the last one's end."""
    began = time.time()
    command = seconds_of(lambda: kills.carried_out(settings))
    from orchestration.runtime.instance import open_instance

    with open_instance(settings) as instance:
        records = [record for record in instance.get_run_records() if record.create_timestamp.timestamp() >= began]
    first = min(record.create_timestamp.timestamp() for record in records)
    last = max(record.end_time or 0.0 for record in records)
    return {"command": command, "backfill": last - first}


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.operations overhead")
    parser.add_argument("--partitions", type=int, nargs="+", default=[10, 100, 1000])
    parser.add_argument("--drops", type=int, default=10)
    parser.add_argument("--products", type=int, default=200)
    parser.add_argument("--only", choices=["growth", "loop"])
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args(arguments)
    if options.small:
        options.partitions, options.drops, options.products = [10, 30], 2, 20
    folder = shop.folder_of("overhead", options.folder)
    found: dict[str, Any] = {}
    if options.only != "loop":
        (folder / "growth").mkdir()
        shop.make_champion(shop.settings_of(folder / "growth"))
        found["growth"] = growth(folder / "growth", options.partitions)
    if options.only != "growth":
        (folder / "loop").mkdir()
        found["loop"] = beside_a_loop(folder / "loop", options.drops, options.products)
    shop.emit("overhead", **found)
