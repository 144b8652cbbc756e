"""Faults: every damage that reading a catalogue must find or bear.

Belongs here: which products are damaged and how. Not here: healthy rows and files (catalogue.py), finding damage (the
reading side of `catalog`).

Two kinds: faults that send a row to quarantine, each under its own reason code, and faults that must be handled (an
unquoted comma, bytes that are not UTF-8, a year written 2011.0, blanks, a picture turned by its EXIF flag).
"""

import enum
import io
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image

from catalog.drawn.spec import generator
from catalog.errors import SelvedgeError
from catalog.files import jpeg_bytes, png_bytes

EXIF_ORIENTATION = 0x0112
_OVERSIZED = 9000  # pixels a side: 81 megapixels in a file of some kilobytes


@dataclass(frozen=True)
class Row:
    """One row of styles.csv; the name is bytes, because real names are not always UTF-8."""

    id: str
    gender: str
    master_category: str
    sub_category: str
    article_type: str
    base_colour: str
    season: str
    year: str
    usage: str
    name: bytes

    def line(self) -> bytes:
        """The row as it stands in the file."""
        head = (self.id, self.gender, self.master_category, self.sub_category, self.article_type, self.base_colour)
        return ",".join((*head, self.season, self.year, self.usage)).encode() + b"," + self.name + b"\n"


