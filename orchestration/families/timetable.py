"""Timetable: what runs by itself at a time, and when; read from the settings.

Belongs here: the schedules there are, what a setting of one may say, the next tick. Not here: what a tick does
(orchestration/defs/operations/, orchestration/graph/).

A setting is refused before anything starts: a schedule that never fires looks like one that has nothing to do.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from catalog.errors import SelvedgeError
from orchestration.families.contract import Family
from orchestration.runtime.operator_settings import OFF, ON, OperatorSettings

NIGHTLY, WEEKLY, MONTHLY, DAILY = "0 2 * * *", "0 3 * * 0", "0 4 1 * *", "0 7 * * *"
INFERENCE, REPORT = "nightly_inference", "daily_report"
PUBLISHES = (
    "Publishes every drop that is read and not published yet; one whose run failed for good only when what it is made "
    "from was made anew."
)
TRAINS = "anything is new since its last training and none is under way."
OF_A_FAMILY = re.compile(r"([A-Za-z][\w-]*)(?:\s+(.*))?")  # a cron expression begins with a digit, * or @


@dataclass(frozen=True)
class Scheduled:
    """One schedule.

    Attributes:
        name: in Dagster. cron: five fields. on: does it run unless somebody stops it? what: it does, as one sentence.
        family: whose it is; "" for all.
    """

    name: str
    cron: str
    on: bool
    time_zone: str
    what: str
    family: str = ""

    def declared(self) -> dict[str, Any]:
        """What Dagster is told of it, as arguments of any kind of schedule."""
        import dagster as dg

        return {
            "name": self.name,
            "cron_schedule": self.cron,
            "execution_timezone": self.time_zone,
            "default_status": dg.DefaultScheduleStatus.RUNNING if self.on else dg.DefaultScheduleStatus.STOPPED,
            "description": self.what,
        }

    def next_tick(self, after: datetime) -> datetime:
        """When it fires next, in its own time zone."""
        from orchestration.runtime.dagster_private import next_tick

        tick = next_tick(self.cron, self.time_zone, after)
        if tick is None:
            raise SelvedgeError(f"schedule {self.name} has no time: {self.cron}.")
        return tick


def retraining(family: str) -> str:
    """Name of the schedule that trains a family."""
    return f"{family.replace('-', '_')}_retraining"


def evaluation(family: str) -> str:
    """Name of the schedule that evaluates a family's champion."""
    return f"{family.replace('-', '_')}_champion_evaluation"


def timetable(settings: OperatorSettings, families: Sequence[Family]) -> list[Scheduled]:
    """Every schedule of a home, on or off.

    Raises:
        SelvedgeError: a setting names an unknown family, or no time.
    """
    names, zone = [family.name for family in families], settings.time_zone
    nightly = _single("schedule_inference", settings.schedule_inference, NIGHTLY)
    daily = _single("schedule_report", settings.schedule_report, DAILY)
    trained = _by_family("schedule_retraining", settings.schedule_retraining, WEEKLY, names)
    evaluated = _by_family("schedule_evaluation", settings.schedule_evaluation, MONTHLY, names)
    return [
        Scheduled(INFERENCE, *nightly, zone, PUBLISHES),
        *(
            Scheduled(retraining(name), *trained[name], zone, f"Trains a candidate of {name}, if {TRAINS}", name)
            for name in names
        ),
        *(
            Scheduled(
                evaluation(name),
                *evaluated[name],
                zone,
                f"Scores the champion of {name} on the newest data that training was prepared with.",
                name,
            )
            for name in names
        ),
        Scheduled(
            REPORT, *daily, zone, "Reports what is left failed, whether the newest drop is published, and costs."
        ),
    ]


def scheduled(timetabled: Iterable[Scheduled], name: str) -> Scheduled:
    """The schedule of this name, which there is."""
    return next(entry for entry in timetabled if entry.name == name)


def _single(setting: str, value: str, usual: str) -> tuple[str, bool]:
    """Cron and whether it is on."""
    if value.strip().lower() in (ON, OFF):
        return usual, value.strip().lower() == ON
    return _cron(setting, value.strip()), True


def _by_family(setting: str, value: str, usual: str, families: Sequence[str]) -> dict[str, tuple[str, bool]]:
    """Cron and whether it is on, for every family: its own entry, or the one of all."""
    own, everyone = dict[str, str](), ""
    for entry in (part.strip() for part in value.split(";") if part.strip()):
        named = OF_A_FAMILY.fullmatch(entry)
        family, time = (everyone, entry) if named is None or entry.lower() in (ON, OFF) else (named[1], named[2] or "")
        if family in own:
            whose = family or "all families"
            raise SelvedgeError(f"setting {_variable(setting)} gives {whose} two times, in {value!r}; leave one out.")
        own[family] = time
        if family != everyone and family not in families:
            listed = f"the families are {', '.join(families)}" if families else "there are none"
            raise SelvedgeError(
                f"setting {_variable(setting)} names the family {family!r}, which is unknown; {listed}."
            )
    of_all = own.get(everyone, OFF)
    return {family: _single(setting, own.get(family, of_all), usual) for family in families}


def _cron(setting: str, value: str) -> str:
    from datetime import UTC

    from orchestration.runtime.dagster_private import next_tick

    if next_tick(value, "UTC", datetime.now(UTC)) is None:
        raise SelvedgeError(
            f"setting {_variable(setting)} cannot be {value!r}: it is on, off, or a cron expression of five fields "
            "(minute, hour, day of the month, month, day of the week) that names a day there is, like `30 2 * * 1-5`."
        )
    return value


def _variable(setting: str) -> str:
    return f"SELVEDGE_{setting.upper()}"
