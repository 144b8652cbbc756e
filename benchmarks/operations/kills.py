"""A backfill by the daemon while its processes and services are killed: the tables are an undisturbed run's.

Belongs here: killing, and the comparison. Not here: what recovers (orchestration/runtime/recovery.py, Dagster's run
retries, infra/local/up.py, the backfill command).

Drops are published by one champion, then another is promoted. The home is copied; in it `selvedge backfill` makes all
drops again undisturbed, in its own process. Put back as it was, the same command asks the daemon under `selvedge up`
for the same, two runs at once, while processes are ended by SIGKILL at random moments. A service is left alone for two
minutes after its kill, since `up` starts one again three times in five minutes. Where drops are left failed the command
is given again, as an operator would; what that takes is counted.

Run: `python -m benchmarks.operations kills` (60 drops of 200 products, 30 kills); `--small`: 6 of 20, 4 kills.
"""

import argparse
import json
import random
import shutil
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import psutil

from benchmarks.operations import shop
from orchestration.runtime.instance import open_instance
from orchestration.runtime.recovery import owner_of
from orchestration.runtime.settings import Settings

SERVICES = ("dagster-daemon", "dagster-code-server", "mlflow")
WORKER = "run worker"
SERVICE_PAUSE_SECONDS = 120.0
KINDS = (WORKER, WORKER, WORKER, WORKER, *SERVICES)  # as likely as they stand here
BACKFILL = ("backfill", "--assets", ",".join(shop.PUBLISHED), "--limit", "2", "--json")
PREPARED = "prepared"  # there once the home is: a proof that was stopped later begins behind it
ROUNDS = 5  # the command is given at most so often


@dataclass
class Killer(threading.Thread):
    """Ends a process at random moments until it has ended enough of them or is told to stop.

    Attributes:
        mean_seconds: between two kills, exponentially distributed. killed: what, and when.
    """

    up: shop.Up
    kills: int
    mean_seconds: float
    seed: int
    killed: list[tuple[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self._random = random.Random(self.seed)
        self._over = threading.Event()

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        with open_instance(self.up.settings) as instance:
            while len(self.killed) < self.kills and not self._over.wait(
                self._random.expovariate(1 / self.mean_seconds)
            ):
                kind = self._random.choice(KINDS)
                lately = [what for what, moment in self.killed if time.time() - moment < SERVICE_PAUSE_SECONDS]
                self._kill_one(instance, WORKER if kind in lately else kind)

    def _kill_one(self, instance: dg.DagsterInstance, kind: str) -> None:
        """As soon as there is one to kill."""
        while not self._over.wait(0.2):
            victim = self._victim(instance, kind)
            if victim is not None and _killed(victim):
                self.killed.append((kind, time.time()))
                print(f"  kill {len(self.killed)}: {kind}", flush=True)
                return

    def stop(self) -> None:
        self._over.set()
        self.join()

    def _victim(self, instance: dg.DagsterInstance, kind: str) -> psutil.Process | None:
        """The process of a service, or of a run that is under way."""
        if kind != WORKER:
            return self.up.service(kind)
        runs = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED]))
        owner = owner_of(instance, self._random.choice(runs)) if runs else None
        try:
            return None if owner is None or owner.proved_dead() else psutil.Process(owner.pid)
        except psutil.NoSuchProcess:
            return None


def _killed(process: psutil.Process) -> bool:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        return False
    return True


def prepare(settings: Settings, folder: Path, drops: int, products: int) -> list[str]:
    """A home whose drops were published by one champion, before another was promoted."""
    shop.make_champion(settings, steps=12)
    names = shop.draw_drops(folder / "drops", drops, products, workers=None)
    shop.publish_drops(settings, folder / "drops", names)
    shop.make_champion(settings, steps=14)
    return names


def carried_out(settings: Settings) -> tuple[dict[str, object], str]:
    """One `selvedge backfill`, to its end: its result, and the last that it told."""
    done = shop.selvedge(settings, *BACKFILL)
    return json.loads(done.stdout or "{}"), " ".join(done.stderr.splitlines()[-1:])


