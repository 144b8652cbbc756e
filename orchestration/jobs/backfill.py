"""Backfill: bringing old drops to the present champions, after saying what that means.

Belongs here: which drops are out of date, how many products, about how many seconds and dollars that is. Not here:
doing it (backfill_runs.py), new drops (they follow by themselves).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import dagster as dg

from catalog.errors import SelvedgeError
from orchestration.assets.costs import PAID, usd_of_tokens
from orchestration.assets.partitions import DROPS
from orchestration.assets.published import materialised, newest, there
from orchestration.jobs.in_process import InProcess
from orchestration.runtime.settings import Settings

INFERENCE = "inference"  # the stage whose assets are made of a drop by a champion
PRODUCTS = "catalog/products"
TEXTS = "inference/descriptions"  # written by who is paid for it, where the settings say so
RANGE = ".."
TOLD = 8  # drops in a sentence
PACED_BY = 20  # drops whose last runs say how long a product takes


@dataclass(frozen=True)
class Cost:
    """What a backfill takes.

    Attributes:
        seconds: of work, judged by how long the same drops, else others, took last time; None where none was ever made.
        usd: dollars for paid writers, by what their texts took last time; 0 where nobody is paid, None where it is not
            known yet. usd_at_most: what the budgets of its runs allow.
    """

    seconds: float | None = None
    usd: float | None = 0.0
    usd_at_most: float = 0.0


@dataclass(frozen=True)
class Backfill:
    """What would be made again.

    Attributes:
        work: by drop, in the order in which they arrived, the assets to make, upstream first.
        products: by drop. everything: whether what is up to date is made again, too.
    """

    work: Mapping[str, tuple[str, ...]]
    products: Mapping[str, int]
    cost: Cost = field(default_factory=Cost)
    everything: bool = False

    @property
    def drops(self) -> tuple[str, ...]:
        return tuple(self.work)

    @property
    def assets(self) -> list[str]:
        """Everything that is made of any drop, upstream first."""
        return list(dict.fromkeys(name for names in self.work.values() for name in names))

    def by_asset(self) -> dict[str, list[str]]:
        """The drops of every asset."""
        return {name: [drop for drop, names in self.work.items() if name in names] for name in self.assets}

    def sentence(self) -> str:
        """Count and cost, for a person to decide on."""
        if not self.work:
            return "every drop is up to date."
        cost = "" if self.cost.seconds is None else f", about {self.cost.seconds:.0f} s"
        if self.cost.usd_at_most:
            about = "" if self.cost.usd is None else f"about {self.cost.usd:.2f} and "
            cost += f", {about}at most {self.cost.usd_at_most:.2f} US dollars"
        more = f" and {len(self.drops) - TOLD} more" if len(self.drops) > TOLD else ""
        names = ", ".join(self.drops[:TOLD]) + more
        drops = f"{len(self.drops)} {'drop is' if len(self.drops) == 1 else 'drops are'}"
        why = "made again" if self.everything else "out of date"
        return f"{drops} {why}: {sum(self.products.values()):,} products{cost} ({names})."


def plan_backfill(
    graph: InProcess,
    drops: Sequence[str] | None = None,
    assets: Sequence[str] | None = None,
    everything: bool = False,
    settings: Settings | None = None,
) -> Backfill:
    """The drops of which something is missing, or was made by another champion, of other products or by other code.

    What is missing counts where all that it is made of is there. What follows from what is made again is made again.

    Args:
        drops: only these; all there are by default. assets: `stage/name`s; what is published of a drop by default.
        everything: what is up to date, too. settings: say who writes texts, and at which prices.
    """
    read = there(graph.instance, PRODUCTS, DROPS)
    selected = [drop for drop in read if drops is None or drop in drops]
    keys = ordered(graph, published_assets(graph) if assets is None else assets)
    stale = (lambda key, drop: True) if everything else graph.staleness()
    plans = {drop: _work(graph, keys, drop, stale) for drop in selected}
    work = {drop: names for drop, names in plans.items() if names}
    products = {drop: _products(graph, drop) for drop in work}
    writers = {} if settings is None or settings.writer != PAID else _usd_of(graph, read, settings)
    paid = [drop for drop, names in work.items() if TEXTS in names]
    cost = Cost(_seconds(graph, work, products, read), *_usd(writers, paid, products, settings))
    return Backfill(work, products, cost, everything)


def published_assets(graph: InProcess) -> list[str]:
    """What champions make of every drop, upstream first."""
    return [name for name in drop_assets(graph) if name.startswith(f"{INFERENCE}/")]


def drop_assets(graph: InProcess) -> list[str]:
    """Everything that is made of every drop, upstream first."""
    assets = graph.definitions.resolve_asset_graph()
    return [
        "/".join(key.path)
        for key in assets.toposorted_asset_keys
        if assets.get(key).partitions_def == DROPS and assets.get(key).is_materializable
    ]


def ordered(graph: InProcess, names: Sequence[str]) -> list[dg.AssetKey]:
    """The assets upstream first, with those that one step makes together.

    Raises:
        SelvedgeError: one of them is made of no drop.
    """
    possible = drop_assets(graph)
    for name in names:
        if name not in possible:
            raise SelvedgeError(f"asset {name!r} is not made drop by drop; there are {', '.join(possible)}.")
    assets = graph.definitions.resolve_asset_graph()
    together = {key for name in names for key in assets.get(dg.AssetKey(name.split("/"))).execution_set_asset_keys}
    return [key for key in assets.toposorted_asset_keys if key in together]


def named_drops(instance: dg.DagsterInstance, wanted: str) -> list[str]:
    """The drops that `A..B`, `A..`, `..B` or `A,B` names, in the order in which they arrived.

    A range goes by the names, and its ends need not be there; an end is also a beginning: `2026-11..2026-11` is all of
    November.

    Raises:
        SelvedgeError: it names no drop, a range is upside down, or a drop of a list is unknown.
    """
    read = there(instance, PRODUCTS, DROPS)
    names = f"{', '.join(read[-TOLD:])}" if read else "none"
    if RANGE in wanted:
        first, _, last = (part.strip() for part in wanted.partition(RANGE))
        if last and first > last and not first.startswith(last):
            raise SelvedgeError(f"--drops {wanted} ends before it begins; write {last}{RANGE}{first}.")
        drops = [drop for drop in read if drop >= first and (not last or drop <= last or drop.startswith(last))]
    else:
        drops = list(dict.fromkeys(part.strip() for part in wanted.split(",") if part.strip()))
        unknown = [drop for drop in drops if drop not in read]
        if unknown:
            raise SelvedgeError(f"drop {unknown[0]} of --drops was never read; the newest are {names}.")
    if not drops:
        raise SelvedgeError(f"--drops {wanted} names no drop that was read; the newest are {names}.")
    return drops


def _work(
    graph: InProcess, keys: Sequence[dg.AssetKey], drop: str, stale: Callable[[dg.AssetKey, str], bool]
) -> tuple[str, ...]:
    assets = graph.definitions.resolve_asset_graph()
    made: list[dg.AssetKey] = []
    for key in keys:
        missing = materialised(graph.instance, "/".join(key.path), drop) is None
        follows = bool(assets.get(key).parent_keys & set(made))
        if (not missing and (follows or stale(key, drop))) or (missing and _can_be_made(graph, key, drop, made)):
            made.append(key)
    # A step that makes several assets makes all of them.
    whole = {beside for key in made for beside in assets.get(key).execution_set_asset_keys}
    return tuple("/".join(key.path) for key in keys if key in whole)


def _can_be_made(graph: InProcess, key: dg.AssetKey, drop: str, made: Sequence[dg.AssetKey]) -> bool:
    """Whether all that it is made of is there, or is made before it; a champion that there is not yet is not."""
    assets = graph.definitions.resolve_asset_graph()

    def there_is(parent: dg.AssetKey) -> bool:
        partition = drop if assets.get(parent).partitions_def == DROPS else None
        return newest(graph.instance, "/".join(parent.path), partition) is not None

    return all(parent in made or there_is(parent) for parent in assets.get(key).parent_keys)


def _products(graph: InProcess, drop: str) -> int:
    return int((materialised(graph.instance, PRODUCTS, drop) or {}).get("rows", 0))


def _seconds(
    graph: InProcess, work: Mapping[str, tuple[str, ...]], products: Mapping[str, int], read: Sequence[str]
) -> float | None:
    """By the pace of the same drops when they were made last, else of the newest others."""
    made = [(seconds, products[drop]) for drop in work if (seconds := _run_seconds(graph, work[drop], drop))]
    if not made:
        names = tuple(dict.fromkeys(name for assets in work.values() for name in assets))
        others = [drop for drop in read if drop not in work][-PACED_BY:]
        made = [(seconds, _products(graph, drop)) for drop in others if (seconds := _run_seconds(graph, names, drop))]
    if not made:
        return None
    of_made, all_products = sum(count for _, count in made), sum(products.values())
    pace = sum(seconds for seconds, _ in made) / max(1, of_made)
    return pace * all_products if of_made else sum(seconds for seconds, _ in made) * len(work) / len(made)


def _run_seconds(graph: InProcess, names: Sequence[str], drop: str) -> float | None:
    """Wall seconds of the runs that made these assets of a drop last; None where one is not known."""
    events = [newest(graph.instance, name, drop) for name in names]
    records = [graph.instance.get_run_record_by_id(run_id) for run_id in {event.run_id for event in events if event}]
    times = [(record.start_time, record.end_time) for record in records if record]
    if not times or any(start is None or end is None for start, end in times):
        return None
    return sum(float(end or 0) - float(start or 0) for start, end in times)


def _usd_of(graph: InProcess, read: Sequence[str], settings: Settings) -> dict[str, float]:
    """Dollars of the texts of every drop that a paid writer wrote last."""
    dollars = {}
    for drop in read:
        about = materialised(graph.instance, TEXTS, drop) or {}
        if about.get("writer") == settings.writer and about.get("tokens_in"):
            dollars[drop] = usd_of_tokens(settings, about["tokens_in"], about.get("tokens_out", 0))
    return dollars


def _usd(
    dollars: Mapping[str, float], paid: Sequence[str], products: Mapping[str, int], settings: Settings | None
) -> tuple[float | None, float]:
    """Expected dollars, and those that the budgets allow."""
    if settings is None or settings.writer != PAID or not paid:
        return 0.0, 0.0
    recorded = [drop for drop in paid if drop in dollars]
    priced = sum(products[drop] for drop in recorded)
    expected = (
        sum(dollars[drop] for drop in recorded) / priced * sum(products[drop] for drop in paid) if priced else None
    )
    return expected, len(paid) * settings.bedrock_max_usd
