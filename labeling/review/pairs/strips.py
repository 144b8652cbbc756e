"""Picture strips: what two versions draw for the same words, one picture after each word.

Belongs here: the kind, the sheet a strip is shown as, the card of words beside it, a gold pair's error. Not here:
drawing the frames (the contest of a family that draws), how a sheet is encoded (rendering.py).

Whatever side a version draws at, its frames are enlarged to the same pixels by the same filter into the same grid. How
sharp they look is part of the result and stays to be judged; how many pixels they had cannot be counted.
"""

import io
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw, ImageFont
from skimage.color import rgb2lab

import labeling.tables  # noqa: F401  declares the table `strips`
from catalog.errors import SelvedgeError
from catalog.files import png_bytes
from catalog.garments import foreground, median_colour
from catalog.lab import difference, lab_to_rgb
from catalog.schema import AttributeSchema
from labeling.review.label_page import SIDE_PIXELS, Sides
from labeling.review.pairs.kinds import need_columns
from labeling.review.pairs.planting import pick
from labeling.review.pairs.products import Product
from labeling.review.pairs.rendering import PICTURE_SIDE, drawn_uri, level_text

SHEET_SIDE = 2 * SIDE_PIXELS  # pixels; twice what the page gives a side, for screens of twice the pixels
GAP, CAPTION, FONT, LEAST_FONT = 16, 44, 30, 14  # pixels
CARD_MARGIN, CARD_LINE = 30, 62  # pixels
INK, SOFT, LINE = (32, 36, 44), (120, 126, 136), (214, 218, 224)
CARD_TITLE = "Words"
MOST_COLUMNS = 3  # of a sheet: 160 pixels a picture on the page
ONE_STEP: Mapping[str, str] = {"polka": "dot"}
"""Two words that are one thing to say: a picture after the first alone shows nothing that was asked."""

NEAR, PLAIN, FAR = 10.0, 25.0, 30.0
"""CIEDE2000 to the colour asked: up to here a garment shows it, from here on not; a planted one is so far off."""
LEAST_GARMENT = 0.08  # of a frame; of a paler one only the edge is told from the backdrop
WHITE = np.array([100.0, 0.0, 0.0])
CLOTH, SKIN = 15.0, 30.0  # distance in a and b to the garment's median: up to here surely cloth; from here on not
CONTRADICTIONS = np.array([(16, 0, 0), (38, 20, -58), (50, -46, 36), (47, 63, 42), (84, 2, 74)], float)
"""CIELAB of plain black, blue, green, red and yellow; white would not show on the backdrop."""


@dataclass(frozen=True)
class Strip:
    """What one version draws for the words of one product.

    Attributes:
        words: the L places as read. frames: PNG, L frames of S x S pixels side by side, one after each word.
        asked: CIELAB of the colour that the words ask; None where they ask none.
        colour_at: the place of the colour word, -1 where there is none.
    """

    words: tuple[str, ...]
    frames: bytes
    asked: tuple[float, float, float] | None
    colour_at: int


