"""The verdict: treats both versions alike, never comes from below the quorum, rests on no single rater."""

import json
from dataclasses import asdict, replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks import round_order
from benchmarks.preference import Ballots, Scenario, play, simulate
from catalog.errors import SelvedgeError
from evaluation.ballots import check_ballots, design_effect
from evaluation.preference import evidence_path, judge_round
from evaluation.preference_plan import VERDICTS, PreferencePlan

from .votes import answered, drawn, exchanged, table

PLAN = PreferencePlan()
THREE = replace(PLAN, minimum_raters=3)
MIRROR = {"preferred": "not_preferred", "not_preferred": "preferred"}


def rounds() -> st.SearchStrategy[pd.DataFrame]:
    return st.builds(
        drawn,
        ballots=st.integers(0, 160),
        share=st.floats(0, 1),
        raters=st.integers(1, 6),
        ties=st.sampled_from([0.0, 0.3]),
        seed=st.integers(0, 9),
    )


@settings(max_examples=40, deadline=None)
@given(rounds(), st.booleans())
def test_exchanging_the_versions_exchanges_the_verdict(ballots, closed):
    ours = judge_round(ballots, PLAN, closed, forecast=False)
    theirs = judge_round(exchanged(ballots), PLAN, closed, forecast=False)
    assert theirs.outcome == MIRROR.get(ours.outcome, ours.outcome)
    assert theirs.e_value == pytest.approx(ours.e_value)
    assert (theirs.low, theirs.high) == pytest.approx((1 - ours.high, 1 - ours.low), abs=1e-9)
    assert theirs.without_rater == pytest.approx(dict(ours.without_rater))


@settings(max_examples=40, deadline=None)
@given(rounds(), st.randoms(use_true_random=False))
def test_which_side_a_version_stood_on_is_without_effect(ballots, random):
    swap = pd.Series([random.random() < 0.5 for _ in range(len(ballots))], index=ballots.index, dtype=bool)
    sides = ballots["side"].replace({"left": "right", "right": "left"})
    left = exchanged(ballots)["left"]
    plan = replace(PLAN, one_sided_minimum=10**6)
    turned = ballots.assign(side=ballots["side"].mask(swap, sides), left=ballots["left"].mask(swap, left))
    assert judge_round(turned, plan, forecast=False) == judge_round(ballots, plan, forecast=False)


@settings(max_examples=40, deadline=None)
@given(rounds(), st.booleans())
def test_no_verdict_comes_from_below_the_quorum(ballots, closed):
    judgement = judge_round(ballots, PLAN, closed, forecast=False)
    decided = sum(judgement.raters.values())
    quorum = (
        len(judgement.raters) >= PLAN.minimum_raters
        and decided >= PLAN.minimum_ballots
        and max(judgement.raters.values()) <= PLAN.maximum_share * decided
    )
    if not quorum:
        assert judgement.outcome == ("inconclusive" if closed else "open")
    if judgement.outcome in MIRROR:
        assert judgement.effective_e_value >= 20 and min(judgement.without_rater.values()) >= 20
    assert json.loads(json.dumps(asdict(judgement), allow_nan=False))["outcome"] in (*VERDICTS, "open")


def test_a_clear_preference_is_found_and_says_why():
    judgement = judge_round(drawn(200, 0.75, ties=0.1), PLAN)
    assert judgement.outcome == "preferred" and judgement.forecast is None
    assert judgement.plan_sha256 == PLAN.sha256
    assert "the candidate won" in judgement.reasons[0] and judgement.low > 0.5
    assert judgement.counts["tie"] > 0
    assert sum(judgement.counts.values()) + judgement.uncounted["after the decision"] == 200


