"""Pictures and small tables inside asset metadata, so that a person sees in Dagster's page what was made.

Belongs here: contact sheets, plots and tables as Markdown that carries its picture with it, the order of entries. Not
here: the report's plots.
"""

import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg
from PIL import Image

from catalog.files import data_uri, jpeg_bytes
from catalog.stores import stored_bytes

THUMBNAIL = 96  # pixels
COLUMNS = 6
# Dagster keeps metadata in its event log; a sheet of twelve takes about 40 kB.
SHEET_PICTURES = 12
ADDRESSES, HASHES = ("uri", "schema", "dataset", "store", "made_of"), ("sha256", "digest", "fingerprint")


def contact_sheet(uris: Sequence[str]) -> dg.MarkdownMetadataValue:
    """The first pictures side by side, as one JPEG inside Markdown."""
    selected = uris[:SHEET_PICTURES]
    rows = -(-len(selected) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * THUMBNAIL, max(rows, 1) * THUMBNAIL), "white")
    for position, uri in enumerate(selected):
        picture = Image.open(io.BytesIO(stored_bytes(uri))).convert("RGB")
        picture.thumbnail((THUMBNAIL - 4, THUMBNAIL - 4))
        row, column = divmod(position, COLUMNS)
        sheet.paste(picture, (column * THUMBNAIL + 2, row * THUMBNAIL + 2))
    return shown(sheet, "contact sheet")


def shown(picture: Image.Image, label: str) -> dg.MarkdownMetadataValue:
    """A picture inside Markdown, as a JPEG."""
    return image(jpeg_bytes(picture.convert("RGB"), 82), label, "image/jpeg")


def image(content: bytes, label: str, kind: str = "image/png") -> dg.MarkdownMetadataValue:
    """An encoded picture as a data URI: Dagster's page has no other way to show one without a web server."""
    return dg.MetadataValue.md(f"![{label}]({data_uri(content, kind)})")


def counts(values: Mapping[Any, int], what: str) -> dg.MarkdownMetadataValue:
    """Names with their counts, most frequent first."""
    rows = sorted(values.items(), key=lambda item: (-item[1], str(item[0])))
    return table([what, "rows"], ([name, f"{number:,}"] for name, number in rows))


def table(header: Sequence[str], rows: Iterable[Sequence[Any]]) -> dg.MarkdownMetadataValue:
    """A Markdown table; a bar in a cell would end it."""
    lines = [header, ["---"] * len(header), *rows]
    cells = ([str(cell).replace("|", "\\|").replace("\n", " ") for cell in line] for line in lines)
    return dg.MetadataValue.md("\n".join("| " + " | ".join(line) + " |" for line in cells))


def in_reading_order(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """The same entries as a person reads them: figures and sentences, pictures and tables, records, then addresses and
    hashes; Dagster's page keeps their order."""

    def rank(entry: tuple[str, Any]) -> int:
        name, value = entry
        if name in ADDRESSES or name.endswith(HASHES) or name.startswith("dagster/"):
            return 3
        if isinstance(value, dict | list | dg.JsonMetadataValue):
            return 2
        return int(isinstance(value, dg.MarkdownMetadataValue))

    return dict(sorted(metadata.items(), key=rank))
