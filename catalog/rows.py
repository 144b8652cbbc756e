"""Rows: the lines of `styles.csv` and `images.csv`, before any file is opened.

Belongs here: splitting, recovering rows with unquoted commas, checking ids, missing values.
Not here: encodings, separators and headers (delimited.py), the images and JSON the rows point at (product_files.py),
the table (reading.py).

A row is read by RFC 4180 first: a quoted name may hold commas and line breaks. A line that is not such a row has
unquoted commas in its name, or a stray quote, which must spoil one row, not all that follow it.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from catalog.delimited import Layout, csv_fields, decode_line, record_end, table_lines
from catalog.errors import SelvedgeError
from catalog.quarantine import Reason, Rejected, Rejection
from catalog.values import MISSING_CATEGORIES, MISSING_NAMES, clean_text, is_missing, looks_encoded_twice, product_id_of

COLUMNS = (
    "id", "gender", "masterCategory", "subCategory", "articleType", "baseColour", "season", "year", "usage",
    "productDisplayName",
)  # fmt: skip
IMAGES_COLUMNS = ("filename", "link")
NO_IMAGE = "undefined"  # what images.csv says of a product without a picture
PUBLIC = Layout(",", len(COLUMNS), tuple(range(len(COLUMNS))))

_PATH_LIKE = re.compile(r"[/\\\x00]|\.\.|%2f|%5c", re.IGNORECASE)
_YEAR = re.compile(r"([0-9]{4})(?:\.0*)?", re.ASCII)


class Row(NamedTuple):
    """One row of `styles.csv` with a usable id; values as delivered."""

    line: int
    raw: bytes
    product_id: int
    values: list[str]  # the nine columns after the id
    recovered: bool  # had unquoted commas
    written_id: str


@dataclass
class StylesFile:
    """Everything `styles.csv` says: `lines` = rows + rejected.

    Attributes:
        lines: data rows that are not blank. recovered: of them, those with unquoted commas.
        not_utf8: rows that were not UTF-8. encoded_twice: rows that look like UTF-8 saved as Windows-1252.
        other_ids: ids in another form than a plain number, that were read.
        examples: of the last three, the first as (line, what was delivered, what was read).
    """

    lines: int = 0
    rows: list[Row] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    recovered: int = 0
    not_utf8: int = 0
    encoded_twice: int = 0
    other_ids: int = 0
    examples: dict[str, tuple[int, str, str]] = field(default_factory=dict)


def parse_styles(content: bytes, file_name: str) -> StylesFile:
    """Rows of `styles.csv`.

    Args:
        content: the file's bytes.
        file_name: how messages name the file.

    Raises:
        SelvedgeError: the file is empty, is no table, lacks a column, or has no row.
    """
    layout, first, lines = table_lines(content, file_name, COLUMNS)
    parsed = StylesFile()
    first_line: dict[int, int] = {}
    for number, raw in _records(lines, first, layout):
        parsed.lines += 1
        text, is_utf8 = decode_line(raw)
        if not is_utf8 or not text.isascii():
            _count_encoding(parsed, number, text, is_utf8)
        try:
            values, recovered = split_row(text, layout)
            parsed.recovered += recovered
            product_id = _product_id(values, recovered, first_line)
        except Rejection as rejection:
            parsed.rejected.append(Rejected(number, rejection.reason, raw, rejection.detail))
            continue
        if values[0] != str(product_id):
            parsed.other_ids += 1
            parsed.examples.setdefault("other_ids", (number, values[0], str(product_id)))
        first_line[product_id] = number
        parsed.rows.append(Row(number, raw, product_id, values[1:], recovered, values[0]))
    if not parsed.lines:
        raise SelvedgeError(f"{file_name} has a header and no rows; a catalogue needs at least one product.")
    return parsed


def split_row(text: str, layout: Layout = PUBLIC) -> tuple[list[str], bool]:
    """The ten values of a row, and whether it was recovered.

    A correct line (quoted where needed) is read as CSV. A line with too many fields has unquoted commas in its last
    column, the name, so everything after the ninth comma is the name; empty fields at the end are a spreadsheet's.

    Raises:
        Rejection: bad_row, for too few fields, or too many where the name is not the last column.
    """
    separator, width = layout.separator, layout.width
    if '"' not in text:
        return _fitted(text.split(separator, width - 1), layout)
    fields = csv_fields(text, separator)
    if fields is not None and len(fields) > max(layout.positions) and not any(map(str.strip, fields[width:])):
        return _in_order(fields[:width], layout), False
    plain = text.split(separator, width - 1)
    if fields is not None and len(fields) > width and any('"' in value for value in plain[: width - 1]):
        plain = [*fields[: width - 1], separator.join(fields[width - 1 :])]  # CSV splits quotes before the name
    values, _ = _fitted(plain, layout)
    return values, True


def _fitted(fields: list[str], layout: Layout) -> tuple[list[str], bool]:
    """Values of a line that was split at its first separators; what is over stands in the last field."""
    separator, width = layout.separator, layout.width
    if len(fields) < width:
        if len(fields) <= max(layout.positions):
            raise Rejection(Reason.BAD_ROW, f"{len(fields)} columns; a row has {width}")
        return _in_order(fields, layout), False
    rest = fields[-1]
    if separator not in rest:
        return _in_order(fields, layout), False
    fields[-1] = rest = rest.rstrip(f"{separator} \t\r\n\v\f")
    if separator in rest and not layout.last_is_last:
        raise Rejection(
            Reason.BAD_ROW, f"more than {width} columns; put quotes around a value that holds {separator!r}"
        )
    return _in_order(fields, layout), separator in rest


def _in_order(fields: list[str], layout: Layout) -> list[str]:
    values = [value.strip() for value in fields]
    return (
        values if layout.plain and len(values) == layout.width else [values[position] for position in layout.positions]
    )


def clean_values(
    row: Row, missing: dict[str, Counter[str]], category: Callable[[str, str], str | None] = lambda column, text: None
) -> list[str | int | None]:
    """The nine values of a row with missing ones as None, categories as the vocabulary spells them, the year a number.

    Args:
        missing: counts by column and spelling, added to; an unreadable year counts as `unreadable`.
        category: the vocabulary's value that a cell of a column means, or None where the column has none or the cell
            says something else; the cell then stays as delivered.
    """
    cleaned: list[str | int | None] = []
    for column, value in zip(COLUMNS[1:], row.values, strict=True):
        if (category_name := category(column, value)) is not None:
            cleaned.append(category_name)
            continue
        text = clean_text(value, MISSING_NAMES if column == COLUMNS[-1] else MISSING_CATEGORIES)
        if text is None:
            missing.setdefault(column, Counter())[value.strip() or "blank"] += 1
        elif column == "year":
            year = _YEAR.fullmatch(text)  # "2011.0" is 2011
            if year is None:
                missing.setdefault(column, Counter())["unreadable"] += 1
            cleaned.append(int(year.group(1)) if year else None)
            continue
        cleaned.append(text)
    return cleaned


def parse_images(content: bytes, file_name: str = "images.csv") -> set[str]:
    """File names, as written, that `images.csv` declares to have no image.

    Raises:
        SelvedgeError: the file is not empty and has no columns `filename` and `link`.
    """
    if not content.strip():
        return set()
    layout, _, lines = table_lines(content, file_name, IMAGES_COLUMNS)
    without: set[str] = set()
    for raw in lines:
        text = decode_line(raw)[0]
        fields = csv_fields(text, layout.separator) or text.split(layout.separator)
        while len(fields) > layout.width and not fields[-1].strip():
            fields.pop()
        if len(fields) < layout.width:
            continue
        name, link = (fields[position].strip().strip('"') for position in layout.positions)
        # An address may hold the separator; "nothing" does not.
        if is_missing(link) and link and len(fields) == layout.width:
            without.add(name)
    return without


def _records(lines: list[bytes], first: int, layout: Layout) -> Iterator[tuple[int, bytes]]:
    """Every row that is not blank, with the number of its first line."""
    index = 0
    while index < len(lines):
        end = record_end(lines, index, layout) if b'"' in lines[index] else index
        raw = lines[index] if end == index else b"\n".join(lines[index : end + 1])
        if raw.strip():
            yield first + index, raw
        index = end + 1


def _count_encoding(parsed: StylesFile, number: int, text: str, is_utf8: bool) -> None:
    if not is_utf8:
        parsed.not_utf8 += 1
        parsed.examples.setdefault("not_utf8", (number, text.strip(), ""))
    elif looks_encoded_twice(text):
        parsed.encoded_twice += 1
        meant = text.encode("cp1252").decode("utf-8")
        parsed.examples.setdefault("encoded_twice", (number, text.strip(), meant.strip()))


def _product_id(values: list[str], recovered: bool, first_line: dict[int, int]) -> int:
    """The row's product id.

    Raises:
        Rejection: path_like_id, bad_id or duplicate_id.
    """
    written = values[0]
    if _PATH_LIKE.search(written):
        raise Rejection(Reason.PATH_LIKE_ID, f"product id {written!r:.80} looks like a path")
    product_id = product_id_of(written)
    if product_id is None:
        raise Rejection(Reason.BAD_ID, f"product id {written!r:.80} is not a whole number of 1 to 18 digits")
    if recovered and re.fullmatch(r"[0-9]{3}", values[1]):
        cut = f"{written},{values[1]}"
        raise Rejection(Reason.BAD_ID, f"product id {cut!r:.80} has a thousands separator and no quotes around it")
    earlier = first_line.get(product_id)
    if earlier is not None:
        raise Rejection(Reason.DUPLICATE_ID, f"product id {product_id} is on line {earlier} already")
    return product_id
