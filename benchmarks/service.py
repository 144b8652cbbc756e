"""The request API under load: micro-batches against one by one, a promotion while clients ask, kills.

Belongs here: throughput, times, memory and what was lost of `inference/service`. Not here: whether an answer is right
(tests/inference/service/).

  load        clients that each ask again as soon as they are answered, two requests for attributes to one for a
              description; the same photographs with batches of up to 16 and of 1 (the baseline)
  promotion   another version every few seconds meanwhile; every answer must be of one version, by field and digest
  kills       `selvedge serve` of its own, whose worker and server are killed in turn while ads are asked for; every
              accepted one must end once, and show the same plans to the last byte as one that nobody was killed over

The model has the architecture of the shipped `tiny` base and random LoRA weights: it costs what a trained one costs.

Run: `python -m benchmarks.service`: 64 clients, ten minutes, 30 kills. `--small` takes a minute or two.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from multiprocessing import get_context
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import numpy as np
import psutil

from catalog.drawn import draw_catalogue
from catalog.schema import load_schema
from catalog.workspace import read_into
from inference.pages import HOST, listening
from inference.service.access import Admission
from inference.service.app import MODEL_HEADER, create_app
from inference.service.batching import MOST_AT_ONCE, Batcher
from inference.service.champions import ATTRIBUTES, Champion, Champions
from inference.service.service import Service, ServiceLimits
from orchestration.families.settings import load_settings
from orchestration.jobs import serving
from training.blip2.adapter import attach_new, detach, save_adapter
from training.blip2.artefact import load_artefact, save_artefact
from training.blip2.base import load_base
from training.blip2.calibration import AttributeCalibration, Calibration
from training.blip2.settings import LoraSettings

UNLIMITED = ServiceLimits(per_minute=10**9, at_once=10**6, jobs=10**6)
PROMOTION_SECONDS = 3.0
PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Size:
    """How much is asked. seconds: of each load. kills: of worker and server together."""

    clients: int
    seconds: float
    kills: int
    products: int


FULL, SMALL = Size(64, 600.0, 30, 200), Size(8, 8.0, 2, 12)


@dataclass
class Load:
    """What clients were answered. milliseconds: of each request. versions: digests by the version that was stamped."""

    milliseconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    versions: dict[str, set[str]] = field(default_factory=dict)
    unstamped: int = 0


def save_random_model(folder: Path, seed: int) -> Champion:
    """An artefact of the tiny base with a random adapter."""
    import torch

    torch.manual_seed(seed)
    base, schema = load_base("tiny"), load_schema()
    adapted = attach_new(base, LoraSettings())
    with torch.no_grad():
        for name, weight in adapted.named_parameters():
            if "lora_B" in name:
                weight.normal_(std=0.05)
    adapter = folder.with_name(f"{folder.name}-adapter")
    save_adapter(adapted, adapter)
    detach(adapted)
    sure = AttributeCalibration(
        temperature=1.0, threshold=0.2, rows=100, coverage=0.5, error=0.1, calibration_error=0.0
    )
    names = schema.question_set("details").attributes
    words = {name: dict.fromkeys(schema.attributes[name].vocabulary, schema.article_types) for name in names}
    calibration = Calibration(0.1, dict.fromkeys(names, sure))
    save_artefact(folder, base, adapter, schema.narrowed(words, "details"), "details", "trie", calibration)
    return Champion(f"models:/random/{seed}", folder)


@contextmanager
def answering(
    folder: Path, catalogue: Path, resolve: Callable[[], Champion], most: int
) -> Iterator[tuple[Service, str]]:
    """A service in this process without workers, its address; batches of at most so many."""
    settings = load_settings(home=folder)
    champions = Champions({ATTRIBUTES: resolve}, load_artefact)
    keys = serving.open_keys(settings)
    key = serving.studio_key(settings, keys)
    champions.refresh()
    champions.start(PROMOTION_SECONDS / 3)
    with serving.audit_log(settings) as audit, listening(0) as listener:
        service = serving.build(settings, serving.Offered(catalogue), champions, audit, lambda: 1)
        service = replace(
            service,
            batcher=Batcher(service.metrics, most),
            admission=Admission(UNLIMITED.per_minute, UNLIMITED.at_once),
            limits=UNLIMITED,
        )
        service.batcher.start()
        with serving.answering(create_app(service), listener):
            yield service, f"http://{HOST}:{listener.getsockname()[1]} {key}"
        service.batcher.stop()
    champions.stop()


def ask_for(address_and_key: str, photos: list[bytes], clients: int, seconds: float) -> Load:
    """Every client asks as soon as it is answered, from a process of their own."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_clients, (address_and_key, photos, clients, seconds))


