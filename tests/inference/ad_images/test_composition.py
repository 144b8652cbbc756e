"""Composition: plans that fit their canvas, products resampled once."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inference.ad_images.composition import MARGIN, Grid, fitted, place, place_all, plans_for, ruled_size
from inference.ad_images.cutout import Cutout
from inference.ad_images.plan import Plan, Support
from inference.ad_images.refusal import AdRefused, RefusalCode
from tests.inference.ad_images.drawn_products import block, brief_of, cutout_of, drawn

SIZE = (512, 512)


def plan_of(**fields) -> Plan:
    fields = {"rotation": 0.0, "scale": 0.5, "center_x": 0.5, "base_y": 0.8, "support": Support.LIES, **fields}
    return Plan(number=0, section=1, sections=3, scene_seed=1, **fields)


def test_what_lies_is_turned_in_every_section():
    plans = plans_for(brief_of(Support.LIES, 70, SIZE), drawn(1))
    assert [plan.number for plan in plans] == list(range(9))
    assert [(plan.section, plan.rotation) for plan in plans] == [(s, r) for s in range(3) for r in (0.0, 15.0, -15.0)]
    assert all(plan.section / 3 <= plan.center_x <= (plan.section + 1) / 3 for plan in plans)
    assert len({plan.scene_seed for plan in plans}) == 3


def test_what_stands_keeps_its_ground_and_changes_its_scene():
    plans = plans_for(brief_of(Support.STANDS, 30, SIZE), drawn(1), base_y=0.7)
    assert {plan.rotation for plan in plans} == {0.0} and {plan.base_y for plan in plans} == {0.7}
    assert len({(plan.section, plan.scene_seed) for plan in plans}) == 9
    assert "not turned by 15°, which would take it off its ground" in plans[1].note and "turned" not in plans[0].note


def test_the_grid_is_configurable_and_its_seeds_follow_the_request():
    grid = Grid(sections=2, rotations=(0, 30))
    plans = plans_for(brief_of(Support.LIES), drawn(1), grid=grid)
    assert [(plan.section, plan.sections, plan.rotation) for plan in plans] == [
        (0, 2, 0.0), (0, 2, 30.0), (1, 2, 0.0), (1, 2, 30.0),
    ]  # fmt: skip
    again, other = (plans_for(brief_of(Support.LIES, seed=seed), drawn(1), grid=grid) for seed in (5, 6))
    assert plans == again and {p.scene_seed for p in plans}.isdisjoint({p.scene_seed for p in other})
    for bad in ({"sections": 0}, {"rotations": ()}, {"rotations": (120,)}, {"rotations": (float("nan"),)}):
        with pytest.raises(ValueError, match="a grid has"):
            Grid(**bad)


def test_larger_things_are_shown_larger_and_small_ones_not_at_true_size():
    shares = [ruled_size(brief_of(height_cm=height), block(40, 40)) for height in (3, 12, 35, 90, 180)]
    assert shares == sorted(shares) and shares[0] > 0.35 and shares[-1] < 0.8
    assert ruled_size(brief_of(height_cm=30), block(90, 30)) > ruled_size(brief_of(height_cm=30), block(30, 90))


def test_a_model_may_say_the_relative_size():
    brief, cutout = brief_of(Support.STANDS, 30, SIZE), block(30, 60)
    assert plans_for(brief, cutout, relative_size=lambda *_: 0.31)[3].scale == 0.31
    assert plans_for(brief, cutout, relative_size=lambda *_: None) == plans_for(brief, cutout)
    assert plans_for(brief, cutout, scale_factor=0.5)[3].scale == ruled_size(brief, cutout) / 2


def test_a_shift_moves_every_plan():
    brief, cutout = brief_of(Support.STANDS, 5, SIZE), block(30, 60)
    before, after = (plans_for(brief, cutout, shift=shift) for shift in (0.0, 0.05))
    assert np.allclose([b.center_x - a.center_x for a, b in zip(before, after, strict=True)], 0.05)


products = st.builds(
    lambda width, height: block(width, height), st.integers(3, 120), st.integers(3, 120)
)  # from a stick to a plate


@settings(max_examples=30)
@given(
    products,
    st.tuples(st.sampled_from((128, 200, 320)), st.sampled_from((128, 200, 320))),
    st.sampled_from(Support),
    st.floats(0.5, 400),
    st.floats(0.2, 3),
    st.none() | st.floats(0, 1),
    st.floats(-1, 1),
)
def test_every_product_lies_wholly_inside_its_canvas(cutout, size, support, height, factor, base_y, shift):
    grid = Grid(rotations=(0, -15))
    plans = plans_for(
        brief_of(support, height, size), cutout, grid=grid, scale_factor=factor, base_y=base_y, shift=shift
    )
    margin = MARGIN * min(size) - 2.5  # a box stands on whole pixels, and its edge fades out
    for plan, placed in zip(plans, place_all(cutout, plans, size), strict=True):
        left, top, right, bottom = placed.box
        assert margin <= left < right <= size[0] - margin and margin <= top < bottom <= size[1] - margin
        assert placed.plan == plan == fitted(plan, cutout, size), "what fits stays as it is"
        rows, columns = np.nonzero(placed.alpha)
        assert placed.box == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        assert (placed.pixels[..., :3] <= placed.pixels[..., 3:]).all()


def test_a_plan_that_would_clip_says_what_became_of_it():
    cutout = block(200, 100)
    moved = fitted(plan_of(center_x=0.1), cutout, SIZE)
    assert moved.center_x == pytest.approx(0.25 * 202 / 200 + MARGIN)
    assert moved.note == "moved from 0.100 to 0.302 of the width to fit"
    smaller = fitted(plan_of(scale=1.4, note="as asked"), cutout, SIZE)
    assert smaller.scale == pytest.approx(0.9 * 200 / 202, abs=1e-3) and smaller.note.startswith(
        "as asked; made smaller to fit, 1.400 to 0.89"
    )
    raised = fitted(plan_of(base_y=1.2, support=Support.STANDS), cutout, SIZE)
    assert raised.base_y == 1 - MARGIN and "its base moved from 1.200" in raised.note


def test_a_standing_product_ends_on_its_base_line():
    for base_y in (0.6, 0.77, 0.9):
        placed = place(block(90, 140), plan_of(base_y=base_y, support=Support.STANDS), SIZE)
        assert placed.box[3] == round(base_y * 512)
        assert placed.alpha[placed.box[3] - 1].max() > 200, "not on a blurred row"


def test_scale_and_aspect_are_those_of_the_plan():
    cutout = block(300, 37)
    placed = place(cutout, plan_of(scale=0.5), SIZE)
    area = placed.alpha.sum() / 255
    assert placed.box[2] - placed.box[0] == pytest.approx(256, abs=2)
    assert area == pytest.approx(256 * 256 * 37 / 300, rel=0.01)
    turned = place(cutout, plan_of(scale=0.5, rotation=15.0), SIZE)
    assert turned.alpha.sum() / 255 == pytest.approx(area, rel=0.01)


def test_a_positive_rotation_is_clockwise():
    alpha = np.zeros((100, 100), np.uint8)
    alpha[48:52, 5:95] = 255
    placed = place(cutout_of(np.full((100, 100, 3), 90, np.uint8), alpha), plan_of(rotation=15.0), SIZE)
    rows, columns = np.nonzero(placed.alpha > 128)
    slope = np.polyfit(columns, rows, 1)[0]
    assert slope == pytest.approx(np.tan(np.radians(15)), abs=0.01), "the right end lies lower"


@pytest.mark.parametrize("rotation", [0.0, 15.0, -15.0])
@pytest.mark.parametrize("side", [60, 300, 1500])
def test_one_colour_stays_one_colour_to_the_rim(rotation, side):
    """No ring inside, no fringe outside: colour over alpha is the product's, alpha full where nothing else is seen."""
    colour = np.array([230, 60, 120])
    placed = place(block(side, side, tuple(colour)), plan_of(rotation=rotation), SIZE)
    seen = placed.alpha > 100
    over = placed.pixels[seen][:, :3] / placed.pixels[seen][:, 3:] * 255
    assert np.abs(over - colour).max() <= (4 if rotation == 0 else 8 if side > 256 else 16)
    if side > 256 or rotation == 0:  # enlarging and turning at once, a rim is four pixels wide
        assert (placed.pixels[placed.kept][:, :3] == colour).all()
    assert placed.kept.sum() > 0.9 * (256 - 8) ** 2, "a ring of not quite opaque pixels would be eroded"


