"""Backfill: bringing old drops to the present champions, after saying what that means.

Belongs here: which drops are stale, how many products and about how many seconds that is, and doing it. Not here: new
drops (they follow by themselves).
"""

from dataclasses import dataclass

import dagster as dg

from orchestration.assets.partitions import DROPS
from orchestration.assets.published import materialised, newest, there
from orchestration.jobs.in_process import InProcess, keys

INFERENCE = "inference"  # the stage whose assets are made of a drop by a champion
PRODUCTS = "catalog/products"


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
    """The drops of which something published was made with another champion, other products or other code.

    Args:
        drops: only these; all there are by default.
    """
    read = there(graph.instance, PRODUCTS, DROPS)
    selected = [drop for drop in read if drops is None or drop in drops]
    stale = tuple(drop for drop in selected if any(graph.stale(name, drop) for name in _published(graph, drop)))
    products = sum(int((materialised(graph.instance, PRODUCTS, drop) or {}).get("rows", 0)) for drop in stale)
    durations = [seconds for drop in stale if (seconds := _seconds(graph, drop)) is not None]
    return Backfill(stale, products, sum(durations) * len(stale) / len(durations) if durations else None)


def run_backfill(graph: InProcess, backfill: Backfill) -> None:
    """What is published of every drop of the plan, one drop after another; rows that still hold are kept.

    Raises:
        SelvedgeError: a step failed; the drops before it are done, and the next plan leaves them out.
    """
    for drop in backfill.drops:
        graph.run(keys(*_published(graph, drop)), drop)


def _published(graph: InProcess, drop: str) -> list[str]:
    """What is published of a drop, upstream first: what was made of it, and what follows from that.

    An asset of a champion that there was not yet is left out: it was never made, nor was anything before it.
    """
    assets = graph.definitions.resolve_asset_graph()
    published: list[dg.AssetKey] = []
    for key in assets.toposorted_asset_keys:
        if key.path[0] != INFERENCE or assets.get(key).partitions_def != DROPS:
            continue
        if materialised(graph.instance, "/".join(key.path), drop) or assets.get(key).parent_keys & set(published):
            published.append(key)
    return ["/".join(key.path) for key in published]


def _seconds(graph: InProcess, drop: str) -> float | None:
    """Wall seconds of the runs that published the drop last; None where one is not known."""
    events = [newest(graph.instance, name, drop) for name in _published(graph, drop)]
    records = [graph.instance.get_run_record_by_id(run_id) for run_id in {event.run_id for event in events if event}]
    times = [(record.start_time, record.end_time) for record in records if record]
    if not times or any(start is None or end is None for start, end in times):
        return None
    return sum(float(end or 0) - float(start or 0) for start, end in times)
