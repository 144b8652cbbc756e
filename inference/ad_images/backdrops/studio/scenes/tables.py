"""Tables: worktops at eye level, with a wall or shelves out of focus behind their far edge.

Belongs here: kitchen, desk. Not here: floors of rooms (rooms.py).
"""

import numpy as np
import skia

from inference.ad_images.backdrops.studio.canvas import Box, StudioCanvas, ink
from inference.ad_images.backdrops.studio.fields import smoothstep
from inference.ad_images.backdrops.studio.lighting import leaf, pool, twig, window_on_floor, window_on_wall
from inference.ad_images.backdrops.studio.materials import marble, planks
from inference.ad_images.backdrops.studio.stage import Distance, Stage
from inference.ad_images.scene import Scene


def kitchen(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    """A worktop of marble or wood before tiles and shelves."""
    stage = Stage(canvas, scene, clear, over=0.12)
    canvas.whole(("table", stage.base), lambda: _cooking(stage, scene))


def desk(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    """A wooden desk with books, a lamp and a plant behind."""
    stage = Stage(canvas, scene, clear, over=0.12)
    canvas.whole(("table", stage.base), lambda: _working(stage, scene))


def _solid(surface: skia.Canvas, rect: skia.Rect, colour: np.ndarray, from_left: bool, radius: float = 0.01) -> None:
    """A round body: lit on one side."""
    tones = (1.25, 0.95, 0.5) if from_left else (0.5, 0.95, 1.25)
    paint = skia.Paint(AntiAlias=True)
    colours = [skia.Color4f(*(float(v) for v in np.clip(colour * t, 0, 1) ** (1 / 2.2)), 1).toColor() for t in tones]
    paint.setShader(skia.GradientShader.MakeLinear([(rect.left(), 0), (rect.right(), 0)], colours))
    surface.drawRoundRect(rect, radius, radius, paint)


def _cooking(stage: Stage, scene: Scene) -> None:
    canvas = stage.canvas
    rng = canvas.stream("table")
    wall, top, accent, deep = (canvas.colour(number) for number in range(4))
    far = Distance(canvas, 160)
    wide = far.shape[1] / far.detail
    edge = stage.horizon * far.shape[0] / far.detail
    from_left = stage.sun_x < 0
    lamp = 0.5 * wide + 0.6 * wide * stage.sun_x
    far.fill(wall * 0.86)
    tile_wide, tile_high = float(rng.uniform(0.13, 0.17)), float(rng.uniform(0.065, 0.075))
    row = np.floor((edge - far.y) / tile_high)
    across = far.x / tile_wide + 0.5 * (row.astype(int) & 1)
    column = np.floor(across)
    tones = rng.standard_normal(64)
    number = (row.astype(int) * 7 + column.astype(int) * 13) & 63
    far.light *= (1 + 0.045 * tones[number])[..., None]
    joint = np.minimum(
        np.minimum(across - column, column + 1 - across) * tile_wide,
        np.abs((edge - far.y) / tile_high - np.round((edge - far.y) / tile_high)) * tile_high,
    )
    far.light *= (1 - 0.16 * smoothstep(0.006, 0.002, joint))[..., None]
    light = 0.72 + 0.42 * np.exp(-(((far.x - lamp) / (0.9 * wide)) ** 2) - ((far.y - 0.2) / 0.7) ** 2)
    far.light *= light[..., None]
    far.light *= (0.9 + 0.3 * window_on_wall(stage, far.x, far.y, rng, 0.6))[..., None]
    shelf = float(rng.uniform(0.10, 0.16))
    left = bool(rng.integers(2))

    def things(surface: skia.Canvas) -> None:
        shelf_left, shelf_right = (0.0, 0.44 * wide) if left else (0.56 * wide, wide)
        surface.drawRect(
            skia.Rect.MakeLTRB(shelf_left, shelf + 0.022, shelf_right, shelf + 0.07), ink(deep * 0.3, 0.30)
        )
        surface.drawRect(skia.Rect.MakeLTRB(shelf_left, shelf, shelf_right, shelf + 0.022), ink(deep))
        x = shelf_left + 0.03
        while x < shelf_right - 0.08:
            size = float(rng.uniform(0.04, 0.075))
            tall = float(rng.uniform(0.06, 0.14))
            colour = (accent, wall * 0.9, deep * 1.2, wall * 0.7)[int(rng.integers(4))]
            _solid(surface, skia.Rect.MakeLTRB(x, shelf - tall, x + size, shelf), colour, from_left, 0.012)
            x += size + float(rng.uniform(0.015, 0.05))
        x = wide * (0.80 if left else 0.07)
        for offset, size, tall, colour in (
            (0.0, 0.085, 0.21, accent),
            (0.1, 0.07, 0.15, deep),
            (-0.085, 0.07, 0.11, wall * 0.8),
        ):
            rect = skia.Rect.MakeLTRB(x + offset, edge - tall, x + offset + size, edge + 0.006)
            _solid(surface, rect, colour, from_left, 0.02)
        twig_at = (x + 0.04, edge - 0.2)
        for towards in (-115, -88, -62):
            twig(surface, rng, twig_at, towards, 0.2, ink(np.array([0.05, 0.10, 0.045])))

    far.draw(things)
    far.blur(0.014)
    wooden = float(top.max() - top.min()) > 0.18
    if wooden:
        ground = planks(stage.floor, rng, top, 0.24, 90 + float(rng.uniform(-4, 4)))
    else:
        ground = marble(stage.floor, rng, np.minimum(top * 0.88, 0.72), deep * 1.1 + 0.04)
    ground *= (pool(stage, 0.26) * (0.88 + 0.32 * window_on_floor(stage, rng, scene.light.softness)))[..., None]
    stage.compose(far.enlarged(), ground, 0.5 if not wooden else 0.3, 0.07, 0.006)
    canvas.shade(canvas.tint)


def _working(stage: Stage, scene: Scene) -> None:
    canvas = stage.canvas
    rng = canvas.stream("table")
    wall, top, accent, deep = (canvas.colour(number) for number in range(4))
    far = Distance(canvas, 160)
    wide = far.shape[1] / far.detail
    edge = stage.horizon * far.shape[0] / far.detail
    from_left = stage.sun_x < 0
    lamp_x = 0.5 * wide + 0.6 * wide * stage.sun_x
    far.fill(wall * 0.9)
    light = 0.62 + 0.5 * np.exp(-(((far.x - lamp_x) / (0.85 * wide)) ** 2) - ((far.y - 0.2) / 0.7) ** 2)
    far.light *= light[..., None]
    far.light *= (0.88 + 0.36 * window_on_wall(stage, far.x, far.y, rng, 0.7))[..., None]
    left = bool(rng.integers(2))
    x_books = wide * (0.03 if left else 0.66)
    x_plant = wide * (0.86 if left else 0.13)

    def things(surface: skia.Canvas) -> None:
        x = x_books
        shades = (accent, deep * 1.3, wall * 0.95, accent * 0.6, deep, np.array([0.5, 0.42, 0.33]))
        for _ in range(7):
            thick, tall = float(rng.uniform(0.028, 0.05)), float(rng.uniform(0.2, 0.3))
            book = skia.Rect.MakeLTRB(x, edge - tall, x + thick, edge + 0.01)
            _solid(surface, book, shades[int(rng.integers(6))], from_left, 0.004)
            x += thick + 0.002
        pot = skia.Rect.MakeLTRB(x_plant - 0.06, edge - 0.12, x_plant + 0.06, edge + 0.012)
        for number in range(13):
            angle = np.radians(-90 + (number - 6) * 13 + float(rng.normal(0, 5)))
            reach = float(rng.uniform(0.08, 0.22))
            tip = (x_plant + np.cos(angle) * reach, edge - 0.12 + np.sin(angle) * reach)
            green = np.array([0.06, 0.115, 0.05]) * float(rng.uniform(0.6, 1.5))
            stem = ink(np.array([0.05, 0.08, 0.03]))
            stem.setStyle(skia.Paint.kStroke_Style)
            stem.setStrokeWidth(0.006)
            surface.drawLine(x_plant, edge - 0.12, *tip, stem)
            leaf(surface, tip, angle + float(rng.normal(0, 0.4)), 0.11, ink(green), 0.36)
        _solid(surface, pot, accent * 0.75 + deep * 0.15, from_left, 0.015)

    far.draw(things)
    far.blur(0.017)
    ground = planks(stage.floor, rng, top, 0.30, 90 + float(rng.uniform(-5, 5)))
    ground *= (pool(stage, 0.36) * (0.85 + 0.38 * window_on_floor(stage, rng, scene.light.softness)))[..., None]
    stage.compose(far.enlarged(), ground, 0.34, 0.07, 0.006)
    canvas.shade(canvas.tint)
