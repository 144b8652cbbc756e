"""Quarantine: why a row of a catalogue was rejected.

Belongs here: the reason codes and what one rejected row carries. Not here: finding the faults (rows.py,
product_json.py, pictures.py), the table of rejected rows (reading.py).

A rejected row keeps its bytes as delivered, so that nothing is lost and a person can mend the file.
"""

from enum import StrEnum
from typing import NamedTuple


class Reason(StrEnum):
    """The reason codes. A row has one: the first fault met, in the order of this list."""

    BAD_ROW = "bad_row"  # fewer columns than the header, or more that cannot be told apart
    PATH_LIKE_ID = "path_like_id"  # an id such as ../38, which could name a file elsewhere
    BAD_ID = "bad_id"  # an id that is no whole number for certain
    DUPLICATE_ID = "duplicate_id"  # an id met on an earlier line
    MISSING_IMAGE = "missing_image"  # no image file that can be opened, or images.csv says `undefined`
    BROKEN_JSON = "broken_json"
    JSON_ID_MISMATCH = "json_id_mismatch"
    IMAGE_TOO_LARGE = "image_too_large"  # over the byte or pixel limit, found before decoding
    TRUNCATED_IMAGE = "truncated_image"  # the file ends before the picture does
    UNDECODABLE_IMAGE = "undecodable_image"
    BLANK_IMAGE = "blank_image"  # one colour all over, or too small to show anything
    PLACEHOLDER_IMAGE = "placeholder_image"  # the very file that stands for several other products


class Rejected(NamedTuple):
    """One row that did not become a product."""

    line: int  # 1-based, the header being line 1
    reason: Reason
    raw: bytes  # the line as in the file, without its line feed; of a UTF-16 file in UTF-8
    detail: str


class Rejection(Exception):
    """Raised by a check that finds a fault in one row's files; the row goes to quarantine, reading goes on."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(reason, detail)  # both arguments, so that it survives the way back from a worker process
        self.reason = reason
        self.detail = detail
