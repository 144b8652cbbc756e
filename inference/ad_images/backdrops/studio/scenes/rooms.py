"""Rooms: floors indoors with a wall out of focus behind them.

Belongs here: living_room, bedroom, gym. Not here: tables (tables.py), the photographer's set (paper.py).
"""

import numpy as np
import skia

from inference.ad_images.backdrops.studio.canvas import Box, StudioCanvas, ink
from inference.ad_images.backdrops.studio.fields import smoothstep
from inference.ad_images.backdrops.studio.lighting import pool, window_on_floor, window_on_wall
from inference.ad_images.backdrops.studio.materials import concrete, planks
from inference.ad_images.backdrops.studio.scenes.furniture import (
    armchair,
    bed,
    dresser,
    picture,
    plant,
    sideboard,
    sofa,
    stroke,
)
from inference.ad_images.backdrops.studio.stage import Distance, Stage, bokeh
from inference.ad_images.scene import Scene


def living_room(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    """A wooden floor before a calm wall: sofa or sideboard, a plant, sun from a window."""
    stage = Stage(canvas, scene, clear, over=0.10)
    canvas.whole(("room", stage.base), lambda: _living(stage, scene))


def bedroom(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    """A light floor before a bed and curtains."""
    stage = Stage(canvas, scene, clear, over=0.10)
    canvas.whole(("room", stage.base), lambda: _sleeping(stage, scene))


def gym(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    """A dark hall: smooth floor, rows of lamps out of focus."""
    stage = Stage(canvas, scene, clear, over=0.05)
    canvas.whole(("room", stage.base), lambda: _hall(stage, scene))


def _wall(stage: Stage, far: Distance, colour: np.ndarray, depth: float = 0.32) -> None:
    """Plaster that the window lights from its side."""
    wide, high = far.shape[1] / far.detail, stage.horizon * far.shape[0] / far.detail
    lamp = 0.5 * wide + 0.6 * wide * stage.sun_x
    light = (
        1
        - depth
        + depth * 1.25 * np.exp(-(((far.x - lamp) / (0.9 * wide)) ** 2) - ((far.y - 0.35 * high) / (1.1 * high)) ** 2)
    )
    far.fill(colour)
    far.light *= (light * (1 + 0.02 * far.noise("plaster", 5)))[..., None]


def _skirting(stage: Stage, far: Distance, colour: np.ndarray) -> None:
    """A board along the foot of the wall."""
    foot = stage.horizon * far.shape[0] / far.detail
    board = smoothstep(foot - 0.048, foot - 0.042, far.y) + 0 * far.x
    far.fill(colour, board)
    far.light *= (1 - 0.22 * np.exp(-(((far.y - foot + 0.05) / 0.008) ** 2)))[..., None]


def _curtain(stage: Stage, far: Distance) -> None:
    """Thin curtains before a window, on the side of the light."""
    wide = far.shape[1] / far.detail
    folds = 0.5 + 0.5 * np.sin(far.x * 62 + 2.2 * far.noise("folds", 7, 1.7, 0.25))
    reach = 0.36 * wide
    curtain = smoothstep(reach + 0.03, reach - 0.05, far.x if stage.sun_x < 0 else wide - far.x) + 0 * far.y
    far.fill(np.array([1.0, 0.97, 0.92], np.float32) * (0.66 + 0.42 * folds)[..., None], curtain * 0.92)


def _floor_light(stage: Stage, rng: np.random.Generator, softness: float, sun: float) -> np.ndarray:
    """(n, width): even light, the pool around the product and sun from a window."""
    patch = window_on_floor(stage, rng, softness)
    return pool(stage, 0.34) * (1 - 0.35 * sun + sun * patch)


def _living(stage: Stage, scene: Scene) -> None:
    canvas = stage.canvas
    rng = canvas.stream("room")
    wall, wood, accent, deep = (canvas.colour(number) for number in range(4))
    far = Distance(canvas)
    wide = far.shape[1] / far.detail
    foot = stage.horizon * far.shape[0] / far.detail
    _wall(stage, far, wall)
    if rng.integers(2):
        far.light *= (0.86 + 0.42 * window_on_wall(stage, far.x, far.y, rng, 0.5))[..., None]
    _skirting(stage, far, wall * 1.12)
    side = bool(rng.integers(2))  # which side the furniture is on
    green = np.array([0.055, 0.10, 0.045], np.float32)
    size = float(rng.uniform(0.75, 0.95))
    left = -0.34 * size if side else wide - 0.66 * size
    plant_x = wide * float(rng.uniform(0.84, 0.95)) if side else wide * float(rng.uniform(0.05, 0.16))
    plant_tall = float(rng.uniform(0.40, 0.52))
    frame = skia.Rect.MakeXYWH(wide * float(rng.uniform(0.3, 0.55)), 0.08, 0.22, 0.29)
    piece = int(rng.integers(3))
    if piece == 2:
        _curtain(stage, far)

    def things(surface: skia.Canvas) -> None:
        if piece == 0:
            picture(surface, frame, wall, accent, deep)
            sofa(surface, left, foot + 0.012, size, accent)
        elif piece == 1:
            sideboard(surface, rng, left, foot, size, (wood * 0.7, accent, wall, green))
        else:
            armchair(surface, wide * (0.12 if side else 0.66), foot + 0.01, accent)
        plant(surface, rng, plant_x, foot + 0.008, plant_tall, green, deep * 0.9 + wall * 0.15)

    far.draw(things)
    far.blur(0.020)
    ground = planks(stage.floor, rng, wood * 1.02, float(rng.uniform(0.15, 0.2)), float(rng.uniform(-14, 14)))
    ground *= _floor_light(stage, rng, scene.light.softness, 0.55)[..., None]
    _dim_at_wall(stage, ground)
    stage.compose(far.enlarged(), ground, 0.42, 0.075, 0.010)
    canvas.shade(canvas.tint)


def _dim_at_wall(stage: Stage, ground: np.ndarray, amount: float = 0.35) -> None:
    """Floor near the wall sees less of the room."""
    ground *= 1 - amount * np.exp(-(stage.floor.rows - stage.horizon) / 0.028)[..., None]


def _sleeping(stage: Stage, scene: Scene) -> None:
    canvas = stage.canvas
    rng = canvas.stream("room")
    wall, wood, accent, deep = (canvas.colour(number) for number in range(4))
    far = Distance(canvas)
    wide = far.shape[1] / far.detail
    foot = stage.horizon * far.shape[0] / far.detail
    _wall(stage, far, wall, 0.25)
    from_left = stage.sun_x < 0
    if rng.integers(3):
        _curtain(stage, far)
    else:
        far.light *= (0.86 + 0.4 * window_on_wall(stage, far.x, far.y, rng, 0.5))[..., None]
    _skirting(stage, far, wall * 1.1)
    if rng.integers(3) == 0:
        dresser(stage, far, rng, (wood, accent, wall, deep))
    else:
        bed(far, rng, foot, wide, from_left, (accent, deep))
    far.blur(0.028)
    ground = planks(stage.floor, rng, wood * 1.05, float(rng.uniform(0.16, 0.22)), float(rng.uniform(-12, 12)))
    ground *= _floor_light(stage, rng, scene.light.softness, 0.4)[..., None]
    _dim_at_wall(stage, ground)
    stage.compose(far.enlarged(), ground, 0.34, 0.075, 0.010)
    canvas.shade(canvas.tint)


def _hall(stage: Stage, scene: Scene) -> None:
    canvas = stage.canvas
    rng = canvas.stream("room")
    wall, rubber, accent, deep = (canvas.colour(number) for number in range(4))
    far = Distance(canvas)
    wide = far.shape[1] / far.detail
    foot = stage.horizon * far.shape[0] / far.detail
    _wall(stage, far, wall * 0.55, 0.6)
    posts = [float(value) for value in np.linspace(0.02, 0.98, 7) * wide + rng.normal(0, 0.02, 7)]
    bands = int(rng.integers(2))

    def things(surface: skia.Canvas) -> None:
        surface.drawRect(skia.Rect.MakeLTRB(0, foot - 0.16, wide, foot - 0.12), ink(accent * 0.8))
        for number, x in enumerate(posts):
            surface.drawRect(skia.Rect.MakeXYWH(x, 0.05, 0.016, foot - 0.05), ink(deep * 0.8))
            if number % 2 == bands:
                for disc in range(3):
                    surface.drawOval(
                        skia.Rect.MakeXYWH(x + 0.02 + 0.03 * disc, foot - 0.21, 0.026, 0.2),
                        ink(deep * (0.5 + 0.2 * disc)),
                    )
        surface.drawRect(skia.Rect.MakeLTRB(0, foot - 0.30, wide, foot - 0.288), ink(deep * 1.6))

    far.draw(things)
    far.blur(0.022)
    strips = Distance(canvas)
    white = np.array([1.0, 0.98, 0.94], np.float32)

    away = (0.5 * wide, stage.eye * far.shape[0] / far.detail)
    kind = int(rng.integers(3))
    rays = [(-1.9, 0.0), (-0.75, 0.0), (0.75, 0.5), (1.9, 0.5)] if kind == 0 else [(-1.3, 0.0), (0.0, 0.3), (1.3, 0.0)]

    def lamps(surface: skia.Canvas) -> None:
        if kind == 2:  # a row of tall windows at the back
            for number in range(5):
                pane = skia.Rect.MakeXYWH(wide * (0.04 + 0.195 * number), 0.06, wide * 0.15, 0.5 * foot)
                surface.drawRect(pane, ink(white * (0.62 if number % 2 else 0.5)))
            return
        for lean, offset in rays:
            for number in range(4):
                near, end = 0.62 ** (number + offset), 0.62 ** (number + offset + 0.62)
                start = (away[0] + lean * near * 0.62, away[1] - near * 0.66)
                stop = (away[0] + lean * end * 0.62, away[1] - end * 0.66)
                surface.drawLine(*start, *stop, stroke(white, 0.024 * near))

    strips.draw(lamps)
    strips.blur(0.010)
    glow = strips.light.copy()
    strips.blur(0.07)
    far.light += 1.5 * glow + 1.6 * strips.light
    background = far.enlarged()
    lights = [
        (
            float(rng.uniform(0, wide)),
            float(rng.uniform(0.22, 0.42)) * foot / 0.57,
            float(rng.uniform(0.012, 0.024)),
            accent * float(rng.uniform(0.1, 0.35)),
        )
        for _ in range(9)
    ]
    bokeh(canvas, background, lights)
    ground = concrete(stage.floor, rng, rubber * 0.9, 0.9) * pool(stage, 0.55, 0.6)[..., None]
    _line(stage, ground, rng, accent)
    stage.compose(background, ground, 0.62, 0.08, 0.008)
    canvas.vignette = 0.34
    canvas.shade(canvas.tint)


def _line(stage: Stage, ground: np.ndarray, rng: np.random.Generator, colour: np.ndarray) -> None:
    """A painted line of the court, which runs away from the camera."""
    u, _ = stage.floor.turned(float(rng.uniform(18, 34)) * (1 if rng.integers(2) else -1))
    away = np.abs(u - float(rng.uniform(0.35, 0.6)) * (1 if rng.integers(2) else -1))
    mask = smoothstep(0.035 + 0.6 * stage.floor.grain, 0.035 - 0.6 * stage.floor.grain, away)
    worn = 0.85 + 0.08 * stage.floor.noise(3, 0.8, stage.floor.u, stage.floor.v, (200, 200))
    ground += (colour * pool(stage, 0.45)[..., None] - ground) * (mask * worn)[..., None]
