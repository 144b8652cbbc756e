"""Weekly retraining: a family's training is started where there is a reason, and said why where there is none.

Belongs here: the reason, and the schedule. Not here: when it fires (families/timetable.py), what training is prepared
from (a family's folder), opening the candidate (graph/sensors.py).

A candidate's name is made from its data and settings, so the same of both never trains twice; here it is not even
prepared. A family is not asked while one of its trainings goes on.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import dagster as dg

from catalog.errors import SelvedgeError
from orchestration.assets.candidates import REASON_TAG, name_candidate
from orchestration.assets.dataset import made_of
from orchestration.assets.failed_runs import newest_run
from orchestration.assets.partitions import candidate_partitions
from orchestration.assets.published import Tables, materialised
from orchestration.families.contract import Family
from orchestration.families.timetable import Scheduled
from orchestration.runtime.recovery import UNFINISHED
from orchestration.runtime.settings import Settings

NAMED = 5  # drops of a reason


@dataclass(frozen=True)
class Reason:
    """Is there a reason to train now, and why, or why not?"""

    train: bool
    why: str


def weekly_retraining(family: Family, scheduled: Scheduled) -> dg.ScheduleDefinition:
    """The schedule: at most one run of the family's training job."""
    outside = _reads_outside(family)

    @dg.schedule(
        name=scheduled.name,
        job_name=family.training_job,
        cron_schedule=scheduled.cron,
        execution_timezone=scheduled.time_zone,
        default_status=dg.DefaultScheduleStatus.RUNNING if scheduled.on else dg.DefaultScheduleStatus.STOPPED,
        description=f"{scheduled.what} Never while it is trained, and never again on the same data and settings.",
    )
    def schedule(
        context: dg.ScheduleEvaluationContext, settings: dg.ResourceParam[Settings], tables: Tables
    ) -> dg.RunRequest | dg.SkipReason:
        try:
            reason = reason_to_retrain(context.instance, settings, tables, family, outside)
        except SelvedgeError as error:
            return dg.SkipReason(str(error))
        return dg.RunRequest(tags={REASON_TAG: reason.why}) if reason.train else dg.SkipReason(reason.why)

    return schedule


def reason_to_retrain(
    instance: dg.DagsterInstance, settings: Settings, tables: Tables, family: Family, reads_outside: bool = False
) -> Reason:
    """Whether a family is to be trained now.

    Args:
        reads_outside: its training reads what the graph does not know, as people's picks: it is prepared then, and the
            candidate's name says whether that is news.

    Raises:
        SelvedgeError: the catalogue was never read.
    """
    if goes_on := training_goes_on(instance, family):
        return Reason(False, goes_on)
    if family.lacks is not None and (lacking := family.lacks(instance, settings, tables)):
        return Reason(False, lacking)
    about = materialised(instance, "catalog/qa_pairs")
    if about is None and not reads_outside:
        return Reason(False, "no drop was read to the end yet: there is nothing to learn from")
    prepared = materialised(instance, "/".join(family.prepared_by[-1].path))
    if prepared is None:
        return Reason(True, f"{family.name} was never trained")
    if reads_outside or not {"drops", "made_of"} <= set(prepared):
        return Reason(True, f"what {family.name} learns from is collected anew")
    drops = list((about or {}).get("drops", []))
    if new := [drop for drop in drops if drop not in prepared["drops"]]:
        more = f" and {len(new) - NAMED} more" if len(new) > NAMED else ""
        return Reason(True, f"drops came since the last training: {', '.join(new[:NAMED])}{more}")
    if prepared["made_of"] != made_of(instance, tables, prepared["drops"]):
        return Reason(True, "drops changed since the last training")
    candidate = name_candidate(instance, family.open(instance, settings, tables))
    if candidate not in _candidates(instance, family):
        return Reason(True, "its settings changed since the last training")
    return Reason(False, f"{candidate} was trained from the same data and settings")


def training_goes_on(instance: dg.DagsterInstance, family: Family) -> str:
    """Which training of a family goes on, one that waits in the queue included, in one sentence; "" for none."""
    keys = {family.candidate, *family.prepared_by}
    statuses = [*UNFINISHED, dg.DagsterRunStatus.QUEUED]
    for run in instance.get_runs(dg.RunsFilter(statuses=statuses)):
        if run.job_name == family.training_job or keys & set(run.asset_selection or ()):
            return f"run {run.run_id[:8]} trains {family.name} now"
    trained = instance.get_materialized_partitions(family.candidate)
    for candidate in _candidates(instance, family):
        if candidate not in trained and newest_run(instance, [family.candidate], candidate) is None:
            return f"{candidate} is opened and its training follows"
    return ""


def _candidates(instance: dg.DagsterInstance, family: Family) -> Sequence[str]:
    return instance.get_dynamic_partitions(candidate_partitions(family.name).name or "")


def _reads_outside(family: Family) -> bool:
    """Does an asset of the preparation depend on no other? Then what it reads is not in the graph."""
    specs = {spec.key: spec for definition in family.assets() for spec in definition.specs}
    return any(not list(specs[key].deps) for key in family.prepared_by if key in specs)
