"""`selvedge gc`: what lies in a home and nothing names any more, and removing it.

Belongs here: options, result and the lines for people. Not here: what is garbage (jobs/garbage.py), which runs are old
(jobs/old_runs.py).
"""

import time
from contextlib import ExitStack
from typing import Annotated, Any

import typer

from orchestration.cli.results import JsonFlag, emit
from orchestration.cli.terminal import say

DAYS = 90
LEAST_DAYS = 7  # `selvedge status` tells failed runs for as long
COLUMN = 38  # characters up to the end of a number
UNITS = ((1e9, "GB"), (1e6, "MB"), (1e3, "kB"))


def add_to(app: typer.Typer) -> None:
    app.command("gc")(gc)


def gc(
    delete: Annotated[bool, typer.Option("--delete", help="Remove it; without, it is only said.")] = False,
    days: Annotated[
        int, typer.Option(min=LEAST_DAYS, help="Days that finished runs, ticks and requests are kept.")
    ] = DAYS,
    as_json: JsonFlag = False,
) -> None:
    """Say what nothing names any more, and which runs are old; with --delete, free the disk of both."""
    from orchestration.assets.published import Tables
    from orchestration.assets.run_costs import RunCosts
    from orchestration.families import FAMILIES
    from orchestration.families.contract import families_of_assets
    from orchestration.families.settings import load_settings
    from orchestration.graph.build import build_defs
    from orchestration.jobs import garbage, old_runs
    from orchestration.jobs.serving import open_jobs
    from orchestration.runtime.home import held
    from orchestration.runtime.instance import open_instance, refuse_empty
    from orchestration.runtime.recovery import recover

    settings = load_settings()
    refuse_empty(settings)
    began = time.monotonic()
    before = time.time() - days * garbage.DAY_SECONDS
    with ExitStack() as stack:
        if delete:  # what a service or a run is about to name is named by nothing yet
            stack.enter_context(held(settings, "selvedge gc", frees=True))
        with open_instance(settings) as instance:
            if delete:
                recover(instance, say)
                garbage.require_quiet(instance)
            jobs = open_jobs(settings)
            unnamed = garbage.find_garbage(settings, instance, FAMILIES, days)
            definitions = build_defs(settings, FAMILIES)
            runs = old_runs.find_old_runs(settings, definitions, instance, before)
            with_events = sorted(set(old_runs.find_old_events(settings, definitions, instance, before)) - set(runs))
            values: dict[str, Any] = {
                "home": str(settings.home),
                "deleted": delete,
                "days": days,
                "garbage": [
                    {"kind": kind, "count": count, "bytes": size}
                    for kind, (count, size) in sorted(garbage.by_kind(unnamed).items())
                ],
                "runs": len(runs),
                "run_events": len(with_events),
                "ticks": old_runs.old_ticks(instance, before),
                "requests": 0 if jobs is None else jobs.old(before),
            }
            if delete and jobs is not None:  # before their files: a file that nothing names is found again
                jobs.forget(before)
            size = garbage.free(unnamed) if delete else sum(kind["bytes"] for kind in values["garbage"])
            if delete:
                whose = families_of_assets(FAMILIES)
                RunCosts(instance, Tables(root=str(settings.tables())), settings, whose).keep()
                old_runs.remove_runs(settings, instance, runs)
                size += old_runs.remove_events(settings, instance, with_events)
                old_runs.purge_ticks(instance, before)
        if delete:
            size += old_runs.compact(settings)
    values |= {"bytes": size, "seconds": time.monotonic() - began}
    emit("gc", as_json, values, _lines(values))


def _lines(values: dict[str, Any]) -> list[str]:
    kinds = [f"{kind['kind']:<30}{kind['count']:>8}{_size(kind['bytes']):>12}" for kind in values["garbage"]]
    days = values["days"]
    named = {"runs": "runs", "run_events": "step logs of runs", "ticks": "ticks", "requests": "requests"}
    aged = [(f"{name} of more than {days} days", values[key]) for key, name in named.items() if values[key]]
    old = [f"{label}{number:>{COLUMN - len(label)}}" for label, number in aged]
    if not (kinds or old):
        return [f"{values['home']} holds nothing that could go."]
    if values["deleted"]:
        return [*kinds, *old, f"{_size(values['bytes'])} were freed."]
    return [
        *kinds,
        *old,
        f"{_size(values['bytes'])}, and the space of runs and logs; `selvedge gc --delete` frees it.",
    ]


def _size(number: int) -> str:
    return next((f"{number / size:.1f} {unit}" for size, unit in UNITS if number >= size), f"{number} B")
