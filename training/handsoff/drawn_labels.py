"""Labelled drawn garments as files: what a person draws is to HandsOff what the drawn truth is here.

Belongs here: writing a folder of them, as many as asked. Not here: the truth (catalog/drawn/truth.py), the folder's
format (labels.py).
"""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from catalog.drawn.spec import BLOCK, sample_spec
from catalog.drawn.truth import GROUPS, draw_truth
from catalog.files import png_bytes
from training.folders import written_whole
from training.handsoff.labels import LABELS_FILE, LabelKinds, labels_json


def write_drawn_labels(folder: Path, number: int, seed: int, first: int = 0, size: int = 128) -> None:
    """Write a folder of labelled pictures whole; one that is there stays.

    Args:
        number: of pictures, each of an item of its own. seed: of the drawing. first: items that are left out before
            them. size: side, pixels; divides 256.

    Raises:
        SelvedgeError: the disk is full or not writable; nothing is left.
    """
    if folder.exists():
        return
    numbers = [BLOCK * (first + item) for item in range(number)]
    truths = ((number, draw_truth(sample_spec(seed, number), size)) for number in numbers)
    write_labelled(folder, ((f"{number:06d}", truth.image, truth.classes) for number, truth in truths))


def write_labelled(folder: Path, labelled: Iterable[tuple[str, np.ndarray, np.ndarray]]) -> None:
    """Write a folder of pictures with masks of the drawn catalogue's classes, whole or not at all.

    Args:
        labelled: names, (S, S, 3) uint8 pictures and (S, S) uint8 classes.

    Raises:
        SelvedgeError: as `write_drawn_labels`.
    """
    listed: dict[str, dict[str, list[float]]] = {}
    with written_whole(folder, "labelled pictures") as part:
        for kind in ("images", "masks"):
            (part / kind).mkdir()
        for name, picture, mask in labelled:
            (part / "images" / f"{name}.png").write_bytes(png_bytes(picture))
            (part / "masks" / f"{name}.png").write_bytes(png_bytes(mask))
            listed[name] = {}
        (part / LABELS_FILE).write_text(labels_json(LabelKinds(tuple(GROUPS)), listed), encoding="utf-8")
