"""Splits: train, validation or test for every product, never dividing a group, never changing an assignment.

Belongs here: assigning, the proof that nothing leaks, a summary. Not here: what links two products (groups.py).

A group's split is a hash of its id, so it depends on nothing else in the catalogue. When the catalogue grows, new
products follow the group they join; new products that would join groups of different splits are `excluded`.
"""

import hashlib
from collections import defaultdict
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

from catalog.errors import SelvedgeError
from catalog.groups import Links, Rows, as_frame, group_name, link_keys, near_pairs
from catalog.tables import as_table

TRAIN, VALIDATION, TEST, EXCLUDED = "train", "validation", "test", "excluded"
SPLITS = (TRAIN, VALIDATION, TEST, EXCLUDED)
TRAIN_SHARE, VALIDATION_SHARE = 0.8, 0.1  # of groups; the rest is test


class Leak(NamedTuple):
    """Something that is in two splits and must not be."""

    kind: str  # "group" or "image"
    key: str  # the group id or the image's sha256
    splits: tuple[str, ...]
    product_ids: tuple[int, ...]


def split_of(group_id: str) -> str:
    """The split of a newly formed group."""
    draw = int.from_bytes(hashlib.sha256(group_id.encode()).digest()[:8]) / 2**64
    return TRAIN if draw < TRAIN_SHARE else VALIDATION if draw < TRAIN_SHARE + VALIDATION_SHARE else TEST


def assign_splits(products: Rows, earlier: Rows | None = None) -> pa.Table:
    """The split of every product.

    Args:
        products: schema `products`, of every drop read so far, the earlier ones included: a new product is compared
            with all of them.
        earlier: the assignment so far (schema `splits`); its rows come back unchanged.

    Returns:
        schema `splits`: the earlier rows in their order, then new products by id. Two new products that belong together
        get one group; one that belongs to a known group gets its group and split; those that belong to known groups of
        different splits, and all new ones linked with them, are `excluded`.

    Raises:
        SelvedgeError: `earlier` holds a split that does not exist.
    """
    frame = as_frame(products)
    before = _known_frame(earlier)
    assigned = before.set_index("product_id")
    is_new = ~frame["product_id"].isin(assigned.index).to_numpy()
    links = Links(len(frame))
    touched = _link_new_rows(frame, is_new, assigned, links)

    rows_of: dict[int, list[int]] = defaultdict(list)
    for row in np.flatnonzero(is_new):
        rows_of[links.root(int(row))].append(int(row))
    ids, drops = frame["product_id"].to_numpy(), frame["drop"].to_numpy()
    fresh: dict[int, tuple[int, str, str, str]] = {}
    for root, rows in rows_of.items():
        group, split = _place(min(int(ids[row]) for row in rows), touched[root])
        for row in rows:
            fresh.setdefault(int(ids[row]), (int(ids[row]), str(drops[row]), group, split))
    new = pd.DataFrame([fresh[key] for key in sorted(fresh)], columns=before.columns)
    return as_table(pd.concat([before, new]) if len(before) else new, "splits")


def leaks(splits: Rows, products: Rows) -> list[Leak]:
    """Groups and images that two of train, validation and test share. Empty is what it must be.

    A product's image is that of the drop it was assigned with; a later delivery of it is not trained on.

    Raises:
        SelvedgeError: a split that does not exist.
    """
    frame = _known_frame(splits)
    frame = frame[frame["split"] != EXCLUDED]
    by_image = as_frame(products)[["product_id", "drop", "image_sha256"]].merge(frame, on=["product_id", "drop"])
    return _shared(frame, "group_id", "group") + _shared(by_image, "image_sha256", "image")


def assigned_deliveries(rows: pa.Table, splits: pa.Table) -> pa.Table:
    """The rows, one a product, of the drops their products were assigned with: what may be trained on and scored.

    Args:
        rows: any table with product_id and drop. splits: schema `splits`.
    """
    key = ["product_id", "drop"]
    wanted, vouched = (pd.MultiIndex.from_frame(table.select(key).to_pandas()) for table in (rows, splits))
    return rows.filter(pa.array(wanted.isin(vouched)))


