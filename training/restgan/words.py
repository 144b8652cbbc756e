"""Words: from what a shopper types to the ids a network reads, and which of the three attributes each word says.

Belongs here: normalising text, the words that name a type, a gender or nothing, the vocabulary, encoding a query with
all its refusals. Not here: what a catalogue's titles become (titles.py), which colours share a feature (colours.py),
what a line denies (sentences.py).

A place is one word, or one colour name of two words ("navy blue"): a colour is one thing to say.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from catalog.errors import SelvedgeError
from catalog.files import json_sha256
from training.restgan.colours import SEVERAL, SPELLINGS, ColourTable, canonical
from training.restgan.sentences import SAY_NOTHING, LeftOut, Sentence, read_sentence

FORMAT = 1
ATTRIBUTES = ("type", "colour", "gender")  # the order of every axis of size 3
TYPE, COLOUR, GENDER = range(3)
TYPES = ("pants", "jeans", "shorts")
GENDERS = ("men", "women", "unisex")
NOT_SAID = -1

PAD, UNKNOWN = 0, 1
MAX_WORDS = 40  # of a query; a title has about 10
MAX_CHARACTERS = 2000

TYPE_WORDS: Mapping[str, str] = {
    "pants": "pants", "pant": "pants", "trousers": "pants", "trouser": "pants", "slacks": "pants",
    "jeans": "jeans", "jean": "jeans", "shorts": "shorts", "short": "shorts",
}  # fmt: skip
"""Spellings of the three types; in a sequence only the type itself appears, once."""

IMPLIED_TYPES: Mapping[str, str] = {
    "capri": "pants", "leggings": "pants", "jeggings": "pants", "tights": "pants", "chinos": "pants",
    "joggers": "pants", "sweatpants": "pants", "bermuda": "shorts",
}  # fmt: skip
"""Garments that are a detail beside a type ("pants petite capri") and name it where nothing else does."""

GENDER_WORDS: Mapping[str, str] = {
    "men": "men", "man": "men", "mens": "men", "male": "men", "gents": "men", "gentlemen": "men",
    "boys": "men", "boy": "men",
    "women": "women", "woman": "women", "womens": "women", "female": "women", "ladies": "women", "lady": "women",
    "girls": "women", "girl": "women",
    "unisex": "unisex",
}  # fmt: skip
GENDER_SPELLINGS: Mapping[str, str] = {
    **dict(GENDER_WORDS.items()),
    "boys": "boys", "boy": "boys", "girls": "girls", "girl": "girls",
}  # fmt: skip
"""How a gender word is written in a sequence: the gender, but a child's pair is cut differently and keeps its word."""

SINGULAR: Mapping[str, str] = {
    "capris": "capri", "legging": "leggings", "jegging": "jeggings", "chino": "chinos",
    "jogger": "joggers", "bermudas": "bermuda", "pockets": "pocket", "stripes": "striped", "stripe": "striped",
    "checks": "checked", "check": "checked", "checkered": "checked", "print": "printed", "prints": "printed",
    "cargos": "cargo", "dots": "dot", "washed": "wash", "pleats": "pleated", "drawstrings": "drawstring",
}  # fmt: skip
"""One spelling of each detail; a general rule would make "jean" and "dres" of "jeans" and "dress"."""

READ_AS: Mapping[str, str] = {
    "capri": "cropped", "ankle": "cropped", "skinny": "slim", "fitted": "slim", "baggy": "loose", "relaxed": "loose",
    "oversized": "loose", "plaid": "checked", "tartan": "checked", "graphic": "printed", "plain": "solid",
    "spotted": "dot",
}  # fmt: skip
"""Details that another word comes near to: what a shopper's word is read as by a vocabulary that has only the other."""

STOP_WORDS = frozenset((
    "a", "an", "and", "any", "at", "by", "for", "from", "in", "is", "it", "its", "kid", "kids", "my", "new", "of", "on",
    "or", "our", "pack", "pair", "please", "set", "some", "style", "the", "this", "to", "us", "uk", "with", "wear",
    "look", "size", "colour", "color", "coloured", "colored", "shade",
    "type", "kidswear", "ess", "bottom", "bottoms", "clothing", "apparel",
    "cm", "inch", "inches", "xs", "xl", "xxl", "xxxl", "adult", "adults",
))  # fmt: skip

