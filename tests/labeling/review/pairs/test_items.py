"""Items: shares are kept, nothing is shown twice as plain, and the draw depends on nothing but the seed."""

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.errors import SelvedgeError
from labeling.review.pairs.items import allocate, draw_items, plan_slots, products_of_test_split
from tests.labeling.review.rounds_for_tests import catalogue, plan


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 10**6), min_size=1), st.floats(0, 1))
def test_allocation_sums_and_is_within_one_of_proportional(sizes: dict[str, int], share: float) -> None:
    available = sum(sizes.values())
    total = int(share * available)
    given = allocate(sizes, total)
    assert sum(given.values()) == total
    for name, size in sizes.items():
        assert 0 <= given[name] <= size
        assert abs(given[name] * available - total * size) < max(1, available)


@given(st.integers(1, 90), st.integers(0, 1000), st.randoms())
def test_a_draw_depends_on_the_seed_alone(number: int, seed: int, shuffle) -> None:
    products = products_of_test_split(*catalogue(90))
    rows = list(range(len(products)))
    shuffle.shuffle(rows)
    drawn = draw_items(products, number, seed)
    assert draw_items(products.iloc[rows], number, seed) == drawn
    assert len(set(drawn)) == len(drawn) == number


def test_another_seed_draws_others() -> None:
    products = products_of_test_split(*catalogue(200))
    assert draw_items(products, 40, 1) != draw_items(products, 40, 2)


@given(st.integers(1, 60), st.integers(0, 10), st.floats(0, 0.5), st.floats(0, 0.5), st.floats(0, 0.5))
def test_slots_keep_the_plan(items: int, seed: int, gold: float, aa: float, repeat: float) -> None:
    products = products_of_test_split(*catalogue(140))
    plantable, differing = set(range(1, 141, 2)), set(range(1, 131))
    wanted = plan(items=items, seed=seed, gold_share=gold, aa_share=aa, repeat_share=repeat)
    slots = plan_slots(wanted, products, plantable, differing)
    of = {kind: [slot.item for slot in slots if slot.kind == kind] for kind in ("plain", "gold", "aa", "repeat")}
    assert len(of["plain"]) == items
    assert [len(of[kind]) for kind in ("gold", "aa", "repeat")] == [wanted.extra(one) for one in (gold, aa, repeat)]
    distinct = of["plain"] + of["gold"] + of["aa"]
    assert len(set(distinct)) == len(distinct)
    assert set(of["gold"]) <= plantable and set(of["plain"]) <= differing
    assert set(of["repeat"]) <= set(of["plain"])
    assert len(set(slots)) == len(slots)


def test_strata_are_kept() -> None:
    products = products_of_test_split(*catalogue(120))
    drawn = products[products["product_id"].isin(draw_items(products, 60, 3))]
    assert (drawn["article_type"].value_counts() == 15).all()


def test_only_the_delivery_a_split_vouches_for() -> None:
    products, splits = catalogue(4)
    again = products.assign(drop="d2")
    splits.loc[splits["product_id"] == 2, "split"] = "train"
    found = products_of_test_split(pd.concat([again, products]), splits)
    assert found["product_id"].tolist() == [1, 3, 4]


def test_a_missing_gender_is_a_stratum_of_its_own() -> None:
    products, splits = catalogue(10)
    products.loc[:4, "gender"] = None
    assert len(draw_items(products_of_test_split(products, splits), 10, 0)) == 10


def test_too_little_is_one_sentence() -> None:
    products, splits = catalogue(10)
    with pytest.raises(SelvedgeError, match="test split is empty"):
        products_of_test_split(products, splits.assign(split="train"))
    test = products_of_test_split(products, splits)
    with pytest.raises(
        SelvedgeError, match=r"needs 23 test products \(plain 20, gold 2, identical 1\), but there are 10"
    ):
        plan_slots(plan(), test, {1, 2}, set(range(11)))
    with pytest.raises(SelvedgeError, match="can be planted in 0 test products"):
        plan_slots(plan(items=5), test, set(), set(range(11)))
    with pytest.raises(SelvedgeError, match="needs 5 test products whose two results differ, but there are 2 besides"):
        plan_slots(plan(items=5, gold_share=0.0), test, set(), {1, 2})
