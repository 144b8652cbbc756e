"""Mapping: a delivery in another layout than Kaggle's, by a file that says which of its columns is what.

Belongs here: the mapping file, the table it names as lines of `styles.csv`, the pictures its rows name. Not here: what
a row means (rows.py), opening pictures (product_files.py), which mapping a drop has (the settings).

The table becomes the lines that `styles.csv` would have, each with the number of its own line, and everything after
that is the same road. A row's pictures are looked up in listings: what a cell says is never opened as a path.
"""

import csv
import difflib
import io
import json
from collections.abc import Mapping as Named
from collections.abc import Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from catalog.errors import SelvedgeError
from catalog.picture_files import IMAGE_SUFFIXES
from catalog.quarantine import Reason, Rejected
from catalog.rows import COLUMNS, Row
from catalog.source import File, Source, name_of
from catalog.yaml_files import read_yaml

NAMES = ("table", "separator", "encoding", "columns", "image", "strip", "pictures")
NEEDED = ("id", "productDisplayName")
VALUE = "value"  # of a column that is the same in every row
PARQUET = ".parquet"
SHOWN = 12  # columns of a table that a sentence names
LONGEST_CELL = 1_000_000  # characters: a description may be a page


@dataclass(frozen=True)
class Mapping:
    """What a mapping file says.

    Attributes:
        file: where it stands. table: name or pattern of the table in a delivery, as `products.tsv` or `*.parquet`.
        separator, encoding: of a table that is text.
        columns: column of `styles.csv` to a column of the table. constants: the same to a value for every row.
        image: column with a picture's path or address. strip: what stands before the path in an address.
        pictures: folder or address that the paths are in; the delivery itself by default.
    """

    file: Path
    table: str
    separator: str
    encoding: str
    columns: Named[str, str]
    constants: Named[str, str]
    image: str
    strip: str = ""
    pictures: str = ""


@dataclass
class MappedTable:
    """A table as `styles.csv` would have it.

    Attributes:
        name: of its file. content: of `styles.csv`. raw: the rows as delivered, by line. images: what each row says of
            its picture, by line. rejected: rows that are none.
    """

    name: str
    content: bytes = b""
    raw: dict[int, bytes] = field(default_factory=dict)
    images: dict[int, str] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)


def read_mapping(file: Path) -> Mapping:
    """The mapping of a file.

    Raises:
        SelvedgeError: it cannot be read, or a name or value in it does not fit.
    """
    said = read_yaml(file, "mapping", "see examples/mapping-merchant.yaml for one")
    for name in said:
        if name not in NAMES:
            raise SelvedgeError(f"mapping {file} has the unknown name {name!r:.60}; {_close(name, NAMES)}")
    columns = said.get("columns")
    if not isinstance(columns, dict) or not all(isinstance(name, str) for name in columns):
        raise SelvedgeError(f"mapping {file} lacks `columns`: a mapping from columns of styles.csv to the table's.")
    taken, constants = dict[str, str](), dict[str, str]()
    for name, given in columns.items():
        if name not in COLUMNS:
            raise SelvedgeError(f"mapping {file} maps {name!r:.60}, which is no column; {_close(name, COLUMNS)}")
        if isinstance(given, dict) and list(given) == [VALUE]:
            constants[name] = str(given[VALUE])
        elif isinstance(given, str) and given.strip():
            taken[name] = given
        else:
            raise SelvedgeError(f"mapping {file}: {name} is a column's name, or `{{value: …}}` for every row.")
    for name in NEEDED:
        if name not in taken:
            raise SelvedgeError(f"mapping {file} says no column for {name}; a product needs {' and '.join(NEEDED)}.")
    texts = {name: said.get(name, usual) for name, usual in (("separator", ","), ("encoding", "utf-8-sig"))}
    texts |= {name: said.get(name, "") for name in ("table", "image", "strip", "pictures")}
    for name, text in texts.items():
        if not isinstance(text, str) or (name in ("table", "image", "separator", "encoding") and not text):
            raise SelvedgeError(f"mapping {file}: {name} is a text, as in examples/mapping-merchant.yaml.")
    _check_form(file, texts["separator"], texts["encoding"])
    return Mapping(file, columns=taken, constants=constants, **texts)


