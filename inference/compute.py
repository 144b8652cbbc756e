"""Compute: where batches of a drop are worked on, in this process or in others.

Belongs here: the interface and its implementation in this process. Not here: a cluster's client (infra/ray/), which one
is used (orchestration/runtime/compute.py), the work (attributes.py).

Batches and what becomes of them are Arrow tables, and work elsewhere is named, not sent: no object of this process, and
so no secret that one might hold, goes anywhere.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

import pyarrow as pa

OnBatch = Callable[[pa.Table], pa.Table]


@dataclass(frozen=True)
class Work:
    """What is done to every batch. A batch must give the same whatever other batches there are, and where it is done.

    Attributes:
        here: does it in this process.
        factory: `module:function` of the function that makes the same in another process, once in each.
        arguments: what the function is called with there: names of folders and the like, never a secret.
    """

    here: OnBatch
    factory: str
    arguments: Mapping[str, str]


class Compute(Protocol):
    """Where work is done."""

    def map(self, work: Work, batches: Iterable[pa.Table]) -> Iterator[pa.Table]:
        """What becomes of each batch, in the order of the batches.

        Args:
            batches: of one schema; read when they are needed, in this process.

        Raises:
            SelvedgeError: what the work raised; or the cluster cannot do it.
            ServiceUnavailable: a cluster is away, or was lost meanwhile.
        """
        ...


class LocalCompute:
    """This process, one batch after the other."""

    def map(self, work: Work, batches: Iterable[pa.Table]) -> Iterator[pa.Table]:
        for batch in batches:
            yield work.here(batch)
