"""Files: written whole or not at all, pictures as the bytes of a file, the hash of plain data.

Belongs here: publishing one file or one folder, encoding a picture, hashing JSON. Not here: whether a place may be
written, and by whom (places.py), tables (tables.py), what a picture or a file holds (its writer).

Worker processes import this module, so it stays free of pandas and pyarrow.
"""

import base64
import hashlib
import io
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from catalog.errors import SelvedgeError, ServiceUnavailable
from catalog.places import LOCAL_PROTOCOLS, not_written, part_of, parts_of_the_dead, remove_parts
from catalog.stores import bounded

if TYPE_CHECKING:
    from upath import UPath
OLD = ".old"  # of a folder that is being replaced
NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL


def publish_bytes(content: bytes, uri: "str | Path | UPath", *, sync: bool = True, private: bool = False) -> None:
    """Write a file whole or not at all: a reader sees the old file or the new one.

    On disk a temporary sibling takes the file's name at the end; on an object store it is one completed upload.

    Args:
        sync: force the file to disk before it takes its name, so that it survives a power cut. Off where a rerun
            checks every file: 44,000 syncs take minutes.
        private: on disk, only its owner may read it, or enter a folder that is made for it. A store has its own policy.

    Raises:
        SelvedgeError: the disk is full or not writable, or the store refuses the write.
        ServiceUnavailable: the object store did not answer.
    """
    from upath import UPath  # serving an artefact that was trained elsewhere needs no paths into stores

    path = UPath(uri)
    if path.protocol in LOCAL_PROTOCOLS:
        _publish_on_disk(content, Path(path.path), sync, private)
    else:
        _publish_on_store(content, path)


def publish_text(text: str, uri: "str | Path | UPath", *, private: bool = False) -> None:
    """`publish_bytes` of a text, as UTF-8."""
    publish_bytes(text.encode(), uri, private=private)


def _publish_on_disk(content: bytes, path: Path, sync: bool, private: bool) -> None:
    part = part_of(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700 if private else 0o777)
        if sync:  # a folder of 44,000 copies is cleared once for all (catalog/images.py)
            remove_parts(path.parent, path.name)
        try:
            with os.fdopen(os.open(part, NEW_FILE, 0o600 if private else 0o666), "wb") as file:
                file.write(content)
                file.flush()
                if sync:
                    os.fsync(file.fileno())
            part.replace(path)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise not_written(path, error) from error


def _publish_on_store(content: bytes, path: "UPath") -> None:
    try:
        bounded(path.fs)
        try:
            path.write_bytes(content)
        except FileNotFoundError:  # a store with folders; a bucket has none, and asking each time is a round trip
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except PermissionError as error:
        raise SelvedgeError(
            f"{path} could not be written ({error.strerror or error}); nothing was changed. Check the credentials and "
            "the bucket's policy."
        ) from error
    except Exception as error:  # each store's client raises its own
        raise ServiceUnavailable(f"{path} could not be written ({error}); run again.") from error


@contextmanager
def whole_folder(folder: Path, replacing: bool = True) -> Iterator[Path]:
    """An empty folder to fill, which takes the place of `folder` when all went well and vanishes otherwise.

    A kill leaves the old folder or the new one; an old one that was set aside is put back at the next use. What killed
    processes left is removed.

    Args:
        replacing: whether a folder that holds something may be replaced.

    Raises:
        OSError: the disk is full or not writable, or a folder came to hold something that is not to be replaced; what
            was there before stays.
    """
    put_back(folder)
    part = part_of(folder)
    try:
        part.mkdir(parents=True)
        remove_parts(folder.parent, folder.name)
        yield part
        if replacing and folder.exists():
            aside = part.with_suffix(OLD)
            folder.rename(aside)
            part.rename(folder)
            shutil.rmtree(aside)
            for earlier in parts_of_the_dead(folder.parent, folder.name, OLD[1:]):
                shutil.rmtree(earlier, ignore_errors=True)
        else:
            part.rename(folder)  # takes the place of an empty folder, and of no other
    finally:
        shutil.rmtree(part, ignore_errors=True)


def put_back(folder: Path) -> None:
    """Give a folder its name again where a process was killed between setting it aside and naming the new one."""
    if not folder.exists():
        for aside in parts_of_the_dead(folder.parent, folder.name, OLD[1:])[:1]:
            aside.rename(folder)


def png_bytes(picture: Image.Image | np.ndarray, **options: Any) -> bytes:
    """A picture as a PNG file.

    Args:
        picture: a Pillow image, or an array that Pillow can take: (height, width) or (height, width, 3 or 4) uint8.
        options: of Pillow's PNG writer, such as `optimize` and `compress_level`; they decide the bytes.
    """
    return _encoded(picture, "PNG", options)


def jpeg_bytes(picture: Image.Image | np.ndarray, quality: int, **options: Any) -> bytes:
    """A picture as a JPEG file.

    Args:
        picture: as for `png_bytes`, without transparency.
        quality: 1 to 95, libjpeg's scale.
        options: of Pillow's JPEG writer, such as `subsampling` (0 keeps full colour resolution) and `exif`.
    """
    return _encoded(picture, "JPEG", {"quality": quality, **options})


def _encoded(picture: Image.Image | np.ndarray, form: str, options: dict[str, Any]) -> bytes:
    image = Image.fromarray(picture) if isinstance(picture, np.ndarray) else picture
    sink = io.BytesIO()
    image.save(sink, form, **options)
    return sink.getvalue()


def data_uri(content: bytes, kind: str) -> str:
    """An encoded picture as an address that needs no network.

    Args:
        kind: its media type, like `image/png`.
    """
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def json_sha256(content: Any, *, sort_keys: bool = True, **options: Any) -> str:
    """Hex sha256 of plain data's JSON text: `json.dumps` with sorted keys, its default separators, ASCII only.

    Args:
        content: what `json.dumps` takes. Hashes are kept in files and databases, so a caller never changes its form.
            For the same reason those that go on from the JSON's text over arrays or files stay where they are made.
        sort_keys: whether the order of a mapping's keys is left out of the hash.
        options: further options of `json.dumps`, such as `allow_nan=False`, `separators` and `ensure_ascii=False`.
    """
    return hashlib.sha256(json.dumps(content, sort_keys=sort_keys, **options).encode()).hexdigest()