SHADES = frozenset(("dark", "light", "melange", "metallic"))  # say how, not which: ordinary words beside a colour

_MARKUP = re.compile(r"<[^>]*>|</|<!|&(?:#\d+|#x[0-9a-f]+|[a-z]{2,8});|[<>{}]|\]\(|javascript:", re.IGNORECASE)
_LETTERS = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "ð": "d", "þ": "th", "ı": "i"})
_APOSTROPHES = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "`": "'"})


@dataclass(frozen=True)
class EncodedQuery:
    """A query as a network reads it.

    Attributes:
        words: (L,) int64 ids, UNKNOWN where the vocabulary lacks the word. length: L, at least 1.
        colour_words: (L,) int64, the cluster of the colour named at this place, -1 for any other word.
        mentioned: (L, 3) bool, the attribute is said by the words up to and including this place.
        labels: (3,) int64 type, colour cluster, gender as the whole query says them; -1 where it does not.
        texts: the L words as read, for showing.
        left_out: what the line denies or counts, as typed: it is never drawn.
        read_as: (word, near word) for each that is drawn as a near one of the vocabulary.
        said_again: a second colour, type or person, of which only the first is drawn.
    """

    words: np.ndarray
    length: int
    colour_words: np.ndarray
    mentioned: np.ndarray
    labels: np.ndarray
    texts: tuple[str, ...]
    left_out: tuple[LeftOut, ...] = ()
    read_as: tuple[tuple[str, str], ...] = ()
    said_again: tuple[str, ...] = ()


@dataclass(frozen=True)
class Vocabulary:
    """Words and their ids: `words[id]`, with words[0] the padding and words[1] the unknown word."""

    words: tuple[str, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "_ids", {word: index for index, word in enumerate(self.words)})

    def __len__(self) -> int:
        return len(self.words)

    def id_of(self, word: str) -> int:
        """The id of a word; UNKNOWN for one it does not hold."""
        ids: dict[str, int] = self._ids  # type: ignore[attr-defined]
        return ids.get(word, UNKNOWN)

    def encode(self, query: str | Sequence[str], colours: ColourTable) -> EncodedQuery:
        """A shopper's words as ids, clusters and mentions.

        Words that say nothing (stop words, sizes, numbers) take no place; so does a second type, colour or gender: the
        first names the class, as in the titles. A detail that is not known is read as its near one (`READ_AS`). What a
        line denies ("not skinny", "no flowers") is taken out of it; a list of words denies nothing.

        Raises:
            SelvedgeError: the query is empty, holds markup, another script than Latin or more than 40 words, or no
                word that it asks for is known.
        """
        text = query if isinstance(query, str) else " ".join(query)
        refuse_query(text)
        sentence = read_line(text) if isinstance(query, str) else Sentence(text, ())
        places, again = _places(sentence.wanted, colours.words)
        places = [word for word in places if self.id_of(word) != UNKNOWN or word not in SAY_NOTHING]
        near = [self._read_as(word) for word in places]
        texts = list(dict.fromkeys(near))
        ids = np.array([self.id_of(word) for word in texts], np.int64)
        if not (ids != UNKNOWN).any():
            raise SelvedgeError(_nothing_to_draw(text, sentence))
        clusters, mentioned, labels = meaning(texts, colours)
        changed = tuple((word, drawn) for word, drawn in zip(places, near, strict=True) if word != drawn)
        return EncodedQuery(
            ids, len(ids), clusters, mentioned, labels, tuple(texts), sentence.left_out, changed, tuple(again)
        )

    def _read_as(self, word: str) -> str:
        """The word, or the near one that this vocabulary has instead."""
        near = READ_AS.get(word, word)
        return near if self.id_of(word) == UNKNOWN != self.id_of(near) else word

    def to_json(self) -> dict[str, Any]:
        """The words in order, with `sha256` over them."""
        return {"format": FORMAT, "words": list(self.words), "sha256": self.digest}

    @property
    def digest(self) -> str:
        """sha256 of the words in order: a checkpoint of another vocabulary is refused by it."""
        return json_sha256([FORMAT, *self.words])

    @staticmethod
    def from_json(saved: Mapping[str, Any]) -> "Vocabulary":
        """The vocabulary that `to_json` gave.

        Raises:
            SelvedgeError: another format, or a hash that does not match.
        """
        vocabulary = Vocabulary(tuple(saved.get("words", ())))
        if saved.get("format") != FORMAT or saved.get("sha256") != vocabulary.digest:
            raise SelvedgeError("the vocabulary is not one this version wrote; build the data set again.")
        return vocabulary


