"""Indoors from above: studio, living room, kitchen, desk, bedroom, gym.

Belongs here: what each is composed of. Not here: how any of it is drawn.
"""

import numpy as np

from inference.ad_images.backdrops.studio.canvas import Box, StudioCanvas
from inference.ad_images.backdrops.studio.surfaces import gobos
from inference.ad_images.backdrops.studio.surfaces.ground import Covering, between, cover, light_up, shifted
from inference.ad_images.scene import Scene

PAPER = Covering("paper", 0.10, 0.08, 0.8)
PLASTER = Covering("plaster", 0.16, 0.10, 0.8)
LINEN = Covering("linen", 0.16, 0.10, 0.8, (0, 1))
FINE_LINEN = Covering("fine_linen", 0.12, 0.08, 0.8, (0, 1))
OAK = Covering("oak_floor", 0.40, 0.13, 1.0, level=0.62)
BUTCHER_BLOCK = Covering("butcher_block", 0.34, 0.14, level=0.6)
WALNUT = Covering("table_wood", 0.26, 0.14, level=0.55)
MARBLE = Covering("marble", 0.42, 0.035, level=0.86)
SHEETS = Covering("sheets", 0.10, 0.05, 0.8)
WOOL = Covering("wool", 0.24, 0.14, 0.9)
FELT = Covering("felt", 0.16, 0.12, 0.8)
RUBBER = Covering("rubber", 0.14, 0.45, 0.8, level=0.25)
MAT = Covering("ribbed_mat", 0.16, 0.12, 0.7)


def pick(rng: np.random.Generator, **weights: float) -> str:
    """One of the names, by weight."""
    names = list(weights)
    share = np.array(list(weights.values()))
    return names[int(rng.choice(len(names), p=share / share.sum()))]


def studio(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    """Coloured paper, one sheet or two; plaster; linen."""
    rng = canvas.stream("kind")
    kind = pick(rng, paper=0.3, two_papers=0.3, plaster=0.2, linen=0.2)
    colour = canvas.colour(int(rng.integers(2)))
    cover(canvas, {"plaster": PLASTER, "linen": LINEN}.get(kind, PAPER), colour)
    light_up(canvas)
    _gobo(canvas, clear, rng, foliage=0.5, window=0.25, none=0.25)


def living_room(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    rng = canvas.stream("kind")
    if rng.random() < 0.68:
        cover(canvas, OAK, shifted(canvas.colour(1), float(rng.uniform(-0.02, 0.07)), 0.85))
    else:
        cover(canvas, WOOL, between(canvas.colour(0), canvas.colour(1), 0.15))
    light_up(canvas)
    _gobo(canvas, clear, rng, foliage=0.3, window=0.4, none=0.3)


def kitchen(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    rng = canvas.stream("kind")
    if rng.random() < 0.6:
        cover(canvas, MARBLE, shifted(canvas.colour(0), 0.06, 0.35))
    else:
        cover(canvas, BUTCHER_BLOCK, between(np.array([0.55, 0.32, 0.15]), canvas.colour(1), 0.25))
    light_up(canvas)
    _gobo(canvas, clear, rng, foliage=0.3, window=0.35, none=0.35)


def desk(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    rng = canvas.stream("kind")
    if rng.random() < 0.6:
        cover(canvas, WALNUT, canvas.colour(1))
    else:
        cover(canvas, FELT, canvas.colour(0))
    light_up(canvas)
    _gobo(canvas, clear, rng, foliage=0.2, blinds=0.35, window=0.15, none=0.3)


def bedroom(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    rng = canvas.stream("kind")
    cover(canvas, SHEETS, shifted(canvas.colour(0), 0.03, 0.7))
    light_up(canvas)
    _gobo(canvas, clear, rng, foliage=0.35, window=0.3, none=0.35)


def gym(canvas: StudioCanvas, scene: Scene, clear: Box) -> None:
    rng = canvas.stream("kind")
    if rng.random() < 0.5:
        cover(canvas, RUBBER, shifted(canvas.colour(0), 0.04))
    else:
        cover(canvas, MAT, canvas.colour(1))
    light_up(canvas)


def _gobo(canvas: StudioCanvas, clear: Box, rng: np.random.Generator, **weights: float) -> None:
    """Throws one of the gobos, or none; none under an overcast sky either."""
    kind = pick(rng, **weights)
    if kind != "none" and canvas.light.softness < 0.75:
        gobos.throw(canvas, kind, clear, float(rng.uniform(0.30, 0.46)))
