"""Titles: from what a catalogue says about a product to the words a shopper would say, in the order they would come.

Belongs here: the rules that find a title's brand, colour and details. Not here: single words and the vocabulary
(words.py).

A sequence is gender, colour, type, then details: "women black pants petite capri". Its prefixes are what a generator is
trained on, so each of them is something a person might type. Gender and type come from the catalogue's columns. The
colour comes from the title where it names one, because titles are written by people who saw the garment, and from the
column otherwise; where the title names several colours, the column's if it is among them, else the first.

What is filtered, all by rule: the brand (its column; without one, the words before the gender, as in "Peter England
Men Party Blue Jeans"); words that one brand alone uses (names of lines); the item's own name (`variant`); stop words,
sizes, codes and numbers.
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from training.restgan.colours import SEVERAL, canonical
from training.restgan.words import (
    GENDER_SPELLINGS,
    GENDER_WORDS,
    IMPLIED_TYPES,
    SINGULAR,
    TYPE_WORDS,
    join_colours,
    plain_words,
    telling_words,
)

MAX_PLACES = 12  # a longer tail repeats what the first details said, and costs a step of the LSTM each
MAX_BRAND_WORDS = 4
LINE_NAME_PRODUCTS = 3  # products of one brand only that make a word the brand's own; fewer say nothing either way
LEAST_BRANDS = 3  # with fewer brands, a word that one of them uses may well be an ordinary word
DETAIL_ATTRIBUTES = ("Fit", "Length", "Pattern", "Fabric", "Closure", "Pocket Type", "Waist Rise", "Wash", "Fade")
"""Attributes that a shopper would say of a bottom, in the order they are said."""

_EMPTY_VALUES = ("na", "none", "other", "others", "no")
_SEVERAL_COLOURS = re.compile(r"\s*(?:[/&,+]|\band\b|\bwith\b)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Titles:
    """What the products are called: colours, N names ("" where none is known), and sequences, N lists of words."""

    colours: list[str]
    sequences: list[list[str]]


def word_sequences(rows: pd.DataFrame, learn: np.ndarray) -> Titles:
    """The words of every bottom.

    Args:
        chosen: from `choose_bottoms`.
        learn: (N,) bool, the rows that rules are learnt from (which words belong to one brand).
    """
    colour_names = frozenset(name for name in map(colour_name, rows["base_colour"]) if name)
    colour_names = frozenset(canonical(name, colour_names) for name in colour_names)
    titles = [plain_words(title) if isinstance(title, str) else [] for title in rows["product_display_name"]]
    attributes = [_mapping(value) for value in rows["attributes"]]
    values = value_words(attributes)
    kept_words = frozenset().union(*values.values()) | colour_names | set(IMPLIED_TYPES)
    brands = find_brands(titles, rows["brand"])
    rest = [_without(title, brand) for title, brand in zip(titles, brands, strict=True)]
    rest = [_without_variant(title, name, kept_words) for title, name in zip(rest, rows["variant"], strict=True)]
    rest = [[SINGULAR.get(word, word) for word in words] for words in rest]
    lines = line_names([words for words, row in zip(rest, learn, strict=True) if row],
                       [brand for brand, row in zip(brands, learn, strict=True) if row], kept_words)  # fmt: skip
    colours, sequences = [], []
    for row, words in enumerate(rest):
        places = join_colours([word for word in words if word not in lines], colour_names)
        column = canonical(colour_name(rows["base_colour"].iloc[row]), colour_names)
        colour = choose_colour([word for word in places if word in colour_names], column)
        colours.append(colour)
        head = [gender_word(rows["gender"].iloc[row]), colour, rows["type"].iloc[row]]
        details = _details(places, colour_names) + _article_words(rows["article_type"].iloc[row])
        details += attribute_words(attributes[row], values, details)
        sequences.append(list(dict.fromkeys(word for word in [*head, *details] if word))[:MAX_PLACES])
    return Titles(colours, sequences)


def _mapping(value: Any) -> Mapping[str, str]:
    """A product's attributes. Pairs, which a table read without `catalog.tables.read_frame` has, would say nothing."""
    if value is None or isinstance(value, float):  # NaN: the catalogue has none
        return {}
    if not isinstance(value, Mapping):
        raise TypeError(f"attributes are a {type(value).__name__}, not a mapping; read tables with read_frame")
    return value


def colour_name(value: Any) -> str:
    """A colour column's value as a name: lower case, the first of several ("Black/White"), "" for none."""
    if not isinstance(value, str) or value.strip().lower() in ("", *_EMPTY_VALUES):
        return ""
    return " ".join(plain_words(_SEVERAL_COLOURS.split(value.strip())[0]))


