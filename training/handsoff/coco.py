"""COCO JSON: masks and keypoints as the field exchanges them.

Belongs here: reading and writing that one file. Not here: pictures and PNG masks beside it (labels.py).

Category k of a file we write is class k of the masks; the background is no category. A mask is written as uncompressed
run lengths down the columns, which pycocotools reads; read are those, compressed ones and polygons. Where annotations
of one picture overlap, the later one lies on top.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from catalog.errors import SelvedgeError

BACKGROUND = "background"


@dataclass
class CocoImage:
    """One picture: (width, height) in pixels, its annotations' segmentations with their classes, its points."""

    size: tuple[int, int]
    drawn: list[tuple[int, Any]] = field(default_factory=list)
    points: dict[str, tuple[float, float]] = field(default_factory=dict)


@dataclass(frozen=True)
class CocoContent:
    """A file's content. classes: background, then its categories by id; keypoints: of all categories, each once."""

    classes: tuple[str, ...]
    keypoints: tuple[str, ...]
    images: Mapping[str, CocoImage]
    file: Path

    def mask(self, name: str) -> np.ndarray:
        """(height, width) int64 classes of a picture.

        Raises:
            SelvedgeError: a segmentation that does not fit the picture.
        """
        image = self.images[name]
        width, height = image.size
        mask = np.zeros((height, width), np.int64)
        for number, segmentation in image.drawn:
            try:
                mask[_covered(segmentation, width, height)] = number
            except (TypeError, ValueError, KeyError, IndexError) as error:
                raise SelvedgeError(
                    f"{self.file}: a segmentation of picture {name} cannot be read ({error}); export the file again."
                ) from error
        return mask


def read_coco(file: Path) -> CocoContent:
    """Categories, pictures and annotations of a COCO file.

    Raises:
        SelvedgeError: not JSON, not COCO; an id that two pictures, categories or annotations share; an annotation of a
            picture or category that is not there.
    """
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        images, categories, annotations = (list(content[part]) for part in ("images", "categories", "annotations"))
        pictures = _by_id(images, "image", file)
        kinds = _by_id(categories, "category", file)
        _by_id(annotations, "annotation", file)
        masked = sorted({a["category_id"] for a in annotations if a.get("segmentation")} & set(kinds))
        numbers = {number: row for row, number in enumerate(masked, 1)}
        names = [str(image["file_name"]) for image in images]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise SelvedgeError(f"{file} lists picture {twice} under two ids; leave one of them.")
        whole = {str(p["file_name"]): CocoImage((int(p["width"]), int(p["height"]))) for p in pictures.values()}
        for annotation in annotations:
            _place(annotation, pictures, kinds, numbers, whole, file)
    except (OSError, ValueError) as error:
        raise SelvedgeError(f"{file} cannot be read as JSON ({error}); export it again.") from error
    except (KeyError, TypeError) as error:
        raise SelvedgeError(f"{file} is no COCO file (it lacks {error}); export it again as COCO.") from error
    keypoints = list(dict.fromkeys(str(n) for kind in kinds.values() for n in kind.get("keypoints") or ()))
    classes = (BACKGROUND, *(str(kinds[number]["name"]) for number in masked)) if masked else ()
    if not whole:
        raise SelvedgeError(f"{file} holds no labelled picture; export it with its pictures.")
    return CocoContent(classes, tuple(keypoints), whole, file)


def coco_json(
    classes: Sequence[str],
    keypoints: Sequence[str],
    pictures: Iterable[tuple[str, np.ndarray, Mapping[str, Sequence[float]]]],
) -> str:
    """The text of a COCO file.

    Args:
        classes: the first is the background and no category. keypoints: of a category of their own, after the classes.
        pictures: file name, (height, width) uint8 classes and shown keypoints of each.
    """
    categories: list[dict[str, Any]] = [{"id": k, "name": name} for k, name in enumerate(classes) if k]
    pointed = max(1, len(classes))
    if keypoints:
        categories.append({"id": pointed, "name": "product", "keypoints": list(keypoints), "skeleton": []})
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for number, (name, mask, points) in enumerate(pictures, 1):
        height, width = mask.shape
        images.append({"id": number, "file_name": name, "width": width, "height": height})
        for k in np.unique(mask):
            if k and len(classes):
                annotations.append({"category_id": int(k), "image_id": number, **_annotation(mask == k)})
        if keypoints:
            flat = [v for n in keypoints for v in ((*map(float, points[n][:2]), 2) if n in points else (0, 0, 0))]
            box = {name: value for name, value in _annotation(mask > 0).items() if name != "segmentation"}
            whole = {"keypoints": flat, "num_keypoints": len(points)}
            annotations.append({"category_id": pointed, "image_id": number, **box, **whole})
    for number, annotation in enumerate(annotations, 1):
        annotation["id"] = number
    return json.dumps({"images": images, "categories": categories, "annotations": annotations}) + "\n"


