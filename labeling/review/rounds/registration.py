"""Rounds: opening one, from the tables to a registered plan with its pairs.

Belongs here: the order of the steps. Not here: the steps (items.py, tasks.py, ledger.py), Label Studio.

Everything is drawn, rendered and checked before the ledger is written, in one transaction: a round exists whole or not
at all. Opening it again gives the round there is; its tasks are made again, equal to the byte, or refused.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import pandas as pd

from catalog.errors import SelvedgeError
from labeling.review.ledger.ledger import Ledger
from labeling.review.ledger.records import Round
from labeling.review.pairs.blinding import new_key
from labeling.review.pairs.items import Slot, plan_slots, products_of_test_split
from labeling.review.pairs.kinds import PairKind, Product
from labeling.review.pairs.plan import RoundPlan
from labeling.review.rounds.tasks import Material, Tasks, can_be_planted, make_pair

Result = TypeVar("Result")
Progress = Callable[[int, int, str], None]


def gather_material(
    kind: PairKind[Result],
    candidate: pd.DataFrame,
    champion: pd.DataFrame,
    labels: Mapping[int, Mapping[str, str]],
    read_picture: Callable[[int], bytes],
    seed: int,
) -> Material[Result]:
    """What pairs are made of.

    Args:
        candidate, champion: both versions' tables, as the kind reads them.
        labels: from `kinds.catalogue_labels`. read_picture: a product's picture file, by product id.
        seed: the plan's.

    Raises:
        SelvedgeError: a table is not of the kind, or a version has no result at all.
    """
    results = {"candidate": kind.read(candidate), "champion": kind.read(champion)}
    for name, found in results.items():
        if not found:
            raise SelvedgeError(f"the {name} has no results to show; run it over the test products first.")
    both = results["candidate"].keys() & results["champion"].keys()
    products = {one: Product(one, labels.get(one, {}), _reader(read_picture, one)) for one in sorted(both)}
    return Material(kind, results["candidate"], results["champion"], products, seed)


def draw_slots(
    plan: RoundPlan, material: Material[Result], products: pd.DataFrame, splits: pd.DataFrame
) -> Sequence[Slot]:
    """The slots of a round, among the test products that both versions have a result for.

    Raises:
        SelvedgeError: the plan is for another kind, the test split is empty, or it has too few products.
    """
    if plan.kind != material.kind.name:
        raise SelvedgeError(
            f"round {plan.round_id} is planned for {plan.kind}, not {material.kind.name}; use its kind."
        )
    test = products_of_test_split(products, splits)
    shown = test[test["product_id"].isin(material.products.keys())]
    plantable = {
        int(item)
        for item in shown["product_id"]
        if can_be_planted(material, "candidate", int(item)) or can_be_planted(material, "champion", int(item))
    }
    return plan_slots(plan, shown, plantable)


def register_round(
    ledger: Ledger,
    plan: RoundPlan,
    material: Material[Result],
    products: pd.DataFrame,
    splits: pd.DataFrame,
    progress: Progress | None = None,
) -> Round:
    """Register a plan and its pairs, or find the round that was opened with this plan.

    Args:
        products, splits: tables of those names.
        progress: called with (pairs done, pairs, "preparing").

    Raises:
        SelvedgeError: as `draw_slots`, `make_pair` and `Ledger.open_round`; nothing was registered.
    """
    known = ledger.find_round(plan.round_id)
    if known is not None:
        return ledger.open_round(plan, known.key, ())
    slots = draw_slots(plan, material, products, splits)
    key = new_key()
    pairs = []
    for slot in slots:
        pairs.append(make_pair(material, key, plan.round_id, slot)[0])
        if progress is not None:
            progress(len(pairs), len(slots), "preparing")
    return ledger.open_round(plan, key, pairs)


def round_tasks(ledger: Ledger, round_id: str, material: Material[Result]) -> Tasks:
    """The payloads to upload, in their order; the same whenever they are asked for.

    Raises:
        SelvedgeError: there is no such round; while they are made: what it would show changed since it was opened.
    """
    found = ledger.round(round_id)
    return Tasks(material, found.key, round_id, ledger.pairs(round_id))


def _reader(read_picture: Callable[[int], bytes], product_id: int) -> Callable[[], bytes]:
    return lambda: read_picture(product_id)