@settings(max_examples=40, deadline=None)
@given(rounds(), st.integers(0, 160), st.integers(0, 160))
def test_when_somebody_looks_is_without_effect(ballots, looked, asked):
    """A sensor that slept through the decision records what one that looked at every ballot does."""
    last = judge_round(ballots, PLAN, forecast=False, asked=asked)
    earlier = judge_round(ballots[:looked], PLAN, forecast=False, asked=asked)
    if earlier.outcome != "open":
        assert {**asdict(last), "uncounted": {}} == {**asdict(earlier), "uncounted": {}}
    if last.outcome != "open":
        decided = sum(last.counts.values())
        assert decided >= PLAN.minimum_progress * asked
        assert judge_round(ballots[:decided], PLAN, forecast=False, asked=asked).outcome == last.outcome
        assert judge_round(ballots[: decided - 1], PLAN, forecast=False, asked=asked).outcome == "open"


def test_nothing_is_decided_on_the_first_ballots_of_a_round():
    """People who turn after a third of the round are not taken at their first word."""
    turning = answered(["candidate"] * 30 + ["tie"] * 6 + ["champion"] * 30 + ["candidate", "champion"] * 27)
    assert judge_round(turning, PLAN).outcome == "preferred"
    assert judge_round(turning, PLAN, closed=True, asked=120).outcome == "inconclusive"
    early = judge_round(turning[:36], PLAN, asked=120)
    assert early.outcome == "open" and "nothing is decided before ballot 78 of 120." in early.reasons
    assert early.forecast.low >= 42 and early.forecast.ends["preferred"] > 0.9
    sure = answered(["candidate"] * 77 + ["tie", "candidate"])
    assert judge_round(sure[:78], PLAN, asked=120).outcome == "open"  # a tie decides nothing
    assert judge_round(sure, PLAN, asked=120).outcome == "preferred"
    earlier = replace(PLAN, minimum_progress=0)
    assert judge_round(turning, earlier, asked=120).outcome == "preferred"


@given(st.integers(1, 400), st.integers(1, 12), st.integers(1, 12), st.integers(20, 3000))
def test_the_first_look_of_a_round_can_be_reached(items, overlap, item_cap, ballots_cap):
    plan = replace(PLAN, item_cap=item_cap, ballots_cap=ballots_cap)
    asked = plan.asked(items, overlap)
    assert plan.first_look(asked) <= asked <= min(items * overlap, ballots_cap)
    assert plan.first_look(0) == 0 and replace(plan, minimum_progress=0.95).first_look(asked) >= 0.95 * asked


def test_an_unlatched_plan_looks_at_all_ballots():
    turned = answered(["candidate"] * 40 + ["champion"] * 40)
    assert judge_round(turned, PLAN).outcome == "preferred"
    assert judge_round(turned, replace(PLAN, latched=False)).outcome == "open"


def test_unanimous_ballots_on_seven_products_decide_nothing():
    """Twenty ballots promoted a candidate that raters had seen on seven products."""
    votes = [("candidate", "left"), ("champion", "right")]
    rows = [
        {"rater": f"r{rater}", "item": f"i{item}", "left": votes[item % 2][0], "side": votes[item % 2][1]}
        for item in range(7)
        for rater in range(5)
    ]
    judgement = judge_round(table(rows), PLAN)
    assert judgement.outcome == "open" and "7 products have a decided ballot; the quorum is 20." in judgement.reasons
    assert judge_round(table(rows), replace(PLAN, minimum_items=0)).outcome == "preferred"


def test_one_rater_cannot_carry_the_verdict():
    fan = ["candidate"] * 40
    others = ["candidate", "champion"] * 30
    ballots = pd.concat(
        [
            answered(fan, raters=1).assign(rater="fan"),
            answered(others, raters=2).assign(item=lambda f: "o" + f["item"]),
        ],
        ignore_index=True,
    )
    plan = replace(THREE, maximum_share=0.5, one_sided_share=1.0)
    judgement = judge_round(ballots, plan)
    assert judgement.e_value > 20 and judgement.without_rater["fan"] < 20
    assert judgement.outcome == "open"
    # The design effect sees the same: one rater who answers unlike the others.
    assert judgement.design_effect.rater_icc > 0.2 and judgement.effective_e_value < 20


def test_without_a_rater_the_others_must_reach_the_evidence_themselves():
    judgement = judge_round(answered(["candidate"] * 14 + ["champion"] * 3 + ["candidate"] * 8, raters=3), THREE)
    assert judgement.effective_e_value >= 20 > min(judgement.without_rater.values())
    assert judgement.outcome == "open"
    assert "without r" in judgement.reasons[-1]


