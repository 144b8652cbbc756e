"""The attribute schema: which questions exist, for which products, and every answer they may have.

Belongs here: loading `attributes.yaml`, holding it to its own rules, wording, normalising a value to the vocabulary.
Not here: the values of a catalogue (qa.py), what a model answers.

The schema is data and travels inside a model artefact (`to_dict`), so that a model is always asked in the words it was
taught with.
"""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import yaml

from catalog.errors import SelvedgeError
from catalog.files import json_sha256
from catalog.yaml_files import read_yaml

FORMAT = 1
SHIPPED = Path(__file__).with_name("attributes.yaml")
ANY_NOUN = "product"
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")  # soft hyphens, joiners and marks that come along with a copy
_BETWEEN_WORDS = re.compile("[-_/\u2010-\u2015]+")
DETAILS, COLUMNS, COARSE = "details", "columns", "coarse"
DETAILS_SHARE = 0.2  # of products with articleAttributes, from which a catalogue is asked for details
COLUMN_NAMES = frozenset(
    {"gender", "master_category", "sub_category", "article_type", "base_colour", "season", "usage", "year"}
)


@dataclass(frozen=True)
class Attribute:
    """One thing that can be asked about a product."""

    name: str
    sources: tuple[
        str, ...
    ]  # `json:<articleAttributes key>` or `column:<products column>`; the first with a value wins
    applies_to: tuple[str, ...] | None  # article types; None: every product
    vocabulary: tuple[str, ...]
    synonyms: Mapping[str, str]
    question: str  # may contain {noun}

    @cached_property
    def _by_spelling(self) -> dict[str, str]:
        by_synonym = {_spelling(variant): value for variant, value in self.synonyms.items()}
        return by_synonym | {_spelling(value): value for value in self.vocabulary}

    def value_of(self, text: str) -> str | None:
        """The vocabulary's value that a text means, or None; case, hyphens and spaces do not matter."""
        return self._by_spelling.get(_spelling(text))

    @cached_property
    def _by_loose_spelling(self) -> dict[str, str]:
        """Without spaces, apostrophes and plurals; only spellings that mean one value."""
        meant: dict[str, set[str]] = defaultdict(set)
        for spelling, value in self._by_spelling.items():
            meant[_loose_spelling(spelling)].add(value)
        return {spelling: next(iter(values)) for spelling, values in meant.items() if len(values) == 1}

    def category_of(self, text: str) -> str | None:
        """The vocabulary's value that a category means, or None; neither spaces nor plurals matter either."""
        return self.value_of(text) or self._by_loose_spelling.get(_loose_spelling(_spelling(text)))


@dataclass(frozen=True)
class QuestionSet:
    """Attributes that are asked together."""

    name: str
    attributes: tuple[str, ...]
    given: tuple[str, ...]  # columns of `products` known beside the picture; nothing in a question may tell the others
    minimum_products: int  # a value with fewer products is neither taught nor answered with


