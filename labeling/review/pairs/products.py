"""Products: what both sides of a pair are held against.

Belongs here: a product as kinds of pair are handed it, and reading photographed ones from the catalogue's tables. Not
here: which products a round shows (items.py), what two versions say of them (kinds.py, strips.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

import pandas as pd

from catalog.errors import SelvedgeError
from catalog.schema import AttributeSchema
from catalog.stores import stored_bytes


@dataclass(frozen=True)
class Product:
    """What is known of a product besides the results.

    Attributes:
        labels: the catalogue's own values by attribute, in the vocabulary.
        picture: reads what both sides are held against: the product's picture file, or a card that says what was asked.
        vocabulary: of the attributes; None where a kind has none.
    """

    product_id: int
    labels: Mapping[str, str]
    picture: Callable[[], bytes]
    vocabulary: AttributeSchema | None = None


def photographed(
    images: pd.DataFrame, qa_pairs: pd.DataFrame, vocabulary: AttributeSchema | None
) -> Callable[[int], Product]:
    """A reader of products with their photographs and the catalogue's own values, by product id.

    Args:
        images, qa_pairs: tables of those names.

    Raises:
        SelvedgeError: there is no vocabulary; from `Product.picture`: the picture is missing.
    """
    if vocabulary is None:
        raise SelvedgeError("the round has no vocabulary of attributes; run `selvedge review open` again.")
    uris = dict(zip(images["product_id"].astype(int), images["uri"], strict=True))
    labels = catalogue_labels(qa_pairs)
    return lambda product_id: Product(
        product_id, labels.get(product_id, {}), partial(photograph, uris, product_id), vocabulary
    )


def catalogue_labels(qa_pairs: pd.DataFrame) -> dict[int, dict[str, str]]:
    """The catalogue's own values by product and attribute, from table `qa_pairs`."""
    labels: dict[int, dict[str, str]] = {}
    columns = (qa_pairs[name] for name in ("product_id", "attribute", "value"))
    for product_id, attribute, value in zip(*columns, strict=True):
        labels.setdefault(int(product_id), {})[str(attribute)] = str(value)
    return labels


def photograph(uris: Mapping[int, str], product_id: int) -> bytes:
    """A product's picture file. Raises: SelvedgeError: it has none, or it is gone."""
    if product_id not in uris:
        raise SelvedgeError(f"product {product_id} has no picture; standardise this drop's images again.")
    try:
        return stored_bytes(uris[product_id])
    except OSError as error:
        raise SelvedgeError(
            f"the picture of product {product_id} is gone ({uris[product_id]}); bring it back."
        ) from error
