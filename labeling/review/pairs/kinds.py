"""Kinds of pair: what the two sides of a comparison are, and what is asked about them.

Belongs here: the protocol and the kinds that show texts. Not here: pictures (strips.py), what both sides are held
against (products.py), which products and slots (items.py), layout (rendering.py).

A kind carries everything that sets it apart: the tables its pairs are made of, what two results must not be told apart
by, how one is rendered, an error for a gold pair, and how the report of a round shows and styles its pairs. A family
names the kinds it is shown in; nothing else knows them by name. Nothing a kind is given carries a version's name, so
nothing it renders can.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import pandas as pd

from catalog.errors import SelvedgeError
from catalog.schema import AttributeSchema
from labeling.review.label_page import Sides
from labeling.review.pairs.planting import VISIBLE, contradict_text, contradicting_value
from labeling.review.pairs.products import Product, photographed
from labeling.review.pairs.rendering import escaped

Result = TypeVar("Result")
NOT_STATED = "–"
HERE = Path(__file__).parent


class PairKind(Protocol, Generic[Result]):
    """One way to compare two versions of a family on one product.

    A `Result` is whatever one version says or shows about one product; no other part looks into it.

    Attributes:
        name: as plans name it. label: of several pairs of it, as a page says it.
        base: what a page calls the family's base as the opponent; None: "the base of" the family.
        results: the schema of both versions' tables. further: schemas of the tables that its pairs are made of besides
            those and `products` and `splits`, which every round draws its items from.
        question: one sentence over the pair. guidelines: HTML, the same for every pair.
        reasons: optional tags an annotator may add. sides: what `render` gives.
        style: CSS of its pairs in a round's report, where a pair has the classes `pair` and the kind's name.
    """

    @property
    def name(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def base(self) -> str | None: ...
    @property
    def results(self) -> str: ...
    @property
    def further(self) -> tuple[str, ...]: ...
    @property
    def question(self) -> str: ...
    @property
    def guidelines(self) -> str: ...
    @property
    def reasons(self) -> tuple[str, ...]: ...
    @property
    def sides(self) -> Sides: ...
    @property
    def style(self) -> str: ...

    def read(self, table: pd.DataFrame) -> dict[int, Result]:
        """Results by product id. Raises SelvedgeError for a table that is not of this kind."""
        ...

    def products(
        self, results: pd.DataFrame, further: Mapping[str, pd.DataFrame], vocabulary: AttributeSchema | None
    ) -> Callable[[int], Product]:
        """What both sides are held against, by product id.

        Args:
            results: a version's table. further: the tables that `further` names. vocabulary: the candidate's.
        """
        ...

    def level(self, first: Result, second: Result) -> tuple[Result, Result]:
        """Both results with cues that say nothing about quality made equal, in the order given."""
        ...

    def render(self, result: Result) -> str:
        """One side: escaped HTML, or a picture by `rendering.picture_uri`; a function of the result alone."""
        ...

    def plant(self, result: Result, product: Product, seed: int) -> Result | None:
        """The result with one error that the picture shows to be one; None where none can be planted."""
        ...

    def report(self, candidate: str, opponent: str) -> tuple[str, str]:
        """Two rendered sides as HTML of a round's report, where their differences may be marked."""
        ...


def find_kind(kinds: "Iterable[PairKind[Any]]", name: str, family: str) -> "PairKind[Any]":
    """The kind of this name among those that a family is compared in.

    Raises:
        SelvedgeError: there is none.
    """
    by_name = {kind.name: kind for kind in kinds}
    if name not in by_name:
        raise SelvedgeError(f"{family} is compared in {' or '.join(by_name)}, not in {name}; choose one.")
    return by_name[name]


Card = tuple[tuple[str, str | None], ...]  # attribute, value or None where the model abstained


