"""Attributes of a drop on a Ray cluster: the local table byte for byte, whatever becomes of its processes and nodes."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from catalog.errors import SelvedgeError, ServiceUnavailable
from catalog.tables import write_table
from inference.attributes import Predicted, predict_attributes
from inference.compute import Compute, Work
from infra.ray.cluster import RayCluster
from orchestration.runtime.compute import RayCompute
from tests.inference.shipped_model import drawn_products, save_on_shipped_base
from tests.infra.ray_cluster import ROOT, kill_an_actor, listening, lose, two_nodes
from training.blip2.artefact import AttributeModel, load_artefact
from training.blip2.features import FeatureStore

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.xdist_group("ray")]
PRODUCTS, AT_ONCE = 24, 3


@pytest.fixture(scope="module")
def nodes() -> Iterator[tuple[Any, Any]]:
    with two_nodes() as made:
        yield made


@dataclass(frozen=True)
class Drop:
    """What is asked about what, and what this process answers."""

    folder: Path
    model: AttributeModel
    products: pd.DataFrame
    images: pd.DataFrame

    def ask(self, name: str, compute: Compute | None = None, progress: Any = None, **more: Any) -> Predicted:
        """With a feature store of that name."""
        return predict_attributes(
            self.model,
            self.images,
            self.products,
            store=FeatureStore(self.folder / name, self.model.base),
            model_uri="models:/blip2-attributes/1",
            pictures_at_once=AT_ONCE,
            compute=compute,
            folder=self.folder / "model",
            progress=progress,
            **more,
        )

    def table(self, predicted: Predicted) -> bytes:
        """Of the published file."""
        write_table(predicted.frame, self.folder / "attributes.parquet", "attributes")
        return (self.folder / "attributes.parquet").read_bytes()


@pytest.fixture(scope="module")
def drop(tmp_path_factory: pytest.TempPathFactory) -> Drop:
    folder = tmp_path_factory.mktemp("drop")
    products, images = drawn_products(folder / "shop", PRODUCTS)
    return Drop(folder, load_artefact(save_on_shipped_base(folder / "model")), products, images)


def test_a_killed_process_and_a_removed_node_cost_only_time(nodes: Any, drop: Drop) -> None:
    """Table and features are those that this process computes."""
    cluster, node = nodes
    killed: list[int] = []

    def faults(done: int, total: int, what: str) -> None:
        if not killed:
            killed.append(kill_an_actor(cluster))
        elif len(killed) == 1 and done > PRODUCTS // 2:
            killed.append(0)
            cluster.remove_node(node, allow_graceful=False)

    local = drop.ask("here")
    there = drop.ask("there", RayCompute(RayCluster(cluster.address)), faults)
    assert len(killed) == 2 and there.counts() == local.counts()
    assert drop.table(there) == drop.table(local)
    here, away = (FeatureStore(drop.folder / name, drop.model.base) for name in ("here", "there"))
    pictures = sorted(set(drop.images["sha256"]))
    assert away.read(pictures).equal(here.read(pictures))


def test_a_cluster_of_this_machine_is_reached_from_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two windows; what the work refuses in the second is our sentence."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    results = RayCompute(RayCluster("local", window_bytes=1)).map(slow_doubling(0), map(numbers, (4, 13)))
    assert next(results)["number"].to_pylist() == [8]
    assert listening() == {"127.0.0.1"}
    with pytest.raises(SelvedgeError, match=r"^number 13 is refused; leave it out\.$"):
        next(results)


def test_a_lost_cluster_is_a_service_that_is_away(nodes: Any) -> None:
    """The last test of the module: it takes the cluster away."""
    cluster, _ = nodes
    results = RayCompute(RayCluster(cluster.address)).map(slow_doubling(0.3), map(numbers, range(40)))
    assert [next(results)["number"].to_pylist() for _ in range(3)] == [[0], [2], [4]]
    lose(cluster)
    with pytest.raises(ServiceUnavailable, match=rf"^the Ray cluster at {cluster.address} was lost while it computed "):
        list(results)


def numbers(*given: int) -> pa.Table:
    return pa.table({"number": list(given)})


def slow_doubling(seconds: float) -> Work:
    return Work(lambda batch: batch, "tests.infra.ray_work:doubling", {"seconds": str(seconds)})
