"""Paper: the photographer's set at eye level, coloured paper that bends from wall to floor.

Belongs here: the studio theme. Not here: rooms (rooms.py), tables (tables.py).
"""

import numpy as np

from inference.ad_images.backdrops.studio.canvas import Box, StudioCanvas
from inference.ad_images.backdrops.studio.fields import smoothstep
from inference.ad_images.backdrops.studio.lighting import leaves_on_wall, window_on_wall
from inference.ad_images.backdrops.studio.stage import Stage
from inference.ad_images.scene import Scene


def sweep(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    """Paper in one colour, lit from the side; a disc, an arch or the shadow of leaves behind."""
    stage = Stage(canvas, scene, clear)
    canvas.whole(("sweep", stage.base, stage.center), lambda: _set(stage, scene))


def _set(stage: Stage, scene: Scene) -> None:
    canvas = stage.canvas
    rng = canvas.stream("set")
    rows, columns = canvas.grid()
    wall, ground, accent = canvas.colour(0), canvas.colour(1), canvas.colour(2)
    x, y = columns * (canvas.width / canvas.unit), rows * (canvas.height / canvas.unit)
    wide, high = canvas.width / canvas.unit, canvas.height / canvas.unit
    kind = int(rng.integers(4))
    canvas.over(wall)
    if kind == 1:
        _arch(stage, rng, accent, x, y)
    bend = smoothstep(stage.horizon - 0.035, stage.horizon + 0.06, rows)
    canvas.over(ground * 1.06, bend)
    # The bend itself turns away from the light above, then towards it.
    fold = np.exp(-(((rows - stage.horizon + 0.03) / 0.07) ** 2)) * -0.07
    fold += np.exp(-(((rows - stage.base) / 0.16) ** 2)) * 0.08
    canvas.shade(np.broadcast_to(1 + fold, canvas.shape))
    if kind == 0:
        _disc(stage, rng, accent, x, y)
    lamp_x = 0.5 * wide + 0.42 * wide * stage.sun_x
    spot = np.exp(-(((x - lamp_x) / (0.85 * wide)) ** 2) - ((y - 0.36 * high) / (0.75 * high)) ** 2)
    canvas.shade((0.70 + 0.42 * spot).astype(np.float32))
    softness = scene.light.softness
    if kind in (1, 2):
        shadow = leaves_on_wall(stage, rng, 0.010 + 0.016 * softness)
        fade = 1 - 0.45 * smoothstep(stage.horizon, stage.horizon + 0.25, rows)
        canvas.shade(1 - (0.30 - 0.12 * softness) * shadow * fade)
    if kind == 3:
        light = window_on_wall(stage, x, y, rng, softness * 0.6)
        canvas.shade((0.84 + 0.30 * light * (1 - 0.4 * bend)).astype(np.float32))
    canvas.shade(canvas.tint)
    canvas.shade(1 + 0.008 * canvas.noise("fibre", 420, 0.4) + 0.012 * canvas.noise("tone", 5, 1.8))


def _disc(stage: Stage, rng: np.random.Generator, colour: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    """A round panel that stands on the paper behind the product, a little out of focus, with its soft shadow."""
    canvas = stage.canvas
    wide, high = canvas.width / canvas.unit, canvas.height / canvas.unit
    radius = float(rng.uniform(0.25, 0.32))
    at_x = stage.center * wide + float(rng.uniform(-0.07, 0.07))
    foot = (stage.horizon + 0.42 * (stage.base - stage.horizon)) * high
    at_y = foot - radius
    side = -0.05 * stage.sun_x
    canvas.shade(1 - 0.13 * smoothstep(radius + 0.07, radius - 0.06, np.hypot(x - at_x - side, y - at_y - 0.01)))
    reach = np.hypot((x - at_x - 1.2 * side) / (0.75 * radius), (y - foot) / 0.035)
    canvas.shade(1 - 0.34 * np.exp(-(reach**2)))
    near = np.hypot((x - at_x) / (0.22 * radius), (y - foot) / 0.010)
    canvas.shade(1 - 0.45 * np.exp(-(near**2)))
    inside = smoothstep(radius + 0.0045, radius - 0.0045, np.hypot(x - at_x, y - at_y))
    shade = 1 + 0.16 * stage.sun_x * (x - at_x) / radius - 0.12 * (y - at_y) / radius
    canvas.over(colour * shade[..., None], inside)


def _arch(stage: Stage, rng: np.random.Generator, colour: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    """A doorway in the wall with a round top, darker inside."""
    canvas = stage.canvas
    wide, high = canvas.width / canvas.unit, canvas.height / canvas.unit
    half = float(rng.uniform(0.24, 0.3))
    at_x = stage.center * wide + float(rng.uniform(-0.05, 0.05))
    top = stage.horizon * high - float(rng.uniform(0.16, 0.26))

    def inside(dx: float, dy: float, soft: float) -> np.ndarray:
        round_part = np.hypot(x - at_x - dx, np.minimum(y - top - dy, 0))
        return smoothstep(half + soft, half - soft, round_part)

    opening = inside(0, 0, 0.005)
    canvas.over(colour * (0.92 + 0.14 * stage.sun_x * (x - at_x) / half)[..., None], opening)
    rim = opening * (1 - inside(-0.035 * stage.sun_x, 0.03, 0.022))
    canvas.shade(1 - 0.30 * rim)
