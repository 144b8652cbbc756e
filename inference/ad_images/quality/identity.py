"""Identity: is the product in the picture the one that was placed, in its own outline, once.

Belongs here: kept pixels, growth beyond the mask, the edge, a second product. Not here: place and size (framing.py).
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from inference.ad_images.plan import Support
from inference.ad_images.quality.colour import dominant
from inference.ad_images.quality.view import Floats, Mask, View, grown, shrunk, strongest, to_lab

REACH = 0.12  # of the longer side: growth is looked for this far around the product
COLOURS = 6  # of a product
NEARER = 0.8  # distance to the product against distance to the surroundings
VISIBLE = 8.0  # ΔE from the surroundings below which no eye sees where the product ends
UNEXPECTED = 10  # levels between a pixel and its background
REPAINTED = 12.0  # median ΔE between what was placed and what a backend painted there, where it repainted the product
UNSHADED = 5  # levels by which a pixel in a known shadow may be lighter than that leaves it
AMBIENT = 0.12  # of the light under a shadow
EDGE_PIXELS = 1500  # of the outline that are looked at
LEAST_QUARTER = 40  # pixels of an outline that make a mean
SHARP = 0.3  # step over two pixels at the outer edge of a growth, as a share of its contrast; a shadow fades out


def product_identity(view: View) -> float:
    """Largest difference inside the eroded mask, levels of 255, at full size."""
    picture = view.picture
    left, top, right, bottom = picture.placed.box
    box = slice(top, bottom), slice(left, right)
    kept = picture.placed.kept[box]
    if not kept.any():
        return 0.0
    difference = np.abs(picture.pixels[box].astype(np.int16) - picture.placed.pixels[box][..., :3])
    return float(strongest(difference)[kept].max())


def object_expansion(view: View) -> float:
    """Growth of the product beyond its mask: area(out ∪ in - in) / area(in), %.

    Two ways, together. A pixel outside that is neither background, nor background in the product's shadow, nor a faint
    reflection is growth. And where a backend repainted the product, what continues it beyond the mask in the backend's
    own picture is.

    Source: E of yahoo/photo-background-generation (CVPRW 2024), area(m_out ∪ m_in) - area(m_in).
    """
    area = int(view.product.sum())
    if not area:
        return 0.0
    crop = _surroundings(view)
    grown_there = np.zeros(crop.alpha.shape, bool)
    if crop.shadow is not None:
        grown_there |= _left_over(crop, view.picture.placed.plan.support)
    if _was_repainted(crop):
        grown_there |= _continued(crop)
    return 100 * float(grown_there.sum()) / area


@dataclass(frozen=True)
class _Crop:
    """The product and its surroundings up to `reach` pixels, for what needs no whole canvas."""

    reach: int
    pixels: np.ndarray
    background: np.ndarray
    placed: np.ndarray
    shadow: np.ndarray | None

    @property
    def alpha(self) -> np.ndarray:
        return self.placed[..., 3]


def _surroundings(view: View) -> _Crop:
    left, top, right, bottom = view.box
    height, width = view.alpha.shape
    near = max(8, round(REACH * max(height, width)))
    part = slice(max(0, top - near), min(height, bottom + near)), slice(max(0, left - near), min(width, right + near))
    shadow = None if view.shadow is None else view.shadow[part]
    return _Crop(near, view.pixels[part], view.background[part], view.placed[part], shadow)


def _left_over(crop: _Crop, support: Support) -> Mask:
    """Growth that was painted over the background: what background, shadow and reflection leave unexplained."""
    product = crop.alpha > 0
    strange, unshaded = (mask & ~product for mask in _not_explained(crop))
    if support is Support.STANDS and (strange | unshaded).any():
        below = np.logical_or.accumulate(product, axis=0) & ~np.logical_or.accumulate(product[::-1], axis=0)[::-1]
        unshaded &= ~below  # a reflection lights what the shadow darkens
        if (strange & below).any():
            strange &= ~below | _like_product(crop, to_lab(crop.pixels), to_lab(crop.background))[0]
    return _connected(strange | unshaded, crop.alpha)


def _not_explained(crop: _Crop) -> tuple[Mask, Mask]:
    """Pixels that are not their background in the product's shadow.

    Returns:
        What is not the background with at most the shadow's light taken away; and what is lighter than the shadow
        leaves it, so that something lies on it, of whatever colour: light is taken away, of which the surroundings give
        back `AMBIENT` at most, and levels stand to light as its 2.2th root.
    """
    assert crop.shadow is not None
    seen, expected = (
        np.ascontiguousarray(np.moveaxis(layer, 2, 0), np.float32) for layer in (crop.pixels, crop.background)
    )
    difference = seen - expected  # channel by channel: sums over a last axis of three are slow
    strange = np.maximum(np.maximum(difference[0], difference[1]), difference[2]) > UNEXPECTED
    total, bright = seen[0] + seen[1] + seen[2], expected[0] + expected[1] + expected[2]
    strange |= total < bright * (1 - crop.shadow) - 3 * UNEXPECTED
    share = (total + 12) / (bright + 12)
    for channel in range(3):
        strange |= (share < 0.97) & (np.abs(seen[channel] - expected[channel] * share) > 2 * UNEXPECTED)
    left = 1 - (1 - AMBIENT) * crop.shadow
    unshaded = total > bright * left + 3 * UNSHADED  # the root is larger still: it is taken of these alone
    unshaded[unshaded] = total[unshaded] > bright[unshaded] * left[unshaded] ** np.float32(1 / 2.2) + 3 * UNSHADED
    return np.asarray(strange), np.asarray(unshaded)


def _connected(candidates: Mask, alpha: np.ndarray) -> Mask:
    """Candidates that hang together with the product and are no hair beside it."""
    whole = shrunk(grown(candidates | (alpha > 0), 1), 1)
    thick = grown(shrunk(whole, 1), 1) & candidates
    if not thick.any():
        return thick
    labels, _ = ndimage.label(thick | (alpha > 0))
    of_product = np.unique(labels[alpha > 0])
    return np.isin(labels, of_product[of_product > 0]) & thick


def _was_repainted(crop: _Crop) -> bool:
    """Whether the backend's picture shows the product under the mask, as inpainting backends do."""
    solid = crop.alpha == 255
    if solid.sum() < 16:
        return False
    at = np.flatnonzero(solid)[:: max(1, int(solid.sum()) // 4000)]
    there = to_lab(crop.background.reshape(-1, 3)[at])
    product = to_lab(crop.placed.reshape(-1, 4)[at, :3])
    return float(np.median(np.linalg.norm(there - product, axis=1))) < REPAINTED


def _continued(crop: _Crop) -> Mask:
    """Pixels outside the mask, in the backend's picture, that have the product's colours and not the surroundings'."""
    far = ~grown(crop.alpha > 0, crop.reach - 4)
    if not far.any():
        far[:2] = far[-2:] = far[:, :2] = far[:, -2:] = True
    lab = to_lab(crop.background)
    like, apart = _like_product(crop, lab, _nearest(lab, far))
    return _sharp_only(_connected(like & (crop.alpha < 128), crop.alpha), lab, apart)


def _like_product(crop: _Crop, lab: Floats, around: Floats) -> tuple[Mask, Floats]:
    """Pixels nearer to the product's edge beside them, or to one of its own colours, than to `around`; and how near.

    Returns:
        The mask, and (height, width) ΔE from `around`.
    """
    solid = shrunk(crop.alpha == 255, 2)
    if not solid.any():
        solid = crop.alpha >= 128
    away = np.linalg.norm(lab - around, axis=2)
    wanted = (away > VISIBLE) & (crop.alpha < 128)
    colours, _ = dominant(crop.placed[solid][:, :3], COLOURS)
    edge = _nearest(to_lab(crop.placed[..., :3]), solid)[wanted]
    pixels = lab[wanted]
    near = np.linalg.norm(pixels - edge, axis=1)
    near = np.minimum(near, np.linalg.norm(pixels[:, None] - colours, axis=2).min(axis=1))
    like = np.zeros(wanted.shape, bool)
    like[wanted] = near < NEARER * away[wanted]
    return like, away


def _nearest(values: Floats, where: Mask) -> Floats:
    """For every pixel the value of the nearest pixel of `where`."""
    rows, columns = ndimage.distance_transform_edt(~where, return_distances=False, return_indices=True)
    return np.asarray(values[rows, columns])


def _sharp_only(candidates: Mask, lab: Floats, apart: Floats) -> Mask:
    """Candidates whose outer edge is a step; a painted shadow fades and is dropped."""
    if not candidates.any():
        return candidates
    labels, count = ndimage.label(grown(candidates, 1))
    across, down = np.zeros(apart.shape, np.float32), np.zeros(apart.shape, np.float32)
    across[:, 1:-1] = np.linalg.norm(lab[:, 2:] - lab[:, :-2], axis=2)
    down[1:-1] = np.linalg.norm(lab[2:] - lab[:-2], axis=2)
    reference = ndimage.maximum_filter(np.where(candidates, apart, 0), 5)
    rim = grown(candidates, 1) & ~candidates
    steps = np.maximum(across, down) / np.maximum(reference, 1)
    strength = ndimage.mean(steps, np.where(rim, labels, 0), np.arange(count + 1))
    keep = np.nan_to_num(np.atleast_1d(strength)) > SHARP
    keep[0] = False
    return candidates & keep[labels]


def halo(view: View) -> float:
    """How far the edge lies, on average, from the mix of the product just inside and the background just outside, ΔE.

    A pixel of a clean edge lies on the line between the two colours, give or take the product's pattern, which cancels
    out along the outline. A rim of another colour, as an old background leaves it, does not. A darker edge is nearly
    always the product's own shade and counts a quarter; a tint counts half.

    Returns:
        The largest mean over the four quarters of the outline.
    """
    picture = view.picture
    left, top, right, bottom = picture.placed.box
    rows, columns = slice(max(0, top - 8), bottom + 8), slice(max(0, left - 8), right + 8)
    alpha = picture.placed.alpha[rows, columns]
    pixels = picture.pixels[rows, columns]
    visible = alpha > 16
    rim = grown(~visible, 1) & visible
    solid, clear = shrunk(alpha == 255, 2), ~grown(alpha > 0, 2)
    if not rim.any() or not solid.any() or not clear.any():
        return 0.0
    at = np.nonzero(rim)
    step = max(1, len(at[0]) // EDGE_PIXELS)
    at = (at[0][::step], at[1][::step])
    inside, outside = _nearest_to(pixels, solid, at), _nearest_to(pixels, clear, at)
    seen = to_lab(pixels[at])
    across = outside - inside
    share = ((seen - inside) * across).sum(axis=1) / np.maximum((across**2).sum(axis=1), 1e-6)
    away = seen - inside - np.clip(share, 0, 1)[:, None] * across
    quarter = 2 * (at[0] > alpha.shape[0] / 2) + (at[1] > alpha.shape[1] / 2)
    large = [number for number in range(4) if np.count_nonzero(quarter == number) >= LEAST_QUARTER]
    means = [away[quarter == number].mean(axis=0) for number in large] or [away.mean(axis=0)]
    return max(_seen(*mean) for mean in means)


def _seen(lightness: float, a: float, b: float) -> float:
    return float(np.hypot(lightness if lightness > 0 else lightness / 4, np.hypot(a, b) / 2))


def _nearest_to(pixels: np.ndarray, where: Mask, at: tuple[np.ndarray, ...]) -> Floats:
    """CIELAB of the nearest pixel of `where` for each of some positions: (positions, 3)."""
    from scipy.spatial import cKDTree

    border = where & grown(~where, 1)
    points = np.argwhere(border if border.any() else where)
    _, index = cKDTree(points).query(np.stack(at, axis=1))
    rows, columns = points[index].T
    return to_lab(pixels[rows, columns])
