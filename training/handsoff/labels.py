"""Labelled pictures: what people drew on a few, or a labeller on many, beside the pictures themselves.

Belongs here: which labels there are, the squared labels of a few pictures, reading a folder of them, the PNG files of
one. Not here: COCO JSON (coco.py), squaring a picture (pictures.py), learning from them (labeller_training.py).

A folder holds `images/`, for every picture a mask `masks/<name>.png` (8 bits, one class a pixel), for every map
`maps/<map>/<name>.png` (16 bits between the map's low and high), and `labels.json`, which names classes, keypoints and
maps and lists the points. A folder with `coco.json` in place of the last is read by that. A generated set has both.
"""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from catalog.errors import SelvedgeError
from catalog.files import json_sha256, png_bytes
from catalog.pictures import Limits, decoded
from catalog.quarantine import Rejection
from training.handsoff.coco import read_coco
from training.handsoff.pictures import Pictures, of_folder, pictures_of, square

FORMAT = 1
LABELS_FILE, COCO_FILE = "labels.json", "coco.json"
MOST_CLASSES = 255
DEEPEST = 65535  # of a 16-bit map
WHOLE = 10**6  # pixels: no JPEG is decoded smaller than it is


@dataclass(frozen=True)
class LabelKinds:
    """What is labelled.

    Attributes:
        classes: names; a mask's number k is the k-th, the first is the background; () where no masks are.
        keypoints: names. maps: continuous maps, name -> their least and largest value.
    """

    classes: tuple[str, ...] = ()
    keypoints: tuple[str, ...] = ()
    maps: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        maps = {name: list(bounds) for name, bounds in self.maps.items()}
        return {"classes": list(self.classes), "keypoints": list(self.keypoints), "maps": maps}

    @property
    def outputs(self) -> int:
        """How many numbers a labeller gives for a pixel."""
        return len(self.classes) + len(self.keypoints) + len(self.maps)


def kinds_of(plain: Any, where: str) -> LabelKinds:
    """Kinds from plain data.

    Raises:
        SelvedgeError: not what `to_dict` gives; a name twice; one class; a map whose low is not below its high.
    """
    try:
        classes, keypoints = (tuple(map(str, plain.get(name) or ())) for name in ("classes", "keypoints"))
        maps = {str(name): (float(low), float(high)) for name, (low, high) in (plain.get("maps") or {}).items()}
    except (AttributeError, TypeError, ValueError) as error:
        raise SelvedgeError(f"{where} does not name its classes, keypoints and maps as lists ({error}).") from error
    for names in (classes, keypoints):
        for name in names:
            if names.count(name) > 1:
                raise SelvedgeError(f"{where} names {name!r} twice; give every class and keypoint a name of its own.")
    if len(classes) == 1 or len(classes) > MOST_CLASSES:
        raise SelvedgeError(
            f"{where} names {len(classes)} class{'' if len(classes) == 1 else 'es'}; a labeller tells between 2 and "
            f"{MOST_CLASSES}, of which the first is the background."
        )
    for name, (low, high) in maps.items():
        if not low < high:
            raise SelvedgeError(f"{where} gives map {name!r} the range {low:g} to {high:g}; low must be below high.")
    kinds = LabelKinds(classes, keypoints, maps)
    if not kinds.outputs:
        raise SelvedgeError(f"{where} names no class, keypoint or map; name what is labelled.")
    return kinds


@dataclass(frozen=True)
class LabelledPictures:
    """Squared pictures with their labels.

    Attributes:
        pictures: (N, S, S, 3) with names. kinds: what is labelled.
        masks: (N, S, S) uint8 classes; all 0 where there are none.
        points: (N, keypoints, 3) float32: x, y in pixels, centres at .5, and 1 where it is shown, else 0.
        maps: (N, maps, S, S) float32.
    """

    pictures: Pictures
    kinds: LabelKinds
    masks: np.ndarray
    points: np.ndarray
    maps: np.ndarray

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def digest(self) -> str:
        """Hex sha256 of pictures and labels."""
        whole = hashlib.sha256(json_sha256([self.pictures.digest, self.kinds.to_dict()]).encode())
        for part in (self.masks, self.points, self.maps):
            whole.update(np.ascontiguousarray(part).data)
        return whole.hexdigest()

    def rows(self, rows: Sequence[int] | np.ndarray) -> "LabelledPictures":
        """Some of them."""
        picked = np.asarray(rows, np.int64)
        names = [self.pictures.names[row] for row in picked]
        return LabelledPictures(
            pictures_of(np.ascontiguousarray(self.pictures.array[picked]), names),
            self.kinds,
            self.masks[picked],
            self.points[picked],
            self.maps[picked],
        )


