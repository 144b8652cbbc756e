"""Samples: what a model draws for the words of held-out products, as the independent judge sees it.

Belongs here: which queries are asked, which changes of a query are tried, and the judge's answers to all of it as plain
arrays. Not here: the judge (training/attribute_judge.py), what is made of the answers (evaluation/generation.py,
refinement.py, word_changes.py).

Every model of a comparison is asked the same queries with the same noise, both functions of the seed. The arrays are
small enough to keep (features, not pictures), so that a table can be made anew without drawing again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from catalog.garments import foreground, median_colour
from catalog.lab import difference
from evaluation.generation import NOT_ASKED
from evaluation.refinement import PictureSequences
from evaluation.word_changes import Changes
from training.attribute_judge import AttributeJudge
from training.restgan.batches import Sequences, shuffle
from training.restgan.dataset import ATTRIBUTES, Bottoms
from training.restgan.sampling import RestganModel
from training.restgan.words import COLOUR, PAD, UNKNOWN

Arrays = dict[str, NDArray[np.generic]]
SILENT, REORDERED, UNDONE = CHANGES = ("silent", "reordered", "undone")
"""A word that says nothing is added; the words change places; the colour is taken away again."""

FRESH_NOISE = 1_000_003  # added to the seed: noise that no picture of the seed itself has


@dataclass(frozen=True)
class Queries:
    """What a model is asked.

    Attributes:
        held_out: products whose whole queries are asked once.
        growing: some of them, distinct queries, asked word by word and with changes.
        changed: of `CHANGES`, the words of `growing` after it. Where the colour is not said, `undone` takes the last
            word.
    """

    held_out: Bottoms
    growing: Bottoms
    changed: Mapping[str, Sequences]

    @property
    def wanted(self) -> NDArray[np.int64]:
        """(n, 3) int64: the class that each whole growing query names, NOT_ASKED where it names none."""
        return whole_wanted(self.growing)

    @property
    def mentioned(self) -> NDArray[np.bool_]:
        """(n, L, 3) bool, of the growing queries, where the class is known."""
        return np.asarray(self.growing.mentioned & (self.growing.labels >= 0)[:, None])

    @property
    def removed(self) -> NDArray[np.bool_]:
        """(n, 3) bool: what nobody mentions any more after `undone`."""
        return np.asarray((self.wanted != NOT_ASKED) & ~_last(self.changed[UNDONE]))

    @property
    def names(self) -> list[str]:
        """(n,) the growing queries as text: what is resampled together."""
        return [str(query) for query in self.growing.rows["query"]]


def choose_queries(held_out: Bottoms, growing: int = 300, longest: int = 8, seed: int = 0) -> Queries:
    """The queries of held-out products.

    Args:
        growing: at most so many distinct queries are asked word by word. longest: words that are read of each.
    """
    order = np.random.default_rng([seed, 4]).permutation(len(held_out))
    texts = held_out.rows["query"].to_numpy()
    rows = list({str(texts[row]): int(row) for row in reversed(order)}.values())[::-1][:growing]
    queries = held_out.take(np.array(rows, np.int64))
    queries = replace(
        queries, words=queries.words[:, :longest], colour_words=queries.colour_words[:, :longest],
        mentioned=queries.mentioned[:, :longest], lengths=np.minimum(queries.lengths, longest),
    )  # fmt: skip
    plain = Sequences(queries.words, queries.colour_words, queries.lengths, queries.mentioned)
    changed = {
        SILENT: _with_silent_word(plain),
        REORDERED: shuffle(plain, 1.0, np.random.default_rng([seed, 5])),
        UNDONE: _without_colour(plain),
    }
    return Queries(held_out, queries, changed)


def put_to_model(queries: Queries, model: RestganModel) -> Queries:
    """The same queries in a model's own ids and clusters: it may know other words and other colours.

    What the judge is asked stays: `wanted` and `mentioned` go by the data set's classes.
    """

    def reworded(bottoms: Bottoms) -> Bottoms:
        return replace(bottoms, words=ids[bottoms.words], colour_words=_clusters(bottoms.words, bottoms.colour_words))

    def _clusters(words: NDArray[np.int64], before: NDArray[np.int64]) -> NDArray[np.int64]:
        return np.where(before >= 0, clusters[words], -1)

    own = queries.held_out.vocabulary.words
    ids = np.array([PAD, UNKNOWN, *(model.vocabulary.id_of(word) for word in own[2:])], np.int64)
    clusters = np.array([model.colours.cluster(word) for word in own], np.int64)
    changed = {
        name: replace(bottoms, words=ids[bottoms.words], colour_words=_clusters(bottoms.words, bottoms.colour_words))
        for name, bottoms in queries.changed.items()
    }
    return Queries(reworded(queries.held_out), reworded(queries.growing), changed)


def draw_samples(
    model: RestganModel, judge: AttributeJudge, queries: Queries, seed: int = 0, with_changes: bool = True
) -> Arrays:
    """The judge's view of what a model draws.

    Args:
        with_changes: also after every one of `CHANGES`; half as many pictures without.

    Returns:
        For N whole queries: features (N, d) float32, `probabilities/<attribute>` (N, K) float32, lab (N, 3) float32,
        the CIELAB median of the garment. For n growing ones of up to L words: steps/… and fresh/… with answers
        (n, L, 3) int64, features (n, L, d), lab (n, L, 3); `fresh` has noise of its own for every word. For each
        change: <change>/… and <change>-fresh/… with answers (n, 3) and features (n, d).
    """
    whole, growing = queries.held_out, queries.growing
    pictures = model.draw_last(whole.words, whole.colour_words, whole.lengths, model.noise(len(whole), seed))
    arrays: Arrays = {"features": judge.features(pictures), "lab": garment_colours(pictures)}
    arrays |= {f"probabilities/{name}": table for name, table in judge.probabilities(pictures).items()}
    n, longest = growing.words.shape
    kept = model.noise(n, seed).repeat(longest)
    anew = model.noise(n * longest, seed + FRESH_NOISE)
    repeated = (growing.words.repeat(longest, axis=0), growing.colour_words.repeat(longest, axis=0))
    # Past a query's end its last word is repeated: those pictures are not read.
    upto = np.minimum(np.arange(1, longest + 1)[None], growing.lengths[:, None]).ravel()
    for name, noise in (("steps", kept), ("fresh", anew)):
        arrays |= _seen(judge, model.draw_last(*repeated, upto, noise), name, (n, longest), with_colour=True)
    for name, words in queries.changed.items() if with_changes else ():
        for kind, noise in ((name, model.noise(n, seed)), (f"{name}-fresh", model.noise(n, seed + FRESH_NOISE))):
            drawn = model.draw_last(words.words, words.colour_words, words.lengths, noise)
            arrays |= _seen(judge, drawn, kind, (n,), with_colour=False)
    return arrays


def sequences_of(samples: Mapping[str, NDArray[np.generic]], queries: Queries) -> PictureSequences:
    """The growing queries of one training, as `evaluation.refinement` takes them."""
    before = samples["steps/lab"][:, :-1]
    moved = {
        name: np.pad(difference(before, samples[f"{name}/lab"][:, 1:]), ((0, 0), (1, 0))) for name in ("steps", "fresh")
    }
    return PictureSequences(
        ATTRIBUTES, queries.names, queries.growing.lengths, queries.wanted, queries.mentioned,
        np.asarray(samples["steps/answers"], np.int64), np.asarray(samples["fresh/answers"], np.int64),
        np.asarray(samples["steps/features"], np.float64), np.asarray(samples["fresh/features"], np.float64),
        moved["steps"], moved["fresh"],
    )  # fmt: skip


def changes_of(trainings: Sequence[Mapping[str, NDArray[np.generic]]], queries: Queries, change: str) -> Changes:
    """One of `CHANGES` in several trainings, as `evaluation.word_changes` takes it."""
    at = (np.arange(len(queries.growing)), queries.growing.lengths - 1)

    def stacked(name: str, at_change: bool = False) -> NDArray[np.float64]:
        tables = [np.asarray(training[name]) for training in trainings]
        return np.stack([table[at] if at_change else table for table in tables])

    return Changes(
        queries.names, queries.wanted,
        stacked("steps/answers", at_change=True).astype(np.int64), stacked(f"{change}/answers").astype(np.int64),
        stacked("steps/features", at_change=True), stacked(f"{change}/features"), stacked(f"{change}-fresh/features"),
    )  # fmt: skip


def whole_wanted(held_out: Bottoms) -> NDArray[np.int64]:
    """(N, 3) int64: the classes that the held-out products' whole queries name, NOT_ASKED where they name none."""
    said = held_out.mentioned[np.arange(len(held_out)), held_out.lengths - 1]
    return np.where(said & (held_out.labels >= 0), held_out.labels, NOT_ASKED)


