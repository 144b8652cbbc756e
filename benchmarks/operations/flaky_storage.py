"""Drops through attributes and descriptions, tables and objects in a bucket whose store fails: the same tables?

The store is moto's S3 server on loopback; between it and Selvedge stands flaky_front.py, which refuses 5 % of the
requests (500, 503), leaves 1 % without an answer and truncates 0.5 % of the bodies. A home is made, trained and
promoted, and the drops are published, twice by the same code: through a sound front, and through one that fails.
"""

import argparse
import logging
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from urllib.request import Request, urlopen

from benchmarks.operations.flaky_front import FlakyFront, Rates
from benchmarks.operations.shop import (
    draw_drops,
    emit,
    folder_of,
    make_champion,
    publish_drops,
    published,
    settings_of,
)

BUCKET = "shop"
COMPARED = ("catalog/", "inference/")
PATIENCE_SECONDS = 2  # a silent store is noticed after so long here, and after 15 seconds by default
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_DEFAULT_REGION": "us-east-1"}


@contextmanager
def store() -> Iterator[str]:
    """An S3 server in this process with one empty bucket; its address."""
    import boto3
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ.update(CREDENTIALS)
    try:
        # moto remembers earlier servers of this process
        urlopen(Request(f"http://{host}:{port}/moto-api/reset", method="POST"))
        boto3.client("s3", endpoint_url=f"http://{host}:{port}").create_bucket(Bucket=BUCKET)
        yield f"http://{host}:{port}"
    finally:
        server.stop()


def asking(endpoint: str) -> None:
    """Let this process and those it starts ask a store at this address, with little patience."""
    import s3fs

    patience = f'{{"config_kwargs": {{"read_timeout": {PATIENCE_SECONDS}}}}}'
    os.environ.update({"AWS_ENDPOINT_URL": endpoint, "FSSPEC_S3": patience})
    from fsspec.config import conf, set_conf_env

    set_conf_env(conf)
    s3fs.S3FileSystem.clear_instance_cache()


def run_through(folder: Path, rates: Rates, seed: int, names: Sequence[str]) -> tuple[FlakyFront, dict[str, str]]:
    """A new home on a new bucket: its champion, then every drop; the front with its counts, and the tables' hashes."""
    settings = settings_of(folder, storage=f"s3://{BUCKET}/home")
    with store() as address:
        with FlakyFront(address, rates, seed).running() as front:
            asking(front.url)
            # A process of its own, as it keeps databases and connections by their addresses, which both homes share.
            working = get_context("spawn").Process(target=work, args=(folder, names))
            working.start()
            working.join()
            if working.exitcode:
                raise SystemExit(f"the work failed with {working.exitcode}: {dict(front.faults)}.")
        asking(address)
        return front, {name: sha256 for name, sha256 in published(settings).items() if name.startswith(COMPARED)}


def work(folder: Path, names: Sequence[str]) -> None:
    """From a new home to published drops."""
    logging.getLogger("botocore").setLevel(logging.ERROR)
    settings = settings_of(folder, storage=f"s3://{BUCKET}/home")
    make_champion(settings)
    publish_drops(settings, folder / "drops", names)


def report(what: str, front: FlakyFront, tables: dict[str, str], seconds: float) -> None:
    failed = ", ".join(f"{count} {kind}" for kind, count in sorted(front.faults.items())) or "none failed"
    print(
        f"{what}: {len(tables)} tables, {sum(front.asked.values())} requests ({failed}), {front.repeated} asked again, "
        f"{seconds:.0f} s",
        flush=True,
    )


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="2 drops of 20 products")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--times", type=int, default=1, help="all rates times this")
    options = parser.parse_args(arguments)
    folder = folder_of("flaky_storage", options.folder)
    drops, products = (2, 20) if options.small else (20, 200)
    names = draw_drops(folder / "drops", drops, products)
    rates = Rates(*(options.times * rate for rate in (Rates.refused, Rates.silent, Rates.truncated)))
    results = {}
    for what, of in (("undisturbed", Rates(0.0, 0.0, 0.0)), ("failing", rates)):
        began = time.monotonic()
        front, tables = run_through(folder, of, options.seed, names)
        report(what, front, tables, time.monotonic() - began)
        results[what] = (front, tables)
        (folder / "home").rename(folder / f"home-{what}")  # both are made at the same address, which tables name
    (_, sound), (front, disturbed) = results["undisturbed"], results["failing"]
    differing = sorted(name for name in {**sound, **disturbed} if sound.get(name) != disturbed.get(name))
    print(f"tables that differ: {', '.join(differing) or 'none'}", flush=True)
    emit(
        "flaky_storage",
        tables=len(sound),
        differing=differing,
        requests=sum(front.asked.values()),
        faults=dict(front.faults),
        retries=front.repeated,
    )
    if differing or not sound:
        raise SystemExit(1)
