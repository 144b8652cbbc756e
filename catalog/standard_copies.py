"""Standard copies on disk or in a bucket: made and stored a chunk of pictures at a time.

Belongs here: what one worker process does while images are standardised. Not here: what a standard copy is
(pictures.py), the table of all of them (images.py).

Copies are named by their content, so two products with one picture share a file, a rerun writes only what is missing,
and a file that exists is whole. Worker processes import this module, so it stays free of pandas and pyarrow.
"""

from pathlib import Path
from typing import Any, NamedTuple

from upath import UPath

from catalog.errors import SelvedgeError
from catalog.files import publish_bytes
from catalog.pictures import Limits, StandardCopy, standard_copy
from catalog.quarantine import Rejection
from catalog.source import File, fetch, is_local
from catalog.stores import is_there


class Delivered(NamedTuple):
    """An image as the products table names it."""

    uri: str
    sha256: str


class CopyChunk(NamedTuple):
    """Work for one call: some images of one source."""

    images: list[Delivered]
    out: str
    storage_options: dict[str, Any]
    limits: Limits


class Stored(NamedTuple):
    """A standard copy where it lies."""

    uri: str
    sha256: str
    width: int
    height: int


def store_copies(chunk: CopyChunk) -> list[Stored]:
    """Standard copies of a chunk's images, in order.

    Raises:
        SelvedgeError: an image is not the one that was read, or a copy cannot be written.
    """
    out = UPath(chunk.out, **chunk.storage_options)
    first = UPath(chunk.images[0].uri)
    if is_local(first):
        file_system, files = None, [File(image.uri, image.uri, None) for image in chunk.images]
    else:
        file_system, files = first.fs, [File(UPath(image.uri).path, image.uri, None) for image in chunk.images]
    stored = []
    for image, content in zip(chunk.images, fetch(file_system, files, chunk.limits.image_bytes), strict=True):
        copy = _copy(image, content, chunk.limits)
        name = f"{copy.sha256[:2]}/{copy.sha256}.jpg"
        uri = (
            _store_local(f"{out.path}/{name}", copy.content)
            if is_local(out)
            else _store_remote(out / name, copy.content)
        )
        stored.append(Stored(uri, copy.sha256, copy.width, copy.height))
    return stored


def _copy(image: Delivered, content: bytes | int | None, limits: Limits) -> StandardCopy:
    changed = f"image {image.uri} is not the one that was read; read the drop again."
    if not isinstance(content, bytes):
        raise SelvedgeError(changed)
    try:
        copy = standard_copy(content, limits)
    except Rejection as rejection:
        raise SelvedgeError(changed) from rejection
    if copy.source_sha256 != image.sha256:
        raise SelvedgeError(changed)
    return copy


def _store_local(path: str, content: bytes) -> str:
    """Not synced to disk one by one, as tables are: a rerun checks every file's size."""
    try:
        whole = Path(path).stat().st_size == len(content)
    except OSError:  # none yet; what else may be wrong, writing it says
        whole = False
    if not whole:
        publish_bytes(content, path, sync=False)
    return path


def _store_remote(path: UPath, content: bytes) -> str:
    if not is_there(path):
        publish_bytes(content, path)
    return str(path)
