"""Freshness: whether the newest drop is published, and how long after its arrival.

Belongs here: finding the newest drop, its arrival, and what of it is published. Not here: the check that asks
(left_failed.py), how many hours are allowed (settings).

Dagster's own policy judges an asset, not a partition: a backfill of an old drop makes it green while the newest waits.
So this asks about the newest drop alone. A drop arrives when a run is first asked to read the files it has now; one
that was changed arrives again.
"""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg

from orchestration.assets.partitions import DROPS, PARTITION_TAG
from orchestration.assets.published import newest
from orchestration.defs.catalog.arrivals import FINGERPRINT_TAG, PRODUCTS

SECONDS_AN_HOUR = 3600.0
RUNS_LOOKED_AT = 20  # of one drop, newest first


@dataclass(frozen=True)
class Published:
    """The newest drop.

    Attributes:
        arrived: when. published: when the last of its assets was made; None while one lacks. now: when this was asked.
        lacking: its assets that are not made from the files it has now. others: older drops that lack something.
    """

    drop: str
    arrived: datetime
    published: datetime | None
    now: datetime
    lacking: tuple[str, ...]
    others: int

    @property
    def hours(self) -> float:
        """From arrival to publication, or so far."""
        return ((self.published or self.now) - self.arrived).total_seconds() / SECONDS_AN_HOUR

    def in_time(self, hours: float) -> bool:
        """Published within so many hours, or not yet late."""
        return self.hours <= hours

    def sentence(self, hours: float) -> str:
        """What an operator is told."""
        arrived = self.arrived.isoformat(timespec="minutes")
        if self.published is not None:
            return f"drop {self.drop}, which arrived {arrived}, was published after {self.hours:.1f} of {hours:g} hours"
        remedy = "" if self.in_time(hours) else "; `selvedge status` says what failed, or materialise it in Dagster"
        return (
            f"drop {self.drop} arrived {arrived}, {self.hours:.1f} hours ago of {hours:g}, and lacks "
            f"{', '.join(self.lacking)}{remedy}"
        )


def newest_drop(instance: dg.DagsterInstance, published: Sequence[dg.AssetKey]) -> Published | None:
    """The drop that arrived last; None where there is none.

    Args:
        published: the assets of a drop that shops read; one that was never made of any drop is not asked for, as its
            family has no champion yet.
    """
    drops = instance.get_dynamic_partitions(DROPS.name or "")
    if not drops:
        return None
    made = {key: instance.get_materialized_partitions(key) for key in published}
    expected = [dg.AssetKey(PRODUCTS.split("/")), *(key for key in published if made[key])]
    drop, arrived = max(((name, _arrival(instance, name)) for name in _candidates(instance, drops)), key=lambda x: x[1])
    lacking, latest = [], arrived
    for key in expected:
        event = newest(instance, "/".join(key.path), drop)
        if event is None or event.timestamp < arrived:
            lacking.append(key.to_user_string())
        else:
            latest = max(latest, event.timestamp)
    others = {name for key in expected[1:] for name in set(drops) - made[key]} - {drop}
    return Published(
        drop, _moment(arrived), None if lacking else _moment(latest), _moment(time.time()), tuple(lacking), len(others)
    )


def _candidates(instance: dg.DagsterInstance, drops: Sequence[str]) -> set[str]:
    """The drop that was added last, and the one that was read last: one that changed is news, too."""
    event = instance.get_latest_materialization_event(dg.AssetKey(PRODUCTS.split("/")))
    read = event.asset_materialization.partition if event and event.asset_materialization else None
    return {drops[-1], *([read] if read is not None and read in drops else [])}


def _arrival(instance: dg.DagsterInstance, drop: str) -> float:
    """When a run was first asked to read the files that a drop has now; seconds since 1970, 0 where nothing says."""
    key = dg.AssetKey(PRODUCTS.split("/"))
    records = instance.get_run_records(dg.RunsFilter(tags={PARTITION_TAG: drop}), limit=RUNS_LOOKED_AT)
    reading = [record for record in records if key in (record.dagster_run.asset_selection or ())]
    if reading:
        stamp = reading[0].dagster_run.tags.get(FINGERPRINT_TAG)
        same = [record for record in reading if record.dagster_run.tags.get(FINGERPRINT_TAG) == stamp]
        return (same[-1] if stamp is not None else reading[0]).create_timestamp.timestamp()
    event = newest(instance, PRODUCTS, drop)
    return event.timestamp if event is not None else 0.0


def _moment(timestamp: float) -> datetime:
    return datetime.fromtimestamp(timestamp, UTC)