def choose_colour(titled: Sequence[str], column: str) -> str:
    """The colour of a product whose title names `titled` and whose column says `column`; either may be empty."""
    if not titled or column in titled:
        return column
    plain = [name for name in titled if name not in SEVERAL]
    return plain[0] if plain else column or titled[0]


def gender_word(gender: Any) -> str:
    """How a shopper says the catalogue's gender; "" for one that is not known."""
    return GENDER_SPELLINGS.get(gender.lower(), "") if isinstance(gender, str) else ""


def find_brands(titles: Sequence[Sequence[str]], column: Iterable[Any]) -> list[tuple[str, ...]]:
    """The brand of every title, as words: the column's; without one, what stands before the gender.

    A title without a gender word has the longest brand found so in other titles that it begins with.
    """
    given = [tuple(plain_words(name)) if isinstance(name, str) else () for name in column]
    guessed = [brand or _before_gender(title) for brand, title in zip(given, titles, strict=True)]
    counts = Counter(brand for brand in guessed if brand)
    for row, (brand, title) in enumerate(zip(guessed, titles, strict=True)):
        if not brand:
            starts = (tuple(title[:length]) for length in range(MAX_BRAND_WORDS, 0, -1))
            guessed[row] = next((start for start in starts if start in counts), ())
    return guessed


def _before_gender(title: Sequence[str]) -> tuple[str, ...]:
    at = next((position for position, word in enumerate(title) if word in GENDER_WORDS), 0)
    return tuple(title[:at]) if at <= MAX_BRAND_WORDS else ()


def line_names(
    titles: Sequence[Sequence[str]], brands: Sequence[tuple[str, ...]], kept: Iterable[str]
) -> frozenset[str]:
    """Words that one brand alone uses, and that no attribute, colour, type or gender is called by."""
    if len({brand for brand in brands if brand}) < LEAST_BRANDS:
        return frozenset()
    users: dict[str, set[tuple[str, ...]]] = defaultdict(set)
    counts: Counter[str] = Counter()
    for title, brand in zip(titles, brands, strict=True):
        for word in set(title):
            users[word].add(brand)
            counts[word] += 1
    safe = {part for word in kept for part in word.split()} | set(TYPE_WORDS) | set(GENDER_WORDS)
    alone = (word for word in users if len(users[word]) == 1 and counts[word] >= LINE_NAME_PRODUCTS)
    return frozenset(word for word in alone if word not in safe)


def value_words(attributes: Iterable[Mapping[str, str]]) -> dict[str, frozenset[str]]:
    """Attribute of `DETAIL_ATTRIBUTES` -> every word one of its values has in this catalogue."""
    words_of: dict[str, set[str]] = {name: set() for name in DETAIL_ATTRIBUTES}
    for row in attributes:
        for name in DETAIL_ATTRIBUTES:
            words_of[name].update(_value(row.get(name)))
    return {name: frozenset(words) for name, words in words_of.items()}


def attribute_words(row: Mapping[str, str], values: Mapping[str, frozenset[str]], said: Sequence[str]) -> list[str]:
    """The words of a product's attributes that its title does not speak of.

    An attribute that the title speaks of is left out even where they differ: one of them is wrong, and the title was
    written by somebody who saw the garment.
    """
    words: list[str] = []
    for name in DETAIL_ATTRIBUTES:
        if not values[name] & set(said):
            words += _value(row.get(name))
    return words


def _value(value: Any) -> list[str]:
    words = plain_words(value) if isinstance(value, str) else []
    return [] if not words or words[0] in _EMPTY_VALUES else telling_words(words)


def _details(places: Sequence[str], colours: frozenset[str]) -> list[str]:
    """What a title says beside gender, colour and type."""
    spoken = [word for word in places if word not in colours and word not in SEVERAL]
    return [word for word in telling_words(spoken) if word not in TYPE_WORDS and word not in GENDER_WORDS]


def _article_words(article_type: str) -> list[str]:
    """What the article type says beside the class: "track" of Track Pants, "capri" of Capris."""
    return [word for word in telling_words(plain_words(article_type)) if word not in TYPE_WORDS]


def _without(words: Sequence[str], phrase: Sequence[str]) -> list[str]:
    """`words` without the first place where `phrase` stands in it as a whole."""
    length = len(phrase)
    for start in range(len(words) - length + 1 if length else 0):
        if tuple(words[start : start + length]) == tuple(phrase):
            return [*words[:start], *words[start + length :]]
    return list(words)


def _without_variant(words: Sequence[str], variant: Any, kept: Iterable[str]) -> list[str]:
    """`words` without the item's own name, but with those of its words that describe ("Slim Fit 1969")."""
    name = plain_words(variant) if isinstance(variant, str) else []
    shorter = _without(words, name)
    if len(shorter) == len(words):
        return shorter
    safe = set(kept) | set(TYPE_WORDS) | set(GENDER_WORDS)
    return [*shorter, *(word for word in name if word in safe)]