def split_summary(splits: Rows) -> dict[str, Any]:
    """Counts for metadata: products and groups by split, excluded products, the largest groups."""
    frame = _known_frame(splits)
    counted = frame[frame["split"] != EXCLUDED]
    sizes = counted["group_id"].value_counts()
    return {
        "products": {split: int((frame["split"] == split).sum()) for split in SPLITS},
        "groups": {split: int(counted.loc[counted["split"] == split, "group_id"].nunique()) for split in SPLITS[:3]},
        "excluded": int((frame["split"] == EXCLUDED).sum()),
        "largest_groups": {str(group): int(size) for group, size in sizes.head(5).items()},
        "products_in_groups_of_two_or_more": int(sizes[sizes > 1].sum()),
    }


def _link_new_rows(
    frame: pd.DataFrame, is_new: np.ndarray, assigned: pd.DataFrame, links: Links
) -> dict[int, set[tuple[str, str]]]:
    """Joins new rows among themselves; gives the known (group, split) pairs that each joined set touches.

    Known rows are ends, not bridges: two known groups that a new product joins stay two, and an excluded product joins
    nothing. Otherwise one bridging product would exclude every later product of both groups.
    """
    groups, splits = assigned["group_id"].to_dict(), assigned["split"].to_dict()
    ids = frame["product_id"].tolist()
    first_new: dict[str, int] = {}
    known_with: dict[str, set[tuple[str, str]]] = defaultdict(set)
    keys = link_keys(frame)
    for row, row_keys in enumerate(keys):
        for key in row_keys:
            if is_new[row]:
                links.join(first_new.setdefault(key, row), row)
            elif splits[ids[row]] != EXCLUDED:
                known_with[key].add((groups[ids[row]], splits[ids[row]]))
    touching: list[tuple[int, tuple[str, str]]] = []
    for first, second in near_pairs(frame, is_new):
        if is_new[second]:
            links.join(first, second)
        elif splits[ids[second]] != EXCLUDED:
            touching.append((first, (groups[ids[second]], splits[ids[second]])))
    touched: dict[int, set[tuple[str, str]]] = defaultdict(set)
    for row in np.flatnonzero(is_new):
        for key in keys[row]:
            touched[links.root(int(row))] |= known_with.get(key, set())
    for row, target in touching:
        touched[links.root(row)].add(target)
    return touched


def _place(smallest_product_id: int, touched: set[tuple[str, str]]) -> tuple[str, str]:
    if not touched:
        group = group_name(smallest_product_id)
        return group, split_of(group)
    if len({split for _, split in touched}) > 1:
        return group_name(smallest_product_id), EXCLUDED
    return min(touched, key=lambda target: (len(target[0]), target[0]))


def _known_frame(splits: Rows | None) -> pd.DataFrame:
    columns = ["product_id", "drop", "group_id", "split"]
    if splits is None:
        return pd.DataFrame({name: pd.Series(dtype=object) for name in columns})
    frame = splits.select(columns).to_pandas() if isinstance(splits, pa.Table) else splits[columns]
    unknown = sorted(set(frame["split"]) - set(SPLITS))
    if unknown:
        raise SelvedgeError(
            f"table splits holds the unknown split {unknown[0]!r}; a split is one of {', '.join(SPLITS)}."
        )
    return frame.reset_index(drop=True)


def _shared(frame: pd.DataFrame, column: str, kind: str) -> list[Leak]:
    several = frame.groupby(column)["split"].nunique()
    leaking = []
    for key in several[several > 1].index:
        rows = frame[frame[column] == key]
        leaking.append(Leak(kind, str(key), tuple(sorted(set(rows["split"]))), tuple(sorted(set(rows["product_id"])))))
    return leaking
