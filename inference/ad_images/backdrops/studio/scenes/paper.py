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
    kind = KINDS[int(canvas.stream("kind").integers(len(KINDS)))]
    behind = stage.center if kind in ("disc", "arch") else None  # what stands behind the product moves with it
    canvas.whole(("sweep", stage.base, behind), lambda: _set(stage, scene, kind))


KINDS = ("disc", "arch", "leaves", "window", "blocks", "cloth", "plain")


def _set(stage: Stage, scene: Scene, kind: str) -> None:
    canvas = stage.canvas
    rng = canvas.stream("set")
    rows, columns = canvas.grid()
    wall, ground = canvas.sheet(canvas.colour(0)), canvas.sheet(canvas.colour(1))
    accent = canvas.panel(canvas.colour(2))
    x, y = columns * (canvas.width / canvas.unit), rows * (canvas.height / canvas.unit)
    wide, high = canvas.width / canvas.unit, canvas.height / canvas.unit
    softness = scene.light.softness
    canvas.over(wall)
    if kind == "cloth":
        canvas.shade(_folds(canvas, x))
    if kind == "blocks":
        _blocks(stage, rng, accent, x, y)
    bend = smoothstep(stage.horizon - 0.035, stage.horizon + 0.06, rows)
    canvas.over(ground * 1.06, bend)
    # The bend itself turns away from the light above, then towards it.
    fold = np.exp(-(((rows - stage.horizon + 0.03) / 0.07) ** 2)) * -0.07
    fold += np.exp(-(((rows - stage.base) / 0.16) ** 2)) * 0.08
    canvas.shade(np.broadcast_to(1 + fold, canvas.shape))
    if kind == "disc":
        _panel(stage, rng, accent, x, y, arched=False)
    if kind == "arch":
        _panel(stage, rng, accent, x, y, arched=True)
    lamp_x = 0.5 * wide + 0.42 * wide * stage.sun_x
    spot = np.exp(-(((x - lamp_x) / (0.85 * wide)) ** 2) - ((y - 0.36 * high) / (0.75 * high)) ** 2)
    canvas.shade((0.70 + 0.42 * spot).astype(np.float32))
    if kind == "leaves" or (kind in ("arch", "plain") and rng.integers(2)):
        shadow = leaves_on_wall(stage, rng, 0.008 + 0.014 * softness)
        fade = 1 - 0.45 * smoothstep(stage.horizon, stage.horizon + 0.25, rows)
        canvas.shade(1 - (0.34 - 0.12 * softness) * shadow * fade)
    if kind == "window":
        light = window_on_wall(stage, x, y, rng, softness * 0.6)
        canvas.shade((0.84 + 0.30 * light * (1 - 0.4 * bend)).astype(np.float32))
    canvas.shade(canvas.tint)
    canvas.shade(1 + 0.008 * canvas.noise("fibre", 420, 0.4) + 0.012 * canvas.noise("tone", 5, 1.8))


def _panel(
    stage: Stage, rng: np.random.Generator, colour: np.ndarray, x: np.ndarray, y: np.ndarray, arched: bool
) -> None:
    """A disc, or a panel with a round top, that stands on the paper behind the product, with its soft shadow."""
    canvas = stage.canvas
    wide, high = canvas.width / canvas.unit, canvas.height / canvas.unit
    radius = float(rng.uniform(0.25, 0.32)) * (0.86 if arched else 1.0)
    at_x = stage.center * wide + float(rng.uniform(-0.07, 0.07))
    foot = (stage.horizon + 0.42 * (stage.base - stage.horizon)) * high
    at_y = foot - radius - (float(rng.uniform(0.12, 0.2)) if arched else 0.0)
    side = -0.05 * stage.sun_x

    def outline(dx: float, dy: float, soft: float) -> np.ndarray:
        if not arched:
            return smoothstep(radius + soft, radius - soft, np.hypot(x - at_x - dx, y - at_y - dy))
        top = smoothstep(radius + soft, radius - soft, np.hypot(x - at_x - dx, np.minimum(y - at_y - dy, 0)))
        return top * smoothstep(foot + soft, foot - soft, y)

    canvas.shade(1 - 0.13 * outline(side, 0.01, 0.065))
    reach = np.hypot((x - at_x - 1.2 * side) / (0.75 * radius), (y - foot) / 0.035)
    canvas.shade(1 - 0.34 * np.exp(-(reach**2)))
    touch = np.hypot(np.maximum(np.abs(x - at_x) - (radius if arched else 0), 0) / (0.22 * radius), (y - foot) / 0.010)
    canvas.shade(1 - 0.45 * np.exp(-(touch**2)))
    shade = 1 + 0.16 * stage.sun_x * (x - at_x) / radius - 0.12 * (y - at_y) / radius
    canvas.over(colour * np.clip(shade, 0.7, 1.3)[..., None], outline(0, 0, 0.0045))


def _folds(canvas: StudioCanvas, x: np.ndarray) -> np.ndarray:
    """(height, width) light on hanging cloth."""
    lean = 0.10 * canvas.noise("hang", 4, 1.8)
    wave = np.sin(x * 17 + 9 * lean + 2) + 0.5 * np.sin(x * 29 + 14 * lean) + 0.25 * np.sin(x * 53 + 5)
    return (1 + 0.085 * wave + 0.02 * canvas.noise("weave", 60, 1.2)).astype(np.float32)


def _blocks(stage: Stage, rng: np.random.Generator, colour: np.ndarray, x: np.ndarray, y: np.ndarray) -> None:
    """A second colour on one side of the wall, its edge slanted and casting a thin shadow."""
    wide = stage.canvas.width / stage.canvas.unit
    slope = float(rng.uniform(-0.35, 0.35))
    edge = x - wide * float(rng.uniform(0.36, 0.64)) - slope * (y - 0.3)
    sign = 1.0 if stage.sun_x < 0 else -1.0
    stage.canvas.shade(1 - 0.20 * smoothstep(-0.05, 0.0, -edge * sign) * smoothstep(0.05, 0.0, -edge * sign))
    stage.canvas.over(
        0.55 * colour + 0.45 * stage.canvas.sheet(stage.canvas.colour(0)), smoothstep(-0.003, 0.003, edge * sign)
    )
