"""Wording: how every value of the attribute schema is said in a sentence, and all the ways a sentence may say it.

Belongs here: joining wording.yaml, articles.yaml and banned_claims.yaml with a schema's vocabulary.
Not here: choosing words (grammar.py), judging a text (faithfulness.py).

A shop may bring its own attributes.yaml: values that wording.yaml does not know are said by rule and recognised by
their own words and synonyms.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import yaml

from catalog.schema import AttributeSchema, load_schema
from inference.descriptions.facts import ARTICLE_TYPE, GENDER
from inference.descriptions.matching import PhraseBook, phrase_words, stem

HERE = Path(__file__).parent
ARTICLE_HEAD = "ARTICLE"


@dataclass(frozen=True)
class Reading:
    """What a word group says: `attribute` has `value`.

    Attributes:
        exact: it says just this value; a generic word ("pocket") fits several and covers none.
        modelled: the value is in a vocabulary; otherwise nothing can ever support it.
    """

    attribute: str
    value: str
    exact: bool = True
    modelled: bool = True


@dataclass(frozen=True)
class NearWord:
    """A common word that counts only beside one of `heads` (stems)."""

    reading: Reading
    heads: frozenset[str]
    before_article: bool


@dataclass(frozen=True)
class Saying:
    """How a value is said; an empty string where English has no such form."""

    adjective: str
    phrase: str
    predicate: str
    verb: tuple[str, str]


@dataclass(frozen=True)
class ArticleWords:
    """An article type in a sentence."""

    noun: str
    plural: bool
    family: str
    common: bool
    implies: Mapping[str, str]


@lru_cache(maxsize=8192)
def value_key(value: str) -> tuple[str, ...]:
    """Equal for spellings that differ only in case, hyphens and plurals."""
    return tuple(stem(word) for word in phrase_words(value))


@lru_cache
def read_data(name: str) -> Any:
    """A data file of this folder."""
    return yaml.safe_load((HERE / name).read_text(encoding="utf-8"))


@lru_cache
def data_digest(*names: str) -> str:
    """First 12 hex digits of a sha256 over data files of this folder: their version in an input hash."""
    digest = hashlib.sha256()
    for name in names:
        digest.update((HERE / name).read_bytes())
    return digest.hexdigest()[:12]


class Wording:
    """Sayings and phrase books of one schema.

    Args:
        vocabulary: attribute name → its closed vocabulary.
        synonyms: attribute name → {synonym: value}.
        nouns: article type → noun, for types that articles.yaml does not list.
    """

    def __init__(
        self,
        vocabulary: Mapping[str, Iterable[str]],
        synonyms: Mapping[str, Mapping[str, str]] | None = None,
        nouns: Mapping[str, str] | None = None,
    ) -> None:
        self._data: dict[str, Any] = read_data("wording.yaml")
        self._articles: dict[str, Any] = read_data("articles.yaml")
        self._sections = {
            phrase: section
            for section, entry in self._data["attributes"].items()
            for phrase in {value_key(name) for name in [section.replace("_", " "), *entry["names"]]}
        }
        self._sections[value_key("article type")] = ARTICLE_TYPE
        self._nouns = dict(nouns or {})
        self.shelves = frozenset(self.key(name) for name in self._data["shelves"])
        self.keys = {name: self.key(name) for name in vocabulary}
        self.vocabulary = {self.keys[name]: tuple(values) for name, values in vocabulary.items()}
        self._synonyms = {self.keys[name]: dict(spellings) for name, spellings in (synonyms or {}).items()}

    def key(self, attribute: str) -> str:
        """One key for the schema's name of an attribute: "Sleeve Length" and "sleeve_length" are `sleeve_length`."""
        spaced = attribute.replace("_", " ")
        return self._sections.get(value_key(spaced), "_".join(spaced.lower().split()))

    def knows(self, attribute: str, value: str) -> bool:
        """Whether a text can be held to a trusted column's value: a gender with words of ours, a known type."""
        if attribute == GENDER:
            return value in self._data["attributes"][GENDER]["values"]
        return value in self._articles["types"] or value in self._nouns or value in self.vocabulary.get(attribute, ())

    # -- saying -------------------------------------------------------------------------------------------------------

    def saying(self, attribute: str, value: str) -> Saying:
        """How a value of the attribute with this key is said."""
        entry = self._entry(attribute, value)
        verbs = [part.strip() for part in entry.get("verb", "|").split("|")]
        adjective = entry.get("adjective", "" if entry else value.lower())
        phrase = entry.get("phrase", "") or self._default_phrase(attribute, value, adjective)
        return Saying(adjective, phrase, entry.get("predicate", ""), (verbs[0], verbs[-1]))

    def article(self, article_type: str, master_category: str = "") -> ArticleWords:
        """How an article type is called; an unknown one by rule, none at all by its master category."""
        if not article_type:
            noun = {"Footwear": "pair", "Accessories": "accessory"}.get(master_category, "piece")
            return ArticleWords(noun, False, "other", True, {})
        types = self._articles["types"]
        entry = types.get(article_type, {})
        families = self._articles["families"]
        family = next((name for name, types in families.items() if article_type in types), "other")
        words = article_type.lower().split()
        noun = entry.get("noun") or self._nouns.get(article_type) or " ".join([*words[:-1], stem(words[-1])])
        common = bool(entry.get("common", article_type not in types))
        return ArticleWords(noun, bool(entry.get("plural")), family, common, entry.get("implies", {}))

    def _entry(self, attribute: str, value: str) -> dict[str, Any]:
        return self._entries.get(attribute, {}).get(value_key(value), {})

    @cached_property
    def _entries(self) -> dict[str, dict[tuple[str, ...], dict[str, Any]]]:
        return {
            section: {value_key(value): forms or {} for value, forms in entry["values"].items()}
            for section, entry in self._data["attributes"].items()
        }

    def _default_phrase(self, attribute: str, value: str, adjective: str) -> str:
        if attribute in ("base_colour", "usage", "season"):
            return adjective
        said, noun = value.lower(), attribute.replace("_", " ").split()[0]
        if stem(said.split()[-1]) == stem(noun):
            return said if said.endswith("s") else f"a {said}"
        return f"a {said} {noun}"

    # -- recognising --------------------------------------------------------------------------------------------------

    @cached_property
    def readings(self) -> PhraseBook[Reading]:
        """Every phrase that claims a value of any attribute, article types and genders included."""
        book: PhraseBook[Reading] = PhraseBook()
        for attribute in self._attributes:
            for value in self._values(attribute):
                reading = Reading(attribute, value)
                for phrase in self._phrases(attribute, value):
                    book.add(phrase, reading)
        self._add_articles(book)
        for group in self._data["generic"]:
            for attribute, values in group["means"].items():
                for word in group["words"]:
                    for value in self._spelled(attribute, values):
                        book.add(word, Reading(attribute, value, exact=False))
        self._add_beyond(book)
        return book

    @cached_property
    def near_words(self) -> dict[str, list[NearWord]]:
        """Stem of a common word → what it claims beside which nouns."""
        words: dict[str, list[NearWord]] = {}
        for attribute, entry in self._data["attributes"].items():
            heads = entry.get("heads", [])
            stems = frozenset(stem(head) for head in heads if head != ARTICLE_HEAD)
            for value, forms in entry["values"].items():
                reading = Reading(attribute, self._spelled(attribute, [value])[0])
                for word in (forms or {}).get("near", []):
                    words.setdefault(stem(word), []).append(NearWord(reading, stems, ARTICLE_HEAD in heads))
        return words

    @cached_property
    def article_nouns(self) -> frozenset[str]:
        """Stems of the last word of every article noun."""
        nouns = [entry["noun"] for entry in self._articles["types"].values()]
        nouns += [word for words in self._articles["generic"].values() for word in words]
        return frozenset(stem(phrase_words(noun)[-1]) for noun in nouns)

    @cached_property
    def banned(self) -> PhraseBook[str]:
        """Claims that are never published, by category."""
        return _book(read_data("banned_claims.yaml")["claims"])

    @cached_property
    def idioms(self) -> PhraseBook[str]:
        return _book({"idiom": self._data["idioms"]})

    @cached_property
    def negators(self) -> PhraseBook[str]:
        return _book({"negator": self._data["negators"]})

    @cached_property
    def not_negators(self) -> PhraseBook[str]:
        return _book({"not_negator": self._data["not_negators"]})

    @cached_property
    def companion_verbs(self) -> frozenset[str]:
        verbs = self._articles["companion_verbs"]
        return frozenset(
            stem(form) for verb in verbs for form in (verb, verb + "s", verb + "es", verb + "ed", verb + "ing")
        )

    @cached_property
    def companion_prepositions(self) -> frozenset[str]:
        return frozenset(self._articles["companion_prepositions"])

    @cached_property
    def version(self) -> str:
        """Changes when any wording, article name or banned claim changes."""
        return data_digest("wording.yaml", "articles.yaml", "banned_claims.yaml")

    @property
    def _attributes(self) -> list[str]:
        listed = list(self._data["attributes"])
        silent = {ARTICLE_TYPE, *listed, *self.shelves}
        return listed + [key for key in self.vocabulary if key not in silent]

    def _values(self, attribute: str) -> list[str]:
        """The schema's values, then those only wording.yaml knows."""
        values = list(self.vocabulary.get(attribute, ()))
        seen = {value_key(value) for value in values}
        listed = self._data["attributes"].get(attribute, {"values": {}})["values"]
        return values + [value for value in listed if value_key(value) not in seen]

    def _spelled(self, attribute: str, values: Iterable[str]) -> list[str]:
        """Values in the schema's spelling."""
        spelled = {value_key(value): value for value in self.vocabulary.get(attribute, ())}
        return [spelled.get(value_key(value), value) for value in values]

    def _phrases(self, attribute: str, value: str) -> list[str]:
        entry, saying = self._entry(attribute, value), self.saying(attribute, value)
        head = {"a", "an", "the"}
        phrase = saying.phrase.split()
        phrases = [value, saying.adjective, " ".join(phrase[1:] if phrase and phrase[0] in head else phrase)]
        phrases += [*saying.verb, *entry.get("as", [])]
        phrases += [synonym for synonym, meant in self._synonyms.get(attribute, {}).items() if meant == value]
        # A bare common word is left to `near_words`, whoever lists it.
        near = {value_key(word) for word in entry.get("near", [])}
        return [phrase for phrase in phrases if phrase and value_key(phrase) not in near]

    def _add_articles(self, book: PhraseBook[Reading]) -> None:
        types = self._articles["types"]
        own = [*self.vocabulary.get(ARTICLE_TYPE, ()), *self._nouns]
        for article_type in dict.fromkeys([*types, *own]):
            reading = Reading(ARTICLE_TYPE, article_type)
            for name in [self.article(article_type).noun, *types.get(article_type, {}).get("also", [])]:
                book.add(name, reading)
            for synonym, meant in self._synonyms.get(ARTICLE_TYPE, {}).items():
                if meant == article_type:
                    book.add(synonym, reading)
        for family, words in self._articles["generic"].items():
            for word in words:
                for article_type in self._articles["families"][family]:
                    book.add(word, Reading(ARTICLE_TYPE, article_type, exact=False))

    def _add_beyond(self, book: PhraseBook[Reading]) -> None:
        beyond = {key: list(entry.get("beyond", [])) for key, entry in self._data["attributes"].items()}
        beyond[ARTICLE_TYPE] = list(self._articles["beyond"])
        beyond["detail"] = list(self._data["details"])
        for colour in self._values("base_colour"):
            said = self._phrases("base_colour", colour)
            shades = self._data["attributes"]["base_colour"]["modifiers"]
            beyond["base_colour"] += [f"{shade} {phrase}" for shade in shades for phrase in said]
        for attribute, phrases in beyond.items():
            for phrase in phrases:
                if phrase not in book:  # the schema may well have it as a value
                    book.add(phrase, Reading(attribute, phrase, modelled=False))


