"""Framing: size, place and edges of the product on its canvas, and the rules of a main image.

Belongs here: what follows from the mask and the canvas. Not here: colours (colour.py), ground (ground.py).
"""

import numpy as np

from inference.ad_images.quality.view import View, weakest

PURE_WHITE = 254  # JPEG moves 255 by one level


def clipping(view: View) -> float:
    """Opaque product pixels on the canvas edge, % of the canvas edge."""
    alpha = view.picture.placed.alpha
    edge = np.concatenate([alpha[0], alpha[-1], alpha[1:-1, 0], alpha[1:-1, -1]])
    return 100 * float(np.mean(edge >= 128))


def frame_share(view: View) -> float:
    """The product's box against the canvas along the side that it fills most, %."""
    left, top, right, bottom = view.picture.placed.box
    return 100 * max((right - left) / view.width, (bottom - top) / view.height)


def thirds(view: View) -> float:
    """From the middle of the product to the nearest crossing of thirds, % of the canvas diagonal."""
    left, top, right, bottom = view.picture.placed.box
    x, y = (left + right) / 2, (top + bottom) / 2
    across = min(abs(x - view.width * third) for third in (1 / 3, 2 / 3))
    down = min(abs(y - view.height * third) for third in (1 / 3, 2 / 3))
    return 100 * float(np.hypot(across, down) / np.hypot(view.width, view.height))


def white_background(view: View) -> float:
    """Pure white pixels (254 or 255 in every channel) of all that are not product, %."""
    outside = view.picture.placed.alpha == 0
    if not outside.any():
        return 100.0
    return 100 * float(np.mean((weakest(view.picture.pixels) >= PURE_WHITE)[outside]))


def longer_side(view: View) -> float:
    """The canvas' longer side, px."""
    return float(max(view.width, view.height))