def build_vocabulary(sequences: Iterable[Sequence[str]], colours: ColourTable, minimum_count: int = 5) -> Vocabulary:
    """The words that occur often enough, most frequent first, equal ones by spelling; types, genders, colours always.

    A colour name that the table does not hold stays out however often it occurs: it has no feature, and a model that
    learnt it as a plain word would have a second way to say a colour.
    """
    counts = Counter(word for sequence in sequences for word in sequence)
    always = {*TYPES, *GENDERS, *colours.words}
    strangers = {word for word in counts if is_colour_name(word) and word not in colours.words and word not in SHADES}
    kept = {word for word, count in counts.items() if count >= minimum_count and word not in strangers}
    ranked = sorted(kept | always, key=lambda word: (-counts[word], word))
    return Vocabulary(("<pad>", "<unknown>", *ranked))


def refuse_query(text: str) -> None:
    """Says in one sentence why a query cannot be read.

    Raises:
        SelvedgeError: empty, markup, another script, or too long.
    """
    if not text.strip():
        raise SelvedgeError("the query is empty; type at least one word, such as 'black jeans'.")
    words = len(text.split())
    if words > MAX_WORDS or len(text) > MAX_CHARACTERS:
        raise SelvedgeError(
            f"the query has {words:,} words and {len(text):,} characters; at most {MAX_WORDS} words and "
            f"{MAX_CHARACTERS:,} characters are read."
        )
    if markup := _MARKUP.search(text):
        raise SelvedgeError(f"the query holds markup ({_shown(markup.group())!r}); type plain words.")
    for letter in text:
        if letter.isalpha() and not unicodedata.name(letter, "").startswith(("LATIN", "MODIFIER LETTER")):
            raise SelvedgeError(
                f"the query holds the letter '{letter}', which is not Latin; this model reads Latin script only."
            )


def plain_words(text: str) -> list[str]:
    """Lower-case ASCII words of any text, possessives and accents removed: "Women’s Café-Jeans" -> women cafe jeans."""
    text = text.casefold().translate(_APOSTROPHES).translate(_LETTERS)
    text = "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c))
    text = re.sub(r"'s\b|s'(?=\s|$)", lambda match: "s" if match.group()[0] == "s" else "", text).replace("'", "")
    return re.findall(r"[a-z0-9]+", text)


def telling_words(words: Iterable[str]) -> list[str]:
    """Words without stop words, sizes, codes and numbers, each detail in its one spelling."""
    kept = (word for word in words if word not in STOP_WORDS and len(word) > 2)
    return [SINGULAR.get(word, word) for word in kept if not any(letter.isdigit() for letter in word)]


def join_colours(words: Sequence[str], colours: Iterable[str]) -> list[str]:
    """Two words that are one colour name become one place, in the spelling of `known`; the first pair wins."""
    names = set(colours)
    joined: list[str] = []
    position = 0
    while position < len(words):
        pair = " ".join(words[position : position + 2])
        if position + 1 < len(words) and (pair in names or (pair in SPELLINGS and SPELLINGS[pair] in names)):
            joined.append(canonical(pair, names))
            position += 2
        else:
            joined.append(canonical(words[position], names))
            position += 1
    return joined


def read_words(text: str, known_colours: Iterable[str]) -> list[str]:
    """The places of a text: normalised, colour names joined, one type, one colour, one gender, no word twice.

    The noise is removed after colours are joined, because "off white" holds a short word and "sea green" a common one.
    """
    return _places(text, known_colours)[0]


def read_line(text: str) -> Sentence:
    """What a shopper's line asks for, without what it denies or counts; see sentences.py."""
    return read_sentence(text, {*TYPE_WORDS, *IMPLIED_TYPES, *GENDER_WORDS}, STOP_WORDS)


