"""Shadows fall away from the light, begin where the product touches the ground, and stay on it."""

import time

import numpy as np
import pytest

from inference.ad_images import shadows
from inference.ad_images.cutout import Cutout
from inference.ad_images.plan import Placed, Support
from inference.ad_images.scene import Light
from tests.inference.ad_images.placed_for_tests import placed_block, scene_of


def _outside(placed: Placed, shadow: np.ndarray) -> np.ndarray:
    return np.where(placed.alpha == 0, shadow, 0)


def _centre(field: np.ndarray) -> tuple[float, float]:
    rows, columns = np.indices(field.shape)
    return float((field * columns).sum() / field.sum()), float((field * rows).sum() / field.sum())


@pytest.mark.parametrize("azimuth", range(0, 360, 45))
@pytest.mark.parametrize("softness", [0.0, 0.5])
def test_what_lies_throws_its_shadow_away_from_the_light(azimuth: int, softness: float) -> None:
    placed = placed_block(support=Support.LIES, box=(0.35, 0.35, 0.65, 0.65))
    light = Light(azimuth, 40, softness)
    shadow = _outside(placed, shadows.cast(placed, scene_of(view=Support.LIES, light=light)))
    x, y = _centre(shadow)
    away = np.array([-np.cos(np.radians(azimuth)), np.sin(np.radians(azimuth))])
    moved = np.array([x - 127.5, y - 127.5])
    assert moved @ away > 0.9 * np.hypot(*moved) > 1.0


@pytest.mark.parametrize("azimuth", [0, 45, 135, 180, 225, 315])
def test_what_stands_throws_its_shadow_to_the_other_side(azimuth: int) -> None:
    placed = placed_block()
    shadow = _outside(placed, shadows.cast(placed, scene_of(light=Light(azimuth, 40, 0.3))))
    left, right = shadow[:, : placed.box[0]].sum(), shadow[:, placed.box[2] :].sum()
    assert (left > 3 * right) if np.cos(np.radians(azimuth)) > 0 else (right > 3 * left)


def test_light_from_behind_throws_it_towards_the_camera_and_from_the_front_away() -> None:
    placed = placed_block()
    behind = _outside(placed, shadows.cast(placed, scene_of(light=Light(90, 30, 0.2))))
    front = _outside(placed, shadows.cast(placed, scene_of(light=Light(270, 30, 0.2))))
    below = slice(placed.box[3] + 8, None)
    assert behind[below].sum() > 5 * front[below].sum()


def test_lower_light_throws_longer_shadows() -> None:
    placed = placed_block(box=(0.1, 0.6, 0.25, 0.8))
    reach = [
        np.flatnonzero((_outside(placed, shadows.cast(placed, scene_of(light=Light(170, up, 0.1)))) > 0.1).any(0))[-1]
        for up in (25, 40, 70)
    ]
    assert 250 > reach[0] > reach[1] > reach[2] > placed.box[2]


def test_it_is_dark_where_the_product_touches_the_ground_and_nowhere_over_the_horizon() -> None:
    placed = placed_block()
    shadow = shadows.cast(placed, scene_of(light=Light(120, 50, 0.8)))
    left, _, right, bottom = placed.box
    assert shadow[bottom : bottom + 2, left + 4 : right - 4].mean() > 0.6
    assert shadow[bottom + 40 :, left:right].mean() < 0.1
    assert not shadow[: int(0.55 * 256)].any()
    assert shadow.dtype == np.float32
    assert 0 <= shadow.min() <= shadow.max() <= 1


