"""Images: the standard copy of every product's picture, and the table that says where it lies.

Belongs here: the `images` table. Not here: what a standard copy is (pictures.py), storing some of them
(standard_copies.py).
"""

from pathlib import Path

import pyarrow as pa
from upath import UPath

from catalog.pictures import Limits
from catalog.places import remove_parts
from catalog.source import is_local
from catalog.standard_copies import CopyChunk, Delivered, Stored, store_copies
from catalog.tables import schema_of
from catalog.workers import Progress, map_in_order

CHUNK_IMAGES = 64


def standardise_images(
    products: pa.Table,
    out: str | Path | UPath,
    progress: Progress | None = None,
    *,
    limits: Limits | None = None,
    workers: int | None = None,
) -> pa.Table:
    """Standard copies (JPEG, RGB, upright, long side at most 512 pixels) of all products' images.

    Args:
        products: schema `products`.
        out: folder or bucket; a copy lies at `<out>/<first two digits>/<sha256>.jpg`.
        progress: called with (done, total, "standardising").
        limits: as for `read_catalogue`.
        workers: processes; by default as many as pay off.

    Returns:
        schema `images`, one row per product, in the products' order.

    Raises:
        SelvedgeError: an image is not the one that was read, or a copy cannot be written.
    """
    uris, hashes = products.column("image_uri").to_pylist(), products.column("image_sha256").to_pylist()
    images = [Delivered(uri, sha256) for uri, sha256 in zip(uris, hashes, strict=True)]
    folder = UPath(out)
    if is_local(folder):
        folder = UPath(Path(folder.path).expanduser().resolve())
        for subfolder in Path(folder.path).glob("[0-9a-f][0-9a-f]"):
            remove_parts(subfolder)
    chunks = [
        CopyChunk(images[start : start + CHUNK_IMAGES], str(folder), dict(folder.storage_options), limits or Limits())
        for start in range(0, len(images), CHUNK_IMAGES)
    ]
    stored: list[Stored] = []
    for done in map_in_order(store_copies, chunks, workers=workers):
        stored.extend(done)
        if progress is not None:
            progress(len(stored), len(images), "standardising")
    columns = {
        "drop": products.column("drop"),
        "product_id": products.column("product_id"),
        "source_sha256": products.column("image_sha256"),
        "uri": [copy.uri for copy in stored],
        "sha256": [copy.sha256 for copy in stored],
        "width": [copy.width for copy in stored],
        "height": [copy.height for copy in stored],
    }
    return pa.table(columns, schema=schema_of("images"))
