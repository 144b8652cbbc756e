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
from inference.ad_images.backdrops.studio.fields import blurred, blurred_here
from inference.ad_images.backdrops.studio.surfaces.foliage import Plant
from inference.ad_images.backdrops.studio.surfaces.ground import dim, towards

Draw = Callable[[skia.Canvas], None]
Extent = tuple[float, float, float, float]
CHECK = 112  # points to the shorter side, for the check of overlap
LARGEST = 0.9  # how far a thing reaches from its origin
STEPS = 16
MARGIN = 0.022  # kept free around the product's box
LEAST_SHOWN = 0.3  # of a thing; with less in the picture, it reads as a flaw,
LARGE = 0.025  # unless so much of a square picture is covered
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


def set_down(
    canvas: StudioCanvas, clear: Box, things: Sequence[Thing], blur: float = 0.0011, shadow: float = 0.62
) -> None:
    """Paints things one after the other, each with its shadow, where they leave the product's box free.

    Args:
        blur: of the things, as a lens' depth of field gives it. shadow: share of the light that a full shadow takes.
    """
    for thing in things:
        moved = _moved_clear(canvas, clear, thing)
        if moved is not None:
            paint_on(canvas, *moved, blur, shadow)


def paint_on(canvas: StudioCanvas, thing: Thing, extent: Extent, blur: float, shadow: float) -> None:
    """A thing and its shadow, on the part of the canvas that both touch.

    Args:
        extent: left, top, right, bottom of the thing.
    """
    right, down, above = towards(canvas.light)
    reach = min(thing.height / max(above, 0.35), 0.09)
    softness = 0.25 + 0.75 * canvas.light.softness
    far, near = 0.004 + 0.55 * reach * softness, 0.0025 + 0.18 * reach * softness
    margin = reach + 2.5 * far + 0.01
    left, top = (max(int((value - margin) * canvas.unit), 0) for value in extent[:2])
    width = min(int((extent[2] + margin) * canvas.unit) + 1, canvas.width) - left
    height = min(int((extent[3] + margin) * canvas.unit) + 1, canvas.height) - top
    layer = _drawn(thing, (left, top, width, height), canvas.unit)
    alpha = layer[..., 3]
    step = -reach * canvas.unit
    fallen = blurred(_moved(alpha, down * step, right * step), far * canvas.unit)
    touching = blurred(_moved(alpha, 0.35 * down * step, 0.35 * right * step), near * canvas.unit)
    taken = shadow * (1 - (1 - 0.72 * fallen) * (1 - 0.5 * touching))
    part = canvas.pixels[top : top + height, left : left + width]
    for channel, share in enumerate((1.0, 0.985, 0.94)):  # shade is a little bluer
        part[..., channel] *= 1 - np.float32(share) * taken
    if blur * canvas.unit > 0.3:
        layer = blurred_here(layer, blur * canvas.unit, blur * canvas.unit)
    dim(part, 1 - layer[..., 3])
    part += layer[..., :3]


def _drawn(thing: Thing, part: tuple[int, int, int, int], unit: float) -> np.ndarray:
    """(height, width, 4) float32, premultiplied linear light: a thing on a part (left, top, width, height) of it."""
    left, top, width, height = part
    pixels = np.zeros((height, width, 4), np.float16)
    info = skia.ImageInfo.Make(
        width, height, skia.kRGBA_F16_ColorType, skia.kPremul_AlphaType, skia.ColorSpace.MakeSRGBLinear()
    )
    target = skia.Surface.MakeRasterDirect(info, pixels).getCanvas()
    target.translate(-left, -top)
    target.scale(unit, unit)
    thing.paint(target)
    return pixels.astype(np.float32)


def _moved(field: np.ndarray, down: float, right: float) -> np.ndarray:
    """A field moved by whole pixels; its edge is repeated where nothing comes in."""
    down, right = round(down), round(right)
    padded = np.pad(field, ((max(down, 0), max(-down, 0)), (max(right, 0), max(-right, 0))), mode="edge")
    rows, columns = field.shape
    return padded[max(-down, 0) : max(-down, 0) + rows, max(-right, 0) : max(-right, 0) + columns]


def _moved_clear(canvas: StudioCanvas, clear: Box, thing: Thing) -> tuple[Thing, Extent] | None:
    """A thing as far out as the product's box asks, with what it covers; None where too little of it remains."""
    size = np.array([canvas.width, canvas.height]) / canvas.unit
    box = np.array(clear) / canvas.unit
    origin = np.array([thing.x, thing.y])
    away = origin - (box[:2] + box[2:]) / 2
    direction = away / (np.linalg.norm(away) + 1e-9) + 0.4 * np.where(origin < size / 2, -1, 1)
    direction /= np.linalg.norm(direction)
    margin = MARGIN + min(1.6 * thing.height, 0.06)
    points = _silhouette(thing)
    for step in range(STEPS):
        spot = origin + step * STEP * direction
        shown = points + spot
        shown = shown[((shown > 0) & (shown < size)).all(1)]
        if len(shown) < min(LEAST_SHOWN * len(points), LARGE * CHECK**2):
            return None
        if not ((shown > box[:2] - margin) & (shown < box[2:] + margin)).all(1).any():
            extent = (*shown.min(0) - 1 / CHECK, *shown.max(0) + 1 / CHECK)
            return Thing(thing.draw, float(spot[0]), float(spot[1]), thing.turn, thing.height), extent
    return None


def _silhouette(thing: Thing) -> np.ndarray:
    """(n, 2): where a thing is, about its origin, CHECK points to the canvas' shorter side."""
    side = int(2 * LARGEST * CHECK)
    surface = skia.Surface.MakeRasterN32Premul(side, side)
    with surface as target:
        target.scale(CHECK, CHECK)
        Thing(thing.draw, LARGEST, LARGEST, thing.turn, thing.height).paint(target)
    rows, columns = np.nonzero(surface.toarray()[..., 3])
    return (np.stack([columns, rows], 1) + 0.5) / CHECK - LARGEST


def sun_in(canvas: StudioCanvas, turn: float) -> tuple[float, float]:
    """The direction to the light (right, down; length 1) in the axes of a thing turned by so many degrees."""
    azimuth = np.deg2rad(-canvas.light.azimuth - turn)
    return float(np.cos(azimuth)), float(np.sin(azimuth))


def reaching(
    canvas: StudioCanvas, spot: Spot, plant: Plant, colour: np.ndarray, size: float = 1.0, number: int = 0
) -> Thing:
    """A plant that grows into the picture from a corner; `number` tells plants of one corner apart."""
    rng = canvas.stream(f"plant {spot.x:.2f} {spot.y:.2f} {number}")
    turn = spot.inward + float(rng.uniform(-30, 30))
    back = np.deg2rad(spot.inward)
    x, y = np.array([spot.x, spot.y]) - 0.07 * np.array([np.cos(back), np.sin(back)]) + rng.uniform(-0.08, 0.08, 2)
    key = (spot, plant.__name__, np.asarray(colour).tobytes(), number)
    picture = canvas.reuse(key, lambda: plant(rng, sun_in(canvas, turn), colour))
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
