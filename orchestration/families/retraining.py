"""Retraining: whether a family should be trained again, and why.

Belongs here: the one decision, by the policy of a sensor or of the weekly schedule, and its reason. Not here: what the
monitors measure (evaluation/drift.py, a family's quality), asking for the run (orchestration/graph/retraining.py),
opening a candidate (graph/sensors.py).

A family is trained again because enough new products came, or because a monitor found k of the last n drops to differ,
the newest among them: one odd delivery is no reason, and neither is drift that is over. Only drops count that no
candidate has learnt from yet. So an alarm asks for one training at most, whatever becomes of it: a candidate that lost
is not trained again on the same data, and drift that stays is not answered every day. The weekly schedule, which a
person turns on, is content with less: anything that is new. Neither begins while a training of the family runs, a
candidate waits for its own, people still vote on one (its evidence would name a former champion), or something lacks.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from catalog.files import json_sha256
from orchestration.families.contract import Family
from orchestration.families.monitors import MONITORS, Outcome, outcomes

if TYPE_CHECKING:
    import dagster as dg

    from labeling.review.ledger.ledger import Ledger
    from orchestration.assets.published import Tables
    from orchestration.runtime.settings import Settings

READ_NAMES = ("catalog/products", "catalog/images")
NAMED = 5  # drops of a reason
WAITS_DAYS = 7  # that a candidate without a run may be waiting; `selvedge gc` keeps runs at least as long


@dataclass(frozen=True)
class Policy:
    """When to train again.

    Attributes:
        products: new ones; 0: never for that reason. alarms: of the last `window` drops.
        anything: whatever is new is a reason, the first training included.
    """

    products: int
    alarms: int
    window: int
    anything: bool = False

    @classmethod
    def of(cls, settings: "Settings", anything: bool = False) -> "Policy":
        return cls(settings.retrain_products, settings.retrain_alarms, settings.retrain_window, anything)


@dataclass(frozen=True)
class News:
    """What happened since the newest candidate was opened.

    Attributes:
        drops: that no candidate learnt from as they are now, the newest last. products: in them.
        outcomes: by monitor, over these drops, the newest last.
        busy: why no training can begin now; "" where one can.
        data: hash of everything that a training would learn from now, and of its settings.
        besides: what else is new, in one sentence; "" for nothing.
    """

    drops: tuple[str, ...] = ()
    products: int = 0
    outcomes: Mapping[str, Sequence[Outcome]] = field(default_factory=dict)
    busy: str = ""
    data: str = ""
    besides: str = ""


@dataclass(frozen=True)
class Decision:
    """Train again or not. reason: of either, for people. figures: what it rests on, as plain data."""

    retrain: bool
    reason: str
    figures: Mapping[str, Any]


def decide(policy: Policy, news: News) -> Decision:
    """What the policy says of the news; nothing is read and nothing asked for."""
    reasons, counted = [], {}
    if policy.products and news.products >= policy.products:
        reasons.append(f"{news.products} new products in {len(news.drops)} drops, and {policy.products} are enough")
    elif policy.anything and news.drops:
        more = f" and {len(news.drops) - NAMED} more" if len(news.drops) > NAMED else ""
        reasons.append(f"drops came or changed since the last training: {', '.join(news.drops[:NAMED])}{more}")
    for monitor, judged in news.outcomes.items():
        window = judged[-policy.window :]
        alarms = [outcome for outcome in window if outcome.alarm]
        counted[monitor] = f"{len(alarms)} of {len(window)}"
        if len(alarms) >= policy.alarms and window[-1].alarm:
            reasons.append(
                f"{monitor} in {len(alarms)} of the last {len(window)} drops, {window[-1].drop} the newest: "
                f"{window[-1].why}"
            )
    if policy.anything and news.besides:
        reasons.append(news.besides)
    figures = {"new_products": news.products, "new_drops": len(news.drops), "alarms": counted}
    if not reasons:
        named = "".join(f", {monitor} in {count} drops" for monitor, count in counted.items())
        wanted = f" of {policy.products}" if policy.products and not policy.anything else ""
        same = ", and its settings are those of the last training" if policy.anything else ""
        return Decision(False, f"nothing to learn: {news.products}{wanted} new products{named}{same}", figures)
    if news.busy:
        return Decision(False, f"{'; '.join(reasons)}; but {news.busy}", figures)
    return Decision(True, "; ".join(reasons), figures)


def news_of(
    family: Family, instance: "dg.DagsterInstance", settings: "Settings", tables: "Tables", anything: bool = False
) -> News:
    """What happened to a family since its newest training was prepared, by Dagster's records.

    Args:
        anything: as for `decision`; else `besides` stays empty once it was trained.

    Raises:
        SelvedgeError: a file of training settings cannot be read.
    """
    from orchestration.assets.candidates import name_candidate
    from orchestration.assets.dataset import made_of
    from orchestration.assets.partitions import DROPS
    from orchestration.assets.published import materialised, there

    prepared = materialised(instance, family.prepared[-1])
    if prepared is None:
        return News(besides=f"{family.name} was never trained")
    if not family.learns_from_drops:  # what people picked stands in no drop: its preparation says whether it is news
        return News(besides=f"what {family.name} learns from is collected anew")
    drops = there(instance, READ_NAMES[-1], DROPS)
    now = made_of(instance, tables, drops)
    new = tuple(drop for drop in drops if not _learnt(drop, prepared, now))
    products = sum(reference.rows for reference in tables.references(instance, READ_NAMES[0], new).values())
    champion = materialised(instance, "/".join(family.champion.path)) or {}
    judged = {
        monitor: outcomes(instance, family, monitor, new, str(champion.get("model"))) if champion else []
        for monitor in (MONITORS if family.watch else ())
    }
    besides = ""
    if anything and name_candidate(instance, family.open(instance, settings, tables)) not in _candidates(
        instance, family
    ):
        besides = "its settings changed since the last training"
    return News(new, products, judged, data=_data(family, settings, now), besides=besides)


def decision(
    family: Family,
    instance: "dg.DagsterInstance",
    settings: "Settings",
    tables: "Tables",
    ledger: "Ledger | None",
    anything: bool = False,
) -> tuple[Decision, News]:
    """Whether to train again now.

    Args:
        anything: by the schedule, for which whatever is new is a reason; else by the policy of the settings.

    Raises:
        SelvedgeError: a file of training settings cannot be read. ServiceUnavailable: the ledger does not answer.
    """
    policy, news = Policy.of(settings, anything), news_of(family, instance, settings, tables, anything)
    decided = decide(policy, news)
    if decided.retrain:  # only then is it worth asking what hinders
        news = replace(news, busy=hindrance(family, instance, settings, tables, ledger))
        decided = decide(policy, news)
    return decided, news


def _learnt(drop: str, prepared: Mapping[str, Any], now: Mapping[str, str]) -> bool:
    """Was the drop, as it is now, among those that the newest training was prepared from?

    An older Selvedge recorded the drops' names alone.
    """
    before = prepared.get("made_of")
    if before is None:
        return drop in prepared.get("drops", ())
    return all(now[f"{name}/{drop}"] == before.get(f"{name}/{drop}") for name in READ_NAMES)


def _data(family: Family, settings: "Settings", made_of: Mapping[str, str]) -> str:
    from orchestration.families.stages import candidate_settings

    return json_sha256([family.name, asdict(candidate_settings(family.settings(), settings, family.name)), made_of])


def hindrance(
    family: Family, instance: "dg.DagsterInstance", settings: "Settings", tables: "Tables", ledger: "Ledger | None"
) -> str:
    """Why no training of the family can begin now, in one sentence; "" where one can.

    Raises:
        SelvedgeError, ServiceUnavailable: as `decision`.
    """
    import dagster as dg

    from orchestration.assets.published import materialised

    ended = (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
    unfinished = [status for status in dg.DagsterRunStatus if status not in ended]
    own = {*family.prepared_by, family.candidate, family.scores}
    for run in instance.get_runs(dg.RunsFilter(statuses=unfinished)):
        if own & set(run.asset_selection or ()) or run.job_name == family.training_job:
            return f"a training of {family.name} runs already (run {run.run_id[:8]})"
    if waiting := _waiting(family, instance):
        return f"candidate {waiting} waits for its training"
    open_rounds = [] if ledger is None else [r for r in ledger.rounds(family.name) if r.state == "open"]
    if open_rounds:
        return f"people still vote in round {open_rounds[-1].plan.round_id}"
    if family.learns_from_drops and materialised(instance, "catalog/qa_pairs") is None:
        return "no drop was read to the end yet"
    return family.lacks(instance, settings, tables) if family.lacks is not None else ""


def _waiting(family: Family, instance: "dg.DagsterInstance") -> str:
    """A candidate that was opened and that no run has begun to train; "" for none.

    One without a run that is older than a week is none: its run may have failed and been pruned by `selvedge gc`.
    """
    from orchestration.assets.failed_runs import newest_run

    trained = instance.get_materialized_partitions(family.candidate)
    since = f"{datetime.now().astimezone() - timedelta(days=WAITS_DAYS):%Y%m%d}"
    for candidate in _candidates(instance, family):
        young = candidate.removeprefix(f"{family.name}-")[: len(since)] >= since
        if young and candidate not in trained and newest_run(instance, [family.candidate], candidate) is None:
            return candidate
    return ""


def _candidates(instance: "dg.DagsterInstance", family: Family) -> Sequence[str]:
    from orchestration.assets.partitions import candidate_partitions

    return instance.get_dynamic_partitions(candidate_partitions(family.name).name or "")