def wording_of(schema: AttributeSchema) -> Wording:
    """The wording of an attribute schema.

    A model's schema is narrowed to what it was taught, but a text may claim anything: every value of the shipped
    schema is recognised beside the model's own. Equal schemas share one: its phrase books take 50 ms to fill.
    """
    return _wording(json.dumps(schema.to_dict()))


@lru_cache(maxsize=4)
def _wording(schema: str) -> Wording:
    schemas = (AttributeSchema.from_dict(json.loads(schema), "a schema"), load_schema())
    names = dict.fromkeys(name for each in schemas for name in each.attributes)
    attributes = {name: [each.attributes[name] for each in schemas if name in each.attributes] for name in names}
    return Wording(
        {name: dict.fromkeys(v for each in alike for v in each.vocabulary) for name, alike in attributes.items()},
        {
            name: {k: v for each in reversed(alike) for k, v in each.synonyms.items()}
            for name, alike in attributes.items()
        },
        {article_type: noun for each in reversed(schemas) for article_type, noun in each.article_types.items()},
    )


def _book(groups: Mapping[str, Iterable[str]]) -> PhraseBook[str]:
    book: PhraseBook[str] = PhraseBook()
    for meaning, phrases in groups.items():
        for phrase in phrases:
            book.add(phrase, meaning)
    return book


__all__ = [
    "ARTICLE_TYPE",
    "GENDER",
    "ArticleWords",
    "Reading",
    "Saying",
    "Wording",
    "data_digest",
    "read_data",
    "wording_of",
]
