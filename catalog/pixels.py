"""Pixels: a decoded image of any mode and colour profile as the red, green and blue, or the grey, that a browser shows.

Belongs here: embedded profiles, greys of more than eight bits, transparency. Not here: opening a file, its limits, its
orientation (pictures.py).

Worker processes import this module, so it stays free of pandas and pyarrow.
"""

import io
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image, ImageCms, TiffImagePlugin

SAME_COLOUR = 4  # levels of 255: a profile that moves no colour farther is sRGB under another name
BITS_PER_SAMPLE, PHOTOMETRIC = 258, 262  # tags of TIFF
WHITE_IS_ZERO = 0
SPACES = {"RGB": ("RGB ", "RGB"), "L": ("GRAY", "RGB"), "CMYK": ("CMYK", "RGB"), "LAB": ("Lab ", "RGB")}
"""Mode -> what its profile must be of, and the mode that comes out."""


def on_white(image: Image.Image, mode: str) -> Image.Image:
    """The image in `mode` (L or RGB), transparent parts on white as a shop shows them; colours as they are stored.

    Raises:
        ValueError: greys whose white is not known, or a mode that has no red, green and blue.
    """
    if image.mode == mode and not image.has_transparency_data:
        return image
    if image.mode in ("F", "I") or image.mode.startswith("I;"):
        image = eight_bit_grey(image)
    if image.has_transparency_data:
        rgba = image.convert("LA").convert("RGBA") if image.mode == "La" else image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return image.convert(mode)


def srgb_on_white(image: Image.Image) -> Image.Image:
    """The image as RGB in sRGB: by its embedded profile where it has one, transparent parts on white.

    A profile that is broken, or of another kind than the image, is ignored, as browsers do.

    Raises:
        ValueError: as `on_white`.
    """
    profile = image.info.get("icc_profile")
    if not profile:
        return on_white(image, "RGB")
    coloured = on_white(image, "RGB") if image.mode not in SPACES or image.has_transparency_data else image
    transform = _to_srgb(bytes(profile), coloured.mode)
    if transform is None:
        return on_white(image, "RGB")
    converted = ImageCms.applyTransform(coloured, transform)
    assert converted is not None  # only `inPlace` gives none
    return converted


def is_srgb(image: Image.Image) -> bool:
    """Whether an RGB image's stored numbers are what a browser shows: no profile, or one that is sRGB's or broken."""
    profile = image.info.get("icc_profile")
    return not profile or _to_srgb(bytes(profile), "RGB") is None


def eight_bit_grey(image: Image.Image) -> Image.Image:
    """Greys of 16 or 32 bits as mode L.

    Floating point is 0 (black) to 1, or whole numbers to 255; 12 and 16 bits are 0 to their largest number.

    Raises:
        ValueError: the numbers fit neither, or are 32-bit whole numbers, of which nobody knows which one is white.
    """
    values = np.asarray(image)
    if image.mode == "F":
        grey = _of_floats(values)
    elif image.mode == "I":
        raise ValueError("its greys are 32-bit whole numbers without a white; store it with 8 or 16 bits")
    else:
        grey = (values.astype(np.uint16) >> max(_bits(image) - 8, 0)).clip(0, 255).astype(np.uint8)
    if _tag(image, PHOTOMETRIC) == WHITE_IS_ZERO:
        grey = 255 - grey
    return Image.fromarray(grey)


def _of_floats(values: np.ndarray) -> np.ndarray:
    if not np.isfinite(values).all():
        raise ValueError("its greys hold NaN or infinity")
    least, most = float(values.min()), float(values.max())
    if least >= 0 and most <= 1:
        scaled = values * 255.0
    elif least >= 0 and most <= 255 and (values == np.rint(values)).all():
        scaled = values
    else:
        raise ValueError(f"its floating point greys run from {least:g} to {most:g}; store 0 (black) to 1 (white)")
    return np.asarray(np.rint(scaled), np.uint8)


def _bits(image: Image.Image) -> int:
    bits = _tag(image, BITS_PER_SAMPLE)
    return int(bits[0] if isinstance(bits, tuple) else bits or 16)


def _tag(image: Image.Image, number: int) -> Any:
    return image.tag_v2.get(number) if isinstance(image, TiffImagePlugin.TiffImageFile) else None


@lru_cache(maxsize=64)
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The way from a profile to sRGB; None where it leads nowhere else, or where the profile does not fit the mode."""
    space, out = SPACES[mode]
    try:
        opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if opened.profile.xcolor_space != space:
            return None
        intent = ImageCms.Intent(ImageCms.getDefaultIntent(opened))
        transform = ImageCms.buildTransform(opened, ImageCms.createProfile("sRGB"), mode, out, renderingIntent=intent)
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return None
    if mode == "RGB":
        chart = Image.fromarray(_chart())
        moved = ImageCms.applyTransform(chart, transform)
        assert moved is not None
        if np.abs(np.asarray(moved).astype(int) - _chart()).max() <= SAME_COLOUR:
            return None
    return transform


@lru_cache(maxsize=1)
def _chart() -> np.ndarray:
    """(25, 5, 3) uint8: colours of the whole cube."""
    levels = np.linspace(0, 255, 5).astype(np.uint8)
    return np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(25, 5, 3)
