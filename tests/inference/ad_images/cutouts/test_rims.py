"""No white fringe along a product's edge and no white wedge in its gaps, on the small JPEG pictures of a catalogue."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from catalog.drawn import draw_garment, sample_spec
from inference.ad_images.cutouts.border import Backdrop, backdrop_of, product_mask
from inference.ad_images.cutouts.cut import BLUR, find_outline
from inference.ad_images.cutouts.lab import lab_of
from inference.ad_images.cutouts.rims import without_rims


def photographed(product_id: int, size: int, quality: int, seed: int = 7) -> tuple[np.ndarray, np.ndarray]:
    """A drawn product as a small JPEG, and where it was drawn."""
    drawing = draw_garment(sample_spec(seed, product_id), size)
    assert drawing.parts is not None
    sink = io.BytesIO()
    Image.fromarray(drawing.image).save(sink, "JPEG", quality=quality)
    return np.asarray(Image.open(sink).convert("RGB")), drawing.parts > 0


def overlap(mask: np.ndarray, truth: np.ndarray) -> float:
    return float((mask & truth).sum() / (mask | truth).sum())


@pytest.mark.parametrize(
    ("product_id", "size", "quality"),
    [(10026, 256, 88), (10005, 256, 88), (10025, 256, 88), (10025, 168, 80)],
    ids=["blue jeans", "blue heels", "turquoise jeans", "turquoise jeans, smaller"],
)
def test_no_backdrop_is_left_beside_a_coloured_product(product_id: int, size: int, quality: int) -> None:
    rgb, truth = photographed(product_id, size, quality)
    mask = find_outline(rgb).mask
    beside = mask & ~ndimage.binary_dilation(truth, iterations=2)
    assert beside.sum() < 0.02 * truth.sum()
    assert overlap(mask, truth) >= 0.94


@pytest.mark.parametrize(("product_id", "size"), [(10013, 256), (10044, 168)], ids=["under a sleeve", "between legs"])
def test_a_gap_that_narrows_is_empty_to_its_end(product_id: int, size: int) -> None:
    rgb, truth = photographed(product_id, size, 80 if size < 200 else 88)
    wedge = find_outline(rgb).mask & ~ndimage.binary_dilation(truth, iterations=2)
    assert wedge.sum() < 0.012 * truth.sum()


def test_a_gap_in_a_shadow_is_empty_beside_white_dots_that_stay() -> None:
    rgb, truth = photographed(60005, 256, 88, seed=1007)  # an orange top; dots on its sleeves touch the gaps
    mask = find_outline(rgb).mask
    wedge = ndimage.binary_opening(mask & ~ndimage.binary_dilation(truth, iterations=2))
    lost = ndimage.binary_opening(truth & ~mask)
    assert wedge.sum() < 0.002 * truth.sum()
    assert lost.sum() < 0.002 * truth.sum()


def test_no_flecks_of_a_shadow_stick_out_of_a_product_with_white_prints() -> None:
    rgb, truth = photographed(10011, 256, 88)  # a blue hoodie before cream
    mask = find_outline(rgb).mask
    flecks = mask & ~ndimage.binary_dilation(truth, iterations=2)
    assert flecks.sum() < 0.004 * truth.sum()
    assert ndimage.binary_opening(truth & ~mask).sum() < 0.001 * truth.sum()


@pytest.mark.parametrize(
    ("product_id", "size", "quality"),
    [(10029, 256, 88), (10038, 256, 88), (10036, 168, 80), (20003, 384, 95), (10007, 256, 88), (10023, 256, 88)],
    ids=["white sole", "white sole and laces", "pale shoe", "white stripes", "striped white shirt", "white leaves"],
)
def test_pale_parts_at_the_edge_are_product(product_id: int, size: int, quality: int) -> None:
    rgb, truth = photographed(product_id, size, quality)
    lab = ndimage.gaussian_filter(lab_of(rgb), (BLUR, BLUR, 0))
    backdrop = backdrop_of(lab)
    outline = product_mask(lab, backdrop)
    lost = truth & outline & ~without_rims(lab, outline, backdrop)
    assert lost.sum() < 0.006 * truth.sum()


def painted(edge: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray, Backdrop]:
    """A blue square on white, lightness beside it from outside in; the mask that takes that along; the backdrop."""
    lab = np.zeros((96, 96, 3), np.float32)
    lab[..., 0] = 96
    backdrop = Backdrop(lab.copy(), 1.0, 0.2)
    mask = np.zeros(lab.shape[:2], bool)
    reach = len(edge)
    mask[24 - reach : 72 + reach, 24 - reach : 72 + reach] = True
    for number, lightness in enumerate(edge):
        room = 24 - reach + number
        lab[room : 96 - room, room : 96 - room, 0] = lightness
    lab[24:72, 24:72] = (40, 10, -45)
    return lab, mask, backdrop


def test_what_fades_is_backdrop_and_what_ends_in_a_step_is_product() -> None:
    product = np.zeros((96, 96), bool)
    product[24:72, 24:72] = True
    lab, mask, backdrop = painted((94, 91, 87))
    assert overlap(without_rims(lab, mask, backdrop), product) > 0.98
    lab, mask, backdrop = painted((80, 80, 80))
    assert overlap(without_rims(lab, mask, backdrop), mask) > 0.98


def test_a_pale_product_is_left_as_it_is() -> None:
    lab, mask, backdrop = painted((94, 91, 87))
    lab[24:72, 24:72] = (84, 0, 0)
    assert np.array_equal(without_rims(lab, mask, backdrop), mask)


@pytest.mark.parametrize("bands", [1, 6])
def test_bands_of_the_backdrops_own_colour_do_not_cut_a_product_apart(bands: int) -> None:
    lab, mask, backdrop = painted(())
    for number in range(bands):
        lab[30 + 7 * number : 33 + 7 * number] = (95, 0, 0)
    assert overlap(without_rims(lab, mask, backdrop), mask) > 0.98