def test_an_equal_pair_ends_as_no_difference():
    even = answered(["candidate", "champion"] * 700, raters=21)
    judgement = judge_round(even, PLAN)
    assert judgement.outcome == "no_difference"
    assert judgement.effective_low > 0.45 and judgement.effective_high < 0.55


def test_the_cap_and_the_close_end_an_open_round():
    even = drawn(60, 0.5)
    assert judge_round(even, PLAN).outcome == "open"
    assert judge_round(even, PLAN, closed=True).outcome == "inconclusive"
    capped = judge_round(even, replace(PLAN, ballots_cap=40))
    assert capped.outcome == "inconclusive" and capped.uncounted == {"ballots cap": 20}
    assert "the round is at its cap of 40 ballots." in capped.reasons


def test_a_rater_who_presses_one_key_is_left_out():
    lazy = table([{"rater": "lazy", "item": f"z{number}"} for number in range(30)])
    ballots = pd.concat([lazy, drawn(90, 0.5)], ignore_index=True)
    judgement = judge_round(ballots, PLAN)
    assert list(judgement.excluded) == ["lazy"] and judgement.uncounted == {"rater excluded": 30}
    assert judgement.e_value == judge_round(drawn(90, 0.5), PLAN).e_value


def test_only_plain_ballots_count():
    ballots = drawn(60, 0.6)
    others = pd.concat(
        [
            table([{"rater": "r0", "kind": "aa", "left": None, "side": "tie"}]),
            table([{"rater": "r0", "kind": "gold", "left": None, "correct": True}]),
            ballots[:5].assign(kind="repeat", side="left"),
        ]
    )
    assert judge_round(pd.concat([others, ballots]), PLAN) == judge_round(ballots, PLAN)


def test_no_ballots_is_an_open_round():
    judgement = judge_round(table([]), PLAN)
    assert (judgement.outcome, judgement.e_value, judgement.low, judgement.high) == ("open", 1, 0, 1)
    assert judgement.forecast.median > 0


def test_the_path_ends_where_the_verdict_stands():
    ballots = drawn(80, 0.65, ties=0.2)
    path, judgement = evidence_path(ballots, PLAN), judge_round(ballots, PLAN)
    assert path["ballot"].tolist() == list(range(1, 81))
    assert path["at"].is_monotonic_increasing
    last = path.iloc[-1]
    assert (last["e_value"], last["low"], last["high"]) == pytest.approx(
        (judgement.e_value, judgement.low, judgement.high)
    )
    before = judge_round(ballots[:50], PLAN)
    assert path.iloc[49]["e_value"] == pytest.approx(before.e_value)
    assert len(evidence_path(table([]), PLAN)) == 0


def test_the_forecast_is_honest_on_average():
    """Rounds of a share drawn from the mixture: the end lies below the forecast's median about half of the time."""
    plan, earlier, inside, judged = replace(PLAN, ballots_cap=400), 0, 0, 0
    rng = np.random.default_rng(3)
    for seed in range(20):
        ballots = drawn(400, rng.beta(5, 5), seed=seed)
        ahead = judge_round(ballots[:40], plan).forecast
        if ahead is None:
            continue
        looks = (50, 65, 80, 100, 130, 170, 220, 290, 400)
        end = next(n for n in looks if judge_round(ballots[:n], plan, forecast=False).outcome != "open") - 40
        judged += 1
        earlier += end <= ahead.median
        inside += ahead.low <= end <= ahead.high + 20
        assert sum(ahead.ends.values()) == pytest.approx(1)
    assert judged > 10
    assert 0.25 < earlier / judged < 0.75
    assert inside / judged > 0.65


