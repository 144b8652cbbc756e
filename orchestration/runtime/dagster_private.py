"""What Selvedge needs of Dagster and Dagster does not publish: the only place that imports from `dagster._core`.

Belongs here: each private name, behind a function of ours that says what for. Not here: anything with a public call.

A private name may change in any release. A test fails when Dagster's version is not `CHECKED_ON`: read the release's
notes, run the tests of orchestration/, then raise it.
"""

import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
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


def staleness(instance: dg.DagsterInstance, graph: "AssetGraph") -> Callable[[dg.AssetKey, str | None], bool]:
    """Whether an asset is missing, or made by other code or from other inputs than there are now; answers are kept.

    The same answer as the web page's label “unsynced”; only GraphQL publishes it.
    """
    from dagster._core.definitions.data_version import CachingStaleStatusResolver, StaleStatus
    from dagster._core.loader import LoadingContextForTest

    resolver = CachingStaleStatusResolver(instance, graph, LoadingContextForTest(instance))
    return lambda key, partition: resolver.get_status(key, partition) != StaleStatus.FRESH


def keep_backfills_while_code_loads() -> None:
    """A code server that ended and is not back yet makes this process's daemon look at a backfill again later.

    It tries again where the server does not answer. Where the server is gone from the workspace, the assets are
    missing, and it gives the backfill up and cancels every run that waits. Now it is one of
    `DAGSTER_MAX_BACKFILL_RETRIES` (5), so assets that were removed from the code still end a backfill.
    """
    import dagster._daemon.backfill as backfills
    from dagster._core.errors import DagsterAssetBackfillDataLoadError

    others = backfills._is_retryable_backfill_error  # noqa: SLF001

    def retryable(e: Exception) -> Any:
        return isinstance(e, DagsterAssetBackfillDataLoadError) or others(e)

    backfills._is_retryable_backfill_error = retryable  # noqa: SLF001


def run_daemon() -> None:
    """Dagster's daemon with the arguments of this process, until it is told to stop."""
    from dagster._daemon.cli import main

    main()


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


# What a run says of its steps and processes. Assets, checks and the run's own states are other events.
SAID_OF_STEPS = tuple(
    kind.value
    for kind in dg.DagsterEventType
    if kind.value.startswith(("STEP_", "RESOURCE_INIT_")) or kind.value in ("ENGINE_EVENT", "LOGS_CAPTURED")
)


def runs_with_step_events(instance: dg.DagsterInstance, runs: Sequence[str]) -> list[str]:
    """Of some runs those whose steps still have events, in the database that all runs share."""
    import sqlalchemy as sa

    storage: Any = instance.event_log_storage
    with storage.index_connection() as connection:
        query = sa.select(_events().c.run_id).where(_said_of_steps(runs)).distinct()
        there = {run_id for (run_id,) in connection.execute(query)}
    return [run_id for run_id in runs if run_id in there]


def remove_step_events(instance: dg.DagsterInstance, runs: Sequence[str]) -> None:
    """Remove what some runs say of their steps, and their log lines, from the database that all runs share."""
    storage: Any = instance.event_log_storage
    with storage.index_connection() as connection:
        connection.execute(_events().delete().where(_said_of_steps(runs)))


def _events() -> Any:
    from dagster._core.storage.event_log.schema import SqlEventLogStorageTable

    return SqlEventLogStorageTable


def _said_of_steps(runs: Sequence[str]) -> Any:
    import sqlalchemy as sa

    columns = _events().c
    kind = columns.dagster_event_type  # none: a line of a log
    return columns.run_id.in_(runs) & (sa.or_(kind.is_(None), kind.in_(SAID_OF_STEPS)))


def of_other_versions(instance: dg.DagsterInstance) -> list[str]:
    """Storages whose tables are not of the installed Dagster, each with its revision and the one that is expected."""
    storages: tuple[Any, ...] = (instance.run_storage, instance.event_log_storage, instance.schedule_storage)
    versions = {type(storage).__name__: storage.alembic_version() for storage in storages}
    return [
        f"{name} at {version[0]} instead of {version[1]}"
        for name, version in versions.items()
        if version is not None and version[0] != version[1]
    ]


def make_postgres_tables(uri: str) -> None:
    """Dagster's tables in an empty schema. Raises: ImportError: dagster-postgres is not installed."""
    from dagster_postgres import DagsterPostgresStorage

    DagsterPostgresStorage(uri)


@dataclass(frozen=True)
class RequestedBackfill:
    """A backfill that Dagster's daemon carries out.

    Attributes:
        state: as Dagster calls it: REQUESTED until it is over. partitions: asset and partition that it makes; made,
            failed: of them, so far. error: why the daemon gave it up.
    """

    backfill_id: str
    state: str
    partitions: frozenset[tuple[str, str]]
    made: frozenset[tuple[str, str]]
    failed: frozenset[tuple[str, str]]
    error: str = ""

    @property
    def ended(self) -> bool:
        return self.state not in UNFINISHED_BACKFILLS


UNFINISHED_BACKFILLS = ("REQUESTED", "CANCELING", "FAILING")


