"""Textures: paper, cloth, wood, stone, sand, snow, moss and rubber, as tones and relief without a colour.

Belongs here: the materials and their cache. Not here: colours, light (ground.py) and what lies on them (props).
"""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from inference.ad_images.backdrops.studio.surfaces.noise import (
    DENSITY,
    SPAN,
    TILE,
    band_noise,
    grid,
    slopes,
    specks,
    stepped,
    streaks,
    warped,
)

VARIETIES = 2  # of each texture; turned and moved by the scene's seed


@dataclass(frozen=True)
class Tile:
    """A piece of surface that repeats at its edges.

    Attributes:
        tone: (n, n) uint8, place on the surface's colour ramp, from its dark end to its light end.
        rise_x, rise_y: (n, n) int8, slope of the relief along x (right) and y (down).
        steepest: the slope that 127 stands for, height per length.
    """

    tone: np.ndarray
    rise_x: np.ndarray
    rise_y: np.ndarray
    steepest: float


Material = Callable[[int], tuple[np.ndarray, np.ndarray]]


def paper(seed: int) -> tuple[np.ndarray, np.ndarray]:
    fibre = band_noise(seed, 50, 380, 0.4)
    cloud = band_noise(seed + 1, 0.6, 6, 1.4)
    return 0.5 + 0.05 * cloud + 0.035 * fibre, 0.00016 * fibre


