"""The plan: its hash covers everything, it comes back as it went, and nonsense is one sentence."""

from dataclasses import fields, replace

import pytest

from catalog.errors import SelvedgeError
from evaluation.preference_plan import PreferencePlan
from labeling.review.pairs.plan import RoundPlan, plan_changes
from tests.labeling.review.rounds_for_tests import plan

OTHER = {
    "round_id": "may-two",
    "family": "restgan",
    "candidate": "other",
    "candidate_version": "5",
    "opponent": "base",
    "opponent_version": "2",
    "kind": "descriptions",
    "seed": 8,
    "items": 21,
    "preference": PreferencePlan(alpha=0.01),
    "gold_share": 0.2,
    "aa_share": 0.06,
    "repeat_share": 0.06,
    "overlap": 4,
    "results": {"candidate": "abc"},
}


def test_every_field_has_another_value_below() -> None:
    assert set(OTHER) == {field.name for field in fields(RoundPlan)}


@pytest.mark.parametrize("name", OTHER)
def test_any_change_changes_the_hash_and_is_named(name: str) -> None:
    before, after = plan(), replace(plan(), **{name: OTHER[name]})
    assert before.sha256 != after.sha256
    assert [change.split(".")[0] for change in plan_changes(before, after)] == [name]


def test_a_change_inside_the_preference_plan_is_named() -> None:
    after = plan(preference=PreferencePlan(rater_cap=99))
    assert plan_changes(plan(), after) == ("preference.rater_cap",)


def test_it_comes_back_as_it_went() -> None:
    written = plan(results={"candidate": "abc"})
    assert RoundPlan.from_json(written.to_json()) == written
    assert RoundPlan.from_json(written.to_json()).sha256 == written.sha256
    assert plan_changes(plan(gold_share=0), RoundPlan.from_json(plan(gold_share=0.0).to_json())) == ()


def test_an_edited_plan_is_refused() -> None:
    with pytest.raises(SelvedgeError, match="changed after it was written"):
        RoundPlan.from_json(plan().to_json().replace('"items": 20', '"items": 30'))
    with pytest.raises(SelvedgeError, match="no plan"):
        RoundPlan.from_json("[]")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"round_id": "a"}, "3 to 63"),
        ({"round_id": "../x"}, "3 to 63"),
        ({"round_id": "x,y,z"}, "3 to 63"),
        ({"round_id": ""}, "3 to 63"),
        ({"family": " "}, "has no family"),
        ({"opponent": "nobody"}, "champion or base"),
        ({"opponent_version": "4"}, "with itself"),
        ({"items": 0}, "at least 1"),
        ({"items": 2.5}, "whole number"),
        ({"seed": -1}, "at least 0"),
        ({"overlap": True}, "whole number"),
        ({"gold_share": 0.7}, "between 0 and 0.5"),
        ({"aa_share": float("nan")}, "between 0 and 0.5"),
    ],
)
def test_nonsense_is_one_sentence(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(SelvedgeError, match=sentence):
        plan(**changes)


def test_extras() -> None:
    assert [plan(items=200).extra(share) for share in (0.1, 0.05, 0.0)] == [20, 10, 0]
    assert plan(items=3).extra(0.05) == 1
    assert plan().champion_version == "3"
    assert plan(opponent="base").champion_version is None
