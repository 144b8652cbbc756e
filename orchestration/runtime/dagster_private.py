"""What Selvedge needs of Dagster and Dagster does not publish: the only place that imports from `dagster._core`.

Belongs here: each private name, behind a function of ours that says what for. Not here: anything with a public call.

A private name may change in any release. A test fails when Dagster's version is not `CHECKED_ON`: read the release's
notes, run the tests of orchestration/, then raise it.
"""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg

if TYPE_CHECKING:
    from dagster import AssetGraph

CHECKED_ON = "1.13.27"
CREATE_RUN = "create_run_for_job"

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


@contextmanager
def runs_of_location(instance: dg.DagsterInstance, module: str, repository: str) -> Iterator[None]:
    """Runs that are made meanwhile belong to a code location, as those that its web page starts do.

    Dagster's `execute_in_process` says of none where it belongs, and the page's timeline and jobs pass such runs over.

    Args:
        module: of the code location, as `dagster-webserver -m` is given it. repository: name of its definitions.
    """
    from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin, RemoteRepositoryOrigin
    from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

    target = LoadableTargetOrigin(executable_path=sys.executable, module_name=module)
    location = ManagedGrpcPythonEnvCodeLocationOrigin(loadable_target_origin=target, location_name=module)
    origin = RemoteRepositoryOrigin(location, repository)
    make: Any = instance.create_run_for_job

    def make_of_location(job_def: dg.JobDefinition, **settings: Any) -> dg.DagsterRun:
        run: dg.DagsterRun = make(job_def=job_def, remote_job_origin=origin.get_job_origin(job_def.name), **settings)
        return run

    setattr(instance, CREATE_RUN, make_of_location)
    try:
        yield
    finally:
        delattr(instance, CREATE_RUN)


def keeps_runs_in_a_folder(instance: dg.DagsterInstance) -> bool:
    """Are the runs kept in SQLite files, and so of this machine only?"""
    from dagster._core.storage.runs import SqliteRunStorage

    storage: Any = instance.run_storage
    return isinstance(storage, SqliteRunStorage)


@dataclass(frozen=True)
class CheckRecord:
    """One evaluation of an asset check. partition: None of an unpartitioned one. metadata: plain values."""

    partition: str | None
    passed: bool
    description: str
    metadata: Mapping[str, Any]


def check_records(instance: dg.DagsterInstance, check: dg.AssetCheckKey, limit: int) -> list[CheckRecord]:
    """The newest evaluations of a check, newest first; only that of the newest has a public call."""
    storage: Any = instance.event_log_storage
    records = storage.get_asset_check_execution_history(check, limit)
    evaluations = [(record.partition, record.evaluation) for record in records if record.status.value != "PLANNED"]
    return [
        CheckRecord(
            partition,
            evaluation.passed,
            evaluation.description or "",
            {name: value.value for name, value in evaluation.metadata.items()},
        )
        for partition, evaluation in evaluations
    ]
