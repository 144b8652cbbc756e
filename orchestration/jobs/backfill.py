"""Backfill: bringing old drops to the present champion, after saying what that means.

Belongs here: which drops are stale, how many products and about how many seconds that is, and doing it. Not here: new
drops (they follow by themselves).
"""

from dataclasses import dataclass

from orchestration.assets.partitions import DROPS
from orchestration.assets.published import materialised, newest, there
from orchestration.jobs.in_process import InProcess, keys

PUBLISHED = ("inference/attributes", "inference/descriptions")
SEARCHED = "inference/discovery_index"  # of another family's champion, which there may not be yet


@dataclass(frozen=True)
class Backfill:
    """What would be made again.

    Attributes:
        drops: in the order in which they arrived.
        products: in all of them.
        seconds: about, judged by how long the same drops took last time; None when none was ever made.
    """

    drops: tuple[str, ...]
    products: int
    seconds: float | None

    def sentence(self) -> str:
        """Count and cost, for a person to decide on."""
        if not self.drops:
            return "every drop is up to date."
        cost = "" if self.seconds is None else f", about {self.seconds:.0f} s"
        return f"{len(self.drops)} drops are out of date: {self.products:,} products{cost} ({', '.join(self.drops)})."


def plan_backfill(graph: InProcess, drops: list[str] | None = None) -> Backfill:
    """The drops whose attributes or descriptions were made with another champion, other products or other code.

    Args:
        drops: only these; all that were ever published by default.
    """
    published = there(graph.instance, PUBLISHED[0], DROPS)
    selected = [drop for drop in published if drops is None or drop in drops]
    stale = tuple(drop for drop in selected if any(graph.stale(name, drop) for name in _of(graph, drop)))
    products = sum(int((materialised(graph.instance, "catalog/products", drop) or {}).get("rows", 0)) for drop in stale)
    took = [_seconds(graph, drop) for drop in stale]
    timed = [seconds for seconds in took if seconds is not None]
    return Backfill(stale, products, sum(timed) * len(stale) / len(timed) if timed else None)


def run_backfill(graph: InProcess, backfill: Backfill) -> None:
    """What is published of every drop of the plan, one drop after another; rows that still hold are kept.

    Raises:
        SelvedgeError: a step failed; the drops before it are done, and the next plan leaves them out.
    """
    for drop in backfill.drops:
        graph.run(keys(*_of(graph, drop)), drop)


def _of(graph: InProcess, drop: str) -> tuple[str, ...]:
    """What is published of a drop; the search index only where it was."""
    return (*PUBLISHED, SEARCHED) if materialised(graph.instance, SEARCHED, drop) else PUBLISHED


def _seconds(graph: InProcess, drop: str) -> float | None:
    """Wall seconds of the run that published the drop's attributes last."""
    event = newest(graph.instance, PUBLISHED[0], drop)
    record = graph.instance.get_run_record_by_id(event.run_id) if event else None
    if record is None or record.start_time is None or record.end_time is None:
        return None
    return record.end_time - record.start_time
