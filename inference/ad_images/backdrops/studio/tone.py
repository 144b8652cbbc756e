"""Tone: from painted light to the finished picture, as lens, film and a brand's palette would have it.

Belongs here: warmth of light, vignette, glow of the lights, tone curve, grain, calm and pull of a palette. Not here:
what is painted (scenes/, surfaces/).
"""

import functools

import numpy as np
from skimage.color import rgb2lab

from inference.ad_images.backdrops.studio.fields import blurred, resized, tile
from inference.ad_images.linear_light import to_linear, to_srgb

BRIGHTEST, KNEE = 4.0, 0.7  # of the tone curve: what it still tells apart, and where it bends
STEPS = 1 << 13
GRAIN = 0.012  # deviation, share of a middle tone


def warmth(value: float) -> np.ndarray:
    """(3,) float32: what light of this warmth (-1 blue to 1 orange) multiplies white by; luminance is kept."""
    tint = np.array([1 + 0.22 * value, 1.0, 1 - 0.30 * value], np.float32)
    return tint / (tint @ np.array([0.2126, 0.7152, 0.0722], np.float32))


def vignette(shape: tuple[int, int], strength: float) -> np.ndarray:
    """(height, width) float32 that multiplies light: 1 in the middle, 1 - strength in the corners."""
    across = np.linspace(-1, 1, 48, dtype=np.float32) ** 2
    distance = (across[:, None] + across[None, :]) / 2
    return resized(1 - strength * distance**1.3, shape)


def glow(light: np.ndarray, share: float) -> np.ndarray:
    """Light of bright places spread around them, as a lens does."""
    step = max(1, min(light.shape[:2]) // 64)
    small = resized(light, (light.shape[0] // step, light.shape[1] // step))
    spread = blurred(np.clip(small - 0.7, 0, 2), 4)
    return light + share * resized(spread, light.shape[:2])


def print_of(light: np.ndarray) -> np.ndarray:
    """Float32 linear light to uint8 sRGB. Bright light bends towards white in place of being cut off."""
    index = np.clip(light, 0, BRIGHTEST)
    np.sqrt(index, out=index)
    index *= STEPS
    return _tone_curve()[index.astype(np.uint16)]


@functools.cache
def _tone_curve() -> np.ndarray:
    light = (np.arange(round(STEPS * BRIGHTEST**0.5) + 2) / STEPS) ** 2
    over = np.maximum(light - KNEE, 0)
    return to_srgb((np.minimum(light, KNEE) + over / (1 + over / (1.02 - KNEE))).astype(np.float32))


def grain(shape: tuple[int, int], offset: tuple[int, int], amount: float = GRAIN) -> np.ndarray:
    """(height, width) float32 that multiplies light: the grain of a film, the same in all colours."""
    rows = (np.arange(shape[0]) + offset[0]) % 512
    columns = (np.arange(shape[1]) + offset[1]) % 512
    return 1 + amount * tile(0, 0.35)[np.ix_(rows, columns)]


def calmed(colour: np.ndarray, most: float) -> np.ndarray:
    """(3,) float32 linear light: a colour of at most this CIELAB chroma, of the same hue and lightness."""
    from skimage.color import lab2rgb

    lab = rgb2lab(to_srgb(colour)[None])[0]
    chroma = float(np.hypot(lab[1], lab[2]))
    if chroma <= most:
        return colour
    calm = lab * np.array([1.0, most / chroma, most / chroma])
    return to_linear(np.round(np.clip(lab2rgb(calm[None])[0], 0, 1) * 255).astype(np.uint8))


def towards(pixels: np.ndarray, palette: np.ndarray, pull: float) -> np.ndarray:
    """Pixels drawn towards the palette by a smooth shift of colour, so that nothing flat or banded comes of it.

    Args:
        pixels: (height, width, 3) uint8 sRGB. palette: (n, 3) float32 linear light.
        pull: share of the way to its nearest colour.
    """
    from skimage.color import lab2rgb

    height, width = pixels.shape[:2]
    small = resized(to_linear(pixels), (max(height // 8, 8), max(width // 8, 8)))
    lab = rgb2lab(to_srgb(small))
    wanted = rgb2lab(to_srgb(palette[None]))[0]
    distance = ((lab[..., None, :] - wanted) ** 2 @ np.array([0.35, 1.0, 1.0])) ** 0.5
    weight = np.exp(-distance / 9.0)
    weight /= weight.sum(-1, keepdims=True) + 1e-12
    shift = (weight @ wanted - lab) * np.array([0.45, 1.0, 1.0]) * pull
    before = to_linear(np.round(np.clip(lab2rgb(lab), 0, 1) * 255).astype(np.uint8))
    after = to_linear(np.round(np.clip(lab2rgb(lab + shift), 0, 1) * 255).astype(np.uint8))
    ratio = blurred(((after + 0.01) / (before + 0.01)).astype(np.float32), 1.5)
    return to_srgb(to_linear(pixels) * resized(ratio, (height, width)))
