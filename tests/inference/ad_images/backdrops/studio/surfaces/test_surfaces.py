"""Scenes from above: the same bytes for the same scene, another picture for another seed, nothing under the product,
light from where the scene says."""

import time
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from catalog.lab import difference
from inference.ad_images.backdrops.studio.canvas import Box, StudioCanvas
from inference.ad_images.backdrops.studio.surfaces import SURFACES, cloths, placing, shore
from inference.ad_images.backdrops.studio.surfaces.ground import oklab, unmuddied
from inference.ad_images.linear_light import of_hex, to_linear
from inference.ad_images.plan import Support
from inference.ad_images.scene import Light
from inference.ad_images.themes import theme, theme_names
from tests.inference.ad_images.placed_for_tests import scene_of

THEMES = theme_names()
MIDDLE = (0.28, 0.24, 0.72, 0.78)
LEAST_APART = 8.0  # mean difference of two pictures, levels of 255


def _painted(
    name: str, seed: int = 1, size: tuple[int, int] = (256, 256), box: tuple[float, ...] = MIDDLE, **changes: object
) -> np.ndarray:
    scene = replace(scene_of(name, size, seed, Support.LIES), **changes)  # type: ignore[arg-type]
    canvas = StudioCanvas(scene, theme(name).palette_of(seed))
    SURFACES[name](canvas, scene, _pixels(box, size))
    return canvas.finish()


def _pixels(box: tuple[float, ...], size: tuple[int, int]) -> Box:
    left, top, right, bottom = box
    return round(left * size[0]), round(top * size[1]), round(right * size[0]), round(bottom * size[1])


@pytest.mark.parametrize("name", THEMES)
def test_same_scene_same_bytes(name: str) -> None:
    first = _painted(name)
    assert np.array_equal(first, _painted(name))
    assert first.shape == (256, 256, 3)


@pytest.mark.parametrize("name", THEMES)
def test_no_two_seeds_alike(name: str) -> None:
    pictures = np.stack([_painted(name, seed).astype(np.int16) for seed in range(5)])
    apart = [np.abs(pictures[a] - pictures[b]).mean() for a in range(5) for b in range(a)]
    assert min(apart) > LEAST_APART


