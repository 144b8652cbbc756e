"""Stage: a scene at eye level before its things are painted: camera, floor in perspective, what is out of focus.

Belongs here: the geometry of the floor, depth of field, the distance behind it, how they are put together. Not here:
what a theme shows (scenes/).

The camera looks level. A floor row at y lies (base - eye) / (y - eye) times as far as the row on which the product
stands, where one unit of the floor is one shorter side of the picture; that is also why blur grows linearly with the
distance of a row from the base row (the circle of confusion goes with 1/depth, and 1/depth with y).
"""

import functools
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import skia

from inference.ad_images.backdrops.studio import fields
from inference.ad_images.backdrops.studio.canvas import Box, StudioCanvas, drawn, ink
from inference.ad_images.backdrops.studio.fields import TILE, smoothstep
from inference.ad_images.scene import Scene
from inference.ad_images.shadows import LENS

FAR_DETAIL = 112  # pixels along the shorter side of what is far out of focus


class Stage:
    """The camera of one picture.

    Attributes:
        horizon: row where floor and background meet; eye: row of the camera's own height, to which lines on the floor
        run; base: row on which the product stands; all shares of the height.
        middle: column to which they run, and center of the product, shares of the width.
        floor: the rows under the horizon.
    """

    def __init__(self, canvas: StudioCanvas, scene: Scene, clear: Box, over: float = 0.0) -> None:
        """A camera at the horizon line, or `over` it by a share of the height: a wall is nearer than the horizon."""
        self.canvas = canvas
        self.horizon = 0.58 if scene.horizon is None else scene.horizon
        self.base = round(float(np.clip(clear[3] / canvas.height, self.horizon + 0.08, 0.97)), 3)
        self.eye = self.horizon - over
        self.middle = 0.5
        self.center = round((clear[0] + clear[2]) / 2 / canvas.width, 3)
        self.floor = Floor.seen(canvas, self.horizon, self.eye, self.base, self.middle)
        self.sun_x = float(np.cos(np.radians(scene.light.azimuth)))  # -1 from the left, 1 from the right

    def compose(self, far: np.ndarray, ground: np.ndarray, sheen: float, aperture: float, edge: float = 0.004) -> None:
        """Background and floor as the lens sees them.

        Args:
            far: (height, width, 3) float32, what is behind the floor, already out of focus.
            ground: (floor rows, width, 3) float32, the floor, sharp.
            sheen: how much of the background the floor mirrors at the horizon, 0 to 1; less towards the camera.
            aperture: blur (share of the shorter side) for each share of the height that a floor row lies off the base.
            edge: softness of the line between them, share of the height.
        """
        canvas, floor = self.canvas, self.floor
        ground = floor.focused(ground, aperture)
        if sheen:
            mirror = fields.blurred(
                far[max(floor.top - len(ground), 0) : floor.top][::-1], 0.02 * canvas.unit, 0.008 * canvas.unit
            )
            steep = sheen * np.exp(-3.2 * (floor.rows - self.horizon) / (1 - self.horizon))[..., None]
            count = min(len(mirror), len(ground))
            ground[:count] += (mirror[:count] - ground[:count]) * steep[:count]
        rows = (np.arange(canvas.height, dtype=np.float32)[:, None] + 0.5) / canvas.height
        below = smoothstep(self.horizon - edge, self.horizon + edge, rows)
        canvas.pixels = far.copy()
        start = max(floor.top - round(edge * canvas.height) - 1, 0)
        rim = floor.top - start
        padded = np.concatenate([np.repeat(ground[:1], rim, 0), ground]) if rim else ground
        part = canvas.pixels[start:]
        part += (padded - part) * below[start:, :, None]


