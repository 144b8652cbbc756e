"""Labelled squares for the tests: coloured ones on white, the upper half one class and the lower another."""

from pathlib import Path
from typing import Any

import numpy as np

from catalog.files import png_bytes
from training.handsoff.labels import LabelKinds, labels_json
from training.reporting import Silent
from training.segmenter.candidate import TrainedSegmenter, train_segmenter
from training.segmenter.settings import SegmenterSettings

CLASSES = ("background", "upper", "lower")
SIDE = 16


def drawn(n: int, seed: int = 0, side: int = SIDE) -> tuple[np.ndarray, np.ndarray]:
    """(n, side, side, 3) uint8 and (n, side, side) uint8: red above, blue below, of any lightness."""
    rng = np.random.default_rng(seed)
    pictures, masks = np.full((n, side, side, 3), 255, np.uint8), np.zeros((n, side, side), np.uint8)
    for picture, mask in zip(pictures, masks, strict=True):
        top, left = rng.integers(1, side // 4 + 1, 2)
        middle = side // 2
        for number, rows in ((1, slice(top, middle)), (2, slice(middle, side - top))):
            picture[rows, left:-left] = rng.integers(0, 120)
            picture[rows, left:-left, 0 if number == 1 else 2] = 220
            mask[rows, left:-left] = number
    return pictures, masks


def write(folder: Path, n: int = 12, seed: int = 0, classes: tuple[str, ...] = CLASSES, side: int = SIDE) -> Path:
    """A folder for `read_labelled`; without classes it has a keypoint in their place."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    pictures, masks = drawn(n, seed, side)
    for row, (picture, mask) in enumerate(zip(pictures, masks, strict=True)):
        (folder / "images" / f"{row}.png").write_bytes(png_bytes(picture))
        (folder / "masks" / f"{row}.png").write_bytes(png_bytes(mask))
    kinds = LabelKinds(classes, () if classes else ("corner",))
    (folder / "labels.json").write_text(labels_json(kinds, {str(row): {} for row in range(n)}))
    return folder


def settings(**changes: Any) -> SegmenterSettings:
    small = {
        "data": "labelled", "size": SIDE, "width": 8, "steps": 12, "batch_size": 4, "device": "cpu", "jitter": 0.0,
        "report_every": 4, "checkpoint_every": 100, "precision": "fp32",
    }  # fmt: skip
    return SegmenterSettings(**(small | changes))


def train(
    labelled: Path, folder: Path, generated: Path | None = None, reporter: Any = None, **changes: Any
) -> TrainedSegmenter:
    return train_segmenter(labelled, generated, settings(**changes), folder, reporter or Silent())
