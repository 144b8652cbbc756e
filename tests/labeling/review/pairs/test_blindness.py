"""Blindness: a machine that reads all a browser receives cannot tell the sides, and can when something leaks."""

from functools import cache

import pytest

from benchmarks.blindness import (
    LEAKS,
    Upload,
    ads_table,
    cards_table,
    guess_sides,
    masks_table,
    one_model,
    strips_table,
    texts_table,
    upload,
)
from labeling.review.pairs.ads import AdPictures
from labeling.review.pairs.kinds import AttributeCards, Descriptions
from labeling.review.pairs.masks import GarmentMasks
from labeling.review.pairs.strips import PictureStrips

PAIRS = {"attribute-cards": 500, "descriptions": 500, "picture-strips": 60, "ads": 60, "garment-masks": 60}


@cache
def rounds(kind: str) -> tuple[Upload, Upload]:
    """A round whose sides the adversary knows, and one whose sides it does not."""
    return upload(kind, PAIRS[kind], bytes(32), seed=1), upload(kind, PAIRS[kind], bytes(range(32)), seed=3)


def of_kind(kind: str) -> pytest.MarkDecorator:
    return pytest.mark.xdist_group(f"blindness-{kind}")  # its rounds are made once


@pytest.mark.parametrize("kind", [pytest.param(kind, marks=of_kind(kind)) for kind in LEAKS])
def test_the_sides_cannot_be_told(kind: str) -> None:
    guess = guess_sides(*rounds(kind))
    assert guess.pairs == PAIRS[kind]
    assert guess.found_nothing, guess


@pytest.mark.parametrize(
    ("kind", "leak"), [pytest.param(kind, leak, marks=of_kind(kind)) for kind, leaks in LEAKS.items() for leak in leaks]
)
def test_a_planted_leak_is_found(kind: str, leak: str) -> None:
    guess = guess_sides(*(LEAKS[kind][leak](tasks[:250]) for tasks in rounds(kind)))
    assert guess.low > 0.5, guess


def test_habits_of_a_deployment_are_levelled_away() -> None:
    answers = one_model(50, 1)
    kinds = (AttributeCards(), cards_table), (Descriptions(), texts_table), (PictureStrips(), strips_table)
    for kind, table in (*kinds, (AdPictures(), ads_table), (GarmentMasks(), masks_table)):
        one, another = (kind.read(table(answers, habits)) for habits in (True, False))
        assert one != another or isinstance(kind, AttributeCards)
        assert [kind.render(side) for side in one.values()] == [kind.render(side) for side in another.values()]