def request_backfill(
    instance: dg.DagsterInstance,
    graph: "AssetGraph",
    partitions: Mapping[str, Sequence[str]],
    tags: Mapping[str, str],
    title: str,
) -> str:
    """Ask Dagster's daemon for partitions of assets (`stage/name`s), a run for each partition; the backfill's id.

    What its page asks for by GraphQL.
    """
    from dagster._core.definitions.assets.graph.asset_graph_subset import AssetGraphSubset
    from dagster._core.definitions.events import AssetKeyPartitionKey
    from dagster._core.execution.backfill import PartitionBackfill
    from dagster._core.utils import make_new_backfill_id

    wanted = {
        AssetKeyPartitionKey(dg.AssetKey(name.split("/")), key) for name, keys in partitions.items() for key in keys
    }
    with dg.partition_loading_context(dynamic_partitions_store=instance):
        backfill = PartitionBackfill.from_asset_graph_subset(
            backfill_id=make_new_backfill_id(),
            backfill_timestamp=time.time(),
            tags=dict(tags),
            dynamic_partitions_store=instance,
            asset_graph_subset=AssetGraphSubset.from_asset_partition_set(wanted, graph),
            title=title,
            description=None,
            run_config=None,
        )
        instance.add_backfill(backfill)
    return backfill.backfill_id


def requested_backfill(instance: dg.DagsterInstance, graph: "AssetGraph", backfill_id: str) -> RequestedBackfill | None:
    """A backfill of assets as it stands; None where there is none of that id."""
    backfill: Any = instance.get_backfill(backfill_id)
    if backfill is None or not backfill.is_asset_backfill:
        return None
    with dg.partition_loading_context(dynamic_partitions_store=instance):
        data = backfill.get_asset_backfill_data(graph)
        sets = (data.target_subset, data.materialized_subset, data.failed_and_downstream_subset)
        target, made, failed = (
            frozenset(
                ("/".join(part.asset_key.path), part.partition_key or "") for part in subset.iterate_asset_partitions()
            )
            for subset in sets
        )
    error = "" if backfill.error is None else str(backfill.error.message).strip()
    return RequestedBackfill(backfill_id, backfill.status.value, target, made, failed, error)


def unfinished_backfills(instance: dg.DagsterInstance, graph: "AssetGraph") -> list[RequestedBackfill]:
    """Backfills of assets that the daemon still works on, the oldest first; those that its page asked for, too."""
    from dagster._core.execution.backfill import BulkActionsFilter, BulkActionStatus

    statuses = [BulkActionStatus(state) for state in UNFINISHED_BACKFILLS]
    backfill_ids = [backfill.backfill_id for backfill in instance.get_backfills(BulkActionsFilter(statuses=statuses))]
    backfills = [requested_backfill(instance, graph, backfill_id) for backfill_id in reversed(backfill_ids)]
    return [backfill for backfill in backfills if backfill is not None]


def cancel_backfill(instance: dg.DagsterInstance, backfill_id: str) -> None:
    """Have the daemon end a backfill: it cancels its runs, and what they have not published stays as it is."""
    from dagster._core.execution.backfill import BulkActionStatus

    backfill: Any = instance.get_backfill(backfill_id)
    instance.update_backfill(backfill.with_status(BulkActionStatus.CANCELING))


def next_tick(cron: str, time_zone: str, after: datetime) -> datetime | None:
    """When a schedule fires next, as Dagster's daemon reckons it; None where the expression is no cron of five fields.

    Summer time included: 02:30 of a night without one fires at 03:00, and that of a night with two fires once.

    Args:
        after: with its time zone.
    """
    from dagster._utils.schedules import get_next_cron_tick, is_valid_cron_string
    from dagster._vendored.croniter import CroniterBadDateError

    try:
        return get_next_cron_tick(cron, after, time_zone) if is_valid_cron_string(cron) else None
    except CroniterBadDateError:  # the 31st of February
        return None


def stopped_by_hand(instance: dg.DagsterInstance) -> dict[str, bool]:
    """Schedules that somebody switched in Dagster's pages: by name, is it stopped?"""
    from dagster._core.definitions.run_request import InstigatorType
    from dagster._core.scheduler.instigation import InstigatorStatus

    states = instance.all_instigator_state(instigator_type=InstigatorType.SCHEDULE)
    return {
        state.instigator_name: state.status == InstigatorStatus.STOPPED
        for state in states
        if state.status != InstigatorStatus.DECLARED_IN_CODE
    }


def passed_checks(
    instance: dg.DagsterInstance, keys: Iterable[dg.AssetCheckKey], partitions: Sequence[str]
) -> dict[str, set[dg.AssetCheckKey]]:
    """Which of these checks passed, when they ran last, by partition; asked at once."""
    storage: Any = instance.event_log_storage
    passed: dict[str, set[dg.AssetCheckKey]] = {partition: set() for partition in partitions}
    for info in storage.get_asset_check_partition_info(list(keys), partition_keys=list(partitions)):
        if info.partition_key in passed and info.latest_execution_status.value == "SUCCEEDED":
            passed[info.partition_key].add(info.check_key)
    return passed


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
