"""Shown pictures: from the recipes of a request's pictures to what the ranker learns from.

Belongs here: rows of the table `ad_shown`. Not here: the table (training/ad_ranker/picks.py), people's picks
(labeling/review/picks/), measuring (ranking.py).
"""

from collections.abc import Sequence
from typing import Any

from inference.ad_images.ranking import untrained_key
from inference.ad_images.recipes import Recipe, read_recipe
from training.ad_ranker.features import FEATURES


def shown_rows(request: str, pictures: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    """A row for each picture; none where one was made by a Selvedge that kept no measurements.

    Args:
        pictures: sha256 and uri of each picture file; its recipe lies beside it.

    Raises:
        SelvedgeError: a recipe is gone or was changed. ServiceUnavailable: the object store does not answer.
    """
    recipes = [(sha256, read_recipe(_beside(uri))) for sha256, uri in pictures]
    if not all(set(FEATURES) <= set(recipe.features) for _, recipe in recipes):
        return []
    order = sorted(recipes, key=lambda entry: _untrained(entry[1]))
    return [
        {
            "request": request,
            "picture_sha256": sha256,
            "untrained_rank": rank,
            **{name: recipe.features[name] for name in FEATURES},
        }
        for rank, (sha256, recipe) in enumerate(order, start=1)
    ]


def request_of(uri: str) -> str:
    """What a picture was made for, as its place says: the request's id and the recipe's key."""
    request, key = uri.split("/")[-3:-1]
    return f"{request}/{key}"


def _beside(uri: str) -> str:
    return f"{uri.rpartition('.')[0]}.json"


def _untrained(recipe: Recipe) -> tuple[int, str]:
    return untrained_key(recipe.findings, recipe.cutout.digest, recipe.plan.number)
