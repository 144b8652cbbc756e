"""Vectors of library pictures and of the words that they are looked for by.

Belongs here: the protocol of an embedder, the default one. Not here: where vectors lie (index.py).

The default needs no weights: a picture is what is said of it (title, tags, themes, name) and the colours and
brightness that can be seen, all as weighted tokens hashed into one space. Words of one theme share a token, so that
"seaside" finds what is tagged "beach". It knows nothing of what a picture without words shows beyond its colours; an
embedder with a vision model in it does, and fits the same protocol.
"""

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Protocol

import numpy as np
from PIL import Image

from inference.ad_images.media.library import Asset
from inference.ad_images.themes import theme, theme_names
from inference.descriptions.matching import phrase_words, stem

WIDTH = 512
DRAWING = 1  # goes up with every change that makes other vectors
THEME, TRIGRAM, COLOUR, BRIGHTNESS = 2.0, 0.15, 1.5, 0.5  # weights beside a word's 1
WORKING_SIDE = 48
LEAST_SHARE = 0.12  # of a picture that has a colour's name
COLOURS = {
    "red": (190, 40, 40), "orange": (230, 130, 40), "yellow": (235, 210, 70), "green": (70, 130, 60),
    "blue": (60, 110, 190), "purple": (120, 70, 150), "pink": (235, 160, 180), "brown": (120, 80, 50),
    "beige": (220, 200, 170), "white": (245, 245, 245), "grey": (140, 140, 140), "black": (25, 25, 25),
    "turquoise": (70, 180, 180),
}  # fmt: skip
SAME_COLOUR = {
    "gray": "grey", "navy": "blue", "teal": "turquoise", "cream": "beige", "tan": "beige", "violet": "purple",
    "golden": "yellow", "wooden": "brown",
}  # fmt: skip
LIGHT = {"bright": "bright", "sunny": "bright", "airy": "bright", "dark": "dark", "night": "dark", "moody": "dark"}
IDLE = frozenset(("a", "an", "the", "of", "with", "and", "in", "on", "at", "by", "to", "image", "img", "photo"))


class Embedder(Protocol):
    """Whoever turns pictures and words into vectors of one space.

    Attributes:
        digest: changes whenever it would make other vectors. width: numbers in a vector.
    """

    width: int

    @property
    def digest(self) -> str: ...

    def asset(self, asset: Asset, picture: Image.Image) -> np.ndarray:
        """(width,) float32 of length 1 for a picture and what is said of it."""

    def text(self, words: str) -> np.ndarray:
        """(width,) float32 of length 1 for words; zeros where they say nothing."""


class TokenEmbedder:
    """The default: weighted tokens, each theme and colour in a place of its own, words hashed with sign."""

    width = WIDTH

    @property
    def digest(self) -> str:
        """As `Embedder.digest`: it changes with the list of themes, too."""
        return hashlib.sha256(f"tokens {DRAWING} {WIDTH} {sorted(_places())}".encode()).hexdigest()

    def asset(self, asset: Asset, picture: Image.Image) -> np.ndarray:
        """As `Embedder.asset`."""
        tokens = _word_tokens(asset.words)
        for name in asset.themes:
            tokens[f"theme:{name}"] = THEME
        for token, weight in seen(picture).items():
            tokens[token] = max(tokens.get(token, 0.0), weight)
        return _hashed(tokens)

    def text(self, words: str) -> np.ndarray:
        """As `Embedder.text`."""
        return _hashed(_word_tokens(words))


def seen(picture: Image.Image) -> dict[str, float]:
    """Tokens of what anybody sees in a picture: colours with their shares, bright or dark."""
    from skimage.color import rgb2lab

    small = picture.convert("RGB").resize((WORKING_SIDE, WORKING_SIDE), Image.Resampling.BOX)
    lab = rgb2lab(np.asarray(small)).reshape(-1, 3)
    names = list(COLOURS)
    anchors = rgb2lab(np.array([list(COLOURS.values())], np.uint8)).reshape(-1, 3)
    nearest = np.linalg.norm(lab[:, None] - anchors[None], axis=-1).argmin(axis=1)
    shares = np.bincount(nearest, minlength=len(names)) / len(lab)
    tokens = {
        f"colour:{name}": COLOUR * float(share) ** 0.5
        for name, share in zip(names, shares, strict=True)
        if share >= LEAST_SHARE
    }
    lightness = float(lab[:, 0].mean())
    tokens["light:bright" if lightness > 60 else "light:dark"] = BRIGHTNESS * min(abs(lightness - 60) / 30, 1.0)
    return tokens


def _word_tokens(words: str) -> dict[str, float]:
    tokens: dict[str, float] = {}
    stems = [stem(word) for word in phrase_words(words.lower()) if word not in IDLE and re.search(r"[^\W\d_]", word)]
    for each in dict.fromkeys(stems):
        tokens[each] = 1.0
        padded = f"<{each}>"
        for start in range(len(padded) - 2):
            trigram = f"tri:{padded[start : start + 3]}"
            tokens[trigram] = tokens.get(trigram, 0.0) + TRIGRAM
        colour = SAME_COLOUR.get(each, each)
        if colour in COLOURS:
            tokens[f"colour:{colour}"] = COLOUR
        if each in LIGHT:
            tokens[f"light:{LIGHT[each]}"] = BRIGHTNESS
    for length in (1, 2):
        for start in range(len(stems) - length + 1):
            for name in _themes_of().get(tuple(stems[start : start + length]), ()):
                tokens[f"theme:{name}"] = THEME
    return tokens


@lru_cache
def _themes_of() -> Mapping[tuple[str, ...], tuple[str, ...]]:
    """Stems of a word or two → themes that they name."""
    named: dict[tuple[str, ...], list[str]] = {}
    for name in theme_names():
        for word in (*theme(name).words, name.replace("_", " ")):
            named.setdefault(tuple(stem(part) for part in phrase_words(word)), []).append(name)
    return {words: tuple(dict.fromkeys(names)) for words, names in named.items()}


def _hashed(tokens: Mapping[str, float]) -> np.ndarray:
    vector = np.zeros(WIDTH, np.float32)
    for token, weight in tokens.items():
        slot, sign = _place(token)
        vector[slot] += sign * weight
    length = float(np.linalg.norm(vector))
    return vector / length if length > 0 else vector


@lru_cache
def _places() -> Mapping[str, int]:
    """Tokens that weigh much, with places that no word shares: a clash would turn a theme into its opposite."""
    heavy = [f"theme:{name}" for name in theme_names()]
    heavy += [f"colour:{name}" for name in COLOURS] + ["light:bright", "light:dark"]
    return {token: slot for slot, token in enumerate(heavy)}


@lru_cache(maxsize=65536)
def _place(token: str) -> tuple[int, int]:
    reserved = _places()
    if token in reserved:
        return reserved[token], 1
    number = int.from_bytes(hashlib.blake2b(token.encode(), digest_size=8).digest(), "big")
    return len(reserved) + number % (WIDTH - len(reserved)), 1 if number >> 63 else -1