def mapped_table(source: Source, mapping: Mapping) -> MappedTable:
    """The table of a delivery, as lines of `styles.csv`.

    Raises:
        SelvedgeError: there is no such table or there are several, it is of another form, or lacks a column.
    """
    name = _table_name(source, mapping)
    content = source.read(name) or b""
    read = _parquet_rows if name.lower().endswith(PARQUET) else _text_rows
    mapped = MappedTable(name)
    where = f"{source.root / name}"
    lines = [",".join(COLUMNS)]
    for number, row, raw in read(content, where, mapping):
        mapped.raw[number] = raw
        if row is None:
            detail = "another number of columns than the header; put quotes around a value that holds the separator"
            mapped.rejected.append(Rejected(number, Reason.BAD_ROW, raw, detail))
            continue
        mapped.images[number] = row[mapping.image].strip()
        lines += [""] * (number - len(lines) - 1)
        lines.append(_line(row, mapping))
    mapped.content = "\n".join(lines).encode("utf-8", "replace")
    if not mapped.raw:
        raise SelvedgeError(f"{where} has no rows; a catalogue needs at least one product.")
    return mapped


class MappedPictures:
    """The pictures that the rows of a mapped table name: found in listings, as in the folder `images/`."""

    suffixes: Sequence[str] = IMAGE_SUFFIXES

    def __init__(self, source: Source, mapping: Mapping, images: Named[int, str]) -> None:
        """Raises SelvedgeError where `pictures` is no folder, or on another storage than the delivery."""
        self._source = Source(mapping.pictures) if mapping.pictures else source
        if (self._source.file_system is None) != (source.file_system is None) or (
            self._source.root.protocol != source.root.protocol
        ):
            raise SelvedgeError(
                f"mapping {mapping.file}: pictures at {mapping.pictures} lie on another storage than the delivery at "
                f"{source.root}; copy them there."
            )
        self._mapping, self._images = mapping, images
        self._folders: dict[str, dict[str, File]] = {}

    def find(self, row: Row) -> File | None:
        """The file of a row."""
        path = self._path(row)
        folder, _, name = path.rpartition("/")
        if not name or name.rpartition(".")[2].lower() not in self.suffixes:
            return None
        if any(part in ("", ".", "..") for part in folder.split("/")) and folder:
            return None
        if folder not in self._folders:
            listed = self._source.listing(folder)
            self._folders[folder] = {name_of(file): file for file in listed.files}
        return self._folders[folder].get(name)

    def why_none(self, row: Row) -> str:
        """Why a row has no picture, in a few words."""
        written, path = self._images.get(row.line, ""), self._path(row)
        if not written:
            return f"column {self._mapping.image} is empty"
        if "://" in path:
            return f"{written!r:.100} is an address elsewhere; `strip` of the mapping says what stands before the paths"
        if path.rpartition(".")[2].lower() not in self.suffixes:
            return f"{written!r:.100} is not of a kind that is read ({', '.join(self.suffixes)})"
        return f"no file {path!r:.100} in {self._source.root}"

    def what_is_there(self, source: Source) -> str:
        """What lies where the pictures were looked for, in one clause."""
        there = self._source.listing("")
        names = sorted([*map(name_of, there.files), *(f"{name}/" for name in there.folders)])
        return f"pictures are named by column {self._mapping.image}, in {self._source.root} ({', '.join(names[:3])})"

    def _path(self, row: Row) -> str:
        """Of the row's picture, below the pictures' folder; an address elsewhere as it is."""
        written = self._images.get(row.line, "").partition("?")[0]
        for before in (self._mapping.strip, f"{self._source.root}/", self._source.root.path + "/"):
            if before and written.startswith(before):
                return written.removeprefix(before).lstrip("/")
        return written.removeprefix("./")


