"""Items: which products of the test split a round shows, and in which slots.

Belongs here: the stratified draw and the list of slots. Not here: sides and keys (blinding.py), what a slot looks like
(kinds.py).

Plain pairs, gold pairs and identical pairs show different products, so that no control is recognised as a pair that
was seen before; only a repeat is, on purpose.
"""

import hashlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from catalog.errors import SelvedgeError
from catalog.splits import TEST
from labeling.review.pairs.plan import RoundPlan, SlotKind

STRATA = ("article_type", "gender")


class NoRound(SelvedgeError):
    """The products and versions there are make no round. No fault of a run: it stays so until there are others."""


@dataclass(frozen=True)
class Slot:
    """One pair to be shown: a product and why it is shown. An item has at most one slot of a kind."""

    item: int
    kind: SlotKind


def products_of_test_split(products: pd.DataFrame, splits: pd.DataFrame) -> pd.DataFrame:
    """The products a split vouches for as test: product_id, article_type, gender; one row each.

    Args:
        products: schema `products`. splits: schema `splits`; a product counts in the drop it was assigned with.

    Raises:
        NoRound: there is none.
    """
    test = splits.loc[splits["split"] == TEST, ["product_id", "drop"]]
    assigned = products.merge(test, on=["product_id", "drop"])[["product_id", *STRATA]].drop_duplicates("product_id")
    if assigned.empty:
        raise NoRound("the test split is empty; read more products before opening a round.")
    return assigned.sort_values("product_id").reset_index(drop=True)


def allocate(sizes: Mapping[str, int], total: int) -> dict[str, int]:
    """How many of `total` each stratum gives, in proportion to its size (largest remainder; ties by name).

    Raises:
        SelvedgeError: the strata hold fewer than `total`.
    """
    available = sum(sizes.values())
    if total > available:
        raise SelvedgeError(f"{total} items are wanted, but there are only {available}; lower the plan's items.")
    if total == 0:
        return dict.fromkeys(sizes, 0)
    given = {name: total * size // available for name, size in sizes.items()}
    left = total - sum(given.values())
    # Whole numbers throughout: a remainder is never lost to rounding, and none exceeds its stratum.
    by_remainder = sorted(sizes, key=lambda name: (-(total * sizes[name] % available), name))
    return given | {name: given[name] + 1 for name in by_remainder[:left]}


def draw_items(products: pd.DataFrame, number: int, seed: int, use: str = "plain") -> list[int]:
    """Product ids drawn by seed, each stratum of type and gender in proportion.

    Args:
        products: from `products_of_test_split`.
        use: enters the draw, so that two draws of one seed differ.

    Raises:
        SelvedgeError: there are fewer products than wanted.
    """
    strata: dict[str, list[int]] = {}
    names = products[list(STRATA)].astype(object).where(products[list(STRATA)].notna(), "")
    for product_id, *values in zip(products["product_id"], *(names[column] for column in STRATA), strict=True):
        strata.setdefault("\0".join(map(str, values)), []).append(int(product_id))
    given = allocate({name: len(ids) for name, ids in strata.items()}, number)
    # A hash of each id, not a generator's stream: the draw depends on no order and no library's version.
    return sorted(item for name, ids in strata.items() for item in _by_hash(ids, seed, use)[: given[name]])


def plan_slots(
    plan: RoundPlan, products: pd.DataFrame, plantable: Collection[int], differing: Collection[int]
) -> list[Slot]:
    """Every slot of a round.

    Args:
        products: from `products_of_test_split`, those that both versions have a result for.
        plantable: product ids in which an error can be planted. differing: those whose two results are not equal.

    Raises:
        NoRound: too few products for the plan.
    """
    gold, aa = plan.extra(plan.gold_share), plan.extra(plan.aa_share)
    wanted = plan.items + gold + aa
    if wanted > len(products):
        raise NoRound(
            f"round {plan.round_id} needs {wanted} test products (plain {plan.items}, gold {gold}, identical {aa}), "
            f"but there are {len(products)}; lower the plan's items or read more products."
        )
    # Gold first: it alone needs products of a certain kind, and a plain draw could use them up.
    fit = products[products["product_id"].isin(plantable)]
    if gold > len(fit):
        raise NoRound(
            f"round {plan.round_id} needs {gold} gold pairs, but an error can be planted in {len(fit)} test products "
            "only (none where a version says nothing); lower the plan's items or gold share, or compare a candidate "
            "that leaves less out."
        )
    golden = draw_items(fit, gold, plan.seed, "gold")
    left = products[~products["product_id"].isin(golden)]
    unequal = left[left["product_id"].isin(differing)]
    if plan.items > len(unequal):
        raise NoRound(
            f"round {plan.round_id} needs {plan.items} test products whose two results differ, but there are "
            f"{len(unequal)} besides its gold pairs; lower the plan's items or read more products."
        )
    plain = draw_items(unequal, plan.items, plan.seed, "plain")
    identical = draw_items(left[~left["product_id"].isin(plain)], aa, plan.seed, "aa")
    repeated = _by_hash(plain, plan.seed, "repeat")[: plan.extra(plan.repeat_share)]
    kinds: Sequence[tuple[SlotKind, Iterable[int]]] = (
        ("plain", plain),
        ("gold", golden),
        ("aa", identical),
        ("repeat", repeated),
    )
    return [Slot(item, kind) for kind, items in kinds for item in items]


def _by_hash(ids: Iterable[int], seed: int, use: str) -> list[int]:
    return sorted(ids, key=lambda item: (hashlib.sha256(f"{seed}\0{use}\0{item}".encode()).digest(), item))
