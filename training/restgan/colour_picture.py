"""The picture of the colour table: one row a cluster, with its words, its swatch and the garments behind it.

Belongs here: drawing it. Not here: making the table (colours.py).
"""

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from catalog.files import png_bytes
from catalog.lab import difference, lab_to_rgb
from training.restgan.colours import ColourTable

_ROW, _EDGE, _LINE = 56, 18, 15  # pixels
_SWATCH, _NAME, _FEATURE = 64, 190, 320
_CELL, _CELLS = 12, 44  # a garment's square, and how many stand in one line
_LINES = 3
INK, FAINT = (32, 34, 38), (120, 124, 130)


def picture_of_table(table: ColourTable, names: Sequence[str], colours: np.ndarray) -> bytes:
    """PNG: for each cluster the swatch of its centre, its name and words with their swatches, and garments' medians.

    Args:
        names: n colour names of products. colours: (n, 3) CIELAB medians of their garments; NaN is left out.
    """
    colours = np.asarray(colours, np.float64)
    clusters = np.array([table.cluster(name) for name in names], np.int64).reshape(-1)
    clusters[~np.isfinite(colours).all(axis=1)] = -1
    left = _EDGE + _SWATCH + _NAME + _FEATURE
    width, height = left + _CELLS * _CELL + _EDGE, 78 + len(table) * _ROW + 44
    sheet = Image.new("RGB", (width, height), "white")
    pen = ImageDraw.Draw(sheet)
    pen.text((_EDGE, 14), "Colour words that look alike share one feature", INK, _font(18))
    _headings(pen, left, len(table), table.threshold)
    for cluster in range(len(table)):
        top = 78 + cluster * _ROW
        pen.line((_EDGE, top - 5, width - _EDGE, top - 5), (228, 230, 232))
        own = colours[clusters == cluster]
        _swatch(pen, (_EDGE, top, _EDGE + 48, top + _ROW - 10), table.centres[cluster])
        middle = f"median dE {np.median(difference(own, table.centres[cluster])):.1f}" if len(own) else ""
        pen.text((_EDGE + _SWATCH, top + 4), table.names[cluster], INK, _font(14))
        pen.text((_EDGE + _SWATCH, top + 25), f"{len(own):,} garments  {middle}", FAINT, _font(11))
        _words(pen, table, cluster, _EDGE + _SWATCH + _NAME, top)
        _garments(pen, own, left, top)
    foot = "   ".join(f"{name} {value:.2f}" for name, value in table.figures.items())
    pen.text((_EDGE, height - 32), f"CIEDE2000: {foot}", FAINT, _font(12))
    return png_bytes(sheet)


def _headings(pen: ImageDraw.ImageDraw, left: int, clusters: int, threshold: float) -> None:
    texts = (
        (_EDGE, f"{clusters} clusters, up to CIEDE2000 {threshold:g}"),
        (_EDGE + _SWATCH + _NAME, "words (products)"),
        (left, "garments, by lightness"),
    )
    for x, text in texts:
        pen.text((x, 46), text, FAINT, _font(12))


def _words(pen: ImageDraw.ImageDraw, table: ColourTable, cluster: int, left: int, top: int) -> None:
    """The cluster's words, most products first, each beside a square of its own centroid; those that fit."""
    own = [index for index, (_, of) in enumerate(table.words.items()) if of == cluster]
    own.sort(key=lambda index: -table.products[index])
    words = list(table.words)
    x, y = left, top
    for shown, index in enumerate(own):
        text = f"{words[index]} ({table.products[index]})"
        length = 22 + int(pen.textlength(text, _font(12)))
        if x > left and x + length > left + _FEATURE - 12:
            x, y = left, y + _LINE + 1
        if y > top + _ROW - 10 - _LINE:
            pen.text((x, y - _LINE - 1), f"and {len(own) - shown} more", FAINT, _font(12), anchor="ra")
            return
        _swatch(pen, (x, y + 2, x + 11, y + 13), table.word_centres[index])
        pen.text((x + 16, y), text, INK, _font(12))
        x += length


def _garments(pen: ImageDraw.ImageDraw, colours: np.ndarray, left: int, top: int) -> None:
    """Squares of garments' medians, dark to light; where there are more than fit, every so many."""
    ordered = colours[np.argsort(colours[:, 0], kind="stable")] if len(colours) else colours
    room = _CELLS * _LINES
    if len(ordered) > room:
        ordered = ordered[np.linspace(0, len(ordered) - 1, room).round().astype(int)]
    for cell, colour in enumerate(ordered):
        x, y = left + (cell % _CELLS) * _CELL, top + (cell // _CELLS) * _CELL
        _swatch(pen, (x, y, x + _CELL - 2, y + _CELL - 2), colour)


def _swatch(pen: ImageDraw.ImageDraw, box: tuple[int, int, int, int], lab: np.ndarray) -> None:
    red, green, blue = (int(value) for value in lab_to_rgb(lab))
    # White garments would vanish on the white sheet without an edge.
    pen.rectangle(box, (red, green, blue), (205, 207, 210) if min(red, green, blue) > 205 else None)


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)
