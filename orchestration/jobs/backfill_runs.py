"""Backfill runs: a plan carried out by Dagster's daemon, or here where none runs; followed, resumed, cancelled.

Belongs here: asking for a backfill once, following it, its limit, doing it in this process. Not here: what is out of
date (backfill.py), options and results (orchestration/cli/backfill_command.py).

A plan names only what is out of date, so whatever stopped a backfill, planning again goes on where it was.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import dagster as dg

from catalog.errors import Interrupted, SelvedgeError, ServiceUnavailable
from infra.local.lock import exclusive
from orchestration.assets.failures import SENTENCE_TAG
from orchestration.assets.pinning import BACKFILL_TAG, MOMENT_TAG
from orchestration.jobs.backfill import Backfill
from orchestration.jobs.in_process import InProcess, keys
from orchestration.runtime.dagster_private import (
    RequestedBackfill,
    cancel_backfill,
    request_backfill,
    requested_backfill,
    unfinished_backfills,
)
from orchestration.runtime.services import in_our_words, links
from orchestration.runtime.settings import Settings

Report = Callable[[int, int, str], None]  # done, all, of what
DAEMON = "dagster-daemon"
LIMIT_TAG = "selvedge/backfill_limit"
LOCK = "backfill.lock"
LOCK_SECONDS = 60.0
POLL_SECONDS = 2.0
DAEMON_PATIENCE_SECONDS = 120.0  # `up` starts a dead one again
WHAT = "products of the backfill"


@dataclass(frozen=True)
class Carried:
    """How a backfill went. made: its drops. failed: sentences by drop. backfill_id: in Dagster; None: here."""

    made: tuple[str, ...] = ()
    failed: Mapping[str, str] = field(default_factory=dict)
    backfill_id: str | None = None
    cancelled: bool = False


def run_backfill(graph: InProcess, backfill: Backfill, report: Report = lambda done, total, what: None) -> Carried:
    """Carry a plan out in this process, one drop after another; rows that still hold are kept.

    A drop that fails stops no other one.
    """
    pinned = {MOMENT_TAG: f"{time.time():.6f}"}
    total, done = sum(backfill.products.values()), 0
    made, failed = [], {}
    report(done, total, WHAT)
    for drop, names in backfill.work.items():
        try:
            graph.run(keys(*names), drop, tags=pinned)
            made.append(drop)
        except SelvedgeError as error:
            failed[drop] = str(error)
        done += backfill.products[drop]
        report(done, total, WHAT)
    return Carried(tuple(made), failed)


def daemon_runs(settings: Settings) -> bool:
    """Does `selvedge up` carry backfills out on this home?"""
    return any(link.name == DAEMON and link.state == "running" for link in links(settings))


def check_limit(instance: dg.DagsterInstance, limit: int | None) -> None:
    """Raises SelvedgeError: Dagster's queue would start more runs at once, and holds no rule for that limit."""
    queue = instance.get_concurrency_config().run_queue_config
    if limit is None or queue is None or 0 <= queue.max_concurrent_runs <= limit:
        return
    rules = [dict(rule) for rule in queue.tag_concurrency_limits or ()]
    if not any(rule.get("key") == LIMIT_TAG and rule.get("value") == str(limit) for rule in rules):
        raise SelvedgeError(
            f"no rule of this home's dagster.yaml holds a backfill to {limit} runs at once; add "
            f'{{key: {LIMIT_TAG}, value: "{limit}", limit: {limit}}} to concurrency.runs.tag_concurrency_limits there '
            "and start `selvedge up` again, or leave --limit out."
        )


def ask_daemon(graph: InProcess, settings: Settings, plan: Callable[[], Backfill], limit: int | None) -> str | None:
    """Ask Dagster's daemon for what is out of date, unless a backfill makes it already; the backfill to follow.

    Args:
        plan: makes the plan, while nobody else asks. limit: runs at once; None: as many as the queue starts.

    Returns:
        Its id; None where everything is up to date.

    Raises:
        SelvedgeError: another backfill makes a part of it, or there is no rule for the limit.
        ServiceUnavailable: another command asked for a minute.
    """
    check_limit(graph.instance, limit)
    with in_our_words(), exclusive(settings.home / LOCK, LOCK_SECONDS, "asking for a backfill"):
        backfill = plan()
        wanted = {(name, drop) for drop, names in backfill.work.items() for name in names}
        if not wanted:
            return None
        if (under_way := claimed(graph, wanted)) is not None:
            return under_way.backfill_id
        tags = {} if limit is None else {LIMIT_TAG: str(limit)}
        assets = graph.definitions.resolve_asset_graph()
        title = f"{len(backfill.drops)} drops, {sum(backfill.products.values()):,} products"
        return request_backfill(graph.instance, assets, backfill.by_asset(), tags, title)


