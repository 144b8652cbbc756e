"""Placed products of simple shapes, for the tests of backgrounds and shadows."""

import numpy as np

from inference.ad_images.plan import Placed, Plan, Support
from inference.ad_images.scene import Light, Scene


def placed_block(
    size: tuple[int, int] = (256, 256),
    support: Support = Support.STANDS,
    box: tuple[float, float, float, float] = (0.4, 0.45, 0.6, 0.8),
    colour: tuple[int, int, int] = (180, 60, 50),
) -> Placed:
    """An opaque rectangle; `box` is left, top, right, bottom in shares of the canvas."""
    width, height = size
    left, right = round(box[0] * width), round(box[2] * width)
    top, bottom = round(box[1] * height), round(box[3] * height)
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[top:bottom, left:right] = (*colour, 255)
    plan = Plan(0, 1, 3, 0.0, box[3] - box[1], (box[0] + box[2]) / 2, box[3], support, 1)
    return Placed(plan, pixels, (left, top, right, bottom), "block")


USUAL = Light()


def scene_of(
    theme: str = "studio",
    size: tuple[int, int] = (256, 256),
    seed: int = 1,
    view: Support = Support.STANDS,
    light: Light = USUAL,
    palette: tuple[str, ...] = (),
) -> Scene:
    """A scene whose horizon is a little above the middle of the floor that `placed_block` stands on."""
    return Scene(theme, "", size, seed, view, light, 0.55 if view is Support.STANDS else None, palette)
