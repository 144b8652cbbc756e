"""Labelled drawn garments as files: what a person draws is to HandsOff what the drawn truth is here.

Belongs here: writing a folder of them, as many as asked. Not here: the truth (catalog/drawn/truth.py), the folder's
format (labels.py).
"""

from pathlib import Path

from catalog.drawn.spec import BLOCK, sample_spec
from catalog.drawn.truth import GROUPS, draw_truth
from catalog.files import png_bytes
from training.folders import written_whole
from training.handsoff.labels import LabelKinds, labels_json


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
    with written_whole(folder, "labelled pictures") as part:
        for name in ("images", "masks"):
            (part / name).mkdir()
        for product_id in numbers:
            truth = draw_truth(sample_spec(seed, product_id), size)
            (part / "images" / f"{product_id:06d}.png").write_bytes(png_bytes(truth.image))
            (part / "masks" / f"{product_id:06d}.png").write_bytes(png_bytes(truth.classes))
        listed: dict[str, dict[str, list[float]]] = {f"{product_id:06d}": {} for product_id in numbers}
        (part / "labels.json").write_text(labels_json(LabelKinds(tuple(GROUPS)), listed), encoding="utf-8")