def _clients(address_and_key: str, photos: list[bytes], clients: int, seconds: float) -> Load:
    address, key = address_and_key.split()
    load, end = Load(), time.monotonic() + seconds

    def client(number: int) -> None:
        with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {key}"}, timeout=60) as asking:
            turn = number
            while time.monotonic() < end:
                what = "/descriptions" if turn % 3 == 0 else "/attributes"
                began = time.monotonic()
                files = {"photo": photos[turn % len(photos)]}
                answer = asking.post(what, params={"article_type": "Shirts"}, files=files)
                load.milliseconds.append(1000 * (time.monotonic() - began))
                load.statuses[answer.status_code] += 1
                if answer.status_code == 200:
                    stamp = answer.json()
                    load.versions.setdefault(stamp["model"], set()).add(stamp["digest"])
                    load.unstamped += answer.headers.get(MODEL_HEADER) != stamp["model"]
                turn += 1

    threads = [Thread(target=client, args=(number,)) for number in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return load


def row(name: str, load: Load, seconds: float, grown: float) -> str:
    p50, p95 = np.percentile(load.milliseconds, [50, 95])
    failed = sum(count for status, count in load.statuses.items() if status != 200)
    return (
        f"{name:28s} {len(load.milliseconds) / seconds:8.1f} requests/s   p50 {p50:7.0f} ms   p95 {p95:7.0f} ms   "
        f"failed {failed}   memory {grown:+.0f} MiB"
    )


def measure_load(folder: Path, catalogue: Path, photos: list[bytes], size: Size) -> None:
    """Batches against one by one, then promotions under the same load."""
    versions = [save_random_model(folder / f"model-{seed}", seed) for seed in (1, 2)]
    rates = {}
    for most in (1, MOST_AT_ONCE):
        with answering(folder / f"home-{most}", catalogue, lambda: versions[0], most) as (_, asked):
            ask_for(asked, photos, size.clients, min(5.0, size.seconds))  # warm
            before = psutil.Process().memory_info().rss
            load = ask_for(asked, photos, size.clients, size.seconds)
            grown = (psutil.Process().memory_info().rss - before) / 2**20
        rates[most] = len(load.milliseconds) / size.seconds
        print(row(f"batches of at most {most}", load, size.seconds, grown), flush=True)
    print(f"micro-batches: {rates[MOST_AT_ONCE] / rates[1]:.2f} times one by one")
    began = time.monotonic()

    def promoted() -> Champion:
        return versions[int((time.monotonic() - began) / PROMOTION_SECONDS) % 2]

    with answering(folder / "home-promotion", catalogue, promoted, MOST_AT_ONCE) as (_, asked):
        load = ask_for(asked, photos, size.clients, size.seconds)
    print(row("promotions meanwhile", load, size.seconds, 0.0))
    mixed = sum(len(digests) != 1 for digests in load.versions.values())
    print(
        f"versions {sorted(load.versions)}: {mixed} with answers of another one, {load.unstamped} headers that differ"
    )


class Killed:
    """`selvedge serve` in a process of its own, started again whenever it was killed."""

    def __init__(self, home: Path, catalogue: Path) -> None:
        self._command = [sys.executable, "-m", "orchestration.cli", "serve", "--port", "0", "--json"]
        self._command += ["--catalog", str(catalogue)]
        self._environment = {**os.environ, "SELVEDGE_HOME": str(home), "SELVEDGE_AD_SIZE": "256"}
        self._home = home
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True, env=self._environment)
        assert self.process.stdout is not None
        printed = json.loads(self.process.stdout.readline())
        self.asking = httpx.Client(
            base_url=printed["address"],
            headers={"Authorization": f"Bearer {printed['studio'].partition('#key=')[2]}"},
            timeout=30,
        )

    def kill_worker(self) -> None:
        recorded = json.loads((self._home / serving.FOLDER / "service-worker-1.pid").read_text())
        psutil.Process(recorded["pid"]).kill()

    def kill_server(self) -> None:
        self.process.kill()
        self.process.wait()
        self.start()

    def until_done(self, name: str) -> dict[str, Any]:
        end = time.monotonic() + PATIENCE_SECONDS
        while True:
            ad = dict(self.asking.get(f"/ads/{name}").json())
            if ad["state"] in ("done", "refused", "failed") or time.monotonic() > end:
                return ad
            time.sleep(0.2)

    def plans(self, ad: dict[str, Any]) -> list[bytes]:
        return [self.asking.get(plan["url"]).content for plan in ad["plans"]]


def measure_kills(folder: Path, catalogue: Path, products: list[int], size: Size) -> None:
    """Worker and server are killed in turn, each while an ad is made."""
    service = Killed(folder / "home-kills", catalogue)
    bodies = [{"product": products[kill % len(products)], "seed": kill} for kill in range(size.kills)]
    for kill, body in enumerate(bodies):
        service.asking.put(f"/ads/killed-{kill}", json=body).raise_for_status()
        while service.asking.get(f"/ads/killed-{kill}").json()["state"] == "queued":
            time.sleep(0.05)
        if kill % 2:
            service.kill_server()
        else:
            service.kill_worker()
            time.sleep(2.0)  # `serve` starts it again, at most three times in five minutes
        service.until_done(f"killed-{kill}")
        if kill % 6 == 5:  # so that it is not given up
            service.process.send_signal(signal.SIGINT)
            service.process.wait()
            service.start()
    states, other = Counter[str](), 0
    for kill, body in enumerate(bodies):
        service.asking.put(f"/ads/quiet-{kill}", json=body).raise_for_status()
        killed, quiet = service.until_done(f"killed-{kill}"), service.until_done(f"quiet-{kill}")
        states[killed["state"]] += 1
        other += killed["state"] != quiet["state"] or service.plans(killed) != service.plans(quiet)
    service.process.send_signal(signal.SIGINT)
    service.process.wait()
    print(f"{size.kills} kills: ended as {dict(states)}, {other} otherwise than without a kill")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--small", action="store_true", help="a minute or two")
    size = SMALL if parser.parse_args().small else FULL
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        draw_catalogue(folder / "shop", size.products, 7)
        read_into(str(folder / "shop"), "drawn", folder / "catalog")
        pictures = sorted((folder / "shop" / "images").glob("*.jpg"))
        measure_load(folder, folder / "catalog", [path.read_bytes() for path in pictures], size)
        measure_kills(folder, folder / "catalog", [int(path.stem) for path in pictures], size)


if __name__ == "__main__":
    main()
