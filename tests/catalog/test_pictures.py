"""One picture: what is measured, what is refused and why, and what the standard copy looks like."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from catalog.groups import DHASH_THRESHOLD
from catalog.pictures import ORIENTATION_TAG, Limits, content_box, measure_picture, standard_copy
from catalog.quarantine import Reason, Rejection
from tests.catalog.shops import encoded, picture

LIMITS = Limits()
BIG = picture(3, 600, 800)


def distance(left: str, right: str) -> int:
    return (int(left, 16) ^ int(right, 16)).bit_count()


def reason_of(content: bytes, limits: Limits = LIMITS) -> Reason:
    with pytest.raises(Rejection) as caught:
        measure_picture(content, limits)
    return caught.value.reason


def turned(image: Image.Image, orientation: int) -> bytes:
    """The image stored so that this EXIF orientation sets it upright."""
    undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}[orientation]
    stored = image if undo is None else image.transpose(Image.Transpose(undo))
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = orientation
    return encoded(stored, exif=exif, quality=95)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(orientation: int) -> None:
    image = picture(5, 300, 400)
    upright, measured = (
        measure_picture(encoded(image, quality=95), LIMITS),
        measure_picture(turned(image, orientation), LIMITS),
    )
    assert (measured.width, measured.height) == (300, 400)
    assert measured.turned == (orientation > 1)
    assert distance(upright.dhash, measured.dhash) <= 4
    copy = standard_copy(turned(image, orientation), LIMITS)
    seen = np.asarray(Image.open(io.BytesIO(copy.content))).astype(int)
    assert np.abs(seen - np.asarray(image).astype(int)).mean() < 6


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_the_same_picture_hashes_alike_in_every_format_and_size(form: str) -> None:
    reference = measure_picture(encoded(BIG), LIMITS)
    assert distance(reference.dhash, measure_picture(encoded(BIG, form), LIMITS).dhash) <= 4
    smaller = BIG.resize((300, 400), Image.Resampling.LANCZOS)
    assert distance(reference.dhash, measure_picture(encoded(smaller, form), LIMITS).dhash) <= DHASH_THRESHOLD


def test_the_hash_ignores_where_on_the_canvas_the_product_is() -> None:
    product = picture(9, 240, 320)
    placed = Image.new("RGB", (600, 500), "white")
    placed.paste(product, (300, 120))
    assert (
        distance(measure_picture(encoded(product), LIMITS).dhash, measure_picture(encoded(placed), LIMITS).dhash)
        <= DHASH_THRESHOLD
    )
    other = measure_picture(encoded(picture(10, 240, 320)), LIMITS)
    assert distance(measure_picture(encoded(product), LIMITS).dhash, other.dhash) > 40


def test_content_box_of_pale_and_dark_things_and_of_nothing() -> None:
    grey = Image.new("L", (100, 80), 250)
    assert content_box(grey) == (0, 0, 100, 80)
    grey.paste(215, (20, 10, 60, 70))
    assert content_box(grey) == (20, 10, 60, 70)
    night = Image.new("L", (100, 80), 10)
    night.paste(240, (30, 20, 90, 40))
    assert content_box(night) == (30, 20, 90, 40)
    night.putpixel((1, 1), 255)  # one stray pixel is noise
    assert content_box(night) == (30, 20, 90, 40)


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.98])
def test_truncated_jpegs_are_found(options: dict[str, bool], share: float) -> None:
    content = encoded(BIG, **options)
    assert reason_of(content[: int(len(content) * share)]) is Reason.TRUNCATED_IMAGE


@pytest.mark.parametrize("form", ["PNG", "WEBP", "GIF"])
def test_other_truncated_files_are_found(form: str) -> None:
    content = encoded(picture(4, 200, 300), form)
    assert reason_of(content[: len(content) * 3 // 5]) is Reason.TRUNCATED_IMAGE


@given(st.integers(min_value=3, max_value=400))
@settings(max_examples=40, deadline=None)
def test_a_jpeg_without_its_last_bytes_never_passes(missing: int) -> None:
    content = encoded(picture(6, 64, 64), quality=90)
    assert reason_of(content[:-missing]) is Reason.TRUNCATED_IMAGE


@pytest.mark.parametrize("content", [b"<html>404 Not Found</html>", b"GIF, it said", b"%PDF-1.4", b"\x00" * 300])
def test_files_that_are_no_images(content: bytes) -> None:
    assert reason_of(content) is Reason.UNDECODABLE_IMAGE


def test_an_empty_file_is_truncated() -> None:
    assert reason_of(b"") is Reason.TRUNCATED_IMAGE


def test_limits_hold_before_decoding() -> None:
    bomb = io.BytesIO()
    Image.new("1", (20_000, 20_000), 1).save(bomb, "PNG")  # 400 megapixels in some kilobytes
    assert reason_of(bomb.getvalue()) is Reason.IMAGE_TOO_LARGE
    assert reason_of(encoded(BIG), Limits(pixels=600 * 800 - 1)) is Reason.IMAGE_TOO_LARGE
    assert reason_of(encoded(BIG), Limits(image_bytes=100)) is Reason.IMAGE_TOO_LARGE
    assert measure_picture(encoded(BIG), Limits(pixels=600 * 800)).width == 600
    cut = encoded(BIG)[:4000]  # too large and truncated: found without decoding, so too large
    assert reason_of(cut, Limits(pixels=1000)) is Reason.IMAGE_TOO_LARGE


@pytest.mark.parametrize("mode", ["L", "RGBA", "LA", "P", "CMYK", "1", "I;16"])
def test_every_mode_becomes_rgb(mode: str) -> None:
    if mode == "I;16":
        content = encoded(Image.fromarray((np.arange(4800).reshape(60, 80) * 13).astype(np.uint16)), "PNG")
    else:
        content = encoded(picture(8).convert(mode), "TIFF" if mode == "CMYK" else "PNG")
    measure_picture(content, LIMITS)
    copy = Image.open(io.BytesIO(standard_copy(content, LIMITS).content))
    assert (copy.mode, copy.format) == ("RGB", "JPEG")


def test_transparency_is_shown_on_white() -> None:
    clear = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    copy = Image.open(io.BytesIO(standard_copy(encoded(clear, "PNG"), LIMITS).content))
    assert copy.getpixel((32, 32)) == (255, 255, 255)


def test_standard_copies_are_small_and_plain_jpegs_are_kept_byte_for_byte() -> None:
    large = standard_copy(encoded(picture(2, 900, 1200)), LIMITS)
    assert (large.width, large.height) == (384, 512)
    plain = encoded(picture(2, 300, 400))
    assert standard_copy(plain, LIMITS).content == plain


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_garbled_exif_does_not_spoil_a_sound_picture() -> None:
    content = encoded(BIG, exif=b"Exif\0\0II*\0\xff\xff\xff\xff garbage")
    assert measure_picture(content, LIMITS).width == 600
