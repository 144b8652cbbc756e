"""One step of a round's life as a process of its own, which ends itself with SIGKILL at a chosen moment.

Belongs here: the steps, and the moments at which they can end. Not here: starting it (forked.py), what must be true
afterwards (test_round_killed.py).

Steps: `open`, `sync` and `close` are the commands of these names, `close` with the report behind it; `judge` is what
the graph does when votes arrive. Only the two models are made up: what they say of the products is drawn.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

import httpx
from sqlalchemy import Engine, event

from catalog import tables
from labeling.review.label_studio import LabelStudio, tasks
from labeling.review.ledger.ledger import Ledger
from labeling.review.pairs.kinds import AttributeCards
from labeling.review.rounds import opening, registration
from labeling.review.rounds.judging import judge_if_decided
from labeling.review.rounds.report import write_round_report
from orchestration.cli import review_commands
from orchestration.cli.main import run
from orchestration.families.blip2_attributes.contest import AnswerContest
from orchestration.families.settings import load_settings
from orchestration.registry.ledger import open_ledger
from orchestration.runtime.label_studio import connect
from tests.labeling.review import rounds_for_tests as drawn
from tests.orchestration.drawn_round import compared

FAMILY, CANDIDATE = drawn.plan().family, drawn.plan().candidate
ROUND = f"{CANDIDATE}-r1"
ITEMS, OVERLAP, PRODUCTS = 20, 5, 40
TASKS = ITEMS + 2 + 1 + 1  # two gold pairs, an identical one and a repeat
BATCH = PAGE = 8  # three batches up, three pages down

# Where a step ends: (what is wrapped, its name, before or after the call, the how manieth call).
CALLS: dict[str, tuple[Any, str, bool, int]] = {
    "compared": (registration, "register_round", True, 1),
    "registered": (Ledger, "open_round", False, 1),
    "keeping": (tables, "write_table", False, 3),
    "kept": (opening, "keep", False, 1),
    "project made": (LabelStudio, "create_project", False, 1),
    "bound": (Ledger, "bind_project", False, 1),
    "uploading": (tasks.Tasks, "_bring_batch", False, 1),
    "uploaded": (LabelStudio, "import_tasks", False, 1),
    "fetching": (tasks.Tasks, "page", False, 2),
    "fetched": (LabelStudio, "pull_annotations", False, 1),
    "stored": (Ledger, "store_pull", False, 1),
    "decided": (Ledger, "close_round", True, 1),
    "closed": (Ledger, "close_round", False, 1),
    "excluded": (Ledger, "exclude", False, 1),
    "judged": (Ledger, "record_verdict", False, 1),
    "reporting": (tables, "publish_bytes", True, 1),
}
# Inside a transaction: after this statement, before the commit.
STATEMENTS = {
    "making the ledger": "CREATE TABLE pairs",
    "registering": "INSERT INTO pairs",
    "storing the pull": "INSERT INTO pulls",
    "storing its ballots": "INSERT INTO ballots",
    "closing": "INSERT INTO round_events",
    "excluding": "INSERT INTO exclusions",
    "judging": "INSERT INTO verdicts",
}
# A request is sent, and its answer never read.
REQUESTS = {"project asked for": "/api/projects/", "batch sent": "/import"}


def main(home: str, port: str, step: str, moment: str = "") -> None:
    """Take the step; its result is one line of JSON on stdout."""
    os.environ |= {"SELVEDGE_HOME": home, "SELVEDGE_LABEL_STUDIO_PORT": port}
    tasks.BATCH_TASKS, tasks.PAGE_TASKS = BATCH, PAGE
    AnswerContest.compare = lambda *_: compared(Path(home) / "pictures", products=PRODUCTS)
    review_commands.registered_contest = lambda *_: contest()
    if moment:
        arm(moment)
    sys.exit(STEPS[step]())


def contest() -> AnswerContest:
    """Two versions whose answers nobody asks for."""
    versions = ("4", "champion", "3")
    return AnswerContest(FAMILY, CANDIDATE, *versions, None, drawn.schema(), none_needed, none_needed)  # type: ignore[arg-type]


def none_needed() -> NoReturn:
    raise AssertionError("what the models say is drawn")


def open_() -> int:
    numbers = ("--items", str(ITEMS), "--overlap", str(OVERLAP))
    return run(["review", "open", FAMILY, CANDIDATE, *numbers, "--json"])


def sync() -> int:
    return run(["review", "sync", ROUND, "--json"])


def close() -> int:
    return run(["review", "close", ROUND, "--undecided", "--json"]) or run(["review", "report", ROUND, "--json"])


def judge() -> int:
    settings = load_settings()
    ledger = open_ledger(settings)
    found = judge_if_decided(settings.rounds(), ledger, lambda: connect(settings), ROUND)
    assert found.verdict is not None
    write_round_report(settings.rounds(), ledger, ROUND, settings.round_report(ROUND), [AttributeCards()])
    print(json.dumps({"outcome": found.verdict.outcome}))
    return 0


STEPS: dict[str, Callable[[], int]] = {"open": open_, "sync": sync, "close": close, "judge": judge}


def arm(moment: str) -> None:
    """Let the process end at this moment, by a signal that nothing in it can see coming."""
    if moment in STATEMENTS:
        event.listen(Engine, "after_cursor_execute", _ending_after(STATEMENTS[moment]))
    elif moment in REQUESTS:
        httpx.Client.send = _ending_when_sent(httpx.Client.send, REQUESTS[moment])  # type: ignore[method-assign]
    else:
        owner, name, before, number = CALLS[moment]
        setattr(owner, name, _ending(getattr(owner, name), before, number))


def end() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _ending(function: Callable[..., Any], before: bool, number: int) -> Callable[..., Any]:
    calls = 0

    def wrapped(*arguments: Any, **named: Any) -> Any:
        nonlocal calls
        calls += 1
        if before and calls == number:
            end()
        result = function(*arguments, **named)
        if not before and calls == number:
            end()
        return result

    return wrapped


def _ending_after(statement: str) -> Callable[..., None]:
    def executed(connection: Any, cursor: Any, text: str, *_: Any) -> None:
        if " ".join(text.split()).startswith(statement):
            end()

    return executed


def _ending_when_sent(send: Callable[..., Any], ending: str) -> Callable[..., Any]:
    def sent(self: httpx.Client, request: httpx.Request, **settings: Any) -> Any:
        if request.method != "POST" or not request.url.path.endswith(ending):
            return send(self, request, **settings)
        limits = {**request.extensions["timeout"], "read": 0.001}  # the request goes out whole before this is up
        request.extensions = {**request.extensions, "timeout": limits}
        try:
            send(self, request, **settings)
        except httpx.ReadTimeout:
            end()
        raise AssertionError("the server answered within a millisecond")

    return sent
