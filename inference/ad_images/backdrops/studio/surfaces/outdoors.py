"""Outdoors from above: street, beach, forest, snow.

Belongs here: what each is composed of. Not here: how any of it is drawn.
"""

import numpy as np
import skia

from inference.ad_images.backdrops.studio.canvas import Box, StudioCanvas, ink
from inference.ad_images.backdrops.studio.fields import smoothstep
from inference.ad_images.backdrops.studio.surfaces import crockery, finds, foliage, gobos, placing, shore
from inference.ad_images.backdrops.studio.surfaces.foliage import Sun
from inference.ad_images.backdrops.studio.surfaces.ground import (
    Covering,
    between,
    blended,
    cover,
    light_up,
    relief_shade,
    shifted,
)
from inference.ad_images.backdrops.studio.surfaces.placing import Spot, Thing, drawn_corners, reaching, resting
from inference.ad_images.scene import Scene

ASPHALT = Covering("asphalt", 0.22, 0.28, 0.5, level=0.42)
CONCRETE = Covering("concrete", 0.24, 0.13, 0.6)
SAND = Covering("sand", 0.17, 0.10, 0.75)
SMOOTH_SAND = Covering("smooth_sand", 0.17, 0.10, 0.75)
MOSS = Covering("moss", 0.26, 0.20, 0.55)
EARTH = Covering("earth", 0.20, 0.20, 0.6, level=0.4)
PLANKS = Covering("weathered_planks", 0.34, 0.13, 0.55, level=0.6)
SNOW = Covering("snow", 0.12, 0.05, 0.6, sky=(0.20, 0.28, 0.40))

FERN_GREEN = np.array([0.085, 0.145, 0.032], np.float32)
PINE_GREEN = np.array([0.040, 0.085, 0.036], np.float32)
AUTUMN = tuple(
    np.array(tone, np.float32)
    for tone in ((0.38, 0.13, 0.03), (0.46, 0.23, 0.05), (0.25, 0.085, 0.03), (0.33, 0.19, 0.08))
)
STRAW = np.array([0.60, 0.44, 0.22], np.float32)
SEA = np.array([0.12, 0.37, 0.40], np.float32)
CORAL = np.array([0.50, 0.20, 0.10], np.float32)
SHELL = np.array([0.66, 0.42, 0.32], np.float32)


