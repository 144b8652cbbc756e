"""A promotion on a verdict: the ledger is asked again; one that was made up, changed or spent moves nothing."""

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import SelvedgeError
from evaluation.gate import Evidence, GateRule
from evaluation.preference_plan import PreferencePlan
from evaluation.verdict_gate import VERDICT, VerdictEvidence
from labeling.review.ledger.ledger import Ledger
from labeling.review.rounds.annotators import ScriptedAnnotator
from labeling.review.rounds.ballots import ballots_sha256, sync
from labeling.review.rounds.evidence import verdict_evidence
from orchestration.registry.ledger import open_ledger
from orchestration.registry.promotion import PromotionOutcome, history, promote, rollback
from orchestration.runtime.settings import Settings
from tests.labeling.review.rounds_for_tests import annotation, pair, plan
from tests.orchestration.paper_registry import PaperRegistry
from tests.orchestration.registering import evidence_of

FAMILY, ROUND = "toy", "may-one"
RULE = GateRule(FAMILY, required=("metrics", VERDICT))
PLAN = PreferencePlan()


@pytest.fixture
def registry(tmp_path: Path) -> Any:
    """Version 1 is champion, version 2 the candidate c2."""
    paper: Any = PaperRegistry(Settings(home=tmp_path / "home"))
    for name in ("c1", "c2"):
        paper.add(FAMILY, name)
    assert promote(paper, GateRule(FAMILY), evidence_of(FAMILY, "c1", None)).promoted
    return paper


@pytest.fixture
def judged(registry: Any) -> Callable[..., Ledger]:
    """Hold a round and judge it, whatever its ballots say."""

    def hold(
        outcome: str = "preferred", rater: str = "ann@shop.example", judged_by: str = "", **changes: Any
    ) -> Ledger:
        ledger = open_ledger(registry.settings)
        opponents = {"opponent": "champion", "opponent_version": "1", "candidate_version": "2"}
        ledger.open_round(plan(**{"family": FAMILY, "candidate": "c2", **opponents, **changes}), bytes(32), [pair(1)])
        sync(ledger, ROUND, [annotation(1, "plain-1", rater)])
        ledger.close_round(ROUND)
        evidence = {"plan_sha256": judged_by or PLAN.sha256}
        hashed = ballots_sha256(ledger.ballots(ROUND))
        ledger.record_verdict(ROUND, outcome, evidence, hashed, simulated=False)  # type: ignore[arg-type]
        return ledger

    return hold


def on(verdict: VerdictEvidence) -> Evidence:
    return replace(evidence_of(FAMILY, "c2", 1), others={VERDICT: verdict.to_dict()})


def refused(outcome: PromotionOutcome, sentence: str) -> bool:
    return outcome.status == "refused" and sentence in " ".join(outcome.reasons)


def test_a_preferred_candidate_is_promoted_and_the_record_names_the_round(registry: Any, judged: Any) -> None:
    verdict = verdict_evidence(judged(), ROUND)
    record = promote(registry, RULE, on(verdict)).record
    assert record is not None and not record.simulated
    assert record.evidence[f"round:{ROUND}"] == verdict.verdict_sha256


@pytest.mark.parametrize("outcome", ["not_preferred", "no_difference", "inconclusive"])
def test_any_other_verdict_promotes_nothing(registry: Any, judged: Any, outcome: str) -> None:
    verdict = verdict_evidence(judged(outcome), ROUND)
    assert refused(promote(registry, RULE, on(verdict)), f"the verdict of round may-one is {outcome}")
    lied = on(replace(verdict, outcome="preferred"))
    assert refused(promote(registry, RULE, lied), "is not the one of round may-one")


def test_no_verdict_promotes_nothing(registry: Any) -> None:
    assert refused(promote(registry, RULE, evidence_of(FAMILY, "c2", 1)), "evidence of kind verdict is missing")


def test_a_verdict_that_the_ledger_does_not_hold_promotes_nothing(registry: Any, judged: Any) -> None:
    ledger = judged()
    verdict = verdict_evidence(ledger, ROUND)
    made_up = on(replace(verdict, round_id="june-one"))
    assert refused(promote(registry, RULE, made_up), "there is no round 'june-one'")
    assert refused(promote(registry, RULE, on(replace(verdict, ballots_sha256="0" * 64))), "is not the one of round")
    ledger.void_round(ROUND, "the plan was changed after the first ballot")
    assert refused(promote(registry, RULE, on(verdict)), "is void: the plan was changed after the first ballot")


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"opponent_version": "7"}, "was held against champion version 7"),
        ({"opponent": "base", "opponent_version": "base"}, "was held against no champion"),
        ({"candidate": "c9"}, "judged c9 of toy, not c2"),
        ({"candidate_version": "9"}, "judged version 9, the candidate is version 2"),
        ({"judged_by": "easier"}, "was judged by another plan than the registered one"),
    ],
)
def test_a_round_about_something_else_promotes_nothing(
    registry: Any, judged: Any, changes: dict[str, str], sentence: str
) -> None:
    assert refused(promote(registry, RULE, on(verdict_evidence(judged(**changes), ROUND))), sentence)


def test_scripted_ballots_promote_in_the_demo_alone_and_are_stamped(registry: Any, judged: Any) -> None:
    verdict = verdict_evidence(judged(rater=ScriptedAnnotator("lena", seed=1).email), ROUND)
    assert verdict.simulated  # by the ballots, though the stored verdict forgot to say so
    assert refused(promote(registry, RULE, on(verdict)), "rests on simulated ballots")
    hidden = on(replace(verdict, simulated=False))
    assert refused(promote(registry, RULE, hidden), "is not the one of round")
    outcome = promote(registry, replace(RULE, simulated_ballots=True), on(verdict))
    assert outcome.record is not None and outcome.record.simulated and "SIMULATED" in outcome.reasons[-1]


def test_an_old_winners_verdict_does_not_bring_it_back(registry: Any, judged: Any) -> None:
    verdict = verdict_evidence(judged(), ROUND)
    assert promote(registry, RULE, on(verdict)).promoted
    rollback(registry, FAMILY)
    scored_again = replace(on(verdict), created="2026-06-01T00:00:00+00:00")
    assert refused(promote(registry, RULE, scored_again), "this verdict already made version 2 champion")
    assert [record.kind for record in history(registry, FAMILY)] == ["promotion", "promotion", "rollback"]


def test_a_round_without_a_verdict_is_one_sentence(registry: Any) -> None:
    ledger = open_ledger(registry.settings)
    ledger.open_round(plan(), bytes(32), [pair(1)])
    with pytest.raises(SelvedgeError, match="round may-one has no verdict yet; close it first"):
        verdict_evidence(ledger, ROUND)


def test_the_judgement_as_it_is_stored_names_its_plan() -> None:
    import pandas as pd

    from evaluation.ballots import COLUMNS
    from evaluation.preference import judge_round

    none = pd.DataFrame(columns=list(COLUMNS)).astype({"seconds": float})
    assert asdict(judge_round(none, PLAN, closed=True))["plan_sha256"] == PLAN.sha256
