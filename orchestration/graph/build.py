"""Building the definitions: one factory for the code location, the demo, the commands and the tests.

Belongs here: gathering the stages, the families and the resources. Not here: any asset.
"""

import warnings
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import dagster as dg

from orchestration.assets.partitions import DROPS
from orchestration.assets.published import Tables
from orchestration.assets.resources import Models, Reviews
from orchestration.defs.catalog import drops, inbox, training_set
from orchestration.defs.inference import ad_images, descriptions, media_index
from orchestration.defs.operations import alerts, cost, dead_runs, left_failed, nightly
from orchestration.families import FAMILIES
from orchestration.families.contract import Family, families_by_name, families_of_assets
from orchestration.families.settings import load_settings
from orchestration.families.timetable import INFERENCE, REPORT, scheduled, timetable
from orchestration.families.timetable import evaluation as evaluation_name
from orchestration.families.timetable import retraining as retraining_name
from orchestration.graph import checks, picks
from orchestration.graph.retraining import weekly_retraining
from orchestration.graph.road import family_definitions
from orchestration.graph.standing import champion_evaluation
from orchestration.runtime.settings import Settings
from training.reporting import Silent

# Two sensors, so that a slow evaluation on one side cannot hold up the other.
GPU_STAGES = ("training", "evaluation", "review", "registry", "inference")
AUTOMATION_SECONDS = 20
PUBLISHES = "inference"  # the stage whose assets shops read

# A preview, and the reason why Dagster's version is pinned exactly; saying so at every start helps nobody.
warnings.filterwarnings("ignore", message=".*map_resolved_asset_specs", category=dg.PreviewWarning)


def build_defs(
    settings: Settings | None = None,
    families: Sequence[Family] = FAMILIES,
    overrides: Mapping[str, Any] | None = None,
) -> dg.Definitions:
    """All of Selvedge's definitions.

    Args:
        settings: read from the environment by default.
        families: the declarations to build; the installed ones by default.
        overrides: resources by name (`settings`, `tables`, `models`, `reviews`, `progress`) to use instead.

    Raises:
        SelvedgeError: a setting is wrong, or two families share a name.
    """
    settings = settings or load_settings()
    resources = {
        "settings": settings,
        "tables": Tables(root=str(settings.tables())),
        "models": Models(settings=settings),
        "reviews": Reviews(settings=settings),
        "progress": Silent(),  # who waits at a terminal; a command puts its own here
        # Assets hand references on, nothing else; Dagster's own would pickle into a folder that a run may choose.
        "io_manager": dg.InMemoryIOManager(),
        **(overrides or {}),
    }
    published = {family.publishes for family in families}
    described = (
        [descriptions.descriptions, ad_images.ad_images, media_index.media_index, picks.ad_picks]
        if descriptions.READS in published
        else []
    )
    stages = dg.Definitions(
        assets=[
            drops.read_drop,
            drops.images,
            training_set.splits,
            training_set.qa_pairs,
            *described,
        ],
        asset_checks=[*checks.catalogue_checks(), *(checks.inference_checks() if described else ())],
        sensors=[inbox.inbox, dead_runs.dead_runs, *([picks.watches_picks] if described else []), *_automation()],
        jobs=_jobs(inference=bool(described)),
        resources=resources,
        # One process a run: it is the run that resumes after a kill, and two cores gain nothing from more.
        executor=dg.in_process_executor,
    )
    named = families_by_name(families).values()
    graph = dg.Definitions.merge(stages, *[family_definitions(family) for family in named])
    whole = dg.Definitions.merge(graph, *_operations(graph, list(named), settings))
    return whole if settings.drop_every_days is None else _expected(whole, settings)


def _expected(definitions: dg.Definitions, settings: Settings) -> dg.Definitions:
    """With Dagster's own freshness on what is published of a drop: red where no drop was published for too long.

    It judges an asset, not a partition, so a check of ours asks about the newest drop beside it (operations/).
    """
    window = timedelta(days=settings.drop_every_days or 0, hours=settings.fresh_hours)
    policy = dg.FreshnessPolicy.time_window(fail_window=window)

    def with_policy(spec: dg.AssetSpec) -> dg.AssetSpec:
        of_a_drop = spec.key.path[0] == PUBLISHES and spec.partitions_def == DROPS
        return dg.apply_freshness_policy(spec, policy) if of_a_drop else spec

    return definitions.map_resolved_asset_specs(func=with_policy)


def _operations(graph: dg.Definitions, families: Sequence[Family], settings: Settings) -> list[dg.Definitions]:
    """What looks at all of the graph: the schedules, what is left failed, alerts.

    Raises:
        SelvedgeError: a setting of a schedule names an unknown family, or no time.
    """
    times = timetable(settings, families)
    follow = nightly.followers(graph)
    published = [key for key in follow.parents if key.path[0] == PUBLISHES]
    watched = {spec.key: spec.partitions_def for spec in graph.resolve_all_asset_specs() if _is_made(graph, spec.key)}
    report, selection, text = left_failed.report_job("report_failures")
    of_all = dg.Definitions(
        assets=[left_failed.left_failed_asset(watched, published), cost.cost_asset(families_of_assets(families))],
        asset_checks=[*left_failed.standing_checks(watched, published)],
        sensors=[alerts.alerts_sensor(published)],
        jobs=[dg.define_asset_job(report, selection=selection, description=text)],
        schedules=[
            nightly.nightly_inference(scheduled(times, INFERENCE), follow),
            left_failed.daily_report(scheduled(times, REPORT), report),
            *(weekly_retraining(family, scheduled(times, retraining_name(family.name))) for family in families),
        ],
    )
    return [
        of_all,
        *(champion_evaluation(family, scheduled(times, evaluation_name(family.name))) for family in families),
    ]


def _is_made(graph: dg.Definitions, key: dg.AssetKey) -> bool:
    return key in graph.resolve_asset_graph().materializable_asset_keys


def _jobs(inference: bool) -> list[Any]:
    """What a person runs by hand for a drop; under these names Dagster's overview lists what the demo ran, too."""
    selections: dict[str, tuple[dg.AssetSelection, str]] = {
        "read_catalogue": (
            dg.AssetSelection.assets(drops.read_drop, drops.images),
            "One drop: products, quarantine, pictures.",
        ),
        "divide_catalogue": (
            dg.AssetSelection.assets(training_set.splits, training_set.qa_pairs),
            "Groups and splits of all drops, and the questions of the training set.",
        ),
    }
    if inference:
        of_a_drop = dg.AssetSelection.groups("inference") - dg.AssetSelection.assets(media_index.media_index)
        text = "What the champions make of one drop: attributes, descriptions, ads, the index."
        selections["use_champions"] = (of_a_drop, text)
    return [
        dg.define_asset_job(name, selection=selection, description=text)
        for name, (selection, text) in selections.items()
    ]


def _automation() -> list[dg.AutomationConditionSensorDefinition]:
    gpu = dg.AssetSelection.groups(*GPU_STAGES)
    return [
        dg.AutomationConditionSensorDefinition(
            name=name,
            target=target,
            description=f"Starts what follows by itself {where}, once what it is made from is new.",
            default_status=dg.DefaultSensorStatus.RUNNING,
            minimum_interval_seconds=AUTOMATION_SECONDS,
            emit_backfills=False,  # single runs, each with its own partition; backfills are asked for by people
        )
        for name, target, where in (
            ("cpu_automation", dg.AssetSelection.all() - gpu, "in the catalogue: pictures, splits, questions"),
            ("gpu_automation", gpu, "with a model: training, scores, rounds, promotion, publishing a drop"),
        )
    ]
