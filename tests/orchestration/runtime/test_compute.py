"""Where a drop is computed: as it is set, refused in a sentence where it cannot be, failures in our words."""

import importlib.util
from collections.abc import Iterator

import pyarrow as pa
import pytest

from catalog.errors import SelvedgeError, ServiceUnavailable
from inference.compute import LocalCompute, Work
from infra.errors import ServiceFailure
from infra.ray.errors import ClusterRefusal
from orchestration.runtime.compute import RayCompute, compute_of, of_same_code
from orchestration.runtime.installed_code import installed_code
from orchestration.runtime.settings import read_settings

WORK = Work(lambda batch: batch.slice(1), "module:function", {"folder": "/model"})


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: name == "ray" or real(name, *more))


def test_it_is_this_process_unless_it_is_set() -> None:
    assert isinstance(compute_of(read_settings({})), LocalCompute)
    assert isinstance(compute_of(read_settings({}, ray_address="10.0.0.5:6379")), LocalCompute)


def test_this_process_works_on_a_batch_when_it_is_its_turn() -> None:
    made = []

    def batches() -> Iterator[pa.Table]:
        for number in range(3):
            made.append(number)
            yield pa.table({"number": [number, 10 + number]})

    results = LocalCompute().map(WORK, batches())
    assert next(results)["number"].to_pylist() == [10] and made == [0]
    assert [table["number"].to_pylist() for table in results] == [[11], [12]]


def test_a_cluster_has_to_be_named(installed: None) -> None:
    assert isinstance(compute_of(read_settings({}, compute="ray", ray_address="local")), RayCompute)
    with pytest.raises(
        SelvedgeError, match=r"^setting SELVEDGE_COMPUTE cannot be 'ray': no cluster is named; set SELVEDGE_RAY_ADDRESS"
    ):
        read_settings({}, compute="ray")


def test_ray_has_to_be_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda *_: None)
    with pytest.raises(SelvedgeError, match=r"the package ray is missing; pip install 'selvedge\[ray\]'\.$"):
        read_settings({}, compute="ray", ray_address="10.0.0.5:6379")


@pytest.mark.parametrize(
    "address", ["ray://10.0.0.5:10001", "10.0.0.5", "10.0.0.5:0", "10.0.0.5:70000", "auto", ":6379"]
)
def test_an_address_is_host_and_port(address: str) -> None:
    with pytest.raises(
        SelvedgeError, match=r"^setting SELVEDGE_RAY_ADDRESS cannot be .*like 10\.0\.0\.5:6379, or local\.$"
    ):
        read_settings({}, ray_address=address)


@pytest.mark.parametrize(
    ("failure", "ours"),
    [(ServiceFailure("it is away."), ServiceUnavailable), (ClusterRefusal("it has none."), SelvedgeError)],
)
def test_failures_of_the_cluster_are_told_in_our_words(failure: Exception, ours: type) -> None:
    class Failing:
        def map(self, factory: str, arguments: dict[str, str], batches: object) -> Iterator[pa.Table]:
            assert factory == "orchestration.runtime.compute:of_same_code"
            assert arguments == {"code_sha256": installed_code().sha256, "factory": WORK.factory, **WORK.arguments}
            yield pa.table({})
            raise failure

    results = RayCompute(Failing()).map(WORK, [])  # type: ignore[arg-type]
    next(results)
    with pytest.raises(SelvedgeError) as error:
        next(results)
    assert type(error.value) is ours and str(error.value) == str(failure)


def test_a_node_with_other_code_does_nothing() -> None:
    work = "tests.infra.ray_work:doubling"
    batch = pa.table({"number": [4]})
    assert of_same_code(installed_code().sha256, work, seconds="0")(batch)["number"].to_pylist() == [8]
    with pytest.raises(SelvedgeError, match=r"^a node of the Ray cluster has another Selvedge than "):
        of_same_code("0" * 64, work, seconds="0")
