"""Garments: from a specification to a finished drawing.

Belongs here: which family of shapes draws which article type. Not here: any shape (tops.py, bottoms.py, dresses.py,
shoes.py, bags.py).
"""

from collections.abc import Callable
from dataclasses import replace

from catalog.drawn.bags import draw_backpack, draw_handbag
from catalog.drawn.bottoms import draw_bottoms
from catalog.drawn.cloth import Sketch
from catalog.drawn.dresses import draw_dress, draw_skirt
from catalog.drawn.heels import draw_heels
from catalog.drawn.shoes import draw_shoe
from catalog.drawn.spec import GarmentSpec
from catalog.drawn.studio import Drawing, light_of, photograph
from catalog.drawn.tops import draw_top

_FAMILIES: dict[str, Callable[[Sketch], None]] = {
    **dict.fromkeys(("Shirts", "Tshirts", "Tops", "Sweaters", "Sweatshirts", "Jackets"), draw_top),
    **dict.fromkeys(("Jeans", "Trousers", "Track Pants", "Shorts"), draw_bottoms),
    "Skirts": draw_skirt,
    "Dresses": draw_dress,
    **dict.fromkeys(("Casual Shoes", "Formal Shoes", "Sports Shoes"), draw_shoe),
    "Heels": draw_heels,
    "Handbags": draw_handbag,
    "Backpacks": draw_backpack,
}


def draw_garment(spec: GarmentSpec, size: int = 256, style: str | None = None, parts: bool = True) -> Drawing:
    """The product photograph of a specification.

    Args:
        spec: what to draw.
        size: side of the picture in pixels.
        style: the spec's own, or another drawing style.
        parts: False skips the part mask.
    """
    if style is not None and style != spec.style:
        spec = replace(spec, style=style)
    sketch = Sketch(spec, light_of(spec), "Denim" if spec.article_type == "Jeans" else None)
    _FAMILIES[spec.article_type](sketch)
    return photograph(sketch, size, parts)
