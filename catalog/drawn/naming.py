"""Names: invented brands, variant names and the display names a shop would print.

Belongs here: words. Not here: anything that decides what the garment looks like.

Every brand is invented; a display name carries some of the truth, as real ones do, and never all of it.
"""

import numpy as np

BRANDS = (
    "Harrow & Pike", "Lindqvale", "Mossfield", "Tern & Thistle", "Corvanne", "Oakhurst Row", "Bellamora", "Fennick",
    "Saltmarsh Co", "Wrenbury", "Quillon", "Northmere", "Alder Lane", "Vasquelle", "Pindle", "Rookwell", "Estuary 9",
    "Kestrel Yard", "Marlowe Finch", "Juniper Dock", "Ostara", "Brindle & Bay", "Tamsin Grey", "Halcroft", "Lumenna",
    "Driftwick", "Copperfold", "Sable Orchard", "Ivory Lantern", "Greyfell",
)  # fmt: skip
_FIRST = (
    "Ard", "Bel", "Cor", "Dun", "Els", "Fen", "Gar", "Hol", "Ing", "Jar", "Kel", "Lor", "Mar", "Nor", "Orm", "Pel",
    "Quen", "Ras", "Sel", "Tor", "Ulv", "Ver", "Wex", "Yar", "Zel",
)  # fmt: skip
_LAST = (
    "ley", "ton", "wick", "mere", "ford", "dale", "by", "ham", "combe", "stead", "more", "field", "shaw", "worth",
    "ness", "gate", "holm", "burn", "ridge", "low",
)  # fmt: skip
_SECOND = (
    "Crest", "Line", "Harbour", "Field", "Classic", "Studio", "Trail", "Echo", "North", "Haven", "Bloom", "Quarter",
    "Pace", "Ridge", "Club", "Vale", "Works", "Loop", "Drift", "Heritage",
)  # fmt: skip
_SINGULAR = {
    "Shirts": "Shirt", "Tshirts": "T-shirt", "Tops": "Top", "Sweaters": "Sweater", "Sweatshirts": "Sweatshirt",
    "Jackets": "Jacket", "Shorts": "Shorts", "Skirts": "Skirt", "Dresses": "Dress", "Handbags": "Handbag",
    "Backpacks": "Backpack",
}  # fmt: skip


def brand_name(rng: np.random.Generator) -> str:
    """One of the invented brands."""
    return BRANDS[int(rng.integers(len(BRANDS)))]


def variant_name(rng: np.random.Generator) -> str:
    """An invented name for one item of a brand."""
    first = _FIRST[int(rng.integers(len(_FIRST)))] + _LAST[int(rng.integers(len(_LAST)))]
    return f"{first} {_SECOND[int(rng.integers(len(_SECOND)))]}"


def singular(article_type: str) -> str:
    """How one article of a type is called in running text."""
    return _SINGULAR.get(article_type, article_type)


def display_name(
    brand: str,
    variant: str,
    gender: str,
    article_type: str,
    colour: str,
    attributes: dict[str, str],
    rng: np.random.Generator,
) -> str:
    """What the shop prints above the picture: always brand, variant and type, the rest now and then."""
    with_gender, with_pattern, with_colour, with_fabric = rng.random(4) < (0.9, 0.5, 0.75, 0.25)
    pattern = attributes.get("Pattern", "Solid")
    words = [brand, gender if with_gender else "", variant]
    words += [pattern if with_pattern and pattern != "Solid" else "", colour if with_colour else ""]
    words += [attributes.get("Fabric", "") if with_fabric else "", singular(article_type)]
    return " ".join(word for word in words if word)
