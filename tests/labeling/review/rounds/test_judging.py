"""A round from its ballots to its verdict: the rule decides, once, and neither a kill nor a person can bend it."""

import json

import pytest
from upath import UPath

import inference.tables  # noqa: F401  declares the tables that are published
from catalog.errors import SelvedgeError
from evaluation.preference_plan import PreferencePlan
from labeling.review.rounds.compared import ABOUT_FILE, keep, kept_plan, read_compared
from labeling.review.rounds.contest import Contest
from labeling.review.rounds.judging import close_round, hold_to_plan, standing
from labeling.review.rounds.opening import RoundRequest, open_round
from tests.labeling.review import rounds_for_tests as drawn
from tests.labeling.review.rounds.drawn_round import (
    CARDS,
    DESCRIPTIONS,
    KINDS,
    NAME,
    RoundsHome,
    compared,
    opened,
    voted,
)


@pytest.fixture
def settings(tmp_path):
    return RoundsHome.at(tmp_path / "home")


def test_a_clear_preference_becomes_a_verdict_and_stays_it(settings):
    ledger = opened(settings)
    voted(ledger, 0.85)
    before = standing(ledger, NAME)
    assert before.judgement.outcome == "preferred" and before.verdict is None and before.simulated
    verdict = close_round(settings.rounds(), ledger, NAME)
    assert (verdict.outcome, verdict.simulated) == ("preferred", True)
    evidence = json.loads(verdict.evidence)
    plan = ledger.round(NAME).plan
    assert evidence["plan_sha256"] == plan.preference.sha256 and evidence["round_plan_sha256"] == plan.sha256
    assert (evidence["candidate_version"], evidence["opponent_version"]) == ("4", "3")
    assert close_round(settings.rounds(), ledger, NAME) == verdict == ledger.verdict(NAME)


def test_a_closing_that_was_killed_before_the_verdict_gives_the_same_verdict(settings, tmp_path):
    ledger = opened(settings)
    voted(ledger, 0.85)
    ledger.close_round(NAME)  # and the process was killed here
    assert close_round(settings.rounds(), ledger, NAME).outcome == "preferred"


def test_an_undecided_round_is_not_closed_by_mistake(settings):
    ledger = opened(settings)
    voted(ledger, 0.5, raters=3)
    with pytest.raises(SelvedgeError, match=r"round may-one is not decided: .* Collect about \d+ more ballots, or"):
        close_round(settings.rounds(), ledger, NAME)
    assert ledger.round(NAME).state == "open"
    assert close_round(settings.rounds(), ledger, NAME, undecided=True).outcome == "inconclusive"


def test_a_round_nobody_voted_in_stands_at_nothing(settings):
    found = standing(opened(settings), NAME)
    assert found.ballots == {"plain": 0, "gold": 0, "aa": 0, "repeat": 0} and found.capacity == 120
    assert (found.judgement.low, found.judgement.high) == (0, 1) and found.pulled is None


def test_lazy_raters_are_left_out_by_the_rule_before_the_verdict(settings):
    ledger = opened(settings)
    voted(ledger, 0.5, raters=4, laziness=1.0)
    close_round(settings.rounds(), ledger, NAME, undecided=True)
    excluded = ledger.exclusions(NAME)
    assert len(excluded) == 4 and {exclusion.rule for exclusion in excluded} == {"pre-registered"}
    assert ledger.verdict(NAME).outcome == "inconclusive"


def test_a_plan_that_was_changed_voids_the_round_for_good(settings):
    ledger = opened(settings)
    file = settings.rounds() / NAME / ABOUT_FILE
    about = json.loads(file.read_text())
    easier = drawn.plan(items=40, preference=PreferencePlan(alpha=0.2), results=compared(settings.home / "p").results())
    file.write_text(json.dumps(about | {"plan": easier.to_json()}))
    with pytest.raises(SelvedgeError, match=r"round may-one is void: its plan was changed .*preference\.alpha"):
        hold_to_plan(settings.rounds(), ledger, NAME)
    file.write_text(json.dumps(about))
    with pytest.raises(SelvedgeError, match="is void"):
        close_round(settings.rounds(), ledger, NAME)


def test_a_plan_edited_by_hand_voids_the_round(settings):
    ledger = opened(settings)
    file = settings.rounds() / NAME / ABOUT_FILE
    about = json.loads(file.read_text())
    plan = about["plan"].replace('"alpha": 0.05', '"alpha": 0.4')
    assert plan != about["plan"]
    file.write_text(json.dumps(about | {"plan": plan}))
    with pytest.raises(SelvedgeError, match=r"round may-one is void from now on: the plan .* was changed"):
        close_round(settings.rounds(), ledger, NAME)
    assert ledger.round(NAME).state == "void"


def test_what_was_compared_is_read_back_as_it_was_kept(settings, tmp_path):
    content = compared(tmp_path / "pictures", DESCRIPTIONS)
    folder = settings.rounds() / NAME
    keep(content, folder, "plan")
    again = read_compared(folder, KINDS)
    assert again.results() == content.results() and again.kind == DESCRIPTIONS
    assert again.schema.digest() == content.schema.digest()
    other = compared(tmp_path / "others", products=5)
    keep(other, folder, "another plan")
    assert read_compared(folder, KINDS).results() == other.results() and kept_plan(folder) == "another plan"


def test_pictures_of_a_round_are_found_in_a_home_that_was_moved(tmp_path):
    objects = UPath(tmp_path / "objects")
    content = compared(tmp_path / "objects" / "images" / "ab", products=5)
    keep(content, objects / "rounds" / NAME, "plan")
    moved = objects.rename(tmp_path / "moved")
    again = read_compared(moved / "rounds" / NAME, KINDS)
    assert {uri.rpartition("/")[0] for uri in again.further["images"]["uri"]} == {f"{moved}/images/ab"}
    assert again.results() == content.results()


def request(**changes: object) -> RoundRequest:
    fields = {"family": "blip2-attributes", "candidate": drawn.plan().candidate, "kind": CARDS}
    numbers = {"items": 40, "overlap": 3, "seed": 7, "preference": PreferencePlan(), "round_id": None}
    return RoundRequest(**{**fields, **numbers, **changes})


def refuse_to_be_asked() -> Contest:
    raise AssertionError("nothing may be computed before the request is known to be possible")


def test_a_candidate_that_is_being_judged_gets_no_second_round(settings):
    ledger = opened(settings)
    for changed in ({"round_id": "other"}, {"kind": DESCRIPTIONS}):
        with pytest.raises(SelvedgeError, match="is being judged in round may-one; close that one first"):
            open_round(settings.rounds(), ledger, None, request(**changed), refuse_to_be_asked)


def test_another_plan_for_a_round_that_is_open_is_refused(settings):
    ledger = opened(settings)
    with pytest.raises(SelvedgeError, match=r"round may-one was opened with another plan \(different: items, seed\)"):
        open_round(settings.rounds(), ledger, None, request(items=20, seed=8), refuse_to_be_asked)


def test_a_closed_round_is_not_opened_again(settings):
    ledger = opened(settings)
    voted(ledger, 0.85)
    ledger.close_round(NAME)
    with pytest.raises(SelvedgeError, match="round may-one is closed without a verdict; run `selvedge review close"):
        open_round(settings.rounds(), ledger, None, request(), refuse_to_be_asked)
    close_round(settings.rounds(), ledger, NAME)
    with pytest.raises(SelvedgeError, match="round may-one is closed; open a new one under another name"):
        open_round(settings.rounds(), ledger, None, request(round_id=NAME), refuse_to_be_asked)
