"""The checks that watch a champion at work: is a drop like those it learnt from, and do drops contradict its answers?

Belongs here: the two checks and their metadata. Not here: gathering a family's figures (its `watch`), comparing them
(evaluation/drift.py), what follows (orchestration/families/retraining.py).

They are partitioned by drop, and they block nothing: a drop that is unlike the earlier ones is published all the
same, and what cannot be judged passes and says so.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg

from catalog.errors import SelvedgeError, ServiceUnavailable
from orchestration.assets.candidates import Opening, read_opening
from orchestration.assets.failures import errors_as_sentences
from orchestration.assets.metadata import image, table
from orchestration.assets.partitions import DROPS
from orchestration.assets.published import Tables, materialised
from orchestration.families.contract import Family, PublishedDrop, Watched, asset_key
from orchestration.families.monitors import ALARM, CALM, DRIFT_CHECK, MODEL, MONITORS, QUALITY_CHECK, UNJUDGED, VERDICT
from orchestration.families.registered import VERSION, trained_as
from orchestration.graph.evidence import evidence_place
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    from evaluation.drift import Judgement

MOST = 100  # earlier drops that are compared with, the newest; distances grow with the square
SHOWN_ATTRIBUTES = 8


def watch_checks(family: Family) -> list[dg.AssetChecksDefinition]:
    """The checks of a family that is watched."""
    key = asset_key(family.publishes)
    specs = [
        dg.AssetCheckSpec(name, asset=key, partitions_def=DROPS, blocking=False, description=what)
        for name, what in MONITORS.items()
    ]

    @dg.multi_asset_check(name=f"{family.slug}_watch", specs=specs, can_subset=True)
    def watch(
        context: dg.AssetCheckExecutionContext, settings: dg.ResourceParam[Settings], tables: Tables
    ) -> Iterator[dg.AssetCheckResult]:
        asked = {check.name for check in context.selected_asset_check_keys}
        for name, result in watched(context, settings, tables).items():
            if name in asked:
                yield result

    @errors_as_sentences
    def watched(
        context: dg.AssetCheckExecutionContext, settings: Settings, tables: Tables
    ) -> dict[str, dg.AssetCheckResult]:
        return _watched(family, context.instance, settings, tables, context.partition_key)

    return [] if family.watch is None else [watch]


def _watched(
    family: Family, instance: dg.DagsterInstance, settings: Settings, tables: Tables, drop: str
) -> dict[str, dg.AssetCheckResult]:
    """By check. Whatever cannot be read is the check's sentence: a monitor holds up nothing."""
    from evaluation.drift import DRIFT, QUALITY, drops_needed, judge

    about = materialised(instance, family.publishes, drop) or {}
    shown = {MODEL: about.get("model", ""), "false alarms allowed": f"{settings.drift_false_alarms:g} of drops"}
    needed = drops_needed(settings.drift_false_alarms)
    try:
        candidate, opening = _snapshot(family, instance, tables, str(about.get("model")))
        shown["training snapshot"] = candidate
        if why := _hindrance(opening, candidate, drop, needed):
            return {name: _unjudged(name, why, shown) for name in MONITORS}
        scored = evidence_place(family, tables, candidate).parent
        most = max(MOST, 2 * needed)
        gathered = _gathered(family, PublishedDrop(instance, settings, tables, drop, about, opening, scored, most))
    except ServiceUnavailable:
        raise
    except SelvedgeError as error:
        return {name: _unjudged(name, str(error), shown, passed=False) for name in MONITORS}
    return {
        name: _result(name, judge(gathered.new, gathered.earlier, statistics, settings.drift_false_alarms), drop, shown)
        for name, statistics in ((DRIFT_CHECK, DRIFT), (QUALITY_CHECK, QUALITY))
    }


def _gathered(family: Family, published: PublishedDrop) -> Watched:
    if family.watch is None:
        raise SelvedgeError(f"nothing of {family.name} is watched.")
    return family.watch(published)


def _snapshot(family: Family, instance: dg.DagsterInstance, tables: Tables, model: str) -> tuple[str, Opening]:
    """The candidate that the drop was published with, and what it was opened with.

    Raises:
        SelvedgeError: no candidate of this home is that model, or its opening is gone.
    """
    named = VERSION.fullmatch(model)
    candidate = trained_as(instance, family, named["version"])[0] if named else None
    if candidate is None:
        raise SelvedgeError(
            f"no candidate of {family.name} in this home was registered as {model}; materialise {family.publishes} of "
            "this drop again."
        )
    return candidate, read_opening(tables, family.name, candidate)


def _hindrance(opening: Opening, candidate: str, drop: str, needed: int) -> str:
    """Why nothing can be judged whatever the figures are; "" where something can."""
    drops = list(opening.dataset.get("drops", ()))
    if drop in drops:
        return f"{candidate} learnt from this drop"
    if len(drops) < needed:
        return f"not enough drops: {len(drops)} of {needed} in the training snapshot of {candidate}"
    return ""


def _unjudged(name: str, why: str, shown: dict[str, Any], passed: bool = True) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        check_name=name,
        passed=passed,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{UNJUDGED}: {why}",
        metadata={VERDICT: UNJUDGED, "why": why, **shown},
    )


def _result(name: str, judgement: "Judgement", drop: str, shown: dict[str, Any]) -> dg.AssetCheckResult:
    if judgement.alarm is None:
        return _unjudged(name, judgement.sentence.partition(": ")[2], shown)
    from evaluation.drift_plots import drift_plot

    rows = [[each.name, f"{each.value:.4g}", f"{each.limit:.4g}", f"{each.p:.3g}"] for each in judgement.statistics] + [
        [missing, "", "", why] for missing, why in judgement.left_out.items()
    ]
    figures: dict[str, Any] = {
        VERDICT: ALARM if judgement.alarm else CALM,
        "why": judgement.sentence,
        "p": judgement.p,
        "earlier drops": judgement.drops,
        "statistics": table(["statistic", "this drop", "limit", "p by itself"], rows),
        "plot": image(drift_plot(judgement, drop), f"{name} of {drop}"),
        **shown,
    }
    if judgement.by_attribute:
        largest = sorted(judgement.by_attribute.items(), key=lambda item: item[1][1] - item[1][0])[:SHOWN_ATTRIBUTES]
        figures["attributes"] = table(
            ["attribute", "this drop", "median of the others"],
            [[attribute, f"{value:.3g}", f"{usual:.3g}"] for attribute, (value, usual) in largest],
        )
    return dg.AssetCheckResult(
        check_name=name,
        passed=not judgement.alarm,
        severity=dg.AssetCheckSeverity.WARN,
        description=judgement.sentence,
        metadata=figures,
    )
