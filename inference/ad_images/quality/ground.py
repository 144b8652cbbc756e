"""Ground: does the product stand or lie in its scene: contact shadow, side of the shadow, horizon.

Belongs here: what ties product and background together. Not here: drawing shadows (../shadows.py), which these
measurements never read: they compare the picture with its background.
"""

import math

import numpy as np
from scipy import ndimage

from inference.ad_images.plan import Support
from inference.ad_images.quality.view import Floats, Mask, View, grown

FOOT = 0.03  # of the picture's height: rows over the product's lowest that count as its foot
CONTACT = 0.012  # of the longer side: how far from the product a contact shadow is looked for
CAST = 0.16  # of the longer side: how far a cast shadow is followed
FAINT = 0.03  # darkness that is no shadow
LEAST_SHADOW = 0.004  # of the frame, darkness times area: less has no direction
OVERHEAD = 75.0  # degrees of elevation from which a shadow has no side
OVERCAST = 0.85  # softness from which it has none
STRIPS = 12  # vertical strips in which a horizon is looked for
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

    Of something that stands, only left and right can be told.

    Returns:
        None where the light has no side (high, overcast, from behind) or the shadow is too faint.
    """
    light = view.picture.scene.light
    if light.elevation >= OVERHEAD or light.softness >= OVERCAST:
        return None
    away = -math.cos(math.radians(light.azimuth)), math.sin(math.radians(light.azimuth))  # y grows downwards
    standing = view.picture.placed.plan.support is Support.STANDS
    if standing and abs(away[0]) < 0.35:
        return None
    weight = _cast(view, standing)
    if weight.sum() < LEAST_SHADOW * weight.size:
        return None
    across, down = _direction(view, weight, standing)
    length = math.hypot(across, 0.0 if standing else down)
    if length < 1e-3:
        return 0.0
    if standing:
        return float(np.sign(across) * np.sign(away[0]) * min(1.0, abs(across) / 0.1))
    return (across * away[0] + down * away[1]) / length


def _cast(view: View, standing: bool) -> Floats:
    """Darkness around the product that counts as its shadow."""
    product = view.alpha > 0
    side = max(product.shape)
    near = grown(product, max(4, round(CAST * side))) & ~product
    darkness = np.where(near & (_darkness(view) > FAINT), _darkness(view), np.float32(0))
    if standing:  # on the ground: from a little over the foot downwards, and as far behind as a floor reaches
        darkness[: max(0, view.box[3] - round(0.25 * side))] = 0
    return darkness.astype(np.float32)


def _direction(view: View, weight: Floats, standing: bool) -> tuple[float, float]:
    """From the middle of what casts to the middle of the shadow, in product widths and heights; y downwards."""
    left, top, right, bottom = view.box
    rows, columns = np.nonzero(weight)
    total = float(weight.sum())
    x = float((weight[rows, columns] * columns).sum()) / total
    y = float((weight[rows, columns] * rows).sum()) / total
    across, down = max(1, right - left), max(1, bottom - top)
    if standing:
        foot = np.flatnonzero(view.product[max(0, bottom - max(2, round(0.04 * len(weight)))) : bottom].any(axis=0))
        middle = (foot[0] + foot[-1]) / 2 if len(foot) else (left + right) / 2
        return (x - float(middle)) / across, 0.0
    middle_y, middle_x = ndimage.center_of_mass(view.product) if view.product.any() else (0.0, 0.0)
    scale = max(across, down)
    return (x - middle_x) / scale, (y - middle_y) / scale


def _darkness(view: View) -> Floats:
    """Light missing against the bare background; where a backend painted its own shadow, against the ground around it."""
    if view.picture.shadow is not None:
        return view.darkness
    product = grown(view.alpha > 0, 1)
    ground = _without(view.light, product)
    missing = 1.0 - (view.light + 0.01) / (ground + 0.01)
    return np.where(view.alpha > 0, np.float32(0), np.clip(missing, 0, 1)).astype(np.float32)


def _without(light: Floats, product: Mask) -> Floats:
    """What the ground would be without a shadow: per row, the upper quartile of the light beside the product."""
    rows = np.where(product, np.float32(np.nan), light)
    empty = np.isnan(rows).all(axis=1)
    rows[empty] = light[empty]
    return np.asarray(np.nanquantile(rows[:, ::4], 0.6, axis=1, keepdims=True), np.float32)


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
    """Row of the strongest level step in each strip near the scene's horizon, and its strength in levels per pixel."""
    height, width = view.alpha.shape
    luma = view.background.astype(np.float32).mean(axis=2)
    cut = luma[:, : width - width % STRIPS].reshape(height, STRIPS, -1)
    profile = ndimage.uniform_filter1d(cut.mean(axis=2), 3, axis=0)
    step = np.abs(profile[2:] - profile[:-2]) / 2
    expected = view.picture.scene.horizon
    if expected is not None:
        away = np.abs(np.arange(1, height - 1) / height - expected)
        step = step * np.where(away < 0.2, 1.0, 0.0)[:, None]
    rows = step.argmax(axis=0)
    return (rows + 1).astype(np.float32), step[rows, np.arange(STRIPS)].astype(np.float32)
