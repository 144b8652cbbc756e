"""Groups: which products must share a split, because one gives the other away.

Belongs here: the links between products (same item by brand and variant or by name, equal bytes, near-equal pictures)
and the groups they form. Not here: which split a group goes to, and how groups stay stable as the catalogue grows
(splits.py).

A group that is too large costs a little balance; one that is too small leaks a test product into training. So names are
compared without their colour words ("the same item in another colour"), and only names that say nothing but what every
product of the type is ("Men Black Tshirt") are left out.
"""

import re
import unicodedata
from collections.abc import Iterator
from typing import TypeAlias

import numpy as np
import pandas as pd
import pyarrow as pa

DHASH_THRESHOLD = 22
"""Bits of 256 by which two pictures of one article type may differ and still count as one photograph.

Measured by benchmarks/dhash_threshold.py. At 22: drawn catalogue, 84 pairs, precision 1.00, recall of items shot
again 0.86; real photographs, 51 pairs, all of one maker, 0.88 of one item by name, recall of altered photographs 0.93.
At 24 a ninth of the photographs' pairs join two makers. The usual hash of the whole frame joins two makers in half of
its pairs at 4 bits and recalls a twentieth there.
"""

# fmt: off
COLOUR_WORDS = frozenset((
    "aqua", "beige", "black", "blue", "bronze", "brown", "burgundy", "charcoal", "coffee", "copper", "coral", "cream",
    "dark", "fluorescent", "fuchsia", "gold", "golden", "gray", "green", "grey", "indigo", "ivory", "khaki", "lavender",
    "light", "lilac", "lime", "magenta", "maroon", "mauve", "melange", "metallic", "mint", "multi", "multicolor",
    "multicolour", "mushroom", "mustard", "navy", "nude", "off", "olive", "orange", "peach", "pink", "plum", "purple",
    "red", "rose", "royal", "rust", "sea", "silver", "skin", "sky", "steel", "tan", "taupe", "teal", "turquoise",
    "violet", "white", "wine", "yellow",
))
GENERIC_WORDS = frozenset((
    "and", "boy", "casual", "check", "checked", "cotton", "ethnic", "fit", "for", "formal", "girl", "in", "kid",
    "leather", "long", "man", "men", "of", "party", "pattern", "print", "printed", "regular", "short", "sleeve", "slim",
    "solid", "sport", "stripe", "striped", "the", "unisex", "with", "woman", "women",
))
# fmt: on
INFORMATIVE_BITS = 16  # a picture with fewer bits set (or unset) is all but blank, and blanks are not one photograph
_PAIR_ROWS = 256  # rows compared at once; 256 x 7,000 distances are 2 MB

Rows: TypeAlias = pa.Table | pd.DataFrame


def group_name(smallest_product_id: int) -> str:
    """The id of a group that is formed now; it keeps this id when smaller product ids join later."""
    return f"g{smallest_product_id}"


def as_frame(products: Rows) -> pd.DataFrame:
    """The columns that links are made of, as a frame with a fresh index."""
    columns = [
        "drop", "product_id", "article_type", "product_display_name", "brand", "variant", "image_sha256", "image_dhash",
    ]  # fmt: skip
    frame = products.select(columns).to_pandas() if isinstance(products, pa.Table) else products[columns]
    return frame.reset_index(drop=True)


def link_keys(frame: pd.DataFrame) -> list[list[str]]:
    """Per row, the keys it shares with rows of its group: product id, image bytes, item name, brand and variant."""
    keys = []
    columns = ("product_id", "image_sha256", "article_type", "product_display_name", "brand", "variant")
    for product_id, sha256, article, name, brand, variant in zip(*(frame[c] for c in columns), strict=True):
        row = [f"id:{product_id}", f"bytes:{sha256}"]
        article = article if isinstance(article, str) else ""
        if isinstance(name, str) and (item := item_name(name, article)):
            row.append(f"name:{item}")
        if isinstance(brand, str) and isinstance(variant, str) and (item := item_name(variant, article)):
            row.append(f"variant:{' '.join(_words(brand))}/{item}/{article.lower()}")
        keys.append(row)
    return keys


def item_name(name: str, article_type: str) -> str | None:
    """A display or variant name without what may differ within an item; None if nothing tells the item from others.

    Colour words go, plural and spelling ("T-Shirts", "tshirt") are evened out.
    """
    words = [word for word in _words(name) if word not in COLOUR_WORDS]
    article = set(_words(article_type))
    if all(word in GENERIC_WORDS or word in article for word in words):
        return None
    return " ".join(words)


def near_pairs(frame: pd.DataFrame, new: np.ndarray | None = None) -> Iterator[tuple[int, int]]:
    """Rows of one article type whose difference hashes differ in at most `DHASH_THRESHOLD` bits.

    Args:
        frame: from `as_frame`.
        new: bool per row; pairs of two rows that are not new are left out. All rows are new by default.
    """
    hashes = np.array([np.frombuffer(bytes.fromhex(value), np.uint64) for value in frame["image_dhash"]])
    if not len(hashes):
        return
    new = np.ones(len(frame), bool) if new is None else new
    bits = np.bitwise_count(hashes).sum(axis=1)
    telling = (bits >= INFORMATIVE_BITS) & (bits <= 256 - INFORMATIVE_BITS)
    for rows in frame["article_type"].fillna("").groupby(frame["article_type"].fillna("")).indices.values():
        rows = rows[telling[rows]]
        old_rows, new_rows = rows[~new[rows]], rows[new[rows]]
        yield from _near(new_rows, old_rows, hashes)
        for start in range(0, len(new_rows), _PAIR_ROWS):
            yield from _near(new_rows[start : start + _PAIR_ROWS], new_rows[start:], hashes, within=True)


def _near(left: np.ndarray, right: np.ndarray, hashes: np.ndarray, within: bool = False) -> Iterator[tuple[int, int]]:
    """Near pairs of two lists of rows; `within`: `left` is the beginning of `right`, and a pair counts once."""
    columns = np.ascontiguousarray(hashes[right].T)
    for start in range(0, len(left), _PAIR_ROWS):
        chunk = left[start : start + _PAIR_ROWS]
        distance = np.zeros((len(chunk), len(right)), np.uint16)
        for word in range(4):
            distance += np.bitwise_count(hashes[chunk, word, None] ^ columns[None, word])
        for first, second in np.argwhere(distance <= DHASH_THRESHOLD):
            if not within or second > first + start:
                yield int(chunk[first]), int(right[second])


class Links:
    """Union-find over rows 0 … n-1."""

    def __init__(self, rows: int) -> None:
        self._parent = list(range(rows))

    def root(self, row: int) -> int:
        """The row that stands for this row's group."""
        parent = self._parent
        while parent[row] != row:
            parent[row] = parent[parent[row]]
            row = parent[row]
        return row

    def join(self, first: int, second: int) -> None:
        """Puts two rows, and all that is with them, in one group."""
        left, right = self.root(first), self.root(second)
        self._parent[max(left, right)] = min(left, right)


def _words(text: str) -> list[str]:
    plain = unicodedata.normalize("NFKC", text).lower().replace("t-shirt", "tshirt").replace("'", "").replace("’", "")
    return [_singular(word) for word in re.findall(r"\w+", plain)]


def _singular(word: str) -> str:
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word
