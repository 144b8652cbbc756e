"""Where a drop is computed: in this process, or on a Ray cluster, as it is set.

Belongs here: that choice, and the cluster's errors in our words. Not here: the interface (inference/compute.py), the
cluster (infra/ray/).
"""

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from catalog.errors import SelvedgeError
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

    from inference.compute import Compute, Work
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
        from orchestration.runtime.services import in_our_words

        try:
            with in_our_words():
                yield from self._cluster.map(work.factory, work.arguments, batches)
        except ClusterRefusal as refusal:
            raise SelvedgeError(str(refusal)) from refusal
