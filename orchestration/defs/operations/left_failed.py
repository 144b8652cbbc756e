"""operations/left_failed: what is left failed, and whether the newest drop is published; once a day, for people.

Belongs here: the asset, its two standing checks and the report's schedule. Not here: counting (assets/failed_runs.py),
the drop's hours (freshness.py), telling of a failure when it happens (alerts.py).

Both checks stand beside the graph: nothing depends on them, so they hold up nothing, and a no is a warning that leaves
their run green.
"""

from collections.abc import Mapping, Sequence

import dagster as dg

from orchestration.assets.failed_runs import LeftFailed, left_failed
from orchestration.assets.failures import errors_as_sentences
from orchestration.assets.metadata import table
from orchestration.defs.operations.cost import KEY as COST
from orchestration.defs.operations.freshness import Published, newest_drop
from orchestration.families.timetable import Scheduled
from orchestration.runtime.alerts import Alert, tell
from orchestration.runtime.settings import Settings

KEY = dg.AssetKey(["operations", "left_failed"])
SHOWN = 20
WARN = dg.AssetCheckSeverity.WARN
Watched = Mapping[dg.AssetKey, dg.PartitionsDefinition | None]


def left_failed_asset(watched: Watched, published: Sequence[dg.AssetKey]) -> dg.AssetsDefinition:
    """The report.

    Args:
        watched: every asset that a run can make, with its partition set. published: assets of a drop that shops read.
    """

    @dg.asset(
        key=KEY,
        group_name="operations",
        owners=["team:operations"],
        code_version="1",
        description="Every asset with partitions that failed and that nobody made good since; sent where alerts go.",
    )
    @errors_as_sentences
    def report(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
        left, drop = left_failed(context.instance, watched), newest_drop(context.instance, published)
        sentences = [_sentence(entry) for entry in left]
        if drop is not None and not drop.in_time(settings.fresh_hours):
            sentences.append(drop.sentence(settings.fresh_hours))
        sent = tell(settings, Alert("What is left failed", tuple(sentences), settings.dagster_uri)) if sentences else {}
        for channel, trouble in sent.items():
            if trouble:
                context.log.warning(f"{channel}: {trouble}")
        return dg.MaterializeResult(metadata={"failed": sum(entry.count for entry in left), **_shown(left, sent)})

    return report


def standing_checks(watched: Watched, published: Sequence[dg.AssetKey]) -> Sequence[dg.AssetChecksDefinition]:
    """The two, each to be run by itself as well."""

    @dg.asset_check(asset=KEY, description="No partition of any asset is left failed; with their number and a sample.")
    @errors_as_sentences
    def no_partition_left_failed(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        left = left_failed(context.instance, watched)
        count = sum(entry.count for entry in left)
        return dg.AssetCheckResult(
            passed=not left,
            severity=WARN,
            description=f"{count} partitions of {len(left)} assets are left failed" if left else "none is left failed",
            metadata={"failed": count, **_shown(left, {})},
        )

    @dg.asset_check(asset=KEY, description="The newest drop is published within SELVEDGE_FRESH_HOURS of its arrival.")
    @errors_as_sentences
    def newest_drop_is_published(
        context: dg.AssetCheckExecutionContext, settings: dg.ResourceParam[Settings]
    ) -> dg.AssetCheckResult:
        drop = newest_drop(context.instance, published)
        if drop is None:
            return dg.AssetCheckResult(passed=True, severity=WARN, description="no drop was read yet")
        return dg.AssetCheckResult(
            passed=drop.in_time(settings.fresh_hours),
            severity=WARN,
            description=drop.sentence(settings.fresh_hours),
            metadata=_figures(drop, settings.fresh_hours),
        )

    return [no_partition_left_failed, newest_drop_is_published]


def report_job(name: str) -> tuple[str, dg.AssetSelection, str]:
    """Name, selection and description of the job that a person may run as well."""
    text = "What is left failed, whether the newest drop is published, and what the runs took."
    return name, dg.AssetSelection.assets(KEY, COST), text


def daily_report(scheduled: Scheduled, job: str) -> dg.ScheduleDefinition:
    """The schedule of the report and its checks."""
    return dg.ScheduleDefinition(job_name=job, **scheduled.declared())


def _sentence(entry: LeftFailed) -> str:
    partition, why = entry.sample[0]
    first = f"{partition}: {why}" if partition else why
    return f"{entry.asset}: {entry.count} left failed; {first}"


def _shown(left: Sequence[LeftFailed], sent: Mapping[str, str]) -> dict[str, dg.MetadataValue]:
    rows = [[entry.asset, entry.count, partition, why] for entry in left for partition, why in entry.sample]
    shown = {"for example": table(["asset", "left failed", "partition", "why"], rows[:SHOWN])} if rows else {}
    deliveries = [[channel, trouble or "told"] for channel, trouble in sent.items()]
    return {**shown, **({"sent": table(["to", "how it went"], deliveries)} if deliveries else {})}


def _figures(drop: Published, hours: float) -> dict[str, dg.MetadataValue]:
    return {
        "drop": dg.MetadataValue.text(drop.drop),
        "arrived": dg.MetadataValue.timestamp(drop.arrived),
        **({"published": dg.MetadataValue.timestamp(drop.published)} if drop.published is not None else {}),
        "hours": dg.MetadataValue.float(round(drop.hours, 2)),
        "allowed_hours": dg.MetadataValue.float(hours),
        "not_published": dg.MetadataValue.text(", ".join(drop.lacking) or "nothing"),
        "drops_not_published": dg.MetadataValue.int(drop.others),
    }
