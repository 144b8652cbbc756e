"""What Selvedge needs of Dagster and Dagster does not publish: the only place that imports from `dagster._core`.

Belongs here: each private name, behind a function of ours that says what for. Not here: anything with a public call.

A private name may change in any release. A test fails when Dagster's version is not `CHECKED_ON`: read the release's
notes, run the tests of orchestration/, then raise it.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from dagster import AssetGraph

CHECKED_ON = "1.13.27"

# `compute_logs` of an instance whose runs write their log to the terminal. It has no public name, as a class has no
# other name than that of its module in a dagster.yaml.
NO_COMPUTE_LOGS: Mapping[str, str] = {
    "module": "dagster._core.storage.noop_compute_log_manager",
    "class": "NoOpComputeLogManager",
}

# Tags of a run that begin so are kept and found, and shown on no page: they are for programs.
HIDDEN_TAG = ".dagster/"


def is_stale(instance: dg.DagsterInstance, graph: "AssetGraph", key: dg.AssetKey, partition: str | None) -> bool:
    """Is an asset missing, or made by other code or from other inputs than there are now?

    The same answer as the web page's label “unsynced”; only GraphQL publishes it.
    """
    from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
    from dagster._core.loader import LoadingContextForTest

    resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
    return resolver.get_status(key, partition) != StaleStatus.FRESH


def keeps_runs_in_a_folder(instance: dg.DagsterInstance) -> bool:
    """Are the runs kept in SQLite files, and so of this machine only?"""
    from dagster._core.storage.runs import SqliteRunStorage

    storage: Any = instance.run_storage
    return isinstance(storage, SqliteRunStorage)
