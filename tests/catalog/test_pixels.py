"""Every mode and profile that a file may have gives the colours that a browser shows, or is refused."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from catalog.pictures import ORIENTATION_TAG, Limits, measure_picture, standard_copy
from catalog.quarantine import Reason, Rejection
from tests.catalog.shops import encoded, picture

SIZE = (24, 32)
RED, GREY = (200, 30, 40), (180, 180, 180)


def profile_bytes(primaries: tuple[tuple[float, float, float], ...], gamma: float = 2.2) -> bytes:
    """A matrix profile (ICC version 2) of three primaries in XYZ under D50."""
    curve = struct.pack(">4s4xIH2x", b"curv", 1, round(gamma * 256))
    white = (0.9642, 1.0, 0.8249)
    numbers = [struct.pack(">4s4x3i", b"XYZ ", *(round(v * 65536) for v in xyz)) for xyz in (white, *primaries)]
    text = struct.pack(">4s4xI9s", b"desc", 9, b"for tests") + bytes(80)
    names = (b"wtpt", b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC", b"desc")
    blocks = [*numbers, curve, curve, curve, text + bytes(-len(text) % 4)]
    offset, table, body = 132 + 12 * len(names), b"", b""
    for name, block in zip(names, blocks, strict=True):
        table += struct.pack(">4sII", name, offset + len(body), len(block))
        body += block
    size = offset + len(body)
    header = struct.pack(">I4sI4s4s4s", size, b"test", 0x02100000, b"mntr", b"RGB ", b"XYZ ") + bytes(12) + b"acsp"
    header = header.ljust(68, b"\0") + struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(128, b"\0") + struct.pack(">I", len(names)) + table + body


ADOBE_WIDE = profile_bytes(((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446)))
SRGB = profile_bytes(((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141)))
"""sRGB's primaries with the plain gamma that monitors are said to have."""


def copied(content: bytes) -> Image.Image:
    measure_picture(content, Limits())
    return Image.open(io.BytesIO(standard_copy(content, Limits()).content))


def with_a_dark_corner(image: Image.Image) -> Image.Image:
    """The bottom right corner in black: a picture of one colour is no photograph."""
    width, height = image.size
    image.paste((0, 0, 0), (width * 3 // 4, height * 3 // 4, width, height))
    return image


def shown(content: bytes) -> list[int]:
    copy = copied(content)
    assert (copy.mode, copy.format) == ("RGB", "JPEG")
    return [int(level) for level in np.asarray(copy)[8, 8]]


def stored_with_profile(form: str, profile: bytes) -> bytes:
    """RED as it is stored in a profile's numbers."""
    way = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.ImageCmsProfile(io.BytesIO(profile)), "RGB", "RGB"
    )
    stored = ImageCms.applyTransform(with_a_dark_corner(Image.new("RGB", SIZE, RED)), way)
    if form == "PNG with alpha":
        stored.putalpha(255)
    if form == "palette":
        stored = stored.quantize(4)
    return encoded(stored, {"JPEG": "JPEG", "WEBP": "WEBP"}.get(form, "PNG"), icc_profile=profile)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "PNG with alpha", "palette"])
def test_an_embedded_profile_is_followed(form: str) -> None:
    content = stored_with_profile(form, ADOBE_WIDE)
    plain = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))[8, 8]
    assert abs(int(plain[0]) - RED[0]) > 20  # the numbers alone would be another red
    assert shown(content) == pytest.approx(RED, abs=4)
    assert "icc_profile" not in copied(content).info


def test_a_large_picture_keeps_its_colours_too() -> None:
    way = ImageCms.buildTransform(
        ImageCms.createProfile("sRGB"), ImageCms.ImageCmsProfile(io.BytesIO(ADOBE_WIDE)), "RGB", "RGB"
    )
    stored = ImageCms.applyTransform(with_a_dark_corner(Image.new("RGB", (900, 700), RED)), way)
    assert shown(encoded(stored, icc_profile=ADOBE_WIDE)) == pytest.approx(RED, abs=4)


@pytest.mark.parametrize("name", ["none", "sRGB itself", "sRGB by another name", "broken", "of grey"])
def test_a_picture_in_srgb_is_kept_byte_for_byte(name: str) -> None:
    profiles = {
        "none": None,
        "sRGB itself": ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
        "sRGB by another name": SRGB,
        "broken": ADOBE_WIDE[:90],
        "of grey": ADOBE_WIDE.replace(b"RGB XYZ ", b"GRAYXYZ "),
    }
    content = encoded(picture(4), icc_profile=profiles[name]) if profiles[name] else encoded(picture(4))
    assert standard_copy(content, Limits()).content == content


def tiff(values: np.ndarray, **tags: int) -> bytes:
    numbers = {"photometric": 262, "bits": 258}
    sink = io.BytesIO()
    Image.fromarray(values).save(sink, "TIFF", tiffinfo={numbers[name]: value for name, value in tags.items()})
    return sink.getvalue()


def flat(level: float, kind: type) -> np.ndarray:
    """A grey picture of one level, with black and white in a corner."""
    values = np.full(SIZE[::-1], level, kind)
    top = {np.float32: 1.0, np.uint16: 65535}.get(kind, 255)
    values[0, 0], values[0, 1] = 0, top
    return values