def street(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    """Concrete slabs or asphalt with a painted line; a few leaves, the shadow of a tree."""
    rng = canvas.stream("kind")
    if rng.random() < 0.55:
        cover(canvas, CONCRETE, shifted(canvas.colour(1), float(rng.uniform(0.02, 0.12)), 0.8))
        _joints(canvas, rng)
    else:
        cover(canvas, ASPHALT, shifted(canvas.colour(1), float(rng.uniform(-0.16, -0.04)), 0.7))
        if rng.random() < 0.75:
            (spot,) = drawn_corners(canvas, clear, 1, "line")
            _painted_line(canvas, clear, spot, rng)
    if rng.random() < 0.6:
        placing.set_down(canvas, clear, _leaves(canvas, drawn_corners(canvas, clear, 2), (2, 1)))
    light_up(canvas, 1.05)
    if rng.random() < 0.6 and canvas.light.softness < 0.75:
        gobos.throw(canvas, "foliage", clear, float(rng.uniform(0.34, 0.5)))


def beach(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    """Sand with or without ripples; the sea in a corner or a straw hat, shells, the shadow of palms."""
    rng = canvas.stream("kind")
    cover(
        canvas,
        SAND if rng.random() < 0.6 else SMOOTH_SAND,
        shifted(canvas.colour(1), float(rng.uniform(-0.02, 0.04)), 0.85),
    )
    first, second = drawn_corners(canvas, clear, 2)
    kind = rng.random()
    sea = kind < 0.45 and shore.run_up(
        canvas, clear, first, between(canvas.colour(2), SEA, 0.15 if canvas.branded else 0.5)
    )
    if not sea and (kind < 0.25 or 0.45 <= kind < 0.75):
        hat = resting(canvas, first, lambda *_: crockery.hat(canvas, 0.40, STRAW), 0.02, 0.03, 0.0)
        placing.set_down(canvas, clear, [hat])
    elif not sea:
        placing.set_down(canvas, clear, [reaching(canvas, first, foliage.palm, FERN_GREEN * 1.2)], blur=0.002)
    placing.set_down(canvas, clear, _shells(canvas, second, rng), shadow=0.5)
    light_up(canvas)
    if not sea and rng.random() < 0.5 and canvas.light.softness < 0.75:
        gobos.throw(canvas, "foliage", clear, float(rng.uniform(0.30, 0.42)))


def forest(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    """Moss, leaf litter or weathered planks; ferns from the edges, fallen leaves, a cone; light through leaves."""
    rng = canvas.stream("kind")
    draw = rng.random()
    if draw < 0.4:
        cover(canvas, MOSS, blended(canvas, np.array([0.155, 0.185, 0.075]), 1, float(rng.uniform(0.15, 0.4))))
    elif draw < 0.6:
        cover(canvas, EARTH, shifted(canvas.colour(1), -0.02, 0.75))
    else:
        cover(canvas, PLANKS, blended(canvas, np.array([0.40, 0.36, 0.32]), 1, 0.25))
    first, second = drawn_corners(canvas, clear, 2)
    placing.set_down(canvas, clear, _leaves(canvas, [first, second], (2, 3)))
    if rng.random() < 0.75:
        ferns = [reaching(canvas, first, foliage.fern, FERN_GREEN, 1.0, number) for number in range(2)]
        placing.set_down(canvas, clear, ferns, blur=0.0016)
    if rng.random() < 0.4:
        placing.set_down(canvas, clear, [_cone(canvas, second)])
    light_up(canvas, 1.08)
    if rng.random() < 0.5 and canvas.light.softness < 0.75:
        gobos.throw(canvas, "foliage", clear, float(rng.uniform(0.34, 0.5)))


def snow(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    """Snow with soft dents that glitters; twigs of pine and cones."""
    rng = canvas.stream("kind")
    cover(canvas, SNOW, shifted(canvas.colour(1), float(rng.uniform(-0.03, 0.01)), 1.1))
    _glitter(canvas)
    first, second = drawn_corners(canvas, clear, 2)
    twigs = [reaching(canvas, first, foliage.pine, PINE_GREEN, 1.0, number) for number in range(2)]
    placing.set_down(canvas, clear, twigs, blur=0.0013, shadow=0.5)
    if rng.random() < 0.75:
        placing.set_down(canvas, clear, [_cone(canvas, first if rng.random() < 0.5 else second)], shadow=0.5)
    light_up(canvas, 1.06)
    if rng.random() < 0.45 and canvas.light.softness < 0.75:
        gobos.throw(canvas, "foliage", clear, float(rng.uniform(0.22, 0.34)))


def _leaves(canvas: StudioCanvas, corners: list[Spot], counts: tuple[int, int]) -> list[Thing]:
    rng = canvas.stream("leaves")
    spots = [spot for spot, count in zip(corners, counts, strict=True) for _ in range(count)]
    return [
        _leaf(canvas, spot, AUTUMN[int(rng.integers(len(AUTUMN)))], float(rng.uniform(0.04, 0.26))) for spot in spots
    ]


def _leaf(canvas: StudioCanvas, spot: Spot, tone: np.ndarray, inset: float) -> Thing:
    return resting(canvas, spot, lambda stream, sun, _: foliage.fallen_leaf(stream, sun, tone), inset, 0.008)


def _pebble(canvas: StudioCanvas, spot: Spot, size: float, inset: float) -> Thing:
    grey = np.array([0.34, 0.31, 0.27], np.float32)
    return resting(canvas, spot, lambda stream, _, turn: finds.pebble(canvas, stream, turn, size, grey), inset, 0.008)


def _cone(canvas: StudioCanvas, spot: Spot) -> Thing:
    return resting(canvas, spot, lambda stream, sun, _: finds.cone(stream, sun, 0.075), 0.20, 0.03)


def _shells(canvas: StudioCanvas, spot: Spot, rng: np.random.Generator) -> list[Thing]:
    def star(stream: np.random.Generator, _: Sun, turn: float) -> skia.Picture:
        return finds.starfish(canvas, stream, turn, 0.105, CORAL)

    def shell(stream: np.random.Generator, _: Sun, turn: float) -> skia.Picture:
        return finds.scallop(canvas, stream, turn, 0.072, SHELL)

    if rng.random() < 0.5:
        return [resting(canvas, spot, star, 0.15, 0.012)]
    stones = [_pebble(canvas, spot, size, inset) for size, inset in ((0.030, 0.27), (0.020, 0.085))]
    return [resting(canvas, spot, shell, 0.15, 0.014), *stones]


def _joints(canvas: StudioCanvas, rng: np.random.Generator) -> None:
    """Gaps between slabs: one or two that cross, not through the middle."""
    rows, columns = canvas.grid()
    fields = (columns * canvas.width / canvas.unit, rows * canvas.height / canvas.unit)
    lengths = (canvas.width / canvas.unit, canvas.height / canvas.unit)
    for axis in range(2):
        if rng.random() < 0.3:
            continue
        corner = np.float32(lengths[axis] * rng.choice((rng.uniform(0.1, 0.27), rng.uniform(0.73, 0.9))))
        ragged = 0.0012 * canvas.noise(f"joint {axis}", 90, 1.0)
        distance = fields[axis].astype(np.float32) - corner + ragged
        gap = smoothstep(0.0062, 0.0038, np.abs(distance))
        bevel = np.sign(distance) * np.exp(-np.maximum(np.abs(distance) - 0.005, 0) / np.float32(0.0035)) * 0.45
        zero = np.zeros_like(bevel)
        canvas.shade(relief_shade(bevel, zero, canvas.light) if axis == 0 else relief_shade(zero, bevel, canvas.light))
        canvas.shade(1 - 0.72 * gap)


def _painted_line(canvas: StudioCanvas, clear: Box, spot: Spot, rng: np.random.Generator) -> None:
    """Worn road paint across a corner, clear of the product's box."""
    turn = np.deg2rad(spot.inward + rng.uniform(-16, 16))
    along = np.array([np.cos(turn), np.sin(turn)])
    box = np.array([value / canvas.unit for value in clear]).reshape(2, 2)
    nearest = min((np.array([x, y]) - (spot.x, spot.y)) @ along for x in box[:, 0] for y in box[:, 1])
    outer = min(nearest - 0.05, 0.36)
    if outer < 0.14:
        return
    rows, columns = canvas.grid()
    x = columns * np.float32(canvas.width / canvas.unit) - np.float32(spot.x)
    y = rows * np.float32(canvas.height / canvas.unit) - np.float32(spot.y)
    depth = x * np.float32(along[0]) + y * np.float32(along[1]) + 0.0012 * canvas.noise("ragged", 120, 0.8)
    half = 0.055
    band = smoothstep(half + 0.002, half - 0.002, np.abs(depth - np.float32(outer - half)))
    grit = np.clip(canvas.pixels.mean(-1) / canvas.pixels.mean(), 0, 2.2)
    worn = smoothstep(
        -1.5, -0.2, canvas.noise("worn", 60, 0.9) + 0.8 * canvas.noise("chips", 260, 0.4) + 1.2 * (grit - 0.7)
    )
    tone = np.array([0.72, 0.71, 0.68], np.float32) if rng.random() < 0.65 else np.array([0.72, 0.47, 0.08], np.float32)
    canvas.over(tone * (0.72 + 0.28 * grit)[..., None], band * worn * 0.92)


def _glitter(canvas: StudioCanvas) -> None:
    """Single crystals that throw the light back."""
    rng = canvas.stream("glitter")
    count = int(420 * canvas.width * canvas.height / canvas.unit**2)
    places = rng.uniform(0, 1, (count, 2)) * (canvas.width / canvas.unit, canvas.height / canvas.unit)
    sizes = rng.uniform(0.0006, 0.0015, count) * rng.choice((0.7, 1, 1.5), count, p=(0.6, 0.33, 0.07))

    def draw(target: skia.Canvas) -> None:
        paint = ink(1.0)
        for (x, y), size in zip(places, sizes, strict=True):
            target.drawCircle(float(x), float(y), float(size), paint)

    canvas.over(np.full(3, 1.25, np.float32), 0.85 * canvas.mask(draw))
