"""What a cluster is asked and answers, as far as it can be seen without Ray; with Ray: tests/e2e/test_ray.py."""

import multiprocessing
from collections.abc import Iterator
from random import Random

import pyarrow as pa
import pytest

from catalog.errors import SelvedgeError
from infra.errors import ServiceFailure
from infra.ray.cluster import RayCluster, again
from infra.ray.driver import Actor, _in_order, _pool, _row_table
from infra.ray.errors import ClusterRefusal
from infra.ray.messages import RAISED, Raised, from_bytes, send, to_bytes
from tests.ports import free_port

WORK = "tests.infra.ray_work:doubling"


def answered(factory: str, number: int) -> tuple[bytes, str | None]:
    batch = to_bytes(pa.table({"number": [number]}))
    (row,) = Actor(factory, {"seconds": "0"})(_row_table([7], [(batch, None)])).to_pylist()
    assert row["number"] == 7
    return row["content"], row["raised"]


def test_an_actor_does_the_named_work() -> None:
    content, raised = answered(WORK, 4)
    assert from_bytes(content)["number"].to_pylist() == [8] and raised is None


@pytest.mark.parametrize(
    ("factory", "number", "kind", "sentence"),
    [
        (WORK, 13, SelvedgeError, "number 13 is refused; leave it out."),
        ("nowhere:nothing", 4, ModuleNotFoundError, "No module named 'nowhere'"),
    ],
)
def test_what_the_work_raises_is_raised_again(factory: str, number: int, kind: type, sentence: str) -> None:
    _, raised = answered(factory, number)
    assert raised is not None
    error = again(Raised.from_json(raised))
    assert type(error) is kind and str(error) == sentence


def test_a_node_without_the_code_is_a_cluster_that_cannot_do_it() -> None:
    raised = Raised("builtins", "ModuleNotFoundError", "No module named 'nowhere'").to_json()
    ours, theirs = multiprocessing.Pipe()
    send(theirs, RAISED, raised.encode())
    with pytest.raises(ClusterRefusal, match=r"^the Ray cluster at a:1 cannot do this \(No module named 'nowhere'"):
        RayCluster("a:1")._result(ours)


@pytest.mark.parametrize("name", ["UnicodeDecodeError", "NoSuchClass", "print"])
def test_what_cannot_be_raised_again_keeps_its_text(name: str) -> None:
    error = again(Raised("builtins", name, "the text"))
    assert type(error) is RuntimeError and "the text" in str(error)


def test_answers_come_in_order() -> None:
    numbered = [(number, (bytes([number]), None)) for number in range(50)]
    shuffled = Random(3).sample(numbered, len(numbered))
    assert list(_in_order(shuffled)) == [answer for _, answer in numbered]


def test_an_actor_a_gpu_or_else_a_processor() -> None:
    assert _pool({"CPU": 6.0, "GPU": 2.0}) == (2, {"num_cpus": 0, "num_gpus": 1})
    assert _pool({"CPU": 6.0}) == (6, {"num_cpus": 1})
    with pytest.raises(ValueError, match="no node with a processor"):
        _pool({"memory": 1.0})


def test_nothing_to_do_asks_nobody_and_nothing_at_the_address_is_told_at_once() -> None:
    address = f"127.0.0.1:{free_port()}"
    assert list(RayCluster(address).map(WORK, {}, [])) == []
    with pytest.raises(ServiceFailure, match=f"^no Ray cluster answers at {address} .Connection refused.; start it"):
        next(RayCluster(address).map(WORK, {}, [pa.table({"number": [1]})]))


def test_batches_that_fail_to_be_made_fail_as_they_did() -> None:
    def broken() -> Iterator[pa.Table]:
        raise SelvedgeError("features are damaged; delete them.")
        yield

    with pytest.raises(SelvedgeError, match="are damaged"):
        next(RayCluster("127.0.0.1:1").map(WORK, {}, broken()))
