"""The inbox: a folder put into it becomes a drop by itself, and is read again when it changes.

Belongs here: the sensor and what it remembers between two looks. Not here: what is wrong with a folder (arrivals.py),
how much of a bucket is listed (bucket.py), where a drop's files are remembered (deliveries.py).
"""

import json
import time
from collections import Counter
from dataclasses import asdict, dataclass

import dagster as dg

from catalog.errors import SelvedgeError
from orchestration.assets.published import newest
from orchestration.defs.catalog.arrivals import FINGERPRINT_TAG, PRODUCTS, Arrival, arrivals, readings, was_read
from orchestration.defs.catalog.deliveries import add_drop
from orchestration.runtime.settings import Settings

READ = [dg.AssetKey(["catalog", "products"]), dg.AssetKey(["catalog", "quarantine"])]
LOOK_SECONDS = 30
# Two looks that far apart at least must see the same files: what is still being copied is left alone.
SETTLE_SECONDS = 20.0
KEY_DIGITS = 16


@dataclass(frozen=True)
class Seen:
    """What the last look saw of an entry: its files, since when they are as they are, and what was told of it.

    `asked` is the fingerprint that a run was last asked for: one that failed must not hide what else lies there.
    """

    fingerprint: str
    since: float
    sentences: tuple[str, ...] = ()
    asked: str = ""


@dg.sensor(
    target=dg.AssetSelection.assets(*READ),
    minimum_interval_seconds=LOOK_SECONDS,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description=(
        "Reads every folder of the inbox once it holds what its manifest.json names, or nothing in it changes; and "
        "again whenever it was changed."
    ),
)
def inbox(context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]) -> dg.SensorResult:
    """Asks for a run of every drop whose files are not those that were read; its key holds their fingerprint.

    So Dagster asks once for each state of a drop: an unchanged one is not read again, whether its run failed or not.
    Whatever stands in the way of another folder is logged once, and stands in the tick until it is mended.
    """
    before = _parse(context.cursor)
    seen: dict[str, Seen] = {}
    requests: list[dg.RunRequest] = []
    objections: list[str] = []
    states = Counter[str]()
    try:
        there = arrivals(settings)
    except SelvedgeError as error:  # of a bucket; what was seen before stays known
        return dg.SensorResult(
            skip_reason=dg.SkipReason(f"the inbox {settings.inbox} could not be looked at: {error}"),
            cursor=context.cursor,
        )
    read = readings(context.instance)
    for arrival in there:
        last = before.get(arrival.name)
        if not arrival.looked_at:  # nothing is known of it that was not known
            states["waiting for their turn"] += 1
            if last is not None:
                seen[arrival.name] = last
            continue
        unchanged = last is not None and last.fingerprint == arrival.fingerprint
        # The smaller one: a clock that was set back must not make a drop wait until it has caught up.
        since = min(last.since, time.time()) if last is not None and unchanged else time.time()
        settled = arrival.complete or (unchanged and time.time() - since >= SETTLE_SECONDS)
        sentences, asked = (last.sentences, last.asked) if last is not None else ((), "")
        if not settled:
            states["being copied"] += 1
        elif arrival.objections:
            states["refused"] += 1
            objections += arrival.objections
            sentences = _log_new(context, arrival, sentences)
        elif was_read(arrival, read):
            states["read"] += 1
        elif asked == arrival.fingerprint:
            states["asked for"] += 1
        else:
            try:
                add_drop(context.instance, settings, arrival.name, str(settings.inbox / arrival.name))
            except SelvedgeError as error:  # a full disk; the next look tries again, and no other drop waits for it
                states["not taken"] += 1
                objections.append(f"drop {arrival.name} could not be taken: {error}")
                context.log.warning(objections[-1])
            else:
                asked = arrival.fingerprint
                requests.append(_request(context.instance, arrival))
        seen[arrival.name] = Seen(arrival.fingerprint, since, sentences, asked)
    cursor = json.dumps({name: asdict(entry) for name, entry in seen.items()})
    if requests:
        return dg.SensorResult(run_requests=requests, cursor=cursor)
    count = ", ".join(f"{number} {state}" for state, number in sorted(states.items()))
    lines = [f"nothing new in {settings.inbox}{f' ({count})' if count else ''}.", *objections]
    return dg.SensorResult(skip_reason=dg.SkipReason(" ".join(lines)), cursor=cursor)


def _request(instance: dg.DagsterInstance, arrival: Arrival) -> dg.RunRequest:
    """Its key holds what it would replace, too: files that are put back as they once were are news again."""
    last = newest(instance, PRODUCTS, arrival.name)
    replaced = last.run_id[:KEY_DIGITS] if last is not None else "new"
    return dg.RunRequest(
        run_key=f"{arrival.name}-{arrival.fingerprint[:KEY_DIGITS]}-{replaced}",
        partition_key=arrival.name,
        asset_selection=READ,
        tags={FINGERPRINT_TAG: arrival.fingerprint},
    )


def _log_new(context: dg.SensorEvaluationContext, arrival: Arrival, before: tuple[str, ...]) -> tuple[str, ...]:
    for sentence in arrival.objections:
        if sentence not in before:
            context.log.warning(sentence)
    return arrival.objections


def _parse(cursor: str | None) -> dict[str, Seen]:
    """What the last tick wrote down; an older Selvedge wrote nothing."""
    return {
        name: Seen(entry["fingerprint"], entry["since"], tuple(entry["sentences"]), entry["asked"])
        for name, entry in json.loads(cursor or "{}").items()
    }
