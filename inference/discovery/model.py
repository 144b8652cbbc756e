"""The model of discovery: words become pictures, and pictures become vectors that products can be compared with.

Belongs here: an artefact's generator and judge as one object, a picture and its vector after each word, how well a
product agrees with them. Not here: the networks (training/restgan/), the products (products.py, index.py), the page
(service.py).

The judge of an artefact is also what pictures are compared by: it was trained on attributes, so what it holds for close
is alike in type, colour and gender, and it never taught the generator, so it sees real and drawn pictures alike.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from training.attribute_judge import JUDGE_FILE, AttributeJudge, load_judge
from training.restgan.sampling import RestganModel, load_artefact
from training.restgan.words import COLOUR, GENDER, TYPE, UNKNOWN, EncodedQuery

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
        asked: attribute -> the class that the words so far ask for, where they ask for one.
    """

    text: str
    recognised: bool
    picture: np.ndarray
    vector: np.ndarray
    asked: Mapping[str, int]


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
        return [
            Step(text, self.generator.vocabulary.id_of(text) != UNKNOWN, *drawn[key], self._asked(encoded, position))
            for position, (text, key) in enumerate(zip(encoded.texts, keys, strict=True))
        ]

    def _asked(self, encoded: EncodedQuery, position: int) -> dict[str, int]:
        return {
            name: int(encoded.labels[column])
            for column, name in ((TYPE, "type"), (COLOUR, "colour"), (GENDER, "gender"))
            if encoded.mentioned[position, column] and encoded.labels[column] >= 0
        }

    def agreement(self, step: Step, vectors: np.ndarray) -> np.ndarray:
        """(N,) how well products agree with a query.

        The judge's log-probability that they are of the classes that its words ask for, plus the cosine to what was
        drawn, which decides where no class is asked for or products are alike.

        Args:
            vectors: (N, d) float32, as `embed` gives them.
        """
        said = self.judge.read_features(vectors)
        lengths = np.linalg.norm(vectors, axis=1) * np.linalg.norm(step.vector)
        closeness = vectors @ step.vector / np.maximum(lengths, 1e-12)
        likelihoods = [said[name][:, label] for name, label in step.asked.items() if name in said]
        return np.sum([closeness, *likelihoods], axis=0)

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
