"""The form of a delivered table: its encoding, line ends, separator and header, whichever program saved it.

Belongs here: from a file's bytes to its lines, and where its columns stand. Not here: what a row means (rows.py).

What can be read for certain is read: UTF-8 or UTF-16, commas, semicolons, tabs or bars, any line end, empty lines and
a spreadsheet's `sep=` line before the header, columns in any order and case, columns that nobody asked for. Anything
else is refused in one sentence that names what the file is.
"""

import codecs
import csv
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from catalog.errors import SelvedgeError

SEPARATORS = (",", ";", "\t", "|")
MAX_RECORD_LINES = 64  # of a quoted field; a stray quote must not make a record of the rest of the file

_KINDS = (
    (b"PK\x03\x04", "an Excel workbook or a zip archive"),
    (b"\xd0\xcf\x11\xe0", "an old Excel workbook"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"7z\xbc\xaf", "a 7z archive"),
    (b"PAR1", "a Parquet file"),
    (b"%PDF", "a PDF"),
    (b"SQLite format 3", "a SQLite database"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
)
_UNICODE_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16: its mark begins with the other's
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_UNMARKED = (("utf-32-le", 4, 0), ("utf-32-be", 4, 3), ("utf-16-le", 2, 0), ("utf-16-be", 2, 1))
_SEP_LINE = re.compile(rb"\"?sep=([,;:|^~ \t])\"?\s*", re.IGNORECASE)
_LINE_ENDS = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True)
class Layout:
    """Where the wanted columns stand in a line."""

    separator: str
    width: int  # columns of the header
    positions: tuple[int, ...]  # of the wanted columns, in their order

    @property
    def plain(self) -> bool:
        """The wanted columns and no others, in their order: a line's fields are its values."""
        return self.positions == tuple(range(self.width))

    @property
    def last_is_last(self) -> bool:
        """Whether the last wanted column is the last of the line, so that all that is over belongs to it."""
        return self.positions[-1] == self.width - 1


class Lines(NamedTuple):
    """A table's lines after its header."""

    layout: Layout
    first: int  # the line number of lines[0], the file's first line being 1
    lines: list[bytes]  # as delivered; of a UTF-16 file in UTF-8


def table_lines(content: bytes, file_name: str, wanted: Sequence[str]) -> Lines:
    """The lines of a table with a header.

    Args:
        content: the file's bytes.
        file_name: how messages name the file.
        wanted: columns that must be there; their case, spaces and underscores do not matter.

    Raises:
        SelvedgeError: the file is empty, is no table, or lacks a wanted column.
    """
    lines = _split_lines(_text_bytes(content, file_name))
    number = next((index for index, line in enumerate(lines) if line.strip()), None)
    if number is None:
        raise SelvedgeError(f"{file_name} is empty; its first line must read {','.join(wanted)}.")
    separators: Sequence[str] = SEPARATORS
    if marked := _SEP_LINE.fullmatch(lines[number]):  # Excel's own note of the separator
        separators = (marked.group(1).decode("latin-1"), *SEPARATORS)
        number = next((index for index in range(number + 1, len(lines)) if lines[index].strip()), number)
    layout = _layout(lines[number], separators, wanted, f"{file_name} line {number + 1}")
    return Lines(layout, number + 2, _at_returns(lines[number + 1 :], layout))


def decode_line(raw: bytes) -> tuple[str, bool]:
    """The text of a line, and whether it was UTF-8; otherwise it is read as Windows-1252, which Excel writes."""
    try:
        return raw.rstrip(b"\r").decode("utf-8"), True
    except UnicodeDecodeError:
        return raw.rstrip(b"\r").decode("cp1252", errors="replace"), False


def csv_fields(text: str, separator: str) -> list[str] | None:
    """The fields of a record by RFC 4180, line breaks inside quotes included; None where it is not one such record."""
    try:
        records = list(csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True))
    except csv.Error:
        return None
    return records[0] if len(records) == 1 else None