def run_lengths(covered: np.ndarray) -> list[int]:
    """Lengths of the runs of a (height, width) bool mask down its columns, of what is not covered first."""
    flat = np.concatenate([[False], covered.ravel(order="F")])
    turns = np.flatnonzero(flat[1:] != flat[:-1])
    runs = np.diff(np.concatenate([[0], turns, [covered.size]]))
    return [int(run) for run in runs]


def _annotation(covered: np.ndarray) -> dict[str, Any]:
    """Segmentation, area and box of a mask; an empty one has a box of no size."""
    rows, columns = np.flatnonzero(covered.any(axis=1)), np.flatnonzero(covered.any(axis=0))
    box = [0, 0, 0, 0]
    if len(rows):
        box = [int(columns[0]), int(rows[0]), int(columns[-1] - columns[0] + 1), int(rows[-1] - rows[0] + 1)]
    runs = {"counts": run_lengths(covered), "size": list(covered.shape)}
    return {"segmentation": runs, "area": int(covered.sum()), "bbox": box, "iscrowd": 0}


def _by_id(entries: Sequence[Any], what: str, file: Path) -> dict[int, Any]:
    numbered: dict[int, Any] = {}
    for entry in entries:
        number = entry["id"]
        if number in numbered:
            raise SelvedgeError(
                f"{file} gives the id {number!r} to two entries of kind {what}, so that nobody can tell what belongs "
                "to which; export it again with ids of their own."
            )
        numbered[number] = entry
    return numbered


def _place(
    annotation: Any,
    pictures: Mapping[int, Any],
    kinds: Mapping[int, Any],
    numbers: Mapping[int, int],
    whole: Mapping[str, CocoImage],
    file: Path,
) -> None:
    """Put an annotation to its picture."""
    for what, entries in (("image", pictures), ("category", kinds)):
        number = annotation[f"{what}_id"]
        if number not in entries:
            raise SelvedgeError(
                f"{file}: annotation {annotation['id']} is of {what} {number!r}, which is not there; export it again."
            )
    image = whole[str(pictures[annotation["image_id"]]["file_name"])]
    kind = kinds[annotation["category_id"]]
    if kind.get("keypoints") and annotation.get("keypoints"):
        triples = np.asarray(annotation["keypoints"], float).reshape(-1, 3)
        if len(triples) != len(kind["keypoints"]):
            raise SelvedgeError(f"{file}: annotation {annotation['id']} has {len(triples)} keypoints, and its category "
                                f"{len(kind['keypoints'])}; export it again.")  # fmt: skip
        shown = zip(kind["keypoints"], triples, strict=True)
        image.points |= {str(name): (float(x), float(y)) for name, (x, y, v) in shown if v > 0}
    if annotation.get("segmentation"):
        image.drawn.append((numbers[annotation["category_id"]], annotation["segmentation"]))


def _covered(segmentation: Any, width: int, height: int) -> np.ndarray:
    """(height, width) bool of polygons or run lengths."""
    if isinstance(segmentation, list):
        canvas = Image.new("1", (width, height))
        for polygon in segmentation:
            ImageDraw.Draw(canvas).polygon([float(value) for value in polygon], fill=1)
        return np.asarray(canvas, bool)
    counts = segmentation["counts"]
    runs = _decompressed(counts) if isinstance(counts, str) else [int(run) for run in counts]
    if list(segmentation["size"]) != [height, width] or sum(runs) != height * width or min(runs) < 0:
        raise ValueError(f"run lengths of {segmentation['size']} for a picture of {[height, width]}")
    flat = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return flat.reshape((height, width), order="F")


def _decompressed(text: str) -> list[int]:
    """Run lengths of COCO's compressed text: six bits a character, five of them digits, differences to two before."""
    runs: list[int] = []
    value, shift = 0, 0
    for letter in text:
        six = ord(letter) - 48
        value |= (six & 31) << shift
        shift += 5
        if not six & 32:
            value -= (1 << shift) if six & 16 else 0
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value, shift = 0, 0
    return runs
