"""Answers: when two answers are the same, and which value of the vocabulary a text means.

Belongs here: the normal form for exact match, and resolving predictions with the attribute schema's synonyms. Not here:
vocabularies and synonyms themselves (catalog/attributes.yaml), metrics (classification.py).

Match is exact after normalisation, never by substring: "sleeve" is in "sleeveless", and a public benchmark that counts
such hits overstates its models.
"""

import re
import unicodedata

import pandas as pd

from catalog.schema import Attribute, AttributeSchema

_WORD = re.compile(r"[^\W_]+")
_PLURALS = ((re.compile(r"ies$"), "y"), (re.compile(r"(ss|sh|ch|x|z)es$"), r"\1"), (re.compile(r"(?<![sui])s$"), ""))


def normalise(text: str) -> str:
    """The form in which answers are compared: case, hyphens, spaces, punctuation and plurals make no difference.

    Words are joined, because "T-shirt", "Tshirts" and "t shirt" are one garment; a mark between digits stays, because
    "3/4" and "34" are two sizes. Only for comparing: the form is not meant to be read.
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    folded = re.sub(r"(?<=\d)[^\w\s]+(?=\d)", "०", folded)  # a letter-like stand-in that no answer holds
    return "".join(_singular(word) for word in _WORD.findall(folded)).replace("०", "/")


def _singular(word: str) -> str:
    if len(word) > 3:
        for ending, replacement in _PLURALS:
            if ending.search(word):
                return ending.sub(replacement, word)
    return word


def read_answer(schema: AttributeSchema, attribute: str, text: str | None) -> str | None:
    """The value a model's text means: "Sleeve Length: long sleeve" gives "Long Sleeves" for `Sleeve Length`.

    Returns:
        None where there is no text, the text means no value, or it names another attribute.

    Raises:
        SelvedgeError: the schema has no such attribute.
    """
    if not isinstance(text, str):
        return None
    name, colon, value = text.partition(":")
    meant = value.strip() if colon and normalise(name) == normalise(attribute) else text
    return schema.value_of(attribute, meant) or _by_normal_form(schema.attributes[attribute]).get(normalise(meant))


def resolve_answers(predictions: pd.DataFrame, schema: AttributeSchema) -> pd.DataFrame:
    """Predictions whose `value` is the vocabulary's own word, with `in_vocabulary` false where there is none.

    Args:
        predictions: rows with attribute and value (free text, the published form, or None).

    An answer outside the vocabulary keeps its text, counts as wrong and can be listed.
    """
    pairs = list(predictions[["attribute", "value"]].itertuples(index=False, name=None))
    meant = {pair: read_answer(schema, *pair) for pair in set(pairs) if isinstance(pair[1], str)}
    values_meant = [meant.get(pair) for pair in pairs]
    values = [new if new is not None else old for new, (_, old) in zip(values_meant, pairs, strict=True)]
    return predictions.assign(
        value=pd.Series(values, index=predictions.index, dtype=object),
        in_vocabulary=[v is not None for v in values_meant],
    )


def _by_normal_form(attribute: Attribute) -> dict[str, str]:
    """What the schema's own spelling rules leave apart: plurals, and words written together."""
    by_synonym = {normalise(variant): value for variant, value in attribute.synonyms.items()}
    return by_synonym | {normalise(value): value for value in attribute.vocabulary}
