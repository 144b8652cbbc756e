"""Placing: small things at the edges of a picture, clear of the product, each with its shadow.

Belongs here: where a thing may lie, moving it out of the product's way, its shadow. Not here: what things look like
(foliage.py, crockery.py, cloths.py …).

Lengths are shares of the canvas' shorter side. A thing is drawn around its own origin by a function of a skia canvas.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import skia

from inference.ad_images.backdrops.studio.canvas import Box, StudioCanvas
from inference.ad_images.backdrops.studio.surfaces.foliage import Plant
from inference.ad_images.backdrops.studio.surfaces.ground import towards

Draw = Callable[[skia.Canvas], None]
CHECK = 112  # pixels of the shorter side, for the check of overlap
MARGIN = 0.022  # kept free around the product's box
STEP = 0.03  # by which a thing in the way is moved out


@dataclass(frozen=True)
class Thing:
    """Something that lies on the surface.

    Attributes:
        draw: paints it around (0, 0), unturned; the light already in it.
        x, y: of its origin. turn: degrees, clockwise. height: over the surface, for its shadow.
    """

    draw: Draw
    x: float
    y: float
    turn: float
    height: float

    def paint(self, target: skia.Canvas) -> None:
        target.save()
        target.translate(self.x, self.y)
        target.rotate(self.turn)
        self.draw(target)
        target.restore()


@dataclass(frozen=True)
class Spot:
    """A place at the picture's rim.

    Attributes:
        x, y: on the rim. inward: degrees (0 right, 90 down) towards the middle. room: to the product's box.
    """

    x: float
    y: float
    inward: float
    room: float


def spots(canvas: StudioCanvas, clear: Box) -> list[Spot]:
    """The four corners, the roomiest first."""
    width, height = canvas.width / canvas.unit, canvas.height / canvas.unit
    left, top, right, bottom = (value / canvas.unit for value in clear)
    corners = []
    for x, y in ((0.0, 0.0), (width, 0.0), (0.0, height), (width, height)):
        across = left if x == 0 else width - right
        down = top if y == 0 else height - bottom
        inward = float(np.rad2deg(np.arctan2(height / 2 - y, width / 2 - x)))
        corners.append(Spot(x, y, inward, max(across, 0) + max(down, 0)))
    return sorted(corners, key=lambda spot: -spot.room)


def drawn_corners(canvas: StudioCanvas, clear: Box, count: int, name: str = "corners") -> list[Spot]:
    """So many different corners, by the seed; roomy ones more often, and two of them on a diagonal if they can be."""
    rng = canvas.stream(name)
    free = spots(canvas, clear)
    weights = np.array([0.05 + spot.room for spot in free])
    first = free[int(rng.choice(4, p=weights / weights.sum()))]
    others = [spot for spot in free if spot is not first]
    others.sort(key=lambda spot: (spot.x == first.x) + (spot.y == first.y) - 0.5 * spot.room)
    return [first, *others][:count]


def laid_out(canvas: StudioCanvas, clear: Box, things: Sequence[Thing]) -> list[Thing]:
    """The things where they leave the product's box free: moved out as far as they must be, left out where nothing remains."""
    return [moved for thing in things if (moved := _moved_clear(canvas, clear, thing)) is not None]


def set_down(
    canvas: StudioCanvas, clear: Box, things: Sequence[Thing], blur: float = 0.0011, shadow: float = 0.62
) -> None:
    """Paints things with their shadows, first the shadows of all.

    Args:
        blur: of the things, as a lens' depth of field gives it. shadow: share of the light that a full shadow takes.
    """
    kept = laid_out(canvas, clear, things)
    if not kept:
        return

    def draw_all(target: skia.Canvas) -> None:
        for thing in kept:
            thing.paint(target)

    for height in sorted({thing.height for thing in kept}):
        shade(canvas, [thing for thing in kept if thing.height == height], height, shadow)
    canvas.lay(canvas.layer(draw_all, blur))


def shade(canvas: StudioCanvas, things: Sequence[Thing], height: float, depth: float) -> None:
    """Takes the light that things of one height keep off the surface: a cast shadow and a darker line of contact."""
    right, down, above = towards(canvas.light)
    reach = min(height / max(above, 0.35), 0.09)
    softness = 0.25 + 0.75 * canvas.light.softness

    def cast(share: float) -> Draw:
        def draw(target: skia.Canvas) -> None:
            target.translate(-right * reach * share, -down * reach * share)
            for thing in things:
                thing.paint(target)

        return draw

    far = canvas.mask(cast(1.0), 0.004 + 0.55 * reach * softness)
    near = canvas.mask(cast(0.35), 0.0025 + 0.18 * reach * softness)
    taken = depth * (1 - (1 - 0.72 * np.clip(far, 0, 1)) * (1 - 0.5 * np.clip(near, 0, 1)))
    canvas.pixels *= 1 - taken[..., None] * np.array([1.0, 0.985, 0.94], np.float32)


