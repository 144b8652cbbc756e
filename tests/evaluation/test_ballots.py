"""Ballots: bad tables are refused in one sentence, exclusions are blind, caps follow the order of arrival."""

from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import SelvedgeError
from evaluation.ballots import (
    BLIND,
    blind,
    check_ballots,
    count_ballots,
    design_effect,
    exclude_raters,
    side_bias,
)
from evaluation.preference_plan import PreferencePlan, accepted_plans

from .votes import answered, drawn, exchanged, table

PLAN = PreferencePlan()


def excluded(rows: list[dict], plan: PreferencePlan = PLAN) -> dict[str, str]:
    return exclude_raters(blind(check_ballots(table(rows))), plan)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"rater": ""}, "ballot 1 has no rater"),
        ({"item": None}, "ballot 1 has no item"),
        ({"kind": "golden"}, "ballot 1 has a kind that is none of plain, gold, aa, repeat"),
        ({"side": "candidate"}, "ballot 1 has a side that is none of"),
        ({"left": None}, "ballot 1 does not say which version stood on the left"),
        ({"kind": "gold", "left": None}, "ballot 1 is gold and does not say whether it is correct"),
        ({"seconds": -1.0}, "ballot 1 has seconds that are missing, negative"),
        ({"seconds": float("inf")}, "ballot 1 has seconds that are missing, negative"),
        ({"item": "i0"}, "ballot 1 is the rater's second plain ballot on its item"),
    ],
)
def test_a_bad_ballot_is_named(change, sentence):
    with pytest.raises(SelvedgeError, match=sentence) as refusal:
        check_ballots(table([{}, change, {}]))
    assert str(refusal.value).count(".") == 1


def test_a_missing_column_is_named():
    with pytest.raises(SelvedgeError, match="lack the column seconds, at"):
        check_ballots(table([{}]).drop(columns=["seconds", "at"]))


def test_the_choice_follows_from_side_and_left():
    rows = [{"side": side, "left": left} for left in ("candidate", "champion") for side in ("left", "right", "tie")]
    rows.append({"kind": "aa", "left": None})
    choices = check_ballots(table(rows))["choice"].tolist()
    assert choices[:6] == ["candidate", "champion", "tie", "champion", "candidate", "tie"]
    assert pd.isna(choices[6])


def test_each_rule_excludes_with_its_own_sentence():
    gold = {"kind": "gold", "left": None}
    alternating = [{"side": side} for side in ["left", "right"] * 15]
    assert excluded([gold | {"correct": right} for right in [True, True, True, False, False]]) == {
        "ann": "ann failed 2 of 5 gold pairs."
    }
    assert "faster than they can be read" in excluded([row | {"seconds": 0.4} for row in alternating])["ann"]
    assert excluded([{"side": "right"}] * 19 + [{"side": "left"}]) == {"ann": "ann chose one side on 19 of 20 pairs."}
    assert not excluded(alternating)
    assert not excluded([gold | {"correct": right} for right in [True, True, True, True, False]])
    assert not excluded([{"kind": "aa", "left": None}] * 30)  # one key on identical pairs is no fault


def test_long_texts_take_longer_to_read():
    ballots = table([{"side": side, "seconds": 4.0} for side in ["left", "right"] * 10])
    assert not exclude_raters(blind(check_ballots(ballots.assign(words=40))), PLAN)
    assert exclude_raters(blind(check_ballots(ballots.assign(words=200))), PLAN)


def test_exclusion_cannot_see_who_won():
    ballots = pd.concat([drawn(60, 0.9), table([{"rater": "key", "item": f"k{i}"} for i in range(30)])])
    assert not {"choice", "left"} & set(BLIND)
    reasons = exclude_raters(blind(check_ballots(ballots)), PLAN)
    assert list(reasons) == ["key"]
    assert reasons == exclude_raters(blind(check_ballots(exchanged(ballots))), PLAN)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 5)), max_size=40, unique=True), st.integers(1, 4))
