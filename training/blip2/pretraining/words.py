"""Words that mean nothing: for copying, for renaming, and for the invented tongues.

Belongs here: making word-like strings, and the fixed dictionaries of the tongues.
Not here: the everyday words (garment_text.py, world_text.py).

Copying random words trains every word piece as an output, so that a later adapter can make the decoder write words it
has never answered with. No dictionary is loaded: the words are joined from English-like syllables.
"""

import hashlib

import numpy as np

TONGUES = ("Vorish", "Talmic", "Quen", "Osper", "Lindra", "Bruk")
_ONSETS = (
    "b", "bl", "br", "c", "ch", "cl", "cr", "d", "dr", "f", "fl", "fr", "g", "gl", "gr", "h", "j", "k", "l", "m", "n", "p", "pl",
    "pr", "qu", "r", "s", "sc", "sh", "sl", "sm", "sn", "sp", "st", "str", "sw", "t", "th", "tr", "tw", "v", "w", "wh", "y", "z", "",
)  # fmt: skip
_NUCLEI = ("a", "e", "i", "o", "u", "ea", "ee", "ai", "oa", "oo", "ou", "ie", "ue", "ay", "y")
_CODAS = (
    "", "", "", "b", "ck", "d", "g", "l", "ll", "m", "n", "nd", "ng", "nt", "p", "r", "rd", "rt", "s", "sh", "ss", "st", "t", "tch",
    "th", "x", "ze", "ve", "le", "ne", "re", "te", "ed", "er", "est", "ing", "ly", "s",
)  # fmt: skip


def invented_word(rng: np.random.Generator, syllables: int | None = None) -> str:
    """A lower-case word of one to three English-like syllables; now and then hyphenated."""
    count = syllables or int(rng.choice([1, 2, 2, 3]))
    parts = [
        _ONSETS[int(rng.integers(len(_ONSETS)))]
        + _NUCLEI[int(rng.integers(len(_NUCLEI)))]
        + _CODAS[int(rng.integers(len(_CODAS)))]
        for _ in range(count)
    ]
    joint = "-" if count > 1 and rng.random() < 0.08 else ""
    return joint.join(parts)


def cased(word: str, rng: np.random.Generator) -> str:
    """The word as it stands, or with a capital: answers of catalogues come in title case."""
    return word.title() if rng.random() < 0.6 else word


def tongue_word(tongue: str, meaning: str, words: int = 1) -> str:
    """What a tongue calls a meaning: always the same one or two capitalised words."""
    digest = hashlib.sha256(f"{tongue}/{meaning}".encode()).digest()
    rng = np.random.default_rng(np.frombuffer(digest, dtype=np.uint64))
    count = words if words == 1 else int(rng.integers(1, words + 1))
    return " ".join(invented_word(rng, int(rng.integers(1, 3))).title() for _ in range(count))
