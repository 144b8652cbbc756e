"""The model of discovery: words become pictures, and pictures become vectors that products can be compared with.

Belongs here: an artefact's generator and judge as one object, a picture and its vector after each word. Not here: the
networks (training/restgan/), the products (products.py, index.py), the page (service.py).

The judge of an artefact is also what pictures are compared by: it was trained on attributes, so what it holds for close
is alike in type, colour and gender, and it never taught the generator, so it sees real and drawn pictures alike.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.attribute_judge import JUDGE_FILE, AttributeJudge, load_judge
from training.restgan.sampling import RestganModel, load_artefact
from training.restgan.words import UNKNOWN, EncodedQuery, read_words

KEPT_PICTURES = 512  # 12 KiB each at 64 pixels: the words of a few dozen shoppers
Key = tuple[int, tuple[tuple[int, int], ...]]


@dataclass(frozen=True)
class Step:
    """A query after one of its words.

    Attributes:
        text: the word as read, or the phrase that was added.
        recognised: the model knows a word of it; a word that it does not know leaves the picture as it was.
        picture: (side, side, 3) uint8.
        vector: (d,) float32, the judge's features.
    """

    text: str
    recognised: bool
    picture: np.ndarray
    vector: np.ndarray


class DiscoveryModel:
    """What a query looks like.

    Attributes:
        generator: draws. judge: embeds. uri: the address that products are stamped with.
    """

    def __init__(self, generator: RestganModel, judge: AttributeJudge, uri: str) -> None:
        self.generator, self.judge, self.uri = generator, judge, uri
        self._kept: OrderedDict[Key, tuple[np.ndarray, np.ndarray]] = OrderedDict()

    @property
    def digest(self) -> str:
        """Of the generator's artefact."""
        return self.generator.digest

    def refine(self, phrases: Sequence[str], seed: int = 0) -> list[Step]:
        """A picture after each phrase that is added, all with the same noise; a phrase is one word or several.

        Each costs one step of the reader a word and one picture: what was read before is not read again.

        Raises:
            SelvedgeError: the phrases up to one of them cannot be read as a query; see `Vocabulary.encode`.
        """
        growing = self.generator.refinement(seed)
        pictures = [growing.add(phrase) for phrase in phrases]
        recognised = [self._knows(read_words(phrase, self.generator.colours.words)) for phrase in phrases]
        if not pictures:
            return []
        vectors = self.embed(np.stack(pictures))
        return [Step(*parts) for parts in zip(phrases, recognised, pictures, vectors, strict=True)]

    def read(self, query: str) -> EncodedQuery:
        """A typed query as it is drawn.

        Raises:
            SelvedgeError: no word of it can be.
        """
        return self.generator.encode(query)

    def after_each_word(self, query: str, seed: int = 0) -> list[Step]:
        """A picture after each word of a typed query; those drawn lately for the same words and seed are kept.

        Whoever types sends the whole line again at every word: only what is new in it is drawn.

        Raises:
            SelvedgeError: the query cannot be read.
        """
        encoded = self.generator.encode(query)
        keys = _prefixes(encoded, seed)
        drawn = {key: self._kept[key] for key in keys if key in self._kept}
        if new := [position for position, key in enumerate(keys) if key not in drawn]:
            repeated = (
                encoded.words[None].repeat(len(new), axis=0),
                encoded.colour_words[None].repeat(len(new), axis=0),
            )
            noise = self.generator.noise(1, seed).repeat(len(new))
            pictures = self.generator.draw_last(*repeated, np.array(new) + 1, noise)
            vectors = self.embed(pictures)
            drawn |= {keys[position]: (pictures[row], vectors[row]) for row, position in enumerate(new)}
        for key in keys:
            self._kept[key] = drawn[key]
            self._kept.move_to_end(key)
        while len(self._kept) > KEPT_PICTURES:
            self._kept.popitem(last=False)
        return [Step(text, self._knows([text]), *drawn[key]) for text, key in zip(encoded.texts, keys, strict=True)]

    def _knows(self, words: Sequence[str]) -> bool:
        return any(self.generator.vocabulary.id_of(word) != UNKNOWN for word in words)

    def embed(self, pictures: np.ndarray) -> np.ndarray:
        """(N, d) float32 of (N, side, side, 3) uint8 pictures, drawn or photographed and framed alike."""
        return self.judge.features(pictures)


def load_model(folder: Path, uri: str) -> DiscoveryModel:
    """The model of an artefact's folder, on the processor.

    Raises:
        SelvedgeError: the folder is no artefact of restgan, is damaged, or has no judge.
    """
    return DiscoveryModel(load_artefact(folder), load_judge(folder / JUDGE_FILE), uri)


def _prefixes(encoded: EncodedQuery, seed: int) -> list[Key]:
    words = list(zip(encoded.words.tolist(), encoded.colour_words.tolist(), strict=True))
    return [(seed, tuple(words[:length])) for length in range(1, len(words) + 1)]
