"""Drawn backgrounds: the same input gives the same bytes, at every size, in the colours that were asked for."""

from dataclasses import replace

import numpy as np
import pytest
from skimage.color import rgb2lab

from catalog.lab import difference
from inference.ad_images.backdrops.studio.backdrop import Studio
from inference.ad_images.backdrops.studio.canvas import StudioCanvas
from inference.ad_images.backdrops.studio.materials import planks
from inference.ad_images.backdrops.studio.scenes import SCENES
from inference.ad_images.backdrops.studio.stage import Stage
from inference.ad_images.backdrops.studio.surfaces import SURFACES
from inference.ad_images.plan import Support
from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.ad_images.scene import Light
from inference.ad_images.themes import theme, theme_names
from tests.inference.ad_images.placed_for_tests import placed_block, scene_of

THEMES = theme_names()


def _painted(theme: str, seed: int = 1, size: tuple[int, int] = (256, 256), **changes: object) -> np.ndarray:
    scene = replace(scene_of(theme, size, seed), **changes)  # type: ignore[arg-type]
    return Studio().paint([scene], [placed_block(size)])[0]


def test_every_theme_has_a_scene_in_both_views() -> None:
    assert set(SCENES) == set(SURFACES) == set(THEMES)


@pytest.mark.parametrize("theme", THEMES)
def test_same_scene_same_bytes_other_seed_other_picture(theme: str) -> None:
    first, again, other = _painted(theme), _painted(theme), _painted(theme, seed=2)
    assert first.shape == (256, 256, 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, again)
    assert np.abs(first.astype(int) - other).mean() > 4


@pytest.mark.parametrize("theme", THEMES)
def test_a_background_is_neither_blank_nor_blown_out(theme: str) -> None:
    picture = _painted(theme)
    light = picture.mean(2)
    assert 50 < light.mean() < 225
    assert (light > 252).mean() < 0.05
    assert (light < 3).mean() < 0.05
    assert light.std() > 6


def test_plans_of_one_scene_get_what_each_would_get_alone_in_any_order() -> None:
    scenes = [scene_of("living_room", seed=seed) for seed in (1, 2, 1)]
    blocks = [placed_block(box=(left, 0.5, left + 0.2, 0.8)) for left in (0.1, 0.4, 0.7)]
    together = Studio().paint(scenes, blocks)
    for scene, block, picture in zip(scenes, blocks, together, strict=True):
        assert np.array_equal(Studio().paint([scene], [block])[0], picture)
    together[0][:] = 0  # a caller may write into its picture
    assert together[2].any()


@pytest.mark.parametrize("size", [(256, 256), (320, 512), (512, 256), (2048, 256), (256, 2048), (960, 704)])
@pytest.mark.parametrize("theme", ["forest", "kitchen"])
def test_any_size_of_64s(theme: str, size: tuple[int, int]) -> None:
    assert _painted(theme, size=size).shape == (size[1], size[0], 3)


def test_a_scene_looks_alike_at_every_size() -> None:
    from PIL import Image

    for name in ("street", "studio"):
        small, large = _painted(name), Image.fromarray(_painted(name, size=(512, 512)))
        shrunk = np.asarray(large.resize((256, 256), Image.Resampling.BOX), int)
        assert np.abs(shrunk - small).mean() < 9


@pytest.mark.parametrize("size", [(250, 256), (192, 512), (512, 2112)])
def test_other_sizes_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(AdRefused, match="multiples of 64") as refusal:
        Studio().check(size, "studio")
    assert refusal.value.code is RefusalCode.BAD_SIZE


def test_a_theme_that_is_not_drawn_is_refused() -> None:
    with pytest.raises(AdRefused, match="no theme 'moon'; choose one of studio") as refusal:
        Studio().check((512, 512), "moon")
    assert refusal.value.code is RefusalCode.NO_ASSET


