"""The files of a product, its JSON and its image, checked and measured a chunk of products at a time.

Belongs here: what one worker process does while a catalogue is read. Not here: rows (rows.py), tables (reading.py).

Worker processes import this module, so it stays free of pandas and pyarrow.
"""

from typing import Any, NamedTuple

from catalog.pictures import Limits, Measured, measure_picture
from catalog.product_json import ProductDetails, parse_product_json
from catalog.quarantine import Reason, Rejection
from catalog.source import File, fetch, why_unopened


class ProductFiles(NamedTuple):
    """Where one product's files are; the JSON is optional."""

    product_id: int
    image: File
    details: File | None


class Chunk(NamedTuple):
    """Work for one call: some products of one source."""

    file_system: Any
    products: list[ProductFiles]
    limits: Limits


Checked = tuple[Measured, ProductDetails | None] | tuple[Reason, str]
"""What is known of a sound product, or why it is rejected."""


def check_chunk(chunk: Chunk) -> list[Checked]:
    """One outcome per product, in order."""
    with_json = [product for product in chunk.products if product.details is not None]
    json_files = [product.details for product in with_json if product.details is not None]
    fetched = fetch(chunk.file_system, json_files, chunk.limits.json_bytes)
    documents = {product.product_id: content for product, content in zip(with_json, fetched, strict=True)}
    images = fetch(chunk.file_system, [product.image for product in chunk.products], chunk.limits.image_bytes)
    outcomes: list[Checked] = []
    for product, image in zip(chunk.products, images, strict=True):
        try:
            details = _details(documents.get(product.product_id), product, chunk.limits)
            outcomes.append((_measured(image, product, chunk.limits), details))
        except Rejection as rejection:
            outcomes.append((rejection.reason, rejection.detail))
    return outcomes


def _details(content: bytes | int | None, product: ProductFiles, limits: Limits) -> ProductDetails | None:
    if product.details is None:
        return None
    if content is None:
        raise Rejection(Reason.BROKEN_JSON, f"{product.details.uri} cannot be opened ({why_unopened(product.details)})")
    if isinstance(content, int):
        raise Rejection(Reason.BROKEN_JSON, f"{content:,} bytes; the limit is {limits.json_bytes:,}")
    return parse_product_json(content, product.product_id)


def _measured(content: bytes | int | None, product: ProductFiles, limits: Limits) -> Measured:
    if content is None:
        raise Rejection(Reason.MISSING_IMAGE, f"{product.image.uri} cannot be opened ({why_unopened(product.image)})")
    if isinstance(content, int):
        raise Rejection(Reason.IMAGE_TOO_LARGE, f"{content:,} bytes; the limit is {limits.image_bytes:,}")
    return measure_picture(content, limits)
