"""Where a drop is computed: in this process, or on a Ray cluster, as it is set.

Belongs here: that choice, that nodes run this code, and the cluster's errors in our words. Not here: the interface
(inference/compute.py), the cluster (infra/ray/).
"""

import importlib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from catalog.errors import SelvedgeError
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

    from inference.compute import Compute, OnBatch, Work
    from infra.ray.cluster import RayCluster


def compute_of(settings: Settings) -> "Compute":
    """What the settings name; nothing is started or connected to yet."""
    from inference.compute import LocalCompute

    if settings.ray_address is None or settings.compute == "local":
        return LocalCompute()
    from infra.ray.cluster import RayCluster

    return RayCompute(RayCluster(settings.ray_address))


class RayCompute:
    """A Ray cluster, its failures raised as our errors."""

    def __init__(self, cluster: "RayCluster"):
        self._cluster = cluster

    def map(self, work: "Work", batches: "Iterable[pa.Table]") -> "Iterator[pa.Table]":
        from infra.ray.errors import ClusterRefusal
        from orchestration.runtime.installed_code import installed_code
        from orchestration.runtime.services import in_our_words

        named = {"code_sha256": installed_code().sha256, "factory": work.factory, **work.arguments}
        try:
            with in_our_words():
                yield from self._cluster.map(f"{__name__}:{of_same_code.__name__}", named, batches)
        except ClusterRefusal as refusal:
            raise SelvedgeError(str(refusal)) from refusal


def of_same_code(code_sha256: str, factory: str, **arguments: str) -> "OnBatch":
    """What `factory` makes on a node: other code would answer otherwise, without a word.

    Raises:
        SelvedgeError: this node has another Selvedge installed.
    """
    from orchestration.runtime.installed_code import installed_code

    if installed_code().sha256 != code_sha256:
        raise SelvedgeError(
            "a node of the Ray cluster has another Selvedge than this machine; install the same on every node "
            "(`python -m orchestration.runtime.installed_code` prints the hash to compare)."
        )
    module, _, function = factory.partition(":")
    made: OnBatch = getattr(importlib.import_module(module), function)(**arguments)
    return made
