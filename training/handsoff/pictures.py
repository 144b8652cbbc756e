"""Product pictures as a generator learns them: squares on white, one memory-mapped file.

Belongs here: finding the pictures of a folder or a catalogue, squaring, writing and reading. Not here: batches
(loop.py), which garments are drawn for the base (drawn.py).

`pictures.npy` is (N, S, S, 3) uint8; `pictures.json` holds names and a hash over all of it. A training reads the array
from disk as it needs it, so a catalogue of a million products takes no more memory than one of a thousand.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageOps

from catalog.errors import SelvedgeError
from catalog.pictures import FORMATS, Limits, decoded
from catalog.pixels import srgb_on_white
from catalog.quarantine import Rejection
from catalog.stores import stored_bytes
from training.folders import written_whole
from training.handsoff.settings import SIDES

FORMAT = 1
SUFFIXES = tuple(f".{name.lower()}" for name in (*FORMATS, "jpg", "tif"))
Progress = Callable[[int, int, str], None]
Read = Callable[[], bytes]


@dataclass(frozen=True)
class Pictures:
    """Prepared pictures.

    Attributes:
        array: (N, S, S, 3) uint8 RGB, read-only; on disk where it was read from there.
        names: N names, a file's path in its folder or a product id. digest: hex sha256 over pictures and names.
    """

    array: np.ndarray
    names: tuple[str, ...]
    digest: str

    def __len__(self) -> int:
        return len(self.array)

    @property
    def size(self) -> int:
        """Side of the pictures, pixels."""
        return int(self.array.shape[1])

    def at(self, rows: np.ndarray) -> torch.Tensor:
        """(n, S, S, 3) uint8 of some rows."""
        return torch.from_numpy(np.ascontiguousarray(self.array[rows]))


def of_folder(folder: Path) -> list[tuple[str, Read]]:
    """Name and reader of every picture of a folder and its subfolders, by name.

    Raises:
        SelvedgeError: there is no such folder, or no picture in it.
    """
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    if not files:
        raise SelvedgeError(f"folder {folder} holds no pictures ({', '.join(SUFFIXES)}); give a folder of pictures.")
    return [(path.relative_to(folder).as_posix(), path.read_bytes) for path in files]


def of_tables(images: Any, splits: Any, leave_out: Sequence[str] = ("test",)) -> list[tuple[str, Read]]:
    """Product id and reader of every catalogued picture, each file once.

    Args:
        images, splits: published tables (pandas). leave_out: splits whose pictures the generator must not see.

    Raises:
        SelvedgeError: no picture is left.
    """
    hidden = set(splits.loc[splits["split"].isin(leave_out), "product_id"])
    rows = images[~images["product_id"].isin(hidden)].drop_duplicates("sha256").sort_values("product_id")
    if rows.empty:
        raise SelvedgeError("the catalogue has no picture outside its test split; read a larger one.")
    return [
        (str(product_id), partial(stored_bytes, uri))
        for product_id, uri in zip(rows["product_id"], rows["uri"], strict=True)
    ]


def square(content: bytes, size: int) -> np.ndarray:
    """A picture file as (size, size, 3) uint8: all of it, centred on white, anti-aliased.

    Raises:
        catalog.quarantine.Rejection: it does not decode, or is too large.
    """
    image = srgb_on_white(decoded(content, Limits(), 2 * size))
    return np.asarray(ImageOps.pad(image, (size, size), Image.Resampling.BOX, color="white"))


def prepare_pictures(
    sources: Sequence[tuple[str, Read]], size: int, folder: Path, progress: Progress | None = None
) -> Pictures:
    """Square every picture and write them as one folder, whole or not at all.

    Args:
        sources: of `of_folder` or `of_tables`. size: side, pixels, one of SIDES.

    Raises:
        SelvedgeError: a side that no generator has, no pictures, a picture that is missing or does not decode, or the
            disk is full or not writable; what was there before stays.
    """
    if size not in SIDES:
        raise SelvedgeError(f"size {size} of the pictures is not one of {list(SIDES)}; choose one of them.")
    if not sources:
        raise SelvedgeError("there are no pictures to prepare; give a folder or a catalogue that has some.")
    names = [name for name, _ in sources]
    with written_whole(folder, "pictures") as part:
        shape = (len(sources), size, size, 3)
        array = np.lib.format.open_memmap(part / "pictures.npy", mode="w+", dtype=np.uint8, shape=shape)
        for row, picture in enumerate(_squares(sources, size)):
            array[row] = picture
            if progress is not None:
                progress(row + 1, len(sources), "squaring pictures")
        array.flush()
        about = {"format": FORMAT, "size": size, "pictures": len(sources), "names": names}
        about["digest"] = _digest(array, names)
        (part / "pictures.json").write_text(json.dumps(about, indent=1), encoding="utf-8")
    return read_pictures(folder)


def read_pictures(folder: Path, size: int | None = None) -> Pictures:
    """What `prepare_pictures` wrote, mapped into memory and held to its hash.

    Args:
        size: the side that they must have; None takes any.

    Raises:
        SelvedgeError: missing, damaged, of another format or of another side.
    """
    again = "prepare them again."
    try:
        about: Mapping[str, Any] = json.loads((folder / "pictures.json").read_text(encoding="utf-8"))
        array = np.load(folder / "pictures.npy", mmap_mode="r", allow_pickle=False)
        names = tuple(map(str, about["names"]))
        version, expected = about["format"], about["digest"]
    except FileNotFoundError as error:
        raise SelvedgeError(f"pictures {folder} do not exist; prepare them first.") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SelvedgeError(f"pictures {folder} are damaged ({error}); {again}") from error
    if version != FORMAT:
        raise SelvedgeError(f"pictures {folder} have format {version}, this version reads {FORMAT}; {again}")
    if array.dtype != np.uint8 or array.ndim != 4 or _digest(array, names) != expected:
        raise SelvedgeError(f"pictures {folder} do not match their digest; {again}")
    if size is not None and array.shape[1] != size:
        raise SelvedgeError(
            f"pictures {folder} are {array.shape[1]} pixels wide and {size} are wanted; prepare them at that size or "
            "set handsoff.size."
        )
    return Pictures(array, names, expected)


def pictures_of(array: np.ndarray, names: Sequence[str]) -> Pictures:
    """Pictures that are in memory already: (N, S, S, 3) uint8."""
    return Pictures(array, tuple(names), _digest(array, names))


def _squares(sources: Iterable[tuple[str, Read]], size: int) -> Iterator[np.ndarray]:
    for name, read in sources:
        try:
            yield square(read(), size)
        except OSError as error:
            raise SelvedgeError(f"picture {name} cannot be read ({error}); take it out or bring it back.") from error
        except (Rejection, ValueError) as error:
            raise SelvedgeError(f"picture {name} does not decode ({error}); take it out or replace it.") from error


def _digest(array: np.ndarray, names: Sequence[str]) -> str:
    whole = hashlib.sha256(json.dumps([FORMAT, list(array.shape), list(names)]).encode())
    for start in range(0, len(array), 1024):
        whole.update(np.ascontiguousarray(array[start : start + 1024]).data)
    return whole.hexdigest()
