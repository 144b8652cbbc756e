"""Reading a catalogue: from a folder or bucket in the Kaggle layout to products and quarantine.

Belongs here: the order of the steps, the two tables, the counts, what must be told. Not here: lines (rows.py), the
files of one product (picture_files.py, product_files.py), what the products are used for.

Every data row of `styles.csv` ends in exactly one of the two tables. A category that is spelled otherwise than the
vocabulary has its value's own spelling from here on; one that the vocabulary does not know stays as delivered. Memory
stays bounded by the rows: images are decoded in worker processes, a chunk at a time, and only their hashes and sizes
come back.
"""

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from upath import UPath

from catalog.errors import SelvedgeError
from catalog.mapping import MappedPictures, MappedTable, Mapping, mapped_table
from catalog.picture_files import IMAGE_SUFFIXES, Folder, pair_files
from catalog.pictures import Limits
from catalog.placeholders import shared_pictures
from catalog.product_files import Checked, Chunk, ProductFiles, check_chunk
from catalog.quarantine import Reason, Rejected
from catalog.reading_sentences import doubts, nothing_left, where_else
from catalog.rows import Row, StylesFile, clean_values, parse_styles
from catalog.schema import AttributeSchema, load_schema
from catalog.source import File, Source
from catalog.tables import schema_of
from catalog.values import clean_text, whole_text
from catalog.workers import Progress, map_in_order

CHUNK_PRODUCTS = 64
CHUNK_BYTES = 64 * 2**20
CATEGORY_COLUMNS = {
    "gender": "gender",
    "masterCategory": "master_category",
    "subCategory": "sub_category",
    "articleType": "article_type",
    "baseColour": "base_colour",
    "season": "season",
    "usage": "usage",
}
"""Columns of `styles.csv` that hold a category, and what they are called in table `products`."""


@dataclass(frozen=True)
class CatalogueRead:
    """What reading a drop gave.

    `counts`: rows, products, quarantined, quarantine {reason: n}, recovered, not_utf8, missing {column: {spelling: n}},
    missing_attributes {name: n}, unmapped {attribute: {value: n}} (categories outside the vocabulary), with_json,
    turned (images that EXIF said to turn), warnings (what was guessed or is doubtful, one sentence each).
    """

    products: pa.Table  # schema `products`, in the file's order
    quarantine: pa.Table  # schema `quarantine`, in the file's order
    counts: dict[str, Any]
    table: str = "styles.csv"  # file name of what was read


class NothingReadable(SelvedgeError):
    """No row of a drop became a product; `read` holds the quarantine that says why."""

    def __init__(self, sentence: str, read: CatalogueRead) -> None:
        super().__init__(sentence)
        self.read = read


@dataclass
class _Tally:
    missing: dict[str, Counter[str]] = field(default_factory=dict)
    unmapped: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    missing_attributes: Counter[str] = field(default_factory=Counter)
    json_not_utf8: int = 0
    doubtful: list[list[int]] = field(default_factory=list)  # products of two names on one picture
    with_json: int = 0
    turned: int = 0


