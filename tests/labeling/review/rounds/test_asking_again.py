"""Whoever is left out takes no ballot from a round: every pair of theirs is shown to one more, and nothing twice."""

from dataclasses import replace
from datetime import timedelta

import pytest

from evaluation.ballots import blind, exclude_raters
from labeling.review.rounds.asking_again import NOTHING_OWED, ask_again, owed_ballots
from labeling.review.rounds.ballots import sync
from labeling.review.rounds.judging import judge_if_decided, standing, table_of
from tests.labeling.review import rounds_for_tests as drawn
from tests.labeling.review.rounds.drawn_round import NAME, RoundsHome, opened, votes
from tests.labeling.review.rounds.paper_studio import PaperStudio
from tests.orchestration.paper_reviews import as_held

LAZY = "r9@simulated.invalid"
CAREFUL = 5


@pytest.fixture
def settings(tmp_path):
    return RoundsHome.at(tmp_path / "home")


@pytest.fixture
def studio():
    return PaperStudio({1: "Review"}, {1: []}, {1: []})


def turns(ledger, preference=0.9):
    """By pair, what the careful would vote, from another of them on at every pair."""
    cast = votes(ledger, preference, CAREFUL)
    every = [cast[start : start + CAREFUL] for start in range(0, len(cast), CAREFUL)]
    return [own[number % CAREFUL :] + own[: number % CAREFUL] for number, own in enumerate(every)]


def lazily(ledger, turn):
    """What somebody who does not look votes on the same pairs."""
    drawn.listed(ledger, LAZY)
    hasty = [replace(own[0], rater=LAZY, side="left", seconds=0.6) for own in turn]
    return [replace(one, annotation_id=9000 + number) for number, one in enumerate(hasty)]


def pulled(ledger, cast):
    sync(ledger, NAME, cast, now=drawn.NOON + timedelta(days=30))


def test_every_pair_of_a_rater_who_is_left_out_is_shown_to_one_more(settings, studio):
    ledger = opened(settings, overlap=2)
    turn = turns(ledger)
    pulled(ledger, [*(own[0] for own in turn), *lazily(ledger, turn)[10:]])
    owed = owed_ballots(ledger, NAME)
    theirs = {own[0].task_key for own in turn[10:]}
    assert owed.by_pair == dict.fromkeys(theirs, 1) and owed.by_rater == {LAZY: len(theirs)}
    slots = {pair.slot for key, pair in ledger.pairs(NAME).items() if key in theirs}
    assert {"plain", "gold"} < slots, "a pair that is shown to more tells nothing about its kind"
    assert 0 < owed.plain < owed.ballots
    assert ask_again(ledger, studio, NAME) == len(theirs)
    assert studio.overlap == {1: dict.fromkeys(theirs, 3)}
    assert ask_again(ledger, studio, NAME) == 0, "asked twice is asked once"


def test_who_is_asked_again_follows_from_nothing_that_tells_the_versions(settings):
    ledger = opened(settings, overlap=2)
    turn = turns(ledger)
    pulled(ledger, [*(own[0] for own in turn), *lazily(ledger, turn)])
    table = table_of(ledger, NAME)
    other = {"candidate": "champion", "champion": "candidate"}
    exchanged = table.assign(left=table["left"].map(other), choice=table["choice"].map(lambda one: other.get(one, one)))
    plan = ledger.round(NAME).plan.preference
    assert exclude_raters(blind(exchanged), plan).keys() == owed_ballots(ledger, NAME).by_rater.keys() == {LAZY}


def test_one_lazy_rater_does_not_make_a_verdict_impossible(settings, studio):
    ledger = opened(settings, overlap=2)
    turn = turns(ledger)
    studio.held[1] = [as_held(one) for one in [*(own[0] for own in turn), *lazily(ledger, turn)]]
    pairs = len(ledger.pairs(NAME))

    def judged():
        return judge_if_decided(settings.rounds(), ledger, lambda: studio, NAME)

    now = judged()  # two ballots on every pair, as the plan asks: it was inconclusive for good
    assert now.verdict is None and now.asked_again.by_rater == {LAZY: pairs} and now.capacity == 2 * 40 + 40
    assert len(studio.overlap[1]) == pairs and judged().verdict is None
    studio.held[1] += [as_held(own[1]) for own in turn]
    assert judged().verdict.outcome == "preferred"
    assert standing(ledger, NAME).asked_again == NOTHING_OWED, "nothing is asked in a round that is judged"
    assert {exclusion.rater for exclusion in ledger.exclusions(NAME)} == {LAZY}


def test_ballots_that_nobody_of_the_list_can_give_are_told(settings):
    ledger = opened(settings, overlap=3)
    both = votes(ledger, 0.9, raters=2)
    pulled(ledger, [*both, *lazily(ledger, [[one] for one in both[::2]])])
    assert owed_ballots(ledger, NAME).waiting == len(ledger.pairs(NAME))
    drawn.listed(ledger, "new@shop.example")
    assert owed_ballots(ledger, NAME).waiting == 0


def test_nobody_is_asked_again_where_nobody_is_left_out(settings, studio):
    ledger = opened(settings, overlap=2)
    pulled(ledger, [own[0] for own in turns(ledger)])
    assert owed_ballots(ledger, NAME) == NOTHING_OWED and ask_again(ledger, studio, NAME) == 0
    assert studio.overlap == {}