def test_air_under_an_arch_lets_light_through() -> None:
    placed = placed_block()
    left, _, right, bottom = placed.box
    arched = placed.pixels.copy()
    arched[bottom - 30 : bottom, left + 15 : right - 15] = 0
    scene = scene_of(light=Light(90, 80, 0.2))
    whole, open_below = (
        shadows.cast(placed, scene),
        shadows.cast(Placed(placed.plan, arched, placed.box, "arch"), scene),
    )
    middle = (slice(bottom - 3, bottom + 2), slice((left + right) // 2 - 4, (left + right) // 2 + 4))
    foot = (slice(bottom - 1, bottom + 2), slice(left + 4, left + 12))
    assert open_below[middle].mean() < 0.6 * whole[middle].mean()
    assert open_below[foot].mean() > 0.5


def test_a_tilted_product_stands_on_both_of_its_ends() -> None:
    pixels = np.zeros((256, 256, 4), np.uint8)
    for column in range(70, 190):
        pixels[150 : 190 + (column - 70) // 10, column] = (90, 90, 90, 255)
    placed = Placed(placed_block().plan, pixels, (70, 150, 190, 202), "tilted")
    shadow = shadows.cast(placed, scene_of(light=Light(90, 60, 0.5)))
    assert shadow[191, 72:80].mean() > 0.4
    assert shadow[201, 180:188].mean() > 0.4


def test_a_shoe_seen_over_its_toe_stands_on_both_sides_of_its_outline_and_a_ball_on_a_point() -> None:
    columns = np.arange(60, 200)
    toe = np.where(columns < 150, 165 + (columns - 60) * 0.4, 201 - (columns - 150) * 0.4).astype(int)
    ball = (150 + np.sqrt(np.maximum(70.0**2 - (columns - 129.5) ** 2, 0))).astype(int)
    at_the_ends = []
    for lowest in (toe, ball):
        pixels = np.zeros((256, 256, 4), np.uint8)
        for column, row in zip(columns, lowest, strict=True):
            pixels[140:row, column] = (90, 90, 90, 255)
        placed = Placed(placed_block().plan, pixels, (60, 140, 200, int(lowest.max())), "shape")
        shadow = shadows.cast(placed, scene_of(light=Light(90, 80, 0.5)))
        at_the_ends.append(
            np.mean([shadow[row + 1, column] for column, row in zip(columns, lowest, strict=True)][3:30])
        )
    assert at_the_ends[0] > 0.5 > 0.2 > at_the_ends[1]


def test_a_reflection_hangs_under_the_base_and_fades() -> None:
    placed = placed_block()
    layer = shadows.reflection(placed, scene_of(), 0.3)
    alpha = layer[..., 3]
    left, _, right, bottom = placed.box
    middle = (left + right) // 2
    assert not alpha[: bottom - 3].any()
    assert 0.2 < alpha[bottom + 2, middle] <= 0.31
    assert alpha[bottom + 2, middle] > alpha[bottom + 20, middle] > alpha[bottom + 40, middle]
    assert (layer[..., :3] <= alpha[..., None] + 1e-6).all()
    assert not shadows.reflection(placed, scene_of(), 0.0).any()
    lying = placed_block(support=Support.LIES)
    assert not shadows.reflection(lying, scene_of(view=Support.LIES), 0.3).any()


def test_shadow_is_tinted_not_black_and_leaves_the_rest_alone() -> None:
    background = np.full((64, 64, 3), 200, np.uint8)
    shadow = np.zeros((64, 64), np.float32)
    shadow[20:30, 20:30] = 1.0
    warm = shadows.apply(background, shadow, None, Light(warmth=0.8))
    dark = warm[25, 25].astype(int)
    assert (warm[40:] == 200).all()
    assert 0 < dark.max() < 90
    assert dark[2] > dark[0]  # orange light leaves blue shadows
    assert (background == 200).all()


def test_an_empty_canvas_has_no_shadow() -> None:
    placed = Placed(placed_block().plan, np.zeros((128, 128, 4), np.uint8), (0, 0, 1, 1), "nothing")
    assert not shadows.cast(placed, scene_of(size=(128, 128))).any()
    assert not shadows.reflection(placed, scene_of(size=(128, 128)), 0.5).any()


@pytest.mark.parametrize(("side", "azimuth"), [("left", 180), ("right", 0)])
def test_the_light_is_on_the_bright_side_of_the_product(side: str, azimuth: int) -> None:
    ramp = np.linspace(230, 60, 120).astype(np.uint8)
    pixels = np.zeros((120, 120, 4), np.uint8)
    pixels[..., :3] = (ramp if side == "left" else ramp[::-1])[None, :, None]
    pixels[..., 3] = 255
    light = shadows.estimate_light(Cutout(pixels, "0" * 64, "border", 1.0))
    assert np.cos(np.radians(light.azimuth - azimuth)) > 0.5
    assert np.sin(np.radians(light.azimuth)) > 0


def test_a_flat_product_gets_the_light_of_a_usual_photograph() -> None:
    pixels = np.full((80, 80, 4), 255, np.uint8)
    pixels[..., :3] = 120
    assert shadows.estimate_light(Cutout(pixels, "0" * 64, "border", 1.0)) == shadows.UNSURE
    assert shadows.estimate_light(Cutout(pixels[:3, :3], "0" * 64, "border", 1.0)) == shadows.UNSURE


def test_the_same_product_throws_the_same_shadow_in_little_time() -> None:
    placed, scene = placed_block((512, 512)), scene_of(size=(512, 512))
    first = shadows.cast(placed, scene)
    start = time.process_time()
    again = shadows.cast(placed, scene)
    assert time.process_time() - start < 0.15  # about 10 ms; ten times that means that something went full size
    assert np.array_equal(first, again)