def test_a_brand_palette_is_kept() -> None:
    palette = ("#c9d7e8", "#9db6d3", "#5b7fa8", "#24405f")
    wanted = rgb2lab(np.array([[int(colour[i : i + 2], 16) for i in (1, 3, 5)] for colour in palette]) / 255)
    for name in ("studio", "living_room", "kitchen"):
        far = []
        for kept in ((), palette):
            lab = rgb2lab(_painted(name, seed=5, palette=kept)[::8, ::8])
            far.append(difference(lab[..., None, :], wanted).min(-1).mean())
        assert far[1] < min(11, far[0]), (name, far)


def test_warm_light_is_warmer() -> None:
    cold, warm = (_painted("studio", light=Light(130, 45, 0.4, value)).mean((0, 1)) for value in (-0.8, 0.8))
    assert warm[0] - warm[2] > cold[0] - cold[2] + 20


@pytest.mark.parametrize("theme", ["studio", "living_room", "desk"])
def test_the_wall_is_brighter_on_the_side_of_the_light(theme: str) -> None:
    left, right = (
        np.mean([_painted(theme, seed, light=Light(azimuth, 40, 0.6))[:120].mean((0, 2)) for seed in range(4)], 0)
        for azimuth in (160, 20)
    )
    balance = left - right  # of columns; what stands in the room goes out
    assert balance[:80].mean() > balance[-80:].mean() + 5


def test_boards_run_to_the_point_at_eye_level() -> None:
    scene = scene_of(size=(512, 512))
    canvas = StudioCanvas(scene, theme("studio").palettes[0])
    stage = Stage(canvas, scene, placed_block((512, 512)).box, over=0.1)
    for column in (-0.7, -0.2, 0.4, 1.1):  # a line on the floor, one unit of u each
        at = np.array([np.interp(column, line, np.arange(512) + 0.5) for line in stage.floor.u])
        inside = (at > 1) & (at < 511)
        rows = stage.floor.rows[inside, 0] * 512
        slope, shift = np.polyfit(rows, at[inside], 1)
        assert abs(slope * stage.eye * 512 + shift - 256) < 1.0
        assert np.abs(np.polyval((slope, shift), rows) - at[inside]).max() < 0.5
    boards = planks(stage.floor, np.random.default_rng(3), np.full(3, 0.4, np.float32))
    assert boards.shape == (512 - stage.floor.top, 512, 3)


def test_the_floor_is_sharp_at_the_base_and_soft_at_the_horizon() -> None:
    scene = scene_of(size=(512, 512))
    canvas = StudioCanvas(scene, theme("studio").palettes[0])
    stage = Stage(canvas, scene, placed_block((512, 512)).box)
    noise = np.random.default_rng(0).uniform(0.2, 0.8, (512 - stage.floor.top, 512, 3)).astype(np.float32)
    seen = stage.floor.focused(noise, 0.08)
    base = round(stage.base * 512) - stage.floor.top
    assert np.array_equal(seen[base], noise[base])
    assert seen[3].std() < 0.25 * noise[3].std()


def test_nothing_of_the_floor_is_painted_over_the_horizon() -> None:
    scene = scene_of()
    canvas = StudioCanvas(scene, theme("studio").palettes[0])
    stage = Stage(canvas, scene, placed_block().box)
    far = np.zeros((256, 256, 3), np.float32)
    stage.compose(far, np.ones((256 - stage.floor.top, 256, 3), np.float32), 0.0, 0.05, 0.004)
    assert not canvas.pixels[: round(0.545 * 256)].any()
    assert (canvas.pixels[round(0.56 * 256) :] > 0.99).all()


def test_the_version_is_that_of_the_drawing_code() -> None:
    assert Studio.version == Studio().version
    assert len(Studio.version) == 12
    assert Studio.name == "studio"
    assert not Studio.paints_shadows
    assert _painted("studio", view=Support.STANDS).any()


def test_a_sheet_of_paper_does_not_outshine_the_product() -> None:
    for seed in (6, 20, 3):
        for view in (Support.STANDS, Support.LIES):
            lab = rgb2lab(_painted("studio", seed, view=view))
            assert np.median(np.hypot(lab[..., 1], lab[..., 2])) < 22
    brand = ("#e0b020",) * 4
    lab = rgb2lab(_painted("studio", 6, palette=brand))
    assert np.median(np.hypot(lab[..., 1], lab[..., 2])) > 40
