"""Drawings: every label must be seen in the picture, and mask, keypoints and colour must agree with it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import binary_dilation
from skimage.color import deltaE_ciede2000, rgb2lab

from catalog.drawn import VERSION, GarmentSpec, contact_sheet, draw_garment, sample_spec
from catalog.drawn import parts as part_labels
from catalog.drawn.vocabulary import ARTICLES, ATTRIBUTES
from catalog.errors import SelvedgeError

FROZEN = Path(__file__).parent / "frozen.json"
MAIN_PARTS = (part_labels.BODY, part_labels.LEG, part_labels.SKIRT, part_labels.UPPER)
NEEDED_PARTS = {
    "Shirts": {part_labels.BODY, part_labels.COLLAR, part_labels.BUTTON, part_labels.PLACKET},
    "Jeans": {part_labels.LEG, part_labels.WAISTBAND, part_labels.BUTTON},
    "Skirts": {part_labels.SKIRT, part_labels.WAISTBAND},
    "Casual Shoes": {part_labels.UPPER, part_labels.SOLE},
    "Heels": {part_labels.UPPER, part_labels.SOLE, part_labels.HEEL},
    "Handbags": {part_labels.BODY},
    "Backpacks": {part_labels.BODY, part_labels.STRAP, part_labels.HANDLE},
}


def first_of(article_type: str, count: int = 1, style: str = "studio", seed: int = 8) -> list[GarmentSpec]:
    specs: list[GarmentSpec] = []
    product_id = 0
    while len(specs) < count:
        spec = sample_spec(seed, product_id, style)
        if spec.article_type == article_type:
            specs.append(spec)
        product_id += 1
    return specs


def small_print(spec: GarmentSpec) -> list[int]:
    """The picture in 6 x 6 mean colours: what a change of the drawing changes, and another processor does not."""
    image = draw_garment(spec, 96, parts=False).image.astype(float)
    return np.rint(image.reshape(6, 16, 6, 16, 3).mean((1, 3))).astype(int).ravel().tolist()


@pytest.mark.parametrize("article_type", ARTICLES)
@pytest.mark.parametrize("style", ["studio", "atelier"])
def test_the_mask_covers_the_garment_and_nothing_else(article_type: str, style: str) -> None:
    for spec in first_of(article_type, 3, style):
        drawing = draw_garment(spec, 160)
        assert drawing.image.shape == (160, 160, 3) and drawing.image.dtype == np.uint8
        garment = drawing.parts > 0
        assert set(np.unique(drawing.parts)) <= set(part_labels.NAMES)
        assert NEEDED_PARTS.get(article_type, set()) <= set(np.unique(drawing.parts))
        assert 0.05 < garment.mean() < 0.85
        assert not (garment[0].any() or garment[-1].any() or garment[:, 0].any() or garment[:, -1].any())
        # Hard edges must be edges of the mask: outside it there is only backdrop and soft shadow.
        grey = drawing.image.astype(int).sum(2)
        steps = np.zeros_like(garment)
        steps[:, 1:] |= np.abs(np.diff(grey, axis=1)) > 170
        steps[1:] |= np.abs(np.diff(grey, axis=0)) > 170
        assert not (steps & ~binary_dilation(garment, iterations=3)).any()


@pytest.mark.parametrize("article_type", ARTICLES)
def test_keypoints_lie_on_the_garment(article_type: str) -> None:
    for spec in first_of(article_type, 3):
        drawing = draw_garment(spec, 128)
        near = binary_dilation(drawing.parts > 0, iterations=5)
        assert len(drawing.keypoints) >= 3
        for name, (x, y) in drawing.keypoints.items():
            assert near[min(127, max(0, int(y))), min(127, max(0, int(x)))], (spec.product_id, name)


def test_a_solid_garment_has_the_colour_it_is_said_to_have() -> None:
    """Median over the main part: within ΔE2000 16 always, 9 nine times of ten (light and folds move the median)."""
    distances = []
    for product_id in range(260):
        spec = sample_spec(6, product_id)
        if spec.attributes.get("Pattern", "Solid") != "Solid":
            continue
        drawing = draw_garment(spec, 96)
        pixels = drawing.image[np.isin(drawing.parts, MAIN_PARTS)].reshape(1, -1, 3)
        median = np.median(rgb2lab(pixels)[0], axis=0)
        distances.append(float(deltaE_ciede2000(median, np.asarray(spec.base_lab))))
    assert max(distances) < 16
    assert np.percentile(distances, 90) < 9


def test_every_attribute_value_can_be_told_apart() -> None:
    """Changing one attribute changes the picture, far beyond JPEG noise, at the size a model sees."""
    for attribute, by_type in ATTRIBUTES.items():
        for article_type, weights in by_type.items():
            spec = first_of(article_type)[0]
            pictures = {
                value: draw_garment(
                    replace(spec, attributes={**spec.attributes, attribute: value}), 128, parts=False
                ).image.astype(int)
                for value in weights
            }
            values = list(pictures)
            for number, value in enumerate(values):
                for other in values[:number]:
                    changed = np.abs(pictures[value] - pictures[other]).max(axis=2) > 16
                    assert changed.sum() > 30, (attribute, article_type, value, other)


def test_a_cut_shows_for_whom_it_is_made() -> None:
    for article_type, article in ARTICLES.items():
        spec = first_of(article_type)[0]
        masks = {g: draw_garment(replace(spec, gender=g), 128).parts > 0 for g in article.genders}
        names = list(masks)
        for number, gender in enumerate(names):
            for other in names[:number]:
                assert (masks[gender] ^ masks[other]).mean() > 0.008, (article_type, gender, other)


def test_a_reshot_looks_alike_and_is_another_file() -> None:
    reshots = 0
    for product_id in range(1, 400):
        again = sample_spec(7, product_id)
        if again.shot == 0:
            continue
        before = sample_spec(7, product_id - 1)
        first, second = draw_garment(before, 96).image, draw_garment(again, 96).image
        assert (first != second).any()
        difference = np.abs(first.astype(int) - second.astype(int))
        assert difference.mean() < 18
        reshots += 1
    assert reshots > 5


def test_masks_are_skipped_without_changing_the_picture() -> None:
    spec = sample_spec(1, 10001)
    assert draw_garment(spec, 128, parts=False).parts is None
    assert (draw_garment(spec, 128, parts=False).image == draw_garment(spec, 128).image).all()


def test_the_second_style_draws_the_same_truth_otherwise() -> None:
    spec = sample_spec(1, 10001)
    studio, atelier = draw_garment(spec, 128), draw_garment(spec, 128, "atelier")
    assert np.abs(studio.image.astype(int) - atelier.image.astype(int)).mean() > 8
    assert sample_spec(1, 10001, "atelier").attributes == spec.attributes


def test_the_drawing_is_frozen_under_its_version() -> None:
    """A changed picture needs a new VERSION: models were tuned on the old one. This file as a script rewrites."""
    frozen = json.loads(FROZEN.read_text())
    assert frozen["version"] == VERSION, "the drawing has a new version: write its prints with this file as a script"
    for key, expected in frozen["prints"].items():
        style, article_type = key.split("/")
        prints_now = small_print(first_of(article_type, style=style)[0])
        assert np.abs(np.subtract(prints_now, expected)).max() <= 2, key


def test_the_contact_sheet_has_the_size_asked_for() -> None:
    sheet = contact_sheet(3, columns=3, rows=2, size=64, article_types=["Shirts", "Heels"])
    assert sheet.size == (192, 128)
    with pytest.raises(SelvedgeError, match="'Hats' cannot be drawn"):
        contact_sheet(3, article_types=["Hats"])


def _freeze() -> None:
    prints = {
        f"{style}/{name}": small_print(first_of(name, style=style)[0])
        for style in ("studio", "atelier")
        for name in ARTICLES
    }
    FROZEN.write_text(json.dumps({"version": VERSION, "prints": prints}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    _freeze()
