"""Cloths: the edge of a blanket, rug, towel or sheet of paper that comes into a picture.

Belongs here: their outline, thickness, hem, folds and fringe. Not here: their weave (textures.py).
"""

from dataclasses import dataclass

import numpy as np
import skia

from inference.ad_images.backdrops.studio.canvas import Box, StudioCanvas
from inference.ad_images.backdrops.studio.fields import smoothstep
from inference.ad_images.backdrops.studio.surfaces.foliage import stroke
from inference.ad_images.backdrops.studio.surfaces.ground import Covering, laid, relief_shade, shifted, towards
from inference.ad_images.backdrops.studio.surfaces.placing import Spot


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
    rows, columns = canvas.grid()
    x = columns * np.float32(canvas.width / canvas.unit) - np.float32(spot.x)
    y = rows * np.float32(canvas.height / canvas.unit) - np.float32(spot.y)
    depth = x * np.float32(along[0]) + y * np.float32(along[1])
    sideways = y * np.float32(along[0]) - x * np.float32(along[1])
    edge = np.full(canvas.shape, min(free, cloth.reach * rng.uniform(0.75, 1.0)), np.float32)
    if cloth.wave:
        edge += cloth.wave * canvas.noise(f"wave {spot.x:.2f} {spot.y:.2f}", 4, 1.9).astype(np.float32)
    inside = edge - depth
    mask = np.clip(inside * canvas.unit + 0.5, 0, 1)
    _edge_shadow(canvas, inside, cloth, along)
    if cloth.fringe:
        _fringe(canvas, spot, turn, float(np.mean(edge)), cloth, colour)
    surface = laid(canvas, cloth.covering, colour, "cloth")
    roll = np.exp(-np.clip(inside, 0, 1) / np.float32(cloth.thickness + 1e-4)) * (cloth.thickness > 0.001)
    slope = -0.55 * roll
    rise_x, rise_y = slope * np.float32(along[0]), slope * np.float32(along[1])
    if cloth.folds:
        swing = canvas.noise("folds", 7, 1.9)
        fold = (
            cloth.folds * np.cos(sideways * 34 + 1.5 * swing) * smoothstep(-0.6, 1.4, canvas.noise("fold", 4, 1.6)) * 34
        )
        rise_x, rise_y = rise_x - fold * np.float32(along[1]), rise_y + fold * np.float32(along[0])
    if cloth.hem:
        seam = np.exp(-(((inside - cloth.hem) / 0.0022) ** 2))
        surface = surface * (1 - 0.28 * seam[..., None])
    canvas.over(surface * relief_shade(rise_x, rise_y, canvas.light, 1.1)[..., None], mask)


def _edge_shadow(canvas: StudioCanvas, inside: np.ndarray, cloth: Cloth, along: np.ndarray) -> None:
    """The shadow beside the edge: long where the edge looks away from the light, a thin line elsewhere."""
    right, down, above = towards(canvas.light)
    away = max(0.0, float(-(along[0] * right + along[1] * down)))
    reach = cloth.thickness * (0.6 + 2.2 * away / max(above, 0.35)) + 0.0012
    canvas.shade(1 - (0.26 + 0.34 * away) * np.exp(-np.clip(-inside, 0, 1) / np.float32(reach)))


def _fringe(canvas: StudioCanvas, spot: Spot, turn: float, edge: float, cloth: Cloth, colour: np.ndarray) -> None:
    rng = canvas.stream("fringe")
    places = np.arange(-1.6, 1.6, 0.0085) + rng.normal(0, 0.0012, len(np.arange(-1.6, 1.6, 0.0085)))
    threads = [(float(place), rng.normal(0, 0.004, 3), cloth.fringe * float(rng.uniform(0.8, 1.1))) for place in places]
    tones = [stroke(shifted(colour, lift), 0.0034) for lift in (-0.07, -0.01, 0.05)]

    def draw(target: skia.Canvas, paints: list[skia.Paint]) -> None:
        target.translate(spot.x, spot.y)
        target.rotate(float(np.rad2deg(turn)))
        for number, (place, bends, length) in enumerate(threads):
            path = skia.Path().moveTo(edge - 0.02, place)
            path.quadTo(edge + length * 0.5, place + bends[0], edge + length, place + bends[0] + bends[1])
            target.drawPath(path, paints[number % len(paints)])

    right, down, _ = towards(canvas.light)

    def cast(target: skia.Canvas) -> None:
        target.translate(-right * 0.005, -down * 0.005)
        draw(target, tones)

    canvas.shade(1 - 0.45 * np.clip(canvas.mask(cast, 0.0025), 0, 1))
    canvas.lay(canvas.layer(lambda target: draw(target, tones)))
