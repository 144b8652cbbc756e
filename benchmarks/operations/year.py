"""Twelve months alone: a drop a day, weekly training, changed drops from month 5, a bad drop a month; what is left.

Belongs here: the year, day by day. Not here: the clock (clock.py), Label Studio on paper (paper_studio.py), what must
be true in the end (year_findings.py), a daemon over what a year leaves (daemon.py).

Everything runs in this process, on a clock that is moved from one event to the next: the real sensors, schedules and
conditions of the whole graph, on a real instance (SQLite), a real MLflow, the real ledger. Left out of the real thing:
Dagster's queue and its processes (a run costs half a second here, ten there), Label Studio (rounds are the real ones;
what a server would hold is held in memory), and ticks of sensors that have nothing to look at: they are asked when
something happened. The model is of noise and trained in a second; its gate lets it pass, people's votes decide.

Run: `python -m benchmarks.operations year [--days N] [--products N] [--folder DIR] [--save docs] [--small]`. Two hours.
"""

import argparse
import json
import re
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
from pydantic import SecretStr

from benchmarks.operations import shop
from benchmarks.operations.clock import Clock, under_a_clock
from benchmarks.operations.families import save_quick_base, save_quick_settings
from benchmarks.operations.paper_studio import PaperDesk
from benchmarks.operations.year_findings import ASKED_BY, Explained, figure_of, findings, lines_of
from catalog.errors import SelvedgeError
from evaluation.gate import GateRule
from orchestration.families import FAMILIES
from orchestration.families.blip2_attributes.declaration import BLIP2_ATTRIBUTES
from orchestration.jobs.in_process import InProcess, Request
from orchestration.runtime.dagster_private import next_tick
from orchestration.runtime.settings import LOCAL, Settings

STOCK, FIRST_ID = 420, 200_001
SATURDAY = 5  # the first day: the stock arrives, and is learnt from the night after
CHANGE_MONTH, DAYS_A_MONTH = 5, 30
DAYS_KEPT = 90  # `selvedge gc`
REPORT_HOUR, BAD_DAY = 7, 9
PARTS = ("dagster", "mlflow", "tables", "objects", "features", "inbox", "reports")


def lenient(settings: Settings) -> GateRule:
    """Noise passes on its scores; people's word is asked for as ever."""
    return replace(BLIP2_ATTRIBUTES.rule(settings), delta=1.0, minimum_gain=-1.0, clear_gain=False, beats=())


JUDGED = replace(BLIP2_ATTRIBUTES, rule=lenient)
# Others that learn from drops are left out: each of their trainings takes minutes.
YEAR_FAMILIES = (JUDGED, *(family for family in FAMILIES if not family.learns_from_drops))


