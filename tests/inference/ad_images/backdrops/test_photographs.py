"""Photographs as backgrounds: cut to size, the same every time, and refused in one sentence where there is none."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference.ad_images.backdrops.photographs import Photographs
from inference.ad_images.plan import Support
from inference.ad_images.refusal import AdRefused, RefusalCode
from inference.ad_images.scene import LibraryPhoto, Scene
from tests.inference.ad_images.placed_for_tests import placed_block, scene_of


@pytest.fixture
def photo(tmp_path: Path) -> LibraryPhoto:
    rows, columns = np.mgrid[0:300, 0:450]
    pixels = np.stack([rows * 0.7, 120 + 60 * np.sin(columns / 9), 220 - rows * 0.5], -1).astype(np.uint8)
    file = tmp_path / "shore.png"
    Image.fromarray(pixels).save(file)
    return LibraryPhoto(file, "shore.png", hashlib.sha256(file.read_bytes()).hexdigest(), "CC0-1.0")


def _scene(photo: LibraryPhoto | None, view: Support = Support.STANDS, size: tuple[int, int] = (256, 256)) -> Scene:
    return replace(scene_of("beach", size, view=view), photo=photo)


@pytest.mark.parametrize("view", list(Support))
@pytest.mark.parametrize("size", [(256, 256), (512, 320)])
def test_a_photograph_fills_the_canvas_the_same_way_every_time(
    photo: LibraryPhoto, view: Support, size: tuple[int, int]
) -> None:
    scene, placed = _scene(photo, view, size), placed_block(size, view)
    first, second = Photographs().paint([scene, scene], [placed, placed])
    assert first.shape == (size[1], size[0], 3)
    assert first.dtype == np.uint8
    assert np.array_equal(first, second)
    assert np.array_equal(first, Photographs().paint([scene], [placed])[0])
    assert first.std() > 5


def test_what_stands_gets_a_ledge_and_what_lies_the_whole_photograph(photo: LibraryPhoto) -> None:
    stands, lies = (
        Photographs().paint([_scene(photo, view)], [placed_block(support=view)])[0].astype(int) for view in Support
    )
    stripes = [np.abs(np.diff(picture[200:], axis=1)).mean() for picture in (stands, lies)]
    assert stripes[0] < 0.5 * stripes[1]


def test_a_scene_without_a_photograph_is_refused() -> None:
    with pytest.raises(AdRefused, match="has no photograph") as refusal:
        Photographs().paint([_scene(None)], [placed_block()])
    assert refusal.value.code is RefusalCode.NO_ASSET


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (lambda photo: photo.file.unlink(), "cannot be read"),
        (lambda photo: photo.file.write_bytes(b"other"), "another file than its index lists"),
    ],
)
def test_a_file_that_is_gone_or_another_is_refused(photo: LibraryPhoto, harm: object, sentence: str) -> None:
    harm(photo)  # type: ignore[operator]
    with pytest.raises(AdRefused, match=sentence):
        Photographs().paint([_scene(photo)], [placed_block()])


def test_a_file_that_is_no_picture_is_refused(tmp_path: Path) -> None:
    for content in (b"no picture at all", b"\x89PNG\r\n\x1a\n" + b"\0" * 40):
        file = tmp_path / "odd.png"
        file.write_bytes(content)
        photo = LibraryPhoto(file, "odd.png", hashlib.sha256(content).hexdigest(), "CC0-1.0")
        with pytest.raises(AdRefused, match=r"odd\.png of the media library is no picture"):
            Photographs().paint([_scene(photo)], [placed_block()])


def test_sizes_are_those_of_drawn_scenes() -> None:
    Photographs().check((512, 1024), "beach")
    with pytest.raises(AdRefused, match="multiples of 64") as refusal:
        Photographs().check((500, 500), "beach")
    assert refusal.value.code is RefusalCode.BAD_SIZE
