"""Grids of pictures for people: one query a column, one more word a row, the word written above its picture.

Belongs here: choosing the queries that every grid of a run shows, and laying pictures out. Not here: drawing the
pictures (sampling.py), sending them anywhere (reporters).
"""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

if TYPE_CHECKING:  # a server of pictures needs no data set
    from training.restgan.dataset import Bottoms

MARGIN = 6
CAPTION = 13  # pixels, Pillow's own font
LINE = 17  # pixels, of a line of text between rows
INK, BACKDROP = (40, 40, 40), (236, 236, 236)
LEAST_SIDE = 96  # small pictures are enlarged to about this, pixel by pixel


def chosen_rows(bottoms: "Bottoms", count: int, seed: int = 0) -> np.ndarray:
    """Rows of queries to show: those that say the most attributes, each said thing as seldom twice as possible."""
    order = np.random.default_rng([seed, 3]).permutation(len(bottoms.pictures))
    last = bottoms.mentioned[np.arange(len(order)), bottoms.lengths - 1]
    says = last.sum(axis=1)
    queries, picked = bottoms.rows["query"].to_numpy(), list[int]()
    seen: list[dict[int, int]] = [{}, {}, {}]
    rest = [int(row) for row in order[np.argsort(-says[order], kind="stable")]]
    rest = list({str(queries[row]): row for row in reversed(rest)}.values())[::-1][:500]
    while rest and len(picked) < count:
        best = min(
            rest, key=lambda row: (-says[row], sum(seen[a].get(int(bottoms.labels[row, a]), 0) for a in range(3)))
        )
        rest.remove(best)
        picked.append(best)
        for attribute in range(3):
            value = int(bottoms.labels[best, attribute])
            seen[attribute][value] = seen[attribute].get(value, 0) + 1
    return np.array(picked, np.int64)


def word_grid(pictures: Sequence[np.ndarray], words: Sequence[Sequence[str]], title: str = "") -> Image.Image:
    """All pictures of some queries on one sheet.

    Args:
        pictures: for each query (L, s, s, 3) uint8, after each word. words: for each query its L words.
        title: written over them.
    """
    side = pictures[0].shape[1]
    factor = max(1, round(LEAST_SIDE / side))
    tile, high = side * factor + MARGIN, side * factor + MARGIN + CAPTION
    longest = max(len(query) for query in pictures)
    above = CAPTION + MARGIN if title else 0
    sheet = Image.new("RGB", (MARGIN + tile * len(pictures), above + MARGIN + high * longest), BACKDROP)
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, 3), title, fill=INK)
    for column, (query, said) in enumerate(zip(pictures, words, strict=True)):
        for row, (picture, word) in enumerate(zip(query, said, strict=True)):
            left, top = MARGIN + column * tile, above + MARGIN + row * high
            pen.text((left, top - 2), word if row == 0 else f"+ {word}", fill=INK)
            shown = Image.fromarray(picture).resize((side * factor,) * 2, Image.Resampling.NEAREST)
            sheet.paste(shown, (left, top + CAPTION))
    return sheet


def word_rows(pictures: Sequence[np.ndarray], words: Sequence[Sequence[str]], title: str = "") -> Image.Image:
    """The same on its side: one query a row, one more word a column, to be read like a line of text.

    Args: as for `word_grid`.
    """
    side = pictures[0].shape[1]
    shown_side = side * max(1, round(LEAST_SIDE / side))
    tile, high = shown_side + MARGIN, shown_side + MARGIN + LINE
    above = LINE + MARGIN if title else 0
    longest = max(len(query) for query in pictures)
    sheet = Image.new("RGB", (MARGIN + tile * longest, above + MARGIN + high * len(pictures)), BACKDROP)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(LINE - 4)
    pen.text((MARGIN, 4), title, fill=INK, font=font)
    for row, (query, said) in enumerate(zip(pictures, words, strict=True)):
        for column, (picture, word) in enumerate(zip(query, said, strict=True)):
            left, top = MARGIN + column * tile, above + MARGIN + row * high
            pen.text((left, top - 2), word if column == 0 else f"+ {word}", fill=INK, font=font)
            shown = Image.fromarray(picture).resize((shown_side,) * 2, Image.Resampling.LANCZOS)
            sheet.paste(shown, (left, top + LINE))
    return sheet


def shown_titles(bottoms: "Bottoms") -> Image.Image:
    """Products side by side, each over the words that its title became."""
    side, lines = max(LEAST_SIDE, bottoms.size), 4
    sheet = Image.new("RGB", (len(bottoms) * (side + MARGIN) + MARGIN, side + lines * CAPTION + 2 * MARGIN), "white")
    pen = ImageDraw.Draw(sheet)
    for column, (picture, query) in enumerate(zip(bottoms.pictures, bottoms.rows["query"], strict=True)):
        left = MARGIN + column * (side + MARGIN)
        sheet.paste(Image.fromarray(picture).resize((side, side), Image.Resampling.LANCZOS), (left, MARGIN))
        wrapped = textwrap.wrap(str(query), side // 6, max_lines=lines, placeholder=" …")
        pen.multiline_text((left, side + MARGIN + 2), "\n".join(wrapped), fill=INK, spacing=1)
    return sheet
