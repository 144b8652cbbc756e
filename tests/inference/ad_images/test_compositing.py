"""Compositing: the product is untouched, whatever a backend did, and one that moved it is found out."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import binary_erosion, gaussian_filter
from scipy.ndimage import shift as shifted

from inference.ad_images.compositing import (
    Polarity,
    ProductChanged,
    compose,
    from_backend,
    movement,
    pasted,
    require_unmoved,
    require_untouched,
    to_backend,
)
from inference.ad_images.plan import KEPT_EROSION, Placed, Support
from inference.ad_images.refusal import AdRefused, RefusalCode
from tests.inference.ad_images.drawn_products import block, drawn, placed_on, scene_of

SIZE = (192, 192)
GREY = np.full((192, 192, 3), 128, np.uint8)


def noise(seed: int, sigma: float = 6.0) -> np.ndarray:
    """A background of soft blobs."""
    field = gaussian_filter(np.random.default_rng(seed).normal(size=(192, 192, 3)), (sigma, sigma, 0))
    return np.clip(128 + 60 * field / field.std(), 0, 255).astype(np.uint8)


def returned(placed: Placed, across: float, seed: int = 3) -> np.ndarray:
    """What a backend returns that paints a background, moves the product and blurs all of it a little."""
    pixels = shifted(placed.pixels.astype(float), (0, across, 0), order=1)
    picture = pixels[..., :3] + noise(seed) * (1 - pixels[..., 3:] / 255)
    picture = gaussian_filter(picture, (0.6, 0.6, 0)) + np.random.default_rng(seed).normal(0, 3, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("product_id", [0, 1, 5])
def test_the_product_is_as_placed_and_the_background_shows_around_it(product_id):
    placed, background = placed_on(SIZE, drawn(product_id), Support.LIES), noise(1)
    shadow = np.zeros((192, 192), np.float32)
    picture = compose(background, background // 2, placed, scene_of(SIZE), shadow)
    assert placed.kept.sum() > 1000
    assert np.abs(picture.pixels[placed.kept].astype(int) - placed.pixels[placed.kept][:, :3]).max() == 0
    outside = placed.alpha == 0
    assert (picture.pixels[outside] == background[outside] // 2).all() and picture.background is background
    assert picture.shadow is shadow and picture.placed is placed


def test_the_rim_is_a_mixture_of_both():
    placed = placed_on(SIZE, drawn(1))
    exact = placed.pixels[..., :3] + noise(1) * (1 - placed.pixels[..., 3:] / 255)
    assert np.abs(pasted(noise(1), placed) - exact).max() <= 0.5 + 1e-9


def test_a_changed_product_is_never_finished():
    placed = placed_on(SIZE)
    picture = pasted(GREY, placed)
    require_untouched(picture, placed)
    row, column = np.argwhere(placed.kept)[7]
    picture[row, column, 1] ^= 1
    with pytest.raises(ProductChanged, match="1 kept pixels of plan 3 changed, by up to 1"):
        require_untouched(picture, placed)


@pytest.mark.parametrize("background", [GREY[:100], GREY.astype(float), GREY[..., :1]])
def test_a_background_of_another_size_or_type(background):
    with pytest.raises(ValueError, match="background"):
        compose(background, background, placed_on(SIZE), scene_of(SIZE), None)
    with pytest.raises(ValueError, match="of one size"):
        compose(GREY, GREY, placed_on(SIZE), scene_of(SIZE), np.zeros((3, 3), np.float32))


# -- movement ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("product_id", [0, 1, 5, 9])
@pytest.mark.parametrize("across", [0.0, 0.3])
def test_a_product_that_stayed_is_not_refused(product_id, across):
    placed = placed_on(SIZE, drawn(product_id))
    require_unmoved(pasted(GREY, placed), returned(placed, across), placed)


@pytest.mark.parametrize("product_id", [0, 5, 9])
@pytest.mark.parametrize("across", [1.0, -3.0, 38.0])
def test_a_product_that_moved_is_refused(product_id, across):
    """Pixels, and the fifth of the picture by which one pipeline moved its whole reference (InvokeAI #9507)."""
    placed = placed_on(SIZE, drawn(product_id))
    moved = movement(pasted(GREY, placed), returned(placed, across), placed)
    assert moved.across == pytest.approx(across, abs=0.2) and moved.down == pytest.approx(0, abs=0.2)
    with pytest.raises(AdRefused, match=rf"by {moved.distance:.1f} px") as refusal:
        require_unmoved(pasted(GREY, placed), returned(placed, across), placed)
    assert refusal.value.code is RefusalCode.PRODUCT_MOVED


def test_a_plain_product_is_known_by_its_outline():
    placed = placed_on(SIZE, block(60, 60, (250, 250, 250)))
    moved = movement(pasted(GREY, placed), returned(placed, 2.0), placed)
    assert moved.certain and moved.across == pytest.approx(2.0, abs=0.2)


@pytest.mark.parametrize("seed", range(6))
def test_a_picture_without_the_product_tells_no_movement(seed):
    """It is pasted back, and quality control sees whether the scene fits."""
    placed = placed_on(SIZE)
    assert not movement(pasted(GREY, placed), noise(seed, 2.0), placed).certain
    require_unmoved(pasted(GREY, placed), GREY, placed)


# -- masks -------------------------------------------------------------------------------------------------------------


def test_polarity_is_turned_around_for_who_paints_black():
    mask = np.zeros((4, 6), bool)
    mask[:, :2] = True  # two colours: may be painted, product
    white, black = (to_backend(mask, polarity) for polarity in Polarity)
    assert white.dtype == np.uint8 and (white[:, :2] == 255).all() and (white[:, 2:] == 0).all()
    assert (black == 255 - white).all()
    for polarity in Polarity:
        assert (from_backend(to_backend(mask, polarity), polarity) == mask).all()


def test_a_mask_is_not_grey():
    with pytest.raises(ValueError, match="bool"):
        to_backend(np.zeros((4, 4), np.uint8), Polarity.PAINT_WHITE)
    with pytest.raises(ValueError, match="0 and 255 only"):
        from_backend(np.full((4, 4), 127, np.uint8), Polarity.PAINT_WHITE)


def test_what_may_be_painted_is_everything_but_the_opaque_product():
    placed = placed_on(SIZE)
    assert (placed.repaint == (placed.alpha < 255)).all() and not (placed.kept & placed.repaint).any()
    assert replace(placed).kept.sum() < (placed.alpha == 255).sum()


def test_what_is_kept_is_the_opaque_part_without_its_rim():
    placed = placed_on(SIZE, drawn(5))
    assert (placed.kept == binary_erosion(placed.alpha == 255, iterations=KEPT_EROSION)).all()