def test_caps_hold_and_what_arrived_first_counts(pairs, cap):
    plan = PreferencePlan(minimum_ballots=1, rater_cap=cap, item_cap=2, ballots_cap=6)
    ballots = check_ballots(table([{"rater": rater, "item": f"i{item}"} for rater, item in pairs]))
    fates = count_ballots(ballots, {}, plan)
    counted = ballots[fates == "counted"]
    assert len(counted) <= 6
    assert counted["rater"].value_counts().le(cap).all() and counted["item"].value_counts().le(2).all()
    # Later ballots never change the fate of earlier ones, or looking again would change what was seen.
    for length in range(len(ballots)):
        assert count_ballots(ballots[:length], {}, plan).tolist() == fates[:length].tolist()


def test_a_tie_uses_up_a_cap_like_any_answer():
    plan = PreferencePlan(rater_cap=2)
    for side in ("tie", "left"):
        ballots = check_ballots(table([{"side": side}, {"side": side}, {}]))
        assert count_ballots(ballots, {}, plan).tolist() == ["counted", "counted", "rater cap"]
    ballots = check_ballots(table([{}, {"rater": "bob"}]))
    assert count_ballots(ballots, {"bob": "why"}, plan).tolist() == ["counted", "rater excluded"]


def test_alike_ballots_count_for_less():
    alike = check_ballots(answered(["candidate", "candidate", "champion", "champion"] * 25, raters=4, per_item=2))
    effect = design_effect(alike)
    assert effect.item_icc == 1 and effect.rater_icc == 1
    assert effect.value == pytest.approx(1 + 1 + 24)
    assert effect.effective_ballots == pytest.approx(100 / 26)
    assert design_effect(check_ballots(answered(["candidate", "champion", "champion"] * 20, raters=4))).value == 1


def test_side_bias_is_the_exact_binomial_on_identical_pairs():
    aa = {"kind": "aa", "left": None}
    rows = [aa | {"side": "left"}] * 9 + [aa | {"side": "right"}] + [aa | {"side": "tie"}] * 4 + [{}] * 10
    bias = side_bias(table(rows))
    assert (bias.left, bias.decided, bias.ties) == (9, 10, 4)
    assert bias.p_value == pytest.approx(2 * (1 + 10) / 2**10)
    assert side_bias(table(rows), raters=["bob"]).p_value == 1


def test_the_first_ballot_that_is_too_fast_only_warns():
    def voted(seconds: list[float]) -> dict[str, str]:
        return excluded([{"item": f"i{number}", "seconds": duration} for number, duration in enumerate(seconds)])

    rater, slow, fast = table([{}])["rater"].iloc[0], 30.0, 0.5
    sides = PLAN.one_sided_minimum - 10  # short rounds, or the rule on one-sided raters would speak first
    assert PLAN.fast_warnings == 1
    assert voted([fast, *[slow] * 6]) == {}
    assert voted([slow] * sides + [fast] * 5) == {}  # the warning, and too few after it to judge by
    sentence = f"{rater} answered 5 of 5 pairs faster than they can be read, after a warning."
    assert voted([slow] * sides + [fast] * 6) == {rater: sentence}  # what was read before does not buy it off
    assert voted([fast] * 6) == {rater: sentence}


def test_a_round_of_before_there_were_warnings_is_judged_as_it_was_opened():
    three = replace(PLAN, minimum_raters=3, minimum_progress=0)
    earlier = replace(three, fast_warnings=0, minimum_items=0, latched=False, rater_cap=100, item_cap=3)
    rows = [{"item": f"i{number}", "seconds": duration} for number, duration in enumerate([0.5] * 2 + [30.0] * 4)]
    (reason,) = excluded(rows, earlier).values()
    assert reason.endswith("answered 2 of 6 pairs faster than they can be read.")
    assert earlier.sha256 == "7f8a596abc046453dea3e713bf2d9c4e06bf22706ff0654062c2d168a7c812b3"
    assert PreferencePlan.from_json(earlier.to_json()) == earlier and "fast_warnings" not in earlier.to_json()
    assert PreferencePlan.from_json(PLAN.to_json()) == PLAN
    warned = replace(earlier, fast_warnings=1)
    assert three.sha256 == "49c14956eb2c3654d33345364b7026824d4c1a0341ed66a97ef7d7ef83714e66"
    assert warned.sha256 == "4cb497e05780cb4d92b157747efda0aeaf13b49661b5bbd58bb0fbfa28b43616"
    assert accepted_plans(PLAN.sha256) == {PLAN.sha256, three.sha256, warned.sha256, earlier.sha256}
    assert accepted_plans("another") == {"another"}
