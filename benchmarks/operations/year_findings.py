"""What must be true of a home after a year alone, and the table and plot that say so.

Belongs here: explaining every run, what is stuck, drift, disk, the chains of published rows, the order of times. Not
here: the year itself (year.py).

A run is explained by what its asker answers to: a changed delivery, a new partition, a parent made since the last run
of the same, votes, a reason that stands in its tag, a tick. Runs are looked at once a month, before `gc` removes any.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from evaluation.plot_style import INK, SERIES, legend_below, png, styled_figure
from orchestration.assets.candidates import REASON_TAG
from orchestration.assets.failed_runs import left_failed
from orchestration.assets.partitions import DROPS, PARTITION_TAG, candidate_partitions
from orchestration.assets.published import materialised, newest
from orchestration.defs.catalog.arrivals import FINGERPRINT_TAG
from orchestration.families.contract import Family
from orchestration.families.monitors import ALARM, DRIFT_CHECK, UNJUDGED, VERDICT
from orchestration.registry.ledger import open_ledger
from orchestration.runtime.dagster_private import check_records
from orchestration.runtime.settings import Settings

ASKED_BY = "selvedge/asked_by"  # of a run: the sensor, condition or schedule that asked for it
CHAIN = ("catalog/products", "catalog/images", "inference/attributes", "inference/descriptions")
CONDITIONS = ("cpu_automation", "gpu_automation")
FOUND_WITHIN = 3  # drops
TRACED = 400
MEGABYTE = 1e6


@dataclass
class Explained:
    """Runs by who asked and why; those that nothing explains."""

    counted: Counter[str] = field(default_factory=Counter)
    unexplained: list[str] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    _checked: set[str] = field(default_factory=set)
    _last: dict[tuple[dg.AssetKey, str], float] = field(default_factory=dict)
    _read: set[tuple[str, str]] = field(default_factory=set)

    def look(self, instance: dg.DagsterInstance, definitions: dg.Definitions) -> None:
        """At every run that was not looked at yet, oldest first."""
        graph = definitions.resolve_asset_graph()
        for record in reversed(instance.get_run_records()):
            run = record.dagster_run
            if run.run_id in self._checked:
                continue
            self._checked.add(run.run_id)
            at = record.start_time or record.create_timestamp.timestamp()
            why = self._why(instance, graph, run, at)
            asked = run.tags.get(ASKED_BY, "nobody")
            if why:
                self.counted[f"{asked}: {why}"] += 1
            else:
                self.unexplained.append(f"{run.run_id} {asked} {sorted(run.asset_selection or ())}")
            if not run.is_success:
                self.failed[f"{run.status.value} {run.job_name}: {run.tags.get('selvedge/failure', '')[:80]}"] += 1
            for key in run.asset_selection or ():
                self._last[key, run.tags.get(PARTITION_TAG, "")] = at

    def _why(self, instance: dg.DagsterInstance, graph: Any, run: dg.DagsterRun, at: float) -> str:
        asked, partition = run.tags.get(ASKED_BY, ""), run.tags.get(PARTITION_TAG, "")
        if FINGERPRINT_TAG in run.tags:
            delivery = partition, run.tags[FINGERPRINT_TAG]
            fresh = delivery not in self._read
            self._read.add(delivery)
            return "a delivery" if fresh else ""
        if asked in CONDITIONS:
            keys = sorted(run.asset_selection or ())
            if any((key, partition) not in self._last for key in keys):
                return "a new partition"
            made = any(
                _made_between(instance, parent, self._last[key, partition], at)
                for key in keys
                for parent in graph.get(key).parent_keys
            )
            return "its parents were made" if made else ""
        if REASON_TAG in run.tags:
            return "a reason in its tag"
        if asked.endswith("_watches_rounds"):
            return "votes"
        return "a tick" if asked else ""


def _made_between(instance: dg.DagsterInstance, parent: dg.AssetKey, since: float, until: float) -> bool:
    query = dg.AssetRecordsFilter(asset_key=parent, after_timestamp=since, before_timestamp=until)
    return bool(instance.fetch_materializations(query, limit=1).records)


def findings(shop: Any, posted: Sequence[Mapping[str, Any]], families: Sequence[Family], final: bool) -> dict[str, Any]:
    """All of it as plain data; `wrong` holds one sentence for each thing that is not as it must be."""
    instance, settings, year = shop.graph.instance, shop.settings, shop.year
    family = families[0]
    drops = instance.get_dynamic_partitions(DROPS.name or "")
    stuck = _stuck(instance, shop.graph.definitions, families, drops, settings)
    drift = _drift(instance, family, drops, shop.changed_from)
    left: dict[str, Any] = {
        "days": year.days,
        "drops": len(drops),
        "products": sum(int((materialised(instance, CHAIN[0], drop) or {"rows": 0})["rows"]) for drop in drops),
        "runs": sum(shop.explained.counted.values()) + len(shop.explained.unexplained),
        "explained": dict(shop.explained.counted.most_common()),
        "failed": dict(shop.explained.failed),
        "ticks": shop.ticks,
        "candidates": {f.name: len(_candidates(instance, f)) for f in families},
        "rounds": dict(Counter(_outcome(settings, record) for record in open_ledger(settings).rounds())),
        "promotions": len(open_ledger(settings).promotions.history(family.name)),
        "drift": drift,
        "bad_drops": len(year.bad),
        "alerts": len(posted),
        "told": dict(Counter(subject for message in posted for subject in _subjects(message))),
        "months": year.months,
        "order": _disorder(instance, settings, family, drops),
        "traced": _traced(instance, settings, families, drops) if final else {},
    }
    left["wrong"] = [
        *(f"unexplained run {run}" for run in shop.explained.unexplained),
        *(f"stuck: {what}" for what in stuck),
        *(f"disorder: {what}" for what in left["order"]),
        *(f"row not traced: {what}" for what in left["traced"].get("broken", [])),
        *_drift_missed(drift, year.days, shop.plan.changed_day),
        *([f"{len(posted)} alerts for {len(year.bad)} bad drops"] if len(posted) < len(year.bad) else []),
    ]
    return left


def _subjects(message: Mapping[str, Any]) -> list[str]:
    """What failed, without the partition."""
    return [str(failure["subject"]).partition(" of ")[0] for failure in message.get("failures", [])] or ["report"]


def _outcome(settings: Settings, record: Any) -> str:
    verdict = open_ledger(settings).verdict(record.plan.round_id)
    return record.state if verdict is None else verdict.outcome


def _candidates(instance: dg.DagsterInstance, family: Family) -> Sequence[str]:
    return instance.get_dynamic_partitions(candidate_partitions(family.name).name or "")


def _stuck(
    instance: dg.DagsterInstance,
    definitions: dg.Definitions,
    families: Sequence[Family],
    drops: Sequence[str],
    settings: Settings,
) -> list[str]:
    """Partitions that wait for something that nobody brings."""
    graph = definitions.resolve_asset_graph()
    watched = {key: graph.get(key).partitions_def for key in graph.materializable_asset_keys}
    waiting = [f"{entry.asset}: {entry.count} failed, {entry.sample}" for entry in left_failed(instance, watched)]
    for drop in drops:
        lacking = [name for name in CHAIN if materialised(instance, name, drop) is None]
        waiting += [f"drop {drop} lacks {', '.join(lacking)}"] if lacking else []
    unfinished = [run for run in instance.get_runs() if not run.is_finished]
    waiting += [f"run {run.run_id} is {run.status.value}" for run in unfinished]
    rounds = open_ledger(settings).rounds()
    waiting += [f"round {one.plan.round_id} is open" for one in rounds if one.state == "open"]
    for family in families:
        trained = instance.get_materialized_partitions(family.candidate)
        waiting += [f"candidate {one} is not trained" for one in _candidates(instance, family) if one not in trained]
    for pool in instance.event_log_storage.get_concurrency_keys():
        held = instance.event_log_storage.get_concurrency_info(pool)
        waiting += [f"pool {pool} is held"] if held.claimed_slots or held.pending_steps else []
    return waiting


def _drift(instance: dg.DagsterInstance, family: Family, drops: Sequence[str], changed_from: str) -> dict[str, Any]:
    """What the check said of each drop when it was published."""
    assert family.publishes
    check = dg.AssetCheckKey(dg.AssetKey(family.publishes.split("/")), DRIFT_CHECK)
    verdicts: dict[str, str] = {}
    for record in reversed(check_records(instance, check, 5000)):
        verdicts.setdefault(record.partition or "", str(record.metadata[VERDICT]))
    before = [verdicts[drop] for drop in drops if drop in verdicts and drop < changed_from]
    after = [verdicts[drop] for drop in drops if drop in verdicts and drop >= changed_from]
    alarms = [number for number, verdict in enumerate(after, 1) if verdict == ALARM]
    return {
        "before": dict(Counter(before)),
        "after": dict(Counter(after)),
        "judged_before": sum(verdict != UNJUDGED for verdict in before),
        "alarms_before": before.count(ALARM),
        "found_at_drop": alarms[0] if alarms else None,
        "alarms_after": alarms,
    }


def _drift_missed(drift: Mapping[str, Any], days: int, changed_day: int) -> list[str]:
    late = drift["found_at_drop"] is None or drift["found_at_drop"] > FOUND_WITHIN
    return [f"drift was found at drop {drift['found_at_drop']}"] if days > changed_day + FOUND_WITHIN and late else []


def _disorder(instance: dg.DagsterInstance, settings: Settings, family: Family, drops: Sequence[str]) -> list[str]:
    """Where a thing is older than what it is made from, or was made by a model that was no champion yet."""
    history = open_ledger(settings).promotions.history(family.name)
    since = {f"models:/{family.name}/{record.version}": record.at.timestamp() for record in history}
    moments = [record.at for record in history]
    wrong = [] if moments == sorted(moments) else ["promotions are not in the order of their times"]
    for drop in drops:
        events = [newest(instance, name, drop) for name in CHAIN]
        times = [event.timestamp for event in events if event is not None]
        if times != sorted(times):
            wrong.append(f"drop {drop}: {dict(zip(CHAIN, times, strict=False))}")
        about = materialised(instance, CHAIN[2], drop) or {}
        if len(times) == len(CHAIN) and not since.get(str(about.get("model")), float("inf")) <= times[2]:
            wrong.append(f"drop {drop} was published by {about.get('model')} before its promotion")
    return wrong


def _traced(
    instance: dg.DagsterInstance, settings: Settings, families: Sequence[Family], drops: Sequence[str]
) -> dict[str, Any]:
    """The chains of published rows, of every drop some: each hop's state, and what is broken or missing in them."""
    from orchestration.report.home import Home
    from orchestration.report.trace import Tracer

    home = Home(instance, settings)
    tracer = Tracer(home, families)
    published = {drop: home.frame(CHAIN[3], drop) for drop in drops}
    rows = [(drop, int(product)) for drop, table in published.items() if len(table) for product in table["product_id"]]
    drawn = random.Random(0).sample(rows, min(TRACED, len(rows)))
    states: Counter[str] = Counter()
    broken: list[str] = []
    through = Counter[str]()
    for drop, product in drawn:
        followed = tracer.follow(product, drop)
        states.update(f"{hop.hop} {hop.state}" for hop in followed.hops)
        through.update({hop.hop for hop in followed.hops})
        for hop in (*followed.broken, *followed.missing):
            broken.append(f"{product} of {drop}: {hop.hop} {hop.state}: {hop.note}")
    return {"rows": len(rows), "sample": len(drawn), "hops": dict(states), "through": dict(through), "broken": broken}


