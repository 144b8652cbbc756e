"""A garment's specification: everything the picture shows, before a single line is drawn.

Belongs here: `GarmentSpec`, and sampling one from (seed, product id, style). Not here: drawing it (garments.py),
writing it to disk (catalogue.py).

Neighbouring ids share items: a block of `BLOCK` ids is divided into items, an item is one id, or the same garment in
several colours, or one colour photographed again. Every draw is keyed by (seed, what it is for), so a product looks the
same whatever else is in the catalogue and however many workers draw it.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from catalog.drawn import vocabulary
from catalog.drawn.colours import COLOURS, Lab, draw_colour, draw_contrast
from catalog.drawn.naming import brand_name, display_name, variant_name
from catalog.errors import SelvedgeError

STYLES = ("studio", "atelier")
BLOCK = 12
_ARTICLE_WEIGHTS = {name: article.weight for name, article in vocabulary.ARTICLES.items()}
_SHOT_PURPOSES = ("camera", "exposure", "grain", "jpeg", "json", "noise")


@dataclass(frozen=True)
class GarmentSpec:
    """One product: its visible truth, its names, and the keys of its shape and its photograph.

    `attributes` holds exactly the attributes that its article type shows. Two specs with one `item_key` are one
    garment, perhaps in another colour; the same `item_key` and `base_colour` is the same product photographed again.
    """

    product_id: int
    seed: int
    style: str
    article_type: str
    master_category: str
    sub_category: str
    gender: str
    base_colour: str
    attributes: dict[str, str]
    usage: str
    season: str
    year: int
    brand: str
    variant: str
    display_name: str
    item_key: str
    shot: int  # 0: first photograph of this colour; 1, 2, …: taken again
    relisted: bool  # a re-shot sold under another brand and name: only the picture gives it away
    base_lab: Lab
    second_lab: Lab
    third_lab: Lab
    price: int

    def rng(self, purpose: str) -> np.random.Generator:
        """The generator for one purpose.

        Shape, pose and print are the item's own, whatever its colour. Folds, light and backdrop are this colour's own,
        and a re-shot repeats them: it is the same garment on the same table. What is drawn for `_SHOT_PURPOSES` differs
        with every photograph and every row.
        """
        first = self.product_id if purpose in _SHOT_PURPOSES else self.product_id - self.shot
        scope = self.item_key if purpose in ("shape", "pose", "print") else f"{self.item_key}/{first}"
        return generator(self.seed, f"{self.style}/{scope}/{purpose}")


def generator(seed: int, key: str) -> np.random.Generator:
    """A random generator that depends on (seed, key) alone, the same on every machine."""
    return np.random.default_rng(np.frombuffer(hashlib.sha256(f"{seed}/{key}".encode()).digest(), dtype=np.uint64))


def choose(weights: Mapping[str, float], rng: np.random.Generator) -> str:
    """One key, drawn in proportion to its weight."""
    total = sum(weights.values())
    mark = float(rng.random()) * total
    for key, weight in weights.items():
        mark -= weight
        if mark < 0:
            return key
    return next(reversed(list(weights)))


def sample_spec(seed: int, product_id: int, style: str = "studio") -> GarmentSpec:
    """The product with this id, in every catalogue drawn with this seed.

    Raises:
        SelvedgeError: an unknown style, or a negative id.
    """
    if style not in STYLES:
        raise SelvedgeError(f"drawing style {style!r} is unknown; choose one of {', '.join(STYLES)}.")
    if product_id < 0:
        raise SelvedgeError(f"product id {product_id} is negative; ids are whole numbers from 0.")
    item, member, kind = _place(seed, product_id)
    item_key = f"item{item}"
    rng = generator(seed, f"{item_key}/spec")
    article_type = choose(_ARTICLE_WEIGHTS, rng)
    article = vocabulary.ARTICLES[article_type]
    gender = choose(article.genders, rng)
    attributes = _sample_attributes(article_type, rng)
    colour_names = _colours_of_item(attributes, article_type, rng)
    usage = choose(article.usages, rng)
    season = choose({"Summer": 0.47, "Fall": 0.26, "Winter": 0.19, "Spring": 0.08}, rng)
    year = int(choose({"2011": 0.36, "2012": 0.37, "2013": 0.09, "2010": 0.06, "2014": 0.05, "2015": 0.07}, rng))
    price = int(rng.integers(9, 110)) * 50 - 1
    brand, variant = brand_name(rng), variant_name(rng)
    shot = member if kind == "reshot" else 0
    base_colour = colour_names[0 if kind == "reshot" else member % len(colour_names)]
    relisted = kind == "reshot" and member > 0 and bool(generator(seed, f"{item_key}/relisted").random() < 0.5)
    if relisted:
        renamed = generator(seed, f"{item_key}/relisted/{member}")
        brand, variant = brand_name(renamed), variant_name(renamed)
    tint = generator(seed, f"{item_key}/colour/{base_colour}")
    base_lab = draw_colour(base_colour, tint)
    second_lab = draw_contrast(base_lab, tint)
    return GarmentSpec(
        product_id=product_id,
        seed=seed,
        style=style,
        article_type=article_type,
        master_category=article.master_category,
        sub_category=article.sub_category,
        gender=gender,
        base_colour=base_colour,
        attributes=attributes,
        usage=usage,
        season=season,
        year=year,
        brand=brand,
        variant=variant,
        display_name=display_name(brand, variant, gender, article_type, base_colour, attributes, rng),
        item_key=item_key,
        shot=shot,
        relisted=relisted,
        base_lab=base_lab,
        second_lab=second_lab,
        third_lab=draw_contrast(base_lab, tint),
        price=price,
    )


def article_type_of(seed: int, product_id: int) -> str:
    """What `sample_spec` makes the product with this id, in a fraction of the time; for looking through many ids."""
    item, _, _ = _place(seed, product_id)
    return choose(_ARTICLE_WEIGHTS, generator(seed, f"item{item}/spec"))  # its first draw


def _place(seed: int, product_id: int) -> tuple[str, int, str]:
    """Which item an id belongs to, its number within the item, and whether members are colours or re-shots."""
    block, position = divmod(product_id, BLOCK)
    rng = generator(seed, f"block{block}")
    start = 0
    while True:
        size = int(choose({"1": 0.62, "2": 0.2, "3": 0.12, "4": 0.06}, rng))
        kind = "colourway" if rng.random() < 0.7 else "reshot"
        if kind == "reshot":
            size = min(size, 2)
        if position < start + size:
            return f"{block}.{start}", position - start, kind
        start += size


def _sample_attributes(article_type: str, rng: np.random.Generator) -> dict[str, str]:
    attributes = {
        attribute: choose(vocabulary.ATTRIBUTES[attribute][article_type], rng)
        for attribute in vocabulary.attributes_of(article_type)
    }
    # Leather is neither checked nor striped in any shop, and a print on denim hides the twill that names the fabric.
    if attributes.get("Fabric") in ("Leather", "Patent Leather", "Denim", "Corduroy", "Fleece", "Suede"):
        allowed = {"Denim": ("Solid", "Striped", "Polka Dots"), "Fleece": ("Solid", "Striped", "Checked", "Printed")}
        kept = allowed.get(attributes["Fabric"], ("Solid", "Striped"))
        if attributes.get("Pattern", "Solid") not in kept and rng.random() < 0.6:
            attributes["Pattern"] = "Solid"
    return attributes


def _colours_of_item(attributes: dict[str, str], article_type: str, rng: np.random.Generator) -> list[str]:
    """Four different colours in the order the shop would list them; denim leans to blue, shoes to black and brown."""
    weights = {name: colour.weight for name, colour in COLOURS.items()}
    if attributes.get("Fabric") == "Denim" or article_type == "Jeans":
        for name, factor in {"Blue": 4.0, "Navy Blue": 4.0, "Black": 1.6, "Grey": 1.4}.items():
            weights[name] *= factor
    if article_type == "Formal Shoes":
        for name, factor in {"Black": 3.0, "Brown": 3.0, "Tan": 2.5}.items():
            weights[name] *= factor
    names: list[str] = []
    while len(names) < 4:
        names.append(choose({name: weight for name, weight in weights.items() if name not in names}, rng))
    return names
