"""Sensors of a family: a candidate opens when its training data is ready, and the champion is watched.

Belongs here: the two sensors and the report of a champion. Not here: the assets (road.py).
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import dagster as dg

from catalog.errors import SelvedgeError
from orchestration.assets.candidates import REASON_TAG, Opening, name_candidate, record_opening
from orchestration.assets.partitions import candidate_partitions, slug
from orchestration.assets.published import Tables, newest
from orchestration.assets.resources import Models
from orchestration.registry.interface import CHAMPION
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    from orchestration.registry.interface import ModelVersionInfo

DATA_VERSION_TAG = "dagster/data_version"
WATCH_SECONDS = 30


def opens_candidates(
    family: str, prepared: dg.AssetKey, opening_now: Callable[[dg.DagsterInstance, Settings, Tables], Opening]
) -> dg.SensorDefinition:
    """Adds a candidate's partition whenever the last asset of the preparation is materialised; automation trains it.

    The cursor is the materialisation it has seen. Preparing again with the same data and settings names the candidate
    that is already there, so nothing is trained twice.
    """

    @dg.sensor(
        name=f"{slug(family)}_opens_candidates",
        minimum_interval_seconds=WATCH_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Opens a candidate of {family} when its training data has been prepared.",
    )
    def sensor(
        context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings], tables: Tables
    ) -> dg.SensorResult | dg.SkipReason:
        event = newest(context.instance, "/".join(prepared.path))
        seen = f"{event.run_id} {event.timestamp}" if event else ""
        if event is None or context.cursor == seen:
            return dg.SkipReason(f"no new materialisation of {prepared.to_user_string()}")
        opening = replace(opening_now(context.instance, settings, tables), reason=_why(context.instance, event))
        candidate = name_candidate(context.instance, opening)
        record_opening(tables, candidate, opening)
        requests = [candidate_partitions(family).build_add_request([candidate])]
        return dg.SensorResult(dynamic_partitions_requests=requests, cursor=seen)

    return sensor


def _why(instance: dg.DagsterInstance, event: dg.EventLogEntry) -> str:
    """What the run behind a materialisation was asked for."""
    run = instance.get_run_by_id(event.run_id)
    return "" if run is None else run.tags.get(REASON_TAG, "")


def champion_watcher(family: str, champion: dg.AssetKey) -> dg.SensorDefinition:
    """Reports the champion when the alias moved outside the graph: a rollback, a killed promotion, or a hand.

    Repairs first: what a kill left half-done is completed, and what a hand did is recorded as that.
    """

    @dg.sensor(
        name=f"{slug(family)}_champion_watcher",
        minimum_interval_seconds=WATCH_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Reports the champion of {family} when MLflow's alias names another version than Dagster knows.",
    )
    def sensor(context: dg.SensorEvaluationContext, models: Models) -> dg.SkipReason:
        from orchestration.registry.ledger import open_ledger
        from orchestration.registry.repair import settle

        try:
            registry = models.registry()
            for sentence in settle(registry, [family]):
                context.log.warning(sentence)
            version = registry.aliased(family, CHAMPION)
            record = open_ledger(registry.settings).promotions.champion(family)
        except SelvedgeError as error:  # MLflow is away, or a hand moved the alias: what was published stays as it is
            return dg.SkipReason(str(error))
        if version is None:
            return dg.SkipReason(f"{family} has no champion yet")
        moved = report_champion(context.instance, champion, version, record.kind if record else "")
        return dg.SkipReason(f"reported version {version.version}" if moved else f"still version {version.version}")

    return sensor


def report_champion(
    instance: dg.DagsterInstance, champion: dg.AssetKey, version: "ModelVersionInfo", how: str = "promotion"
) -> bool:
    """Report to Dagster which version is champion, where its record names another; True when it was reported.

    `how` it became that is shown beside it: an alias moved by hand must not look like a promotion. Only a change is
    reported: every report marks what was inferred before as stale.
    """
    event = newest(instance, "/".join(champion.path))
    reported = (
        (event.asset_materialization.tags or {}).get(DATA_VERSION_TAG)
        if event and event.asset_materialization
        else None
    )
    if reported == str(version.version):
        return False
    instance.report_runless_asset_event(
        dg.AssetMaterialization(
            champion,
            tags={DATA_VERSION_TAG: str(version.version)},
            metadata={
                "version": version.version,
                "model": version.uri,
                "candidate": version.candidate,
                "digest": version.digest,
                "run": version.run_id,
                "moved by": how,
            },
        )
    )
    return True