@dataclass
class Floor:
    """The floor's coordinates.

    Attributes:
        top: its first row, pixels. rows: (n, 1) shares of the height. depth: (n, 1) times as far as the base row.
        u, v: (n, width), (n, 1) sideways and away, units of one shorter side where the product stands.
        grain: (n, 1) width of a pixel in u. base: share of the height. shape: (height, width) of the picture.
    """

    top: int
    rows: np.ndarray
    depth: np.ndarray
    u: np.ndarray
    v: np.ndarray
    grain: np.ndarray
    base: float
    shape: tuple[int, int]

    @classmethod
    def seen(cls, canvas: StudioCanvas, horizon: float, eye: float, base: float, middle: float) -> "Floor":
        top = min(max(round(horizon * canvas.height), 0), canvas.height - 8)
        rows = (np.arange(top, canvas.height, dtype=np.float32)[:, None] + 0.5) / canvas.height
        depth = (base - eye) / np.maximum(rows - eye, 0.5 / canvas.height)
        across = (np.arange(canvas.width, dtype=np.float32)[None, :] + 0.5 - middle * canvas.width) / canvas.unit
        return cls(top, rows, depth, across * depth, LENS * depth, depth / canvas.unit, base, canvas.shape)

    def turned(self, degrees: float) -> tuple[np.ndarray, np.ndarray]:
        """(n, width) u and v of a pattern that lies turned on the floor."""
        cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
        return (self.u * cosine - self.v * sine).astype(np.float32), (self.u * sine + self.v * cosine).astype(
            np.float32
        )

    def noise(
        self,
        number: Any,
        falloff: float,
        u: np.ndarray,
        v: np.ndarray,
        scale: tuple[float, float],
        make: Callable[[Any, float], np.ndarray] = fields.tile,
    ) -> np.ndarray:
        """(n, width) float32 noise that lies on the floor, `scale` noise pixels a unit of u and v, of a tile of `make`.

        Rows that show more than one noise pixel a pixel take a reduced tile, so that nothing glitters.
        """
        out = np.empty(np.broadcast_shapes(u.shape, v.shape), np.float32)
        u, v = np.broadcast_to(u, out.shape), np.broadcast_to(v, out.shape)
        level = np.clip(np.ceil(np.log2(np.maximum(self.grain[:, 0] * max(scale) * 1.1, 1e-6))), 0, 6).astype(int)
        for step in np.unique(level):
            at = np.flatnonzero(level == step)
            part = slice(at[0], at[-1] + 1)
            tile = reduced_tile(make, number, falloff, int(step))
            side = len(tile)
            out[part] = bilinear(tile, u[part] * (scale[0] / (TILE / side)), v[part] * (scale[1] / (TILE / side)))
        return out

    def fade(self, period: float) -> np.ndarray:
        """(n, 1): 1 where a pattern of this period (units) is resolved, 0 where a pixel holds more than half of it."""
        return np.clip(2 - 4 * self.grain / period, 0, 1)

    def focused(self, ground: np.ndarray, aperture: float) -> np.ndarray:
        """The floor with depth of field: sharp at the base row, blurred before and behind it."""
        unit = min(self.shape)
        sigma = np.abs(self.rows - self.base)[..., None] * aperture
        sigma = np.maximum(sigma - 0.02 * aperture, 0)
        levels = [0.0, 0.003, 0.009, 0.022]
        out = ground.copy()
        for lower, upper in itertools.pairwise(levels):
            share = np.clip((sigma - lower) / (upper - lower), 0, 1)
            rows = np.flatnonzero(share[:, 0, 0] > 0)
            if not len(rows):
                break
            softer = fields.blurred(ground, upper * unit * 0.55, upper * unit)
            out += (softer - out) * share
        return out


@functools.lru_cache(maxsize=256)
def reduced_tile(make: Callable[[Any, float], np.ndarray], number: Any, falloff: float, step: int) -> np.ndarray:
    """A tile with 2**step of its pixels made one, each way."""
    side = TILE >> step
    tile = make(number, falloff)
    return np.ascontiguousarray(tile.reshape(side, 1 << step, side, 1 << step).mean((1, 3)))