def in_mode(mode: str) -> bytes:
    """GREY in a file of the mode."""
    grey = with_a_dark_corner(Image.new("RGB", SIZE, GREY))
    clear = Image.new("RGBA", SIZE, (0, 200, 0, 0))
    clear.paste((*GREY, 255), (4, 4, 20, 28))
    files = {
        "L": lambda: encoded(grey.convert("L"), "PNG"),
        "LA": lambda: encoded(clear.convert("LA"), "PNG"),
        "P": lambda: encoded(grey.quantize(8), "PNG"),
        "P, clear": lambda: encoded(clear.quantize(8), "PNG"),
        "GIF, clear": lambda: encoded(clear, "GIF"),
        "RGB": lambda: encoded(grey, "PNG"),
        "RGB, clear": lambda: encoded(Image.composite(grey, Image.new("RGB", SIZE, (1, 2, 3)), clear.getchannel("A")),
                                      "PNG", transparency=(1, 2, 3)),
        "RGBA": lambda: encoded(clear, "PNG"),
        "RGBA in WEBP": lambda: encoded(clear, "WEBP", lossless=True),
        "RGBA in AVIF": lambda: encoded(clear, "AVIF", quality=95),
        "AVIF": lambda: encoded(grey, "AVIF", quality=95),
        "CMYK": lambda: encoded(grey.convert("CMYK"), "TIFF"),
        "CMYK in JPEG": lambda: encoded(grey.convert("CMYK"), "JPEG", quality=98),
        "YCbCr": lambda: encoded(grey.convert("YCbCr"), "TIFF"),
        "I;16": lambda: tiff(flat(180 * 257, np.uint16)),
        "I;16 in PNG": lambda: encoded(Image.fromarray(flat(180 * 257, np.uint16)), "PNG"),
        "I;16, white is zero": lambda: tiff((65535 - flat(180 * 257, np.uint16)), photometric=0),
        "F": lambda: tiff(flat(180 / 255, np.float32)),
        "F to 255": lambda: tiff(flat(180, np.uint8).astype(np.float32)),
        "F, white is zero": lambda: tiff(1 - flat(180 / 255, np.float32), photometric=0),
    }  # fmt: skip
    return files[mode]()


MODES = (
    "L", "LA", "P", "P, clear", "GIF, clear", "RGB", "RGB, clear", "RGBA", "RGBA in WEBP", "RGBA in AVIF", "AVIF",
    "CMYK", "CMYK in JPEG", "YCbCr", "I;16", "I;16 in PNG", "I;16, white is zero", "F", "F to 255", "F, white is zero",
)  # fmt: skip


@pytest.mark.parametrize("mode", MODES)
def test_a_grey_is_that_grey_in_every_mode(mode: str) -> None:
    copy = np.asarray(copied(in_mode(mode)))
    assert copy[16, 12].tolist() == pytest.approx(GREY, abs=4)
    if "clear" in mode or mode.startswith(("LA", "RGBA")):
        assert copy[1, 1].min() > 240  # what is clear is white, whatever lies under it


def test_black_and_white_are_black_and_white() -> None:
    halves = Image.new("1", SIZE, 0)
    halves.paste(1, (12, 0, 24, 32))
    copy = np.asarray(copied(encoded(halves, "PNG")))
    assert (copy[16, 3].max() < 12, copy[16, 20].min() > 243) == (True, True)


@pytest.mark.parametrize(
    "values",
    [
        flat(0.7, np.float32) * 4,
        flat(0.7, np.float32) - 0.5,
        np.full(SIZE, np.nan, np.float32),
        np.full(SIZE, np.inf, np.float32),
        flat(0.7, np.float32) * 65535,
        np.full(SIZE, 180, np.int32),
    ],
)
def test_greys_of_unknown_white_go_to_quarantine(values: np.ndarray) -> None:
    for stage in (measure_picture, standard_copy):
        with pytest.raises(Rejection) as caught:
            stage(tiff(values), Limits())
        assert caught.value.reason is Reason.UNDECODABLE_IMAGE
        assert "greys" in caught.value.detail


@pytest.mark.parametrize("form", ["PNG", "WEBP", "AVIF", "TIFF"])
def test_orientation_is_applied_in_every_format(form: str) -> None:
    exif = Image.Exif()
    exif[ORIENTATION_TAG] = 6
    stored = Image.new("RGB", (40, 20), GREY)
    stored.paste((0, 0, 0), (0, 0, 10, 20))
    copy = copied(encoded(stored, form, exif=exif))
    assert copy.size == (20, 40)
    assert (np.asarray(copy)[3, 10].max() < 40, np.asarray(copy)[30, 10].min() > 150) == (True, True)


def test_a_cut_avif_is_found() -> None:
    content = encoded(picture(4, 200, 300), "AVIF")
    for share in (0.3, 0.9):
        with pytest.raises(Rejection) as caught:
            measure_picture(content[: int(len(content) * share)], Limits())
        assert caught.value.reason in (Reason.TRUNCATED_IMAGE, Reason.UNDECODABLE_IMAGE)
