"""The facts that a description may state about one product, and must.

Belongs here: which catalogue columns are trusted, which predictions count, what happens when the two disagree.
Not here: how a fact is said (wording.py), whether a text keeps to it (faithfulness.py).

Trusted columns are the article type and the gender: they say what the merchant sells and to whom, and the questions
were chosen by them. A confident prediction that disagrees with one of them is a conflict: it is reported, and the
column stands. Every other column (colour, usage, season) is known to be wrong for several products in a hundred, so
the picture's answer is used where the model is confident, and nothing where it abstains. The brand is left out: the
page prints it above the text, and brands are words like "Copper Grey" that would read as claims. Display name and
descriptors are never read.

A trusted column may hold a word that no vocabulary knows ("Ladies", "Dress Shirts"). A gender without words of ours is
never said; a type is said by rule where that can be held against the text, and else left out: the product is described
without it, not left out for it.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pandas as pd

from catalog.values import MISSING_CATEGORIES, is_missing

ARTICLE_TYPE = "article_type"
GENDER = "gender"
TRUSTED_COLUMNS = (ARTICLE_TYPE, GENDER)


@dataclass(frozen=True)
class ProductFacts:
    """What is known about a product, each under its attribute's key (`wording.Wording.key`).

    Attributes:
        values: confident attribute values and trusted columns, in the order a writer may use.
        conflicts: predictions overruled by a trusted column, as {attribute: predicted value}.
        master_category: only to name a product whose type is unknown ("piece", "accessory").
    """

    product_id: int
    values: Mapping[str, str]
    conflicts: Mapping[str, str] = field(default_factory=dict)
    master_category: str = ""

    @property
    def article_type(self) -> str:
        return self.values.get(ARTICLE_TYPE, "")

    @property
    def gender(self) -> str:
        return self.values.get(GENDER, "")

    def without(self, key: str) -> "ProductFacts":
        """The same facts without one."""
        return replace(self, values={name: value for name, value in self.values.items() if name != key})

    def canonical(self) -> str:
        """The same text for the same facts, for hashing and for prompts."""
        return json.dumps({"master_category": self.master_category, "values": dict(self.values)}, ensure_ascii=False)


def facts_of(
    product: Mapping[str, Any],
    answers: Iterable[Mapping[str, Any]],
    keys: Mapping[str, str],
    unsaid: frozenset[str] = frozenset(),
) -> ProductFacts:
    """The facts of one product.

    Args:
        product: a row of table `products`.
        answers: its rows of table `attributes`.
        keys: attribute name of the schema → key.
        unsaid: keys that no text says (`wording.Wording.shelves`).

    An abstained answer is no fact. Missing columns are no fact either.
    """
    trusted = {column: _text(product.get(column)) for column in TRUSTED_COLUMNS}
    values = {column: value for column, value in trusted.items() if not is_missing(value, MISSING_CATEGORIES)}
    conflicts: dict[str, str] = {}
    for answer in sorted(answers, key=lambda row: str(row["attribute"])):
        key, value = keys.get(str(answer["attribute"]), str(answer["attribute"])), _text(answer["value"])
        if bool(answer["abstained"]) or not value or key in unsaid:
            continue
        if key in TRUSTED_COLUMNS and values.get(key, value) != value:
            conflicts[key] = value
        else:
            values[key] = value
    return ProductFacts(int(product["product_id"]), values, conflicts, _text(product.get("master_category")))


def sayable(facts: ProductFacts, knows: Callable[[str, str], bool]) -> list[ProductFacts]:
    """What a text may be held to, the fullest first: without words that `knows` (`wording.Wording.knows`) has not."""
    if facts.gender and not knows(GENDER, facts.gender):
        facts = facts.without(GENDER)
    if facts.article_type and not knows(ARTICLE_TYPE, facts.article_type):
        return [facts, facts.without(ARTICLE_TYPE)]
    return [facts]


def rows_of(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """A table's rows as dictionaries by column."""
    return cast(list[dict[str, Any]], frame.to_dict("records"))


def rows_by_product(frame: pd.DataFrame) -> dict[int, list[dict[str, Any]]]:
    """A table's rows by product id."""
    grouped: dict[int, list[dict[str, Any]]] = {}
    for row in rows_of(frame):
        grouped.setdefault(int(row["product_id"]), []).append(row)
    return grouped


def _text(value: object) -> str:
    return "" if value is None or value is pd.NA or value != value else str(value).strip()
