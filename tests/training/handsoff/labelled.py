"""Labelled shapes for the tests: two-coloured boxes whose masks, corner and distance are known."""

import json
from pathlib import Path

import numpy as np

from catalog.files import png_bytes
from tests.training.handsoff.small import SIZE, shapes
from training.handsoff.labels import LabelKinds, LabelledPictures, labels_json, map_png
from training.handsoff.pictures import Pictures

KINDS = LabelKinds(("background", "upper", "lower"), ("corner",), {"depth": (0.0, 1.0)})


def labelled(n: int = 12, size: int = SIZE, seed: int = 0, pictures: Pictures | None = None) -> LabelledPictures:
    """Boxes of one colour; the upper half of a box is class 1, the lower class 2, and depth grows downwards."""
    pictures = pictures or shapes(n, size, seed)
    box = (pictures.array < 250).any(axis=-1)
    masks, points, maps = [], [], []
    for inside in box:
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        middle = (rows[0] + rows[-1] + 1) // 2
        lower = inside & (np.arange(inside.shape[0])[:, None] >= middle)
        masks.append(inside.astype(np.uint8) + lower)
        points.append([[columns[0] + 0.5, rows[0] + 0.5, 1]])
        maps.append([inside * np.linspace(0, 1, inside.shape[0])[:, None]])
    return LabelledPictures(
        pictures, KINDS, np.stack(masks), np.asarray(points, np.float32), np.asarray(maps, np.float32)
    )


def write(folder: Path, labels: LabelledPictures) -> Path:
    """The folder that `read_labelled` reads."""
    for name in ("images", "masks", "maps/depth"):
        (folder / name).mkdir(parents=True)
    points = {}
    for row, name in enumerate(labels.pictures.names):
        (folder / "images" / f"{name}.png").write_bytes(png_bytes(labels.pictures.array[row]))
        (folder / "masks" / f"{name}.png").write_bytes(png_bytes(labels.masks[row]))
        (folder / "maps" / "depth" / f"{name}.png").write_bytes(map_png(labels.maps[row, 0], (0.0, 1.0)))
        points[name] = {"corner": [float(v) for v in labels.points[row, 0, :2]]}
    (folder / "labels.json").write_text(labels_json(labels.kinds, points))
    return folder


def changed(file: Path, **changes: object) -> None:
    """A JSON file with some names changed."""
    file.write_text(json.dumps(json.loads(file.read_text()) | changes))
