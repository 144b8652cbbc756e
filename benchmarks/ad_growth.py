"""Planted growth: a product that a backend painted larger than it was placed.

Belongs here: the lobe, the larger product, the pushed outline. Not here: the other faults (ad_faults.py), finding any.
"""
# ruff: noqa: ARG001 - planters of one table share a signature

import math
from dataclasses import replace

import numpy as np

from benchmarks.ad_pictures import SIDE, Parts, assemble, clean_parts, drawn, over, placed_at, shrunk_to
from inference.ad_images.scene import AdPicture


def expansion(number: int, seed: int, percent: float, rng: np.random.Generator) -> AdPicture:
    """Growth by `percent` of the product's area, three ways in turn: a lobe, the whole product larger, a wider rim."""
    parts = clean_parts(number, seed)
    way = seed % 3
    alpha = parts.placed.alpha
    area = float((alpha >= 128).sum())
    wanted = area * percent / 100
    layer = (_lobe, _larger, _wider)[way](number, parts, wanted, rng)
    painted = over(parts.background, layer).astype(float)
    if way < 2:  # a backend's own picture: the product is painted there, too, with the noise of its encoder
        painted = over(painted, parts.placed.pixels) + rng.normal(0, 2.0, (SIDE, SIDE, 1)) * (layer[..., 3:] > 0)
        return assemble(replace(parts, background=np.clip(painted, 0, 255)), shadow_is_known=seed % 2 == 0)
    shadowed = over(parts.background * (1 - parts.shadow[..., None]), layer)
    return assemble(parts, over(shadowed, parts.placed.pixels))


def _edge_point(alpha: np.ndarray, rng: np.random.Generator) -> tuple[int, int]:
    solid = alpha >= 128
    inner = solid[1:-1, 1:-1] & ~(solid[2:, 1:-1] & solid[:-2, 1:-1] & solid[1:-1, 2:] & solid[1:-1, :-2])
    rows, columns = np.nonzero(inner)
    at = int(rng.integers(len(rows)))
    return int(rows[at]) + 1, int(columns[at]) + 1


def _lobe(number: int, parts: Parts, wanted: float, rng: np.random.Generator) -> np.ndarray:
    """A round lump of the cloth at a point of the outline, grown until it adds the wanted area."""
    alpha = parts.placed.alpha
    row, column = _edge_point(alpha, rng)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    distance = np.hypot(rows - row, columns - column)
    outside = alpha < 128
    order = np.sort(distance[outside])
    radius = order[min(len(order) - 1, int(wanted))]
    lump = distance <= radius
    near = (alpha == 255) & (distance < radius + 8)
    near = near if near.any() else alpha == 255
    cloth = np.median(parts.placed.pixels[near][:, :3].astype(float), axis=0)
    layer = np.zeros((SIDE, SIDE, 4), np.uint8)
    layer[lump] = (*np.clip(cloth, 0, 255), 255)
    return layer


def _larger(number: int, parts: Parts, wanted: float, rng: np.random.Generator) -> np.ndarray:
    """The same product, larger, about the same middle."""
    left, top, right, bottom = parts.placed.box
    low, high = 1.0, 2.0
    layer = parts.placed.pixels
    for _ in range(12):
        factor = (low + high) / 2
        pixels = shrunk_to(drawn(number), round(max(right - left, bottom - top) * factor))
        x, y = (left + right - pixels.shape[1]) // 2, (top + bottom - pixels.shape[0]) // 2
        layer = placed_at(pixels, x, y, parts.placed.plan.support, 0, 1.0).pixels
        added = float(((layer[..., 3] >= 128) & (parts.placed.alpha < 128)).sum())
        low, high = (factor, high) if added < wanted else (low, factor)
    return layer


def _wider(number: int, parts: Parts, wanted: float, rng: np.random.Generator) -> np.ndarray:
    """The outline pushed outwards on one side, in the colour of the edge beside it."""
    alpha = parts.placed.alpha
    angle = float(rng.uniform(0, 2 * math.pi))
    layer = np.zeros((SIDE, SIDE, 4), np.uint8)
    source = parts.placed.pixels.copy()
    source[alpha < 255] = 0
    for distance in range(1, 60):
        shifted = np.roll(source, (round(math.sin(angle) * distance), round(math.cos(angle) * distance)), (0, 1))
        layer = np.where(layer[..., 3:] > 0, layer, shifted)
        if ((layer[..., 3] >= 128) & (alpha < 128)).sum() >= wanted:
            break
    return layer
