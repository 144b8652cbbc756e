"""Monitors: what a check says of a drop that a champion works on, and what the last drops said.

Belongs here: the names and the record of a monitor's outcome, and reading the outcomes again. Not here: the arithmetic
(evaluation/drift.py), the checks (orchestration/graph/watching.py), what follows from alarms (retraining.py).
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

from orchestration.families.contract import Family, asset_key

if TYPE_CHECKING:
    import dagster as dg

DRIFT_CHECK, QUALITY_CHECK = "drift", "quality"
MONITORS = {
    DRIFT_CHECK: "The drop is like those that the champion learnt from, in values, image features and abstentions.",
    QUALITY_CHECK: "Drops contradict the champion's answers no more often than its test products did.",
}
VERDICT, MODEL = "verdict", "model"  # of a check's metadata
ALARM, CALM, UNJUDGED = "differs", "like the earlier drops", "not judged"
RECORDS = 200  # looked at, newest first


@dataclass(frozen=True)
class Outcome:
    """A drop that a monitor could judge. why: the check's sentence."""

    drop: str
    alarm: bool
    why: str


def outcomes(
    instance: "dg.DagsterInstance", family: Family, monitor: str, drops: Collection[str], model: str
) -> list[Outcome]:
    """What the monitor said of these drops beside this champion, in the order given; drops not judged are left out.

    Args:
        drops: the newest last. model: the champion's address; what was said beside another one is of no concern.
    """
    import dagster as dg

    from orchestration.runtime.dagster_private import check_records

    key = dg.AssetCheckKey(asset_key(family.publishes), monitor)
    newest: dict[str, Outcome | None] = {}
    for record in check_records(instance, key, RECORDS):
        judged = record.metadata.get(MODEL) == model and record.metadata.get(VERDICT) in (ALARM, CALM)
        alarm = record.metadata.get(VERDICT) == ALARM
        drop = record.partition or ""
        newest.setdefault(drop, Outcome(drop, alarm, record.description) if judged else None)
    return [outcome for drop in drops if (outcome := newest.get(drop)) is not None]
