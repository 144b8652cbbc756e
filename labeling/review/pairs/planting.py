"""Planting: one plain error in a result, for a gold pair.

Belongs here: choosing a value that the picture contradicts, and saying it in a text. Not here: which pairs are gold
(items.py).

An error must be plain, or a careful rater fails the gold pair: only attributes that a picture shows are used, only a
value that the catalogue's label confirms is replaced, and a colour only by one of another family.
"""

import hashlib
import re
from collections.abc import Sequence

from catalog.schema import AttributeSchema

# Most plainly seen first. Usage, season, fit or fabric are matters of opinion on a photograph.
VISIBLE = ("Colour", "Article Type", "Master Category", "Sleeve Length", "Pattern")
COLOUR, ARTICLE_TYPE = "Colour", "Article Type"
# Colours that may be taken for one another; a colour in no family (Multi, Metallic, …) is never replaced.
COLOUR_FAMILIES: tuple[frozenset[str], ...] = (
    frozenset({"Black", "Charcoal", "Navy Blue", "Grey", "Grey Melange", "Steel", "Silver", "Coffee Brown"}),
    frozenset({"White", "Off White", "Cream", "Beige", "Nude", "Skin", "Grey Melange", "Silver", "Khaki"}),
    frozenset({"Blue", "Navy Blue", "Turquoise Blue", "Teal", "Purple", "Lavender", "Sea Green"}),
    frozenset({"Green", "Olive", "Lime Green", "Fluorescent Green", "Sea Green", "Teal", "Khaki"}),
    frozenset({"Red", "Maroon", "Burgundy", "Rust", "Orange", "Pink", "Rose", "Magenta", "Purple", "Mauve", "Peach"}),
    frozenset({"Yellow", "Mustard", "Gold", "Orange", "Lime Green", "Cream", "Beige", "Bronze", "Copper", "Tan"}),
    frozenset({"Brown", "Coffee Brown", "Mushroom Brown", "Tan", "Taupe", "Copper", "Rust", "Khaki", "Maroon"}),
)
PLAIN_COLOURS = ("Black", "White", "Blue", "Green", "Red", "Yellow")


def contradicting_value(schema: AttributeSchema, attribute: str, label: str, seed: str) -> str | None:
    """Another value of the vocabulary that cannot be meant where `label` is true; None where there is none."""
    vocabulary = schema.attributes[attribute].vocabulary if attribute in schema.attributes else ()
    if label not in vocabulary:
        return None
    others = [value for value in vocabulary if value != label and _contradicts(schema, attribute, label, value)]
    return pick(others, f"{seed}/{attribute}/{label}") if others else None


def contradict_text(schema: AttributeSchema, attribute: str, label: str, text: str, seed: str) -> str | None:
    """The text with every mention of the label's value saying another one; None where it does not plainly say it."""
    if attribute not in schema.attributes:
        return None
    words = {_said(schema, attribute, value): value for value in schema.attributes[attribute].vocabulary}
    longest_first = sorted(words, key=lambda value: (-len(value), value))
    mention = re.compile(
        r"(?:\b(?P<article>an?)\s+)?\b(?P<value>" + "|".join(map(_pattern, longest_first)) + r")\b", re.IGNORECASE
    )
    own = _plain(_said(schema, attribute, label))
    mentioned = {_plain(match["value"]) for match in mention.finditer(text)}
    wrong = contradicting_value(schema, attribute, label, seed) if mentioned == {own} else None
    if wrong is None:
        return None
    said = _said(schema, attribute, wrong)

    def exchanged(match: re.Match[str]) -> str:
        value = said[:1].upper() + said[1:] if match["value"][0].isupper() else said
        if match["article"] is None:
            return value
        article = "an" if said[0].lower() in "aeiou" else "a"
        return f"{article.capitalize() if match['article'][0].isupper() else article} {value}"

    return mention.sub(exchanged, text)


def _contradicts(schema: AttributeSchema, attribute: str, label: str, value: str) -> bool:
    if attribute == COLOUR:
        own = [family for family in COLOUR_FAMILIES if label in family]
        return bool(own) and value in PLAIN_COLOURS and not any(value in family for family in own)
    if attribute == ARTICLE_TYPE:
        nouns = [schema.article_types.get(name, name).split()[-1].casefold() for name in (label, value)]
        return nouns[0].rstrip("s") != nouns[1].rstrip("s")  # a casual shoe is a shoe
    return True


def _said(schema: AttributeSchema, attribute: str, value: str) -> str:
    """How a text says a value: an article type by its noun, anything else in small letters."""
    return schema.article_types.get(value, value) if attribute == ARTICLE_TYPE else value.lower()


def _pattern(words: str) -> str:
    return r"[\s-]+".join(map(re.escape, re.split(r"[\s-]+", words)))


def _plain(words: str) -> str:
    return " ".join(re.split(r"[\s-]+", words.lower()))


def pick(values: Sequence[str], seed: str) -> str:
    """One of the values, the same for the same seed."""
    return values[int.from_bytes(hashlib.sha256(seed.encode()).digest()[:8]) % len(values)]
