"""Staging: the scene of each plan, from the brief, the theme and the light on the product.

Belongs here: light, horizon and base line of a scene. Not here: plans (composition.py), themes' data (themes.yaml),
painting (backdrops/).
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from inference.ad_images.cutout import Cutout
from inference.ad_images.plan import Plan, Support
from inference.ad_images.request import AdBrief
from inference.ad_images.scene import PALETTE_PULL, LibraryPhoto, Light, Scene
from inference.ad_images.shadows import UNSURE, estimate_light
from inference.ad_images.themes import theme

LEAST_FLOOR = 0.12  # share of the height between horizon and the product's base


def light_on(cutout: Cutout, theme_name: str) -> Light:
    """The theme's light, from the side that the product is lit from: it is never relit, so the scene follows it."""
    own = theme(theme_name).light
    seen = estimate_light(cutout)
    return own if seen == UNSURE else replace(own, azimuth=seen.azimuth)


def base_line(brief: AdBrief) -> float | None:
    """Share of the height at which a standing product's base lies in this theme; None for what lies."""
    if brief.support is Support.LIES:
        return None
    low, high = theme(brief.theme).base_y
    return low + (high - low) * float(np.random.default_rng([brief.request.seed, 11]).uniform())


def stage(
    brief: AdBrief,
    plans: Sequence[Plan],
    caption: str,
    light: Light,
    *,
    palette: tuple[str, ...] = (),
    photo: LibraryPhoto | None = None,
    strength: float = 1.0,
    palette_pull: float = PALETTE_PULL,
) -> list[Scene]:
    """The scene of every plan; plans of one scene seed share everything, so that a backend draws them once."""
    return [
        Scene(
            theme=brief.theme,
            caption=caption,
            size=brief.request.size,
            seed=plan.scene_seed,
            view=brief.support,
            light=light,
            horizon=_horizon(brief, plan),
            palette=palette,
            photo=photo,
            strength=strength,
            palette_pull=palette_pull,
        )
        for plan in plans
    ]


def _horizon(brief: AdBrief, plan: Plan) -> float | None:
    if brief.support is Support.LIES:
        return None
    low, high = theme(brief.theme).horizon
    drawn = low + (high - low) * float(np.random.default_rng([plan.scene_seed, 5]).uniform())
    return min(drawn, plan.base_y - LEAST_FLOOR)
