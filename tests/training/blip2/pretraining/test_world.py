"""The generic world: the same scene on every call, with its parts where the picture shows them."""

import numpy as np

from catalog.drawn.world import FAMILIES, RESERVED_SEEDS, lab_to_rgb, rgb_to_lab, sample_scene
from catalog.drawn.world_canvas import draw_world


def test_a_scene_is_its_seed_and_number():
    assert sample_scene(5, 17) == sample_scene(5, 17) != sample_scene(6, 17)
    first, second = (draw_world(sample_scene(5, 17), 64) for _ in range(2))
    assert np.array_equal(first.image, second.image) and np.array_equal(first.parts, second.parts)


def test_every_family_occurs_and_shows_what_it_holds():
    seen = {}
    for number in range(120):
        scene = sample_scene(2, number)
        drawing = draw_world(scene, 96)
        seen[scene.family] = scene
        assert drawing.image.shape == (96, 96, 3) and drawing.image.dtype == np.uint8
        assert drawing.parts.any(), scene
        if scene.family == "things":
            assert set(np.unique(drawing.parts)) <= set(range(len(scene.things) + 1))
            for index, thing in enumerate(scene.things, start=1):
                rows, columns = np.nonzero(drawing.parts == index)
                assert (
                    abs(columns.mean() / 96 - thing.x) < 0.3 * thing.size
                    and abs(rows.mean() / 96 - thing.y) < 0.3 * thing.size
                )
    assert set(seen) == {name for name, _ in FAMILIES}


def test_lab_and_back():
    for rgb in ((0, 0, 0), (255, 255, 255), (12, 200, 99), (180, 20, 240)):
        back = lab_to_rgb(rgb_to_lab(rgb))
        assert back is not None and max(abs(a - b) for a, b in zip(rgb, back, strict=True)) <= 1


def test_no_catalogue_seed_a_person_types_is_reserved():
    assert 2026 not in RESERVED_SEEDS and 2**31 in RESERVED_SEEDS