@dataclass(frozen=True)
class AttributeCards:
    """Product photo and two attribute cards. Confidences are not shown: their spread would name the model."""

    visible: tuple[str, ...] = VISIBLE
    name: str = "attribute-cards"
    label: str = "attribute cards"
    base: str | None = None
    results: str = "attributes"
    further: tuple[str, ...] = ("images", "qa_pairs")
    question: str = "Which card describes the product in the picture better?"
    guidelines: str = (
        "<p>Look at the picture first. The better card has more right values and fewer wrong ones. A dash means that "
        "no value was given: that is better than a wrong value and worse than a right one.</p><p>Choose <b>tie</b> "
        "when you see no difference, and <b>both bad</b> when neither card should be published.</p>"
    )
    reasons: tuple[str, ...] = ("wrong value", "value missing", "too vague")
    sides: Sides = "html"

    @property
    def style(self) -> str:
        return (HERE / "attribute_cards.css").read_text()

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

    def products(
        self, results: pd.DataFrame, further: Mapping[str, pd.DataFrame], vocabulary: AttributeSchema | None
    ) -> Callable[[int], Product]:
        return photographed(further["images"], further["qa_pairs"], vocabulary)

    def level(self, first: Card, second: Card) -> tuple[Card, Card]:
        """Both cards list the same attributes in the same order; one a version was not asked is a dash on its card."""
        left, right = dict(first), dict(second)
        names = sorted(left.keys() | right.keys())
        return tuple((name, left.get(name)) for name in names), tuple((name, right.get(name)) for name in names)

    def render(self, result: Card) -> str:
        rows = (
            f"<tr><th>{escaped(name)}</th><td>{NOT_STATED if value is None else escaped(value)}</td></tr>"
            for name, value in result
        )
        return f'<table class="card">{"".join(rows)}</table>'

    def plant(self, result: Card, product: Product, seed: int) -> Card | None:
        values, vocabulary = dict(result), product.vocabulary
        for name in self.visible:
            label = product.labels.get(name)
            if vocabulary is None or label is None or values.get(name) != label:
                continue
            wrong = contradicting_value(vocabulary, name, label, f"{seed}/{product.product_id}")
            if wrong is not None:
                return tuple(sorted((values | {name: wrong}).items()))
        return None

    def report(self, candidate: str, opponent: str) -> tuple[str, str]:
        """Both cards; rows that differ are marked."""
        ours, theirs = candidate.split("<tr>"), opponent.split("<tr>")
        marks = ["<tr>" if row == other else '<tr class="differs">' for row, other in zip(ours, theirs, strict=True)]
        marked = ["".join([side[0], *map("".join, zip(marks[1:], side[1:], strict=True))]) for side in (ours, theirs)]
        return marked[0], marked[1]


@dataclass(frozen=True)
class Descriptions:
    """Product photo and two descriptions."""

    visible: tuple[str, ...] = VISIBLE
    name: str = "descriptions"
    label: str = "descriptions"
    base: str | None = None
    results: str = "descriptions"
    further: tuple[str, ...] = ("images", "qa_pairs")
    question: str = "Which description would you rather publish with the picture?"
    guidelines: str = (
        "<p>Look at the picture first. A description that says something wrong about the product is worse than one "
        "that leaves something out. Between two that are right, choose the one that helps a customer more and reads "
        "better.</p><p>Choose <b>tie</b> when you see no difference, and <b>both bad</b> when neither should be "
        "published.</p>"
    )
    reasons: tuple[str, ...] = ("says something wrong", "leaves something out", "reads badly")
    sides: Sides = "html"

    @property
    def style(self) -> str:
        return (HERE / "descriptions.css").read_text()

    def read(self, table: pd.DataFrame) -> dict[int, str]:
        need_columns(table, "descriptions", ("product_id", "text"))
        texts: dict[int, str] = {}
        for product_id, text in zip(table["product_id"], table["text"], strict=True):
            if int(product_id) in texts:
                raise SelvedgeError(f"table descriptions describes product {product_id} twice; keep one.")
            texts[int(product_id)] = "" if pd.isna(text) else str(text)
        return texts

    def products(
        self, results: pd.DataFrame, further: Mapping[str, pd.DataFrame], vocabulary: AttributeSchema | None
    ) -> Callable[[int], Product]:
        return photographed(further["images"], further["qa_pairs"], vocabulary)

    def level(self, first: str, second: str) -> tuple[str, str]:
        return first, second  # layout is levelled when a side is rendered; length and wording are the result

    def render(self, result: str) -> str:
        return f'<p class="text">{escaped(result) or NOT_STATED}</p>'

    def plant(self, result: str, product: Product, seed: int) -> str | None:
        vocabulary, drawn_by = product.vocabulary, f"{seed}/{product.product_id}"
        for name in self.visible:
            label = product.labels.get(name)
            wrong = contradict_text(vocabulary, name, label, result, drawn_by) if vocabulary and label else None
            if wrong is not None:
                return wrong
        return None

    def report(self, candidate: str, opponent: str) -> tuple[str, str]:
        return candidate, opponent


def need_columns(table: pd.DataFrame, name: str, columns: Sequence[str]) -> None:
    """Raises: SelvedgeError: a table lacks a column that its kind shows."""
    missing = [column for column in columns if column not in table]
    if missing:
        raise SelvedgeError(f"table {name} has no column {missing[0]}; a round cannot show it.")