def bilinear(tile: np.ndarray, u: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Values of a tile that repeats, at broadcastable float32 coordinates (its own pixels)."""
    side = len(tile)
    left, top = np.floor(u), np.floor(v)
    right_share, down_share = u - left, v - top
    columns, rows = left.astype(np.int32) & (side - 1), top.astype(np.int32) & (side - 1)
    flat = tile.reshape(-1)
    next_columns, next_rows = (columns + 1) & (side - 1), ((rows + 1) & (side - 1)) * side
    rows = rows * side
    above = flat[rows + columns]
    above = above + (flat[rows + next_columns] - above) * right_share
    below = flat[next_rows + columns]
    below = below + (flat[next_rows + next_columns] - below) * right_share
    return above + (below - above) * down_share


class Distance:
    """What is far out of focus, painted small.

    Attributes:
        light: (h, w, 3) float32 linear light. x: (1, w), y: (h, 1) in shares of the shorter side of the picture.
    """

    def __init__(self, canvas: StudioCanvas, detail: int = FAR_DETAIL) -> None:
        self.canvas = canvas
        self.detail = min(detail, canvas.unit)
        self.shape = (
            max(round(canvas.height / canvas.unit * self.detail), 8),
            max(round(canvas.width / canvas.unit * self.detail), 8),
        )
        self.light = np.zeros((*self.shape, 3), np.float32)
        self.y = (np.arange(self.shape[0], dtype=np.float32)[:, None] + 0.5) / self.detail
        self.x = (np.arange(self.shape[1], dtype=np.float32)[None, :] + 0.5) / self.detail

    def fill(self, colour: np.ndarray, mask: np.ndarray | float = 1.0) -> None:
        amount = np.broadcast_to(np.asarray(mask, np.float32), self.shape)[..., None]
        self.light += (colour - self.light) * amount

    def draw(self, draw: Callable[[skia.Canvas], None], blur: float = 0.0) -> None:
        """Paints shapes over what is there, lengths in shares of the shorter side, softened by `blur` of it."""
        layer = drawn(self.shape, self.detail, draw)
        if blur:
            layer = fields.blurred_here(layer, blur * self.detail, blur * self.detail)
        self.light *= 1 - layer[..., 3:]
        self.light += layer[..., :3]

    def noise(self, name: str, cells: float, falloff: float = 1.6, stretch: float = 1.0) -> np.ndarray:
        """(h, w) float32. See StudioCanvas.noise."""
        down, across = cells * self.shape[0] / self.detail, cells * self.shape[1] / self.detail / stretch
        return fields.window(self.canvas.stream(name), self.shape, (down, across), falloff)

    def blur(self, amount: float) -> None:
        self.light = fields.blurred_here(self.light, amount * self.detail, amount * self.detail)

    def enlarged(self) -> np.ndarray:
        """(height, width, 3) float32 at the size of the picture."""
        from PIL import Image

        return np.maximum(fields.resized(self.light, self.canvas.shape, Image.Resampling.BICUBIC), 0)


def bokeh(
    canvas: StudioCanvas, light: np.ndarray, points: list[tuple[float, float, float, np.ndarray]], share: float = 1.0
) -> None:
    """Adds points far out of focus: soft discs, a little brighter at the rim, as of a lens.

    Args:
        light: (height, width, 3) float32, what they are added to.
        points: x, y, radius (shares of the shorter side), colour (linear light) of each. share: of their light.
    """

    def draw(surface: skia.Canvas) -> None:
        for x, y, radius, colour in points:
            paint = ink(colour)
            paint.setBlendMode(skia.BlendMode.kPlus)
            surface.drawCircle(x, y, radius, paint)
            rim = ink(colour * 0.35)
            rim.setBlendMode(skia.BlendMode.kPlus)
            rim.setStyle(skia.Paint.kStroke_Style)
            rim.setStrokeWidth(radius * 0.12)
            surface.drawCircle(x, y, radius * 0.93, rim)

    lowest = max((y + radius for _, y, radius, _ in points), default=0.0) + 0.03
    rows = min(-(-round(lowest * canvas.unit) // 2) * 2, canvas.height)
    discs = drawn((rows // 2, canvas.width // 2), canvas.unit / 2, draw)[..., :3]
    sigma = max(0.0045 * canvas.unit / 2, 0.75)
    light[:rows] += share * fields.resized(fields.blurred_here(discs, sigma, sigma), (rows, canvas.width))