def lines_of(left: Mapping[str, Any]) -> list[str]:
    """Markdown for docs/operations.md."""
    drift, traced, months = left["drift"], left["traced"], left["months"]
    size = months[-1]["after"]["all"]
    rows = [
        ("drops, products, runs", f"{left['drops']}, {left['products']}, {left['runs']}"),
        ("stuck partitions", sum(one.startswith("stuck") for one in left["wrong"])),
        ("unexplained runs", sum(one.startswith("unexplained") for one in left["wrong"])),
        ("candidates", ", ".join(f"{name} {count}" for name, count in left["candidates"].items())),
        ("rounds by outcome", ", ".join(f"{name} {count}" for name, count in left["rounds"].items())),
        ("promotions", left["promotions"]),
        ("bad drops, messages of the webhook", f"{left['bad_drops']}, {left['alerts']}"),
        ("alarms before the change", f"{drift['alarms_before']} of {drift['judged_before']} judged drops"),
        ("change found at its drop", drift["found_at_drop"]),
        ("alarms after it, at drops", ", ".join(map(str, drift["alarms_after"]))),
        ("rows traced, with a hop broken or missing", f"{traced.get('sample')}, {len(traced.get('broken', []))}"),
        ("things older than what they are made from", len(left["order"])),
        ("size of the home, freed by gc", f"{size / MEGABYTE:.0f} MB, {left['months'][-1]['freed'] / MEGABYTE:.0f} MB"),
    ]
    why = [f"| run by {asked} | {count} |" for asked, count in left["explained"].items()]
    return ["| what | found |", "|---|---|", *(f"| {name} | {value} |" for name, value in rows), *why, *left["wrong"]]


def figure_of(left: Mapping[str, Any]) -> bytes:
    """The size of the home by month: what is published, what Dagster keeps, with and without `gc`."""
    months = left["months"]
    number = [month["month"] for month in months]
    with styled_figure(8.4, 3.6) as figure:
        axes = figure.subplots()
        kept = [month["after"]["all"] / MEGABYTE for month in months]
        axes.plot(number, [(m["after"]["all"] + m["freed"]) / MEGABYTE for m in months], color=INK,
                  linestyle=(0, (4, 2)), linewidth=1.2, label="home, never cleaned")  # fmt: skip
        axes.plot(number, kept, color=SERIES[0], marker="o", markersize=4, label="home, gc each month")
        for position, part in enumerate(("dagster", "mlflow", "tables"), 1):
            sizes = [month["after"][part] / MEGABYTE for month in months]
            axes.plot(number, sizes, color=SERIES[position], marker="o", markersize=3, label=f"{part}, gc each month")
        axes.set_xlabel("month")
        axes.set_ylabel("MB")
        axes.set_ylim(0)
        axes.grid()
        legend_below(figure, axes)
        return png(figure)