def garment_colours(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(n, 3) float32, the CIELAB median of what is not white backdrop; NaN where nothing is."""
    return np.array([median_colour(picture, foreground(picture)) for picture in pictures], np.float32)


def _seen(
    judge: AttributeJudge, pictures: NDArray[np.uint8], name: str, shape: tuple[int, ...], with_colour: bool
) -> Arrays:
    table = judge.probabilities(pictures)
    answers = np.stack([table[attribute].argmax(axis=1) for attribute in ATTRIBUTES], axis=1).astype(np.int64)
    arrays: Arrays = {
        f"{name}/answers": answers.reshape(*shape, 3),
        f"{name}/features": judge.features(pictures).reshape(*shape, -1),
    }
    if with_colour:
        arrays[f"{name}/lab"] = garment_colours(pictures).reshape(*shape, 3)
    return arrays


def _last(words: Sequences) -> NDArray[np.bool_]:
    return np.asarray(words.mentioned[np.arange(len(words.words)), words.lengths - 1])


def _with_silent_word(plain: Sequences) -> Sequences:
    """One place more, with the unknown word: a shopper's "lovely" is no word of any catalogue."""
    wide = {
        "words": np.pad(plain.words, ((0, 0), (0, 1)), constant_values=PAD),
        "colour_words": np.pad(plain.colour_words, ((0, 0), (0, 1)), constant_values=-1),
        "mentioned": np.pad(plain.mentioned, ((0, 0), (0, 1), (0, 0)), mode="edge"),
    }
    wide["words"][np.arange(len(plain.words)), plain.lengths] = UNKNOWN
    return Sequences(wide["words"], wide["colour_words"], plain.lengths + 1, wide["mentioned"])


def _without_colour(plain: Sequences) -> Sequences:
    """The place that names the colour is taken out; the last place where none does, and the only one stays."""
    words, colours, said = plain.words.copy(), plain.colour_words.copy(), plain.said_here.copy()
    lengths = np.maximum(plain.lengths - 1, 1)
    for row, length in enumerate(plain.lengths):
        if length == 1:
            continue
        named = np.flatnonzero(said[row, :, COLOUR])
        gone = int(named[0]) if len(named) else int(length) - 1
        for table, empty in ((words, PAD), (colours, -1), (said, False)):
            table[row, gone:-1] = table[row, gone + 1 :].copy()
            table[row, -1] = empty
    return Sequences(words, colours, lengths, np.logical_or.accumulate(said, axis=1))
