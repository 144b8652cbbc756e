"""How a line is read, as the page tells it: what is drawn, what is not, what was perhaps meant, what then holds.

Belongs here: typing errors, words of garments that are not drawn, filters that follow from the words, what the shelf is
searched for. Not here: negation and numbers (training/restgan/sentences.py), the products (index.py, shelf.py).
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from inference.discovery.model import DiscoveryModel
from inference.discovery.shelf import Shelf, stems
from training.restgan.colours import canonical
from training.restgan.words import (
    COLOUR,
    GENDER,
    GENDER_SPELLINGS,
    IMPLIED_TYPES,
    READ_AS,
    SAY_NOTHING,
    SINGULAR,
    STOP_WORDS,
    TYPE,
    TYPE_WORDS,
    TYPES,
    UNKNOWN,
    EncodedQuery,
    plain_words,
    read_line,
    read_words,
)

LIKE_A_WORD = 0.75  # difflib's ratio: "trakc" is 0.8 of "track"
SHORTEST = 4  # letters of a word that is corrected; a shorter one is near to too many
DRAWN = ", ".join(TYPES[:-1]) + f" and {TYPES[-1]}"
EVERYBODY = "unisex"
MADE_FOR = {"type": TYPE, "colour": COLOUR, "gender": GENDER}  # column of the index -> what of a line decides it


@dataclass(frozen=True)
class Filter:
    """What of the index a line asks for.

    Attributes:
        column: of the index. says: the word that asks. place: of that word in the line.
        values: of the column that satisfy it; none where the index holds nothing of the kind.
    """

    column: str
    says: str
    place: int
    values: tuple[str, ...]


def read_for_page(model: DiscoveryModel, shelf: Shelf | None, query: str, read: EncodedQuery | None) -> dict[str, Any]:
    """What is said above the picture, as JSON values.

    Args:
        read: the query as it is drawn; None where no word of it can be.

    Returns:
        left_out: [{phrase, why}]. read_as: [[word, near word]]. said_again: words. unknown: [{word, suggestion}], the
        suggestion "" where nothing is near. not_drawn: words of garments that the model does not draw. draws: those it
        does.
    """
    line = read_line(query)
    words = list(read.texts) if read else _telling(line.wanted, model)
    strangers = [word for word in words if model.generator.vocabulary.id_of(word) == UNKNOWN]
    nouns = shelf.nouns() if shelf else frozenset()
    not_drawn = [word for word in strangers if _is_garment(word, nouns)]
    spellings = _spellings(model, nouns)
    return {
        "left_out": [{"phrase": part.phrase, "why": part.why} for part in line.left_out],
        "read_as": [list(pair) for pair in (read.read_as if read else ())],
        "said_again": list(read.said_again) if read else [],
        "unknown": [
            {"word": word, "suggestion": suggestion(word, spellings)} for word in strangers if word not in not_drawn
        ],
        "not_drawn": not_drawn,
        "draws": DRAWN,
    }


def asked_of_shelf(query: str) -> tuple[list[str], list[str]]:
    """What a line is looked up by on the shelf: stems that a product must have, and stems that it must not."""
    line = read_line(query)
    wanted = [word for word in plain_words(line.wanted) if word not in STOP_WORDS | SAY_NOTHING and len(word) > 1]
    denied = [part.phrase for part in line.left_out if part.why == "negation"]
    said = [GENDER_SPELLINGS.get(word, word) for word in wanted]
    # The word of denial itself is in no product's name, and what stands beside it is not wanted either.
    without = [stem for phrase in denied for word in plain_words(phrase) if word not in STOP_WORDS | SAY_NOTHING
               for stem in stems(word)]  # fmt: skip
    return list(dict.fromkeys(stems(" ".join(said)))), [word for word in without if word not in stems(" ".join(said))]


def asked_filters(model: DiscoveryModel, read: EncodedQuery, values: "dict[str, Sequence[str]]") -> list[Filter]:
    """Filters that the words of a line set: the type, colour and person that it names.

    Args:
        values: what the index holds, by column of `MADE_FOR`.
    """
    filters = []
    for column, attribute in MADE_FOR.items():
        if not read.mentioned[-1, attribute]:
            continue
        position = int(read.mentioned[:, attribute].argmax())
        word = read.texts[position]
        kept = [value for value in values[column] if _satisfies(column, value, word, read, model)]
        filters.append(Filter(column, word, position, tuple(kept)))
    return filters


def suggestion(word: str, spellings: Iterable[str]) -> str:
    """The word that was perhaps meant; "" where none is near."""
    if len(word) < SHORTEST:
        return ""
    return next(iter(difflib.get_close_matches(word, list(spellings), 1, LIKE_A_WORD)), "")


def _satisfies(column: str, value: str, word: str, read: EncodedQuery, model: DiscoveryModel) -> bool:
    spelled = value.casefold()
    if column == "type":
        return spelled == TYPES[read.labels[TYPE]]
    if column == "gender":
        return GENDER_SPELLINGS.get(spelled, spelled) in (GENDER_SPELLINGS.get(word, word), EVERYBODY)
    names = model.generator.colours.words
    return set(canonical(word, names).split()) <= set(canonical(" ".join(plain_words(value)), names).split())


def _telling(wanted: str, model: DiscoveryModel) -> list[str]:
    return [word for word in read_words(wanted, model.generator.colours.words) if word not in SAY_NOTHING]


def _is_garment(word: str, nouns: frozenset[str]) -> bool:
    return word not in TYPE_WORDS and word not in IMPLIED_TYPES and bool(nouns.intersection(stems(word)[-1:]))


def _spellings(model: DiscoveryModel, nouns: frozenset[str]) -> list[str]:
    """Words that would be understood, most telling first: difflib takes the first of two that are equally near."""
    vocabulary = [word for word in model.generator.vocabulary.words if not word.startswith("<")]
    near = [word for word, drawn in {**READ_AS, **SINGULAR}.items() if drawn in vocabulary]
    colours = list(model.generator.colours.words)
    words = [*vocabulary, *colours, *TYPE_WORDS, *GENDER_SPELLINGS, *near, *sorted(nouns)]
    return [word for word in dict.fromkeys(words) if len(word) >= SHORTEST - 1]
