"""Small rounds for tests: drawn results of two versions, pictures, a ledger, annotations as a server gives them."""

import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from sqlalchemy import create_engine

from catalog.lab import lab_to_rgb
from catalog.schema import AttributeSchema, load_schema
from catalog.tables import schema_of
from evaluation.preference_plan import PreferencePlan
from labeling.review.ledger.ledger import Ledger
from labeling.review.ledger.records import Pair, PulledAnnotation
from labeling.review.pairs.blinding import Side, Version
from labeling.review.pairs.kinds import AttributeCards, Descriptions
from labeling.review.pairs.plan import RoundPlan, SlotKind
from labeling.review.pairs.products import Product
from labeling.review.pairs.strips import PictureStrips, pack_frames
from labeling.review.rounds.material import Material, gather_material
from labeling.tables import STRIPS

NOON = datetime(2026, 5, 3, 12, tzinfo=UTC)
COLOURS = ("Black", "White", "Blue", "Green", "Red", "Yellow")
TYPES = ("Shirts", "Dresses", "Casual Shoes", "Handbags")
GENDERS = ("Men", "Women")
STRIP_COLOURS = {"black": (16, 0, -1), "navy blue": (21, 9, -32), "red": (45, 60, 40), "khaki": (66, 2, 24)}  # CIELAB


@cache
def schema() -> AttributeSchema:
    return load_schema()


def plan(**changes: object) -> RoundPlan:
    fields: dict[str, object] = {
        "round_id": "may-one",
        "family": "blip2-attributes",
        "candidate": "blip2-attributes-20260503-a1b2c3",
        "candidate_version": "4",
        "opponent": "champion",
        "opponent_version": "3",
        "kind": "attribute-cards",
        "seed": 7,
        "items": 20,
        "preference": PreferencePlan(),
    }
    return RoundPlan(**{**fields, **changes})  # type: ignore[arg-type]


def catalogue(products: int = 60) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tables products and splits, every product in the test split."""
    ids = np.arange(1, products + 1)
    rows = pd.DataFrame(
        {
            "product_id": ids,
            "drop": "d1",
            "article_type": [TYPES[i % len(TYPES)] for i in ids],
            "gender": [GENDERS[i % 3 == 0] for i in ids],
        }
    )
    return rows, rows[["product_id", "drop"]].assign(group_id="g", split="test")


def columns_of(frame: pd.DataFrame, schema: str) -> pd.DataFrame:
    """The frame with every column of a table's schema."""
    names = schema_of(schema).names
    return frame.assign(**{name: None for name in names if name not in frame})[names]


def true_labels(products: int = 60) -> dict[int, dict[str, str]]:
    return {
        i: {"Colour": COLOURS[i % len(COLOURS)], "Article Type": TYPES[i % len(TYPES)], "Pattern": "Solid"}
        for i in range(1, products + 1)
    }


def attribute_table(seed: int, products: int = 60, wrong: float = 0.2) -> pd.DataFrame:
    """Answers of a model that errs at random; two seeds are two draws of one model."""
    draw = np.random.default_rng(seed)
    rows = []
    for product_id, labels in true_labels(products).items():
        for name, label in labels.items():
            other = draw.choice([value for value in schema().attributes[name].vocabulary if value != label])
            value = str(other) if draw.random() < wrong else label
            rows.append((product_id, name, value, float(draw.random()), bool(draw.random() < 0.1)))
    return pd.DataFrame(rows, columns=["product_id", "attribute", "value", "confidence", "abstained"])


def description_table(seed: int, products: int = 60) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    openings = ("This is", "Here comes", "Meet")
    ends = ("It goes with everything.", "Made for long days.", "A quiet favourite, and easy to care for.")
    rows = []
    for product_id, labels in true_labels(products).items():
        noun = schema().article_types[labels["Article Type"]]
        text = f"{draw.choice(openings)} a {labels['Colour'].lower()} {noun}. {draw.choice(ends)}"
        rows.append((product_id, text))
    return pd.DataFrame(rows, columns=["product_id", "text"])


