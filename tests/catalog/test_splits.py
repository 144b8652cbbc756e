"""Splits: nothing leaks, nothing known ever changes, and new products follow their group."""

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import SelvedgeError
from catalog.splits import EXCLUDED, SPLITS, Leak, assign_splits, assigned_deliveries, leaks, split_of, split_summary
from catalog.tables import schema_of
from tests.catalog.shops import products_table, spread_hash


def earlier(rows: list[tuple[int, str, str]]) -> pa.Table:
    columns = ["product_id", "group_id", "split"]
    return pa.Table.from_pylist(
        [{**dict(zip(columns, row, strict=True)), "drop": "d1"} for row in rows], schema=schema_of("splits")
    )


def by_product(splits: pa.Table) -> dict[int, tuple[str, str]]:
    return {row["product_id"]: (row["group_id"], row["split"]) for row in splits.to_pylist()}


def test_first_splits_follow_the_groups() -> None:
    rows = [{"product_id": i, "product_display_name": f"Arden Loop{i // 3} Shirt"} for i in range(300)]
    products = products_table(rows)
    splits = assign_splits(products)
    assert splits.schema == schema_of("splits")
    assigned = by_product(splits)
    assert {i: group for i, (group, _) in assigned.items()} == {i: f"g{i - i % 3}" for i in range(300)}
    assert all(split == split_of(group) for group, split in assigned.values())
    assert leaks(splits, products) == []


def test_shares_are_eighty_ten_ten() -> None:
    drawn = [split_of(f"g{i}") for i in range(20_000)]
    shares = [drawn.count(split) / len(drawn) for split in SPLITS]
    assert shares == pytest.approx([0.8, 0.1, 0.1, 0.0], abs=0.01)


# Attributes that may coincide, from small sets, so that random catalogues are full of links and bridges.
PRODUCT = st.fixed_dictionaries(
    {
        "product_display_name": st.sampled_from([f"Arden Line{n} Shirt" for n in range(6)] + [None]),
        "image_sha256": st.integers(0, 12).map(lambda n: f"{n:064x}"),
        "image_dhash": st.integers(0, 8).map(spread_hash),
        "article_type": st.sampled_from(["Shirts", "Tops"]),
    }
)


@given(st.lists(st.lists(PRODUCT, max_size=8), min_size=1, max_size=5), st.randoms(use_true_random=False))
@settings(max_examples=40, deadline=None)
def test_growth_changes_nothing_and_never_leaks(drops: list[list[dict[str, object]]], random: object) -> None:
    ids = list(range(1, 100))
    random.shuffle(ids)  # type: ignore[attr-defined]
    rows: list[dict[str, object]] = []
    splits: pa.Table | None = None
    for number, drop in enumerate(drops):
        rows += [{**product, "product_id": ids.pop(), "drop": f"d{number}"} for product in drop]
        products = products_table(rows)
        before = splits
        splits = assign_splits(products, before)
        if before is not None:
            assert splits.slice(0, before.num_rows).equals(before)
        assert sorted(splits.column("product_id").to_pylist()) == sorted(int(str(row["product_id"])) for row in rows)
        assert set(splits.column("split").to_pylist()) <= set(SPLITS)
        assert leaks(splits, products) == []
        assert splits.equals(assign_splits(products, before))  # deterministic
    assert splits is not None
    assert splits.equals(assign_splits(products_table(rows), splits))  # nothing new, nothing changes


