"""Rendering: layout is levelled, words are not, and no catalogue or model can put markup on the page."""

import base64
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from catalog.errors import SelvedgeError
from labeling.review.pairs.rendering import PICTURE_SIDE, escaped, level_text, picture_uri
from tests.catalog.shops import encoded, picture


@given(st.text())
def test_levelling_twice_is_levelling_once(text: str) -> None:
    assert level_text(level_text(text)) == level_text(text)


@given(
    st.lists(st.from_regex(r"[A-Za-z0-9äöüß]{1,9}", fullmatch=True), min_size=1), st.sampled_from(" \n\t\u00a0\u2003")
)
def test_words_stay_and_blanks_do_not_tell(words: list[str], blank: str) -> None:
    assert level_text(f"{blank * 2}{(blank * 3).join(words)}{blank}") == " ".join(words)


@pytest.mark.parametrize(
    ("one", "another"),
    [
        ("It’s “soft”.", 'It\'s "soft".'),
        ("soft.\r\n\r\nWarm.", "soft. Warm."),
        ("soft\u200b and\u2060 warm\ufeff", "soft and warm"),
        ("cafe\u0301", "caf\u00e9"),
        ("soft — warm", "soft -- warm"),
        ("T\u2011shirt", "T-shirt"),
        ("and so on…", "and so on..."),
        ("soft , warm", "soft, warm"),
    ],
)
def test_typography_is_one(one: str, another: str) -> None:
    assert level_text(one) == level_text(another)


def test_wording_is_not_touched() -> None:
    assert level_text("A tie-dye shirt, colour: grey") == "A tie-dye shirt, colour: grey"
    assert level_text("Color") != level_text("Colour")


@given(st.text())
def test_nothing_escapes(text: str) -> None:
    assert not re.search(r"[<>\"']", escaped(text))
    assert not re.search(r"&(?!amp;|lt;|gt;|quot;|#x27;)", escaped(text))


def decoded(uri: str) -> Image.Image:
    head, _, data = uri.partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(data)))


def test_pictures_are_one_in_kind() -> None:
    exif = Image.Exif()
    exif[0x0131] = "model-v3"
    files = [
        encoded(picture(1), "JPEG", quality=60, exif=exif),
        encoded(picture(2, 300, 90), "PNG"),
        encoded(picture(3, 900, 900), "WEBP"),
    ]
    for content in files:
        shown = decoded(picture_uri(content, "product 1"))
        assert (shown.format, shown.size, shown.mode) == ("JPEG", (PICTURE_SIDE, PICTURE_SIDE), "RGB")
        assert not shown.getexif() and "comment" not in shown.info and "icc_profile" not in shown.info
        assert b"model-v3" not in base64.b64decode(picture_uri(content, "product 1").partition(",")[2])
    tables = {str(decoded(picture_uri(content, "x")).quantization) for content in files}
    assert len(tables) == 1


def test_a_broken_picture_is_one_sentence() -> None:
    with pytest.raises(SelvedgeError, match="picture of product 7 cannot be shown"):
        picture_uri(b"", "product 7")
