"""Materials: what floors and tables in perspective are made of.

Belongs here: one function for each, colour of every floor pixel in even light. Not here: light and shade (lighting.py),
the floor's geometry (stage.py).
"""

import functools

import numpy as np

from inference.ad_images.backdrops.studio.fields import smoothstep, tile
from inference.ad_images.backdrops.studio.stage import Floor


def planks(
    floor: Floor, rng: np.random.Generator, colour: np.ndarray, width: float = 0.17, degrees: float = 0.0
) -> np.ndarray:
    """(n, width, 3) wooden boards that run away from the camera, turned by `degrees`; `width` of one in units."""
    u, v = floor.turned(degrees)
    u = u + float(rng.uniform(0, 8))
    across = u / width
    board = np.floor(across)
    starts, tones, warm = rng.uniform(0, 1, 64), rng.standard_normal(64), rng.standard_normal(64)
    number = board.astype(np.int32) & 63
    along = v / (width * 8.5) + starts[number].astype(np.float32)
    piece = np.floor(along)
    kind = (number * 7 + piece.astype(np.int32) * 29) & 63
    share = across - board
    to_joint = np.minimum(share, 1 - share) * width
    end = along - piece
    to_end = np.minimum(end, 1 - end) * (width * 8.5)
    fine = np.maximum(floor.grain, 1e-6)
    joint = 1 - smoothstep(0.0, 1.0, (to_joint - 0.0008) / np.maximum(fine * 1.2, 0.0035))
    ends = 1 - smoothstep(0.0, 1.0, (to_end - 0.0008) / np.maximum(fine * 1.2 * floor.depth * 4, 0.0035))
    dark = np.maximum(joint * floor.fade(width), ends * 0.8 * floor.fade(width))
    shift = kind.astype(np.float32) * 37.7
    veins = floor.noise(1, 1.15, u, v + shift, (420, 26))
    cloud = floor.noise(2, 1.5, u, v + shift, (60, 9))
    value = 1 + 0.085 * tones[kind].astype(np.float32) + 0.075 * veins + 0.06 * cloud
    value *= 1 - 0.55 * dark
    tint = np.array([0.03, 0.0, -0.05], np.float32)
    return colour * np.maximum(value, 0.2)[..., None] * (1 + tint * warm[kind].astype(np.float32)[..., None])


def marble(floor: Floor, rng: np.random.Generator, colour: np.ndarray, vein: np.ndarray) -> np.ndarray:
    """(n, width, 3) polished stone with a few soft veins."""
    u, v = floor.turned(float(rng.uniform(-35, 35)))
    u, v = u + float(rng.uniform(0, 8)), v + float(rng.uniform(0, 8))
    bend_u = floor.noise(int(rng.integers(6)), 1.7, u, v, (40, 34)) * 0.09
    bend_v = floor.noise(int(rng.integers(6)), 1.7, u, v, (38, 36)) * 0.09
    broad = np.abs(floor.noise(3, 1.9, u + bend_u, v + bend_v, (70, 40)))
    narrow = np.abs(floor.noise(4, 1.8, u + bend_v, v + bend_u, (150, 90)))
    amount = 0.75 * np.exp(-broad / 0.07) + 0.34 * np.exp(-broad / 0.45) + 0.4 * np.exp(-narrow / 0.05)
    amount *= 0.75 + 0.45 * floor.noise(5, 1.8, u, v, (20, 20))
    amount = np.clip(amount, 0, 0.9)[..., None]
    return colour * (1 - amount) + (0.55 * colour + 0.45 * vein) * amount


def concrete(floor: Floor, rng: np.random.Generator, colour: np.ndarray, rough: float = 1.0) -> np.ndarray:
    """(n, width, 3) poured concrete, or a smooth rubber floor where `rough` is small."""
    u, v = floor.turned(float(rng.uniform(-20, 20)))
    u = u + float(rng.uniform(0, 8))
    cloud = floor.noise(int(rng.integers(6)), 1.6, u, v, (70, 60))
    fine = floor.noise(int(rng.integers(6)), 0.5, u, v, (430, 430))
    pits = smoothstep(1.7, 2.6, floor.noise(int(rng.integers(6)), 0.8, u, v, (300, 300)))
    value = 1 + rough * (0.055 * cloud + 0.05 * fine - 0.16 * pits)
    return colour * value[..., None]


