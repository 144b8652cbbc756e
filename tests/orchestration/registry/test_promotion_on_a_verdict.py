"""A promotion on a verdict: the ledger is asked again; one that was made up, changed or spent moves nothing."""

import json
import sqlite3
from collections.abc import Callable
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import SelvedgeError
from evaluation.gate import VERDICT, Evidence, GateRule, VerdictEvidence
from evaluation.preference import judge_round
from evaluation.preference_plan import PreferencePlan
from labeling.review.ledger.ledger import Ledger
from labeling.review.ledger.records import Pair
from labeling.review.pairs.blinding import left_version, sound_side, task_key
from labeling.review.rounds.ballots import ballots_sha256, counted_ballots, sync
from labeling.review.rounds.compared import ABOUT_FILE
from labeling.review.rounds.evidence import verdict_evidence
from labeling.review.rounds.judging import close_round, verdict_content
from orchestration.registry.ledger import open_ledger
from orchestration.registry.promotion import PromotionOutcome, history, promote, rollback
from orchestration.runtime.settings import Settings
from tests.labeling.review.rounds_for_tests import annotation, listed, pair, plan
from tests.orchestration.drawn_round import votes
from tests.orchestration.paper_registry import PaperRegistry
from tests.orchestration.registering import evidence_of

FAMILY, ROUND, ITEMS = "toy", "may-one", 30
PREFERRED, REJECTED = 0.97, 0.03
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
    """Hold a round of real ballots and judge it."""

    def hold(preference: float = PREFERRED, people: str = "shop.example", **changes: Any) -> Ledger:
        ledger = held_round(registry.settings, preference, people, **changes)
        close_round(registry.settings.rounds(), ledger, ROUND, undecided=True)
        return ledger

    return hold


def held_round(settings: Settings, preference: float, people: str = "shop.example", **changes: Any) -> Ledger:
    """An open round with everybody's ballots, its pairs named and sided by its key."""
    opponents = {"opponent": "champion", "opponent_version": "1", "candidate_version": "2", "items": ITEMS}
    registered, key = plan(**{"family": FAMILY, "candidate": "c2", **opponents, **changes}), bytes(32)
    slots = [(item, "plain") for item in range(ITEMS)] + [(100, "gold"), (101, "gold"), (102, "gold")]
    slots += [(110, "aa"), (111, "aa"), (0, "repeat"), (1, "repeat")]
    ledger = open_ledger(settings)
    pairs = [
        Pair(
            task_key(key, ROUND, item, slot), item, slot, left_version(key, ROUND, item, slot),  # type: ignore[arg-type]
            sound_side(key, ROUND, item) if slot == "gold" else None, 20, "0" * 64,
        )
        for item, slot in slots
    ]  # fmt: skip
    ledger.open_round(registered, key, pairs)
    about = settings.rounds() / ROUND / ABOUT_FILE
    about.parent.mkdir(parents=True, exist_ok=True)
    about.write_text(json.dumps({"plan": registered.to_json()}))
    cast = [replace(one, rater=f"{one.rater.partition('@')[0]}@{people}") for one in votes(ledger, preference)]
    listed(ledger, *{one.rater for one in cast})
    sync(ledger, ROUND, cast)
    return ledger


def on(verdict: VerdictEvidence) -> Evidence:
    return replace(evidence_of(FAMILY, "c2", 1), others={VERDICT: verdict.to_dict()})


def refused(outcome: PromotionOutcome, sentence: str) -> bool:
    return outcome.status == "refused" and sentence in " ".join(outcome.reasons)


def test_a_preferred_candidate_is_promoted_and_the_record_names_the_round(registry: Any, judged: Any) -> None:
    verdict = verdict_evidence(judged(), ROUND)
    record = promote(registry, RULE, on(verdict)).record
    assert record is not None and not record.simulated
    assert record.evidence[f"round:{ROUND}"] == verdict.verdict_sha256


@pytest.mark.parametrize(("preference", "outcome"), [(REJECTED, "not_preferred"), (0.5, "inconclusive")])
def test_any_other_verdict_promotes_nothing(registry: Any, judged: Any, preference: float, outcome: str) -> None:
    verdict = verdict_evidence(judged(preference), ROUND)
    assert refused(promote(registry, RULE, on(verdict)), f"the verdict of round may-one is {outcome}")
    lied = on(replace(verdict, outcome="preferred"))
    assert refused(promote(registry, RULE, lied), "is not the one of round may-one")


