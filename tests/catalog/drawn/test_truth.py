"""Dense truth: labels that agree with the picture they are of, and a drawing that stays as it was."""

from dataclasses import replace

import numpy as np
import pytest

from catalog.drawn import draw_garment, sample_spec
from catalog.drawn import parts as part_labels
from catalog.drawn.truth import GROUPS, draw_truth

SPEC = sample_spec(5, 3)


def test_every_part_is_in_exactly_one_class() -> None:
    members = [number for group in GROUPS.values() for number in group]
    assert sorted(members) == sorted(part_labels.NAMES)


@pytest.mark.parametrize("product_id", [3, 40, 77])
def test_labels_agree_with_the_picture_at_every_size(product_id: int) -> None:
    spec = sample_spec(5, product_id)
    large, small = draw_truth(spec, 128, 128), draw_truth(spec, 32, 128)
    assert (large.image == draw_garment(spec, 128).image).all() and (large.parts == draw_garment(spec, 128).parts).all()
    assert small.image.shape == (32, 32, 3) and small.parts.shape == small.shading.shape == (32, 32)
    for truth in (large, small):
        inside = truth.parts > 0
        assert ((truth.classes > 0) == inside).all()
        # A block that shows mostly backdrop may still hold an edge of the garment.
        assert (truth.edge_distance[inside] > 0).all() and truth.edge_distance.max() <= 0.5
        assert truth.shading[inside].min() > 0 and truth.shading.max() <= 1
    assert large.edge_distance[large.parts == 0].max() == large.shading[large.parts == 0].max() == 0
    for name, (x, y) in small.keypoints.items():
        assert (4 * x, 4 * y) == pytest.approx(large.keypoints[name])


def test_the_distance_is_that_to_the_nearest_pixel_of_the_backdrop() -> None:
    truth = draw_truth(SPEC, 64, 64)
    outside = np.argwhere(truth.parts == 0)
    for y, x in np.argwhere(truth.parts > 0)[::97]:
        assert truth.edge_distance[y, x] * 64 == pytest.approx(np.hypot(*(outside - (y, x)).T).min(), abs=1e-4)


def test_shading_is_the_light_and_neither_colour_nor_pattern() -> None:
    spec = next(s for s in (sample_spec(5, i) for i in range(200)) if s.attributes.get("Pattern") == "Striped")
    striped = draw_truth(spec, 64, 128)
    other = replace(spec, base_lab=(30.0, 40.0, -20.0), attributes=spec.attributes | {"Pattern": "Checked"})
    assert np.array_equal(draw_truth(other, 64, 128).shading, striped.shading)
    brighter = striped.shading[striped.parts > 0]
    assert brighter.std() > 0.01


def test_a_size_that_leaves_half_a_block_is_refused() -> None:
    with pytest.raises(ValueError, match="256 pixels cannot be reduced to 60"):
        draw_truth(SPEC, 60)
