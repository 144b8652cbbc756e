"""`selvedge review picks`: which picture of each request people would publish.

Belongs here: options and results. Not here: the steps (labeling/review/picks/), which ads a drop has
(orchestration/jobs/picks.py), accounts (annotator_commands.py).
"""

import time
from collections import Counter
from typing import TYPE_CHECKING, Annotated, Any

import typer

from catalog.errors import SelvedgeError
from orchestration.cli.results import JsonFlag, emit
from orchestration.cli.terminal import reporting, say

if TYPE_CHECKING:
    from labeling.review.ledger.ledger import Ledger
    from labeling.review.ledger.picks import AdPick

PickRound = Annotated[
    str, typer.Argument(metavar="ROUND", help="A round of picks; `selvedge review picks status` lists them.")
]


def application() -> typer.Typer:
    """The commands of picks."""
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    for name, command in (("open", open_), ("sync", sync), ("status", status), ("vote", vote)):
        app.command(name)(command)
    return app


def open_(
    drop: Annotated[str, typer.Argument(metavar="DROP", help="A delivery whose ads were made.")],
    overlap: Annotated[int, typer.Option(min=1, help="People asked for each request.")] = 1,
    as_json: JsonFlag = False,
) -> None:
    """Ask people which picture of each request they would publish. Run again after a stop, it goes on."""
    from labeling.review.picks.opening import open_picks
    from orchestration.families.settings import load_settings
    from orchestration.jobs.picks import requests_of
    from orchestration.registry.ledger import open_ledger
    from orchestration.runtime.label_studio import connect

    began = time.monotonic()
    settings = load_settings()
    requests = requests_of(settings, drop)
    with reporting() as reporter:
        opened = open_picks(
            open_ledger(settings), connect(settings), drop, requests, overlap, progress=reporter.progress
        )
    values = {
        "round": opened.round.round_id,
        "drop": drop,
        "requests": opened.tasks,
        "link": opened.link,
        "resumed": opened.resumed,
        "seconds": time.monotonic() - began,
    }
    emit("review picks open", as_json, values)


def sync(name: PickRound, as_json: JsonFlag = False) -> None:
    """Pull the picks of a round from Label Studio: each publishes its picture, and its comment becomes an order."""
    from labeling.review.picks.pulling import sync_picks
    from orchestration.families.settings import load_settings
    from orchestration.jobs.picks import rework_order
    from orchestration.registry.ledger import open_ledger
    from orchestration.runtime.label_studio import connect

    began = time.monotonic()
    settings = load_settings()
    ledger = open_ledger(settings)
    ledger.picks.round(name)
    with reporting() as reporter:
        pulled = sync_picks(ledger, connect(settings), name, rework_order, reporter.progress)
    values = {
        "round": name,
        "new": pulled.new,
        "corrected": pulled.corrected,
        "void": list(pulled.void),
        "rework": pulled.rework,
        "published": len(_published(ledger, name)),
        "seconds": time.monotonic() - began,
    }
    emit("review picks sync", as_json, values)


