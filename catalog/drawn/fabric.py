"""Fabric: what makes denim look like denim.

Belongs here: tileable texture and crease tiles, and per fabric how strong weave, creases and sheen are. Not here: the
pattern printed on it (pattern.py), where it is cut (tops.py, …).

A tile holds light and shade only: black or white at some opacity, so that one tile serves every colour. Tiles are made
once per process from fixed seeds. One tile pixel is 1/256 of the frame, so a weave looks the same at every size.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import skia

TILE = 256
CREASE_CEILING = 140.0  # percent; the strength at which crease tiles are made
TILE_UNITS = 1000 / 256  # frame units per tile pixel; the frame is 1000 units wide


@dataclass(frozen=True)
class Fabric:
    """How a fabric is lit: names of its tiles, strength of creases, depth of rounding, and visible stitching."""

    weave: str | None
    crease: str
    crease_strength: float
    roundness: float
    gloss: float = 0.0
    stitch: str = "tonal"  # tonal, contrast (denim), heavy (leather)
    softness: float = 1.0  # > 1: folds are broad and few


FABRICS: dict[str, Fabric] = {
    "Cotton": Fabric(None, "soft", 0.8, 1.0),
    "Linen": Fabric("linen", "crumple", 1.0, 0.8),
    "Denim": Fabric("denim", "soft", 0.75, 1.0, stitch="contrast"),
    "Satin": Fabric(None, "satin", 1.25, 1.3, gloss=0.4, softness=1.6),
    "Corduroy": Fabric("corduroy", "soft", 0.5, 0.9),
    "Polyester": Fabric("airmesh", "sharp", 1.1, 1.2, gloss=0.22),
    "Wool": Fabric("knit", "soft", 0.5, 1.0, softness=1.5),
    "Fleece": Fabric("fleece", "soft", 0.4, 1.2, softness=1.8),
    "Leather": Fabric("grain", "gloss", 1.15, 1.3, gloss=0.36, stitch="heavy"),
    "Patent Leather": Fabric(None, "patent", 1.0, 1.3, gloss=0.75, stitch="heavy"),
    "Suede": Fabric("nap", "soft", 0.3, 0.75),
    "Canvas": Fabric("canvas", "soft", 0.4, 0.8, stitch="contrast"),
    "Mesh": Fabric("mesh", "soft", 0.35, 1.0),
}


def _noise(seed: int, size: int, power: float, stretch: tuple[float, float] = (1, 1)) -> np.ndarray:
    """Tileable noise, (size, size) float64, mean 0, deviation 1; `stretch` > 1 elongates along x or y."""
    rng = np.random.default_rng(seed)
    fy = np.fft.fftfreq(size)[:, None] * size * stretch[1]
    fx = np.fft.fftfreq(size)[None, :] * size * stretch[0]
    amplitude = 1 / np.maximum(np.hypot(fx, fy), 1.0) ** power
    amplitude[0, 0] = 0
    field = np.fft.ifft2(amplitude * np.exp(2j * np.pi * rng.random((size, size)))).real
    return (field - field.mean()) / field.std()


def _slope(height: np.ndarray) -> np.ndarray:
    """Light from the upper left on a height field, deviation 1."""
    lit = (np.roll(height, 1, 0) - np.roll(height, -1, 0)) * 0.7 + (np.roll(height, 1, 1) - np.roll(height, -1, 1))
    return lit / lit.std()


def _band(noise: np.ndarray, low: float, high: float) -> np.ndarray:
    """Noise limited to wavelengths between `low` and `high` pixels."""
    size = noise.shape[0]
    radius = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.fftfreq(size)[None, :])
    passed = np.fft.ifft2(np.fft.fft2(noise) * ((radius > 1 / high) & (radius < 1 / low))).real
    return passed / passed.std()


def _weave(name: str) -> np.ndarray:
    """Light (+) and shade (-) of one weave, opacity in [-1, 1], (TILE, TILE)."""
    y, x = np.mgrid[0:TILE, 0:TILE].astype(float)
    white = np.random.default_rng(5).normal(size=(TILE, TILE))
    if name == "denim":
        twill = np.sin(2 * np.pi * (x + y) / 5.12) * (1 + 0.4 * _band(white, 3, 12))
        yarn = _noise(11, TILE, 0.7, (1, 0.08))
        return 0.115 * twill + 0.08 * yarn + 0.05 * _noise(12, TILE, 1.2) + 0.03 * white
    if name == "linen":
        weft = _noise(21, TILE, 0.55, (0.04, 1.0))
        warp = _noise(22, TILE, 0.55, (1.0, 0.04))
        return 0.085 * weft + 0.085 * warp
    if name == "corduroy":
        wale = np.sin(2 * np.pi * x / 9.143)
        return 0.24 * wale - 0.05 + 0.03 * _noise(31, TILE, 0.5)
    if name == "knit":
        column = (x / 10.6667) % 1
        vee = np.sin(2 * np.pi * (y / 8.0 + np.abs(column - 0.5) * 1.5))
        gutter = -np.exp(-(((column - 0.0 + 0.5) % 1 - 0.5) ** 2) / 0.012)
        return 0.17 * vee + 0.24 * gutter + 0.05
    if name == "fleece":
        curls = _slope(np.abs(_band(_noise(41, TILE, 0.2), 5, 13)))
        return 0.16 * np.tanh(curls)
    if name == "airmesh":
        row = np.floor(y / 8.0)
        along = (x + 4 * (row % 2)) % 8.0 - 4
        hole = (along / 1.5) ** 2 + ((y % 8.0 - 4) / 2.6) ** 2
        return 0.035 - 0.27 * np.exp(-hole)
    if name == "grain":
        return 0.085 * np.tanh(_slope(np.abs(_band(_noise(51, TILE, 0.2), 3, 9))))
    if name == "nap":
        return 0.13 * np.tanh(_band(_noise(61, TILE, 0.8), 8, 60)) + 0.10 * np.tanh(_band(white, 2.2, 6))
    if name == "canvas":
        over = np.sin(2 * np.pi * x / 5.12) * np.sin(2 * np.pi * y / 5.12)
        return 0.17 * over + 0.04 * _noise(71, TILE, 0.6)
    if name == "mesh":
        row = np.floor(y / 8.0)
        hole = ((x + 4 * (row % 2)) % 8.0 - 4) ** 2 + (y % 8.0 - 4) ** 2
        return 0.05 - 0.42 * np.exp(-((hole / 5.5) ** 2))
    raise KeyError(name)


def _crease(name: str) -> np.ndarray:
    """Light and shade of one kind of crease at full strength, opacity in [-1, 1], (2 TILE, 2 TILE)."""
    size = 2 * TILE
    if name == "soft":
        return 0.055 * np.tanh(_slope(_noise(101, size, 2.6, (1.4, 0.7))))
    if name == "crumple":
        ridges = np.abs(_noise(111, size, 1.9, (1.0, 0.8))) + 0.5 * np.abs(_noise(112, size, 1.7))
        return 0.085 * np.clip(_slope(_band(ridges, 6, 200)), -2, 2)
    if name == "satin":
        flow = _noise(121, size, 2.8, (1.6, 0.5))
        return 0.19 * np.sin(4.2 * flow) ** 3 + 0.03
    if name == "sharp":
        ridges = np.abs(_noise(131, size, 2.2, (0.7, 1.3)))
        return 0.075 * np.clip(_slope(_band(ridges, 8, 300)), -2, 2.4)
    if name == "gloss":
        ridges = np.abs(_noise(141, size, 2.2)) + 0.3 * np.abs(_noise(142, size, 1.8))
        lit = np.clip(_slope(_band(ridges, 7, 200)), -2, 3)
        return np.where(lit > 0, 0.12 * np.maximum(lit, 0) ** 1.5, 0.08 * lit)
    if name == "patent":
        bumps = _noise(151, size, 2.6)
        return 0.5 * np.clip(np.sin(3.4 * bumps) - 0.72, 0, 1) / 0.28 - 0.02
    raise KeyError(name)


def _as_image(opacity: np.ndarray) -> skia.Image:
    """Signed opacity to an image of white (+) and black (-) pixels."""
    pixels = np.empty((*opacity.shape, 4), np.uint8)
    pixels[..., :3] = np.where(opacity > 0, 255, 0)[..., None]
    pixels[..., 3] = np.clip(np.abs(opacity) * 255 + 0.5, 0, 255)
    return skia.Image.fromarray(pixels, colorType=skia.kRGBA_8888_ColorType).withDefaultMipmaps()


@lru_cache(maxsize=64)
def weave_tile(name: str) -> skia.Image:
    """The tile of a weave, 256 x 256."""
    return _as_image(_weave(name))


@lru_cache(maxsize=64)
def crease_tile(name: str) -> skia.Image:
    """The tile of a crease, 512 x 512, at the strength `CREASE_CEILING`; a paint's opacity weakens it."""
    return _as_image(np.clip(_crease(name) * CREASE_CEILING / 100, -0.7, 0.9))


def tile_shader(image: skia.Image, scale: float, angle: float, shift: tuple[float, float]) -> skia.Shader:
    """An endless repetition of a tile; `scale` in garment units per tile pixel, `angle` in degrees."""
    matrix = skia.Matrix.Scale(scale, scale).postRotate(angle).postTranslate(*shift)
    sampling = skia.SamplingOptions(skia.FilterMode.kLinear, skia.MipmapMode.kLinear)
    return image.makeShader(skia.TileMode.kRepeat, skia.TileMode.kRepeat, sampling, matrix)
