"""Rows: the lines of `styles.csv` and `images.csv`, before any file is opened.

Belongs here: decoding, splitting, recovering rows with unquoted commas, checking ids, missing values.
Not here: the images and JSON the rows point at (product_files.py), the table (reading.py).

A row is a line: the catalogue format has no line breaks inside a field, and a stray quote must spoil one row, not all
that follow it.
"""

import csv
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import NamedTuple

from catalog.errors import SelvedgeError
from catalog.product_json import clean_text
from catalog.quarantine import Reason, Rejected

COLUMNS = (
    "id", "gender", "masterCategory", "subCategory", "articleType", "baseColour", "season", "year", "usage",
    "productDisplayName",
)  # fmt: skip
NO_IMAGE = "undefined"  # what images.csv says of a product without a picture

_WHOLE_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}", re.ASCII)
_PATH_LIKE = re.compile(r"[/\\\x00]|\.\.|%2f|%5c", re.IGNORECASE)
_YEAR = re.compile(r"([0-9]{4})(?:\.0*)?", re.ASCII)


class Row(NamedTuple):
    """One line of `styles.csv` with a usable id; values as delivered."""

    line: int
    raw: bytes
    product_id: int
    values: list[str]  # the nine columns after the id
    recovered: bool  # had unquoted commas


@dataclass
class StylesFile:
    """Everything `styles.csv` says: `lines` = rows + rejected."""

    lines: int = 0  # data lines that are not blank
    rows: list[Row] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    recovered: int = 0
    not_utf8: int = 0


def parse_styles(content: bytes, file_name: str) -> StylesFile:
    """Rows of `styles.csv`.

    Args:
        content: the file's bytes.
        file_name: how messages name the file.

    Raises:
        SelvedgeError: the file is empty, has another header, or has no row.
    """
    lines = content.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    _check_header(lines[0], file_name)
    parsed = StylesFile()
    first_line: dict[int, int] = {}
    for number, raw in enumerate(lines[1:], start=2):
        if not raw.strip():
            continue
        parsed.lines += 1
        text, is_utf8 = decode_line(raw)
        parsed.not_utf8 += not is_utf8
        values, recovered = split_row(text)
        parsed.recovered += recovered
        fault = _fault_of(values, first_line)
        if fault is not None:
            parsed.rejected.append(Rejected(number, fault[0], raw, fault[1]))
            continue
        product_id = int(values[0])
        first_line[product_id] = number
        parsed.rows.append(Row(number, raw, product_id, values[1:], recovered))
    if not parsed.lines:
        raise SelvedgeError(f"{file_name} has a header and no rows; a catalogue needs at least one product.")
    return parsed


def decode_line(raw: bytes) -> tuple[str, bool]:
    """The text of a line, and whether it was UTF-8; otherwise it is read as Windows-1252, which Excel writes."""
    try:
        return raw.rstrip(b"\r").decode("utf-8"), True
    except UnicodeDecodeError:
        return raw.rstrip(b"\r").decode("cp1252", errors="replace"), False


def split_row(text: str) -> tuple[list[str], bool]:
    """The fields of a line, and whether it was recovered.

    A correct line (quoted where needed) is read as CSV. A line with too many fields has unquoted commas in its last
    column, the name, so everything after the ninth comma is the name.
    """
    width = len(COLUMNS)
    if '"' not in text:
        fields = text.split(",", width - 1)
        recovered = len(fields) == width and "," in fields[-1]
        return [value.strip() for value in fields], recovered
    try:
        fields = next(csv.reader([text], strict=True))
    except csv.Error:
        fields = []
    if len(fields) == width:
        return [value.strip() for value in fields], False
    plain = text.split(",", width - 1)
    if len(fields) > width and any('"' in value for value in plain[: width - 1]):
        plain = [
            *fields[: width - 1],
            ",".join(fields[width - 1 :]),
        ]  # CSV splits quotes before the name
    return [value.strip() for value in plain], len(plain) == width


def clean_values(row: Row, missing: dict[str, Counter[str]]) -> list[str | int | None]:
    """The nine values of a row with missing ones as None and the year as a number.

    Args:
        missing: counts by column and spelling, added to; an unreadable year counts as `unreadable`.
    """
    cleaned: list[str | int | None] = []
    for column, value in zip(COLUMNS[1:], row.values, strict=True):
        text = clean_text(value)
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


def parse_images(content: bytes) -> set[str]:
    """File names that `images.csv` (`filename,link`) declares to have no image."""
    without: set[str] = set()
    for raw in content.removeprefix(b"\xef\xbb\xbf").split(b"\n")[1:]:
        name, comma, link = decode_line(raw)[0].partition(",")
        if comma and link.strip().strip('"').lower() == NO_IMAGE:
            without.add(name.strip().strip('"'))
    return without


def _check_header(line: bytes, file_name: str) -> None:
    expected = ",".join(COLUMNS)
    if not line.strip():
        raise SelvedgeError(f"{file_name} is empty; its first line must read {expected}.")
    header = [name.strip().strip('"') for name in decode_line(line)[0].split(",")]
    if tuple(header) != COLUMNS:
        absent = [name for name in COLUMNS if name not in header]
        what = f"lacks the column {absent[0]}" if absent else "has other columns or another order"
        raise SelvedgeError(f"{file_name} line 1 {what}; it must read {expected}.")


def _fault_of(values: list[str], first_line: dict[int, int]) -> tuple[Reason, str] | None:
    if len(values) < len(COLUMNS):
        return Reason.BAD_ROW, f"{len(values)} columns; a row has {len(COLUMNS)}"
    written = values[0]
    if _PATH_LIKE.search(written):
        return Reason.PATH_LIKE_ID, f"product id {written!r:.80} looks like a path"
    if not _WHOLE_NUMBER.fullmatch(written):
        return Reason.BAD_ID, f"product id {written!r:.80} is not a whole number"
    earlier = first_line.get(int(written))
    if earlier is not None:
        return Reason.DUPLICATE_ID, f"product id {written} is on line {earlier} already"
    return None
