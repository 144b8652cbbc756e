"""Kinds of pair: what the two sides of a comparison are, and what is asked about them.

Belongs here: the protocol and the kinds that show texts. Not here: pictures (strips.py), which products and slots
(items.py), layout (rendering.py).

A kind turns a version's table into results, levels two results in what must not tell them apart, renders one as HTML,
and plants an error for a gold pair. Nothing it is given carries a version's name, so nothing it renders can.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import pandas as pd

from catalog.errors import SelvedgeError
from catalog.schema import AttributeSchema
from labeling.review.label_page import Sides
from labeling.review.pairs.planting import VISIBLE, contradict_text, contradicting_value
from labeling.review.pairs.rendering import escaped

Result = TypeVar("Result")
NOT_STATED = "–"


@dataclass(frozen=True)
class Product:
    """What is known of a product besides the results.

    labels: the catalogue's own values by attribute, in the vocabulary. picture: reads what both sides are held against,
    the product's picture file or a card that says what was asked.
    """

    product_id: int
    labels: Mapping[str, str]
    picture: Callable[[], bytes]


class PairKind(Protocol, Generic[Result]):
    """One way to compare two versions of a family on one product.

    A `Result` is whatever one version says or shows about one product; no other part looks into it.

    Attributes:
        name: as plans name it. question: one sentence over the pair. guidelines: HTML, the same for every pair.
        reasons: optional tags an annotator may add. sides: what `render` gives.
    """

    @property
    def name(self) -> str: ...
    @property
    def question(self) -> str: ...
    @property
    def guidelines(self) -> str: ...
    @property
    def reasons(self) -> tuple[str, ...]: ...
    @property
    def sides(self) -> Sides: ...

    def read(self, table: pd.DataFrame) -> dict[int, Result]:
        """Results by product id. Raises SelvedgeError for a table that is not of this kind."""
        ...

    def level(self, one: Result, another: Result) -> tuple[Result, Result]:
        """Both results with cues that say nothing about quality made equal, in the order given."""
        ...

    def render(self, result: Result) -> str:
        """One side: escaped HTML, or a picture by `rendering.picture_uri`; a function of the result alone."""
        ...

    def plant(self, result: Result, product: Product, seed: int) -> Result | None:
        """The result with one error that the picture shows to be one; None where none can be planted."""
        ...


Card = tuple[tuple[str, str | None], ...]  # attribute, value or None where the model abstained


@dataclass(frozen=True)
class AttributeCards:
    """Product photo and two attribute cards. Confidences are not shown: their spread would name the model."""

    schema: AttributeSchema
    visible: tuple[str, ...] = VISIBLE
    name: str = "attribute-cards"
    question: str = "Which card describes the product in the picture better?"
    guidelines: str = (
        "<p>Look at the picture first. The better card has more right values and fewer wrong ones. A dash means that "
        "no value was given: that is better than a wrong value and worse than a right one.</p><p>Choose <b>tie</b> "
        "when you see no difference, and <b>both bad</b> when neither card should be published.</p>"
    )
    reasons: tuple[str, ...] = ("wrong value", "value missing", "too vague")
    sides: Sides = "html"

    def read(self, table: pd.DataFrame) -> dict[int, Card]:
        need_columns(table, "attributes", ("product_id", "attribute", "value", "abstained"))
        cards: dict[int, dict[str, str | None]] = {}
        columns = (table[name] for name in ("product_id", "attribute", "value", "abstained"))
        for product_id, attribute, value, abstained in zip(*columns, strict=True):
            card = cards.setdefault(int(product_id), {})
            if str(attribute) in card:
                raise SelvedgeError(f"table attributes answers {attribute} of product {product_id} twice; keep one.")
            card[str(attribute)] = None if abstained or pd.isna(value) else str(value)
        return {product_id: tuple(sorted(card.items())) for product_id, card in cards.items()}

    def level(self, one: Card, another: Card) -> tuple[Card, Card]:
        """Both cards list the same attributes in the same order; one a version was not asked is a dash on its card."""
        first, second = dict(one), dict(another)
        names = sorted(first.keys() | second.keys())
        return tuple((name, first.get(name)) for name in names), tuple((name, second.get(name)) for name in names)

    def render(self, result: Card) -> str:
        rows = (
            f"<tr><th>{escaped(name)}</th><td>{NOT_STATED if value is None else escaped(value)}</td></tr>"
            for name, value in result
        )
        return f'<table class="card">{"".join(rows)}</table>'

    def plant(self, result: Card, product: Product, seed: int) -> Card | None:
        said = dict(result)
        for name in self.visible:
            label = product.labels.get(name)
            if label is None or said.get(name) != label:
                continue
            wrong = contradicting_value(self.schema, name, label, f"{seed}/{product.product_id}")
            if wrong is not None:
                return tuple(sorted((said | {name: wrong}).items()))
        return None


@dataclass(frozen=True)
class Descriptions:
    """Product photo and two descriptions."""

    schema: AttributeSchema
    visible: tuple[str, ...] = VISIBLE
    name: str = "descriptions"
    question: str = "Which description would you rather publish with the picture?"
    guidelines: str = (
        "<p>Look at the picture first. A description that says something wrong about the product is worse than one "
        "that leaves something out. Between two that are right, choose the one that helps a customer more and reads "
        "better.</p><p>Choose <b>tie</b> when you see no difference, and <b>both bad</b> when neither should be "
        "published.</p>"
    )
    reasons: tuple[str, ...] = ("says something wrong", "leaves something out", "reads badly")
    sides: Sides = "html"

    def read(self, table: pd.DataFrame) -> dict[int, str]:
        need_columns(table, "descriptions", ("product_id", "text"))
        texts: dict[int, str] = {}
        for product_id, text in zip(table["product_id"], table["text"], strict=True):
            if int(product_id) in texts:
                raise SelvedgeError(f"table descriptions describes product {product_id} twice; keep one.")
            texts[int(product_id)] = "" if pd.isna(text) else str(text)
        return texts

    def level(self, one: str, another: str) -> tuple[str, str]:
        return one, another  # layout is levelled when a side is rendered; length and wording are the result

    def render(self, result: str) -> str:
        return f'<p class="text">{escaped(result) or NOT_STATED}</p>'

    def plant(self, result: str, product: Product, seed: int) -> str | None:
        for name in self.visible:
            label = product.labels.get(name)
            wrong = contradict_text(self.schema, name, label, result, f"{seed}/{product.product_id}") if label else None
            if wrong is not None:
                return wrong
        return None


def need_columns(table: pd.DataFrame, name: str, columns: Sequence[str]) -> None:
    """Raises: SelvedgeError: a table lacks a column that its kind shows."""
    missing = [column for column in columns if column not in table]
    if missing:
        raise SelvedgeError(f"table {name} has no column {missing[0]}; a round cannot show it.")


def catalogue_labels(qa_pairs: pd.DataFrame) -> dict[int, dict[str, str]]:
    """The catalogue's own values by product and attribute, from table `qa_pairs`."""
    labels: dict[int, dict[str, str]] = {}
    columns = (qa_pairs[name] for name in ("product_id", "attribute", "value"))
    for product_id, attribute, value in zip(*columns, strict=True):
        labels.setdefault(int(product_id), {})[str(attribute)] = str(value)
    return labels
