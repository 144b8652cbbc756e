"""The generic world: drawn pictures of shapes, surfaces, figures, lines and letters, with what is true of each.

Belongs here: what a scene holds, and sampling one from (seed, number).
Not here: painting it (world_canvas.py, which needs skia), garments (the rest of this folder), and the sentences about a
picture (training/blip2/pretraining/).

The world exists so that a small model learns to look (counts, places, textures, outlines) before it is asked about any
product. Its "figures" share geometry with clothes (arms that end at a height, openings, rows of knobs) but no word.
Scenes are numbered; the same (seed, number) is the same picture on every machine with the same skia.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

SHAPES = (
    "circle", "square", "triangle", "star", "ring", "cross", "heart", "moon", "drop", "diamond", "hexagon", "arrow",
    "oval", "house", "tree", "fish", "cup", "bottle", "leaf", "umbrella", "boat", "flower",
)  # fmt: skip
TEXTURES = ("plain", "stripes", "bars", "slants", "checks", "dots", "waves", "patches", "fade")
SURFACES = (*TEXTURES[1:], "weave", "grain", "loops", "blobs", "leaves")
OPENINGS = ("none", "curved", "pointed", "boxy", "wide", "rim", "flaps", "slit")
FLARES = ("tapering", "straight", "widening")
LETTERS = {
    "A": ((0, 2, 1, 0), (1, 0, 2, 2), (0.5, 1.2, 1.5, 1.2)),
    "E": ((0, 0, 0, 2), (0, 0, 2, 0), (0, 1, 1.6, 1), (0, 2, 2, 2)),
    "F": ((0, 0, 0, 2), (0, 0, 2, 0), (0, 1, 1.6, 1)),
    "H": ((0, 0, 0, 2), (2, 0, 2, 2), (0, 1, 2, 1)),
    "K": ((0, 0, 0, 2), (2, 0, 0, 1), (0, 1, 2, 2)),
    "L": ((0, 0, 0, 2), (0, 2, 2, 2)),
    "M": ((0, 2, 0, 0), (0, 0, 1, 1.2), (1, 1.2, 2, 0), (2, 0, 2, 2)),
    "N": ((0, 2, 0, 0), (0, 0, 2, 2), (2, 2, 2, 0)),
    "T": ((0, 0, 2, 0), (1, 0, 1, 2)),
    "V": ((0, 0, 1, 2), (1, 2, 2, 0)),
    "X": ((0, 0, 2, 2), (2, 0, 0, 2)),
    "Z": ((0, 0, 2, 0), (2, 0, 0, 2), (0, 2, 2, 2)),
}
FAMILIES = (("things", 0.40), ("surface", 0.20), ("figure", 0.27), ("lines", 0.08), ("letter", 0.05))
# Seeds of pictures that pre-train the base. No catalogue may be drawn with them: what is examined was never shown before.
RESERVED_SEEDS = range(2**31, 2**32)
_STREAM = 0x5E1FED6E  # keeps this generator's draws apart from the garments' under equal seeds

RGB = tuple[int, int, int]


@dataclass(frozen=True)
class Thing:
    """One object of a scene: coordinates and size are shares of the picture's side, rotation in degrees."""

    shape: str
    rgb: RGB
    second: RGB
    texture: str
    x: float
    y: float
    size: float
    rotation: float = 0.0
    outlined: bool = False


@dataclass(frozen=True)
class WorldScene:
    """What is true of a world picture. `details` holds the facts of its family (see `sample_scene`)."""

    number: int
    family: str
    ground: RGB
    light: str
    things: tuple[Thing, ...] = ()
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class WorldDrawing:
    """image: (size, size, 3) uint8 RGB. parts: (size, size) uint8, 0 the ground, k the k-th thing or region."""

    image: np.ndarray
    parts: np.ndarray


def sample_scene(seed: int, number: int) -> WorldScene:
    """The scene numbered `number` of the world `seed`; the same on every call."""
    rng = np.random.default_rng([_STREAM, seed, number])
    family = str(rng.choice([name for name, _ in FAMILIES], p=[share for _, share in FAMILIES]))
    ground = _ground(rng)
    light = str(rng.choice(["even", "left", "right", "above", "below"], p=[0.6, 0.1, 0.1, 0.1, 0.1]))
    if family == "things":
        return WorldScene(number, family, ground, light, _things(rng, ground))
    details = {"surface": _surface, "figure": _figure, "lines": _lines, "letter": _letter}[family](rng, ground)
    return WorldScene(number, family, ground, light, (), details)


def random_rgb(rng: np.random.Generator, away_from: RGB | None = None, distance: float = 28.0) -> RGB:
    """A colour spread over LAB (not over RGB, where greens crowd), at least `distance` (CIE76) from another."""
    while True:
        lab = np.array([rng.uniform(6, 97), *(rng.normal(0, 34, 2) if rng.random() > 0.2 else rng.normal(0, 4, 2))])
        rgb = lab_to_rgb(lab)
        if rgb is not None and (
            away_from is None or float(np.linalg.norm(rgb_to_lab(away_from) - rgb_to_lab(rgb))) >= distance
        ):
            return rgb


