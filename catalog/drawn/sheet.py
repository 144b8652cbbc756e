"""Contact sheet: many drawings on one page, to be looked at by a person.

Belongs here: choosing and arranging. Not here: drawing (garments.py).
"""

from PIL import Image

from catalog.drawn.garments import draw_garment
from catalog.drawn.spec import GarmentSpec, sample_spec
from catalog.drawn.vocabulary import ARTICLES
from catalog.errors import SelvedgeError


def contact_sheet(
    seed: int = 1,
    *,
    columns: int = 9,
    rows: int = 8,
    size: int = 192,
    style: str = "studio",
    article_types: list[str] | None = None,
    first_id: int = 10001,
) -> Image.Image:
    """A page of garments, evenly over the article types; of each item one colour.

    Args:
        seed: the catalogue's seed.
        columns, rows: garments across and down.
        size: side of one picture, in pixels.
        style: drawing style.
        article_types: only these; None for all.
        first_id: where to start looking for products.

    Raises:
        SelvedgeError: an unknown article type or style.
    """
    wanted = article_types or list(ARTICLES)
    unknown = sorted(set(wanted) - set(ARTICLES))
    if unknown:
        raise SelvedgeError(f"article type {unknown[0]!r} cannot be drawn; choose from {', '.join(ARTICLES)}.")
    queue = [wanted[number % len(wanted)] for number in range(columns * rows)]
    sheet = Image.new("RGB", (columns * size, rows * size), "white")
    waiting: dict[str, list[GarmentSpec]] = {name: [] for name in wanted}
    items: set[str] = set()
    product_id = first_id
    for number, article_type in enumerate(queue):
        while not waiting[article_type]:
            spec = sample_spec(seed, product_id, style)
            if spec.article_type in waiting and spec.item_key not in items:
                waiting[spec.article_type].append(spec)
                items.add(spec.item_key)
            product_id += 1
        drawing = draw_garment(waiting[article_type].pop(0), size, parts=False)
        corner = (number % columns * size, number // columns * size)
        sheet.paste(Image.fromarray(drawing.image), corner)
    return sheet
