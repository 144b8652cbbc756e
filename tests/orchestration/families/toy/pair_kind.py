"""The toy's own kind of pair: two numbers for a product, its own table, its own style.

Belongs here: everything that sets the kind apart (labeling/review/pairs/kinds.PairKind), and the table's contract.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd
import pyarrow as pa

from catalog.schema import AttributeSchema
from catalog.tables import declare_table
from labeling.review.label_page import Sides
from labeling.review.pairs.products import Product
from tests.labeling.review.rounds_for_tests import photo

NUMBERS = "toy_numbers"
declare_table(NUMBERS, pa.schema([("product_id", pa.int64()), ("number", pa.int64())]))


@dataclass(frozen=True)
class Numbers:
    """The number that a version gives for a product."""

    name: str = "toy-numbers"
    label: str = "pairs of numbers"
    base: str | None = "no number at all"
    results: str = NUMBERS
    further: tuple[str, ...] = ()
    question: str = "Which number is right?"
    guidelines: str = "<p>Count.</p>"
    reasons: tuple[str, ...] = ("too large",)
    sides: Sides = "html"
    style: str = ".toy-numbers .number { font-size: 3em }"

    def read(self, table: pd.DataFrame) -> dict[int, int]:
        return dict(zip(table["product_id"].astype(int), table["number"].astype(int), strict=True))

    def products(
        self, results: pd.DataFrame, further: Mapping[str, pd.DataFrame], vocabulary: AttributeSchema | None
    ) -> Callable[[int], Product]:
        return lambda product_id: Product(product_id, {}, lambda: photo(product_id))

    def level(self, first: int, second: int) -> tuple[int, int]:
        return first, second

    def render(self, result: int) -> str:
        return f'<p class="number">{result}</p>'

    def plant(self, result: int, product: Product, seed: int) -> int | None:
        return result + 1000

    def report(self, candidate: str, opponent: str) -> tuple[str, str]:
        return candidate, opponent
