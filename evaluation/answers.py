"""Answers: when two answers are the same.

Belongs here: the normal form for exact match. Not here: vocabularies and synonyms (catalog/attributes.yaml), metrics
(classification.py).

Match is exact after normalisation, never by substring: "sleeve" is in "sleeveless", and a public benchmark that counts
such hits overstates its models.
"""

import re
import unicodedata

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
