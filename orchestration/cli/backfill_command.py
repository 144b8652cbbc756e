"""`selvedge backfill`: old drops by the present champions, after count and cost.

Belongs here: options, result and the lines for people. Not here: the plan (jobs/backfill.py), carrying it out
(jobs/backfill_runs.py).
"""

import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Annotated, Any

import typer

from catalog.errors import SelvedgeError
from orchestration.cli.results import JsonFlag, emit
from orchestration.cli.terminal import reporting, say

if TYPE_CHECKING:
    import dagster as dg

    from orchestration.jobs.backfill import Backfill
    from orchestration.jobs.backfill_runs import Carried
    from orchestration.jobs.in_process import InProcess
    from orchestration.runtime.settings import Settings

TOLD = 5  # failed drops


def add_to(app: typer.Typer) -> None:
    app.command("backfill")(backfill)


def backfill(
    drops: Annotated[
        str | None, typer.Option(metavar="A..B", help="Drops by name: A..B, A.., ..B or A,B; all by default.")
    ] = None,
    assets: Annotated[
        str | None, typer.Option(help="Assets with commas, like inference/attributes; what is published by default.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be made, and what it takes.")] = False,
    limit: Annotated[
        int | None, typer.Option(min=1, help="Most runs at once; by default as many as the queue starts.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Make what is up to date again, too.")] = False,
    cancel: Annotated[str | None, typer.Option(metavar="ID", help="End a backfill that is under way.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Make again what is missing or out of date of old drops. Exits with 1 where a drop failed."""
    from orchestration.families.settings import load_settings
    from orchestration.jobs import backfill_runs
    from orchestration.jobs.backfill import named_drops, plan_backfill
    from orchestration.runtime.instance import open_instance, refuse_empty

    settings = load_settings()
    refuse_empty(settings)
    began = time.monotonic()
    with open_instance(settings) as instance:
        graph = _graph(settings, instance)
        if cancel is not None:
            ended = backfill_runs.cancel(graph, cancel)
            when = "" if backfill_runs.daemon_runs(settings) else ", once `selvedge up` runs again"
            say(f"selvedge: backfill {cancel} is being cancelled{when}; what it has published stays.")
            _emit(as_json, None, backfill_runs.Carried((), {}, ended.backfill_id, True), "cancelled", began)
            return
        names = None if assets is None else [name.strip() for name in assets.split(",") if name.strip()]

        def plan() -> "Backfill":
            selected = None if drops is None else named_drops(instance, drops)
            return plan_backfill(graph, selected, names, everything, settings)

        if dry_run:
            _emit(as_json, plan(), backfill_runs.Carried(), "planned", began)
            return
        planned, carried = _carry_out(settings, graph, plan, limit)
    _emit(as_json, planned, carried, _status(planned, carried), began)
    if carried.failed:
        sentences = [f"{drop}: {sentence}" for drop, sentence in list(carried.failed.items())[:TOLD]]
        more = f" {len(carried.failed) - TOLD} more failed." if len(carried.failed) > TOLD else ""
        raise SelvedgeError(f"{len(carried.failed)} of {len(planned.drops)} drops failed. {' '.join(sentences)}{more}")


def _carry_out(
    settings: "Settings", graph: "InProcess", plan: "Callable[[], Backfill]", limit: int | None
) -> "tuple[Backfill, Carried]":
    from orchestration.jobs import backfill_runs
    from orchestration.jobs.backfill import INFERENCE
    from orchestration.runtime.home import held
    from orchestration.runtime.recovery import recover
    from orchestration.runtime.services import tracking_server

    with ExitStack() as stack:
        daemon = backfill_runs.daemon_runs(settings)
        if not daemon:
            stack.enter_context(held(settings, "selvedge backfill"))
            recover(graph.instance, say)
        planned = plan()
        say(planned.sentence())
        if not planned.work:
            return planned, backfill_runs.Carried()
        reporter = stack.enter_context(reporting())
        if daemon:
            backfill_id = backfill_runs.ask_daemon(graph, settings, plan, limit)
            if backfill_id is None:
                return planned, backfill_runs.Carried()
            say(f"backfill {backfill_id} is under way in Dagster.")
            return planned, backfill_runs.follow(graph, settings, backfill_id, planned.products, reporter.progress)
        wanted = {(name, drop) for drop, names in planned.work.items() for name in names}
        if (under_way := backfill_runs.claimed(graph, wanted)) is not None:
            raise SelvedgeError(
                f"backfill {under_way.backfill_id} makes these drops and goes on when `selvedge up` runs; start that, "
                f"or end the backfill by `selvedge backfill --cancel {under_way.backfill_id}`."
            )
        if any(name.startswith(f"{INFERENCE}/") for name in planned.assets):  # champions are asked of MLflow
            stack.enter_context(tracking_server(settings, say))
        return planned, backfill_runs.run_backfill(graph, planned, reporter.progress)


def _graph(settings: "Settings", instance: "dg.DagsterInstance") -> "InProcess":
    from orchestration.families import FAMILIES
    from orchestration.graph.build import build_defs
    from orchestration.jobs.in_process import InProcess

    return InProcess(build_defs(settings, FAMILIES), instance)


def _status(planned: "Backfill", carried: "Carried") -> str:
    if carried.cancelled:
        return "cancelled"
    if not planned.work:
        return "up to date"
    return "failed" if carried.failed else "made"


def _emit(as_json: bool, planned: "Backfill | None", carried: "Carried", status: str, began: float) -> None:
    values: dict[str, Any] = {
        "status": status,
        "assets": [] if planned is None else planned.assets,
        "drops": [] if planned is None else list(planned.drops),
        "products": 0 if planned is None else sum(planned.products.values()),
        "estimated_seconds": None if planned is None else planned.cost.seconds,
        "estimated_usd": None if planned is None else planned.cost.usd,
        "usd_at_most": None if planned is None else planned.cost.usd_at_most,
        "backfill": carried.backfill_id,
        "made": list(carried.made),
        "failed": dict(carried.failed),
        "seconds": time.monotonic() - began,
    }
    emit("backfill", as_json, values)