class Hook(ThreadingHTTPServer):
    """A webhook of this machine. posted: what was sent to it."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Taking)
        self.posted: list[dict[str, Any]] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook"


class _Taking(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        server: Any = self.server
        server.posted.append({"at": time.time(), **json.loads(body)})
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *arguments: Any) -> None:
        """Nothing is told."""


@dataclass(frozen=True)
class Plan:
    """How long, and what happens.

    Attributes:
        products: of a daily drop. changed_day: from which on drops are other ones. false_alarms: the stated rate.
        clean: run `gc` each month.
    """

    days: int = 360
    products: int = 8
    changed_day: int = DAYS_A_MONTH * (CHANGE_MONTH - 1)
    false_alarms: float = 0.05
    clean: bool = True


# Two weeks; at this rate of false alarms seven earlier drops are enough to judge one.
SMALL = Plan(days=14, changed_day=11, false_alarms=0.125)


@dataclass
class Year:
    """The year as it went.

    Attributes:
        bad, mended: drops. months: sizes in bytes and counts at the end of each. freed: by `gc`, so far.
    """

    first: datetime
    bad: list[str] = field(default_factory=list)
    mended: list[str] = field(default_factory=list)
    months: list[dict[str, Any]] = field(default_factory=list)
    freed: int = 0
    days: int = 0
    settle_seconds: list[float] = field(default_factory=list)


@dataclass
class Alone(InProcess):
    """The graph with nobody looking: a failed run is left as it is, and every run says who asked for it."""

    failures: int = 0

    def run(self, keys: Any, partition: Any = None, run_config: Any = None, tags: Any = None) -> None:
        try:
            super().run(keys, partition, run_config, tags)
        except SelvedgeError as error:
            self.failures += 1
            print(f"{datetime.now(UTC):%Y-%m-%d %H:%M} failed: {error}", file=sys.stderr, flush=True)

    def _sensor(self, sensor: dg.SensorDefinition) -> list[Request]:
        return [_asked(request, sensor.name) for request in super()._sensor(sensor)]

    def _conditions(self, sensor: dg.AutomationConditionSensorDefinition) -> list[Request]:
        return [_asked(request, sensor.name) for request in super()._conditions(sensor)]

    def tick(self, schedule: dg.ScheduleDefinition, moment: datetime) -> str:
        """One tick of a schedule, and the runs that it asks for; what it says where it asks for none."""
        needed = {name: self._resources[name] for name in schedule.required_resource_keys}
        with dg.build_schedule_context(
            instance=self.instance, repository_def=self._repository, resources=needed, scheduled_execution_time=moment
        ) as context:
            evaluated = schedule.evaluate_tick(context)
        for request in evaluated.run_requests or ():
            by = {**{k: v for k, v in request.tags.items() if k.startswith("selvedge/")}, ASKED_BY: schedule.name}
            if request.asset_selection:
                self.run(request.asset_selection, request.partition_key, tags=by)
            else:
                self._run_job(str(schedule.job_name), by)
        return evaluated.skip_message or f"{len(evaluated.run_requests or ())} runs"

    def _run_job(self, name: str, tags: dict[str, str]) -> None:
        quiet = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
        self.definitions.resolve_job_def(name).execute_in_process(
            instance=self.instance, tags=tags, run_config=quiet, raise_on_error=False
        )


def _asked(request: Request, by: str) -> Request:
    selection, partition, tags = request
    return selection, partition, {**tags, ASKED_BY: by}


class Shop:
    """A shop in a simulated year."""

    def __init__(self, graph: Alone, desk: PaperDesk, settings: Settings, clock: Clock, plan: Plan) -> None:
        self.graph, self.desk, self.settings, self.clock, self.plan = graph, desk, settings, clock, plan
        self.year = Year(datetime.now(UTC))
        repository = graph.definitions.get_repository_def()
        self._schedules = [s for s in repository.schedule_defs if s.default_status.value == "RUNNING"]
        self.ticks: dict[str, dict[str, int]] = {}
        self.explained = Explained()
        self.changed_from = f"{self.year.first + timedelta(days=plan.changed_day):%Y-%m-%d}"

    def live(self, day: int) -> None:
        """From midnight to midnight."""
        failures = self.graph.failures
        self._go_to(9)
        self._deliver(day)
        self._settle()
        if self.graph.failures > failures:
            self.clock.set(datetime.now(UTC) + timedelta(minutes=2))
            self._settle()  # alerts are told a minute later
        self._go_to(12)
        self._mend(day)
        self._go_to(15)
        self._vote()
        self._go_to(24)
        self.year.days = day + 1

    def _go_to(self, hour: int) -> None:
        """Move the clock to an hour of today, stopping at every tick of a schedule."""
        midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        until = midnight + timedelta(hours=hour)
        while True:
            due = self._next_ticks()
            moment = min(due)
            if moment > until:
                break
            self.clock.set(moment.astimezone(UTC) + timedelta(seconds=1))
            asked = [self._tick(schedule, moment) for schedule in due[moment]]
            if any(asked) and moment.hour != REPORT_HOUR:  # nothing follows a report
                self._settle()
        if until > datetime.now(UTC):
            self.clock.set(until)

    def _next_ticks(self) -> dict[datetime, list[dg.ScheduleDefinition]]:
        now, due = datetime.now(UTC), dict[datetime, list[dg.ScheduleDefinition]]()
        for schedule in self._schedules:
            moment = next_tick(str(schedule.cron_schedule), str(schedule.execution_timezone), now)
            if moment is not None:
                due.setdefault(moment, []).append(schedule)
        return due

    def _tick(self, schedule: dg.ScheduleDefinition, moment: datetime) -> bool:
        """Did it ask for a run?"""
        said = self.graph.tick(schedule, moment)
        asked = said.endswith(" runs")
        kind = "asked" if asked else re.sub(r"\d[\w-]*", "…", said.partition(":")[0])[:70]
        counted = self.ticks.setdefault(schedule.name, {})
        counted[kind] = counted.get(kind, 0) + 1
        return asked

    def _settle(self) -> None:
        began = time.monotonic()
        self.graph.settle()
        self.year.settle_seconds.append(time.monotonic() - began)

    def _deliver(self, day: int) -> None:
        """A folder with a manifest is put into the inbox; from month 5 on the drops are other ones."""
        from catalog.drawn import draw_catalogue

        name = f"{datetime.now(UTC):%Y-%m-%d}"
        changed = day >= self.plan.changed_day
        part, folder = self.settings.inbox / f".{name}", self.settings.inbox / name
        number = STOCK if day == 0 else self.plan.products
        draw_catalogue(
            part, number, 11 + day, size=shop.PICTURE_SIDE, workers=1, first_id=FIRST_ID + 1000 * day,
            style="atelier" if changed else "studio", articles=("Dresses", "Skirts") if changed else (),
        )  # fmt: skip
        if day % DAYS_A_MONTH == BAD_DAY:
            (part / "right.csv").write_bytes((part / "styles.csv").read_bytes())
            (part / "styles.csv").write_text("wrong;header\n")
            self.year.bad.append(name)
        part.rename(folder)
        _manifest(folder)

    def _mend(self, day: int) -> None:
        yesterday = f"{datetime.now(UTC) - timedelta(days=1):%Y-%m-%d}"
        if yesterday in self.year.bad and yesterday not in self.year.mended:
            folder = self.settings.inbox / yesterday
            (folder / "right.csv").rename(folder / "styles.csv")
            _manifest(folder)
            self.year.mended.append(yesterday)
            self._settle()

    def _vote(self) -> None:
        """Three of four candidates are what people prefer."""
        from labeling.review.rounds.annotators import ScriptedAnnotator

        liked = len(self.desk.ledger().rounds()) % 4 != 0
        people = [
            ScriptedAnnotator(name, 7, preference=0.97 if liked else 0.1, ties=0.02)
            for name in ("ada", "ben", "cleo", "dan", "eva")
        ]
        if self.desk.vote(people):
            self._settle()

    def end_month(self) -> None:
        """The sizes, `gc` by its policy, and the sizes after it."""
        from orchestration.jobs import garbage, old_runs

        self.explained.look(self.graph.instance, self.graph.definitions)
        before = self._sizes()
        instance, now = self.graph.instance, time.time()
        moment = now - DAYS_KEPT * 86400
        removed = {"garbage": 0, "runs": 0}
        if self.plan.clean:
            unnamed = garbage.find_garbage(self.settings, instance, YEAR_FAMILIES, DAYS_KEPT)
            runs = old_runs.find_old_runs(self.settings, self.graph.definitions, instance, moment)
            with_events = set(old_runs.find_old_events(self.settings, self.graph.definitions, instance, moment))
            removed = {"garbage": len(unnamed), "runs": len(runs)}
            garbage.free(unnamed)
            old_runs.remove_runs(self.settings, instance, runs)
            old_runs.remove_events(self.settings, instance, sorted(with_events - set(runs)))
            old_runs.purge_ticks(instance, moment)
            old_runs.compact(self.settings)
        after = self._sizes()
        self.year.freed += before["all"] - after["all"]
        recent = self.year.settle_seconds[-100:]
        self.year.months.append(
            {
                "month": len(self.year.months) + 1, "before": before, "after": after, "freed": self.year.freed,
                **removed, "runs_kept": instance.get_runs_count(), "settle_seconds": sum(recent) / max(1, len(recent)),
            }
        )  # fmt: skip
        print(json.dumps(self.year.months[-1]), file=sys.stderr, flush=True)

    def _sizes(self) -> dict[str, int]:
        sizes = {part: _size(self.settings.home / part) for part in PARTS}
        return {**sizes, "all": _size(self.settings.home)}


def _manifest(folder: Path) -> None:
    """What makes a drop complete at once; renamed into its place."""
    files = {
        str(path.relative_to(folder)): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "manifest.json"
    }
    part = folder.with_name(f".{folder.name}.manifest")
    part.write_text(json.dumps({"files": files}))
    part.replace(folder / "manifest.json")


def _size(folder: Path) -> int:
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file()) if folder.exists() else 0


def settings_of(folder: Path, hook: Hook, plan: Plan) -> Settings:
    """Schedules on, retraining by the policy on, rounds of 20 products, alerts to the hook."""
    base = folder / "base"
    save_quick_settings(folder / "settings.yaml", base if base.exists() else save_quick_base(base), 12)
    return shop.settings_of(
        folder, label_studio=LOCAL, review_items=20, simulated_ballots=True, retrain=True, retrain_products=0,
        schedule_retraining="on", schedule_evaluation="on", alert_webhook=SecretStr(hook.address),
        drift_false_alarms=plan.false_alarms,
    )  # fmt: skip


def run(folder: Path, plan: Plan) -> dict[str, Any]:
    """The year, and what it left; what each month left is written beside the home."""
    from orchestration.graph.build import build_defs
    from orchestration.runtime.instance import open_instance
    from orchestration.runtime.services import tracking_server
    from training.reporting import Silent

    clock, hook = under_a_clock(folder), Hook()
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    clock.set(tomorrow + timedelta(days=(SATURDAY - tomorrow.weekday()) % 7))
    settings = settings_of(folder, hook, plan)
    settings.inbox.mkdir(parents=True, exist_ok=True)
    with tracking_server(settings), open_instance(settings) as instance:
        desk = PaperDesk(settings)
        graph = Alone(build_defs(settings, YEAR_FAMILIES, {"progress": Silent(), "reviews": desk}), instance)
        shopped, began, left = Shop(graph, desk, settings, clock, plan), time.monotonic(), dict[str, Any]()
        for day in range(plan.days):
            shopped.live(day)
            if (day + 1) % DAYS_A_MONTH == 0 or day + 1 == plan.days:
                shopped.end_month()
                left = findings(shopped, hook.posted, YEAR_FAMILIES, final=day + 1 == plan.days)
                left["wall_seconds"] = time.monotonic() - began
                (folder / "findings.json").write_text(json.dumps(left, indent=1, default=str))
            print(f"day {day + 1}: {time.monotonic() - began:.0f} s", file=sys.stderr, flush=True)
        return left


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="year", description=__doc__)
    parser.add_argument("--days", type=int, default=Plan.days, help="of thirty to a month")
    parser.add_argument("--products", type=int, default=Plan.products, help="of a daily drop")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--save", type=Path, help="folder of the manual, for images/year.png")
    parser.add_argument("--small", action="store_true", help="two weeks")
    options = parser.parse_args(arguments)
    folder = shop.folder_of("year", options.folder, begun=("clock",))  # this process starts again under its clock
    left = run(folder, SMALL if options.small else Plan(options.days, options.products))
    if options.save:
        (options.save / "images" / "year.png").write_bytes(figure_of(left))
    print("\n".join(lines_of(left)))
    shop.emit("year", **{name: value for name, value in left.items() if name != "months"})
    if left["wrong"]:
        raise SystemExit(1)