@dataclass(frozen=True)
class PictureStrips:
    """The words a shopper says, and two strips of pictures that follow them."""

    name: str = "picture-strips"
    label: str = "picture strips"
    base: str | None = "the weights it began with"
    results: str = "strips"
    further: tuple[str, ...] = ()
    question: str = "Which pictures follow the words better?"
    guidelines: str = (
        "<p>Read the words first, then each strip from its first picture to its last. Every word should change what "
        "it says and keep the rest: after “+ black” the same pair turns black. The last picture should show all of "
        "the words. Between two that do, choose the pictures that look more like a real product.</p><p>Choose "
        "<b>tie</b> when you see no difference, and <b>both bad</b> when neither follows the words.</p>"
    )
    reasons: tuple[str, ...] = ("wrong colour", "wrong type", "changed too much", "ugly picture")
    sides: Sides = "picture"

    @property
    def style(self) -> str:
        return Path(__file__).with_name("picture_strips.css").read_text()

    def read(self, table: pd.DataFrame) -> dict[int, Strip]:
        columns = ("product_id", "words", "frames", "asked_l", "asked_a", "asked_b", "colour_at")
        need_columns(table, "strips", columns)
        strips: dict[int, Strip] = {}
        for product_id, texts, frames, *asked, at in zip(*(table[name] for name in columns), strict=True):
            words = tuple(level_text(str(word)) for word in texts)
            if int(product_id) in strips:
                raise SelvedgeError(f"table strips shows product {product_id} twice; keep one.")
            _check_frames(frames, len(words), int(product_id))
            colour = None if at < 0 else (float(asked[0]), float(asked[1]), float(asked[2]))
            strips[int(product_id)] = Strip(words, frames, colour, int(at))
        return strips

    def products(
        self, results: pd.DataFrame, further: Mapping[str, pd.DataFrame], vocabulary: AttributeSchema | None
    ) -> Callable[[int], Product]:
        """Beside two strips stands no photograph but the card of the words that both were asked."""
        card = word_cards(results)
        return lambda product_id: Product(product_id, {}, partial(card, product_id))

    def level(self, first: Strip, second: Strip) -> tuple[Strip, Strip]:
        """As they are, once it is sure that they answer the same words: size and encoding are levelled in the sheet."""
        if first.words != second.words:
            queries = " and ".join(repr(" ".join(strip.words)) for strip in (first, second))
            raise SelvedgeError(f"the versions were asked different words ({queries}); draw both for the same words.")
        return first, second

    def render(self, result: Strip) -> str:
        return drawn_uri(strip_sheet(result))

    def plant(self, result: Strip, product: Product, seed: int) -> Strip | None:
        """From the colour word on another colour; None where none is asked, or what is shown is not the one asked."""
        if result.asked is None:
            return None
        frames, asked = unpack_frames(result.frames, len(result.words)), np.array(result.asked)
        if not _shows(frames[-1], asked):
            return None
        far = CONTRADICTIONS[difference(CONTRADICTIONS, asked) >= FAR]
        wrong = far[int(pick([str(index) for index in range(len(far))], f"{seed}/{product.product_id}/colour"))]
        changed = [frame if at < result.colour_at else recoloured(frame, wrong) for at, frame in enumerate(frames)]
        colour = median_colour(changed[-1], foreground(frames[-1]))
        # A garment of many colours is moved in parts only, and then the error is not plain.
        return replace(result, frames=pack_frames(np.stack(changed))) if difference(colour, asked) >= PLAIN else None

    def report(self, candidate: str, opponent: str) -> tuple[str, str]:
        ours, theirs = (
            f'<img class="strip" src="{uri}" alt="pictures of the {side}">'
            for side, uri in (("candidate", candidate), ("opponent", opponent))
        )
        return ours, theirs


def pack_frames(frames: np.ndarray) -> bytes:
    """(L, S, S, 3) uint8 as one PNG, side by side."""
    return png_bytes(np.concatenate(list(frames), axis=1))


def unpack_frames(packed: bytes, count: int) -> np.ndarray:
    """(count, S, S, 3) uint8 of what `pack_frames` gave."""
    with Image.open(io.BytesIO(packed)) as opened:
        whole = np.asarray(opened.convert("RGB"))
    return np.stack(np.split(whole, count, axis=1))