@pytest.mark.parametrize(
    ("lie", "sentence"),
    [
        ({"outcome": "preferred"}, "it says preferred, and they say not_preferred"),
        ({"plan_sha256": "e" * 64}, "its plan sha256 is another"),
        ({"counts": {"candidate": 9}}, "its counts is another"),
        ({"e_value": 1e9}, "its e value is another"),
    ],
)
def test_a_verdict_that_does_not_follow_from_its_ballots_is_found(
    registry: Any, lie: dict[str, Any], sentence: str
) -> None:
    ledger = held_round(registry.settings, REJECTED)
    ledger.close_round(ROUND)
    table = counted_ballots(ledger.ballots(ROUND), ledger.pairs(ROUND))
    judgement = judge_round(table, PLAN, closed=True)
    told = verdict_content(ledger.round(ROUND), judgement)
    outcome = lie.get("outcome", judgement.outcome)
    ledger.record_verdict(ROUND, outcome, {**told, **lie}, ballots_sha256(ledger.ballots(ROUND)), simulated=False)
    with pytest.raises(SelvedgeError, match=f"does not follow from its ballots: {sentence}"):
        verdict_evidence(ledger, ROUND)


def test_a_verdict_inserted_without_a_ballot_promotes_nothing(registry: Any) -> None:
    """Round, close and verdict by SQL, made-up hashes: the gate computes them, the chain knows no such rows."""
    ledger = open_ledger(registry.settings)
    registered = plan(family=FAMILY, candidate="c2", candidate_version="2", opponent_version="1")
    evidence = json.dumps({"plan_sha256": PLAN.sha256})
    with sqlite3.connect(registry.settings.home / "ledger.db") as database:
        database.execute(
            "INSERT INTO rounds VALUES (?, ?, ?, ?, ?, ?, ?)",
            (ROUND, FAMILY, "c2", registered.to_json(), registered.sha256, bytes(32), "2026-05-03 12:00:00"),
        )
        database.execute("INSERT INTO round_events VALUES (?, 1, 'closed', '', '2026-05-03 12:00:00')", (ROUND,))
        database.execute(
            "INSERT INTO verdicts VALUES (?, 'preferred', ?, ?, ?, 0, '2026-05-03 12:00:00')",
            (ROUND, evidence, sha256(evidence.encode()).hexdigest(), "0" * 64),
        )
    with pytest.raises(SelvedgeError, match="does not follow from its ballots: its pairs are not the plan's"):
        verdict_evidence(ledger, ROUND)
    with pytest.raises(SelvedgeError, match=r"row .* of rounds was written by another program"):
        promote(registry, RULE, evidence_of(FAMILY, "c2", 1))
    assert registry.aliases(FAMILY)["champion"] == 1


def test_simulated_cannot_be_cleared(registry: Any, judged: Any) -> None:
    """With the triggers dropped and put back: by its accounts a ballot stays what it is."""
    ledger = judged(people="simulated.invalid")
    verdict = verdict_evidence(ledger, ROUND)
    with sqlite3.connect(registry.settings.home / "ledger.db") as database:
        for table in ("ballots", "verdicts"):
            (trigger,) = database.execute(
                "SELECT sql FROM sqlite_master WHERE name = ?", (f"{table}_no_update",)
            ).fetchone()
            database.execute(f"DROP TRIGGER {table}_no_update")
            database.execute(f"UPDATE {table} SET simulated = 0")
            database.execute(trigger)
    with pytest.raises(SelvedgeError, match="is not marked as its annotator's are"):
        verdict_evidence(ledger, ROUND)
    with pytest.raises(SelvedgeError, match="of ballots was changed"):
        promote(registry, RULE, on(replace(verdict, simulated=False)))


def test_ballots_of_accounts_that_nobody_listed_do_not_count(registry: Any) -> None:
    """One person with further accounts: void when they are pulled, and void for good."""
    ledger = held_round(registry.settings, PREFERRED)
    own = ledger.ballots(ROUND)
    plain = next(key for key, pair in ledger.pairs(ROUND).items() if pair.slot == "plain")
    numbers = range(900, 904)
    further = [annotation(number, plain, f"sock{number}@shop.example") for number in numbers]
    told = sync(ledger, ROUND, [*(one.annotation for one in own), *further])
    assert len(told.void) == 4 and "`selvedge review annotator add` did not make" in told.void[0]
    listed(ledger, *(one.rater for one in further))  # too late
    close_round(registry.settings.rounds(), ledger, ROUND, undecided=True)
    assert promote(registry, RULE, on(verdict_evidence(ledger, ROUND))).promoted
    assert sum(one.void is not None for one in ledger.ballots(ROUND)) == 4


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
    ],
)
def test_a_round_about_something_else_promotes_nothing(
    registry: Any, judged: Any, changes: dict[str, str], sentence: str
) -> None:
    assert refused(promote(registry, RULE, on(verdict_evidence(judged(**changes), ROUND))), sentence)


def test_scripted_ballots_promote_in_the_demo_alone_and_are_stamped(registry: Any, judged: Any) -> None:
    verdict = verdict_evidence(judged(people="simulated.invalid"), ROUND)
    assert verdict.simulated
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

    none = pd.DataFrame(columns=list(COLUMNS)).astype({"seconds": float})
    assert asdict(judge_round(none, PLAN, closed=True))["plan_sha256"] == PLAN.sha256
