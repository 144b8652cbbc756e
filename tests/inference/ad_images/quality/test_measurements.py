"""Every measurement on pictures whose value is known by construction."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw, ImageFont

from catalog.lab import difference
from inference.ad_images.quality.brand import Brand
from inference.ad_images.quality.guidelines import GUIDELINES
from inference.ad_images.quality.measurements import apart, measure
from inference.ad_images.quality.view import grown, length, shrunk, strongest, to_lab, weakest
from inference.ad_images.scene import Light
from tests.inference.ad_images.quality.pictures import RED, SIDE, ground, lying, picture, placed, soft_shadow

BRAND = Brand("test", ("#c8beaa", "#96aab4"))


def value(name, shown, brand=BRAND):
    return measure(shown, brand, [name]).get(name)


def test_a_clean_picture_passes_every_usual_limit_that_applies():
    values = measure(picture(), BRAND)
    failed = [name for name, number in values.items() if not GUIDELINES[name].passes(number, GUIDELINES[name].limit)]
    assert failed == ["longer_side", "white_background"]  # it is 256 px and no main image


def test_identity_is_the_largest_difference_of_a_kept_pixel():
    shown = picture()
    assert value("product_identity", shown) == 0
    pixels = shown.pixels.copy()
    pixels[150, 128, 1] += 7
    assert value("product_identity", replace(shown, pixels=pixels)) == 7


def test_what_is_painted_beside_the_product_is_growth_in_percent_of_it():
    shown = picture()
    pixels = shown.pixels.copy()
    pixels[120:160, 160:168] = RED
    assert value("object_expansion", replace(shown, pixels=pixels)) == pytest.approx(100 * 320 / 6400, abs=0.2)


def test_a_backend_that_repainted_the_product_larger_is_seen_under_a_shadow_of_ours_and_without():
    background = ground()
    background[95:200, 92:164] = RED
    for known in (True, False):
        shown = picture(background=background, shadow_is_known=known)
        assert value("object_expansion", shown) == pytest.approx(100 * (105 * 72 - 6400) / 6400, abs=4)


def test_neither_a_shadow_nor_a_like_coloured_thing_in_the_scene_is_growth():
    assert value("object_expansion", picture(shadow=soft_shadow(placed(), 40, 0.8))) == 0
    background = ground()
    background[120:140] = RED  # a red shelf that runs behind the product
    assert value("object_expansion", picture(background=background)) == 0


@pytest.mark.parametrize("scale", [0.5, 1.0])
def test_a_second_product_is_found_at_half_and_whole_size(scale):
    background = ground()
    height, width = round(100 * scale), round(64 * scale)
    background[20 : 20 + height, 12 : 12 + width] = RED
    assert value("duplicates", picture(background=background)) > GUIDELINES["duplicates"].limit
    background[20 : 20 + height, 12 : 12 + width] = (60, 120, 60)
    assert value("duplicates", picture(background=background)) < 0.3


def test_a_white_rim_is_a_halo_and_a_soft_edge_is_none():
    product = placed()
    pixels = product.pixels.copy()
    pixels[100:200, 95] = pixels[100:200, 160] = (95, 15, 20, 128)  # half covered, premultiplied
    soft = replace(product, pixels=pixels, box=(95, 100, 161, 200))
    assert value("halo", picture(soft)) < 3
    pixels[100:200, 95] = pixels[100:200, 160] = (245, 245, 245, 255)
    assert value("halo", picture(replace(soft, pixels=pixels))) > GUIDELINES["halo"].limit


def test_framing_is_that_of_the_box():
    shown = picture()
    assert value("clipping", shown) == 0
    assert value("frame_share", shown) == pytest.approx(100 * 100 / 256)
    assert value("longer_side", shown) == 256
    cut = picture(placed(left=-10, right=50))
    assert value("clipping", cut) == pytest.approx(100 * 100 / (4 * 256 - 4))
    middle = placed(left=54, top=53, right=118, bottom=117)
    assert value("thirds", picture(middle)) == pytest.approx(0, abs=0.3)


def test_white_is_white_only_at_254_and_more():
    white = np.full((SIDE, SIDE, 3), 255, np.uint8)
    none = np.zeros((SIDE, SIDE), np.float32)
    assert value("white_background", picture(background=white, shadow=none)) == 100
    white[: SIDE // 4] = 253
    assert value("white_background", picture(background=white, shadow=none)) == pytest.approx(72.3, abs=0.1)


@pytest.mark.parametrize("ink", [(20, 20, 30), (250, 250, 250)])
def test_text_is_found_dark_and_light_and_bricks_are_not(ink):
    background = Image.fromarray(ground())
    ImageDraw.Draw(background).text((12, 20), "Summer sale", ink, ImageFont.load_default(22))
    assert value("text_area", picture(background=np.asarray(background))) > 1
    bricks = ground()
    for row in range(8, 120, 14):
        for column in range(4, 240, 24):
            bricks[row : row + 10, column : column + 20] = ink
    assert value("text_area", picture(background=bricks)) == 0


def test_a_row_of_leaves_on_a_twig_is_no_text():
    background = Image.fromarray(ground())
    draw = ImageDraw.Draw(background)
    for left, wide in ((10, 14), (30, 20), (56, 12), (74, 17), (98, 22), (126, 15)):
        draw.ellipse((left, 20, left + wide, 42), (60, 90, 50))
    assert value("text_area", picture(background=np.asarray(background))) == 0


def test_a_button_is_an_overlay_and_a_wall_or_a_far_object_is_none():
    background = Image.fromarray(ground())
    ImageDraw.Draw(background).rounded_rectangle((12, 20, 80, 44), 10, (30, 60, 200))
    assert value("overlay_area", picture(background=np.asarray(background))) == pytest.approx(2.4, abs=0.4)
    assert value("overlay_area", picture()) == 0
    soft = np.asarray(background.resize((32, 32)).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
    assert value("overlay_area", picture(background=soft)) == 0


def test_the_contact_shadow_is_the_light_that_is_missing_at_the_foot():
    assert value("contact_shadow", picture(shadow=np.zeros((SIDE, SIDE), np.float32))) == 0
    half = value("contact_shadow", picture(shadow=soft_shadow(placed(), 0, 0.5)))
    assert half == pytest.approx(100 * (1 - 0.5**2.2), abs=4)


@pytest.mark.parametrize(
    ("azimuth", "drift", "right"), [(135, 40, True), (135, -40, False), (45, -40, True), (45, 40, False)]
)
def test_a_standing_shadow_falls_away_from_the_light(azimuth, drift, right):
    shown = picture(shadow=soft_shadow(placed(), drift), light=Light(azimuth, 45.0, 0.3))
    assert value("shadow_side", shown) == pytest.approx(1.0 if right else -1.0, abs=0.05)


@pytest.mark.parametrize("azimuth", [30, 100, 150, 250])
def test_a_lying_shadow_falls_away_from_the_light(azimuth):
    product = lying()
    away = np.deg2rad(azimuth + 180)
    shift = round(-8 * np.sin(away)), round(8 * np.cos(away))
    shadow = 0.5 * np.roll(product.alpha, shift, (0, 1)).astype(np.float32) / 255
    assert value("shadow_side", picture(product, shadow=shadow, light=Light(azimuth, 45.0, 0.3))) > 0.85
    assert value("shadow_side", picture(product, shadow=shadow, light=Light(azimuth + 180, 45.0, 0.3))) < -0.85


def test_light_from_overhead_or_an_overcast_sky_has_no_side():
    assert value("shadow_side", picture(light=Light(135.0, 80.0, 0.3))) is None
    assert value("shadow_side", picture(light=Light(135.0, 45.0, 0.9))) is None


def test_the_horizon_is_measured_in_the_background_not_believed():
    assert value("horizon", picture()) == pytest.approx(100 * (200 / 256 - 0.55), abs=0.8)
    floating = picture(background=ground(horizon=0.9), horizon=0.55)
    assert value("horizon", floating) == pytest.approx(100 * (200 / 256 - 0.9), abs=0.8)
    assert value("horizon", picture(lying())) is None


def test_a_tilted_horizon_has_its_angle():
    assert value("horizon_tilt", picture()) == 0
    rows, columns = np.mgrid[:SIDE, :SIDE]
    background = ground(horizon=0)
    background[rows < 0.55 * SIDE + np.tan(np.deg2rad(4)) * (columns - SIDE / 2)] = (150, 170, 180)
    assert value("horizon_tilt", picture(background=background)) == pytest.approx(4, abs=0.5)


def test_exposure_counts_burnt_and_black_pixels_of_the_background():
    background = ground()
    background[:64, :] = 255
    background[64:96, :] = 0
    shown = picture(background=background)
    share = 100 * SIDE / (SIDE * SIDE - 70 * 106)
    assert value("highlights", shown) == pytest.approx(64 * share, abs=1)
    assert value("blacks", shown) == pytest.approx(32 * share, abs=1)
    grey = np.full((SIDE, SIDE, 3), 119, np.uint8)
    assert value("brightness", picture(background=grey)) == pytest.approx(50, abs=0.6)


def test_the_palette_is_the_distance_of_the_large_colours_to_the_nearest_of_the_brand():
    none = np.zeros((SIDE, SIDE), np.float32)
    background = np.full((SIDE, SIDE, 3), (150, 170, 180), np.uint8)
    assert value("palette", picture(background=background, shadow=none)) < 0.3
    violet = np.full((SIDE, SIDE, 3), (128, 0, 200), np.uint8)
    expected = difference(
        to_lab(violet[:1, :1]), to_lab(np.array([[[200, 190, 170], [150, 170, 180]]], np.uint8))
    ).min()
    assert value("palette", picture(background=violet, shadow=none)) == pytest.approx(expected, abs=0.5)
    assert value("palette", picture(), Brand("without")) is None


def test_contrast_falls_to_nothing_on_a_ground_of_the_products_colour():
    red = np.full((SIDE, SIDE, 3), RED, np.uint8)
    assert value("contrast", picture(background=red, shadow=np.zeros((SIDE, SIDE), np.float32))) < 0.5
    assert value("contrast", picture()) > 30


def test_sharpness_and_clutter_follow_the_background():
    lines = ground()
    lines[:, ::4] //= 2
    calm, busy = picture(), picture(background=lines)
    assert value("sharpness", busy) < value("sharpness", calm)
    assert value("clutter", busy) > 40 > value("clutter", calm)


def test_pictures_are_apart_by_what_is_seen_of_them():
    assert apart(picture(), picture()) == 0
    assert apart(picture(), picture(placed(left=20, right=84))) > 5


def test_fast_lab_is_the_exact_one_to_a_quarter():
    from skimage.color import rgb2lab

    colours = np.random.default_rng(0).integers(0, 256, (2000, 3), np.uint8)
    assert np.abs(to_lab(colours) - rgb2lab(colours)).max() < 0.6
    assert np.abs(to_lab(colours) - rgb2lab(colours)).mean() < 0.08


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 9), st.integers(0, 2**32 - 1))
def test_growing_is_a_square_of_the_radius_and_shrinking_its_opposite(radius, seed):
    from scipy.ndimage import maximum_filter

    mask = np.random.default_rng(seed).random((23, 31)) < 0.03
    expected = maximum_filter(mask, 2 * radius + 1, mode="constant", cval=False)
    assert (grown(mask, radius) == expected).all()
    assert (shrunk(mask, radius) == ~grown(~mask, radius)).all()


@settings(max_examples=15, deadline=None)
@given(
    st.integers(10, 150), st.integers(20, 90), st.integers(24, 80), st.integers(30, 110), st.integers(0, 2**16),
)  # fmt: skip
def test_whatever_the_place_every_value_is_finite_repeatable_and_in_its_range(left, top, width, height, seed):
    rng = np.random.default_rng(seed)
    background = np.clip(ground() + rng.normal(0, 6, (SIDE, SIDE, 1)), 0, 255).astype(np.uint8)
    product = placed(left, top, left + width, top + height, tuple(int(c) for c in rng.integers(0, 256, 3)))
    shown = picture(product, background)
    values = measure(shown, BRAND)
    assert values == measure(shown, BRAND)
    assert all(np.isfinite(number) for number in values.values())
    assert values["product_identity"] == 0
    for name, number in values.items():
        assert GUIDELINES[name].lowest <= number <= max(GUIDELINES[name].highest, 255), name


def test_a_canvas_without_product_or_without_background_is_measured_without_an_error():
    empty = placed(left=0, right=0)
    whole = placed(left=0, top=0, right=SIDE, bottom=SIDE)
    for product in (empty, whole):
        shown = picture(product, shadow=np.zeros((SIDE, SIDE), np.float32))
        assert all(np.isfinite(number) for number in measure(shown, BRAND).values())


def test_a_reduction_over_three_channels_is_to_the_bit_that_of_numpy():
    vectors = np.random.default_rng(0).normal(0, 40, (16, 16, 3)).astype(np.float32)
    assert np.array_equal(length(vectors), np.linalg.norm(vectors, axis=-1))
    assert np.array_equal(strongest(vectors), vectors.max(axis=-1))
    assert np.array_equal(weakest(vectors), vectors.min(axis=-1))


def test_what_is_lighter_than_its_shadow_leaves_the_ground_is_growth_even_in_the_grounds_own_colour():
    product = lying()
    shown = picture(product, shadow=soft_shadow(product, 0, 0.8))
    assert value("object_expansion", shown) == 0
    left, _, right, bottom = product.box
    pixels = shown.pixels.copy()
    pixels[bottom : bottom + 6, left:right] = shown.background[bottom : bottom + 6, left:right] * 0.96
    assert value("object_expansion", replace(shown, pixels=pixels)) > GUIDELINES["object_expansion"].limit
