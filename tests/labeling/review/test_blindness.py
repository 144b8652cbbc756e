"""Blindness: a machine that reads all a browser receives cannot tell the sides, and can when something leaks."""

import pytest

from benchmarks.blindness import LEAKS, Upload, cards_table, guess_sides, one_model, texts_table, upload
from catalog.schema import load_schema
from labeling.review.kinds import AttributeCards, Descriptions


@pytest.fixture(scope="module", params=["attribute-cards", "descriptions"])
def rounds(request: pytest.FixtureRequest) -> tuple[Upload, Upload]:
    """A round whose sides the adversary knows, and one whose sides it does not."""
    return upload(request.param, 500, bytes(32), seed=1), upload(request.param, 500, bytes(range(32)), seed=3)


def test_the_sides_cannot_be_told(rounds: tuple[Upload, Upload]) -> None:
    guess = guess_sides(*rounds)
    assert guess.pairs == 500
    assert guess.found_nothing, guess


@pytest.mark.parametrize("leak", LEAKS)
def test_a_planted_leak_is_found(rounds: tuple[Upload, Upload], leak: str) -> None:
    guess = guess_sides(*(LEAKS[leak](tasks[:250]) for tasks in rounds))
    assert guess.low > 0.5, guess


def test_habits_of_a_deployment_are_levelled_away() -> None:
    said, schema = one_model(50, 1), load_schema()
    for kind, table in ((AttributeCards(schema), cards_table), (Descriptions(schema), texts_table)):
        one, another = (kind.read(table(said, habits)) for habits in (True, False))
        assert one != another or isinstance(kind, AttributeCards)
        assert [kind.render(side) for side in one.values()] == [kind.render(side) for side in another.values()]
