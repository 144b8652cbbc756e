"""Synthetic bottoms: coloured rectangles whose outline is the type, whose colour is the cluster, whose mark the gender.

Belongs here: a `Bottoms` that needs no catalogue, no drawing code and no training. Not here: tests.

A pair of pants is two long bars, jeans are pants with a light seam down each bar, shorts are two short bars; men have
a mark at the left of the waist, women one at the right, unisex none. Everything is legible at 16 pixels.
"""

import numpy as np
import pandas as pd

from catalog.lab import lab_to_rgb
from training.restgan.colours import ColourTable, spread
from training.restgan.dataset import GENDERS, LAB, PARTS, TYPES, Bottoms, freeze
from training.restgan.words import PAD, Vocabulary, meaning

COLOURS = {
    "blue": (43.0, 10.0, -48.0),
    "black": (13.0, 0.0, -1.0),
    "red": (43.0, 63.0, 42.0),
    "green": (46.0, -42.0, 27.0),
    "grey": (60.0, 0.0, -1.0),
    "khaki": (68.0, 1.0, 25.0),
}
DETAILS = ("slim", "striped", "cropped", "cotton")  # say nothing that the picture shows


def synthetic_colours(clusters: int = 4) -> ColourTable:
    """A table of `clusters` clusters (2 to 6), one word each, and "navy blue" as a second word of cluster 0."""
    names = tuple(COLOURS)[:clusters]
    centres = np.array([COLOURS[name] for name in names], np.float32)
    words = {name: place for place, name in enumerate(names)} | {"navy blue": 0}
    words = dict(sorted(words.items()))
    by_word = np.stack([centres[cluster] for cluster in words.values()])
    figures = spread(centres, [centre[None] for centre in centres])
    return ColourTable(words, names, centres, by_word, tuple(10 for _ in words), figures)


def synthetic_vocabulary(colours: ColourTable) -> Vocabulary:
    """Types, genders, the table's colour words and `DETAILS`."""
    return Vocabulary(("<pad>", "<unknown>", *TYPES, *GENDERS, *colours.words, *DETAILS))


def synthetic_bottoms(count: int = 120, size: int = 32, clusters: int = 4, seed: int = 0) -> Bottoms:
    """`count` bottoms of all types, colours and genders; every tenth goes to judge, every tenth to test.

    The words are gender, colour, type and up to two details: L is 5. Every combination comes round again after
    3 * clusters * 3 rows.
    """
    rng = np.random.default_rng(seed)
    colours = synthetic_colours(clusters)
    vocabulary = synthetic_vocabulary(colours)
    classes = np.stack(np.unravel_index(np.arange(count) % (9 * clusters), (3, clusters, 3)), axis=1).astype(np.int64)
    sequences = []
    for kind, colour, gender in classes:
        details = rng.choice(DETAILS, size=int(rng.integers(0, 3)), replace=False)
        sequences.append([GENDERS[gender], colours.names[colour], TYPES[kind], *(str(word) for word in details)])
    pictures = np.stack([_picture(size, *map(int, row), colours, rng) for row in classes])
    words = np.full((count, 5), PAD, np.int64)
    clusters_said = np.full((count, 5), -1, np.int64)
    mentioned = np.zeros((count, 5, 3), bool)
    for row, sequence in enumerate(sequences):
        length = len(sequence)
        words[row, :length] = [vocabulary.id_of(word) for word in sequence]
        clusters_said[row, :length], mentioned[row, :length], _ = meaning(sequence, colours)
        mentioned[row, length:] = mentioned[row, length - 1]
    # A combination's turns go to all parts: the position in the round is added, or a part would miss combinations.
    turn = np.arange(count) + np.arange(count) // (9 * clusters)
    rows = pd.DataFrame(
        {
            "product_id": np.arange(1, count + 1),
            "group_id": [f"g{place}" for place in range(1, count + 1)],
            "part": [PARTS[{8: 1, 9: 2}.get(int(value) % 10, 0)] for value in turn],
            "type": [TYPES[kind] for kind in classes[:, 0]],
            "colour": [colours.names[colour] for colour in classes[:, 1]],
            "gender": [GENDERS[gender] for gender in classes[:, 2]],
            "query": [" ".join(sequence) for sequence in sequences],
            **{name: colours.centres[classes[:, 1], axis] for axis, name in enumerate(LAB)},
        }
    )
    lengths = np.array([len(sequence) for sequence in sequences], np.int64)
    return freeze(Bottoms(pictures, classes, words, lengths, clusters_said, mentioned, rows, vocabulary, colours, ""))


def _picture(
    size: int, kind: int, colour: int, gender: int, colours: ColourTable, rng: np.random.Generator
) -> np.ndarray:
    """(size, size, 3) uint8: one garment, its lightness and place a little random."""
    lab = colours.centres[colour] + rng.normal(0, 2, 3)
    picture = np.full((size, size, 3), 255, np.uint8)
    rgb = lab_to_rgb(lab)
    unit = size / 16
    shift = float(rng.uniform(-0.5, 0.5))

    def box(left: float, top: float, right: float, bottom: float, value: np.ndarray) -> None:
        rows = slice(round(top * unit), round(bottom * unit))
        picture[rows, round((left + shift) * unit) : round((right + shift) * unit)] = value

    length = 8.0 if TYPES[kind] == "shorts" else 14.0
    box(4, 1, 12, 4, rgb)
    box(4, 4, 7.5, length, rgb)
    box(8.5, 4, 12, length, rgb)
    light = lab_to_rgb(np.array([85.0, 20.0, 60.0]))
    if TYPES[kind] == "jeans":
        box(5.5, 4, 6.5, length, light)
        box(9.5, 4, 10.5, length, light)
    mark = lab_to_rgb(np.array([60.0, 80.0, -50.0]))
    if GENDERS[gender] == "men":
        box(4, 1, 6, 3, mark)
    elif GENDERS[gender] == "women":
        box(10, 1, 12, 3, mark)
    return picture