def read_labelled(folder: Path, size: int) -> LabelledPictures:
    """The labelled pictures of a folder, squared as a generator of that size sees them.

    Raises:
        SelvedgeError: naming the file: no labelled picture; a mask or map that is missing, damaged or of another size
            than its picture; a class that is not named; one class only; ids that a COCO file gives twice.
    """
    coco = folder / COCO_FILE
    if not (folder / LABELS_FILE).is_file() and not coco.is_file():
        raise SelvedgeError(
            f"folder {folder} holds no labelled picture: neither {LABELS_FILE} with images/ and masks/, nor "
            f"{COCO_FILE}; label some pictures first."
        )
    if (folder / LABELS_FILE).is_file():
        source: _OfFiles | _OfCoco = _OfFiles(folder)
    else:
        source = _OfCoco(folder)
    sources = source.pictures()
    arrays, masks, points, maps = [], [], [], []
    for name, content in sources:
        picture, whole = _picture(name, content, size)
        frame = _Frame(whole, size)
        mask = source.mask(name, whole)
        _refuse_classes(mask, source.kinds, source.where(name))
        arrays.append(picture)
        masks.append(frame.classes(mask))
        points.append(frame.points(source.points(name), source.kinds.keypoints))
        maps.append([frame.values(source.map(name, of, whole)) for of in source.kinds.maps])
    labelled = LabelledPictures(
        pictures_of(np.stack(arrays), [name for name, _ in sources]),
        source.kinds,
        np.stack(masks),
        np.stack(points).reshape(len(sources), len(source.kinds.keypoints), 3),
        np.asarray(maps, np.float32).reshape(len(sources), len(source.kinds.maps), size, size),
    )
    if source.kinds.classes and len(np.unique(labelled.masks)) == 1:
        only = source.kinds.classes[int(labelled.masks.flat[0])]
        raise SelvedgeError(
            f"the masks of {folder} show one class only ({only}); label pictures that show at least two."
        )
    return labelled


def map_png(values: np.ndarray, bounds: tuple[float, float]) -> bytes:
    """A 16-bit PNG of an (S, S) float map; values beyond its bounds are put to them."""
    low, high = bounds
    share = np.clip((values - low) / (high - low), 0, 1)
    return png_bytes(Image.fromarray(np.rint(share * DEEPEST).astype(np.uint16)))


def labels_json(kinds: LabelKinds, points: Mapping[str, Mapping[str, Sequence[float]]]) -> str:
    """The text of `labels.json`: the pictures that it lists are the set's, whatever else lies beside them.

    Args:
        points: picture -> keypoint -> x, y in its pixels, of those that are shown.
    """
    return json.dumps({"format": FORMAT, **kinds.to_dict(), "pictures": points}, indent=1) + "\n"