def test_a_plan_comes_back_as_it_was_and_a_changed_one_does_not():
    plan = PreferencePlan(alpha=0.01, rater_cap=40)
    assert PreferencePlan.from_json(plan.to_json()) == plan
    assert PreferencePlan.from_json(plan.to_json()).sha256 == plan.sha256 != PLAN.sha256
    with pytest.raises(SelvedgeError, match="changed after it was registered"):
        PreferencePlan.from_json(plan.to_json().replace('"rater_cap": 40', '"rater_cap": 400'))
    for text in ("", "[]", '{"content": {}}', "null"):
        with pytest.raises(SelvedgeError, match="no plan of a round"):
            PreferencePlan.from_json(text)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("alpha", 0.0), ("alpha", float("nan")), ("shape", -1), ("difference", 0.5), ("minimum_raters", 1),
        ("minimum_raters", 3.5), ("maximum_share", 0.19), ("minimum_ballots", 5000), ("rater_cap", 0),
        ("item_cap", True), ("ballots_cap", "many"), ("gold_failures", 1.1), ("one_sided_share", 0.5),
        ("words_per_second", 0), ("minimum_progress", 1), ("minimum_items", 2.5),
    ],
)  # fmt: skip
def test_a_plan_out_of_range_is_refused_in_one_sentence(field, value):
    with pytest.raises(SelvedgeError, match="the plan") as refusal:
        PreferencePlan(**{field: value})
    assert str(refusal.value).endswith(".") and ". " not in str(refusal.value)


@pytest.mark.parametrize(
    "scenario",
    [
        Scenario("", "", 0.62, 150, 4, rater_icc=0.1),
        # So many raters that hardly anybody meets an item twice, which the table of ballots forbids.
        Scenario("", "", 0.75, 180, 400, item_icc=0.1, per_item=5),
        Scenario("", "", 0.3, 120, 6),
    ],
)
def test_the_simulation_decides_as_the_verdict_does(scenario):
    """The benchmark's arrays and `judge_round` on the same ballots: same end, same ballot."""
    ends = play((scenario, 6, np.random.SeedSequence(5)))["verdict"]
    simulated = simulate(scenario, 6, np.random.SeedSequence(5))
    plan = replace(PLAN, one_sided_minimum=10**6)
    codes = {"preferred": 1, "not_preferred": -1, "no_difference": 0, "open": 9}
    compared = 0
    for won, rater, item, (length, code) in zip(*simulated, ends, strict=True):
        votes = zip(won, rater, item, strict=True)
        rows = [{"rater": f"r{r}", "item": f"i{i}", "side": "left" if w else "right"} for w, r, i in votes]
        ballots = table(rows)
        if ballots.duplicated(["rater", "item"]).any():
            continue
        compared += 1
        uncounted = judge_round(ballots, plan, forecast=False).uncounted
        counted = (
            np.flatnonzero(ballots.groupby("item").cumcount() < plan.item_cap) if uncounted else range(len(ballots))
        )
        at = counted[length - 1] + 1
        judgement = judge_round(ballots[:at], plan, forecast=False)
        assert codes[judgement.outcome] == code and sum(judgement.counts.values()) == length
        for n in {*range(20, at, 15), at - 1}:
            assert judge_round(ballots[:n], plan, forecast=False).outcome == "open"
    assert compared >= 2


def test_minds_that_change_give_few_false_verdicts():
    rates = [round_order.false_verdicts(round_order.by_product(0.7), *column, 300) for column in round_order.COLUMNS]
    assert rates[0] > 0.2 and max(rates[1:]) < 0.06  # the order in which pairs are drawn knows no product
    rates = [round_order.false_verdicts(round_order.by_time(0.6), *column, 300) for column in round_order.COLUMNS]
    assert min(rates[:2]) > 0.05 > rates[2]


def test_running_design_effect_is_that_of_the_table():
    won, rater, item = simulate(Scenario("", "", 0.6, 60, 4, 0.3, 0, 3), 2, np.random.SeedSequence(2))
    effect = Ballots(won, rater, item, 4, np.ones_like(won)).design_effect()
    for n in (1, 7, 30, 60):
        rows = [
            {"rater": f"r{r}", "side": "left" if w else "right"} for r, w in zip(rater[0, :n], won[0, :n], strict=True)
        ]
        ballots = check_ballots(table(rows)).assign(item=[f"i{i}" for i in item[0, :n]])
        assert effect[0, n - 1] == pytest.approx(design_effect(ballots).value)
