"""What asks for a training: the sensor of the policy, and the weekly schedule; both by the same decision.

Belongs here: the requests, their key and their reason. Not here: the decision (orchestration/families/retraining.py),
when the schedule fires (families/timetable.py), opening the candidate and writing the reason into it (sensors.py).

The sensor's key is the hash of everything that the training would learn from, and of its settings. So Dagster asks at
most once for the same data and settings, whether that run failed, or its candidate lost. With the setting off it
decides all the same, and its tick says what.
"""

import dagster as dg

from catalog.errors import SelvedgeError
from orchestration.assets.candidates import REASON_TAG
from orchestration.assets.failures import TAG_CHARACTERS
from orchestration.assets.published import Tables
from orchestration.assets.resources import Reviews
from orchestration.families.contract import Family
from orchestration.families.retraining import decision
from orchestration.families.timetable import Scheduled
from orchestration.runtime.settings import Settings

LOOK_SECONDS = 120


def retrains(family: Family) -> dg.SensorDefinition:
    """Asks for the preparation of a training, whose success opens a candidate."""

    @dg.sensor(
        name=f"{family.slug}_retraining_policy",
        target=dg.AssetSelection.assets(*family.prepared_by),
        minimum_interval_seconds=LOOK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            f"Trains {family.name} again when enough new products came, or drops differ from what the champion learnt "
            "from; only where SELVEDGE_RETRAIN is on, else it says what it would do."
        ),
    )
    def sensor(
        context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings], tables: Tables, reviews: Reviews
    ) -> dg.RunRequest | dg.SkipReason:
        try:
            decided, news = decision(family, context.instance, settings, tables, reviews.ledger())
        except SelvedgeError as error:  # the ledger is away, or a file of settings cannot be read: decided next time
            return dg.SkipReason(str(error))
        if not decided.retrain:
            return dg.SkipReason(decided.reason)
        if not settings.retrain:
            return dg.SkipReason(f"would train {family.name} again: {decided.reason}; SELVEDGE_RETRAIN is off")
        return dg.RunRequest(
            run_key=f"{family.name} {news.data}",
            asset_selection=list(family.prepared_by),
            tags={REASON_TAG: decided.reason[:TAG_CHARACTERS]},
        )

    return sensor


def weekly_retraining(family: Family, scheduled: Scheduled) -> dg.ScheduleDefinition:
    """The schedule: at most one run of the family's training job, for anything that is new."""

    @dg.schedule(job_name=family.training_job, **scheduled.declared())
    def schedule(
        context: dg.ScheduleEvaluationContext, settings: dg.ResourceParam[Settings], tables: Tables, reviews: Reviews
    ) -> dg.RunRequest | dg.SkipReason:
        try:
            decided, _ = decision(family, context.instance, settings, tables, reviews.ledger(), anything=True)
        except SelvedgeError as error:  # as above: decided next week
            return dg.SkipReason(str(error))
        if not decided.retrain:
            return dg.SkipReason(decided.reason)
        return dg.RunRequest(tags={REASON_TAG: decided.reason[:TAG_CHARACTERS]})

    return schedule
