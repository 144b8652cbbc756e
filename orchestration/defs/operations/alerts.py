"""Alerts: a run that failed is told once, soon, and never as a storm.

Belongs here: the sensor, and what it remembers of each channel. Not here: sending (runtime/alerts.py), what failed
(assets/failed_runs.py), the daily report (left_failed.py).

Not Dagster's own run-failure sensor: that one sends one message a run and forgets it when sending fails. Here every
channel has a memory of its own: what it could not take is told later, what fails together is told together, and the
same assets of the same partition are told once in SELVEDGE_ALERT_HOURS. So sixty drops that miss one file are one
message, or a few, and a night of retries is none at all. A run that Dagster will retry is not told.
"""

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import dagster as dg

from catalog.errors import SelvedgeError
from orchestration.assets.failed_runs import UNSAID, FailedRun, failures_since
from orchestration.defs.operations.freshness import newest_drop
from orchestration.runtime.alerts import Alert, Failure, channels, send
from orchestration.runtime.settings import Settings

LOOK_SECONDS = 60
GAP_SECONDS = 600.0  # between two messages of one channel; what fails meanwhile is told together
FIRST_LOOK_SECONDS = 600.0  # how far a channel that is new looks back
FORGOTTEN_SECONDS = 86400.0  # what a channel could not take for a day is in the daily report
OVERLAP_SECONDS = 60.0  # of two looks: what is told is not told again, and clocks differ
SECONDS_AN_HOUR = 3600.0
LATE = "not published in time"


@dataclass(frozen=True)
class Memory:
    """What one channel was told.

    Attributes:
        since: runs that ended later are to be told. sent: when the last message went out.
        reported: what failed, and when that was told.
    """

    since: float
    sent: float = 0.0
    reported: Mapping[str, float] = field(default_factory=dict)


def alerts_sensor(published: Sequence[dg.AssetKey]) -> dg.SensorDefinition:
    """The sensor.

    Args:
        published: assets of a drop that shops read; the newest drop is told when it is late.
    """

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=LOOK_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Tells failed runs, and a newest drop that is late, by webhook and mail, where SELVEDGE_ALERT_… say so. "
            "The same failure once in SELVEDGE_ALERT_HOURS; what fails together in one message."
        ),
    )
    def alerts(context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]) -> dg.SensorResult:
        to = channels(settings)
        if not to:
            return _skip("nobody is to be told; SELVEDGE_ALERT_WEBHOOK_FILE or SELVEDGE_ALERT_MAIL says who.", "")
        now, before = time.time(), json.loads(context.cursor or "{}")
        late = _late(context.instance, settings, published)
        after, lines = {}, []
        for channel in to:
            memory = _memory(before.get(channel), now)
            try:
                after[channel], line = _tell(context.instance, settings, channel, memory, late, now)
            except SelvedgeError as error:
                after[channel], line = memory, str(error)  # told again at the next look
                context.log.warning(f"{channel}: {error}")
            lines.append(f"{channel}: {line}")
        return _skip(" ".join(lines), json.dumps({channel: asdict(memory) for channel, memory in after.items()}))

    return alerts


def _tell(
    instance: dg.DagsterInstance, settings: Settings, channel: str, memory: Memory, late: Failure | None, now: float
) -> tuple[Memory, str]:
    """What the channel was told, and a line that says so.

    Raises:
        SelvedgeError: the channel did not take it.
    """
    if now - memory.sent < GAP_SECONDS:
        return memory, f"the last message is {(now - memory.sent) / 60:.0f} minutes old; what fails now waits."
    failed = failures_since(instance, memory.since)
    window = settings.alert_hours * SECONDS_AN_HOUR
    reported = {subject: at for subject, at in memory.reported.items() if now - at < window}
    fresh = {run.subject: _failure(settings, run) for run in failed if run.subject not in reported}
    if late is not None and late.subject not in reported:
        fresh[late.subject] = late
    since = max(memory.since, now - OVERLAP_SECONDS)
    if not fresh:
        return replace(memory, since=since, reported=reported), "nothing new failed."
    send(settings, channel, _alert(settings, list(fresh.values())))
    return Memory(since, now, reported | dict.fromkeys(fresh, now)), f"told {len(fresh)}."


def _alert(settings: Settings, failures: Sequence[Failure]) -> Alert:
    title = f"{failures[0].subject} failed" if len(failures) == 1 else f"{len(failures)} things failed"
    if len(failures) == 1 and failures[0].subject.endswith(LATE):
        title = failures[0].subject
    lines = tuple(" ".join(part for part in (f"{f.subject}: {f.sentence}", f.link) if part) for f in failures)
    return Alert(title, lines, f"{settings.dagster_uri}/runs?view=FAILED", tuple(failures))


def _failure(settings: Settings, run: FailedRun) -> Failure:
    """With what to do: the sentence of our own errors says it; of anything else the page shows where it broke."""
    remedy = (
        "It is no error that Selvedge foresaw: the page shows where it broke. `selvedge doctor` looks at the "
        "machine; then materialise it again."
        if run.sentence == UNSAID
        else "Then materialise it again in Dagster; a changed drop is read again by itself."
    )
    sentence = "" if run.sentence == UNSAID else f"{run.sentence} "
    return Failure(run.subject, f"{sentence}{remedy}", f"{settings.dagster_uri}/runs/{run.run}")


def _late(instance: dg.DagsterInstance, settings: Settings, published: Sequence[dg.AssetKey]) -> Failure | None:
    drop = newest_drop(instance, published)
    if drop is None or drop.published is not None or drop.in_time(settings.fresh_hours):
        return None
    return Failure(f"drop {drop.drop} {LATE}", f"{drop.sentence(settings.fresh_hours)}.")


def _memory(stored: Mapping[str, Any] | None, now: float) -> Memory:
    """Of an earlier look; what is older than a day is not told any more, and what is later than now counts as now."""
    memory = Memory(**stored) if stored else Memory(now - FIRST_LOOK_SECONDS)
    reported = {subject: min(at, now) for subject, at in memory.reported.items()}
    since = min(max(memory.since, now - FORGOTTEN_SECONDS), now - OVERLAP_SECONDS)
    return Memory(since, min(memory.sent, now), reported)


def _skip(reason: str, cursor: str) -> dg.SensorResult:
    return dg.SensorResult(skip_reason=dg.SkipReason(reason), cursor=cursor)
