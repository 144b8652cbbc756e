"""Products that a request may name: those of the home's tables, or of a catalogue directory, as they stand now.

Belongs here: finding one with its picture and published attributes, the brands there are. Not here: where the tables
lie (discovery/shelf.py lists them), what an ad is made of (making.py).
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from threading import Lock

import pandas as pd

from catalog.errors import SelvedgeError
from catalog.standing import with_files_here
from catalog.tables import read_table
from inference.ad_images.orders import AdOrder, orders_of
from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.discovery.shelf import FRESH_SECONDS, DropFiles, stamp_of
from inference.tables import ATTRIBUTES


@dataclass(frozen=True)
class _Drop:
    """Tables of a drop by product id. stamp: of their files."""

    stamp: tuple[object, ...]
    products: pd.DataFrame
    images: pd.DataFrame
    attributes: pd.DataFrame


@dataclass
class Products:
    """The products of some drops.

    Args:
        files: the drops as they are now, newest last; asked again before an answer.
    """

    files: Callable[[], Sequence[DropFiles]]
    _drops: dict[str, _Drop] = field(default_factory=dict)
    _looked: float = float("-inf")
    _lock: Lock = field(default_factory=Lock)

    def find(self, product_id: int, drop: str | None = None) -> AdOrder:
        """The product as an ad is ordered of it, from the newest drop that has it, or from the one that is named.

        Raises:
            AdRefused: NO_PRODUCT: no drop has it, or it has no picture. SelvedgeError: a table is damaged.
        """
        drops = self._fresh()
        if drop is not None and drop not in drops:
            raise AdRefused(RefusalCode.NO_PRODUCT, f"there is no drop {drop!r:.60}; name another, or leave it out.")
        for name in [drop] if drop is not None else reversed(drops):
            kept = drops[name]
            if product_id in kept.products.index:
                rows = (frame[frame.index == product_id] for frame in (kept.products, kept.images, kept.attributes))
                products, images, attributes = (frame.reset_index(drop=True) for frame in rows)
                for order in orders_of(products, images, attributes, stamps={}):
                    return order
                raise AdRefused(RefusalCode.NO_PRODUCT, f"product {product_id} has no picture; send one as `photo`.")
        raise AdRefused(RefusalCode.NO_PRODUCT, f"there is no product {product_id}; see the products table for ids.")

    def brands(self) -> tuple[str, ...]:
        """Of all drops, sorted: a prompt may name the product's own."""
        named = {str(brand) for kept in self._fresh().values() for brand in kept.products["brand"].dropna().unique()}
        return tuple(sorted(named - {""}))

    def count(self) -> int:
        """How many products can be named."""
        return len({number for kept in self._fresh().values() for number in kept.products.index})

    def _fresh(self) -> dict[str, _Drop]:
        with self._lock:
            if time.monotonic() - self._looked >= FRESH_SECONDS:
                now = {entry.drop: self._current(entry) for entry in self.files()}
                self._drops, self._looked = now, time.monotonic()
            return self._drops

    def _current(self, files: DropFiles) -> _Drop:
        stamp = tuple(stamp_of(file) for file in (files.products, files.images, files.attributes))
        kept = self._drops.get(files.drop)
        return kept if kept is not None and kept.stamp == stamp else _read(files, stamp)


def _read(files: DropFiles, stamp: tuple[object, ...]) -> _Drop:
    if not files.images.exists():
        raise SelvedgeError(f"{files.images} does not exist; standardise the drop's images first.")
    images = with_files_here(read_table(files.images), files.root).to_pandas()
    attributes = pd.DataFrame(columns=ATTRIBUTES.names)
    if files.attributes.exists():
        attributes = read_table(files.attributes).to_pandas()
    frames = (read_table(files.products).to_pandas(), images, attributes)
    return _Drop(stamp, *(frame.set_index("product_id", drop=False) for frame in frames))