def claimed(graph: InProcess, wanted: set[tuple[str, str]]) -> RequestedBackfill | None:
    """The unfinished backfill that makes all of it already, asset by drop; None where none makes any of it.

    Raises:
        SelvedgeError: one makes a part of it, or is being cancelled.
    """
    for other in unfinished_backfills(graph.instance, graph.definitions.resolve_asset_graph()):
        both = sorted(wanted & other.partitions)
        if both and (other.state != "REQUESTED" or not wanted <= other.partitions):
            name, drop = both[0]
            raise SelvedgeError(
                f"backfill {other.backfill_id} makes {name} of {drop} already; let it end, or end it by `selvedge "
                f"backfill --cancel {other.backfill_id}`, and ask again."
            )
        if both:
            return other
    return None


def follow(
    graph: InProcess, settings: Settings, backfill_id: str, products: Mapping[str, int], report: Report
) -> Carried:
    """Wait until the daemon has carried a backfill out. Interrupted, it leaves the backfill to go on.

    Raises:
        SelvedgeError: the backfill is unknown, or the daemon gave it up.
        ServiceUnavailable: `selvedge up` ended meanwhile.
        Interrupted: somebody interrupted the waiting.
    """
    assets = graph.definitions.resolve_asset_graph()
    alive = time.monotonic()
    try:
        while True:
            backfill = requested_backfill(graph.instance, assets, backfill_id)
            if backfill is None:
                raise SelvedgeError(f"backfill {backfill_id} is unknown to Dagster; its page *Backfills* lists all.")
            made, failed = _drops(backfill)
            total = sum(products.values())
            report(sum(products.get(drop, 0) for drop in (*made, *failed)), total, WHAT)
            if backfill.ended:
                if backfill.state == "FAILED":
                    raise SelvedgeError(f"Dagster gave backfill {backfill_id} up: {backfill.error[:300]}")
                sentences = {drop: _why(graph.instance, backfill_id, drop) for drop in failed}
                return Carried(tuple(made), sentences, backfill_id, backfill.state == "CANCELED")
            if daemon_runs(settings):
                alive = time.monotonic()
            elif time.monotonic() - alive > DAEMON_PATIENCE_SECONDS:
                raise ServiceUnavailable(
                    f"`selvedge up` ended; backfill {backfill_id} goes on when it is started again."
                )
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        raise Interrupted(
            f"backfill {backfill_id} goes on without this command; the same command follows it again, and `selvedge "
            f"backfill --cancel {backfill_id}` ends it."
        ) from None


def cancel(graph: InProcess, backfill_id: str) -> RequestedBackfill:
    """End a backfill; what it has published stays.

    Raises:
        SelvedgeError: there is no such backfill, or it is over.
    """
    backfill = requested_backfill(graph.instance, graph.definitions.resolve_asset_graph(), backfill_id)
    if backfill is None:
        raise SelvedgeError(f"backfill {backfill_id} is unknown to Dagster; its page *Backfills* lists all.")
    if backfill.ended:
        raise SelvedgeError(f"backfill {backfill_id} is over ({backfill.state.lower()}); there is nothing to cancel.")
    cancel_backfill(graph.instance, backfill_id)
    return backfill


def _drops(backfill: RequestedBackfill) -> tuple[list[str], list[str]]:
    """Drops of which everything was made, and those of which something failed."""
    drops = sorted({drop for _, drop in backfill.partitions})
    failed = sorted({drop for _, drop in backfill.failed})
    left = {drop for name, drop in backfill.partitions - backfill.made}
    return [drop for drop in drops if drop not in left], failed


def _why(instance: dg.DagsterInstance, backfill_id: str, drop: str) -> str:
    """The sentence of a drop's last failed run in a backfill."""
    query = dg.RunsFilter(tags={BACKFILL_TAG: backfill_id, "dagster/partition": drop})
    records = instance.get_run_records(query, limit=10)
    sentences = [record.dagster_run.tags.get(SENTENCE_TAG, "") for record in records]
    if said := next(filter(None, sentences), ""):
        return said
    if records and records[0].start_time is None:
        return "its run never started, as Dagster's code server was away; give the command again."
    return "the page of its run in Dagster says why."