class Fault(enum.Enum):
    """One way to be damaged; the value is the quarantine's reason code, or the kind of a fault that is handled."""

    MISSING_IMAGE = "missing_image"
    UNDECODABLE_IMAGE = "undecodable_image"
    TRUNCATED_IMAGE = "truncated_image"
    IMAGE_TOO_LARGE = "image_too_large"
    BROKEN_JSON = "broken_json"
    JSON_ID_MISMATCH = "json_id_mismatch"
    DUPLICATE_ID = "duplicate_id"
    BAD_ID = "bad_id"
    PATH_LIKE_ID = "path_like_id"
    ROTATED = "exif_rotated"
    COMMA = "unquoted_comma"
    TWO_COMMAS = "two_unquoted_commas"
    NOT_UTF8 = "not_utf8"
    FLOAT_YEAR = "float_year"
    BLANK = "blank_fields"
    NOT_AVAILABLE = "literal_na"

    def spoil(self, files: dict[str, bytes], product_id: int) -> dict[str, bytes]:
        """The product's files with this damage."""
        image, details = f"images/{product_id}.jpg", f"styles/{product_id}.json"
        files = dict(files)
        if self is Fault.MISSING_IMAGE:
            del files[image]
        elif self is Fault.UNDECODABLE_IMAGE:
            files[image] = b"<html><body>404 Not Found</body></html>\n"
        elif self is Fault.TRUNCATED_IMAGE:
            files[image] = files[image][: len(files[image]) * 3 // 5]
        elif self is Fault.IMAGE_TOO_LARGE:
            files[image] = _oversized()
        elif self is Fault.BROKEN_JSON:
            files[details] = files[details][: len(files[details]) // 2]
        elif self is Fault.JSON_ID_MISMATCH:
            files[details] = files[details].replace(
                f'"id":{product_id},'.encode(), f'"id":{product_id + 1},'.encode(), 1
            )
        elif self is Fault.ROTATED:
            files[image] = _turned(files[image])
        return files


_ON_FILES = (
    Fault.MISSING_IMAGE,
    Fault.UNDECODABLE_IMAGE,
    Fault.TRUNCATED_IMAGE,
    Fault.IMAGE_TOO_LARGE,
    Fault.BROKEN_JSON,
    Fault.JSON_ID_MISMATCH,
    Fault.ROTATED,
)
_ON_ROWS = (Fault.COMMA, Fault.TWO_COMMAS, Fault.NOT_UTF8, Fault.FLOAT_YEAR, Fault.BLANK, Fault.NOT_AVAILABLE)
_EXTRA_ROWS = (Fault.DUPLICATE_ID, Fault.BAD_ID, Fault.PATH_LIKE_ID)
_HANDLED = (*_ON_ROWS, Fault.ROTATED)


@dataclass(frozen=True)
class Plan:
    """Which products are damaged how: in their files, in their rows, and rows that are added after a product's own."""

    on_files: dict[int, Fault] = field(default_factory=dict)
    on_rows: dict[int, Fault] = field(default_factory=dict)
    added: dict[int, Fault] = field(default_factory=dict)

    def lines(self, rows: Sequence[Row]) -> tuple[list[bytes], list[tuple[int, str]], list[tuple[int, str]]]:
        """The lines of styles.csv, the faults for quarantine, and those to be handled, as (line, code or kind)."""
        lines: list[bytes] = []
        planted: list[tuple[int, str]] = []
        handled: list[tuple[int, str]] = []
        for row in rows:
            product_id = int(row.id)
            here = len(lines) + 2  # the header is line 1
            for fault in (self.on_files.get(product_id), self.on_rows.get(product_id)):
                if fault is not None:
                    (handled if fault in _HANDLED else planted).append((here, fault.value))
            lines.append(_damaged(row, self.on_rows.get(product_id)).line())
            extra = self.added.get(product_id)
            if extra is not None:
                planted.append((len(lines) + 2, extra.value))
                lines.append(_added(row, extra).line())
        return lines, planted, handled


def plan_faults(ids: Sequence[int], seed: int) -> Plan:
    """Choose the damaged products: every fault at least once, about one in 250 products each.

    Raises:
        SelvedgeError: fewer products than there are kinds of damage.
    """
    times = max(1, len(ids) // 250)
    wanted = [fault for fault in (*_ON_FILES, *_ON_ROWS, *_EXTRA_ROWS) for _ in range(times)]
    if len(ids) < len(wanted):
        raise SelvedgeError(
            f"faults need at least {len(wanted)} products, not {len(ids)}; draw more or leave faults out."
        )
    damaged = generator(seed, "faults").permutation(np.asarray(ids))[: len(wanted)]
    pairs = list(zip((int(product_id) for product_id in damaged), wanted, strict=True))
    return Plan(
        {product_id: fault for product_id, fault in pairs if fault in _ON_FILES},
        {product_id: fault for product_id, fault in pairs if fault in _ON_ROWS},
        {product_id: fault for product_id, fault in pairs if fault in _EXTRA_ROWS},
    )


def _damaged(row: Row, fault: Fault | None) -> Row:
    if fault is Fault.COMMA:
        return replace(row, name=row.name + b", Pack of 2")
    if fault is Fault.TWO_COMMAS:
        return replace(row, name=row.name + b", Soft, Light")
    if fault is Fault.NOT_UTF8:
        return replace(row, name=row.name + b" Caf\xe9 Edition")
    if fault is Fault.FLOAT_YEAR:
        return replace(row, year=row.year + ".0")
    if fault is Fault.BLANK:
        return replace(row, season="", usage="")
    if fault is Fault.NOT_AVAILABLE:
        return replace(row, usage="NA", base_colour="NA")
    return row


def _added(row: Row, fault: Fault) -> Row:
    if fault is Fault.BAD_ID:
        return replace(row, id=f"{row.id}a")
    if fault is Fault.PATH_LIKE_ID:
        return replace(row, id=f"../{row.id}")
    return row


def _oversized() -> bytes:
    return png_bytes(Image.new("1", (_OVERSIZED, _OVERSIZED), 1), optimize=True)


def _turned(jpeg: bytes) -> bytes:
    """The picture lying on its side, with the EXIF flag that sets it upright."""
    with Image.open(io.BytesIO(jpeg)) as picture:
        turned = picture.transpose(Image.Transpose.ROTATE_90)
        exif = Image.Exif()
        exif[EXIF_ORIENTATION] = 6
        return jpeg_bytes(turned, 92, exif=exif)
