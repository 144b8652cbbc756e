"""Noise: fields that repeat at their edges, of which surfaces are made.

Belongs here: random fields and what bends, resizes and differentiates them. Not here: what they are to look like
(textures.py).

A field is (TILE, TILE) float32, DENSITY samples to the unit; a unit is the shorter side of a picture, so that a grain
or a plank has the same share of a picture at any resolution. Fields repeat after TILE / DENSITY units.
"""

from functools import lru_cache

import numpy as np
from scipy import fft, ndimage

DENSITY = 768  # samples per unit
TILE = 1152  # samples per side: 1.5 units
SPAN = TILE / DENSITY
WHITES = 3


def grid() -> tuple[np.ndarray, np.ndarray]:
    """x and y of every sample, units from 0 to SPAN; (1, TILE) and (TILE, 1) float32."""
    axis = np.arange(TILE, dtype=np.float32) / DENSITY
    return axis[None, :], axis[:, None]


def band_noise(
    seed: int, low: float, high: float, slope: float = 1.0, stretch: tuple[float, float] = (1.0, 1.0)
) -> np.ndarray:
    """Gaussian noise between two frequencies.

    Args:
        low, high: cycles per unit. slope: of the amplitude over frequency; 0 is white, 1 cloudy, 2 smooth.
        stretch: along x and y; (8, 1) makes streaks along x eight times as long as wide.

    Returns:
        (TILE, TILE) float32, mean 0, standard deviation 1.
    """
    across = (fft.rfftfreq(TILE, 1 / DENSITY).astype(np.float32) * np.float32(stretch[0]))[None, :]
    down = (fft.fftfreq(TILE, 1 / DENSITY).astype(np.float32) * np.float32(stretch[1]))[:, None]
    squared = across**2 + down**2
    squared[0, 0] = 1
    under, over = np.float32(low**2) / squared, squared / np.float32(high**2)
    gain = squared ** np.float32(-slope / 2) / ((1 + under * under * under) * (1 + over * over * over))
    gain[0, 0] = 0
    rng = np.random.default_rng(seed)
    field = fft.irfft2(_white(int(rng.integers(WHITES))) * gain, s=(TILE, TILE))
    field *= 1 / field.std()
    return np.roll(field, rng.integers(TILE, size=2), (0, 1))


@lru_cache(maxsize=WHITES)
def _white(number: int) -> np.ndarray:
    """The spectrum of white noise. Bands of one, each moved elsewhere, are as good as independent."""
    rng = np.random.default_rng([5_201, number])
    return fft.rfft2(rng.standard_normal((TILE, TILE), dtype=np.float32))


def streaks(seed: int, frequency: float, axis: int) -> np.ndarray:
    """One random value a line: unevenness of threads, (TILE, 1) along axis 0 or (1, TILE) along axis 1, deviation 1."""
    line = np.random.default_rng(seed).standard_normal(TILE).astype(np.float32)
    line = ndimage.gaussian_filter1d(line, DENSITY / frequency / 4, mode="wrap")
    line /= line.std()
    return line[:, None] if axis == 0 else line[None, :]


def warped(field: np.ndarray, shift_x: np.ndarray, shift_y: np.ndarray) -> np.ndarray:
    """The field read at places moved by so many units; repeats at its edges as before."""
    rows, columns = np.mgrid[0:TILE, 0:TILE].astype(np.float32)
    rows += shift_y * DENSITY
    columns += shift_x * DENSITY
    return ndimage.map_coordinates(field, (rows, columns), order=1, mode="grid-wrap").astype(np.float32)


def slopes(height: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How steeply a relief rises along x and y: height in units per unit of length, two (TILE, TILE) float32."""
    rise_x = (np.roll(height, -1, 1) - np.roll(height, 1, 1)) * (DENSITY / 2)
    rise_y = (np.roll(height, -1, 0) - np.roll(height, 1, 0)) * (DENSITY / 2)
    return rise_x.astype(np.float32), rise_y.astype(np.float32)


def stepped(field: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 under `low`, 1 over `high`, smooth between (Hermite); `low` may be the larger one."""
    share = np.clip((field - low) / (high - low), 0, 1)
    return share * share * (3 - 2 * share)


def specks(seed: int, count: int, radii: tuple[float, float], roundness: float = 0.6) -> np.ndarray:
    """Flecks strewn over the tile: 0 between them, 0.15 to 1 on each.

    Args:
        count: per tile. radii: smallest and largest, units.
        roundness: of 1 are discs; less are longish, turned at random.
    """
    import skia

    rng = np.random.default_rng(seed)
    surface = skia.Surface.MakeRasterN32Premul(TILE, TILE)
    canvas = surface.getCanvas()
    canvas.clear(skia.Color(0, 0, 0))
    places = rng.uniform(0, TILE, (count, 2))
    sizes = np.exp(rng.uniform(np.log(radii[0]), np.log(radii[1]), count)) * DENSITY
    widths = sizes * rng.uniform(roundness, 1, count)
    tones = rng.integers(40, 256, count)
    turns = rng.uniform(0, 180, count)
    paint = skia.Paint(AntiAlias=True)
    for (x, y), length, width, tone, turn in zip(places, sizes, widths, tones, turns, strict=True):
        paint.setColor(skia.Color(int(tone), int(tone), int(tone)))
        for left in {x, x - TILE if x + length > TILE else x, x + TILE if x < length else x}:
            for top in {y, y - TILE if y + length > TILE else y, y + TILE if y < length else y}:
                canvas.save()
                canvas.translate(left, top)
                canvas.rotate(turn)
                canvas.drawOval(skia.Rect.MakeLTRB(-length, -width, length, width), paint)
                canvas.restore()
    return surface.toarray()[..., 0].astype(np.float32) / 255
