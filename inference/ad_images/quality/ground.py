"""Ground: does the product stand or lie in its scene: contact shadow, side of the shadow, horizon.

Belongs here: what ties product and background together. Not here: drawing shadows (../shadows.py), which these
measurements never read: they compare the picture with its background.
"""

import math

import numpy as np
from scipy import ndimage

from inference.ad_images.plan import Support
from inference.ad_images.quality.view import Floats, View, grown

FOOT = 0.03  # of the picture's height: rows over the product's lowest that count as its foot
CONTACT = 0.012  # of the longer side: how far from the product a contact shadow is looked for
CAST = 0.16  # of the longer side: how far a cast shadow is followed
BEHIND, FRONT = 0.2, 0.06  # of the longer side: rows above and below the foot on which a shadow falls
NEAR = 0.03  # of the longer side: distance to an outline within which darkness has a direction
FAINT = 0.03  # darkness that is no shadow, against the bare background
FAINT_IF_PAINTED = 0.1  # against what the ground is estimated to be
LEAST_SHADOW = 0.0008  # of the frame, darkness times area: less has no side
LEAST_LEANING = 0.012  # darkness that leans to one side, mean over the outline
LEAST_SIDE = 0.35  # of the light's direction that must be sideways
OVERHEAD = 75.0  # degrees of elevation from which a shadow has no side
OVERCAST = 0.85  # softness from which it has none
STRIPS = 12  # vertical strips in which a horizon is looked for
AS_ASKED = 0.08  # of the height around the scene's horizon
CLEAR_STEP = 3.0  # levels per pixel, mean of a strip, that count as a horizon


