"""Registration: a plan and its pairs in the ledger, the step of an opening after which the round exists.

Belongs here: drawing a plan's slots and registering them as pairs. Not here: the other steps and their order
(opening.py), what a pair shows (tasks.py).

Everything is drawn, rendered and checked before the ledger is written, in one transaction: a round exists whole or not
at all. Registering it again gives the round there is.
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from catalog.errors import SelvedgeError
from labeling.review.ledger.ledger import Ledger
from labeling.review.ledger.records import Round
from labeling.review.pairs.blinding import new_key
from labeling.review.pairs.items import NoRound, Slot, plan_slots, products_of_test_split
from labeling.review.pairs.plan import RoundPlan
from labeling.review.rounds.material import Material
from labeling.review.rounds.progress import Progress, silent
from labeling.review.rounds.tasks import make_pair


def count_differing(material: Material[Any], products: pd.DataFrame, splits: pd.DataFrame) -> tuple[int, int]:
    """How many test products the two versions show something different of, and of how many both have a result.

    Raises:
        NoRound: the test split is empty.
    """
    shown = _shown(material, products, splits)
    return sum(material.differs(int(item)) for item in shown["product_id"]), len(shown)


def items_to_show(items: int, gold_share: float, differing: int, products: int) -> int:
    """How many plain pairs a round shows: as many as asked for, and no more than there are pairs that differ.

    A pair of equal results asks a person for nothing. Pairs with a planted error are drawn first and may differ, too.

    Raises:
        NoRound: the versions do not differ at all.
    """
    if not differing:
        raise NoRound(
            f"both versions show the same of all {products} test products; there is nothing for people to judge, so "
            "no round is opened."
        )
    if differing == products or not 1 <= items <= products:  # a number that cannot be is refused where it is planned
        return items
    return max(1, min(items, int(differing / (1 + gold_share)) - (gold_share > 0)))


def _shown(material: Material[Any], products: pd.DataFrame, splits: pd.DataFrame) -> pd.DataFrame:
    test = products_of_test_split(products, splits)
    return test[test["product_id"].isin(material.products.keys())]


def draw_slots(
    plan: RoundPlan, material: Material[Any], products: pd.DataFrame, splits: pd.DataFrame
) -> Sequence[Slot]:
    """The slots of a round, among the test products that both versions have a result for; plain pairs are pairs that
    differ.

    Raises:
        SelvedgeError: the plan is for another kind; a NoRound where the test split has too few products.
    """
    if plan.kind != material.kind.name:
        raise SelvedgeError(
            f"round {plan.round_id} is planned for {plan.kind}, not {material.kind.name}; use its kind."
        )
    shown = _shown(material, products, splits)
    plantable = {
        int(item)
        for item in shown["product_id"]
        if material.can_be_planted("candidate", int(item)) or material.can_be_planted("champion", int(item))
    }
    differing = {int(item) for item in shown["product_id"] if material.differs(int(item))}
    return plan_slots(plan, shown, plantable, differing)


def register_round(
    ledger: Ledger,
    plan: RoundPlan,
    material: Material[Any],
    products: pd.DataFrame,
    splits: pd.DataFrame,
    progress: Progress = silent,
) -> Round:
    """Register a plan and its pairs, or find the round that was registered with this plan.

    Args:
        products, splits: tables of those names.
        progress: called with (pairs done, pairs, "preparing").

    Raises:
        SelvedgeError: as `draw_slots`, `make_pair` and `Ledger.open_round`; nothing was registered.
    """
    earlier = ledger.find_round(plan.round_id)
    if earlier is not None:
        return ledger.open_round(plan, earlier.key, ())
    slots = draw_slots(plan, material, products, splits)
    key = new_key()
    pairs = []
    for slot in slots:
        pairs.append(make_pair(material, key, plan.round_id, slot)[0])
        progress(len(pairs), len(slots), "preparing")
    return ledger.open_round(plan, key, pairs)
