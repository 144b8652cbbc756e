"""The judge of verdicts: only `preferred` by people, by the registered plan, against today's champion, passes."""

from dataclasses import replace
from typing import Any

import pytest

from catalog.errors import SelvedgeError
from evaluation.evidence import Evidence, GateRule
from evaluation.gate import VERDICT, VerdictEvidence, decide, rests_on_simulation
from evaluation.preference_plan import VERDICTS

FAMILY, CANDIDATE = "toy", "toy-20260503-a1b2c3"
RULE = GateRule(FAMILY, required=(VERDICT,))
GOOD = VerdictEvidence(
    round_id="may-one",
    family=FAMILY,
    candidate=CANDIDATE,
    champion_version="3",
    outcome="preferred",
    simulated=False,
    registered_plan_sha256="plan",
    judged_plan_sha256="plan",
    round_plan_sha256="round",
    verdict_sha256="verdict",
    ballots_sha256="ballots",
)


def evidence(verdict: Any = GOOD, champion: str | None = "3") -> Evidence:
    content = verdict.to_dict() if isinstance(verdict, VerdictEvidence) else verdict
    return Evidence(FAMILY, CANDIDATE, champion, "d" * 64, "2026-05-03T00:00:00+00:00", others={VERDICT: content})


def only_refusal(presented: Evidence, rule: GateRule = RULE, champion: str | None = "3") -> str:
    decision = decide(rule, presented, champion)
    assert not decision.promote and len(decision.reasons) == 1, decision
    return decision.reasons[0]


def test_people_preferred_it() -> None:
    decision = decide(RULE, evidence(), "3")
    assert decision.promote
    assert decision.reasons[-1] == "people preferred it in round may-one, not knowing which was which."
    against_base = replace(GOOD, champion_version=None)
    assert decide(RULE, evidence(against_base, None), None).promote


@pytest.mark.parametrize(
    "outcome", [*(outcome_name for outcome_name in VERDICTS if outcome_name != "preferred"), "open", "Preferred", "yes"]
)
def test_every_other_outcome_refuses(outcome: str) -> None:
    refusal = only_refusal(evidence(replace(GOOD, outcome=outcome)))
    assert refusal.startswith(f"the verdict of round may-one is {outcome}: ")


def test_a_missing_verdict_refuses_where_the_rule_requires_one() -> None:
    none = replace(evidence(), others={})
    assert only_refusal(none) == "evidence of kind verdict is missing; toy may not be promoted without it."


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"champion_version": "2"},
            "round may-one was held against champion version 2, the scores are against",
        ),
        ({"champion_version": None}, "round may-one was held against no champion"),
        ({"candidate": "toy-20260101-ffffff"}, "round may-one judged toy-20260101-ffffff of toy, not toy-20260503"),
        ({"family": "other"}, "round may-one judged toy-20260503-a1b2c3 of other"),
        ({"judged_plan_sha256": "easier"}, "was judged by another plan than the registered one; it is void"),
        ({"simulated": True}, "rests on simulated ballots, which promote in the demo alone"),
    ],
)
def test_a_verdict_about_something_else_refuses(changes: dict[str, Any], sentence: str) -> None:
    assert sentence in only_refusal(evidence(replace(GOOD, **changes)))


def test_a_verdict_against_a_former_champion_refuses() -> None:
    assert "against champion version 3, but now there is champion version 4" in only_refusal(evidence(), champion="4")


def test_a_rule_may_demand_its_own_plan() -> None:
    assert decide(replace(RULE, plan_sha256="plan"), evidence(), "3").promote
    assert "another plan than toy demands" in only_refusal(evidence(), replace(RULE, plan_sha256="strict"))


def test_simulated_ballots_promote_where_the_rule_says_so_and_are_stamped() -> None:
    simulated = evidence(replace(GOOD, simulated=True))
    decision = decide(replace(RULE, simulated_ballots=True), simulated, "3")
    assert decision.promote and "SIMULATED: scripted annotators voted" in decision.reasons[-1]
    assert rests_on_simulation(simulated) and not rests_on_simulation(evidence())
    assert rests_on_simulation(evidence({"simulated": "no"})) and not rests_on_simulation(replace(simulated, others={}))


@pytest.mark.parametrize(
    "content",
    [
        None,
        "preferred",
        {"outcome": "preferred"},
        GOOD.to_dict() | {"more": 1},
        GOOD.to_dict() | {"round_id": ""},
        GOOD.to_dict() | {"outcome": 1},
        GOOD.to_dict() | {"simulated": 0},
        GOOD.to_dict() | {"champion_version": 3},
    ],
)
def test_what_is_no_verdict_refuses_in_one_sentence(content: Any) -> None:
    assert "evidence of kind verdict" in only_refusal(evidence(content))
    with pytest.raises(SelvedgeError):
        VerdictEvidence.from_dict(content)


def test_a_no_is_heard_also_where_nobody_had_to_ask() -> None:
    rule = GateRule(FAMILY)
    lost = evidence(replace(GOOD, outcome="not_preferred"))
    assert any("people preferred the other version" in reason for reason in decide(rule, lost, "3").reasons)


def test_evidence_with_a_verdict_comes_back_whole() -> None:
    again = Evidence.from_json(evidence().to_json())
    assert again.sha256 == evidence().sha256 and decide(RULE, again, "3").promote
