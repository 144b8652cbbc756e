"""How many connections a home holds to PostgreSQL while the daemon makes sixty drops again, two runs at once.

Belongs here: counting, in `pg_stat_activity`. Not here: how many each part may hold (orchestration/registry/ledger.py,
infra/local/mlflow_server.py; Dagster keeps none open beyond a statement).

Drops are read, and `selvedge backfill --all` asks the daemon under `selvedge up` to publish all of them. Every fifth of
a second the connections to the database are counted by who holds them.

Run: `python -m benchmarks.operations connections --postgres URL` (60 drops of 200 products) on an empty database of a
server that nobody else uses; `--small`: 6 of 20.
"""

import argparse
import json
import sys
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.operations import shop
from orchestration.runtime.databases import CONNECTIONS
from orchestration.runtime.postgres import STORED, checked
from orchestration.runtime.settings import Settings

EVERY_SECONDS = 0.2
BACKFILL = ("backfill", "--assets", ",".join(shop.PUBLISHED), "--all", "--limit", "2", "--json")
COUNT = (
    "SELECT application_name, count(*) FROM pg_stat_activity WHERE datname = current_database() "
    "AND backend_type = 'client backend' AND pid <> pg_backend_pid() GROUP BY 1"
)


@dataclass
class Counting(threading.Thread):
    """Counts until it is told to stop. peak: the most at once. by_part: of each part, the most at once."""

    uri: str
    counts: list[int] = field(default_factory=list)
    by_part: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        super().__init__(daemon=True)
        self._over = threading.Event()

    __hash__ = threading.Thread.__hash__

    def run(self) -> None:
        import psycopg

        with psycopg.connect(self.uri, autocommit=True) as connection:
            while not self._over.wait(EVERY_SECONDS):
                rows = connection.execute(COUNT).fetchall()
                self.counts.append(sum(number for _, number in rows))
                for name, number in rows:
                    self.by_part[name] = max(self.by_part[name], number)

    def stop(self) -> None:
        self._over.set()
        self.join()


def begin(settings: Settings, uri: str) -> None:
    """The address in the secrets of a home that is not there yet, so that it begins on PostgreSQL."""
    file = settings.secrets / STORED
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    file.touch(0o600)
    file.write_text(checked(uri) + "\n")


def main(arguments: Sequence[str] = tuple(sys.argv[1:])) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.operations connections")
    parser.add_argument("--postgres", required=True, metavar="URL", help="an empty database")
    parser.add_argument("--small", action="store_true", help="6 drops of 20 products")
    parser.add_argument("--folder", type=Path, default=None)
    options = parser.parse_args(arguments)
    drops, products = (6, 20) if options.small else (60, 200)
    folder = shop.folder_of("connections", options.folder)
    settings = shop.settings_of(folder)
    begin(settings, options.postgres)
    shop.make_champion(settings)
    names = shop.draw_drops(folder / "drops", drops, products, workers=None)
    shop.publish_drops(settings, folder / "drops", names, shop.READ)
    counting = Counting(options.postgres)
    with shop.running(settings, folder):
        counting.start()
        began = time.monotonic()
        done = shop.selvedge(settings, *BACKFILL)
        seconds = time.monotonic() - began
        counting.stop()
    result = json.loads(done.stdout or "{}")
    peak, middle = max(counting.counts), sorted(counting.counts)[len(counting.counts) // 2]
    print(f"{drops} drops of {products} products: {result.get('status')}")
    print("\n".join(line for line in done.stderr.splitlines() if "failed" in line))
    print(f"connections: {peak} at most, {middle} half the time; the bound is {CONNECTIONS}")
    for name, number in counting.by_part.most_common():
        print(f"  {name or 'without a name'}: {number} at most")
    shop.emit(
        "connections", drops=drops, products=products, peak=peak, median=middle, bound=CONNECTIONS,
        by_part=dict(counting.by_part), samples=len(counting.counts), seconds=round(seconds, 1),
        status=result.get("status"),
    )  # fmt: skip
    if peak > CONNECTIONS or result.get("status") != "made":
        raise SystemExit(1)
