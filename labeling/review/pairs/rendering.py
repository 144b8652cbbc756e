"""Rendering: how anything an annotator sees is made the same in kind for both versions.

Belongs here: the layout of text, escaping, pictures of one size and format. Not here: what a side shows (kinds.py).

A version can be recognised by what nobody reads: curly quotes, a trailing blank, an invisible character, a picture's
encoder or size. All of that is levelled. Words, and how they are spelled, are the result itself and stay.
"""

import html
import io
import re
import unicodedata

from PIL import Image

from catalog.errors import SelvedgeError
from catalog.files import data_uri, jpeg_bytes
from catalog.pictures import Limits, standard_copy
from catalog.quarantine import Rejection

PICTURE_SIDE = 400  # pixels, both ways; the picture is fitted in and the rest is white
PICTURE_QUALITY = 85
_SIGNS = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′`´", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑−", "-"),
        **dict.fromkeys("–—―", "–"),
        "…": "...",
    }
)
_DASH = re.compile(r"\s*–\s*|\s+--?\s+|--")
_SPACE_BEFORE_STOP = re.compile(r"\s+([,.;:!?])")


def level_text(text: str) -> str:
    """A text in one layout: one paragraph, straight quotes, single blanks, nothing invisible; the words as written."""
    text = unicodedata.normalize("NFC", text.translate(_SIGNS))
    visible = (sign for sign in text if sign.isspace() or unicodedata.category(sign)[0] != "C")
    text = " ".join("".join(" " if sign.isspace() else sign for sign in visible).split())
    return _SPACE_BEFORE_STOP.sub(r"\1", _DASH.sub(" – ", text)).strip()


def escaped(text: str) -> str:
    """A text in one layout, safe between tags and in an attribute, whatever a catalogue or a model wrote."""
    return html.escape(level_text(text), quote=True)


def picture_uri(content: bytes, what: str) -> str:
    """Any picture as a square JPEG of one size in a data URI: no name, no metadata, no trace of its encoder.

    Args:
        content: a picture file. what: names it in the message, like "product 15970".

    Raises:
        SelvedgeError: it cannot be read.
    """
    try:
        plain = standard_copy(content, Limits()).content
    except Rejection as error:
        raise SelvedgeError(f"the picture of {what} cannot be shown ({error}); standardise it again.") from error
    picture = Image.open(io.BytesIO(plain))
    picture.load()
    scale = PICTURE_SIDE / max(picture.size)
    size = (max(1, round(picture.width * scale)), max(1, round(picture.height * scale)))
    canvas = Image.new("RGB", (PICTURE_SIDE, PICTURE_SIDE), "white")
    fitted = picture.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    canvas.paste(fitted, ((PICTURE_SIDE - size[0]) // 2, (PICTURE_SIDE - size[1]) // 2))
    return drawn_uri(canvas)


def drawn_uri(picture: Image.Image) -> str:
    """An RGB picture that was laid out here, in its own pixels, encoded like any other that is shown."""
    return data_uri(jpeg_bytes(picture, PICTURE_QUALITY, subsampling=0), "image/jpeg")