def _places(text: str, known_colours: Iterable[str]) -> tuple[list[str], list[str]]:
    """The places of a text, and the words that name a type, a colour or a gender once more, and another one."""
    colours = set(known_colours)
    places: list[str] = []
    again: list[str] = []
    said = [False, False, False]
    for word in join_colours(plain_words(text), colours):
        single = [word] if word in colours else telling_words([word])
        for meant in single:
            meant = GENDER_SPELLINGS.get(meant, TYPE_WORDS.get(meant, meant))
            about = attribute_of(meant, colours)
            if meant in places:
                continue
            if about is not None and said[about]:
                again.append(meant)
                continue
            places.append(meant)
            if about is not None:
                said[about] = True
    return places, list(dict.fromkeys(again))


def attribute_of(word: str, known_colours: Iterable[str]) -> int | None:
    """TYPE, COLOUR or GENDER for a word that names one for certain; None for any other, implied types too."""
    if word in TYPE_WORDS:
        return TYPE
    if word in GENDER_WORDS:
        return GENDER
    return COLOUR if word in known_colours or word in SEVERAL else None


def meaning(places: Sequence[str], colours: ColourTable) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What a sequence says: (L,) clusters of colour words, (L, 3) mentioned so far, (3,) labels, -1 where not said.

    The first word that names an attribute decides it; an implied type ("leggings") only where no type is named.
    """
    clusters = np.array([colours.cluster(word) for word in places], np.int64).reshape(-1)
    labels = np.full(3, NOT_SAID, np.int64)
    at = [len(places)] * 3
    named = any(word in TYPE_WORDS for word in places)
    for position, word in enumerate(places):
        kind = TYPE_WORDS.get(word) or (None if named else IMPLIED_TYPES.get(word))
        said = (
            TYPES.index(kind) if kind else NOT_SAID,
            int(clusters[position]),
            GENDERS.index(GENDER_WORDS[word]) if word in GENDER_WORDS else NOT_SAID,
        )
        for attribute, value in enumerate(said):
            if value != NOT_SAID and labels[attribute] == NOT_SAID:
                labels[attribute], at[attribute] = value, position
    mentioned = np.arange(len(places))[:, None] >= np.array(at)[None]
    return clusters, mentioned, labels


def is_colour_name(word: str) -> bool:
    """Whether every part of a word is a colour word of the catalogue's list: known to be one, in a table or not."""
    from catalog.groups import COLOUR_WORDS

    return all(part in COLOUR_WORDS for part in word.split())


def stack_queries(queries: Sequence[EncodedQuery]) -> dict[str, np.ndarray]:
    """Queries as one batch: words (n, L), lengths (n,), colour_words (n, L), mentioned (n, L, 3), labels (n, 3).

    L is the longest; after a query's end stand PAD, -1 and what it had mentioned by then.
    """
    longest = max(query.length for query in queries)
    batch = {
        "words": np.full((len(queries), longest), PAD, np.int64),
        "lengths": np.array([query.length for query in queries], np.int64),
        "colour_words": np.full((len(queries), longest), -1, np.int64),
        "mentioned": np.zeros((len(queries), longest, 3), bool),
        "labels": np.stack([query.labels for query in queries]),
    }
    for row, query in enumerate(queries):
        batch["words"][row, : query.length] = query.words
        batch["colour_words"][row, : query.length] = query.colour_words
        batch["mentioned"][row, : query.length] = query.mentioned
        batch["mentioned"][row, query.length :] = query.mentioned[-1]
    return batch


def _nothing_to_draw(text: str, sentence: Sentence) -> str:
    if sentence.left_out and not plain_words(sentence.wanted):
        phrases = ", ".join(repr(part.phrase) for part in sentence.left_out)
        return (
            f"{phrases} says only what is not wanted, or a number; say what the picture should show, such as 'jeans'."
        )
    return (
        f"none of the words of {_shown(text)!r} is known to this model; "
        "name a type (pants, jeans, shorts), a colour or a gender."
    )


def _shown(text: str) -> str:
    return text if len(text) <= 60 else text[:57] + "..."
