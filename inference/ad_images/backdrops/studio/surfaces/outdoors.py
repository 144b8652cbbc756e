"""Outdoors from above: street, beach, forest, snow.

Belongs here: what each is composed of. Not here: how any of it is drawn.
"""

import numpy as np

from inference.ad_images.backdrops.studio.canvas import Box, StudioCanvas
from inference.ad_images.backdrops.studio.surfaces.ground import Covering, between, cover, light_up, shifted
from inference.ad_images.scene import Scene

ASPHALT = Covering("asphalt", 0.26, 0.34, 0.9, level=0.42)
CONCRETE = Covering("concrete", 0.26, 0.14)
SAND = Covering("sand", 0.20, 0.11, 1.0)
SMOOTH_SAND = Covering("smooth_sand", 0.20, 0.11, 1.0)
MOSS = Covering("moss", 0.34, 0.26, 0.9)
EARTH = Covering("earth", 0.24, 0.24, 1.0, level=0.4)
PLANKS = Covering("weathered_planks", 0.40, 0.14, 0.9, level=0.6)
SNOW = Covering("snow", 0.12, 0.05, 0.9)


def street(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    rng = canvas.stream("kind")
    if rng.random() < 0.5:
        cover(canvas, CONCRETE, shifted(canvas.colour(1), 0.06, 0.8))
    else:
        cover(canvas, ASPHALT, shifted(canvas.colour(1), -0.10, 0.8))
    light_up(canvas)


def beach(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    rng = canvas.stream("kind")
    cover(canvas, SAND if rng.random() < 0.6 else SMOOTH_SAND, shifted(canvas.colour(1), 0.02, 0.9))
    light_up(canvas)


def forest(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    rng = canvas.stream("kind")
    draw = rng.random()
    if draw < 0.4:
        cover(canvas, MOSS, between(np.array([0.13, 0.17, 0.035]), canvas.colour(1), 0.3))
    elif draw < 0.6:
        cover(canvas, EARTH, shifted(canvas.colour(1), -0.04, 0.8))
    else:
        cover(canvas, PLANKS, between(np.array([0.36, 0.33, 0.30]), canvas.colour(1), 0.25))
    light_up(canvas)


def snow(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    cover(canvas, SNOW, shifted(canvas.colour(1), -0.02))
    light_up(canvas, 0.92)