def read_catalogue(
    source: str | Path | UPath,
    drop: str,
    *,
    limits: Limits | None = None,
    workers: int | None = None,
    progress: Progress | None = None,
    schema: AttributeSchema | None = None,
    mapping: Mapping | None = None,
) -> CatalogueRead:
    """Every row of a catalogue as a product or in quarantine.

    Args:
        source: a local folder or `s3://` URI with styles.csv, images/, and perhaps images.csv and styles/; the names
            may be in any case.
        drop: the name of this delivery, written in every row.
        limits: what an image or JSON may weigh.
        workers: processes; by default as many as pay off.
        progress: called with (done, total, "reading").
        schema: its vocabularies; by default the shipped ones.
        mapping: of a delivery without styles.csv: which of its columns is what.

    Returns:
        rows in = products + quarantine, always.

    Raises:
        SelvedgeError: no catalogue there, or no row.
        NothingReadable: no row became a product.
        ServiceUnavailable: the object store did not answer.
    """
    catalogue = Source(source)
    limits = limits or Limits()
    styles_name = str(catalogue.root / "styles.csv")
    content = catalogue.read("styles.csv")
    images: Folder | MappedPictures
    if content is not None:
        parsed = parse_styles(content, styles_name)
        images = Folder(catalogue, "images", IMAGE_SUFFIXES)
    elif mapping is not None:
        mapped = mapped_table(catalogue, mapping)
        styles_name = str(catalogue.root / mapped.name)
        parsed = _parse_mapped(mapped, styles_name)
        images = MappedPictures(catalogue, mapping, mapped.images)
    else:
        raise SelvedgeError(f"{styles_name} does not exist; {where_else(catalogue)}.")
    rows, files, without = pair_files(parsed.rows, catalogue, images)
    outcomes = _check_files(files, catalogue, limits, workers, progress)

    tally = _Tally()
    rejected = [*parsed.rejected, *without]
    sound: list[tuple[Row, dict[str, Any]]] = []
    category = _category_reader(schema or load_schema())
    for row, product, outcome in zip(rows, files, outcomes, strict=True):
        if isinstance(outcome[0], Reason):
            rejected.append(Rejected(row.line, outcome[0], row.raw, str(outcome[1])))
        else:
            sound.append((row, _record(row, product, outcome, category, tally)))
    placeholders, tally.doubtful = shared_pictures([record for _, record in sound])
    rejected += [
        Rejected(row.line, Reason.PLACEHOLDER_IMAGE, row.raw, placeholders[row.product_id])
        for row, _ in sound
        if row.product_id in placeholders
    ]
    records = [record for row, record in sound if row.product_id not in placeholders]
    _count_values(records, schema or load_schema(), category, tally)
    rejected.sort(key=lambda rejection: rejection.line)
    counts = _counts(parsed, records, rejected, tally)
    products, quarantine = _products_table(records, drop), _quarantine_table(rejected, drop)
    read = CatalogueRead(products, quarantine, counts, UPath(styles_name).name)
    if not records:
        seen = "" if files or not without else f"; {images.what_is_there(catalogue)}"
        raise NothingReadable(nothing_left(styles_name, counts, rejected) + seen + ".", read)
    return read


def _parse_mapped(mapped: MappedTable, name: str) -> StylesFile:
    """The rows of a mapped table, with what was delivered of each."""
    parsed = parse_styles(mapped.content, name)
    parsed.rows = [row._replace(raw=mapped.raw[row.line]) for row in parsed.rows]
    rejected = [rejection._replace(raw=mapped.raw[rejection.line]) for rejection in parsed.rejected]
    parsed.rejected = [*rejected, *mapped.rejected]
    parsed.lines += len(mapped.rejected)
    return parsed


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


Category = Callable[[str, str], str | None]


def _category_reader(schema: AttributeSchema) -> Category:
    """From a column of `styles.csv` and a cell to the vocabulary's value, or None."""
    attributes = {
        delivered: schema.column_attributes[column]
        for delivered, column in CATEGORY_COLUMNS.items()
        if column in schema.column_attributes
    }
    meant: dict[tuple[str, str], str | None] = {}

    def category(column: str, cell: str) -> str | None:
        if column not in attributes:
            return None
        key = (column, cell)
        if key not in meant:
            meant[key] = attributes[column].category_of(clean_text(cell, frozenset()) or "")
        return meant[key]

    return category


def _record(row: Row, product: ProductFiles, outcome: Checked, category: Category, tally: _Tally) -> dict[str, Any]:
    measured, details = outcome
    assert not isinstance(measured, Reason) and not isinstance(details, str)
    gender, master, sub, article, colour, season, year, usage, name = clean_values(row, tally.missing, category)
    tally.turned += measured.turned
    if details is not None:
        tally.with_json += 1
        tally.json_not_utf8 += not details.is_utf8
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


def _count_values(records: list[dict[str, Any]], schema: AttributeSchema, category: Category, tally: _Tally) -> None:
    """Categories that the vocabulary does not know, as delivered, by the attribute that asks for them."""
    for delivered, column in CATEGORY_COLUMNS.items():
        attribute = schema.column_attributes.get(column)
        values = Counter(record[column] for record in records if record[column] is not None)
        for value, number in values.items():
            if attribute is not None and category(delivered, value) is None:
                tally.unmapped[attribute.name][value] += number


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
        "unmapped": {name: dict(counts.most_common()) for name, counts in tally.unmapped.items()},
        "with_json": tally.with_json,
        "turned": tally.turned,
        "warnings": doubts(parsed, tally.json_not_utf8, tally.doubtful),
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
        "detail": [whole_text(rejection.detail) for rejection in rejected],  # it may name a file in no encoding
    }
    return pa.table(columns, schema=schema_of("quarantine"))