def _check_form(file: Path, separator: str, encoding: str) -> None:
    if len(separator) != 1 or separator in '"\r\n':
        raise SelvedgeError(f'mapping {file}: separator is one character, as "," or "\\t".')
    try:
        "".encode(encoding)
    except (LookupError, ValueError) as error:
        raise SelvedgeError(f"mapping {file}: {encoding!r:.60} is no encoding; write utf-8, or cp1252.") from error


def _table_name(source: Source, mapping: Mapping) -> str:
    names = sorted(map(name_of, source.listing("").files))
    fitting = [name for name in names if fnmatchcase(name, mapping.table)]
    if len(fitting) == 1:
        return fitting[0]
    shown = ", ".join(fitting or names) or "nothing"
    many = f"{len(fitting)} tables" if fitting else "no table"
    raise SelvedgeError(
        f"{source.root} holds {many} {mapping.table}, which mapping {mapping.file} names ({shown:.200}); "
        "a drop has one."
    )


Rows = list[tuple[int, dict[str, str] | None, bytes]]


def _text_rows(content: bytes, where: str, mapping: Mapping) -> Rows:
    try:
        text = content.decode(mapping.encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise SelvedgeError(
            f"{where} line {line} is not in {mapping.encoding}; set `encoding` in mapping {mapping.file}."
        ) from error
    delivered = text.splitlines(keepends=True)
    previous = csv.field_size_limit(LONGEST_CELL)
    try:
        reader = csv.reader(delivered, delimiter=mapping.separator)
        header = [name.strip() for name in next(reader, [])]
        _check_columns(header, where, mapping)
        rows: Rows = []
        ended = reader.line_num
        for fields in reader:
            first, ended = ended + 1, reader.line_num
            if any(map(str.strip, fields)):
                raw = "".join(delivered[first - 1 : ended]).rstrip("\r\n").encode()
                fits = len(fields) == len(header)
                rows.append((first, dict(zip(header, fields, strict=True)) if fits else None, raw))
    except csv.Error as error:
        raise SelvedgeError(f"{where} cannot be read as a table ({error}); export it again.") from error
    finally:
        csv.field_size_limit(previous)
    return rows


def _parquet_rows(content: bytes, where: str, mapping: Mapping) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(io.BytesIO(content))
    except (pa.ArrowException, OSError) as error:
        raise SelvedgeError(f"{where} is no Parquet file that can be read; deliver it again.") from error
    _check_columns(table.column_names, where, mapping)
    rows: Rows = []
    for number, row in enumerate(table.to_pylist(), start=2):
        cells = {name: "" if value is None else str(value) for name, value in row.items()}
        rows.append((number, cells, json.dumps(cells, ensure_ascii=False).encode("utf-8", "replace")))
    return rows


def _check_columns(header: Sequence[str], where: str, mapping: Mapping) -> None:
    for name in (*mapping.columns.values(), mapping.image):
        if header.count(name) != 1:
            there = "has several columns" if name in header else "has no column"
            shown = ", ".join(header[:SHOWN])
            raise SelvedgeError(f"{where} {there} {name!r:.60}, which mapping {mapping.file} names ({shown:.300}).")


def _line(row: Named[str, str], mapping: Mapping) -> str:
    """A row of `styles.csv`, on one line."""
    cells = [
        mapping.constants.get(name, "") if name not in mapping.columns else row[mapping.columns[name]]
        for name in COLUMNS
    ]
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([" ".join(cell.split()) for cell in cells])
    return line.getvalue()


def _close(name: str, names: Sequence[str]) -> str:
    close = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {close[0]}?" if close else f"there are {', '.join(names)}."
