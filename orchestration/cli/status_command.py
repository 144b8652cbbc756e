"""`selvedge status`: how a home is, in six lines and what is amiss.

Belongs here: options, result and the lines for people. Not here: where each part is recorded (report/state.py).
"""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration import families
from orchestration.cli.results import JsonFlag, emit
from orchestration.cli.terminal import say

if TYPE_CHECKING:
    from orchestration.runtime.settings import Settings

FOLDERS_TOLD = 3
A_DAY = 86400.0  # seconds in which a restart of a service is told
TOLD = 5  # drops and runs that are amiss; --verbose shows all
WORDS = 160  # characters of a sentence from elsewhere


def add_to(app: typer.Typer) -> None:
    app.command("status")(status)


def status(
    verbose: Annotated[
        bool, typer.Option("--verbose", help="Every key of the result: tables, hashes, reasons, folders.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Say which services run, who is champion, how the drops are and what is amiss."""
    from orchestration.families.settings import load_settings
    from orchestration.report import state
    from orchestration.runtime.services import links, restarted

    settings = load_settings()
    changed = state.ledger_warnings(settings)
    states, repairs, without = state.champions(settings, [family.name for family in families.FAMILIES])
    if without:
        say(f"selvedge: {without}{' The champions are those of the ledger.' if states else ''}")
    drops, runs, timed, doubts = _dagster(settings)
    values = {
        "home": str(settings.home),
        "services": [asdict(link) for link in links(settings)],
        "families": states,
        "rounds": state.open_rounds(settings),
        "drops": drops,
        "retraining": _retraining(settings),
        "failed_runs": runs,
        "schedules": timed,
        "disk": state.disk(settings.home),
        "tables": _tables(settings),
        "warnings": list(dict.fromkeys([*changed, *repairs, *restarted(settings, time.time() - A_DAY), *doubts])),
    }
    emit("status", as_json, values, None if verbose else glance(values))


def glance(values: Mapping[str, Any]) -> list[str]:
    """Six lines, one for every family that was trained, and one for everything that is amiss."""
    from orchestration.report.state import unexplained

    size = sum(values["disk"].values())
    folders = ", ".join(f"{name} {_size(number)}" for name, number in list(values["disk"].items())[:FOLDERS_TOLD])
    read = Counter(drop["state"] for drop in values["drops"])
    lines = [
        f"home       {values['home']}  {_size(size)}{f' ({folders})' if folders else ''}",
        f"services   {'; '.join(_service(service) for service in values['services'])}",
        f"champions  {'; '.join(_champion(*family) for family in (values['families'] or {}).items()) or 'none'}",
        f"rounds     {'; '.join(_round(round_) for round_ in values['rounds']) or 'none open'}",
        f"drops      {', '.join(f'{number} {state}' for state, number in read.items()) or 'none'}",
        f"schedules  {_schedules(values['schedules'])}",
    ]
    lines += [_retrained(family, decided) for family, decided in values["retraining"].items()]
    amiss = [f"drop {drop['drop']} {drop['state']}: {drop['sentence']}" for drop in values["drops"] if drop["sentence"]]
    amiss += [
        f"run {run['run'][:8]} failed, {', '.join(run['assets'])}{_of(run['partition'])}: {_short(run['sentence'])}"
        for run in unexplained(values["failed_runs"], values["drops"])
    ]
    more = [f"{len(amiss) - TOLD} more are amiss; `selvedge status --verbose` shows all."] if len(amiss) > TOLD else []
    return [*lines, *amiss[:TOLD], *more, *(f"warning    {sentence}" for sentence in values["warnings"])]


def _dagster(
    settings: "Settings",
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]], list[str]]:
    """Drops, failed runs, schedules and warnings, as Dagster's database has them; a home without one has schedules."""
    from orchestration.report import state

    inbox = settings.inbox_folder
    if not (settings.dagster_home / "dagster.yaml").exists() and (inbox is None or not inbox.is_dir()):
        return [], [], state.schedules(settings, families.FAMILIES), []
    from orchestration.assets.failed_runs import failed_runs
    from orchestration.runtime.instance import open_instance

    with open_instance(settings) as instance:
        return (
            state.drops(settings, instance),
            failed_runs(instance),
            state.schedules(settings, families.FAMILIES, instance),
            [*state.catalogue_warnings(instance), *state.candidates_without_a_round(instance, families.FAMILIES)],
        )


def _retraining(settings: "Settings") -> dict[str, Any]:
    """By family that was trained here: whether the policy would train it again, and why."""
    if not (settings.dagster_home / "dagster.yaml").exists():
        return {}
    from orchestration.report import state
    from orchestration.runtime.instance import open_instance

    with open_instance(settings) as instance:
        return state.retraining(settings, instance, families.FAMILIES)


def _tables(settings: "Settings") -> dict[str, int]:
    """Files of every published table, by `stage/name`."""
    root = settings.tables()
    counts: dict[str, int] = {}
    for file in sorted(root.rglob("*.parquet"), key=str) if root.exists() else ():
        parts = file.relative_to(root).parts
        name = "/".join(parts[:2]).removesuffix(".parquet")
        counts[name] = counts.get(name, 0) + 1
    return counts


def _service(service: Mapping[str, Any]) -> str:
    return f"{service['name']} {service['state']}{' ' + service['url'] if _reachable(service) else ''}"


def _reachable(service: Mapping[str, Any]) -> bool:
    return bool(service["url"]) and service["state"] in ("running", "elsewhere")


def _champion(family: str, state: Mapping[str, Any]) -> str:
    version, record = state["aliases"].get("champion"), state["promotion"]
    if version is None:
        return f"{family} none"
    since = f" since {record['at'][:10]}" if record is not None and record["version"] == version else ""
    stamp = " SIMULATED" if record is not None and record["simulated"] else ""
    return f"{family} version {version}{since}{stamp}"


def _round(round_: Mapping[str, Any]) -> str:
    return f"{round_['round']} open, {round_['ballots']} ballots"


def _schedules(schedules: Sequence[Mapping[str, Any]]) -> str:
    """Those that are on, the next to fire first, with their time; how many are off, and which by hand."""
    on = sorted((entry for entry in schedules if entry["next"]), key=lambda entry: _moment(entry).timestamp())
    by_hand = [entry["schedule"] for entry in schedules if entry["state"] == "off by hand"]
    named = [f"{entry['schedule']} {_moment(entry):%a %d %b %H:%M}" for entry in on]
    named += [f"{name} off by hand" for name in by_hand]
    off = len(schedules) - len(named)
    zones = {entry["time_zone"] for entry in on}
    return f"{'; '.join([*named, *([f'{off} off'] if off else [])])}{''.join(f' ({zone})' for zone in zones)}"


def _moment(schedule: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(schedule["next"])


def _retrained(family: str, decided: Mapping[str, Any]) -> str:
    switch = "on" if decided["on"] else "off"
    answer = "due" if decided["retrain"] else "not due"
    return f"retraining {family} {answer} ({switch}): {_short(decided['reason'])}"


def _of(partition: str | None) -> str:
    return f" of {partition}" if partition else ""


def _short(sentence: str) -> str:
    return sentence if len(sentence) <= WORDS else f"{sentence[: WORDS - 1].rstrip()}…"


def _size(number: float) -> str:
    for unit in ("bytes", "KB", "MB"):
        if number < 1000:
            return f"{number:.0f} {unit}"
        number /= 1000
    return f"{number:.1f} GB"