def contact_shadow(view: View) -> float | None:
    """How much darker the ground is where the product touches it, %: mean of the darker half.

    Something that stands touches with its foot; something that lies touches all along its outline.

    Returns:
        None where the product leaves no ground to be seen.
    """
    product = view.alpha > 0
    side = max(product.shape)
    reach = max(2, round(CONTACT * side))
    touching = product
    standing = view.picture.placed.plan.support is Support.STANDS
    if standing:
        touching = product.copy()
        bottom = view.box[3]
        touching[: max(0, bottom - max(2, round(FOOT * side)))] = False
    band = grown(touching, reach) & ~product
    if standing:
        band[: max(0, view.box[3] - max(2, round(FOOT * side)))] = False
    if band.sum() < 8:
        return None
    values = np.sort(_darkness(view)[band])
    return 100 * float(values[len(values) // 2 :].mean())


def shadow_side(view: View) -> float | None:
    """Cosine between the measured direction of the shadow and the one away from the light, -1 to 1.

    Of something that stands, only left and right can be told: then it is the balance of the shadow beside the foot,
    1 where all of it lies on the side away from the light, -1 where all of it lies towards the light.

    Returns:
        None where the light has no side (high, overcast, from behind) or the shadow is too faint.
    """
    light = view.picture.scene.light
    if light.elevation >= OVERHEAD or light.softness >= OVERCAST:
        return None
    across, down = -math.cos(math.radians(light.azimuth)), math.sin(math.radians(light.azimuth))  # y grows downwards
    if view.picture.placed.plan.support is Support.STANDS:
        balance = _beside_the_foot(view) if abs(across) >= LEAST_SIDE else None
        return None if balance is None else float(np.sign(across)) * balance
    measured = _around_the_outline(view)
    return None if measured is None else measured[0] * across + measured[1] * down


def _beside_the_foot(view: View) -> float | None:
    """Shadow to the right of the foot against that to its left, -1 to 1."""
    product = view.alpha > 0
    side = max(product.shape)
    bottom = view.box[3]
    foot = np.flatnonzero(product[max(0, bottom - max(2, round(FOOT * side))) : bottom].any(axis=0))
    if not len(foot):
        return None
    rows = slice(max(0, bottom - round(BEHIND * side)), min(product.shape[0], bottom + round(FRONT * side)))
    reach = round(CAST * side)
    darkness = _shadow_only(view)[rows]
    left = float(darkness[:, max(0, foot[0] - reach) : foot[0]].sum())
    right = float(darkness[:, foot[-1] + 1 : foot[-1] + 1 + reach].sum())
    if left + right < LEAST_SHADOW * product.size:
        return None
    return (right - left) / (right + left)


def _around_the_outline(view: View) -> tuple[float, float] | None:
    """Unit vector towards which the ground beside the outline is darkest, x to the right, y downwards.

    Darkness times the outward normal is summed: an even contact shadow cancels out whatever the outline.
    """
    alpha = np.asarray(view.alpha[::2, ::2], np.float32) / 255
    darkness = _shadow_only(view)[::2, ::2]
    width = max(3, round(NEAR * max(alpha.shape)) | 1)
    smooth = ndimage.uniform_filter(ndimage.uniform_filter(alpha, width), width)
    down, across = np.gradient(smooth)
    x, y = -float((across * darkness).sum()), -float((down * darkness).sum())
    outline = float(np.hypot(across, down)[alpha == 0].sum())
    length = math.hypot(x, y)
    if length < LEAST_LEANING * outline:
        return None
    return x / length, y / length


def _shadow_only(view: View) -> Floats:
    darkness = _darkness(view)
    faint = FAINT if view.picture.shadow is not None else FAINT_IF_PAINTED
    return np.where(darkness > faint, darkness, np.float32(0))


def _darkness(view: View) -> Floats:
    """Light missing against the bare background; where a backend painted the shadow, against the ground around."""
    if view.picture.shadow is not None:
        return view.darkness
    missing = 1.0 - (view.light + 0.01) / (_bare_ground(view) + 0.01)
    return np.where(view.alpha > 0, np.float32(0), np.clip(missing, 0, 1)).astype(np.float32)


def _bare_ground(view: View) -> Floats:
    """What the ground would be without a shadow: a quadratic through the light away from the product.

    Of something that stands, only what lies below the horizon is ground.
    """
    height, width = view.alpha.shape
    rows, columns = (grid / max(height, width) for grid in np.mgrid[:height, :width].astype(np.float32))
    side = max(height, width)
    away = ~grown(view.alpha > 0, round(0.5 * CAST * side))
    if view.picture.placed.plan.support is Support.STANDS:
        away[: min(height - 8, round(height * ((view.picture.scene.horizon or 0.0) + 0.02)))] = False
    at = np.flatnonzero(away)[:: max(1, int(away.sum()) // 2000)]
    if len(at) < 20:
        return view.light

    def terms(r: np.ndarray, c: np.ndarray) -> np.ndarray:
        return np.stack([np.ones_like(r), r, c, r * r, r * c, c * c], axis=-1)

    basis, light = terms(rows.ravel()[at], columns.ravel()[at]), view.light.ravel()[at]
    weights = np.linalg.lstsq(basis, light, rcond=None)[0]
    kept = np.abs(basis @ weights - light) <= np.quantile(np.abs(basis @ weights - light), 0.8)
    weights = np.linalg.lstsq(basis[kept], light[kept], rcond=None)[0]
    return np.asarray(np.maximum(terms(rows, columns) @ weights, 0.0), np.float32)


def horizon(view: View) -> float | None:
    """How far the foot of a standing product lies below the horizon, % of the height; negative where it floats above.

    The horizon is looked for in the background; where it shows none, the scene's own counts.
    """
    if view.picture.placed.plan.support is not Support.STANDS:
        return None
    rows, strength = _strip_rows(view)
    clear = strength >= CLEAR_STEP
    if clear.sum() >= STRIPS // 2:
        at = float(np.median(rows[clear])) / view.alpha.shape[0]
    elif view.picture.scene.horizon is not None:
        at = view.picture.scene.horizon
    else:
        return None
    return 100 * (view.picture.placed.box[3] / view.height - at)


def horizon_tilt(view: View) -> float | None:
    """Angle of the horizon in the background, degrees from level.

    Returns:
        None from above, and where no straight horizon is seen.
    """
    if view.picture.placed.plan.support is not Support.STANDS:
        return None
    rows, strength = _strip_rows(view)
    clear = strength >= CLEAR_STEP
    if clear.sum() < STRIPS // 2:
        return None
    height, width = view.alpha.shape
    x = (np.arange(STRIPS) + 0.5) * width / STRIPS
    first, second = np.triu_indices(int(clear.sum()), 1)
    across, down = x[clear][second] - x[clear][first], rows[clear][second] - rows[clear][first]
    slope = float(np.median(down / across))
    off = np.abs(rows[clear] - np.median(rows[clear] - slope * x[clear]) - slope * x[clear])
    if float(np.median(off)) > 0.012 * height:
        return None  # no line: each strip saw something else
    return abs(math.degrees(math.atan(slope)))


def _strip_rows(view: View) -> tuple[Floats, Floats]:
    """Row of the strongest level step in each strip, and its strength in levels per pixel.

    Where the scene says a horizon and half of the strips see a step there, that one is meant, not a stronger shelf.
    """
    luma = view.background[:, ::2] @ np.array([0.2126, 0.7152, 0.0722], np.float32)
    height, width = luma.shape
    strips = luma[:, : width - width % STRIPS].reshape(height, STRIPS, -1).mean(axis=2)
    profile = ndimage.uniform_filter1d(strips, 3, axis=0)
    step = np.abs(profile[2:] - profile[:-2]) / 2
    expected = view.picture.scene.horizon
    if expected is not None:
        close = np.abs(np.arange(1, height - 1) / height - expected) < AS_ASKED
        if close.any() and np.count_nonzero(step[close].max(axis=0) >= CLEAR_STEP) >= STRIPS // 2:
            step = step * close[:, None]
    rows = step.argmax(axis=0)
    return (rows + 1).astype(np.float32), step[rows, np.arange(STRIPS)].astype(np.float32)
