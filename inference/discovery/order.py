"""Which of the products near a picture come first: those that are what the line asks for, by all that is known of them.

Belongs here: the sum of what judge, picture and words say. Not here: each of them (model.py, shelf.py), the search
(index.py).
"""

from collections.abc import Iterable

import numpy as np

from inference.discovery.index import Order
from inference.discovery.model import DiscoveryModel, Step
from inference.discovery.shelf import Shelf, stems

# Of a word that stands in what is published of a product, in units of log-probability: as much as the whole way from no
# likeness to the picture to the same picture, less than a judge that is sure of another colour, type or person.
WORD = 1.0


def in_order(model: DiscoveryModel, shelf: Shelf | None, step: Step, words: Iterable[str]) -> Order:
    """The order of products after a word of a line.

    Args:
        shelf: None: nothing is known of products but their pictures. words: of the line, up to this one.
    """
    stemmed = dict.fromkeys(stem for word in words for stem in stems(word))
    having = [np.fromiter(ids, np.int64) for stem in stemmed if (ids := shelf.having(stem))] if shelf else []

    def order(vectors: np.ndarray, ids: np.ndarray) -> np.ndarray:
        return model.agreement(step, vectors) + WORD * np.sum([np.isin(ids, products) for products in having], axis=0)

    return order
