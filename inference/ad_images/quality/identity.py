"""Identity: is the product in the picture the one that was placed, in its own outline, once.

Belongs here: kept pixels, growth beyond the mask, the edge, a second product. Not here: place and size (framing.py).
"""

import numpy as np
from scipy import ndimage

from inference.ad_images.quality.view import Floats, Mask, View, grown, shrunk, to_lab

REACH = 0.12  # of the longer side: growth is looked for this far around the product
LIKE_PRODUCT = 0.55  # share of product colour in a pixel between background and product
VISIBLE = 9.0  # ΔE between product and background below which no eye sees where one ends
UNEXPECTED = 10  # levels between a pixel and background under its shadow
REPAINTED = 12.0  # median ΔE between what was placed and what a backend painted there, where it repainted the product
EDGE_PIXELS = 1500  # of the outline that are looked at
LEAST_QUARTER = 40  # pixels of an outline that make a mean
SHARP = 0.25  # step at the outer edge of a growth, as a share of product against background; a shadow fades out


def product_identity(view: View) -> float:
    """Largest difference inside the eroded mask, levels of 255, at full size."""
    picture = view.picture
    kept = picture.placed.kept
    if not kept.any():
        return 0.0
    difference = np.abs(picture.pixels[kept].astype(np.int16) - picture.placed.pixels[kept][:, :3])
    return float(difference.max())


def object_expansion(view: View) -> float:
    """Growth of the product beyond its mask: area(out ∪ in - in) / area(in), %.

    Two ways, the larger counts. A pixel outside that is neither background nor background under its shadow is growth.
    And where a backend repainted the product, what continues it beyond the mask in the backend's own picture is.

    Source: E of yahoo/photo-background-generation (CVPRW 2024), area(m_out ∪ m_in) - area(m_in).
    """
    area = int(view.product.sum())
    if not area:
        return 0.0
    inner = _surroundings(view)
    shape = inner.alpha
    clear = shape == 0
    expected = inner.background.astype(np.float32)
    if view.picture.shadow is None:
        left_over = np.zeros(shape.shape, bool)
    else:
        left_over = clear & _not_explained(inner.pixels, expected)
    grown_there = _connected(left_over, shape)
    if _was_repainted(inner):
        grown_there |= _continued(inner)
    return 100 * float(grown_there.sum()) / area


class _Crop:
    """The product and its surroundings, for what needs no whole canvas."""

    def __init__(self, view: View, rows: slice, columns: slice) -> None:
        self.pixels = view.pixels[rows, columns]
        self.background = view.background[rows, columns]
        self.placed = view.placed[rows, columns]
        self.alpha = self.placed[..., 3]


def _surroundings(view: View) -> _Crop:
    left, top, right, bottom = view.box
    height, width = view.alpha.shape
    near = max(4, round(REACH * max(height, width)))
    rows = slice(max(0, top - near), min(height, bottom + near))
    columns = slice(max(0, left - near), min(width, right + near))
    return _Crop(view, rows, columns)


def _not_explained(pixels: np.ndarray, expected: Floats) -> Mask:
    """Pixels that are not their background, nor that background with less light (a shadow takes all channels down)."""
    seen = pixels.astype(np.float32)
    brighter = (seen - expected).max(axis=2) > UNEXPECTED
    share = (seen + 4).sum(axis=2) / (expected + 4).sum(axis=2)
    tint = np.abs(seen - expected * share[..., None]).max(axis=2)
    return np.asarray(brighter | ((share < 0.97) & (tint > 2 * UNEXPECTED)))


def _connected(candidates: Mask, alpha: np.ndarray) -> Mask:
    """Candidates that hang together with the product and are more than a rim of one pixel."""
    solid = shrunk(grown(candidates | (alpha > 0), 1), 1)
    thick = grown(shrunk(solid, 1), 1) & candidates
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
    step = max(1, int(solid.sum()) // 4000)
    there = to_lab(crop.background[solid][::step])
    product = to_lab(crop.placed[solid][::step, :3])
    return float(np.median(np.linalg.norm(there - product, axis=1))) < REPAINTED


def _continued(crop: _Crop) -> Mask:
    """Pixels outside the mask, in the backend's picture, that are nearer to the product's edge than to its surroundings."""
    solid = shrunk(crop.alpha == 255, 2)
    outer = np.ones(solid.shape, bool)
    outer[2:-2, 2:-2] = False
    reference = ~grown(crop.alpha > 0, max(4, min(solid.shape) // 10))
    if not solid.any() or not (reference | outer).any():
        return np.zeros(solid.shape, bool)
    lab = to_lab(crop.background)
    product = _nearest(to_lab(crop.placed[..., :3]), solid)
    around = _nearest(lab, reference if reference.any() else outer)
    across = product - around
    apart = np.linalg.norm(across, axis=2)
    share = ((lab - around) * across).sum(axis=2) / np.maximum(apart, 1) ** 2
    like = (share > LIKE_PRODUCT) & (apart > VISIBLE) & (crop.alpha == 0)
    return _sharp_only(_connected(like, crop.alpha), lab, apart)


def _nearest(values: Floats, where: Mask) -> Floats:
    """For every pixel the value of the nearest pixel of `where`."""
    rows, columns = ndimage.distance_transform_edt(~where, return_distances=False, return_indices=True)
    return np.asarray(values[rows, columns])


def _sharp_only(candidates: Mask, lab: Floats, apart: Floats) -> Mask:
    """Candidates whose outer edge is a step; a painted shadow fades and is dropped."""
    if not candidates.any():
        return candidates
    labels, count = ndimage.label(grown(candidates, 1))
    lightness = ndimage.uniform_filter(lab, (3, 3, 1))
    step = np.linalg.norm(
        np.stack([ndimage.sobel(lightness[..., channel], 0) for channel in range(3)]), axis=0
    ) + np.linalg.norm(np.stack([ndimage.sobel(lightness[..., channel], 1) for channel in range(3)]), axis=0)
    rim = grown(candidates, 1) & ~candidates
    strength = ndimage.mean(step / np.maximum(apart, 1), np.where(rim, labels, 0), np.arange(count + 1))
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
