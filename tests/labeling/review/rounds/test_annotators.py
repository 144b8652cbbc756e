"""Scripted annotators: they do what they are said to do, always the same."""

import pytest

from catalog.errors import SelvedgeError
from labeling.review.pairs.blinding import other
from labeling.review.rounds.annotators import ScriptedAnnotator, is_simulated
from tests.labeling.review.rounds_for_tests import pair

PAIRS = [pair(item, left=("candidate", "champion")[item % 2]) for item in range(4000)]


def chosen(annotator: ScriptedAnnotator, pairs: list = PAIRS) -> list[str]:
    sides = [(annotator.choose(one).side, one) for one in pairs]
    return [{"left": one.left, "right": other(one.left)}.get(side, side) for side, one in sides]


@pytest.mark.parametrize("preference", [0.2, 0.5, 0.7])
@pytest.mark.parametrize("consensus", [0.0, 0.5, 1.0])
def test_the_preference_is_the_share_of_decided_votes(preference: float, consensus: float) -> None:
    votes = chosen(ScriptedAnnotator("a", 1, preference, consensus, noise=0))
    decided = [vote for vote in votes if vote in ("candidate", "champion")]
    assert decided.count("candidate") / len(decided) == pytest.approx(preference, abs=0.035)
    assert votes.count("tie") / len(votes) == pytest.approx(0.1, abs=0.02)


def test_the_same_whatever_the_order() -> None:
    annotator = ScriptedAnnotator("a", 1)
    forward = [annotator.choose(one) for one in PAIRS[:50]]
    assert [annotator.choose(one) for one in reversed(PAIRS[:50])] == forward[::-1]
    assert chosen(annotator) != chosen(ScriptedAnnotator("b", 1)) != chosen(ScriptedAnnotator("a", 2))


def test_consensus_is_shared_and_survives_a_swap() -> None:
    clear = {"consensus": 1.0, "noise": 0.0, "ties": 0.0, "both_bad": 0.0}
    first, second = ScriptedAnnotator("a", 1, **clear), ScriptedAnnotator("b", 1, **clear)
    swapped = [pair(one.item, "repeat", other(one.left)) for one in PAIRS]
    assert chosen(first) == chosen(second) == chosen(first, swapped)


def test_controls() -> None:
    honest = ScriptedAnnotator("a", 1, noise=0)
    assert {honest.choose(pair(i, "gold", sound="right")).side for i in range(50)} == {"right"}
    assert {honest.choose(pair(i, "aa")).side for i in range(50)} == {"tie"}
    biased = [ScriptedAnnotator("a", 1, noise=0, left_bias=0.5).choose(pair(i, "aa")).side for i in range(500)]
    assert biased.count("left") == pytest.approx(250, abs=40)


def test_the_lazy_press_one_key_at_once() -> None:
    votes = [ScriptedAnnotator("a", 1, laziness=1.0).choose(one) for one in PAIRS[:50]]
    assert {vote.side for vote in votes} == {"left"}
    assert max(vote.seconds for vote in votes) < 1.5
    assert min(ScriptedAnnotator("a", 1).choose(one).seconds for one in PAIRS[:50]) >= 2


def test_their_accounts_say_what_they_are() -> None:
    assert is_simulated(ScriptedAnnotator("robot-1", 1).email)
    assert not is_simulated("ann@shop.example")
    for wrong in ({"name": "A b"}, {"name": "a", "noise": 2.0}, {"name": "a", "seconds": 0.0}):
        with pytest.raises(SelvedgeError, match="annotator"):
            ScriptedAnnotator(**{"seed": 1, **wrong})
