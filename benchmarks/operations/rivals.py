"""Two at once over one home: two daemons, two backfills of the same drops, two moves of the champion; one wins each.

Belongs here: starting both at the same moment, as two operators would, and what the other one is told. Not here: the
locks (infra/local/lock.py, orchestration/registry/), which tests hold one by one.

daemons      two `selvedge up` on a home at rest: one runs, the other is refused with who holds it
backfills    two `selvedge backfill` for the same drops: one backfill, which both follow, one run a drop; a third for a
             part of them besides other assets is refused by name
rollbacks    two `selvedge rollback` of the second champion: one moves it, the other is told why it does not
commands     a backfill in its own process beside another one, with nothing running: refused with who holds the home

Run: `python -m benchmarks.operations rivals` (12 drops of 20 products); `--small`: 3.
"""

import argparse
import json
import os
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.operations import kills, shop
from orchestration.runtime.settings import Settings

FAMILY = "blip2-attributes"


def at_once(settings: Settings, *commands: Sequence[str]) -> list[dict[str, Any]]:
    """Give commands at the same moment; of each its code, its JSON (or None) and the last line that it told."""
    started = [
        subprocess.Popen(
            [*shop.COMMAND, *command, "--json"],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=shop.ROOT,
            env=shop.variables_of(settings),
        )
        for command in commands
    ]
    answers = []
    for process in started:
        out, told = process.communicate(timeout=1800)
        answers.append(
            {
                "code": process.returncode,
                "result": json.loads(out) if out.strip() else None,
                "told": (told.strip().splitlines() or [""])[-1],
                "traceback": "Traceback" in told,
            }
        )
    return answers


def two_daemons(settings: Settings, folder: Path) -> dict[str, Any]:
    """Start `up` twice at the same moment; which of them run, and what the others said."""
    started = []
    for number in range(2):
        with (folder / f"rival{number}.log").open("w") as told:
            started.append(
                subprocess.Popen(
                    [*shop.COMMAND, "up", "--json"],
                    stdout=subprocess.PIPE,
                    stderr=told,
                    text=True,
                    cwd=shop.ROOT,
                    env=shop.variables_of(settings),
                )
            )
    while all(process.poll() is None for process in started):
        time.sleep(0.5)
    loser = next(number for number, process in enumerate(started) if process.poll() is not None)
    winner = started[1 - loser]
    assert winner.stdout is not None
    runs = bool(winner.stdout.readline())
    winner.terminate()
    winner.wait(timeout=shop.START_SECONDS)
    told = (folder / f"rival{loser}.log").read_text().strip().splitlines()
    return {"winner ran": runs, "code of the other": started[loser].returncode, "told": told[-1] if told else ""}


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.operations rivals")
    parser.add_argument("--drops", type=int, default=12)
    parser.add_argument("--products", type=int, default=20)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args(arguments)
    drops = 3 if options.small else options.drops
    folder = shop.folder_of("rivals", options.folder)
    os.environ |= {"OMP_NUM_THREADS": "1"}
    settings = shop.settings_of(folder)
    names = kills.prepare(settings, folder, drops, options.products)
    found: dict[str, Any] = {"daemons": two_daemons(settings, folder)}
    print(json.dumps(found), flush=True)

    began = time.time()
    some = ("backfill", "--drops", ",".join(names[:-1]), "--assets", "inference/attributes,inference/descriptions")
    part = ("backfill", "--drops", names[0], "--assets", "catalog/images,inference/attributes", "--all")
    with shop.running(settings, folder):
        first, second, third = at_once(settings, some, some, part)
        ours, _ = kills.runs_since(settings, began)
        found["backfills"] = {
            "ids": sorted({str(answer["result"]["backfill"]) for answer in (first, second) if answer["result"]}),
            "codes": [answer["code"] for answer in (first, second, third)],
            "told": [answer["told"] for answer in (first, second, third)],
            "runs": dict(ours),
            "drops": len(names) - 1,
        }
        print(json.dumps(found["backfills"]), flush=True)
        back = ("rollback", FAMILY, "--reason", "both saw it")
        answers = at_once(settings, back, back)
        found["rollbacks"] = [{key: answer[key] for key in ("code", "told", "traceback")} for answer in answers]
        print(json.dumps(found["rollbacks"]), flush=True)
    every = ("backfill", "--all", "--drops", names[-1])
    answers = at_once(settings, every, every)
    found["commands"] = [{key: answer[key] for key in ("code", "told", "traceback")} for answer in answers]
    shop.emit("rivals", **found, faults=kills.faults(settings, names))
