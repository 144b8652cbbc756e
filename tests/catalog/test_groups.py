"""Groups: what links two products, and what must not."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.groups import DHASH_THRESHOLD, Links, as_frame, item_name, near_pairs
from tests.catalog.shops import groups_of, products_table, spread_hash


def flipped(dhash: str, bits: int) -> str:
    """The hash with its first bits turned over."""
    return f"{int(dhash, 16) ^ ((1 << bits) - 1):064x}"


def partition(rows: list[dict[str, object]]) -> set[frozenset[int]]:
    groups = groups_of(products_table(rows))
    return {frozenset(product for product in groups if groups[product] == group) for group in groups.values()}


def together(first: dict[str, object], second: dict[str, object]) -> bool:
    return len(partition([{"product_id": 1, **first}, {"product_id": 2, **second}])) == 1


def named(name: str) -> dict[str, object]:
    return {"product_display_name": name}


@pytest.mark.parametrize(
    ("first", "second", "linked"),
    [
        (named("Arden Men Navy Blue Check Shirt"), named("Arden Men White Check Shirts"), True),
        (named("Arden Men's T-Shirt"), named("ARDEN mens tshirt"), True),
        (named("Arden Men Check Shirt"), named("Corvanne Men Check Shirt"), False),
        (named("Arden Men Check Shirt"), named("Arden Women Check Shirt"), False),
        (named("Men Black Check Shirt"), named("Men White Check Shirt"), False),  # says nothing but the type
        ({"image_sha256": "a" * 64}, {"image_sha256": "a" * 64}, True),
        ({"brand": "Fennick", "variant": "Arley Loop"}, {"brand": "FENNICK", "variant": "Red Arley Loop"}, True),
        ({"brand": "Fennick", "variant": "Arley Loop"}, {"brand": "Mossfield", "variant": "Arley Loop"}, False),
        ({"brand": "Fennick", "variant": "Solid"}, {"brand": "Fennick", "variant": "Solid"}, False),
        (
            {"brand": "Fennick", "variant": "Arley"},
            {"brand": "Fennick", "variant": "Arley", "article_type": "Jeans"},
            False,
        ),
        ({"brand": None, "variant": "Arley"}, {"brand": None, "variant": "Arley"}, False),
        ({"product_display_name": None}, {"product_display_name": None}, False),
        ({"image_dhash": spread_hash(5)}, {"image_dhash": flipped(spread_hash(5), DHASH_THRESHOLD)}, True),
        ({"image_dhash": spread_hash(5)}, {"image_dhash": flipped(spread_hash(5), DHASH_THRESHOLD + 1)}, False),
        ({"image_dhash": spread_hash(5)}, {"image_dhash": spread_hash(5), "article_type": "Jeans"}, False),
        ({"image_dhash": "0" * 64}, {"image_dhash": "0" * 64}, False),  # two blank pictures
        (
            {"image_dhash": spread_hash(5), "article_type": None},
            {"image_dhash": spread_hash(5), "article_type": None},
            True,
        ),
    ],
)
def test_what_links_two_products(first: dict[str, object], second: dict[str, object], linked: bool) -> None:
    assert together(first, second) is linked


def test_links_are_transitive_and_named_after_the_smallest_id() -> None:
    table = products_table(
        [
            {"product_id": 30, **named("Arden Loop Shirt")},
            {"product_id": 20, **named("Arden Loop Shirt"), "image_sha256": "b" * 64},
            {"product_id": 25, "image_sha256": "b" * 64},
            {"product_id": 40},
        ]
    )
    assert groups_of(table) == {30: "g20", 20: "g20", 25: "g20", 40: "g40"}


def test_a_product_of_two_drops_is_one_product() -> None:
    rows = [{"product_id": 1, **named("First Name")}, {"product_id": 1, "drop": "d2", **named("Other Name")}]
    assert groups_of(products_table(rows)) == {1: "g1"}


def test_an_item_name_keeps_what_tells_items_apart() -> None:
    assert item_name("Puma Men Black Dizzy Belts", "Belts") == "puma men dizzy belt"
    assert item_name("Women Printed Top", "Tops") is None
    assert item_name("Model 9007-203 Shirts", "Shirts") == "model 9007 203 shirt"


@given(st.integers(2, 60), st.integers(0, 2**32), st.floats(0, 1))
@settings(max_examples=40, deadline=None)
def test_near_pairs_are_exactly_those_of_a_plain_loop(rows: int, seed: int, share_new: float) -> None:
    rng = np.random.default_rng(seed)
    centres = [spread_hash(int(c)) for c in rng.integers(0, 5, rows)]
    hashes = [flipped(centre, int(bits)) for centre, bits in zip(centres, rng.integers(0, 40, rows), strict=True)]
    types = rng.choice(["Shirts", "Jeans"], rows)
    table = products_table(
        [
            {"product_id": i, "image_dhash": dhash, "article_type": str(article)}
            for i, (dhash, article) in enumerate(zip(hashes, types, strict=True))
        ]
    )
    new = rng.random(rows) < share_new
    expected = {
        frozenset((i, j))
        for i in range(rows)
        for j in range(i)
        if types[i] == types[j]
        and (new[i] or new[j])
        and (int(hashes[i], 16) ^ int(hashes[j], 16)).bit_count() <= DHASH_THRESHOLD
    }
    pairs = list(near_pairs(as_frame(table), new))
    assert {frozenset(pair) for pair in pairs} == expected
    assert len(pairs) == len(expected)  # each pair once
    assert all(new[first] for first, _ in pairs)


@given(st.integers(1, 30), st.lists(st.tuples(st.integers(0, 29), st.integers(0, 29)), max_size=40))
def test_links_are_the_connected_components(rows: int, pairs: list[tuple[int, int]]) -> None:
    pairs = [(a % rows, b % rows) for a, b in pairs]
    links = Links(rows)
    for first, second in pairs:
        links.join(first, second)
    labels = list(range(rows))
    for _ in range(rows):  # the plain way: spread the smallest label until nothing changes
        for a, b in pairs:
            labels[a] = labels[b] = min(labels[a], labels[b])
    assert [links.root(row) for row in range(rows)] == labels