def record_end(lines: Sequence[bytes], start: int, layout: Layout) -> int:
    """The index of the last line of the record that begins at `start`; nearly always `start` itself.

    A quoted field may hold line breaks. The record then goes on to the line that closes it, if that gives a whole
    record by RFC 4180 and none of the lines taken in looks like a row of its own: a stray quote spoils its own line.
    """
    quotes = lines[start].count(b'"')
    if quotes % 2 == 0:
        return start
    separator = layout.separator.encode()
    for end in range(start + 1, min(start + MAX_RECORD_LINES, len(lines))):
        if lines[end].count(separator) >= layout.width - 1:
            return start
        quotes += lines[end].count(b'"')
        if quotes % 2 == 0:
            fields = csv_fields(decode_line(b"\n".join(lines[start : end + 1]))[0], layout.separator)
            whole = fields is not None and len(fields) >= layout.width and not any(fields[layout.width :])
            return end if whole else start
    return start


def _text_bytes(content: bytes, file_name: str) -> bytes:
    for mark, encoding in _UNICODE_MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace").encode()
    for start, kind in _KINDS:
        if content.startswith(start):
            raise _no_table(file_name, kind)
    head = content.removeprefix(codecs.BOM_UTF8)[:24]  # within the header, whatever rows follow
    if b"\0" in head:
        # Without a mark: every character of a plain header has zero bytes, on the same side.
        # Of UTF-32 every character has three, which would look like UTF-16 otherwise.
        for encoding, width, letter in _UNMARKED:
            zeros = [byte for index, byte in enumerate(head) if index % width != letter]
            if not any(zeros):
                return content.decode(encoding, "replace").encode()
        raise _no_table(file_name, "a binary file")
    if head.lstrip()[:1] in (b"<", b"{", b"["):
        what = "a page of HTML or XML" if head.lstrip()[:1] == b"<" else "JSON"
        raise _no_table(file_name, what)
    return content.removeprefix(codecs.BOM_UTF8)


def _no_table(file_name: str, kind: str) -> SelvedgeError:
    return SelvedgeError(f"{file_name} is {kind}, not a table; save it as CSV, in UTF-8 and with commas.")


def _split_lines(content: bytes) -> list[bytes]:
    """Lines at line feeds; at carriage returns too where the header shows that they end its line (old Macintosh)."""
    lines = content.split(b"\n")
    first = next((line for line in lines if line.strip()), b"")
    return _LINE_ENDS.split(content) if b"\r" in first.strip() else lines


def _at_returns(lines: list[bytes], layout: Layout) -> list[bytes]:
    """The lines, those that are several rows with nothing but carriage returns between them as several.

    Files joined from several programs have both line ends. A carriage return in a quoted name, as spreadsheets write
    one, leaves pieces that are no rows, or whose quotes are open.
    """
    separator, separate = layout.separator.encode(), []
    for line in lines:
        pieces = line.rstrip(b"\r").split(b"\r") if b"\r" in line[:-1] else [line]
        filled = [piece for piece in pieces if piece.strip()]
        several = len(filled) > 1 and all(_is_row(piece, separator, layout.width) for piece in filled)
        separate += pieces if several else [line]
    return separate


def _is_row(piece: bytes, separator: bytes, width: int) -> bool:
    return piece.count(separator) >= width - 1 and piece.count(b'"') % 2 == 0


def _layout(line: bytes, separators: Sequence[str], wanted: Sequence[str], where: str) -> Layout:
    text = decode_line(line)[0]
    names = [_column_name(name) for name in wanted]
    closest: list[str] = []
    for separator in separators:
        header = [_column_name(field) for field in csv_fields(text, separator) or text.split(separator)]
        while header and not header[-1]:  # a spreadsheet's empty columns
            header.pop()
        if set(names) <= set(header):
            twice = next((name for name in wanted if header.count(_column_name(name)) > 1), None)
            if twice is not None:
                raise SelvedgeError(f"{where} has the column {twice} twice; keep one of them.")
            return Layout(separator, len(header), tuple(header.index(name) for name in names))
        if not closest or len(set(names) & set(header)) > len(set(names) & set(closest)):
            closest = header
    expected = ",".join(wanted)
    if not set(names) & set(closest):
        raise SelvedgeError(f"{where} is no header ({text.strip()!r:.60}); it must read {expected}.")
    absent = next(name for name in wanted if _column_name(name) not in closest)
    raise SelvedgeError(f"{where} lacks the column {absent}; it must read {expected}.")


def _column_name(written: str) -> str:
    return re.sub(r"[\W_]+", "", written.casefold())
