"""Reading a catalogue: from a folder or bucket in the Kaggle layout to products and quarantine.

Belongs here: the order of the steps, the two tables, the counts. Not here: lines (rows.py), the files of one product
(product_files.py), what the products are used for.

Every data line of `styles.csv` ends in exactly one of the two tables. Memory stays bounded by the rows: images are
decoded in worker processes, a chunk at a time, and only their hashes and sizes come back.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from upath import UPath

from catalog.errors import SelvedgeError
from catalog.pictures import Limits
from catalog.product_files import Checked, Chunk, ProductFiles, check_chunk
from catalog.quarantine import Reason, Rejected
from catalog.rows import NO_IMAGE, Row, StylesFile, clean_values, parse_images, parse_styles
from catalog.source import File, Source
from catalog.tables import schema_of
from catalog.workers import Progress, map_in_order

CHUNK_PRODUCTS = 64
CHUNK_BYTES = 64 * 2**20
IMAGE_SUFFIXES = ("jpg", "jpeg", "png", "webp")


@dataclass(frozen=True)
class CatalogueRead:
    """What reading a drop gave.

    `counts`: rows, products, quarantined, quarantine {reason: n}, recovered, not_utf8, missing {column: {spelling: n}},
    missing_attributes {name: n}, with_json, turned (images that EXIF said to turn).
    """

    products: pa.Table  # schema `products`, in the file's order
    quarantine: pa.Table  # schema `quarantine`, in the file's order
    counts: dict[str, Any]


@dataclass
class _Tally:
    missing: dict[str, Counter[str]] = field(default_factory=dict)
    missing_attributes: Counter[str] = field(default_factory=Counter)
    with_json: int = 0
    turned: int = 0


def read_catalogue(
    source: str | Path | UPath,
    drop: str,
    *,
    limits: Limits | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
) -> CatalogueRead:
    """Every row of a catalogue as a product or in quarantine.

    Args:
        source: a local folder or `s3://` URI with styles.csv, images/, and perhaps images.csv and styles/.
        drop: the name of this delivery, written in every row.
        limits: what an image or JSON may weigh.
        workers: processes; by default as many as pay off.
        progress: called with (done, total, "reading").

    Returns:
        rows in = products + quarantine, always.

    Raises:
        SelvedgeError: no catalogue there, no row, or no row that became a product.
        ServiceUnavailable: the object store did not answer.
    """
    catalogue = Source(source)
    limits = limits or Limits()
    styles_name = str(catalogue.root / "styles.csv")
    content = catalogue.read("styles.csv")
    if content is None:
        raise SelvedgeError(f"{styles_name} does not exist; a catalogue has its rows in styles.csv.")
    parsed = parse_styles(content, styles_name)
    rows, files, without = _find_files(parsed.rows, catalogue)
    outcomes = _check_files(files, catalogue, limits, workers, progress)

    tally = _Tally()
    rejected = [*parsed.rejected, *without]
    records: list[dict[str, Any]] = []
    for row, product, outcome in zip(rows, files, outcomes, strict=True):
        if isinstance(outcome[0], Reason):
            rejected.append(Rejected(row.line, outcome[0], row.raw, str(outcome[1])))
        else:
            records.append(_record(row, product, outcome, tally))
    rejected.sort(key=lambda rejection: rejection.line)
    counts = _counts(parsed, records, rejected, tally)
    if not records:
        faults = ", ".join(f"{reason} {number}" for reason, number in counts["quarantine"].items())
        raise SelvedgeError(f"{styles_name}: none of its {parsed.lines} rows became a product ({faults}).")
    return CatalogueRead(_products_table(records, drop), _quarantine_table(rejected, drop), counts)


def _find_files(rows: Sequence[Row], source: Source) -> tuple[list[Row], list[ProductFiles], list[Rejected]]:
    """The rows that have an image, their files, and the rows that have none."""
    images = source.files("images", IMAGE_SUFFIXES)
    details = source.files("styles", ("json",))
    listed = source.read("images.csv")
    declared_missing = {name.rpartition(".")[0] for name in parse_images(listed)} if listed is not None else set()
    with_image: list[Row] = []
    files: list[ProductFiles] = []
    without: list[Rejected] = []
    for row in rows:
        stem = str(row.product_id)
        image = images.get(stem)
        if stem in declared_missing:
            without.append(Rejected(row.line, Reason.MISSING_IMAGE, row.raw, f"images.csv links it to {NO_IMAGE!r}"))
        elif image is None:
            without.append(Rejected(row.line, Reason.MISSING_IMAGE, row.raw, f"no file images/{stem}.jpg"))
        else:
            with_image.append(row)
            files.append(ProductFiles(row.product_id, image, details.get(stem)))
    return with_image, files, without


def _check_files(
    files: list[ProductFiles], source: Source, limits: Limits, workers: int | None, progress: Progress | None
) -> list[Checked]:
    chunks = [Chunk(source.file_system, products, limits) for products in _chunked(files)]
    outcomes: list[Checked] = []
    for checked in map_in_order(check_chunk, chunks, workers=workers):
        outcomes.extend(checked)
        if progress is not None:
            progress(len(outcomes), len(files), "reading")
    return outcomes


def _chunked(files: list[ProductFiles]) -> list[list[ProductFiles]]:
    """Chunks of at most CHUNK_PRODUCTS products and, where the listing gives sizes, about CHUNK_BYTES."""
    chunks: list[list[ProductFiles]] = []
    weight = 0
    for product in files:
        size = _size(product.image) + _size(product.details)
        if not chunks or weight + size > CHUNK_BYTES or len(chunks[-1]) >= CHUNK_PRODUCTS:
            chunks.append([])
            weight = 0
        chunks[-1].append(product)
        weight += size
    return chunks


def _size(file: File | None) -> int:
    return (file.size or 0) if file is not None else 0


def _record(row: Row, product: ProductFiles, outcome: Checked, tally: _Tally) -> dict[str, Any]:
    measured, details = outcome
    assert not isinstance(measured, Reason) and not isinstance(details, str)
    gender, master, sub, article, colour, season, year, usage, name = clean_values(row, tally.missing)
    tally.turned += measured.turned
    if details is not None:
        tally.with_json += 1
        tally.missing_attributes.update(details.missing_attributes)
    return {
        "product_id": row.product_id,
        "line": row.line,
        "gender": gender,
        "master_category": master,
        "sub_category": sub,
        "article_type": article,
        "base_colour": colour,
        "season": season,
        "year": year,
        "usage": usage,
        "product_display_name": name,
        "brand": details.brand if details else None,
        "variant": details.variant if details else None,
        "attributes": list(details.attributes.items()) if details else [],
        "descriptors": list(details.descriptors.items()) if details else [],
        "image_uri": product.image.uri,
        "image_sha256": measured.sha256,
        "image_dhash": measured.dhash,
        "image_width": measured.width,
        "image_height": measured.height,
        "recovered": row.recovered,
    }


def _counts(
    parsed: StylesFile, records: list[dict[str, Any]], rejected: list[Rejected], tally: _Tally
) -> dict[str, Any]:
    by_reason = Counter(str(rejection.reason) for rejection in rejected)
    return {
        "rows": parsed.lines,
        "products": len(records),
        "quarantined": len(rejected),
        "quarantine": {str(reason): by_reason[reason] for reason in Reason if by_reason[reason]},
        "recovered": parsed.recovered,
        "not_utf8": parsed.not_utf8,
        "missing": {column: dict(spellings) for column, spellings in sorted(tally.missing.items())},
        "missing_attributes": dict(tally.missing_attributes.most_common()),
        "with_json": tally.with_json,
        "turned": tally.turned,
    }


def _products_table(records: list[dict[str, Any]], drop: str) -> pa.Table:
    schema = schema_of("products")
    columns = [
        pa.array([drop] * len(records), pa.string())
        if name == "drop"
        else pa.array([record[name] for record in records], schema.field(name).type)
        for name in schema.names
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def _quarantine_table(rejected: list[Rejected], drop: str) -> pa.Table:
    columns = {
        "drop": [drop] * len(rejected),
        "line": [rejection.line for rejection in rejected],
        "reason": [str(rejection.reason) for rejection in rejected],
        "raw": [rejection.raw for rejection in rejected],
        "detail": [rejection.detail for rejection in rejected],
    }
    return pa.table(columns, schema=schema_of("quarantine"))
