"""Fields: noise that tiles, resampling and blur of float pictures; what every texture of a scene is made of.

Belongs here: arrays in, arrays out. Not here: colours and light (tone.py), the canvas (canvas.py).

Noise is made once per process as square tiles by shaping the spectrum of white noise, so that a tile has no seam; a
scene takes a window of a tile, and its seed says which. Blur is done on a reduced picture: what is out of focus has no
detail.
"""

import functools

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

TILE = 512
TILES = 6  # different tiles of each kind
Edge = float | np.ndarray


@functools.lru_cache(maxsize=64)
def tile(number: int, falloff: float) -> np.ndarray:
    """(512, 512) float32 noise without seams, mean 0, deviation 1; not to be written to.

    Args:
        number: which of the tiles, taken modulo TILES.
        falloff: of the amplitude with frequency; 0 white, 1 like cloth or sand, 1.8 like clouds.
    """
    rng = np.random.default_rng([7_919, number % TILES])
    spectrum = np.fft.rfft2(rng.standard_normal((TILE, TILE)))
    frequency = np.hypot(np.fft.fftfreq(TILE)[:, None], np.fft.rfftfreq(TILE)[None, :])
    frequency[0, 0] = 1.0
    spectrum *= frequency**-falloff
    spectrum[0, 0] = 0
    noise = np.fft.irfft2(spectrum, (TILE, TILE))
    shaped = (noise / noise.std()).astype(np.float32)
    shaped.setflags(write=False)
    return shaped


def window(rng: np.random.Generator, shape: tuple[int, int], cells: tuple[float, float], falloff: float) -> np.ndarray:
    """(height, width) float32: a random window of a tile, stretched over a picture.

    Args:
        shape: (height, width). cells: noise pixels down and across the picture; few give large soft forms.
    """
    number, top, left = (int(value) for value in rng.integers(0, (TILES, TILE, TILE)))
    rows = (np.arange(max(2, int(np.ceil(cells[0])))) + top) % TILE
    columns = (np.arange(max(2, int(np.ceil(cells[1])))) + left) % TILE
    return resized(tile(number, falloff)[np.ix_(rows, columns)], shape, Image.Resampling.BICUBIC)


def resized(field: np.ndarray, shape: tuple[int, int], how: Image.Resampling = Image.Resampling.BILINEAR) -> np.ndarray:
    """A float32 picture of (height, width) or (height, width, channels) at another size, `shape` = (height, width)."""
    if field.shape[:2] == shape:
        return field
    if field.ndim == 2:
        return np.asarray(Image.fromarray(np.ascontiguousarray(field, np.float32)).resize(shape[::-1], how))
    return np.stack([resized(field[..., channel], shape, how) for channel in range(field.shape[2])], axis=-1)


def blurred(field: np.ndarray, sigma: float, across: float | None = None) -> np.ndarray:
    """A float32 picture blurred by a Gaussian of `sigma` pixels (`across`: another one along the rows), edges held."""
    across = sigma if across is None else across
    narrow = min(sigma, across)
    if max(sigma, across) < 0.3:
        return field
    step = int(np.clip(narrow / 1.5, 1, max(1, min(field.shape[:2]) // 16)))
    if step > 1:
        small = resized(field, tuple(-(-side // step) for side in field.shape[:2]), Image.Resampling.BOX)
        return resized(blurred_here(small, sigma / step, across / step), field.shape[:2])
    return blurred_here(field, sigma, across)


def blurred_here(field: np.ndarray, sigma: float, across: float) -> np.ndarray:
    """The same without reduction."""
    deviations = (sigma, across, 0)[: field.ndim]
    return gaussian_filter(field, deviations, mode="nearest", truncate=2.5)


def smoothstep(low: Edge, high: Edge, value: np.ndarray) -> np.ndarray:
    """0 below `low`, 1 above `high`, smooth between; `low` may be the greater one."""
    share = np.clip((value - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)