def _moved_clear(canvas: StudioCanvas, clear: Box, thing: Thing) -> Thing | None:
    width, height = canvas.width / canvas.unit, canvas.height / canvas.unit
    box = [value / canvas.unit for value in clear]
    away = np.array([thing.x - (box[0] + box[2]) / 2, thing.y - (box[1] + box[3]) / 2])
    corner = np.array([np.sign(thing.x - width / 2) or 1.0, np.sign(thing.y - height / 2) or 1.0])
    direction = away / (np.linalg.norm(away) + 1e-9) + 0.4 * corner
    direction /= np.linalg.norm(direction)
    margin = MARGIN + min(1.6 * thing.height, 0.06)
    shown = (slice(int(max(box[1] - margin, 0) * CHECK), int(np.ceil((box[3] + margin) * CHECK))),
             slice(int(max(box[0] - margin, 0) * CHECK), int(np.ceil((box[2] + margin) * CHECK))))  # fmt: skip
    for step in range(16):
        x, y = np.array([thing.x, thing.y]) + step * STEP * direction
        moved = Thing(thing.draw, float(x), float(y), thing.turn, thing.height)
        alpha = _silhouette(moved, (width, height))
        if not alpha[shown].any():
            return moved if np.count_nonzero(alpha) > 0.0012 * alpha.size else None
    return None


def _silhouette(thing: Thing, size: tuple[float, float]) -> np.ndarray:
    """(rows, columns) uint8, CHECK to the shorter side: where a thing is."""
    surface = skia.Surface.MakeRasterN32Premul(int(np.ceil(size[0] * CHECK)), int(np.ceil(size[1] * CHECK)))
    with surface as target:
        target.scale(CHECK, CHECK)
        thing.paint(target)
    return surface.toarray()[..., 3]


def sun_in(canvas: StudioCanvas, turn: float) -> tuple[float, float]:
    """The direction to the light (right, down; length 1) in the axes of a thing turned by so many degrees."""
    azimuth = np.deg2rad(-canvas.light.azimuth - turn)
    return float(np.cos(azimuth)), float(np.sin(azimuth))


def reaching(canvas: StudioCanvas, spot: Spot, plant: Plant, colour: np.ndarray, size: float = 1.0, number: int = 0) -> Thing:
    """A plant that grows into the picture from a corner; `number` tells plants of one corner apart."""
    rng = canvas.stream(f"plant {spot.x:.2f} {spot.y:.2f} {number}")
    turn = spot.inward + float(rng.uniform(-30, 30))
    picture = plant(rng, sun_in(canvas, turn), colour)
    back = np.deg2rad(spot.inward)
    x = spot.x - 0.07 * np.cos(back) + float(rng.uniform(-0.08, 0.08))
    y = spot.y - 0.07 * np.sin(back) + float(rng.uniform(-0.08, 0.08))
    return Thing(_scaled(picture, size), float(x), float(y), turn, 0.022 * size)


def resting(
    canvas: StudioCanvas, spot: Spot, make: Callable[[np.random.Generator, tuple[float, float], float], skia.Picture],
    inset: float, height: float, turn: float | None = None, size: float = 1.0,
) -> Thing:  # fmt: skip
    """A thing that lies near a corner.

    Args:
        make: draws it, given a generator, the sun in its axes and its turn. inset: from the corner towards the middle.
        turn: degrees; None is any.
    """
    rng = canvas.stream(f"thing {spot.x:.2f} {spot.y:.2f} {inset:.3f}")
    turn = float(rng.uniform(0, 360)) if turn is None else turn + float(rng.uniform(-9, 9))
    picture = make(rng, sun_in(canvas, turn), turn)
    heading = np.deg2rad(spot.inward + float(rng.uniform(-24, 24)))
    x, y = spot.x + inset * np.cos(heading), spot.y + inset * np.sin(heading)
    return Thing(_scaled(picture, size), float(x), float(y), turn, height)


def _scaled(picture: skia.Picture, size: float) -> Draw:
    def draw(target: skia.Canvas) -> None:
        target.save()
        target.scale(size, size)
        target.drawPicture(picture)
        target.restore()

    return draw