def rgb_to_lab(rgb: RGB) -> np.ndarray:
    """sRGB 0..255 to CIE LAB (D65), float64 (3,)."""
    linear = np.asarray(rgb, dtype=float) / 255
    linear = np.where(linear > 0.04045, ((linear + 0.055) / 1.055) ** 2.4, linear / 12.92)
    xyz = _TO_XYZ @ linear / _WHITE
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def lab_to_rgb(lab: np.ndarray) -> RGB | None:
    """CIE LAB (D65) to sRGB 0..255, or None outside the sRGB gamut.

    Written out because the scenes are frozen: skimage's conversion differs by one level in 0.5 % of colours.
    """
    fy = (lab[0] + 16) / 116
    f = np.array([fy + lab[1] / 500, fy, fy - lab[2] / 200])
    xyz = np.where(f**3 > 216 / 24389, f**3, (116 * f - 16) * 27 / 24389) * _WHITE
    linear = _FROM_XYZ @ xyz
    if linear.min() < -0.002 or linear.max() > 1.002:
        return None
    linear = linear.clip(0, 1)
    srgb = np.where(linear > 0.0031308, 1.055 * linear ** (1 / 2.4) - 0.055, 12.92 * linear)
    red, green, blue = (round(float(value) * 255) for value in srgb)
    return red, green, blue


_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_FROM_XYZ = np.linalg.inv(_TO_XYZ)
_WHITE = np.array([0.95047, 1.0, 1.08883])


def _ground(rng: np.random.Generator) -> RGB:
    if rng.random() < 0.35:
        value = int(rng.integers(225, 256))
        return value, value, value
    return random_rgb(rng)


def _things(rng: np.random.Generator, ground: RGB) -> tuple[Thing, ...]:
    """Up to seven things that do not overlap; often several alike, so that counting needs looking."""
    wanted = int(rng.choice([1, 2, 3, 4, 5, 6, 7], p=[0.3, 0.2, 0.18, 0.12, 0.1, 0.05, 0.05]))
    alike = wanted > 1 and rng.random() < 0.5
    template = _thing(rng, ground, 0.5, 0.5, 0.2)
    placed: list[Thing] = []
    for _ in range(wanted * 12):
        if len(placed) == wanted:
            break
        largest = {1: 0.8, 2: 0.45, 3: 0.4}.get(wanted, 0.3)
        size = float(rng.uniform(0.45 * largest, largest))
        x, y = (float(value) for value in rng.uniform(size / 2 + 0.02, 0.98 - size / 2, 2))
        if any(math.hypot(x - t.x, y - t.y) < 0.62 * (size + t.size) for t in placed):
            continue
        new = _thing(rng, ground, x, y, size)
        if alike and rng.random() < 0.7:
            new = Thing(template.shape, template.rgb, template.second, template.texture, x, y, size, new.rotation)
        placed.append(new)
    return tuple(placed)


def _thing(rng: np.random.Generator, ground: RGB, x: float, y: float, size: float) -> Thing:
    rgb = random_rgb(rng, ground)
    texture = str(rng.choice(TEXTURES, p=[0.5, 0.08, 0.07, 0.07, 0.07, 0.08, 0.04, 0.04, 0.05]))
    rotation = float(rng.uniform(-25, 25)) if rng.random() < 0.5 else 0.0
    shape = str(rng.choice(SHAPES))
    return Thing(shape, rgb, random_rgb(rng, rgb), texture, x, y, size, rotation, bool(rng.random() < 0.25))


def _surface(rng: np.random.Generator, ground: RGB) -> dict[str, Any]:
    first = random_rgb(rng)
    return {
        "texture": str(rng.choice(SURFACES)),
        "first": first,
        "second": random_rgb(rng, first),
        "scale": str(rng.choice(["fine", "middling", "coarse"])),
        "finish": str(rng.choice(["flat", "shiny", "rough"])),
    }


def _figure(rng: np.random.Generator, ground: RGB) -> dict[str, Any]:
    """A symmetrical figure: a body, perhaps arms, perhaps legs, an opening on top, something down the middle."""
    rgb = random_rgb(rng, ground)
    legs = bool(rng.random() < 0.35)
    return {
        "rgb": rgb,
        "second": random_rgb(rng, rgb),
        "texture": str(rng.choice(TEXTURES, p=[0.4, 0.1, 0.08, 0.08, 0.1, 0.1, 0.05, 0.05, 0.04])),
        "finish": str(rng.choice(["flat", "shiny", "rough"], p=[0.6, 0.2, 0.2])),
        "arms": int(rng.choice([0, 1, 2, 3, 4])),  # 0 none, 1 stubs, 2 to the middle, 3 below it, 4 to the end
        "arm_width": str(rng.choice(["thin", "thick"])),
        "opening": str(rng.choice(OPENINGS)),
        "flare": str(rng.choice(FLARES)),
        "length": int(rng.integers(0, 4)),  # 0 stubby .. 3 reaching the bottom of the picture
        "legs": legs,
        "width": str(rng.choice(["slender", "middling", "broad"])),
        "knobs": int(rng.choice([0, 0, 0, 2, 3, 4, 5, 6])),
        "middle_line": bool(rng.random() < 0.25),
        "belt": bool(rng.random() < 0.3),
        "squares": int(rng.choice([0, 0, 1, 2])),
        "tilt": float(rng.normal(0, 5)),
    }


def _lines(rng: np.random.Generator, ground: RGB) -> dict[str, Any]:
    return {
        "count": int(rng.integers(1, 7)),
        "way": str(rng.choice(["across", "up and down", "slanting", "every way"])),
        "stroke": str(rng.choice(["unbroken", "broken", "curvy"])),
        "thickness": str(rng.choice(["thin", "thick"])),
        "ends": str(rng.choice(["round", "flat", "arrow"])),
        "rgb": random_rgb(rng, ground, 40),
    }


def _letter(rng: np.random.Generator, ground: RGB) -> dict[str, Any]:
    return {
        "letter": str(rng.choice(list(LETTERS))),
        "rgb": random_rgb(rng, ground, 40),
        "tilt": float(rng.normal(0, 6)),
    }
