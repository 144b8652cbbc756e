"""Regions become the mask that was drawn, by the SDK's encoder and another rasteriser; what does not fit is refused."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from matplotlib.path import Path as Outline

from catalog.errors import SelvedgeError
from labeling.handsoff.regions import MOST_REGIONS, mask_of
from tests.labeling.handsoff.paper_easel import enclosed, painted

CLASSES = ("background", "body", "sleeve")
sides = st.integers(1, 24)
corners = st.lists(st.tuples(st.floats(-10, 110), st.floats(-10, 110)), min_size=3, max_size=7)


@settings(deadline=None)  # the SDK's converters take seconds to import
@given(st.tuples(sides, sides).flatmap(lambda shape: arrays(bool, shape)))
def test_what_was_painted_is_the_mask(drawn):
    mask = mask_of([painted(drawn, "sleeve")], CLASSES, drawn.shape[::-1], "it")
    assert np.array_equal(mask, 2 * drawn.astype(np.uint8))


@given(corners, sides, sides)
def test_a_polygon_covers_the_pixels_whose_centres_lie_inside(points, width, height):
    mask = mask_of([enclosed(points, "body", (width, height))], CLASSES, (width, height), "it")
    y, x = np.mgrid[:height, :width] + 0.5
    scaled = np.array(points) * [width / 100, height / 100]
    inside = _odd(scaled, x, y)
    near = _distance(scaled, x, y) < 1e-3  # on an edge either is right
    assert np.array_equal(mask.astype(bool) | near, inside | near)


@given(st.integers(3, 12), st.floats(10, 40))
def test_a_convex_polygon_is_what_matplotlib_calls_inside(number, extent):
    angles = 2 * np.pi * np.arange(number) / number + 0.1
    points = np.stack([50 + extent * np.cos(angles), 50 + extent * np.sin(angles)], axis=1)
    mask = mask_of([enclosed(points.tolist(), "body", (40, 60))], CLASSES, (40, 60), "it")
    y, x = np.mgrid[:60, :40] + 0.5
    inside = Outline(points * [0.4, 0.6]).contains_points(np.stack([x.ravel(), y.ravel()], axis=1)).reshape(60, 40)
    near = _distance(points * [0.4, 0.6], x, y) < 1e-3
    assert np.array_equal(mask.astype(bool) | near, inside | near)


def test_later_regions_lie_over_earlier_ones_and_the_background_takes_away():
    whole = np.ones((20, 20), bool)
    half = enclosed([(0, 0), (50, 0), (50, 100), (0, 100)], "sleeve", (20, 20))
    corner = painted(np.add.outer(np.arange(20), np.arange(20)) < 5, "background")
    regions = [painted(whole, "body"), half, {"type": "relation", "from_id": "a", "to_id": "b"}, corner]
    mask = mask_of(regions, CLASSES, (20, 20), "it")
    assert (mask[0, 0], mask[19, 0], mask[19, 19]) == (0, 2, 1) and (mask == 2).sum() == 200 - 15
    assert (mask_of(regions[::-1], CLASSES, (20, 20), "it") == 1).all()


def test_half_transparent_edges_of_a_brush_count_from_the_half():
    from label_studio_sdk.converter.brush import encode_rle

    canvas = np.zeros((2, 3, 4), int)
    canvas[..., 3] = [[0, 127, 128], [255, 1, 200]]
    region = painted(np.zeros((2, 3), bool), "body")
    region["value"]["rle"] = encode_rle(canvas.ravel())
    assert mask_of([region], CLASSES, (3, 2), "it").tolist() == [[0, 0, 1], [1, 0, 1]]


HERE = "picture a, annotation 7"
SQUARE = [(10.0, 10.0), (90.0, 10.0), (90.0, 90.0)]


def region(**value):
    brush = painted(np.ones((4, 4), bool), "body")
    return {**brush, "value": {**brush["value"], **value}}


@pytest.mark.parametrize(
    ("one", "words"),
    [
        (painted(np.ones((4, 4), bool), "hat"), r"label \['hat'\], which was not asked for"),
        (painted(np.ones((4, 5), bool), "body"), "for 5 x 4 pixels, and the picture has 4 x 4"),
        (enclosed(SQUARE, "body", (4, 4), image_rotation=90), "for 4 x 4 pixels, turned"),
        ({**region(), "type": "rectanglelabels"}, "of kind 'rectanglelabels', and the page has brush and polygon"),
        ("brush", "of kind 'None'"),
        (region(rle="AAAA"), "run lengths are missing or longer"),
        (region(rle=[0] * 300), "run lengths are missing or longer"),
        (region(rle=[0, 0, 0, 64, 300]), "no bytes"),
        (region(rle=[0, 0, 0, 64, "a"]), "no bytes"),
        (region(rle=[255, 255, 255, 255, 0, 0]), "of another size"),
        (region(rle=[0, 0, 0, 64, 57, 27]), "cannot be decoded"),
        (region(brushlabels=["body", "sleeve"]), "label"),
        (enclosed(SQUARE[:2], "body", (4, 4)), "fewer than 3"),
        (enclosed([*SQUARE, (float("nan"), 1.0)], "body", (4, 4)), "no pairs of numbers"),
        (enclosed([*SQUARE, (1.0,)], "body", (4, 4)), "no pairs of numbers"),  # type: ignore[list-item]
    ],
)
def test_a_region_that_does_not_fit_is_one_sentence_that_names_the_annotation(one, words):
    with pytest.raises(SelvedgeError, match=words) as refusal:
        mask_of([one], CLASSES, (4, 4), HERE)
    assert str(refusal.value).startswith(HERE) and str(refusal.value).count(". ") == 0


def test_what_nobody_draws_costs_no_time():
    began = time.monotonic()
    with pytest.raises(SelvedgeError, match=f"more than {MOST_REGIONS} nobody draws"):
        mask_of([region()] * 10**5, CLASSES, (4, 4), HERE)
    with pytest.raises(SelvedgeError, match="run lengths are missing or longer"):
        mask_of([region(rle=[0] * 10**7)], CLASSES, (4, 4), HERE)
    assert time.monotonic() - began < 5


def _odd(points, x, y):
    """Even-odd rule, edge by edge."""
    inside = np.zeros(x.shape, bool)
    for (x0, y0), (x1, y1) in zip(points, np.roll(points, -1, axis=0), strict=True):
        if y0 != y1:
            inside ^= ((y0 > y) != (y1 > y)) & (x < x0 + (y - y0) * (x1 - x0) / (y1 - y0))
    return inside


def _distance(points, x, y):
    """Of every pixel's centre to the outline."""
    nearest = np.full(x.shape, np.inf)
    for start, end in zip(points, np.roll(points, -1, axis=0), strict=True):
        along = end - start
        length = max(float(along @ along), 1e-300)
        share = np.clip(((x - start[0]) * along[0] + (y - start[1]) * along[1]) / length, 0, 1)
        nearest = np.minimum(nearest, np.hypot(x - start[0] - share * along[0], y - start[1] - share * along[1]))
    return nearest
