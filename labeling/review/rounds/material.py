"""Material: what the pairs of a round are made of.

Belongs here: both versions' results beside the products they are of. Not here: the tables they are read from
(compared.py), making a pair (tasks.py), which products are shown (labeling/review/pairs/items.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

import pandas as pd

from catalog.errors import SelvedgeError
from labeling.review.pairs.blinding import Version
from labeling.review.pairs.kinds import PairKind
from labeling.review.pairs.products import Product

Result = TypeVar("Result")


@dataclass(frozen=True)
class Material(Generic[Result]):
    """The kind of pair, both versions' results and the products, by product id. seed: of planted errors, the plan's."""

    kind: PairKind[Result]
    candidate: Mapping[int, Result]
    champion: Mapping[int, Result]
    products: Mapping[int, Product]
    seed: int

    def of(self, version: Version) -> Mapping[int, Result]:
        return self.candidate if version == "candidate" else self.champion

    def differs(self, item: int) -> bool:
        """Whether the two versions show something different of a product that both have a result for."""
        first, second = self.kind.level(self.candidate[item], self.champion[item])
        return bool(first != second)

    def can_be_planted(self, version: Version, item: int) -> bool:
        """Whether an error can be planted in what a version says of a product."""
        result = self.of(version).get(item)
        return result is not None and self.kind.plant(result, self.products[item], self.seed) is not None


def gather_material(
    kind: PairKind[Result],
    candidate: pd.DataFrame,
    champion: pd.DataFrame,
    product: Callable[[int], Product],
    seed: int,
) -> Material[Result]:
    """What pairs are made of.

    Args:
        candidate, champion: both versions' tables, as the kind reads them.
        product: what both are held against, by product id; from `PairKind.products`.
        seed: the plan's.

    Raises:
        SelvedgeError: a table is not of the kind, or a version has no result at all.
    """
    results = {"candidate": kind.read(candidate), "champion": kind.read(champion)}
    for version, by_product in results.items():
        if not by_product:
            raise SelvedgeError(f"the {version} has no results to show; run it over the test products first.")
    both = sorted(results["candidate"].keys() & results["champion"].keys())
    return Material(kind, results["candidate"], results["champion"], {item: product(item) for item in both}, seed)