@cache
def photo(product_id: int) -> bytes:
    """A small picture file of the product."""
    pixels = np.random.default_rng(product_id).integers(0, 255, (6, 5, 3), dtype=np.uint8)
    sink = io.BytesIO()
    Image.fromarray(pixels).save(sink, "PNG")
    return sink.getvalue()


def product_reader(products: int = 60, read: Callable[[int], bytes] = photo) -> Callable[[int], Product]:
    """What `PairKind.products` gives: products with their labels, and their pictures from `read`."""
    labels = true_labels(products)
    return lambda item: Product(item, labels[item], partial(read, item), schema())


def card_material(seed: int = 7, products: int = 60, read: Callable[[int], bytes] = photo) -> Material:
    tables = attribute_table(1, products), attribute_table(2, products)
    return gather_material(AttributeCards(), *tables, product_reader(products, read), seed)


def text_material(seed: int = 7, products: int = 60) -> Material:
    tables = description_table(1, products), description_table(2, products)
    return gather_material(Descriptions(), *tables, product_reader(products), seed)


def listed(ledger: Ledger, *emails: str) -> Ledger:
    """The ledger, with these annotators on its list."""
    for email in emails or [f"{name}@shop.example" for name in ("ann", "bob", "r0", "r1")]:
        ledger.record.list_annotator(email, None, "added")
    return ledger


def new_ledger(folder: Path, name: str = "ledger.db") -> Ledger:
    return Ledger(create_engine(f"sqlite:///{folder / name}"))


def pair(
    item: int, slot: SlotKind = "plain", left: Version = "candidate", sound: Side | None = None, key: str = ""
) -> Pair:
    return Pair(key or f"{slot}-{item}", item, slot, left, sound, 20, "0" * 64)


def annotation(number: int, task_key: str, rater: str = "ann@shop.example", side: str = "left", **changes: object):
    """A vote, `number` minutes after noon."""
    at = NOON + timedelta(minutes=number)
    fields: dict[str, object] = {
        "annotation_id": number,
        "task_id": 100 + number,
        "task_key": task_key,
        "rater": rater,
        "updated_by": None,
        "side": side,
        "reasons": (),
        "seconds": 9.0,
        "created_at": at,
        "updated_at": at,
        "cancelled": False,
    }
    return PulledAnnotation(**{**fields, **changes})  # type: ignore[arg-type]


def strip_table(seed: int, products: int = 60, side: int = 24) -> pd.DataFrame:
    """Strips of a model that draws a pair of trousers, in the colour asked from the colour word on.

    Two seeds shade it differently; every third product asks no colour.
    """
    draw, rows = np.random.default_rng(seed), []
    for product_id in range(1, products + 1):
        name, asked = list(STRIP_COLOURS.items())[product_id % len(STRIP_COLOURS)]
        gender = "women" if product_id % 2 else "men"
        words = [gender, name, "pants", f"detail{product_id}"]
        if product_id % 3 == 0:
            words = [gender, "pants"]
        colours = [np.array(asked if name in words[: at + 1] else (60, 8, 20)) for at in range(len(words))]
        shades = [colour + draw.normal(0, 1, 3) for colour in colours]
        frames = np.stack([trousers(lab_to_rgb(shade), side) for shade in shades])
        lab, at = (asked, 1) if name in words else ((None,) * 3, -1)
        rows.append((product_id, " ".join(words), words, pack_frames(frames), *lab, at))
    return pd.DataFrame(rows, columns=STRIPS.names)


def trousers(rgb: np.ndarray, side: int) -> np.ndarray:
    """(side, side, 3) uint8: a waist and two legs on white."""
    picture, unit = np.full((side, side, 3), 255, np.uint8), side / 12
    for left, right, top, bottom in ((3, 9, 1, 4), (3, 5.5, 4, 11), (6.5, 9, 4, 11)):
        picture[round(top * unit) : round(bottom * unit), round(left * unit) : round(right * unit)] = rgb
    return picture


def strip_material(seed: int = 7, products: int = 60) -> Material:
    tables = strip_table(1, products), strip_table(2, products, side=48)
    return gather_material(PictureStrips(), *tables, PictureStrips().products(tables[0], {}, None), seed)
