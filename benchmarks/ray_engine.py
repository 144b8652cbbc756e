"""Attributes on a Ray cluster of two nodes on this machine: the same table, what the engine adds, the run's memory.

Belongs here: both ways of computing the same drawn drops on the shipped base. Not here: faults (tests/e2e/test_ray.py).

Two nodes of one machine share its processors: this shows what the engine costs, and cannot show a speed-up. Each way
and size is a process of its own, so that its peak memory is its own.

Run: `python -m benchmarks.ray_engine` (needs `selvedge[ray]`; `--products 100` to try it).
"""

import argparse
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from infra.ray.driver import private_environment

SIZES = (1000, 5000)
LOCAL, NODES = "local", 2
STORE_BYTES = 200 * 2**20
MODEL, SHOP = "model", "shop"


def main() -> None:
    arguments = _arguments()
    if arguments.way:
        print(json.dumps(measured(arguments.work, arguments.way, arguments.products[0])))
        return
    from tests.inference.shipped_model import drawn_products, save_on_shipped_base

    here = {"RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(Path(__file__).resolve().parents[1])}
    os.environ |= {**private_environment(), **here}  # read when ray is imported, and inherited by its processes
    from ray.cluster_utils import Cluster

    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        save_on_shipped_base(work / MODEL)
        began = time.perf_counter()
        head = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": STORE_BYTES}
        cluster = Cluster(initialize_head=True, head_node_args=head)
        for _ in range(NODES - 1):
            cluster.add_node(num_cpus=1, object_store_memory=STORE_BYTES)
        print(f"cluster of {NODES} nodes, up after {time.perf_counter() - began:.1f} s")
        print("products  way      first batch    whole    run's peak memory")
        for count in arguments.products:
            products, images = drawn_products(work / SHOP / str(count), count)
            products.to_parquet(work / f"products-{count}.parquet")
            images.to_parquet(work / f"images-{count}.parquet")
            ways = [_elsewhere(work, way, count) for way in (LOCAL, cluster.address)]
            for name, way in zip(("local", "ray"), ways, strict=True):
                print(f"{count:8}  {name:7} {way['first']:9.1f} s {way['seconds']:7.1f} s {way['megabytes']:10.0f} MB")
            print(f"{count:8}  the same bytes: {'yes' if ways[0]['sha256'] == ways[1]['sha256'] else 'NO'}")
        cluster.shutdown()


def measured(work: Path, way: str, count: int) -> dict[str, Any]:
    """Seconds to the first batch and to the end, peak megabytes of this process, and the hash of the table."""
    import pandas as pd
    import torch

    from catalog.tables import write_table
    from inference.attributes import predict_attributes
    from infra.ray.cluster import RayCluster
    from orchestration.runtime.compute import RayCompute
    from training.blip2.artefact import load_artefact
    from training.blip2.features import FeatureStore

    torch.set_num_threads(1)  # as many as Ray gives an actor: other numbers change last bits
    products, images = (pd.read_parquet(work / f"{name}-{count}.parquet") for name in ("products", "images"))
    model = load_artefact(work / MODEL)
    began, firsts = time.perf_counter(), list[float]()
    predicted = predict_attributes(
        model,
        images,
        products,
        store=FeatureStore(work / f"features-{count}-{way == LOCAL}", model.base),
        model_uri="models:/blip2-attributes/1",
        progress=lambda *_: firsts.append(time.perf_counter() - began),
        compute=None if way == LOCAL else RayCompute(RayCluster(way)),
        folder=work / MODEL,
    )
    seconds = time.perf_counter() - began
    file = work / f"attributes-{count}-{way == LOCAL}.parquet"
    write_table(predicted.frame, file, "attributes")
    return {
        "first": firsts[0],
        "seconds": seconds,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,  # kilobytes on Linux
        "sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
    }


def _elsewhere(work: Path, way: str, count: int) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.ray_engine", "--work", str(work), "--way", way]
    ended = subprocess.run([*command, "--products", str(count)], capture_output=True, text=True, check=False)
    if ended.returncode:
        raise SystemExit(ended.stderr)
    figures: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    return figures


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--products", type=int, nargs="+", default=SIZES)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    main()
