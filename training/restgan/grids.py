"""Grids of pictures for people: one query a column, one more word a row, the word written above its picture.

Belongs here: choosing the queries that every grid of a run shows, and laying pictures out. Not here: drawing the
pictures (sampling.py), sending them anywhere (reporters).
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from training.restgan.dataset import Bottoms

MARGIN = 6
CAPTION = 13  # pixels, Pillow's own font
LEAST_SIDE = 96  # small pictures are enlarged to about this, pixel by pixel


def chosen_rows(bottoms: Bottoms, count: int, seed: int = 0) -> np.ndarray:
    """Rows of queries to show: those that say the most attributes, each said thing as seldom twice as possible."""
    order = np.random.default_rng([seed, 3]).permutation(len(bottoms.pictures))
    last = bottoms.mentioned[np.arange(len(order)), bottoms.lengths - 1]
    says = last.sum(axis=1)
    queries, found = bottoms.rows["query"].to_numpy(), list[int]()
    seen: list[dict[int, int]] = [{}, {}, {}]
    rest = [int(row) for row in order[np.argsort(-says[order], kind="stable")]]
    rest = list({str(queries[row]): row for row in reversed(rest)}.values())[::-1][:500]
    while rest and len(found) < count:
        best = min(
            rest, key=lambda row: (-says[row], sum(seen[a].get(int(bottoms.labels[row, a]), 0) for a in range(3)))
        )
        rest.remove(best)
        found.append(best)
        for attribute in range(3):
            value = int(bottoms.labels[best, attribute])
            seen[attribute][value] = seen[attribute].get(value, 0) + 1
    return np.array(found, np.int64)


def word_grid(pictures: Sequence[np.ndarray], words: Sequence[Sequence[str]]) -> Image.Image:
    """All pictures of some queries on one sheet.

    Args:
        pictures: for each query (L, s, s, 3) uint8, after each word. words: for each query its L words.
    """
    side = pictures[0].shape[1]
    factor = max(1, round(LEAST_SIDE / side))
    tile, high = side * factor + MARGIN, side * factor + MARGIN + CAPTION
    longest = max(len(query) for query in pictures)
    sheet = Image.new("RGB", (MARGIN + tile * len(pictures), MARGIN + high * longest), (236, 236, 236))
    pen = ImageDraw.Draw(sheet)
    for column, (query, said) in enumerate(zip(pictures, words, strict=True)):
        for row, (picture, word) in enumerate(zip(query, said, strict=True)):
            left, top = MARGIN + column * tile, MARGIN + row * high
            pen.text((left, top - 2), word if row == 0 else f"+ {word}", fill=(40, 40, 40))
            shown = Image.fromarray(picture).resize((side * factor,) * 2, Image.Resampling.NEAREST)
            sheet.paste(shown, (left, top + CAPTION))
    return sheet
