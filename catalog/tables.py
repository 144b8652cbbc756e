"""Tables: what every Parquet file of Selvedge looks like, and how one is published whole.

Belongs here: the contracts of the catalogue's own tables, the register of every room's contracts, references, reading
and writing. Not here: the tables of other rooms (each declares its own in its `tables.py`), what the rows mean.

A table is published in one step (a temporary file and `os.replace` on disk, one completed upload on an object store),
so a reader sees the old table or the new one, never a half. Between assets pass `Reference`s, never the rows.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from upath import UPath

from catalog.errors import SelvedgeError
from catalog.files import publish_bytes

TEXT = pa.string()
TEXT_MAP = pa.map_(TEXT, TEXT)

_DECLARED: dict[str, pa.Schema] = {}


def declare_table(name: str, schema: pa.Schema) -> pa.Schema:
    """Make a table's contract known under its name, for `as_table` and `write_table`; returns the schema.

    A room declares its tables in one module, which what makes their rows imports.

    Raises:
        ValueError: the name is taken by a table with other columns.
    """
    if not _DECLARED.setdefault(name, schema).equals(schema):
        raise ValueError(f"table {name!r} is declared already, with other columns; give this one another name.")
    return schema


def declared_tables() -> Mapping[str, pa.Schema]:
    """Every table that a room imported so far declares, by name."""
    return dict(_DECLARED)


def schema_of(name: str) -> pa.Schema:
    """The columns of a declared table.

    Raises:
        LookupError: no module that was imported declares it.
    """
    if name not in _DECLARED:
        raise LookupError(
            f"table {name!r} is not declared ({', '.join(sorted(_DECLARED))} are); import the module that declares it, "
            "the `tables` of its room."
        )
    return _DECLARED[name]


declare_table(
    "products",
    pa.schema(
        [
            ("drop", TEXT),
            ("product_id", pa.int64()),
            ("line", pa.int32()),
            ("gender", TEXT),
            ("master_category", TEXT),
            ("sub_category", TEXT),
            ("article_type", TEXT),
            ("base_colour", TEXT),
            ("season", TEXT),
            ("year", pa.int16()),
            ("usage", TEXT),
            ("product_display_name", TEXT),
            ("brand", TEXT),
            ("variant", TEXT),
            ("attributes", TEXT_MAP),  # raw values as the JSON has them, "NA" and blanks removed
            ("descriptors", TEXT_MAP),  # HTML stripped; an independent check, never fed to a model
            ("image_uri", TEXT),  # the file as delivered
            ("image_sha256", TEXT),  # of the delivered bytes
            ("image_dhash", TEXT),  # 256 bits, 64 hex digits
            ("image_width", pa.int32()),
            ("image_height", pa.int32()),
            ("recovered", pa.bool_()),  # the row had unquoted commas
        ]
    ),
)
declare_table(
    "quarantine",
    pa.schema([("drop", TEXT), ("line", pa.int32()), ("reason", TEXT), ("raw", pa.binary()), ("detail", TEXT)]),
)
declare_table(
    "images",
    pa.schema(
        [
            ("drop", TEXT),
            ("product_id", pa.int64()),
            ("source_sha256", TEXT),
            ("uri", TEXT),  # the standardised copy: RGB, upright, long side at most 512 pixels
            ("sha256", TEXT),  # of the standardised copy
            ("width", pa.int32()),
            ("height", pa.int32()),
        ]
    ),
)
declare_table(
    "splits",
    pa.schema(
        [
            ("product_id", pa.int64()),
            ("drop", TEXT),
            ("group_id", TEXT),
            ("split", TEXT),  # train, validation, test; or excluded (joined two groups of different splits)
        ]
    ),
)
declare_table(
    "qa_pairs",
    pa.schema(
        [
            ("product_id", pa.int64()),
            ("drop", TEXT),
            ("group_id", TEXT),
            ("split", TEXT),
            ("attribute", TEXT),
            ("question", TEXT),
            ("answer", TEXT),
            ("value", TEXT),
        ]
    ),
)


@dataclass(frozen=True)
class Reference:
    """What one asset hands to the next: where the rows are and what they must hash to."""

    uri: str
    sha256: str
    rows: int
    schema: str

    def as_metadata(self) -> dict[str, Any]:
        return asdict(self)


def content_sha256(table: pa.Table) -> str:
    """Hash of schema and rows, independent of how Parquet packs them.

    Two things change on the way through a file without the rows changing: Parquet names a map's entries after its
    column, and whatever bytes lie under a missing value are lost.
    """
    fields = [pa.field(field.name, _plain(field.type)) for field in table.schema]
    digest = hashlib.sha256(str(pa.schema(fields)).encode())
    for field, column in zip(fields, table.columns, strict=True):
        array = column.combine_chunks().cast(field.type)
        if array.null_count and not pa.types.is_nested(field.type):
            digest.update(_as_bytes(array.is_null()))
            array = array.fill_null(pa.scalar(_ZERO.get(str(field.type), 0), field.type))
        digest.update(_as_bytes(array))
    return digest.hexdigest()


_ZERO = {"string": "", "large_string": "", "binary": b"", "bool": False}


def _plain(kind: pa.DataType) -> pa.DataType:
    return pa.map_(kind.key_type, kind.item_type) if pa.types.is_map(kind) else kind


def _as_bytes(array: pa.Array) -> bytes:
    schema = pa.schema([pa.field("values", array.type)])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, schema) as writer:
        writer.write_table(pa.table([array], schema=schema))
    content: bytes = sink.getvalue().to_pybytes()
    return content


def as_table(rows: pa.Table | pd.DataFrame, schema_name: str) -> pa.Table:
    """Rows cast to a contract's columns, in its order.

    Raises:
        SelvedgeError: a column is missing or holds values of another type.
    """
    schema = schema_of(schema_name)
    try:
        if isinstance(rows, pd.DataFrame):
            return pa.Table.from_pandas(rows, schema=schema, preserve_index=False).replace_schema_metadata(None)
        return rows.select(schema.names).cast(schema).replace_schema_metadata(None)
    except (KeyError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise SelvedgeError(f"table {schema_name}: rows do not fit its contract ({error}).") from error


def write_table(rows: pa.Table | pd.DataFrame, uri: str | Path | UPath, schema_name: str) -> Reference:
    """Publish a whole table at `uri`; a failure leaves what was there before.

    Raises:
        SelvedgeError: the rows do not fit the schema, or the disk is full or not writable.
    """
    table = as_table(rows, schema_name)
    sha256 = content_sha256(table)
    stamped = table.replace_schema_metadata({"selvedge.schema": schema_name, "selvedge.content_sha256": sha256})
    sink = pa.BufferOutputStream()
    pq.write_table(stamped, sink, compression="zstd")
    publish_bytes(sink.getvalue().to_pybytes(), uri)
    return Reference(str(uri), sha256, table.num_rows, schema_name)


def read_table(source: str | Path | UPath | Reference) -> pa.Table:
    """The rows of a published table; a `Reference` is held to its hash.

    Raises:
        SelvedgeError: the table is missing, is not Parquet, or is not the one the reference names.
    """
    path = UPath(source.uri if isinstance(source, Reference) else source)
    try:
        table = pq.read_table(pa.BufferReader(path.read_bytes()))
    except FileNotFoundError as error:
        raise SelvedgeError(f"table {path} does not exist; materialise what writes it first.") from error
    except pa.ArrowInvalid as error:
        raise SelvedgeError(f"table {path} is not readable Parquet ({error}).") from error
    metadata = table.schema.metadata or {}
    table = table.replace_schema_metadata(None)
    if isinstance(source, Reference) and content_sha256(table) != source.sha256:
        raise SelvedgeError(f"table {path} changed since it was referenced; materialise what reads it again.")
    return table.replace_schema_metadata(metadata)


def read_frame(source: str | Path | UPath | Reference) -> pd.DataFrame:
    """`read_table` as a pandas frame; maps become dictionaries."""
    frame = read_table(source).to_pandas()
    for name in ("attributes", "descriptors"):
        if name in frame and len(frame) and not isinstance(frame[name].iloc[0], str):
            frame[name] = [dict(pairs) if pairs is not None else {} for pairs in frame[name]]
    return frame
