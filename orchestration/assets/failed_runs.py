"""Runs that failed and partitions that are left failed: what nobody made good since.

Belongs here: finding both, and the sentence of each. Not here: who is told (orchestration/defs/operations/,
orchestration/report/state.py), how an error becomes a sentence (failures.py).

Retries are bounded, and a permanent failure is not retried at all; so what failed goes quiet, and this is where it is
counted.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg

from infra.local.services import ENDED_BY_THE_DISK
from orchestration.assets.failures import SENTENCE_TAG, STOPPED_TAG
from orchestration.assets.partitions import DROPS, PARTITION_TAG
from orchestration.assets.published import newest
from orchestration.assets.unmade import unmade
from orchestration.runtime.recovery import GONE

FAILED_DAYS = 7
FAILED_RUNS = 50
WILL_RETRY_TAG = "dagster/will_retry"
RUNS_LOOKED_AT = 20  # of one partition, newest first
SAMPLE = 5  # partitions of an asset that are named
ENDED_BY = re.compile(r"terminated by signal \d+ \((SIG\w+)\)")  # Dagster's words
UNSAID = "its page in Dagster says why."


@dataclass(frozen=True)
class FailedRun:
    """A run that failed.

    Attributes:
        at: when it ended, ISO 8601 in UTC. assets: it was to make; the job's name where it names none.
        partition: "" for none. sentence: why, and what to do.
    """

    run: str
    at: str
    assets: tuple[str, ...]
    partition: str
    sentence: str

    @property
    def subject(self) -> str:
        """What failed: its assets and partition, the same for every try."""
        return f"{', '.join(self.assets)}{f' of {self.partition}' if self.partition else ''}"


@dataclass(frozen=True)
class LeftFailed:
    """An asset with partitions that failed, or that a run could not make, and that were not made since.

    sample: partition and sentence of the first.
    """

    asset: str
    count: int
    sample: tuple[tuple[str, str], ...]


def failed_runs(instance: dg.DagsterInstance) -> list[dict[str, Any]]:
    """Runs of the last days that failed and whose assets nobody made since, newest first."""
    since = datetime.now(UTC) - timedelta(days=FAILED_DAYS)
    query = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since)
    failed: dict[str, dict[str, Any]] = {}
    for record in instance.get_run_records(query, limit=FAILED_RUNS):
        run, ended = described(record, instance), _ended(record)
        assets = [key.to_user_string() for key in record.dagster_run.asset_selection or ()]
        if not _made_good(instance, record.dagster_run.job_name, assets, run.partition or None, ended):
            failed.setdefault(
                run.subject, {**asdict(run), "assets": list(run.assets), "partition": run.partition or None}
            )
    return list(failed.values())


def failures_since(instance: dg.DagsterInstance, moment: float) -> list[FailedRun]:
    """Runs that ended in failure after a moment, oldest first; not those that Dagster tries again or somebody stopped.

    Args:
        moment: seconds since 1970.
    """
    since = datetime.fromtimestamp(moment, UTC)
    query = dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE], updated_after=since)
    records = instance.get_run_records(query, order_by="update_timestamp", ascending=True)
    return [
        described(record, instance)
        for record in records
        if record.dagster_run.tags.get(WILL_RETRY_TAG) != "true" and STOPPED_TAG not in record.dagster_run.tags
    ]


def described(record: dg.RunRecord, instance: dg.DagsterInstance | None = None) -> FailedRun:
    """A failed run as people are told it.

    Args:
        instance: to ask how the process ended of a run that has no sentence of its own.
    """
    run = record.dagster_run
    assets = sorted(key.to_user_string() for key in run.asset_selection or ())
    ended = datetime.fromtimestamp(_ended(record), UTC).isoformat(timespec="seconds")
    sentence = _sentence(instance, run)
    return FailedRun(run.run_id, ended, tuple(assets or [run.job_name]), run.tags.get(PARTITION_TAG, ""), sentence)


def left_failed(
    instance: dg.DagsterInstance, watched: Mapping[dg.AssetKey, dg.PartitionsDefinition | None]
) -> list[LeftFailed]:
    """Every asset that has failed partitions, with all of them counted, however long ago they failed.

    Of candidates the newest alone counts: nobody makes an earlier one good, and it would be reported for ever.

    Args:
        watched: assets with their partition sets; one without partitions is looked for among the runs of the last days.
    """
    left = []
    for key, partitions in watched.items():
        if partitions is None:
            continue
        with dg.partition_loading_context(dynamic_partitions_store=instance):
            keys = partitions.get_partition_keys(dynamic_partitions_store=instance)
            keys = keys if partitions == DROPS else keys[-1:]
            states = instance.get_status_by_partition(key, keys, partitions) or {}
        failed = [partition for partition in keys if (state := states.get(partition)) and state.value == "FAILED"]
        if failed:
            sample = tuple((partition, why(instance, key, partition)) for partition in failed[:SAMPLE])
            left.append(LeftFailed(key.to_user_string(), len(failed), sample))
        elif partitions != DROPS and keys and (sentence := unmade(instance, key, keys[-1])):
            left.append(LeftFailed(key.to_user_string(), 1, ((keys[-1], sentence),)))
    whole = {key.to_user_string() for key, partitions in watched.items() if partitions is None}
    for run in failed_runs(instance):
        if run["partition"] is None:
            left += [LeftFailed(asset, 1, (("", run["sentence"]),)) for asset in run["assets"] if asset in whole]
    return sorted(left, key=lambda entry: entry.asset)


def unmended(instance: dg.DagsterInstance, records: Iterable[dg.RunRecord]) -> set[str]:
    """Of runs that failed or were stopped, newest first: the newest one of each subject that nobody made good since.

    What is left failed is known by such a run alone: its sentence, that it failed for good, that a training was tried.
    """
    kept, seen = set[str](), set[str]()
    for record in records:
        run = described(record)
        if run.subject in seen:
            continue
        seen.add(run.subject)
        assets = [key.to_user_string() for key in record.dagster_run.asset_selection or ()]
        if not _made_good(instance, record.dagster_run.job_name, assets, run.partition or None, _ended(record)):
            kept.add(run.run)
    return kept


def why(instance: dg.DagsterInstance, key: dg.AssetKey, partition: str) -> str:
    """The sentence of the newest run that failed to make a partition."""
    run = newest_run(instance, [key], partition, dg.DagsterRunStatus.FAILURE)
    return UNSAID if run is None else _sentence(instance, run)


def _sentence(instance: dg.DagsterInstance | None, run: dg.DagsterRun) -> str:
    """A run's own, else how its process ended, as who noticed wrote it into the run's events."""
    if SENTENCE_TAG in run.tags or instance is None:
        return run.tags.get(SENTENCE_TAG, UNSAID)
    noticed = {dg.DagsterEventType.ENGINE_EVENT, dg.DagsterEventType.RUN_FAILURE}
    for record in reversed(instance.get_records_for_run(run.run_id, of_type=noticed).records):
        event = record.event_log_entry.dagster_event
        message = (event.message if event is not None else None) or ""
        if ended := ENDED_BY.search(message):
            return f"its process was ended by {ended[1]}{ENDED_BY_THE_DISK if ended[1] == 'SIGBUS' else ''}."
        if message.startswith("process ") and GONE in message:
            return message
    return UNSAID


def newest_run(
    instance: dg.DagsterInstance, keys: Iterable[dg.AssetKey], partition: str, *statuses: dg.DagsterRunStatus
) -> dg.DagsterRun | None:
    """The newest run of a partition that was to make one of these assets; of the given statuses, or of any."""
    query = dg.RunsFilter(tags={PARTITION_TAG: partition}, statuses=statuses or None)
    wanted = set(keys)
    runs = instance.get_runs(query, limit=RUNS_LOOKED_AT)
    return next((run for run in runs if wanted & set(run.asset_selection or ())), None)


def _ended(record: dg.RunRecord) -> float:
    return record.end_time or record.update_timestamp.timestamp()


def _made_good(
    instance: dg.DagsterInstance, job: str, assets: Sequence[str], partition: str | None, moment: float
) -> bool:
    """Was everything that a run failed to make made since? Of a job that names no assets: did it succeed since?"""
    if not assets:
        since = datetime.fromtimestamp(moment, UTC)
        query = dg.RunsFilter(job_name=job, statuses=[dg.DagsterRunStatus.SUCCESS], updated_after=since)
        return bool(instance.get_runs(query, limit=1))
    events = [newest(instance, asset, partition) for asset in assets]
    return all(event is not None and event.timestamp > moment for event in events)
