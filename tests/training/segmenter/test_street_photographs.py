"""Street photographs become a label set: every one in one part, hand-made classes merged, unnamed ones background."""

import json
from pathlib import Path

import numpy as np

from benchmarks.handsoff_street import CLASSES, MERGED, divided
from catalog.files import png_bytes
from tests.training.segmenter.squares import drawn
from training.handsoff.labels import read_labelled
from training.segmenter.label_set import read_label_set


def test_photographs_are_divided_and_their_classes_merged(tmp_path: Path) -> None:
    for name in ("photos", "masks"):
        (tmp_path / name).mkdir()
    (tmp_path / "labels.json").write_text(json.dumps(["null", "jeans", "bag", "blouse"]))
    pictures, masks = drawn(7)
    given = np.array([0, 3, 1], np.uint8)[masks]  # above a blouse, below jeans
    given[:, :2] = 2  # a strip of bag along the upper edge
    for row, (picture, mask) in enumerate(zip(pictures, given, strict=True)):
        (tmp_path / "photos" / f"{row}.png").write_bytes(png_bytes(picture))
        (tmp_path / "masks" / f"{row}.png").write_bytes(png_bytes(mask))
    made = read_label_set(divided(tmp_path, 3, 1, tmp_path / "out"))
    labelled, test = (read_labelled(part, 16) for part in (made.labelled, made.test))
    assert {*labelled.pictures.names} | {*test.pictures.names} == {str(row) for row in range(7)}
    assert (len(labelled), len(test)) == (3, 4) and labelled.kinds.classes == CLASSES
    upper, lower = CLASSES.index("upper"), CLASSES.index("lower")
    for name, mask in zip(test.pictures.names, test.masks, strict=True):
        expected = np.array([0, upper, lower], np.uint8)[masks[int(name)]]
        expected[:2] = 0
        assert np.array_equal(mask, expected)


def test_no_class_is_merged_into_two() -> None:
    names = [name for merged in MERGED.values() for name in merged.split()]
    assert len(names) == len(set(names))
