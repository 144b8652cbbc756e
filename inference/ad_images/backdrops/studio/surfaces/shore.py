"""Shore: the edge of the sea that runs up a beach, seen from above.

Belongs here: wet sand, foam and shallow water over a corner of the canvas. Not here: sand (textures.py), shells
(finds.py).
"""

import numpy as np

from inference.ad_images.backdrops.studio.canvas import Box, StudioCanvas
from inference.ad_images.backdrops.studio.fields import smoothstep
from inference.ad_images.backdrops.studio.surfaces.placing import Spot

FOAM = np.array([0.86, 0.90, 0.91], np.float32)
LEAST = 0.26  # from the corner, shares of the shorter side: less shows foam and no water


def run_up(canvas: StudioCanvas, clear: Box, spot: Spot, water: np.ndarray) -> bool:
    """A wave's last run over the sand in a corner; its wet sand stays clear of the product's box.

    Returns:
        whether there was room for it.
    """
    rng = canvas.stream("shore")
    turn = np.deg2rad(spot.inward + rng.uniform(-14, 14))
    along = np.array([np.cos(turn), np.sin(turn)])
    box = np.array([value / canvas.unit for value in clear]).reshape(2, 2)
    nearest = min((np.array([x, y]) - (spot.x, spot.y)) @ along for x in box[:, 0] for y in box[:, 1])
    edge = np.float32(min(nearest - 0.15, 0.40))
    if edge < LEAST:
        return False
    rows, columns = canvas.grid()
    x = columns * np.float32(canvas.width / canvas.unit) - np.float32(spot.x)
    y = rows * np.float32(canvas.height / canvas.unit) - np.float32(spot.y)
    lobes, ragged = canvas.noise("lobes", 3.2, 2.0), canvas.noise("ragged", 60, 1.3)
    depth = (
        edge
        + 0.030 * lobes
        + 0.011 * canvas.noise("scallops", 9, 1.8)
        + 0.0035 * ragged
        - (x * np.float32(along[0]) + y * np.float32(along[1]))
    )
    wet = smoothstep(-0.075, -0.03, depth + 0.012 * canvas.noise("wet", 9, 1.7))
    canvas.shade(1 - wet[..., None] * np.array([0.34, 0.31, 0.25], np.float32))
    deep = smoothstep(0.0, 0.30, depth)
    cover = smoothstep(-0.002, 0.004, depth) * (0.34 + 0.60 * deep)
    ripples = 1 + 0.09 * canvas.noise("ripples", 26, 1.2) + 0.05 * canvas.noise("glints", 80, 0.8)
    canvas.over(water * ripples[..., None], cover)
    _foam(canvas, depth)
    return True


def _foam(canvas: StudioCanvas, depth: np.ndarray) -> None:
    """A bright rim of bubbles, then lace that thins towards the sea."""
    cells, lace = canvas.noise("cells", 34, 1.0), canvas.noise("lace", 14, 1.5)
    rim = smoothstep(-0.002, 0.003, depth) * smoothstep(0.034, 0.006, depth + 0.010 * cells + 0.010 * lace)
    threads = (
        smoothstep(0.42, 0.05, np.abs(lace + 0.35 * cells))
        * smoothstep(0.0, 0.02, depth)
        * smoothstep(0.28, 0.04, depth)
    )
    amount = np.clip(0.92 * rim + 0.68 * threads, 0, 0.95)
    bubbles = 1 - 0.10 * np.clip(canvas.noise("bubbles", 220, 0.4), -1, 1.5)
    shadow = smoothstep(-0.012, 0.0, depth) * smoothstep(0.004, -0.001, depth)
    canvas.shade(1 - 0.30 * shadow)
    canvas.over(FOAM * bubbles[..., None], amount)
