"""Augmented views of a picture: view 0 is the picture, views 1, 2, … are the same variations every time they are
asked for.

Belongs here: what is varied and by how much. Not here: when a view is used (lora.py), where its features lie
(features.py).

Deterministic per (image, view), so that a view's features can be cached like any other. Never hue or saturation:
colour is one of the things the catalogue asks about. Never a vertical flip: garments hang one way up.
"""

import hashlib
import math
from dataclasses import replace

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from training.blip2.preprocessing import Picture, Preprocessing

FORMAT = 1  # part of the feature key: raise it whenever a view changes
MARGIN = 1.25
SCALE = (0.85, 1.12)
ROTATION_DEGREES = 8.0
SHIFT = 0.06
BRIGHTNESS = 0.10


def view_square(picture: Picture, preprocessing: Preprocessing, image_sha256: str, view: int) -> np.ndarray:
    """(size, size, 3) uint8 of one view; view 0 equals `preprocessing.square`."""
    if view == 0:
        return preprocessing.square(picture)
    seed = hashlib.sha256(f"{image_sha256}:{view}".encode()).digest()
    rng = np.random.default_rng(np.frombuffer(seed, dtype=np.uint64))
    # Resized to a little more than needed first: an affine transform alone would alias when it shrinks.
    larger = replace(preprocessing, size=source_size(preprocessing))
    source = larger.square(picture)
    border = np.median(np.concatenate([source[0], source[-1], source[:, 0], source[:, -1]]), axis=0)
    image = Image.fromarray(source).transform(
        (preprocessing.size, preprocessing.size),
        Image.Transform.AFFINE,
        _affine(rng, preprocessing.size, larger.size),
        Image.Resampling.BICUBIC,
        fillcolor=tuple(int(v) for v in border),
    )
    light = 1.0 + rng.uniform(-BRIGHTNESS, BRIGHTNESS)
    return np.clip(np.asarray(image, dtype=np.float32) * light + 0.5, 0, 255).astype(np.uint8)


def source_size(preprocessing: Preprocessing) -> int:
    """Side of the square that views are cut from, in pixels."""
    return round(preprocessing.size * MARGIN)


def random_views(squares: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """The same variations, drawn anew for every call and made for a whole batch at once: for training on pixels.

    Args:
        squares: (n, s, s, 3) uint8, s from `source_size`.

    Returns:
        (n, size, size, 3) uint8.
    """
    count = len(squares)

    def uniform(low: float, high: float) -> Tensor:
        return torch.rand(count, generator=generator) * (high - low) + low

    flip = torch.where(torch.rand(count, generator=generator) < 0.5, -1.0, 1.0)
    zoom, angle = 1 / uniform(*SCALE), torch.deg2rad(uniform(-ROTATION_DEGREES, ROTATION_DEGREES))
    cos, sin = zoom * torch.cos(angle), zoom * torch.sin(angle)
    # affine_grid measures in half sides, hence twice the shift.
    across = torch.stack([cos * flip, -sin, 2 * uniform(-SHIFT, SHIFT)], dim=1)
    down = torch.stack([sin * flip, cos, 2 * uniform(-SHIFT, SHIFT)], dim=1)
    grid = functional.affine_grid(torch.stack([across, down], dim=1), [count, 3, size, size], align_corners=False)
    moved = functional.grid_sample(
        squares.permute(0, 3, 1, 2).float(), grid, mode="bilinear", padding_mode="border", align_corners=False
    )
    light = 1 + uniform(-BRIGHTNESS, BRIGHTNESS)
    return (moved * light[:, None, None, None] + 0.5).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def _affine(rng: np.random.Generator, size: int, source_size: int) -> tuple[float, ...]:
    """Coefficients from output pixels to source pixels: flip, scale, rotation and shift about the centre."""
    flip = -1.0 if rng.random() < 0.5 else 1.0
    zoom = source_size / size / rng.uniform(*SCALE)
    angle = math.radians(rng.uniform(-ROTATION_DEGREES, ROTATION_DEGREES))
    shift = rng.uniform(-SHIFT, SHIFT, size=2) * source_size
    cos, sin = zoom * math.cos(angle), zoom * math.sin(angle)
    centre, source_centre = size / 2, source_size / 2
    a, b, d, e = cos * flip, -sin, sin * flip, cos
    return (
        a,
        b,
        source_centre + shift[0] - a * centre - b * centre,
        d,
        e,
        source_centre + shift[1] - d * centre - e * centre,
    )