@given(st.lists(PRODUCT, min_size=1, max_size=10), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_the_order_of_rows_does_not_matter(drop: list[dict[str, object]], random: object) -> None:
    rows = [{**product, "product_id": number + 1} for number, product in enumerate(drop)]
    expected = by_product(assign_splits(products_table(rows)))
    random.shuffle(rows)  # type: ignore[attr-defined]
    assert by_product(assign_splits(products_table(rows))) == expected


def test_a_new_product_joins_its_group_whatever_its_hash_says() -> None:
    products = products_table(
        [
            {"product_id": 50, "product_display_name": "Arden Loop Shirt"},
            {"product_id": 3, "product_display_name": "Arden Loop Red Shirt", "drop": "d2"},
        ]
    )
    for split in SPLITS[:3]:
        assert by_product(assign_splits(products, earlier([(50, "g50", split)])))[3] == ("g50", split)


def test_products_that_bridge_two_splits_are_excluded_and_later_ones_are_not() -> None:
    left, right = "Arden Loop Shirt", "Corvanne Vale Shirt"
    before = earlier([(1, "g1", "train"), (2, "g2", "test")])
    rows = [
        {"product_id": 1, "product_display_name": left},
        {"product_id": 2, "product_display_name": right},
        {"product_id": 3, "product_display_name": left, "image_dhash": spread_hash(2), "drop": "d2"},
    ]
    second = assign_splits(products_table(rows), before)
    assert by_product(second)[3] == ("g3", EXCLUDED)
    assert split_summary(second)["excluded"] == 1
    assert leaks(second, products_table(rows)) == []
    rows.append({"product_id": 4, "product_display_name": left, "drop": "d3"})
    assert by_product(assign_splits(products_table(rows), second))[4] == ("g1", "train")


def test_a_bridge_between_groups_of_one_split_keeps_both_groups() -> None:
    rows = [
        {"product_id": 1, "product_display_name": "Arden Loop Shirt"},
        {"product_id": 2, "product_display_name": "Corvanne Vale Shirt"},
        {"product_id": 3, "product_display_name": "Arden Loop Shirt", "image_dhash": spread_hash(2), "drop": "d2"},
    ]
    assigned = by_product(assign_splits(products_table(rows), earlier([(1, "g1", "test"), (2, "g2", "test")])))
    assert assigned == {1: ("g1", "test"), 2: ("g2", "test"), 3: ("g1", "test")}


def test_known_products_that_left_the_catalogue_keep_their_split() -> None:
    splits = assign_splits(products_table([{"product_id": 2}]), earlier([(1, "g1", "test")]))
    assert by_product(splits)[1] == ("g1", "test")


def test_a_redelivered_product_counts_with_the_image_it_was_assigned_with() -> None:
    rows = [
        {"product_id": 1, "image_sha256": "a" * 64},
        {"product_id": 2, "image_sha256": "b" * 64},
        {"product_id": 1, "image_sha256": "b" * 64, "drop": "d2"},  # a new picture, which product 2 has too
    ]
    before = earlier([(1, "g1", "train"), (2, "g2", "test")])
    splits = assign_splits(products_table(rows), before)
    assert splits.equals(before)
    assert leaks(splits, products_table(rows)) == []
    trained_on = assigned_deliveries(products_table(rows), splits)
    assert trained_on.column("image_sha256").to_pylist() == ["a" * 64, "b" * 64]
    rows.append({"product_id": 3, "image_sha256": "b" * 64, "drop": "d3"})  # joins both, by either picture
    assert by_product(assign_splits(products_table(rows), splits))[3] == ("g3", EXCLUDED)


def test_leaks_are_named() -> None:
    products = products_table([{"product_id": i, "image_sha256": "c" * 64 if i > 1 else "d" * 64} for i in (1, 2, 3)])
    leaking = leaks(earlier([(1, "g1", "train"), (2, "g1", "test"), (3, "g3", "validation")]), products)
    assert leaking == [
        Leak("group", "g1", ("test", "train"), (1, 2)),
        Leak("image", "c" * 64, ("test", "validation"), (2, 3)),
    ]
    excluded = earlier([(1, "g1", "train"), (2, "g1", "excluded"), (3, "g3", "validation")])
    assert leaks(excluded, products) == []


@pytest.mark.parametrize("use", [lambda s, p: leaks(s, p), lambda s, p: assign_splits(p, s)])
def test_an_unknown_split_is_refused(use: object) -> None:
    products = products_table([{"product_id": 1}])
    with pytest.raises(SelvedgeError, match="unknown split 'holdout'"):
        use(earlier([(1, "g1", "holdout")]), products)  # type: ignore[operator]
