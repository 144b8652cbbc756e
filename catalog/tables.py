"""Tables: what every Parquet file of Selvedge looks like, and how one is published whole.

Belongs here: the contracts of the catalogue's own tables, the register of every room's contracts, references, reading
and writing. Not here: the tables of other rooms (each declares its own in its `tables.py`), what the rows mean.

A table is published in one step (a temporary file and `os.replace` on disk, one completed upload on an object store),
so a reader sees the old table or the new one, never a half. Between assets pass `Reference`s, never the rows.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from upath import UPath

from catalog.errors import SelvedgeError
from catalog.files import publish_bytes
from catalog.stores import stored_bytes

TEXT = pa.string()
TEXT_MAP = pa.map_(TEXT, TEXT)

SCHEMA_KEY, CONTENT_KEY = b"selvedge.schema", b"selvedge.content_sha256"
WRITE_AGAIN = "write it again, by `selvedge catalog read` or `selvedge infer`, or by materialising its asset"

_DECLARED: dict[str, pa.Schema] = {}
_FINITE: dict[str, tuple[str, ...]] = {}


def declare_table(name: str, schema: pa.Schema, finite: Sequence[str] = ()) -> pa.Schema:
    """Make a table's contract known under its name, for `as_table` and `write_table`; returns the schema.

    A room declares its tables in one module, which what makes their rows imports.

    Args:
        finite: columns that hold a number in every row. NaN is what damaged weights and features give, so it is never
            published there; in other columns a missing number is one that does not apply.

    Raises:
        ValueError: the name is taken by a table with other columns.
    """
    if not _DECLARED.setdefault(name, schema).equals(schema):
        raise ValueError(f"table {name!r} is declared already, with other columns; give this one another name.")
    _FINITE[name] = tuple(finite) or _FINITE.get(name, ())
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
    column and a list's items its own way, and whatever bytes lie under a missing value are lost.
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
    """The type under its usual names: a map's entries and a list's items are called otherwise in a file."""
    if pa.types.is_map(kind):
        return pa.map_(kind.key_type, kind.item_type)
    return pa.list_(_plain(kind.value_type)) if pa.types.is_list(kind) else kind


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
        SelvedgeError: a column is missing or holds values of another type, or a number that must be finite is not.
    """
    schema = schema_of(schema_name)
    try:
        if isinstance(rows, pd.DataFrame):
            table = pa.Table.from_pandas(rows, schema=schema, preserve_index=False)
        else:
            table = rows.select(schema.names).cast(schema)
    except (KeyError, pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise SelvedgeError(f"table {schema_name}: rows do not fit its contract ({error}).") from error
    for name in _FINITE.get(schema_name, ()):
        finite = pc.fill_null(pc.is_finite(table[name]), False).to_pylist()
        if not all(finite):
            raise SelvedgeError(
                f"table {schema_name}: {name} of row {finite.index(False) + 1} is no finite number "
                f"({finite.count(False)} rows in all); nothing was published. The model's weights or its cached "
                "features are damaged: train or compute them again."
            )
    return table.replace_schema_metadata(None)


def write_table(rows: pa.Table | pd.DataFrame, uri: str | Path | UPath, schema_name: str) -> Reference:
    """Publish a whole table at `uri`; a failure leaves what was there before.

    Raises:
        SelvedgeError: the rows do not fit the schema, or the disk is full or not writable.
    """
    table = as_table(rows, schema_name)
    sha256 = content_sha256(table)
    publish_bytes(_stamped_bytes(table, schema_name, sha256), uri)
    return Reference(str(uri), sha256, table.num_rows, schema_name)


def write_private_table(rows: pd.DataFrame, uri: str | Path | UPath, name: str) -> None:
    """Publish a frame that only its writer reads: stamped and held to its rows as every table, its columns as they are.

    Args:
        name: in place of a contract's.

    Raises:
        SelvedgeError: as `write_table`.
    """
    table = pa.Table.from_pandas(rows, preserve_index=False)
    sha256 = content_sha256(table.replace_schema_metadata(None))
    publish_bytes(_stamped_bytes(table, name, sha256), uri)


def _stamped_bytes(table: pa.Table, name: str, sha256: str) -> bytes:
    metadata = {**(table.schema.metadata or {}), SCHEMA_KEY: name, CONTENT_KEY: sha256}
    sink = pa.BufferOutputStream()
    pq.write_table(table.replace_schema_metadata(metadata), sink, compression="zstd")
    content: bytes = sink.getvalue().to_pybytes()
    return content


def read_table(source: str | Path | UPath | Reference, schema_name: str | None = None) -> pa.Table:
    """The rows of a published table, held to the stamp that it carries; a `Reference` is held to its own hash too.

    A table without a stamp was not written by `write_table`: it is opened when it has its contract's columns.

    Args:
        schema_name: the contract that the table must be of; a `Reference` says so itself.

    Raises:
        SelvedgeError: the table is missing, damaged, of another contract, or not the one that the reference names.
        ServiceUnavailable: the object store did not answer.
    """
    path = UPath(source.uri if isinstance(source, Reference) else source)
    wanted = source.schema if isinstance(source, Reference) else schema_name
    content = _stored_bytes(path)
    try:
        table = pq.read_table(pa.BufferReader(content))
        stamp = dict(table.schema.metadata or {})
        if CONTENT_KEY in content:  # one flipped bit can hide the whole of a footer's metadata
            stamp.setdefault(CONTENT_KEY, b"")
        table = table.replace_schema_metadata(None)
        sha256 = content_sha256(table)
    # What a damaged footer, page or text makes Arrow raise has no common class; nothing else is called here.
    except Exception as error:
        why = " ".join(str(error).split())[:200] or type(error).__name__
        raise SelvedgeError(f"table {path} is damaged or not Parquet ({why}); {WRITE_AGAIN}.") from error
    _hold_to_stamp(path, table, stamp, sha256, wanted)
    if isinstance(source, Reference) and sha256 != source.sha256:
        raise SelvedgeError(f"table {path} changed since it was referenced; materialise what reads it again.")
    return table.replace_schema_metadata(stamp)


def _stored_bytes(path: UPath) -> bytes:
    try:
        return stored_bytes(path)
    except FileNotFoundError as error:
        raise SelvedgeError(f"table {path} does not exist; materialise what writes it first.") from error
    except IsADirectoryError as error:
        raise SelvedgeError(f"table {path} is a folder; remove it, then {WRITE_AGAIN}.") from error
    except OSError as error:
        raise SelvedgeError(
            f"table {path} cannot be read ({error.strerror or error}); check its permissions."
        ) from error


def _hold_to_stamp(
    path: UPath, table: pa.Table, stamp: Mapping[bytes, bytes], sha256: str, schema_name: str | None
) -> None:
    """Raises SelvedgeError: rows or contract are not those of the stamp, or half of the stamp is missing."""
    if not stamp.keys() & {SCHEMA_KEY, CONTENT_KEY}:
        absent = [
            name
            for name in (_DECLARED[schema_name].names if schema_name in _DECLARED else ())
            if name not in table.schema.names
        ]
        if absent:
            raise SelvedgeError(f"table {path} lacks the column {absent[0]} of {schema_name}; {WRITE_AGAIN}.")
        return
    stamped = stamp.get(SCHEMA_KEY, b"").decode(errors="replace")
    if stamp.get(CONTENT_KEY, b"").decode(errors="replace") != sha256 or not stamped:
        raise SelvedgeError(
            f"table {path} is damaged, or was changed after it was written: its rows are not those of its stamp; "
            f"{WRITE_AGAIN}."
        )
    if schema_name is not None and stamped != schema_name:
        raise SelvedgeError(f"table {path} is a table of {stamped!r}, not of {schema_name!r}; {WRITE_AGAIN}.")


def read_frame(source: str | Path | UPath | Reference, schema_name: str | None = None) -> pd.DataFrame:
    """`read_table` as a pandas frame; maps become dictionaries."""
    return frame_of(read_table(source, schema_name))


def frame_of(table: pa.Table) -> pd.DataFrame:
    """A table as a pandas frame; maps become dictionaries."""
    frame = table.to_pandas()
    for name in ("attributes", "descriptors"):
        if name in frame and len(frame) and not isinstance(frame[name].iloc[0], str):
            frame[name] = [dict(pairs) if pairs is not None else {} for pairs in frame[name]]
    return frame
