"""Nightly inference: a drop that is read and not published is asked for again, once a night.

Belongs here: which assets of which drop are due, and the schedule. Not here: when it fires (families/timetable.py),
what follows within seconds (assets/conditions.py), old drops that are published already (jobs/backfill.py).

A drop is published by itself when it arrives; the conditions are edge-triggered, so what failed is not asked for again.
This is the second look: at what a service that was away, or a process that died, has left. What failed for good is
left alone until what it is made from is made anew: sixty drops without a file cost sixty runs, not sixty a night.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

from orchestration.assets.candidates import REASON_TAG
from orchestration.assets.failed_runs import newest_run
from orchestration.assets.failures import SENTENCE_TAG, TRANSIENT_TAG
from orchestration.assets.partitions import DROPS, PARTITION_TAG
from orchestration.assets.published import newest
from orchestration.families.timetable import Scheduled
from orchestration.runtime.dagster_private import passed_checks
from orchestration.runtime.recovery import UNFINISHED

PRODUCTS = "catalog/products"
LATELY_SECONDS = 8 * 86400.0
RECORDS = 5000  # of one asset, at most: the newest
RUNS_A_NIGHT = 100  # the rest follows the night after; a backfill does it at once


@dataclass(frozen=True)
class Followers:
    """The assets of a drop that follow what is new, upstream first, with what each is made from and held up by.

    Attributes:
        parents: of an asset, all of them. blocking: checks of a parent that must have passed, by parent.
        of_drops: assets that are partitioned by drop.
    """

    parents: Mapping[dg.AssetKey, frozenset[dg.AssetKey]]
    blocking: Mapping[dg.AssetKey, frozenset[dg.AssetCheckKey]]
    of_drops: frozenset[dg.AssetKey]


def followers(definitions: dg.Definitions) -> Followers:
    """Every asset of a drop that a condition asks for."""
    graph = definitions.resolve_asset_graph()
    of_drops = {key for key in graph.get_all_asset_keys() if graph.get(key).partitions_def == DROPS}
    follow = [
        key
        for key in graph.toposorted_asset_keys
        if key in of_drops and graph.get(key).automation_condition is not None
    ]
    parents = {key: frozenset(graph.get(key).parent_keys) for key in follow}
    checks = [key for key in graph.asset_check_keys if graph.get_check_spec(key).blocking]
    blocking = {
        parent: frozenset(check for check in checks if check.asset_key == parent)
        for parent in frozenset().union(*parents.values())
    }
    return Followers(parents, blocking, frozenset(of_drops))


def nightly_inference(scheduled: Scheduled, follow: Followers) -> dg.ScheduleDefinition:
    """The schedule: one run for each drop that lacks something."""

    @dg.schedule(target=dg.AssetSelection.assets(*follow.parents), **scheduled.declared())
    def schedule(context: dg.ScheduleEvaluationContext) -> list[dg.RunRequest] | dg.SkipReason:
        lacking = due(context.instance, follow)
        if not lacking:
            return dg.SkipReason("every drop that can be published is published, or its run goes on or failed for good")
        if len(lacking) > RUNS_A_NIGHT:
            context.log.warning(f"{len(lacking)} drops lack something; {RUNS_A_NIGHT} a night are asked for.")
        return [
            dg.RunRequest(partition_key=drop, asset_selection=list(keys), tags={REASON_TAG: "not published yet"})
            for drop, keys in list(lacking.items())[:RUNS_A_NIGHT]
        ]

    return schedule


def due(instance: dg.DagsterInstance, follow: Followers) -> dict[str, Sequence[dg.AssetKey]]:
    """Drops that lack something that can be made now, with what, upstream first.

    What was made of files that a drop has no longer is lacking, too. What an older champion made is not. The database
    is asked by asset and not by drop, so that a thousand drops cost what ten do; only a failed one is asked for itself.
    """
    drops, busy = instance.get_dynamic_partitions(DROPS.name or ""), _busy(instance)
    there = {parent: _there(instance, follow, parent, drops) for parent in follow.blocking}
    lacked = {key: _lacked(instance, key, drops) for key in follow.parents}
    failed = {key: _failed(instance, key, drops) for key in follow.parents}
    lacking: dict[str, Sequence[dg.AssetKey]] = {}
    for drop in drops:
        requested: list[dg.AssetKey] = []
        for key in () if drop in busy else follow.parents:
            before = follow.parents[key] - set(requested)
            made_anew = before != follow.parents[key]
            if drop not in lacked[key] or not all(drop in there[parent] for parent in before):
                continue
            if made_anew or drop not in failed[key] or not _failed_for_good(instance, key, follow, drop):
                requested.append(key)
        if requested:
            lacking[drop] = requested
    return lacking


def _there(instance: dg.DagsterInstance, follow: Followers, parent: dg.AssetKey, drops: Sequence[str]) -> set[str]:
    """Drops of which a parent is there, and passed its blocking checks; of one without partitions all, or none."""
    if parent not in follow.of_drops:
        return set(drops) if instance.get_latest_materialization_event(parent) is not None else set()
    made, checks = set(drops) & instance.get_materialized_partitions(parent), follow.blocking[parent]
    passed = passed_checks(instance, checks, sorted(made)) if checks else {}
    return {drop for drop in made if passed.get(drop, set()) == checks}


def _lacked(instance: dg.DagsterInstance, key: dg.AssetKey, drops: Sequence[str]) -> set[str]:
    """Drops of which an asset was never made, or was made before their files were last read, which is some days ago at
    most: an older change was followed in its own night."""
    since = time.time() - LATELY_SECONDS
    read, made = _lately(instance, dg.AssetKey(PRODUCTS.split("/")), since), _lately(instance, key, since)
    never = set(drops) - instance.get_materialized_partitions(key)
    return never | {drop for drop, moment in read.items() if made.get(drop, 0.0) < moment}


def _lately(instance: dg.DagsterInstance, key: dg.AssetKey, since: float) -> dict[str, float]:
    """When the newest materialisation of each partition was, of those since a moment."""
    query = dg.AssetRecordsFilter(asset_key=key, after_timestamp=since)
    records = instance.fetch_materializations(query, limit=RECORDS).records
    return {record.partition_key: record.timestamp for record in reversed(records) if record.partition_key}


def _failed(instance: dg.DagsterInstance, key: dg.AssetKey, drops: Sequence[str]) -> set[str]:
    """Drops of which the newest run of an asset failed."""
    with dg.partition_loading_context(dynamic_partitions_store=instance):
        states = instance.get_status_by_partition(key, drops, DROPS) or {}
    return {drop for drop, state in states.items() if state is not None and state.value == "FAILED"}


def _failed_for_good(instance: dg.DagsterInstance, key: dg.AssetKey, follow: Followers, drop: str) -> bool:
    """Did its newest run end with an error that trying again does not mend, and was nothing upstream made since?"""
    run = newest_run(instance, [key], drop)
    if run is None or not run.is_failure or SENTENCE_TAG not in run.tags or TRANSIENT_TAG in run.tags:
        return False
    record = instance.get_run_record_by_id(run.run_id)
    ended = (record and record.end_time) or 0.0
    return not any(
        event is not None and event.timestamp > ended for event in _events(instance, follow.parents[key], follow, drop)
    )


def _events(
    instance: dg.DagsterInstance, keys: Iterable[dg.AssetKey], follow: Followers, drop: str
) -> list[dg.EventLogEntry | None]:
    return [newest(instance, "/".join(key.path), drop if key in follow.of_drops else None) for key in keys]


def _busy(instance: dg.DagsterInstance) -> set[str]:
    """Partitions that an unfinished run makes, one that waits in the queue included."""
    statuses = [*UNFINISHED, dg.DagsterRunStatus.QUEUED]
    return {run.tags.get(PARTITION_TAG, "") for run in instance.get_runs(dg.RunsFilter(statuses=statuses))}