@dataclass(frozen=True)
class AttributeSchema:
    """Article types, attributes and question sets, consistent with each other."""

    article_types: Mapping[str, str]  # article type -> noun
    attributes: Mapping[str, Attribute]
    question_sets: Mapping[str, QuestionSet]

    def question(self, attribute: str, article_type: str | None = None) -> str:
        """The question in the published form, e.g. "What is the sleeve length of the shirt in this picture?".

        Args:
            attribute: an attribute's name.
            article_type: names the product in the question; None (or an unknown type) says "product". Leave it out
                where the article type is not given: see `asks`.
        """
        noun = self.article_types.get(article_type, ANY_NOUN) if article_type is not None else ANY_NOUN
        return self._attribute(attribute).question.format(noun=noun)

    def answer(self, attribute: str, value: str) -> str:
        """The answer in the published form, e.g. "Sleeve Length: Long Sleeves"."""
        return f"{self._attribute(attribute).name}: {value}"

    def value_of(self, attribute: str, text: str) -> str | None:
        """The vocabulary's value that a text means, or None."""
        return self._attribute(attribute).value_of(text)

    @cached_property
    def column_attributes(self) -> dict[str, Attribute]:
        """By column of `products`: the attribute whose vocabulary its cells are held to."""
        attributes: dict[str, Attribute] = {}
        for attribute in self.attributes.values():
            for source in attribute.sources:
                kind, _, column = source.partition(":")
                if kind == "column":
                    attributes.setdefault(column, attribute)
        return attributes

    def applicable(self, article_type: str | None, question_set: str) -> list[str]:
        """The attributes of a question set that a product of this type has, in the set's order."""
        names = self.question_set(question_set).attributes
        asked = [self.attributes[name] for name in names]
        return [
            attribute.name
            for attribute in asked
            if attribute.applies_to is None or article_type in attribute.applies_to
        ]

    def asks(self, article_type: str | None, question_set: str) -> dict[str, str]:
        """Question by attribute for a product: what to ask, worded without what the set does not give away."""
        given = "article_type" in self.question_set(question_set).given
        return {
            name: self.question(name, article_type if given else None)
            for name in self.applicable(article_type, question_set)
        }

    def question_set(self, name: str) -> QuestionSet:
        """Raises SelvedgeError for an unknown name."""
        if name not in self.question_sets:
            raise SelvedgeError(f"question set {name!r} is unknown; choose one of {', '.join(self.question_sets)}.")
        return self.question_sets[name]

    def choose_question_set(self, products: pa.Table | pd.DataFrame) -> str:
        """`details` where at least a fifth of the products have articleAttributes, else `columns`."""
        if len(products) == 0:
            return COLUMNS
        if isinstance(products, pa.Table):
            described = sum(bool(pairs) for pairs in products.column("attributes").to_pylist())
        else:
            described = sum(bool(len(pairs)) for pairs in products["attributes"] if pairs is not None)
        return DETAILS if described >= DETAILS_SHARE * len(products) else COLUMNS

    def narrowed(self, values: Mapping[str, Mapping[str, Sequence[str]]], question_set: str) -> "AttributeSchema":
        """The schema of what was taught: only values, article types and attributes that occur.

        Args:
            values: attribute -> value -> article types it occurs with.
            question_set: the set whose attributes are narrowed; the other sets are dropped.
        """
        kept: dict[str, Attribute] = {}
        wanted = self.question_set(question_set)
        for name in wanted.attributes:
            attribute, seen = self.attributes[name], values.get(name, {})
            vocabulary = tuple(value for value in attribute.vocabulary if value in seen)
            if not vocabulary:
                continue
            types = {article for articles in seen.values() for article in articles}
            applies = None if attribute.applies_to is None else tuple(t for t in attribute.applies_to if t in types)
            synonyms = {variant: value for variant, value in attribute.synonyms.items() if value in seen}
            kept[name] = replace(attribute, vocabulary=vocabulary, applies_to=applies, synonyms=synonyms)
        left = replace(wanted, attributes=tuple(kept))
        return AttributeSchema(self.article_types, kept, {question_set: left})

    def to_dict(self) -> dict[str, Any]:
        """Plain data for YAML or JSON; `from_dict` gives the same schema back."""
        return {
            "format": FORMAT,
            "article_types": dict(self.article_types),
            "attributes": {
                attribute.name: {
                    "sources": list(attribute.sources),
                    "applies_to": "all" if attribute.applies_to is None else list(attribute.applies_to),
                    "question": attribute.question,
                    "vocabulary": list(attribute.vocabulary),
                    "synonyms": dict(attribute.synonyms),
                }
                for attribute in self.attributes.values()
            },
            "question_sets": {
                questions.name: {
                    "attributes": list(questions.attributes),
                    "given": list(questions.given),
                    "minimum_products": questions.minimum_products,
                }
                for questions in self.question_sets.values()
            },
        }

    @staticmethod
    def from_dict(data: Mapping[str, Any], origin: str = "the attribute schema") -> "AttributeSchema":
        """A schema from plain data, checked.

        Args:
            data: what `to_dict` gives.
            origin: how messages name it.

        Raises:
            SelvedgeError: another format, or something that does not fit together, in one sentence.
        """
        data_format = data.get("format") if isinstance(data, Mapping) else None
        if data_format != FORMAT:
            raise SelvedgeError(f"{origin} has format {data_format!r}; this version reads format {FORMAT}.")
        try:
            types = {str(name): str(noun) for name, noun in data["article_types"].items()}
            attributes = {str(name): _attribute(str(name), entry, types) for name, entry in data["attributes"].items()}
            sets = {
                str(name): QuestionSet(
                    str(name),
                    tuple(entry["attributes"]),
                    tuple(entry.get("given", ())),
                    int(entry.get("minimum_products", 1)),
                )
                for name, entry in data["question_sets"].items()
            }
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise SelvedgeError(f"{origin} is incomplete ({type(error).__name__}: {error}).") from error
        schema = AttributeSchema(types, attributes, sets)
        _check(schema, origin)
        return schema

    def digest(self) -> str:
        """Hash of everything the schema says; part of what makes a published row out of date."""
        return json_sha256(self.to_dict())

    def _attribute(self, name: str) -> Attribute:
        if name not in self.attributes:
            raise SelvedgeError(f"attribute {name!r} is not in the schema; it has {', '.join(self.attributes)}.")
        return self.attributes[name]


