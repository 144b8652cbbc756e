"""Small pictures whose measurements are known by construction."""

from dataclasses import replace

import numpy as np

from inference.ad_images.plan import Placed, Plan, Support
from inference.ad_images.scene import AdPicture, Light, Scene

SIDE = 256
RED = (190, 30, 40)


def plan(support: Support = Support.STANDS, **changes) -> Plan:
    usual = Plan(4, 1, 3, 0.0, 0.4, 0.5, 0.8, support, 7)
    return replace(usual, **changes)


def placed(left=96, top=100, right=160, bottom=200, colour=RED, support=Support.STANDS, side=SIDE, **changes) -> Placed:
    pixels = np.zeros((side, side, 4), np.uint8)
    pixels[max(0, top) : bottom, max(0, left) : right] = (*colour, 255)
    box = (max(0, left), max(0, top), min(side, right), min(side, bottom))
    return Placed(plan(support, **changes), pixels, box, "a" * 64)


def ground(wall=(150, 170, 180), floor=(200, 190, 170), horizon=0.55, side=SIDE) -> np.ndarray:
    background = np.empty((side, side, 3), np.uint8)
    background[:] = floor
    background[: round(horizon * side)] = wall
    return background


def soft_shadow(product: Placed, drift: int = 0, darkness: float = 0.5) -> np.ndarray:
    """A band under the foot, drawn out to one side by `drift` pixels."""
    left, _, right, bottom = product.box
    shadow = np.zeros(product.alpha.shape, np.float32)
    shadow[bottom - 6 : bottom + 5, min(left, left + drift) : max(right, right + drift)] = darkness
    return shadow


def picture(product=None, background=None, shadow=None, light=None, shadow_is_known=True, horizon=0.55) -> AdPicture:
    product = placed() if product is None else product
    background = ground() if background is None else background
    shadow = soft_shadow(product) if shadow is None else shadow
    shaded = np.rint(background * (1 - shadow[..., None])).astype(np.uint8)
    alpha = product.alpha[..., None].astype(float) / 255
    pixels = np.rint(product.pixels[..., :3] + (1 - alpha) * shaded).astype(np.uint8)
    support = product.plan.support
    height, width = product.alpha.shape
    scene = Scene("plain", "", (width, height), 1, support, light or Light(135.0, 45.0, 0.3), horizon)
    return AdPicture(pixels, background, shadow if shadow_is_known else None, product, scene)


def lying(**changes) -> Placed:
    return placed(support=Support.LIES, **changes)