@pytest.mark.parametrize("box", [MIDDLE, (0.02, 0.1, 0.6, 0.9), (0.45, 0.2, 0.97, 0.8)])
@pytest.mark.parametrize("name", THEMES)
def test_what_lies_at_the_edges_leaves_the_product_free(
    name: str, box: tuple[float, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def painted(seed: int) -> np.ndarray:
        scene = scene_of(name, (256, 256), seed, Support.LIES)
        canvas = StudioCanvas(scene, theme(name).palette_of(seed))
        SURFACES[name](canvas, scene, _pixels(box, (256, 256)))
        return canvas.pixels

    seeds = range(8) if name == "studio" else range(3)  # where most seeds have nothing but light
    full = [painted(seed) for seed in seeds]
    for module, function in ((placing, "set_down"), (cloths, "spread"), (shore, "run_up")):
        monkeypatch.setattr(module, function, lambda *_, **__: None)
    bare = [painted(seed) for seed in seeds]
    left, top, right, bottom = _pixels(box, (256, 256))
    differences = [np.abs(a - b).max(-1) for a, b in zip(full, bare, strict=True)]
    assert max(part[top:bottom, left:right].max() for part in differences) < 0.01
    assert max(part.max() for part in differences) > 0.05  # and something does lie there


@pytest.mark.parametrize("size", [(256, 256), (256, 2048), (2048, 256), (448, 320), (320, 576)])
def test_any_size_of_64s(size: tuple[int, int]) -> None:
    for name in ("kitchen", "beach"):
        picture = _painted(name, size=size)
        assert picture.shape == (size[1], size[0], 3)
        assert picture.std() > 4


def test_a_surface_looks_alike_at_every_size() -> None:
    for name in ("studio", "beach", "desk"):
        small, large = (
            np.asarray(Image.fromarray(_painted(name, 3, size)).resize((64, 64), Image.Resampling.BOX), int)
            for size in ((256, 256), (512, 512))
        )
        assert np.abs(small - large).mean() < 5, name


@pytest.mark.parametrize("name", THEMES)
def test_brighter_towards_the_light(name: str) -> None:
    left, right = (
        np.mean([_painted(name, seed, light=Light(azimuth, 40, 0.8)).mean((0, 2)) for seed in range(3)], 0)
        for azimuth in (180, 0)
    )
    balance = left - right  # what lies there goes out
    assert balance[:80].mean() > balance[-80:].mean() + 5


@pytest.mark.parametrize("name", THEMES)
def test_neither_dark_nor_blown_out(name: str) -> None:
    for seed in range(5):
        picture = _painted(name, seed, light=theme(name).light)
        assert 30 < picture.mean() < 240
        assert (picture.min(-1) > 252).mean() < 0.04


def test_a_brand_palette_is_kept() -> None:
    from skimage.color import rgb2lab

    palette = ("#c9d7e8", "#9db6d3", "#5b7fa8", "#24405f")
    wanted = rgb2lab(np.array([[int(colour[at : at + 2], 16) for at in (1, 3, 5)] for colour in palette]) / 255)
    for name in THEMES:
        far = [
            difference(rgb2lab(_painted(name, 5, palette=kept)[::8, ::8])[..., None, :], wanted).min(-1).mean()
            for kept in ((), palette)
        ]
        assert far[1] < min(16, far[0]), (name, far)


def test_painting_is_fast() -> None:
    for name in ("studio", "desk"):
        _painted(name, size=(512, 512))
        started = time.process_time()
        _painted(name, size=(512, 512))
        assert time.process_time() - started < 0.25  # 0.02 to 0.06 on an idle core


def test_a_thing_in_the_way_moves_out_or_is_left_out() -> None:
    import skia

    from inference.ad_images.backdrops.studio.canvas import ink

    canvas = StudioCanvas(scene_of(size=(256, 256), view=Support.LIES), theme("studio").palettes[0])
    thing = placing.Thing(
        lambda target: target.drawRect(skia.Rect.MakeLTRB(-0.1, -0.1, 0.1, 0.1), ink()), 0.2, 0.2, 0, 0
    )
    for box, visible in (((0.4, 0.4, 0.9, 0.9), True), ((0.2, 0.2, 0.9, 0.9), True), ((0.02, 0.02, 0.9, 0.9), False)):
        canvas.pixels[:] = 0
        placing.set_down(canvas, _pixels(box, (256, 256)), [thing])
        assert canvas.pixels.any() == visible
        left, top, right, bottom = _pixels(box, (256, 256))
        assert not canvas.pixels[top:bottom, left:right].any()


@pytest.mark.parametrize("warmth", [-0.3, 0.1, 0.7])
@pytest.mark.parametrize("seed", [20, 216, 307])  # of the amber palette, with its deep tone as linen, plaster and paper
def test_a_deep_yellow_is_ochre_and_no_mud_in_any_light(seed: int, warmth: float) -> None:
    lit = oklab(to_linear(_painted("studio", seed, light=replace(theme("studio").light, warmth=warmth))))
    lightness = float(np.median(lit[..., 0]))
    assert lightness > 0.6


def test_only_dark_yellows_and_browns_are_made_lighter() -> None:
    lighter = {}
    for palette in theme("studio").palettes:
        for colour in palette:
            before = of_hex(colour)
            lighter[colour] = float(oklab(unmuddied(before))[0] - oklab(before)[0])
    assert lighter["#6b4f1c"] > 0.15 and lighter["#6d4c3a"] > 0.08
    others = [lighter[colour] for colour in ("#3f554a", "#463c60", "#2f4a66", "#6e3b36")]  # green, purple, blue, red
    assert max(others) < 0.05 and min(lighter.values()) > -1e-4
