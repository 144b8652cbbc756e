"""A contact sheet of a catalogue: many products on one page, to be looked at by a person.

Belongs here: choosing pictures evenly and arranging them. Not here: drawing new ones (drawn/sheet.py), what Dagster's
page shows (orchestration/assets/metadata.py).
"""

import io
from collections.abc import Sequence
from itertools import zip_longest
from pathlib import Path

from PIL import Image

from catalog.errors import SelvedgeError
from catalog.pictures import Limits, standard_copy
from catalog.quarantine import Rejection
from catalog.reading import IMAGE_SUFFIXES
from catalog.stores import stored_bytes

GAP = 4  # pixels of white around a picture


def catalogue_sheet(source: Path, *, columns: int, rows: int, size: int) -> tuple[Image.Image, int]:
    """A page of products.

    Args:
        source: a catalogue directory (evenly over its article types), or a folder with `images/` (over the files).
        columns, rows: pictures across and down; fewer rows when there are fewer pictures.
        size: side of a cell, pixels.

    Returns:
        the page, and how many products are on it.

    Raises:
        SelvedgeError: there are no pictures, or none can be read.
    """
    if (source / "catalogue.json").exists():
        uris = _by_article_type(source, columns * rows)
    else:
        uris = _by_file(source, columns * rows)
    pictures = [picture for picture in map(_opened, uris) if picture is not None]
    if not pictures:
        raise SelvedgeError(f"{source} has no readable picture; give a catalogue directory, or a folder with images/.")
    page = Image.new("RGB", (columns * size, -(-len(pictures) // columns) * size), "white")
    for number, picture in enumerate(pictures):
        picture.thumbnail((size - 2 * GAP, size - 2 * GAP))
        row, column = divmod(number, columns)
        left = column * size + (size - picture.width) // 2
        page.paste(picture, (left, row * size + (size - picture.height) // 2))
    return page, len(pictures)


def _by_article_type(source: Path, wanted: int) -> Sequence[str]:
    """Pictures taken in turn from every article type, the most frequent first."""
    from catalog.workspace import open_catalogue

    catalogue = open_catalogue(source)
    uris = dict(zip(catalogue.images["product_id"].to_pylist(), catalogue.images["uri"].to_pylist(), strict=True))
    by_type: dict[str, list[str]] = {}
    ids, types = catalogue.products["product_id"].to_pylist(), catalogue.products["article_type"].to_pylist()
    for product_id, article_type in zip(ids, types, strict=True):
        by_type.setdefault(article_type, []).append(uris[product_id])
    piles = sorted(by_type.values(), key=len, reverse=True)
    return [uri for turn in zip_longest(*piles) for uri in turn if uri is not None][:wanted]


def _by_file(source: Path, wanted: int) -> Sequence[str]:
    folder = source / "images"
    files = sorted(path for path in folder.glob("*") if path.suffix[1:].lower() in IMAGE_SUFFIXES)
    step = max(1, len(files) // wanted)
    return [str(path) for path in files[::step][:wanted]]


def _opened(uri: str) -> Image.Image | None:
    """The picture as it would be catalogued; None for a file that is none, which a look at a raw catalogue survives."""
    try:
        copy = standard_copy(stored_bytes(uri), Limits())
        return Image.open(io.BytesIO(copy.content)).convert("RGB")  # a small file is kept as it is, cut or not
    except (OSError, Rejection):
        return None