def status(
    name: Annotated[str | None, typer.Argument(metavar="[ROUND]", help="One round, with what it published.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Say how rounds of picks stand at their last pull; of one, what is published and what is to be made again."""
    from orchestration.families.settings import load_settings
    from orchestration.registry.ledger import open_ledger

    ledger = open_ledger(load_settings())
    names = [ledger.picks.round(name).round_id] if name else [round_.round_id for round_ in ledger.picks.rounds()]
    if not names:
        say("there is no round of picks yet; open one with `selvedge review picks open DROP`.")
    values: dict[str, Any] = {"rounds": [_row(ledger, round_id) for round_id in names]}
    values |= {"published": _published(ledger, name), "rework": _rework(ledger, name)} if name else {
        "published": None, "rework": None
    }  # fmt: skip
    emit("review picks status", as_json, values, _lines(values))


def vote(
    name: PickRound,
    raters: Annotated[int, typer.Option(min=1, help="How many scripted annotators.")] = 1,
    as_json: JsonFlag = False,
) -> None:
    """Rehearse a round with scripted annotators, who pick without any taste. Marked simulated; nobody's preference."""
    from labeling.review.picks.blinding import public_title
    from labeling.review.picks.scripted import pick_by_script
    from labeling.review.rounds.annotators import SIMULATED_DOMAIN
    from orchestration.families.settings import load_settings
    from orchestration.registry.ledger import open_ledger
    from orchestration.runtime.label_studio import account_of, connect

    began = time.monotonic()
    settings = load_settings()
    ledger = open_ledger(settings)
    registered, server = ledger.picks.round(name), connect(settings)
    project = server.find_project(public_title(registered.key, name))
    if project is None:
        raise SelvedgeError(f"round {name} has no project; run `selvedge review picks open {registered.drop}` first.")
    names = [f"picker-{number}" for number in range(1, raters + 1)]
    accounts = {rater: account_of(settings, server, f"{rater}@{SIMULATED_DOMAIN}") for rater in names}
    picks = pick_by_script(accounts, ledger, name, project)
    values = {"round": name, "picks": picks, "simulated": True, "seconds": time.monotonic() - began}
    emit("review picks vote", as_json, values)


def _row(ledger: "Ledger", round_id: str) -> dict[str, Any]:
    """One round in figures; people's answers beside scripted annotators', never together."""
    picks = _counted(ledger, round_id)
    answered = {pick.pick.task_key for pick in picks}
    kinds = Counter("simulated" if pick.judgement.simulated else "people" for pick in picks)
    return {
        "round": round_id,
        "drop": ledger.picks.round(round_id).drop,
        "requests": len(ledger.picks.tasks(round_id)),
        "answered": len(answered),
        "picks": kinds["people"],
        "simulated": kinds["simulated"],
        "none_of_these": sum(pick.judgement.picked_sha256 is None for pick in picks if not pick.judgement.simulated),
    }


def _lines(values: dict[str, Any]) -> list[str]:
    """The status for people: a line a round, then what is published, then what is to be made again."""
    lines = [
        "{round}: {answered} of {requests} requests answered; {picks} answers of people, of which {none_of_these} "
        "none of these; {simulated} simulated".format(**row)
        for row in values["rounds"]
    ]
    for row in values["published"] or ():
        whose = "scripted annotators (SIMULATED)" if row["simulated"] else "people"
        lines.append(f"published  {row['product'] or row['request']}  by {whose}: {row['picks']}  {row['picture']}")
    for row in values["rework"] or ():
        comment, sentence = " ".join(row["comment"].split()), row["sentence"]
        lines.append(f"rework     {row['product'] or row['request']}  “{comment}”: {sentence}")
    return lines


def _published(ledger: "Ledger", round_id: str) -> list[dict[str, Any]]:
    from labeling.review.picks.pulling import published

    return [
        {
            "request": picked.request,
            "product": picked.product_id,
            "picture": picked.picture.uri,
            "sha256": picked.picture.sha256,
            "picks": picked.picks,
            "simulated": picked.simulated,
        }
        for picked in published(ledger.picks.tasks(round_id), ledger.picks.picks(round_id))
    ]


def _rework(ledger: "Ledger", round_id: str) -> list[dict[str, Any]]:
    tasks = ledger.picks.tasks(round_id)
    return [
        {
            "request": tasks[pick.pick.task_key].request,
            "product": tasks[pick.pick.task_key].product_id,
            "comment": pick.pick.comment,
            **pick.judgement.rework,
            "simulated": pick.judgement.simulated,
        }
        for pick in _counted(ledger, round_id)
        if pick.judgement.rework is not None
    ]


def _counted(ledger: "Ledger", round_id: str) -> "list[AdPick]":
    from labeling.review.picks.pulling import last_picks

    return last_picks(ledger.picks.picks(round_id))