def plaster(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Lime plaster, trowelled in arcs."""
    bend = band_noise(seed, 0.7, 2.5, 1.7)
    trowel = warped(band_noise(seed + 1, 2.5, 40, 1.5, (1.7, 1)), 0.07 * bend, 0.07 * np.roll(bend, 400, 1))
    cloud = band_noise(seed + 2, 0.7, 24, 1.2)
    grit = band_noise(seed + 3, 70, 380, 0.3)
    return 0.52 + 0.10 * cloud + 0.014 * trowel + 0.025 * grit, 0.0007 * trowel + 0.0004 * cloud + 0.00012 * grit


def linen(seed: int, threads: int = 128, slub: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Plain weave with uneven threads; `threads` to the unit (even in a tile)."""
    x, y = grid()
    uneven_x = band_noise(seed, 2, 60, 0.9, (1, 14))
    uneven_y = band_noise(seed + 1, 2, 60, 0.9, (14, 1))
    phase_x = np.pi * threads * x + 0.55 * slub * uneven_x
    phase_y = np.pi * threads * y + 0.55 * slub * uneven_y
    over = np.sin(phase_x) * np.sin(phase_y)
    warp = np.abs(np.sin(phase_x)) * (0.62 + 0.38 * over)
    weft = np.abs(np.sin(phase_y)) * (0.62 - 0.38 * over)
    height = np.maximum(warp, weft)
    thread_tone = np.where(warp > weft, uneven_x + 0.5 * streaks(seed + 2, threads, 1), uneven_y)
    cloud = band_noise(seed + 4, 0.6, 5, 1.4)
    tone = 0.34 + 0.36 * height + 0.055 * slub * thread_tone + 0.03 * cloud
    return tone, 0.0011 * height + 0.0003 * slub * thread_tone


def fine_linen(seed: int) -> tuple[np.ndarray, np.ndarray]:
    tone, height = linen(seed, 192, 0.7)
    return 0.5 + 0.5 * (tone - 0.5), 0.45 * height


def grain(seed: int, figure: float = 1.0, pores: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Flat-sawn wood along x: growth rings, fine fibre and pores."""
    _, y = grid()
    bend = band_noise(seed, 0.5, 5, 1.6, (5, 1))
    sway = band_noise(seed + 1, 3, 40, 1.2, (9, 1))
    rings = np.sin(2 * np.pi * (8 / SPAN * y + 1.15 * figure * bend + 0.16 * sway))
    late = stepped(rings, -0.9, 1.0) ** 2
    fibre = band_noise(seed + 2, 12, 380, 0.55, (26, 1))
    hair = band_noise(seed + 5, 110, 384, 0.0, (14, 1))
    pore = stepped(band_noise(seed + 3, 70, 380, 0.3, (15, 1)), 1.2, 2.3) * (0.35 + 0.65 * late)
    shade = band_noise(seed + 4, 0.7, 8, 1.3, (6, 1))
    tone = 0.60 - 0.20 * figure * late + 0.05 * fibre + 0.022 * hair + 0.05 * shade - 0.30 * pores * pore
    return tone, 0.00018 * fibre + 0.00005 * hair - 0.0007 * pores * pore


def boards(
    seed: int, rows: int = 9, gap: float = 0.0014, figure: float = 1.0, spread: float = 0.05
) -> tuple[np.ndarray, np.ndarray]:
    """Boards along x, each cut from another place of the wood; joints staggered."""
    rng = np.random.default_rng(seed)
    tone, height = grain(seed, figure)
    _, y = grid()
    wood, relief = np.empty_like(tone), np.empty_like(height)
    edges = np.round(np.linspace(0, TILE, rows + 1)).astype(int)
    for top, bottom in itertools.pairwise(edges):
        joints = np.sort((rng.uniform(0, TILE) + np.array([0, TILE * rng.uniform(0.42, 0.58)])) % TILE).astype(int)
        depth = np.minimum(np.abs(y[top:bottom] - top / DENSITY), np.abs(y[top:bottom] - bottom / DENSITY))
        for start, stop in ((joints[0], joints[1]), (joints[1], joints[0] + TILE)):
            columns = np.arange(start, stop) % TILE
            rows_from = (np.arange(top, bottom) + int(rng.integers(TILE))) % TILE
            columns_from = (columns + int(rng.integers(TILE))) % TILE
            offset = rng.normal(0, spread)
            ends = np.minimum(np.arange(stop - start), np.arange(stop - start)[::-1])[None, :] / DENSITY
            edge = np.minimum(depth, ends)
            bevel = stepped(edge, 0, gap * 2.2)
            groove = stepped(edge, gap * 0.35, gap)
            wood[top:bottom, columns] = (tone[np.ix_(rows_from, columns_from)] + offset) * (0.25 + 0.75 * groove)
            relief[top:bottom, columns] = height[np.ix_(rows_from, columns_from)] + gap * 0.5 * bevel
    return wood, relief


def oak_floor(seed: int) -> tuple[np.ndarray, np.ndarray]:
    return boards(seed, 9)


def butcher_block(seed: int) -> tuple[np.ndarray, np.ndarray]:
    return boards(seed, 17, 0.0007, 0.7, 0.10)


def table_wood(seed: int) -> tuple[np.ndarray, np.ndarray]:
    return boards(seed, 4, 0.0006, 0.9, 0.025)


def weathered_planks(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Grey outdoor planks: open fibre, checks along the grain, wide gaps."""
    tone, height = boards(seed, 7, 0.005, 0.7, 0.07)
    check = stepped(band_noise(seed + 50, 6, 200, 0.8, (30, 1)), 1.7, 2.6)
    rough = band_noise(seed + 51, 14, 384, 0.3, (14, 1))
    stain = band_noise(seed + 52, 1, 20, 1.1, (2.5, 1))
    return tone + 0.045 * rough + 0.05 * stain - 0.26 * check, 0.8 * height + 0.00022 * rough - 0.0009 * check


def concrete(seed: int) -> tuple[np.ndarray, np.ndarray]:
    cloud = band_noise(seed, 0.8, 60, 1.15)
    sand_grit = band_noise(seed + 1, 60, 380, 0.25)
    pits = stepped(specks(seed + 2, 520, (0.0008, 0.0035), 0.8), 0.05, 0.5)
    tone = 0.5 + 0.07 * cloud + 0.055 * sand_grit - 0.26 * pits
    return tone, 0.0002 * sand_grit + 0.00035 * cloud - 0.0014 * pits


def asphalt(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Worn asphalt: grit of all sizes in tar."""
    stones = specks(seed, 26000, (0.0012, 0.0052), 0.55)
    grit = band_noise(seed + 1, 90, 380, 0.1)
    cloud = band_noise(seed + 2, 0.7, 14, 1.3)
    tone = 0.26 + 0.42 * stones**1.4 + 0.07 * grit + 0.045 * cloud
    return tone, 0.0021 * np.sqrt(stones) + 0.0005 * grit


def sand(seed: int, ripple: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Sand with wind ripples along x."""
    _, y = grid()
    bend = band_noise(seed, 0.5, 3, 1.7, (1.3, 1))
    fork = band_noise(seed + 1, 3, 14, 1.4, (2.5, 1))
    phase = 2 * np.pi * (21 / SPAN * y + 0.42 * bend + 0.075 * fork)
    crest = np.sin(phase + 0.5 * np.sin(phase))
    strength = ripple * stepped(band_noise(seed + 2, 0.5, 3, 1.5), -1.6, 1.4)
    grains = band_noise(seed + 3, 70, 384, -0.25)
    dune = band_noise(seed + 4, 1, 16, 1.6)
    dark = stepped(specks(seed + 5, 5200, (0.0005, 0.0011)), 0.3, 0.9)
    tone = 0.55 + 0.03 * crest * strength + 0.10 * grains + 0.03 * dune - 0.24 * dark
    return tone, 0.0017 * crest * strength + 0.00010 * grains + 0.0032 * dune


def smooth_sand(seed: int) -> tuple[np.ndarray, np.ndarray]:
    return sand(seed, 0.16)


def marble(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """White marble: long veins across, hairlines between, clouds around; polished, so without relief."""
    x, y = grid()
    bend, jitter = band_noise(seed, 0.6, 12, 1.9), band_noise(seed + 1, 6, 120, 1.3)
    tone = 0.88 + 0.032 * band_noise(seed + 9, 0.8, 14, 1.5)
    courses = ((1, 1, 0.34, 1.0), (1, 2, 0.42, 0.75), (2, 1, 0.36, 0.5), (-1, 2, 0.40, 0.34), (3, 2, 0.4, 0.26))
    for layer, (along, down, sway, weight) in enumerate(courses):
        strength = weight * stepped(band_noise(seed + 20 + layer, 0.8, 9, 1.4), -0.7, 1.4)
        sideways = sway * np.roll(bend, (211 * layer, 90 * layer), (1, 0)) + 0.012 * np.roll(jitter, 300 * layer, 1)
        line = np.abs(np.sin(np.pi * ((along * x + down * y) / SPAN + sideways)))
        distance = line / (np.pi * np.hypot(along, down) / SPAN)
        wide = 0.35 + 0.65 * stepped(band_noise(seed + 40 + layer, 1, 9, 1.2), -1, 1.6)
        veil, vein, core = (np.exp(-distance / (width * wide)) for width in (0.12, 0.020, 0.0035))
        tone -= strength * (0.13 * veil + 0.20 * vein + 0.30 * core)
    return tone, np.zeros_like(tone)


def snow(seed: int) -> tuple[np.ndarray, np.ndarray]:
    drift = band_noise(seed, 0.7, 4, 2.0)
    dents = -(np.maximum(band_noise(seed + 1, 1.6, 5, 2.0) - 0.5, 0) ** 1.4)
    crust = band_noise(seed + 2, 9, 110, 1.5)
    crystals = band_noise(seed + 3, 60, 384, 0.0)
    tone = 0.62 + 0.03 * drift + 0.03 * dents + 0.02 * crust + 0.075 * crystals
    return tone, 0.017 * drift + 0.010 * dents + 0.00055 * crust + 0.00005 * crystals


def moss(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Cushions of moss: many small tufts over soft mounds."""
    tufts = specks(seed, 60000, (0.0016, 0.0048), 0.25)
    mound = band_noise(seed + 1, 2.5, 18, 1.5)
    clump = band_noise(seed + 2, 14, 70, 0.7)
    fuzz = band_noise(seed + 3, 90, 384, 0.0)
    tone = 0.20 + 0.34 * tufts + 0.085 * mound + 0.09 * clump + 0.06 * fuzz
    return tone, 0.0027 * tufts + 0.0045 * mound + 0.0022 * clump + 0.0005 * fuzz


def earth(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Forest floor: crumbs of soil, needles."""
    needles = specks(seed, 15000, (0.004, 0.016), 0.07)
    crumbs = band_noise(seed + 1, 20, 200, 0.6)
    mound = band_noise(seed + 2, 1.5, 12, 1.5)
    tone = 0.22 + 0.42 * needles + 0.09 * crumbs + 0.06 * mound
    return tone, 0.0016 * needles + 0.0013 * crumbs + 0.005 * mound


def rubber(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Gym floor: dense granules with light flecks."""
    granules = band_noise(seed, 60, 300, 0.1)
    flecks = specks(seed + 1, 1500, (0.0012, 0.0042), 0.5)
    cloud = band_noise(seed + 2, 0.8, 6, 1.4)
    tone = 0.26 + 0.07 * granules + 0.025 * cloud + 0.55 * flecks * (flecks > 0.3)
    return tone, 0.0005 * granules


def ribbed_mat(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Exercise mat: fine diagonal lattice pressed into foam."""
    x, y = grid()
    count = 66
    first, second = np.sin(np.pi * count / SPAN * (x + y)), np.sin(np.pi * count / SPAN * (x - y))
    lattice = np.maximum(np.abs(first), np.abs(second)) ** 6
    foam = band_noise(seed, 60, 380, 0.2)
    cloud = band_noise(seed + 1, 0.7, 5, 1.4)
    return 0.5 - 0.10 * lattice + 0.05 * foam + 0.03 * cloud, -0.0016 * lattice + 0.00025 * foam


def felt(seed: int) -> tuple[np.ndarray, np.ndarray]:
    fibres = specks(seed, 30000, (0.003, 0.012), 0.05)
    fuzz = band_noise(seed + 1, 40, 380, 0.3)
    cloud = band_noise(seed + 2, 0.8, 12, 1.3)
    return 0.44 + 0.12 * (fibres - 0.4) + 0.07 * fuzz + 0.035 * cloud, 0.00016 * fuzz + 0.0003 * fibres


def wool(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Chunky weave of a rug: rows of thick loops."""
    x, y = grid()
    rows = 54
    bend = band_noise(seed, 1, 30, 1.2)
    row = 2 * np.pi * rows / SPAN * y + 0.35 * bend
    loop = 2 * np.pi * 36 / SPAN * x + np.pi * (np.floor(rows / SPAN * y) % 2) + 0.9 * np.roll(bend, 300, 0)
    height = np.sqrt(np.abs(np.sin(row / 2))) * (0.62 + 0.38 * np.sqrt(np.abs(np.sin(loop / 2))))
    fibre = band_noise(seed + 1, 60, 384, 0.1)
    yarn = band_noise(seed + 2, 3, 60, 0.7, (8, 1))
    return 0.26 + 0.34 * height + 0.06 * fibre + 0.07 * yarn, 0.0026 * height + 0.0006 * fibre


def sheets(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Bed linen, lightly crumpled: broad soft folds, creases that cross them, a fine weave."""
    tone, weave = linen(seed, 224, 0.5)
    x, y = grid()
    bend = band_noise(seed + 10, 0.6, 5, 1.9)
    height = 0.017 * band_noise(seed + 11, 0.7, 4, 2.1, (0.7, 1.5)) + 0.0009 * band_noise(seed + 12, 4, 30, 1.7)
    rng = np.random.default_rng(seed)
    directions = ((1, 1), (2, 1), (1, 3), (-1, 2), (3, 2), (-2, 3), (4, 1), (1, 4), (-3, 2), (2, 5))
    for layer, (along, down) in enumerate(directions):
        phase = (
            np.pi * (along * x + down * y) / SPAN * 2
            + 0.9 * np.roll(bend, (97 * layer, 331 * layer), (0, 1))
            + rng.uniform(0, 6)
        )
        distance = np.abs(np.sin(phase)) / (2 * np.pi * np.hypot(along, down) / SPAN)
        presence = stepped(band_noise(seed + 20 + layer, 0.9, 5, 1.5), 0.35, 2.0)
        width = 0.022 * rng.uniform(0.6, 1.5)
        height += 0.013 * presence * rng.choice((1, 1, -0.7)) * np.exp(-((distance / width) ** 1.5))
    return 0.5 + 0.35 * (tone - 0.5), 0.35 * weave + height


MATERIALS: dict[str, Material] = {
    material.__name__: material
    for material in (
        paper, plaster, linen, fine_linen, oak_floor, butcher_block, table_wood, weathered_planks, concrete, asphalt,
        sand, smooth_sand, marble, snow, moss, earth, rubber, ribbed_mat, felt, wool, sheets,
    )
}  # fmt: skip


@lru_cache(maxsize=48)
def tile(material: str, variety: int, side: int) -> Tile:
    """A texture at a resolution; drawn once, at DENSITY, and resized.

    Args:
        material: a name of MATERIALS. variety: 0 to VARIETIES - 1. side: of the returned tile, pixels, at most TILE.
    """
    tone, height = MATERIALS[material](1000 * (variety + 1) + 17 * sorted(MATERIALS).index(material))
    rises = [_at(side, rise) for rise in slopes(height)]
    steepest = max(float(np.quantile(np.abs(rise), 0.9995)) for rise in rises) or 1.0
    rise_x, rise_y = (np.round(np.clip(rise / steepest, -1, 1) * 127).astype(np.int8) for rise in rises)
    return Tile((np.clip(_at(side, tone), 0, 1) * 255 + 0.5).astype(np.uint8), rise_x, rise_y, steepest)


def _at(side: int, field: np.ndarray) -> np.ndarray:
    """A field resized to (side, side), repeating at its edges as before."""
    if side == TILE:
        return field
    border = 12
    padded = np.pad(field.astype(np.float32), border, mode="wrap")
    box = (border, border, border + TILE, border + TILE)
    return np.asarray(Image.fromarray(padded).resize((side, side), Image.Resampling.LANCZOS, box=box))
