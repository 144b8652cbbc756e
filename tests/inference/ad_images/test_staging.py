"""Staging: scenes agree with the plan that stands in them."""

import numpy as np
import pytest

from inference.ad_images.composition import plans_for
from inference.ad_images.cutout import Cutout
from inference.ad_images.plan import Support
from inference.ad_images.request import AdBrief, AdRequest
from inference.ad_images.staging import LEAST_FLOOR, base_line, light_on, stage
from inference.ad_images.themes import theme, theme_names


def a_cutout(side: float = 0.0) -> Cutout:
    """A grey ball, brighter towards one side of the picture (-1 left, 1 right)."""
    y, x = np.mgrid[-1:1:96j, -1:1:96j]
    inside = x**2 + y**2 < 0.95
    shade = np.clip(130 + 90 * side * x - 30 * y, 0, 255) * inside
    pixels = np.dstack([shade, shade, shade, 255 * inside]).astype(np.uint8)
    return Cutout(pixels, "0" * 64, "border", 0.99)


def a_brief(support: Support, theme_name: str, seed: int = 0) -> AdBrief:
    return AdBrief(AdRequest("r", b"x", seed=seed), "a bag", theme_name, support, 30.0)


@pytest.mark.parametrize("name", theme_names())
def test_what_stands_has_floor_between_its_base_and_the_horizon(name: str) -> None:
    for seed in range(8):
        brief = a_brief(Support.STANDS, name, seed)
        plans = plans_for(brief, a_cutout(), base_y=base_line(brief))
        for plan, scene in zip(plans, stage(brief, plans, "a bag", theme(name).light), strict=True):
            assert scene.horizon is not None
            assert plan.base_y - scene.horizon >= LEAST_FLOOR - 1e-9


def test_what_lies_has_no_horizon_and_no_base_line() -> None:
    brief = a_brief(Support.LIES, "beach")
    assert base_line(brief) is None
    plans = plans_for(brief, a_cutout())
    assert {scene.horizon for scene in stage(brief, plans, "a bag", theme("beach").light)} == {None}


def test_plans_of_one_seed_share_their_scene() -> None:
    brief = a_brief(Support.STANDS, "street")
    plans = plans_for(brief, a_cutout(), base_y=0.8)
    scenes = stage(brief, plans, "a bag", theme("street").light)
    by_seed = {plan.scene_seed: scene for plan, scene in zip(plans, scenes, strict=True)}
    assert all(by_seed[plan.scene_seed] == scene for plan, scene in zip(plans, scenes, strict=True))
    assert len(by_seed) == 3


def test_the_scene_is_lit_from_the_side_that_the_product_is_lit_from() -> None:
    left, right = light_on(a_cutout(-1.0), "studio"), light_on(a_cutout(1.0), "studio")
    assert left.azimuth > 90 > right.azimuth
    assert left.elevation == right.elevation == theme("studio").light.elevation