def load_schema(path: str | Path | None = None) -> AttributeSchema:
    """The attribute schema of a YAML file, by default the shipped `catalog/attributes.yaml`.

    Raises:
        SelvedgeError: the file is missing, is not YAML, or contradicts itself.
    """
    file = Path(path) if path is not None else SHIPPED
    if path is None:
        data = yaml.load(file.read_text(encoding="utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    else:
        data = read_yaml(file, "attribute schema", "begin with catalog/attributes.yaml")
    return AttributeSchema.from_dict(data, f"attribute schema {file}")


def _spelling(text: str) -> str:
    visible = _UNSEEN.sub("", unicodedata.normalize("NFKC", text).casefold())
    return " ".join(_BETWEEN_WORDS.sub(" ", visible).split())


def _loose_spelling(spelling: str) -> str:
    words = re.sub(r"['’`.]", "", spelling).replace("&", " and ").split()
    return "".join(_singular(word) for word in words)


def _singular(word: str) -> str:
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    if len(word) > 4 and word.endswith(("sses", "shes", "ches", "xes", "zes")):
        return word[:-2]
    return word[:-1] if len(word) > 3 and word.endswith("s") and not word.endswith("ss") else word


def _attribute(name: str, data: Mapping[str, Any], article_types: Mapping[str, str]) -> Attribute:
    applies, vocabulary = data["applies_to"], data["vocabulary"]
    return Attribute(
        name=name,
        sources=tuple(data["sources"]),
        applies_to=None if applies == "all" else tuple(applies),
        vocabulary=tuple(article_types) if vocabulary == "article_types" else tuple(str(value) for value in vocabulary),
        synonyms={str(variant): str(value) for variant, value in (data.get("synonyms") or {}).items()},
        question=str(data["question"]),
    )


def _check(schema: AttributeSchema, origin: str) -> None:
    for attribute in schema.attributes.values():
        _check_attribute(attribute, schema.article_types, f"{origin}: attribute {attribute.name!r}")
    for question_set in schema.question_sets.values():
        where = f"{origin}: question set {question_set.name!r}"
        for name in question_set.attributes:
            if name not in schema.attributes:
                raise SelvedgeError(f"{where} names the unknown attribute {name!r}; describe it under `attributes`.")
        for column in question_set.given:
            if column not in COLUMN_NAMES:
                raise SelvedgeError(f"{where} gives the unknown column {column!r}; products have no such column.")


def _check_attribute(attribute: Attribute, article_types: Mapping[str, str], where: str) -> None:
    for article_type in attribute.applies_to or ():
        if article_type not in article_types:
            raise SelvedgeError(
                f"{where} applies to the unknown article type {article_type!r}; add it to `article_types`."
            )
    if not attribute.vocabulary:
        raise SelvedgeError(f"{where} has no vocabulary; name at least one value.")
    spellings = [_spelling(value) for value in attribute.vocabulary]
    if len(set(spellings)) < len(spellings):
        twice = next(value for value in attribute.vocabulary if spellings.count(_spelling(value)) > 1)
        raise SelvedgeError(f"{where} has the value {twice!r} twice; case, hyphens and spaces do not count.")
    for variant, value in attribute.synonyms.items():
        if value not in attribute.vocabulary:
            raise SelvedgeError(f"{where} has the synonym {variant!r} for {value!r}, which is not in its vocabulary.")
    for source in attribute.sources:
        kind, _, key = source.partition(":")
        if kind not in ("json", "column") or not key or (kind == "column" and key not in COLUMN_NAMES):
            raise SelvedgeError(f"{where} has the unknown source {source!r}; write json:<key> or column:<column>.")
    try:
        attribute.question.format(noun=ANY_NOUN)
    except (KeyError, IndexError, ValueError) as error:
        raise SelvedgeError(f"{where} has a question with a placeholder other than {{noun}}.") from error
