"""Cloths: the edge of a blanket, rug, towel or sheet of paper that comes into a picture.

Belongs here: their outline, thickness, hem, folds and fringe. Not here: their weave (textures.py).
"""

from dataclasses import dataclass

import numpy as np
import skia

from inference.ad_images.backdrops.studio.canvas import Box, StudioCanvas
from inference.ad_images.backdrops.studio.fields import smoothstep
from inference.ad_images.backdrops.studio.surfaces.foliage import stroke
from inference.ad_images.backdrops.studio.surfaces.ground import Covering, dim, laid, relief_shade, shifted, towards
from inference.ad_images.backdrops.studio.surfaces.placing import Spot, Thing, paint_on


@dataclass(frozen=True)
class Cloth:
    """How a cloth lies.

    Attributes:
        thickness: of its edge. wave: unevenness of its outline; 0 is cut straight, as paper.
        folds: height of soft folds. hem: distance of its seam from the edge, 0 for none.
        fringe: length of threads, 0 for none.
        reach: at most so far into the picture.
    """

    covering: Covering
    thickness: float = 0.008
    wave: float = 0.006
    folds: float = 0.006
    hem: float = 0.0
    fringe: float = 0.0
    reach: float = 0.3


def spread(canvas: StudioCanvas, clear: Box, spot: Spot, cloth: Cloth, colour: np.ndarray, lean: float = 22.0) -> None:
    """Lays a cloth over a corner, its edge outside of the product's box.

    Args:
        spot: the corner. lean: its edge is turned by up to so many degrees from facing the picture's middle.
    """
    rng = canvas.stream(f"cloth {spot.x:.2f} {spot.y:.2f}")
    turn = np.deg2rad(spot.inward + rng.uniform(-lean, lean))
    along = np.array([np.cos(turn), np.sin(turn)])
    box = np.array([value / canvas.unit for value in clear]).reshape(2, 2)
    nearest = min((np.array([x, y]) - (spot.x, spot.y)) @ along for x in box[:, 0] for y in box[:, 1])
    free = nearest - 0.035 - cloth.fringe - 2 * cloth.wave - cloth.thickness * 2.5
    if free < 0.06:
        return
    edge = min(free, cloth.reach * rng.uniform(0.75, 1.0))
    part = _part(canvas, spot, along, edge + 4 * cloth.wave + 8 * cloth.thickness)
    rows, columns = canvas.grid()
    x = columns[:, part[1]] * np.float32(canvas.width / canvas.unit) - np.float32(spot.x)
    y = rows[part[0]] * np.float32(canvas.height / canvas.unit) - np.float32(spot.y)
    inside = np.float32(edge) - x * np.float32(along[0]) - y * np.float32(along[1])
    if cloth.wave:
        inside += np.float32(cloth.wave) * canvas.noise(f"wave {spot.x:.2f} {spot.y:.2f}", 4, 1.9)[part]
    pixels = canvas.pixels[part]
    dim(pixels, _edge_shadow(canvas, inside, cloth, along))
    if cloth.fringe:
        _fringe(canvas, spot, float(np.rad2deg(turn)), edge, cloth, colour)
    surface = laid(canvas, cloth.covering, colour, "cloth", inside.shape)
    rise = _rise(canvas, cloth, inside, y * np.float32(along[0]) - x * np.float32(along[1]), part)
    rise_x = rise[0] * np.float32(along[0]) - rise[1] * np.float32(along[1])
    rise_y = rise[0] * np.float32(along[1]) + rise[1] * np.float32(along[0])
    shade = relief_shade(rise_x, rise_y, canvas.light, 1.1)
    if cloth.hem:
        shade *= 1 - 0.28 * np.exp(-(((inside - cloth.hem) / 0.0022) ** 2))
    dim(surface, shade)
    pixels += (surface - pixels) * np.clip(inside * canvas.unit + 0.5, 0, 1)[..., None]


def _part(canvas: StudioCanvas, spot: Spot, along: np.ndarray, reach: float) -> tuple[slice, slice]:
    """Rows and columns of the canvas that lie, seen from a corner, within `reach` along a direction."""
    lengths = [int(min(reach / max(abs(share), 1e-3), 1e3) * canvas.unit) + 2 for share in along]
    columns = slice(0, lengths[0]) if spot.x == 0 else slice(max(canvas.width - lengths[0], 0), None)
    rows = slice(0, lengths[1]) if spot.y == 0 else slice(max(canvas.height - lengths[1], 0), None)
    return rows, columns


def _rise(
    canvas: StudioCanvas, cloth: Cloth, inside: np.ndarray, sideways: np.ndarray, part: tuple[slice, slice]
) -> tuple[np.ndarray, np.ndarray]:
    """Slopes towards the edge and along it: the rounded edge, soft folds that run to it."""
    roll = np.exp(-np.clip(inside, 0, 1) / np.float32(cloth.thickness + 1e-4)) * (cloth.thickness > 0.001)
    if not cloth.folds:
        return -0.55 * roll, np.zeros_like(roll)
    swing, presence = canvas.noise("folds", 7, 1.9)[part], smoothstep(-0.6, 1.4, canvas.noise("fold", 4, 1.6)[part])
    return -0.55 * roll, np.float32(34 * cloth.folds) * np.cos(sideways * 34 + 1.5 * swing) * presence


def _edge_shadow(canvas: StudioCanvas, inside: np.ndarray, cloth: Cloth, along: np.ndarray) -> np.ndarray:
    """Factor on the light beside the edge: a long shadow where it looks away from the light, a thin line elsewhere."""
    right, down, above = towards(canvas.light)
    away = max(0.0, float(-(along[0] * right + along[1] * down)))
    reach = cloth.thickness * (0.6 + 2.2 * away / max(above, 0.35)) + 0.0012
    return 1 - (0.26 + 0.34 * away) * np.exp(-np.clip(-inside, 0, 1) / np.float32(reach))


def _fringe(canvas: StudioCanvas, spot: Spot, turn: float, edge: float, cloth: Cloth, colour: np.ndarray) -> None:
    rng = canvas.stream("fringe")
    places = np.arange(-1.6, 1.6, 0.0085)
    threads = np.stack([places + rng.normal(0, 0.0012, len(places)), *rng.normal(0, 0.004, (2, len(places)))], 1)
    lengths = cloth.fringe * rng.uniform(0.8, 1.1, len(places))
    tones = [stroke(shifted(colour, lift), 0.0034) for lift in (-0.07, -0.01, 0.05)]

    def draw(target: skia.Canvas) -> None:
        for number, ((place, bend, sway), length) in enumerate(zip(threads.tolist(), lengths.tolist(), strict=True)):
            path = skia.Path().moveTo(edge - 0.02, place)
            path.quadTo(edge + length * 0.5, place + bend, edge + length, place + bend + sway)
            target.drawPath(path, tones[number % len(tones)])

    heading = np.deg2rad(turn)
    part = _part(canvas, spot, np.array([np.cos(heading), np.sin(heading)]), edge + cloth.fringe * 1.2)
    rows, columns = (range(length)[side] for length, side in zip(canvas.shape, part, strict=True))
    unit = canvas.unit
    extent = (columns[0] / unit, rows[0] / unit, (columns[-1] + 1) / unit, (rows[-1] + 1) / unit)
    paint_on(canvas, Thing(draw, spot.x, spot.y, turn, 0.005), extent, 0.0, 0.5)