def test_a_pattern_is_kept_sharp():
    """Lanczos keeps more of a fine stripe than the mean of its neighbours does."""
    from PIL import Image

    stripes = np.where(np.arange(600) % 8 < 4, 40, 220).astype(np.uint8)
    cutout = cutout_of(
        np.repeat(stripes[None, :, None], 600, axis=0).repeat(3, axis=2), np.full((600, 600), 255, np.uint8)
    )
    for rotation in (0.0, 15.0):
        placed = place(cutout, plan_of(scale=0.6, rotation=rotation), SIZE)
        inner = placed.pixels[200:300, 200:300, 0].astype(float)
        flat = np.asarray(Image.fromarray(cutout.pixels[..., 0]).resize((307, 307), Image.Resampling.BILINEAR))
        assert inner.std() > flat[100:200, 100:200].std()


def test_nothing_of_an_old_background_returns():
    """The colours under alpha 0 are lost in a cut-out: black here, and no dark rim comes of it."""
    alpha = np.zeros((200, 200), np.uint8)
    alpha[50:150, 50:150] = 255
    white = place(cutout_of(np.full((200, 200, 3), 255, np.uint8), alpha), plan_of(rotation=15.0), SIZE)
    assert (white.pixels[..., :3].astype(int) - white.pixels[..., 3:]).min() >= -2


def test_placing_repeats_to_the_byte():
    plans = plans_for(brief_of(Support.LIES, 70, SIZE), drawn(5))
    first, second = (place_all(drawn(5), plans, SIZE) for _ in range(2))
    alone = [place(drawn(5), plan, SIZE) for plan in plans]
    for a, b, c in zip(first, second, alone, strict=True):
        assert (a.pixels == b.pixels).all() and (a.pixels == c.pixels).all() and a.cutout_digest == b.cutout_digest


def test_a_product_that_nobody_would_see():
    line = Cutout(np.full((1, 3000, 4), 255, np.uint8), "0" * 64, "border", 1.0)
    for scale in (0.0004, 0.01):
        with pytest.raises(AdRefused, match="too small on this canvas") as refusal:
            place(line, replace(plan_of(), scale=scale), SIZE)
        assert refusal.value.code is RefusalCode.BAD_SIZE