def strip_sheet(strip: Strip) -> Image.Image:
    """A strip as it is shown: frames in rows like a text, each under the word that it follows; `SHEET_SIDE` wide."""
    steps = one_steps(strip.words)
    frames = unpack_frames(strip.frames, len(strip.words))[[last for _, last in steps]]
    columns = min(MOST_COLUMNS, math.ceil(math.sqrt(len(frames))))
    tile = (SHEET_SIDE - GAP * (columns - 1)) // columns
    rows = math.ceil(len(frames) / columns)
    sheet = Image.new("RGB", (SHEET_SIDE, rows * (tile + CAPTION) + GAP * (rows - 1)), "white")
    pen = ImageDraw.Draw(sheet)
    for index, (frame, line) in enumerate(zip(frames, spoken([text for text, _ in steps]), strict=True)):
        left, top = index % columns * (tile + GAP), index // columns * (tile + CAPTION + GAP)
        text, font = fitted(line, tile, FONT)
        pen.text((left + 2, top + CAPTION // 2), text, fill=INK, font=font, anchor="lm")
        shown = Image.fromarray(frame).resize((tile, tile), Image.Resampling.BICUBIC)
        sheet.paste(shown, (left, top + CAPTION))
        pen.rectangle((left, top + CAPTION, left + tile - 1, top + CAPTION + tile - 1), outline=LINE, width=2)
    return sheet


def word_cards(table: pd.DataFrame) -> Callable[[int], bytes]:
    """What stands in a photo's place: a reader of the card of a product's words, by product id.

    Args:
        table: of schema `strips`, of either version.
    """
    words = {int(item): tuple(map(str, asked)) for item, asked in zip(table["product_id"], table["words"], strict=True)}
    return lambda product_id: word_card(words[product_id])


def word_card(words: Sequence[str]) -> bytes:
    """PNG: one word a line in the order they are said, however many and however long."""
    card = Image.new("RGB", (PICTURE_SIDE, PICTURE_SIDE), "white")
    pen, top, room = ImageDraw.Draw(card), 2 * CARD_MARGIN, PICTURE_SIDE - 2 * CARD_MARGIN
    pen.text((CARD_MARGIN, CARD_MARGIN), CARD_TITLE, fill=SOFT, font=_font(20), anchor="lm")
    texts = [text for text, _ in one_steps([level_text(word) for word in words])]
    line = min(CARD_LINE, (PICTURE_SIDE - top - CARD_MARGIN // 2) / len(texts))
    lines = [fitted(text, room, round(0.64 * line)) for text in spoken(texts)]
    font = min((font for _, font in lines), key=lambda font: font.size)
    for row, (text, _) in enumerate(lines):
        pen.text((CARD_MARGIN, top + line * (row + 0.5)), text, fill=INK, font=font, anchor="lm")
    return png_bytes(card)


def one_steps(words: Sequence[str]) -> list[tuple[str, int]]:
    """What is said at each step, and the place of its last word: "polka dot" is one."""
    steps: list[tuple[str, int]] = []
    for position, word in enumerate(words):
        if position and ONE_STEP.get(words[position - 1]) == word:
            steps[-1] = (f"{words[position - 1]} {word}", position)
        else:
            steps.append((word, position))
    return steps


def spoken(words: Sequence[str]) -> list[str]:
    """The words as they are added: "women", "+ black", …"""
    return [f"+ {word}" if index else word for index, word in enumerate(words)]


def fitted(text: str, width: int, size: int) -> tuple[str, ImageFont.FreeTypeFont]:
    """A line and the largest font up to `size` pixels in which it is at most `width` pixels wide.

    What is too wide in the smallest font loses its end.
    """
    while size > LEAST_FONT and _font(size).getlength(text) > width:
        size -= 1
    shown, font = text, _font(size)
    while len(shown) > 1 and font.getlength(shown) > width:
        text = text[:-1]
        shown = f"{text}…"
    return shown, font


def recoloured(frame: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """A frame whose garment has another colour, with its folds and its soft edge; the backdrop stays as it is.

    Args:
        frame: (S, S, 3) uint8 on white. colour: (3,) CIELAB, where the garment's median goes.

    Returns:
        (S, S, 3) uint8; the frame itself where no garment is told from the backdrop.
    """
    garment = foreground(frame)
    if garment.all():
        return frame
    lab, own = rgb2lab(frame), median_colour(frame, garment)
    # A pixel of the edge is part cloth, part backdrop: it moves as far as it is cloth. Hands and shoes stay.
    cloth = (np.linalg.norm(lab - WHITE, axis=2) / max(float(np.linalg.norm(own - WHITE)), 1.0)).clip(0, 1)
    cloth *= ((SKIN - np.linalg.norm((lab - own)[..., 1:], axis=2)) / (SKIN - CLOTH)).clip(0, 1)
    moved = lab + cloth[..., None] * (colour - own)
    light = moved[..., 0].clip(0, 100)
    # Dark folds have little chroma; without this they leave the gamut.
    moved[..., 1:] *= (light / max(float(colour[0]), 1.0)).clip(0, 1)[..., None] ** cloth[..., None]
    moved[..., 0] = light
    return np.where(garment[..., None] & (cloth > 0)[..., None], lab_to_rgb(moved), frame)


def _shows(frame: np.ndarray, asked: np.ndarray) -> bool:
    """Whether a frame shows a garment, and in the colour asked."""
    garment = foreground(frame)
    if garment.all() or garment.mean() < LEAST_GARMENT:
        return False
    return float(difference(median_colour(frame, garment), asked)) <= NEAR


def _check_frames(frames: object, count: int, product_id: int) -> None:
    try:
        with Image.open(io.BytesIO(frames if isinstance(frames, bytes) else b"")) as opened:
            width, height = opened.size
    except OSError:
        width, height = 0, 0
    if count == 0 or height == 0 or width != count * height:
        raise SelvedgeError(
            f"table strips holds no {count} square frames for product {product_id}; compare the versions again."
        )


def _font(size: int) -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(size)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise SelvedgeError(
            "Pillow has no FreeType here; install a Pillow wheel (pip install --force-reinstall pillow)."
        )
    return font
