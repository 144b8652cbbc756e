"""The published products of the report: a dozen cards, as their picture, its answers and its text were published.

Belongs here: choosing products and putting their card together. Not here: reading tables (home.py), HTML (render.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from catalog.pages import Picture
from orchestration.report import pictures
from orchestration.report.home import Home

SHOWN_PRODUCTS = 12


@dataclass(frozen=True)
class AttributeAnswer:
    """What a model answered, and what the catalogue itself says, where it says anything."""

    attribute: str
    value: str
    confidence: float
    abstained: bool
    catalogue_value: str | None


@dataclass(frozen=True)
class ProductCard:
    """One product as it was published."""

    product_id: int
    name: str
    split: str
    photo: Picture
    answers: list[AttributeAnswer]
    description: str
    writer: str


@dataclass(frozen=True)
class PublishedProducts:
    """What the champion's work came to.

    Attributes:
        descriptions: published ones. abstained: share of answers below their threshold.
    """

    cards: list[ProductCard]
    descriptions: int
    abstained: float


def read_published(home: Home, seed: int) -> PublishedProducts:
    """What was published of the home's drops. seed: of the choice of products that are shown."""
    attributes, descriptions = home.all_drops("inference/attributes"), home.all_drops("inference/descriptions")
    abstained = float(attributes["abstained"].mean()) if len(attributes) else 0.0
    if descriptions.empty:
        return PublishedProducts([], 0, abstained)
    splits = home.splits
    split_of = dict(zip(splits["product_id"], splits["split"], strict=True)) if len(splits) else {}
    texts = descriptions.drop_duplicates("product_id", keep="last").set_index("product_id")
    answers = published_answers(attributes, home.qa_pairs)
    shown = varied_products(home.products[home.products["product_id"].isin(texts.index)], split_of, seed)
    cards = []
    for row in shown.itertuples(index=False):
        product, name = int(row.product_id), str(row.product_display_name)
        text = texts.loc[product]
        cards.append(
            ProductCard(
                product_id=product,
                name=name,
                split=split_of.get(product, "new"),
                photo=pictures.photo(home.picture_uris[product], name),
                answers=answers.get(product, []),
                description=str(text["text"]),
                writer=f"the {text['writer']} writer",
            )
        )
    return PublishedProducts(cards, len(descriptions), abstained)


def published_answers(attributes: pd.DataFrame, qa_pairs: pd.DataFrame) -> dict[int, list[AttributeAnswer]]:
    """The answers of table `attributes` by product, each beside the catalogue's own value from table `qa_pairs`."""
    catalogue = {
        (int(pair["product_id"]), str(pair["attribute"])): str(pair["value"]) for pair in qa_pairs.to_dict("records")
    }
    answers: dict[int, list[AttributeAnswer]] = {}
    for row in attributes.to_dict("records"):
        product, attribute = int(row["product_id"]), str(row["attribute"])
        answer = AttributeAnswer(
            attribute,
            str(row["value"]),
            float(row["confidence"]),
            bool(row["abstained"]),
            catalogue.get((product, attribute)),
        )
        answers.setdefault(product, []).append(answer)
    return answers


def varied_products(
    products: pd.DataFrame, split_of: Mapping[int, str], seed: int, most: int = SHOWN_PRODUCTS
) -> pd.DataFrame:
    """Products to show: the article types take turns, test products first, the same for the same seed."""
    shuffled = products.iloc[np.random.default_rng(seed).permutation(len(products))]
    seen = shuffled["product_id"].map(lambda product: split_of.get(int(product)) != "test")
    shuffled = shuffled.assign(seen=seen.to_numpy()).sort_values("seen", kind="stable")
    turn = shuffled.groupby("article_type").cumcount()
    return shuffled.assign(turn=turn).sort_values(["turn", "seen"], kind="stable").head(most)