def disturbed(settings: Settings, folder: Path, kills: int, mean_seconds: float, seed: int) -> dict[str, object]:
    """The same backfill by the daemon while processes are killed: what was killed, and what each command answered."""
    answers: list[str] = []
    with shop.running(settings, folder) as up:
        killer = Killer(up, kills, mean_seconds, seed)
        killer.start()
        for _ in range(ROUNDS):
            result, told = carried_out(settings)
            print(f"  {result.get('status')}: {len(list(result.get('made', [])))} made. {told}", flush=True)  # type: ignore[call-overload]
            answers.append(f"{result.get('status')} {told}".strip())
            if result.get("status") in ("made", "up to date"):
                break
        killer.stop()
    return {"killed": dict(Counter(kind for kind, _ in killer.killed)), "kills": len(killer.killed), "answers": answers}


def runs_since(settings: Settings, moment: float) -> tuple[Counter[str], Counter[str]]:
    """Runs that were to publish, and others, by how they ended."""
    ours, others = Counter[str](), Counter[str]()
    wanted = {dg.AssetKey(name.split("/")) for name in shop.PUBLISHED}
    with open_instance(settings) as instance:
        for record in instance.get_run_records():
            if record.create_timestamp.timestamp() >= moment:
                run = record.dagster_run
                (ours if wanted & set(run.asset_selection or ()) else others)[run.status.value] += 1
    return ours, others


def faults(settings: Settings, names: Sequence[str]) -> dict[str, int]:
    """Rows of descriptions that stand twice, and products without one."""
    from catalog.tables import read_table

    twice = lost = 0
    for name in names:
        products, texts = (
            read_table(settings.tables() / "/".join((*asset.split("/"), f"{name}.parquet")))["product_id"].to_pylist()
            for asset in (shop.READ[0], shop.PUBLISHED[-1])
        )
        twice += len(texts) - len(set(texts))
        lost += len(set(products) - set(texts))
    return {"duplicate": twice, "lost": lost}


def _put_back(kept: Path, home: Path) -> None:
    shutil.rmtree(home, ignore_errors=True)
    shutil.copytree(kept, home, symlinks=True)


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.operations kills")
    parser.add_argument("--drops", type=int, default=60)
    parser.add_argument("--products", type=int, default=200)
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--mean-seconds", type=float, default=25.0, help="between two kills")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args(arguments)
    if options.small:
        options.drops, options.products, options.kills, options.mean_seconds = 6, 20, 4, 10.0
    folder = shop.folder_of("kills", options.folder, begun=(PREPARED,))
    settings, kept = shop.settings_of(folder), folder / "home.before"
    if not (folder / PREPARED).exists():
        prepare(settings, folder, options.drops, options.products)
        shutil.copytree(settings.home, kept, symlinks=True)
        (folder / PREPARED).touch()
    _put_back(kept, settings.home)
    names = shop.drop_names(options.drops)
    print("undisturbed, in the command's own process", flush=True)
    began, clock = time.time(), time.monotonic()
    result, told = carried_out(settings)
    undisturbed_seconds = time.monotonic() - clock
    if result.get("status") != "made":
        sys.exit(f"the undisturbed backfill failed: {told}")
    undisturbed, plain_runs = shop.published(settings), runs_since(settings, began)[0]
    _put_back(kept, settings.home)
    print(f"  {sum(plain_runs.values())} runs, {undisturbed_seconds:.0f} s; now with kills", flush=True)
    began, clock = time.time(), time.monotonic()
    found = disturbed(settings, folder, options.kills, options.mean_seconds, options.seed)
    seconds = time.monotonic() - clock
    ours, others = runs_since(settings, began)
    tables = shop.published(settings)
    differing = sorted(name for name in tables.keys() | undisturbed.keys() if tables.get(name) != undisturbed.get(name))
    shop.emit(
        "kills",
        drops=options.drops,
        products=options.products,
        **found,
        runs=dict(ours),
        extra_runs=sum(ours.values()) - sum(plain_runs.values()),
        other_runs=dict(others),
        tables=len(tables),
        differing=differing,
        **faults(settings, names),
        seconds=seconds,
        undisturbed_seconds=undisturbed_seconds,
    )


if __name__ == "__main__":
    main(sys.argv[1:])
