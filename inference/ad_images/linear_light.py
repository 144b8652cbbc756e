"""Linear light: sRGB pixels as amounts of light, in which shading, blur and shadow are sums and products, and back.

Belongs here: the two conversions, by table. Not here: tone curves of a drawn scene (backdrops/studio/tone.py), CIELAB
(catalog/lab.py).
"""

import functools
import re

import numpy as np

from catalog.errors import SelvedgeError

STEPS = 1 << 14


def to_linear(pixels: np.ndarray) -> np.ndarray:
    """uint8 sRGB of any shape to float32 linear light, 0 to 1."""
    return _decoding()[pixels]


def to_srgb(light: np.ndarray) -> np.ndarray:
    """float32 linear light of any shape, clipped to 0 to 1, to uint8 sRGB."""
    index = np.clip(light, 0, 1)
    np.sqrt(index, out=index)  # as fine in the dark as in the light
    index *= STEPS
    return _encoding()[index.astype(np.uint16)]


def of_hex(colour: str) -> np.ndarray:
    """(3,) float32 linear light of "#aabbcc".

    Raises:
        SelvedgeError: it is no such colour.
    """
    if not re.fullmatch("#[0-9a-fA-F]{6}", colour):
        raise SelvedgeError(f"{colour!r:.40} is no colour; write it as #aabbcc.")
    return to_linear(np.frombuffer(bytes.fromhex(colour[1:]), np.uint8))


@functools.cache
def _decoding() -> np.ndarray:
    share = np.arange(256) / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4).astype(np.float32)


@functools.cache
def _encoding() -> np.ndarray:
    light = (np.arange(STEPS + 1) / STEPS) ** 2
    share = np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)
    return np.round(share * 255).astype(np.uint8)