def slabs(floor: Floor, rng: np.random.Generator, colour: np.ndarray, side: float, degrees: float) -> np.ndarray:
    """(n, width, 3) a pavement of stone slabs, `side` units each."""
    u, v = floor.turned(degrees)
    u, v = u + float(rng.uniform(0, 4)), v + float(rng.uniform(0, 4))
    row = np.floor(v / side)
    across = u / (side * 1.5) + 0.5 * (row.astype(np.int32) & 1)
    column = np.floor(across)
    tones = rng.standard_normal(64).astype(np.float32)
    kind = (row.astype(np.int32) * 11 + column.astype(np.int32) * 23) & 63
    share_u, share_v = across - column, v / side - row
    to_u = np.minimum(share_u, 1 - share_u) * side * 1.5
    to_v = np.minimum(share_v, 1 - share_v) * side
    wander = 0.004 * floor.noise(2, 1.2, u, v, (160, 160))
    joint_u = 1 - smoothstep(0, 1, (to_u + wander - 0.004) / np.maximum(floor.grain, 0.007))
    joint_v = 1 - smoothstep(0, 1, (to_v + wander - 0.004) / np.maximum(floor.grain * floor.depth * 3, 0.007))
    joint = np.maximum(joint_u * floor.fade(side), joint_v * floor.fade(side))
    stone = concrete(floor, rng, colour, 1.25)
    value = (1 + 0.075 * tones[kind]) * (1 - 0.5 * joint)
    lip = smoothstep(0.0, 0.03, np.minimum(to_u, to_v)) * 0.06 + 0.94
    return stone * (value * lip)[..., None]


def asphalt(floor: Floor, rng: np.random.Generator, colour: np.ndarray) -> np.ndarray:
    """(n, width, 3) a worn street."""
    u, v = floor.turned(0)
    u = u + float(rng.uniform(0, 8))
    grit = floor.noise(int(rng.integers(6)), 0.25, u, v, (430, 430))
    cloud = floor.noise(int(rng.integers(6)), 1.7, u, v, (46, 30))
    bright = smoothstep(1.3, 2.2, floor.noise(int(rng.integers(6)), 0.3, u, v, (330, 330)))
    return colour * (1 + 0.13 * grit + 0.08 * cloud + 0.35 * bright)[..., None]


@functools.lru_cache(maxsize=32)
def slopes_tile(key: tuple[int, tuple[float, float], float], falloff: float) -> np.ndarray:
    """A tile of how steeply loose ground falls towards the light, from mounds, lumps and grains.

    Args:
        key: number of the noise, where the light comes from, height of the mounds. falloff: unused, one ground for all.
    """
    number, light, height = key
    ground = tile(number, 1.75) * 4.2 * height + tile(number + 1, 1.35) * 1.0 + tile(number + 2, 1.0) * 0.18
    right, away = np.roll(ground, -2, 1) - ground, np.roll(ground, -2, 0) - ground
    slope = right * light[0] + away * light[1]
    return (slope / slope.std()).astype(np.float32)


def relief(
    floor: Floor,
    rng: np.random.Generator,
    colour: np.ndarray,
    light: tuple[float, float],
    ripples: tuple[float, float] = (0.0, 30.0),
    height: float = 1.0,
    grit: float = 0.1,
) -> np.ndarray:
    """(n, width, 3) loose ground (sand, snow, earth): mounds that the light shapes, and grains.

    Args:
        light: where it comes from on the floor: to the right, and away from the camera.
        ripples: height of wind's ripples, and how many a unit. height: of the mounds. grit: contrast of grains.
    """
    u, v = floor.turned(float(rng.uniform(-15, 15)))
    u, v = u + float(rng.uniform(0, 8)), v + float(rng.uniform(0, 8))
    number = int(rng.integers(6))
    slope = floor.noise((number, light, height), 0.0, u, v, (64, 48), slopes_tile)
    shading = 1 - 0.13 * height * slope * np.clip(1.4 - 0.25 * floor.depth, 0.25, 1.2)
    if ripples[0]:
        wander = floor.noise(number + 2, 1.7, u, v, (26, 20))
        phase = v * ripples[1] + wander * 2.6
        shading += (
            ripples[0] * np.sin(phase) * (0.55 + 0.45 * floor.noise(number + 3, 1.7, u, v, (20, 20))) * floor.fade(0.1)
        )
    grains = floor.noise(number + 4, 0.2, u, v, (450, 450))
    tone = floor.noise(number + 5, 1.7, u, v, (34, 26))
    value = np.clip(shading, 0.35, 1.7) * (1 + grit * grains) * (1 + 0.05 * tone)
    return colour * value[..., None]