class _OfFiles:
    """Labels as PNG files and labels.json."""

    def __init__(self, folder: Path) -> None:
        self.folder, file = folder, folder / LABELS_FILE
        try:
            about = json.loads(file.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise SelvedgeError(f"{file} cannot be read ({error}); see docs/cli.md for what it holds.") from error
        if not isinstance(about, dict) or about.get("format", FORMAT) != FORMAT:
            raise SelvedgeError(f"{file} is of another format than {FORMAT}; update selvedge, or label again.")
        self.kinds = kinds_of(about, str(file))
        listed = about.get("pictures") or {}
        self.listed: dict[str, Any] = dict(listed) if isinstance(listed, dict) else {str(name): {} for name in listed}

    def pictures(self) -> list[tuple[str, bytes]]:
        images = self.folder / "images"
        files = {_stem(name): read for name, read in of_folder(images)} if images.is_dir() else {}
        names = sorted(self.listed or files)
        for name in names:
            if name not in files:
                raise SelvedgeError(f"{self.folder / LABELS_FILE} lists picture {name}, which images/ does not hold.")
        if not names:
            raise SelvedgeError(f"folder {self.folder} holds no labelled picture; put some into images/ and masks/.")
        return [(name, files[name]()) for name in names]

    def where(self, name: str) -> str:
        return f"mask {self.folder / 'masks' / name}.png"

    def mask(self, name: str, whole: tuple[int, int]) -> np.ndarray:
        if not self.kinds.classes:
            return np.zeros(whole[::-1], np.uint8)
        image = self._image(self.folder / "masks" / f"{name}.png", whole)
        if image.mode not in ("L", "P", "1", "I;16", "I"):
            raise SelvedgeError(
                f"{self.where(name)} is in colour ({image.mode}); save one class number a pixel, 8 bits, or a palette."
            )
        return np.asarray(image).astype(np.int64)

    def map(self, name: str, of: str, whole: tuple[int, int]) -> np.ndarray:
        low, high = self.kinds.maps[of]
        values = np.asarray(self._image(self.folder / "maps" / of / f"{name}.png", whole), np.float32)
        return low + (high - low) * values / DEEPEST

    def points(self, name: str) -> Mapping[str, Sequence[float]]:
        points = self.listed.get(name) or {}
        unnamed = sorted(set(points) - set(self.kinds.keypoints))
        if unnamed:
            raise SelvedgeError(
                f"{self.folder / LABELS_FILE} gives picture {name} the keypoint {unnamed[0]!r}, which it does not name."
            )
        return points

    def _image(self, file: Path, whole: tuple[int, int]) -> Image.Image:
        try:
            with Image.open(io.BytesIO(file.read_bytes())) as image:
                image.load()
        except FileNotFoundError as error:
            raise SelvedgeError(f"{file} is missing; draw it, or take its picture out of images/.") from error
        except (OSError, SyntaxError, ValueError) as error:
            raise SelvedgeError(f"{file} does not decode ({error}); save it again.") from error
        if image.size != whole:
            raise SelvedgeError(
                f"{file} is {image.width} x {image.height} pixels and its picture {whole[0]} x {whole[1]}; "
                "save it in the picture's size."
            )
        return image


class _OfCoco:
    """Labels as one COCO file."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.content = folder, read_coco(folder / COCO_FILE)
        self.kinds = kinds_of(
            {"classes": self.content.classes, "keypoints": self.content.keypoints}, str(folder / COCO_FILE)
        )

    def pictures(self) -> list[tuple[str, bytes]]:
        sources = []
        for name in sorted(self.content.images):
            file = next((p for p in (self.folder / "images" / name, self.folder / name) if p.is_file()), None)
            if file is None:
                raise SelvedgeError(f"{self.folder / COCO_FILE} lists picture {name}, which is not beside it.")
            sources.append((name, file.read_bytes()))
        return sources

    def where(self, name: str) -> str:
        return f"{self.folder / COCO_FILE}, picture {name}"

    def mask(self, name: str, whole: tuple[int, int]) -> np.ndarray:
        size = self.content.images[name].size
        if size != whole:
            raise SelvedgeError(
                f"{self.where(name)}: its masks are {size[0]} x {size[1]} pixels and the picture {whole[0]} x "
                f"{whole[1]}; export it again."
            )
        return self.content.mask(name)

    def map(self, name: str, of: str, whole: tuple[int, int]) -> np.ndarray:
        raise AssertionError("COCO has no maps")

    def points(self, name: str) -> Mapping[str, Sequence[float]]:
        return self.content.images[name].points


class _Frame:
    """How a picture of (width, height) lies in its square, for labels: as `pictures.square` puts the picture."""

    def __init__(self, whole: tuple[int, int], size: int) -> None:
        self.whole, self.size = whole, size

    def classes(self, mask: np.ndarray) -> np.ndarray:
        """(size, size) uint8: the class that covers most of each pixel; background around the picture."""
        there = np.union1d(mask, [0])  # around a picture that shows none of it, too
        shares = [self._padded(np.asarray(mask == number, np.float32), float(number == 0)) for number in there]
        picked: np.ndarray = there[np.argmax(np.stack(shares), axis=0)].astype(np.uint8)
        return picked

    def values(self, values: np.ndarray) -> np.ndarray:
        """(size, size) float32 means of a map; 0 around the picture."""
        return self._padded(values.astype(np.float32), 0.0)

    def points(self, points: Mapping[str, Sequence[float]], names: Sequence[str]) -> np.ndarray:
        """(keypoints, 3) float32."""
        scale = self.size / max(self.whole)
        inset = [round((self.size - round(side * scale)) / 2) for side in self.whole]
        placed = np.zeros((len(names), 3), np.float32)
        for row, name in enumerate(names):
            if name in points:
                x, y = map(float, points[name][:2])
                placed[row] = x * scale + inset[0], y * scale + inset[1], 1
        return placed

    def _padded(self, values: np.ndarray, around: float) -> np.ndarray:
        image = Image.fromarray(values)
        padded = ImageOps.pad(image, (self.size, self.size), Image.Resampling.BOX, color=around)  # type: ignore[arg-type]
        return np.asarray(padded, np.float32)


def _picture(name: str, content: bytes, size: int) -> tuple[np.ndarray, tuple[int, int]]:
    """The squared picture, and the width and height that it has."""
    try:
        return square(content, size), decoded(content, Limits(), WHOLE).size
    except (Rejection, ValueError) as error:
        raise SelvedgeError(f"picture {name} does not decode ({error}); take it out or replace it.") from error


def _refuse_classes(mask: np.ndarray, kinds: LabelKinds, where: str) -> None:
    unknown = [int(number) for number in np.unique(mask) if kinds.classes and number >= len(kinds.classes)]
    if unknown:
        y, x = np.argwhere(mask == unknown[0])[0]
        raise SelvedgeError(
            f"{where} holds class {unknown[0]} (first at x {x}, y {y}), and only 0 to {len(kinds.classes) - 1} are "
            "named; name it in classes, or draw it over."
        )


def _stem(name: str) -> str:
    return str(Path(name).with_suffix("").as_posix())
