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
from labeling.review.pairs.items import Slot, plan_slots, products_of_test_split
from labeling.review.pairs.plan import RoundPlan
from labeling.review.rounds.material import Material
from labeling.review.rounds.progress import Progress, silent
from labeling.review.rounds.tasks import make_pair


def draw_slots(
    plan: RoundPlan, material: Material[Any], products: pd.DataFrame, splits: pd.DataFrame
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
        if material.can_be_planted("candidate", int(item)) or material.can_be_planted("champion", int(item))
    }
    return plan_slots(plan, shown, plantable)


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
