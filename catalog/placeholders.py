"""Placeholders: one picture file that stands for several products which it cannot all show.

Belongs here: finding them among the pictures of a delivery. Not here: blank pictures (pictures.py), which products
share a split (groups.py).

Two rows of one item may well share a photograph, and two items now and then do (a shop that reuses one). Three items
of different names with the very same bytes are a "no image available", which says nothing about any of them: a model
must not be taught by it or asked about it, and a group must not be formed by it.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from catalog.groups import item_name

PLACEHOLDER_ITEMS = 3  # real catalogues: 54 shared photographs among 5,470 products, never of more than two items
SHOWN_IDS = 3


def shared_pictures(records: Sequence[Mapping[str, Any]]) -> tuple[dict[int, str], list[list[int]]]:
    """Products whose picture is a placeholder, and pictures that two items share.

    Args:
        records: products with product_id, image_sha256, article_type and product_display_name.

    Returns:
        by product id of every product on a placeholder why it is one; and the product ids on each picture that stands
        for two items.
    """
    by_picture: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for record in records:
        by_picture[record["image_sha256"]].append(record)
    placeholders: dict[int, str] = {}
    doubtful: list[list[int]] = []
    for alike in by_picture.values():
        items = {_item(record) for record in alike} if len(alike) > 1 else set()
        ids = [record["product_id"] for record in alike]
        if len(items) >= PLACEHOLDER_ITEMS:
            shown = ", ".join(map(str, ids[:SHOWN_IDS])) + (", …" if len(ids) > SHOWN_IDS else "")
            why = f"the same file as the picture of {len(ids)} products of {len(items)} names ({shown})"
            placeholders |= dict.fromkeys(ids, why)
        elif len(items) > 1:
            doubtful.append(ids)
    return placeholders, doubtful


def _item(record: Mapping[str, Any]) -> tuple[str, str]:
    name, article_type = record["product_display_name"] or "", record["article_type"] or ""
    return article_type, item_name(name, article_type) or name
