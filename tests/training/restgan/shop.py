"""A small shop on disk: plain two-legged shapes as photographs, and the tables that reading them would publish.

Belongs here: what the tests of garments, titles and the data set share. Not here: tests.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image

from catalog.lab import lab_to_rgb

Shade = tuple[float, float, float]
SHADES: dict[str, Shade] = {
    "Black": (13, 0, -1), "Navy Blue": (21, 9, -32), "Blue": (43, 10, -48), "Red": (43, 63, 42), "Khaki": (68, 1, 25),
    "White": (87, 0, 2),
}  # fmt: skip
ARTICLES = ("Jeans", "Trousers", "Shorts", "Track Pants")
GENDERS = ("Men", "Women", "Boys", "Girls", "Unisex")
BRANDS = ("Harrow & Pike", "Lindqvale", "Mossfield", "Tern")


@dataclass(frozen=True)
class Shop:
    """Tables as `catalog/` publishes them, in the columns that training reads."""

    products: pd.DataFrame
    images: pd.DataFrame
    splits: pd.DataFrame


def photograph(shade: tuple[float, float, float], article: str, rng: np.random.Generator) -> np.ndarray:
    """(64, 48, 3) uint8: a waist and two legs, off centre, on a backdrop that is nearly white."""
    picture = rng.normal(251, 0.8, (64, 48, 3))
    left, top = int(rng.integers(4, 16)), int(rng.integers(3, 10))
    length = 24 if article == "Shorts" else 46
    colour = lab_to_rgb(np.array(shade, float) + rng.normal(0, 1, 3))
    picture[top : top + 12, left : left + 24] = colour
    picture[top + 12 : top + length, left : left + 10] = colour
    picture[top + 12 : top + length, left + 14 : left + 24] = colour
    return picture.clip(0, 255).astype(np.uint8)


def open_shop(folder: Path, count: int, seed: int = 0, shades: dict[str, Shade] | None = None) -> Shop:
    """`count` bottoms; two of three products share their group with another."""
    rng = np.random.default_rng(seed)
    shades = shades or SHADES
    (folder / "images").mkdir(parents=True, exist_ok=True)
    rows = []
    for place in range(count):
        product_id = 1001 + place
        colour, article = str(rng.choice(list(shades))), str(rng.choice(ARTICLES))
        gender, brand = str(rng.choice(GENDERS)), str(rng.choice(BRANDS))
        path = folder / "images" / f"{product_id}.png"
        Image.fromarray(photograph(shades[colour], article, rng)).save(path)
        rows.append(
            {
                "drop": "d1",
                "product_id": product_id,
                "gender": gender,
                "article_type": article,
                "base_colour": colour,
                "product_display_name": f"{brand} {gender} Elston Crest Striped {colour} {article}",
                "brand": brand,
                "variant": "Elston Crest",
                "attributes": {"Fit": "Slim Fit", "Fabric": str(rng.choice(["Cotton", "Linen"])), "Closure": "NA"},
                "image_uri": str(path),
                "uri": str(path),
                "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "group_id": f"g{1001 + place - place % 3 % 2}",
                "split": "train",
            }
        )
    whole = pd.DataFrame(rows)
    images = whole[["drop", "product_id", "uri", "sha256"]]
    splits = whole[["product_id", "drop", "group_id", "split"]]
    return Shop(whole.drop(columns=["uri", "sha256", "group_id", "split"]), images, splits)
