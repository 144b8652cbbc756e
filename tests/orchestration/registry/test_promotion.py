"""Promotion against the real ledger: killed at every step, raced, moved by hand; nothing lost, nothing doubled."""

import os
import signal
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from catalog.errors import SelvedgeError
from evaluation.gate import Evidence, GateRule
from labeling.review.ledger.promotions import PromotionLedger
from orchestration.registry.ledger import open_ledger
from orchestration.registry.promotion import history, promote, rollback
from orchestration.registry.repair import RECORD_TAG, settle
from orchestration.report.state import champions
from orchestration.runtime.settings import Settings
from tests.orchestration.paper_registry import PaperClient, PaperRegistry
from tests.orchestration.registering import evidence_of

FAMILY = "toy"
RULE = GateRule(FAMILY)


@pytest.fixture
def registry(tmp_path: Path) -> Any:
    """Three candidates, the first of which is champion."""
    paper = PaperRegistry(Settings(home=tmp_path / "home"))
    for name in ("c1", "c2", "c3"):
        paper.add(FAMILY, name)
    assert ask(paper, "c1", None) == "promoted"
    return paper


def ask(registry: Any, candidate: str, champion: int | None) -> str:
    return promote(registry, RULE, evidence_of(FAMILY, candidate, champion), by="ada").status


def moves(registry: Any) -> list[tuple[str, str, str | None]]:
    """Kind, version and old champion of everything that was completed."""
    return [(one.kind, one.version, one.old_champion) for one in history(registry, FAMILY)]


def kill(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def killed(registry: Any, work: Callable[[], Any], owner: Any, step: str, after: bool) -> None:
    """Do `work` in a process that is killed before, or right after, it calls `owner.step` for the first time."""
    child = os.fork()
    if child == 0:
        real = getattr(owner, step)

        def last(*arguments: Any, **more: Any) -> None:
            if after:
                real(*arguments, **more)
            kill()

        setattr(owner, step, last)
        try:
            work()
        finally:
            os._exit(3)  # the step was never called
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL


# Each step of a promotion in its order; before the first one that writes, nothing has happened.
STEPS = [
    (PromotionLedger, "intend", False),
    (PromotionLedger, "intend", True),
    (PaperClient, "set_registered_model_alias", False),
    (PaperClient, "set_registered_model_alias", True),  # previous_champion moved, champion not
    (PaperClient, "delete_registered_model_alias", False),  # champion moved, challenger still there
    (PaperClient, "delete_registered_model_alias", True),
    (PaperClient, "set_model_version_tag", False),
    (PaperClient, "set_model_version_tag", True),
    (PromotionLedger, "complete", False),
    (PromotionLedger, "complete", True),
]


@pytest.mark.parametrize(("owner", "step", "after"), STEPS, ids=lambda value: getattr(value, "__name__", str(value)))
def test_a_promotion_killed_at_any_step_is_repaired_at_the_next_start(
    registry: Any, owner: Any, step: str, after: bool
) -> None:
    registry.client.set_registered_model_alias(FAMILY, "challenger", "2")
    killed(registry, lambda: ask(registry, "c2", 1), owner, step, after)
    begun = (step, after) != ("intend", False)
    cut_short = open_ledger(registry.settings).promotions.open_intents(FAMILY)
    told = settle(registry, [FAMILY])
    if cut_short:
        assert told == ["the promotion of toy to version 2, which was cut short, was completed."]
    else:
        assert told == [] and (not begun or step == "complete")
    assert ask(registry, "c2", 1) == ("already_champion" if begun else "promoted")
    assert registry.aliases(FAMILY) == {"champion": 2, "previous_champion": 1}
    assert moves(registry) == [("promotion", "1", None), ("promotion", "2", "1")]
    tags = [tag for tag in registry.version(FAMILY, 2).tags if tag.startswith(RECORD_TAG)]
    assert tags == [f"{RECORD_TAG}{history(registry, FAMILY)[-1].record_id}"]
    assert settle(registry, [FAMILY]) == []


@pytest.mark.parametrize("owner, step, after", [STEPS[1], STEPS[3], STEPS[6], STEPS[8]])
def test_a_rollback_killed_at_any_step_is_repaired_and_not_made_twice(
    registry: Any, owner: Any, step: str, after: bool
) -> None:
    ask(registry, "c2", 1)
    killed(registry, lambda: rollback(registry, FAMILY), owner, step, after)
    assert settle(registry, [FAMILY]) == ["the rollback of toy to version 1, which was cut short, was completed."]
    assert registry.aliases(FAMILY)["champion"] == 1 and moves(registry)[-1] == ("rollback", "1", "2")
    with pytest.raises(SelvedgeError, match="nothing to go back to"):
        rollback(registry, FAMILY)


def test_whoever_promotes_next_completes_what_was_cut_short_first(registry: Any) -> None:
    killed(registry, lambda: ask(registry, "c2", 1), PromotionLedger, "intend", True)
    assert ask(registry, "c3", 1) == "refused"
    assert ask(registry, "c3", 2) == "promoted"
    assert moves(registry)[1:] == [("promotion", "2", "1"), ("promotion", "3", "2")]


def test_an_alias_moved_by_hand_after_a_kill_ends_the_move(registry: Any) -> None:
    killed(registry, lambda: ask(registry, "c2", 1), PromotionLedger, "intend", True)
    registry.client.set_registered_model_alias(FAMILY, "champion", "3")
    told = settle(registry, [FAMILY])
    assert "was abandoned: the alias champion was moved by hand meanwhile and is on version 3." in told[0]
    assert "found on version 3, where no promotion put it" in told[1]
    assert moves(registry) == [("promotion", "1", None), ("by_hand", "3", "1")]


def test_an_alias_moved_by_hand_is_told_recorded_and_no_promotion(registry: Any) -> None:
    registry.client.set_registered_model_alias(FAMILY, "champion", "2")
    outcome = promote(registry, RULE, evidence_of(FAMILY, "c2", 1))
    assert outcome.status == "refused" and "moved by hand, not by a promotion" in outcome.reasons[0]
    assert moves(registry)[-1] == ("by_hand", "2", "1") and settle(registry, [FAMILY]) == []
    late = promote(registry, RULE, evidence_of(FAMILY, "c3", 1))
    assert late.status == "refused" and "now there is champion version 2" in late.reasons[0]
    assert rollback(registry, FAMILY).version == "1"
    assert ask(registry, "c2", 1) == "promoted"  # on its evidence, this time


def test_nobody_infers_with_a_version_that_only_the_alias_names(registry: Any) -> None:
    registry.client.set_registered_model_alias(FAMILY, "champion", "2")
    for _ in range(2):  # before and after the move is recorded as a hand's
        with pytest.raises(
            SelvedgeError, match=r"is on version 2, and .* made version 1 champion.*selvedge rollback toy"
        ):
            registry.champion(FAMILY)
        settle(registry, [FAMILY])
    rollback(registry, FAMILY)
    assert registry.champion(FAMILY).version == 1


def test_a_rollback_after_two_moves_by_hand_goes_to_the_promoted_version(registry: Any) -> None:
    for version in ("2", "3"):
        registry.client.set_registered_model_alias(FAMILY, "champion", version)
        settle(registry, [FAMILY])
    assert rollback(registry, FAMILY).version == "1", "version 2 was never promoted"
    assert registry.champion(FAMILY).version == 1


def test_where_nothing_was_champion_before_a_hand_no_rollback_is_advised_and_the_advice_works(tmp_path: Path) -> None:
    registry: Any = PaperRegistry(Settings(home=tmp_path / "home"))
    for name in ("c1", "c2"):
        registry.add(FAMILY, name)
    registry.client.set_registered_model_alias(FAMILY, "champion", "1")
    refused = promote(registry, RULE, evidence_of(FAMILY, "c1", None))
    told = [*settle(registry, [FAMILY]), *refused.reasons]
    for act in (rollback, lambda registry, family: registry.champion(family)):
        with pytest.raises(SelvedgeError) as error:
            act(registry, FAMILY)
        told.append(str(error.value))
    assert len(told) == 3 and all("remove the alias champion of toy in MLflow" in one for one in told)
    assert not any("rollback" in one for one in told)
    registry.client.delete_registered_model_alias(FAMILY, "champion")
    assert settle(registry, [FAMILY]) == [] and registry.champion(FAMILY) is None
    assert ask(registry, "c1", None) == "promoted" and registry.champion(FAMILY).version == 1


@pytest.mark.parametrize("recorded", [False, True])
def test_a_champion_that_a_hand_replaced_and_deleted_is_restored_and_not_rolled_back_to(
    registry: Any, recorded: bool
) -> None:
    registry.client.set_registered_model_alias(FAMILY, "champion", "2")
    told = settle(registry, [FAMILY]) if recorded else []
    assert all("`selvedge rollback toy` puts it back on version 1" in one for one in told)
    registry.client.delete_model_version(FAMILY, "1")
    told = [*settle(registry, [FAMILY]), *promote(registry, RULE, evidence_of(FAMILY, "c2", 1)).reasons]
    for act in (rollback, lambda registry, family: registry.champion(family)):
        with pytest.raises(SelvedgeError) as error:
            act(registry, FAMILY)
        told.append(str(error.value))
    assert all("version 1 was deleted in MLflow: restore MLflow's database and artefacts" in one for one in told)
    assert not any("rollback" in one for one in told)


def test_a_champion_that_was_rolled_back_to_and_deleted_is_told_with_a_remedy_that_exists(
    registry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestration.registry.registry.Registry", lambda settings: registry)
    ask(registry, "c2", 1)
    rollback(registry, FAMILY)
    registry.client.delete_model_version(FAMILY, "1")
    states, told, without = champions(registry.settings, [FAMILY])
    assert without == "" and "champion" not in states[FAMILY]["aliases"]
    for act in (rollback, lambda registry, family: registry.champion(family)):
        with pytest.raises(SelvedgeError) as error:
            act(registry, FAMILY)
        told.append(str(error.value))
    assert len(told) == 3
    for one in told:
        assert "version 1 was deleted in MLflow: restore MLflow's database and artefacts from a backup" in one
        assert "set the alias" not in one and "selvedge rollback" not in one


def test_a_refusal_tells_of_the_hand_that_moved_the_alias(registry: Any) -> None:
    registry.client.set_registered_model_alias(FAMILY, "champion", "2")
    outcome = promote(registry, RULE, evidence_of(FAMILY, "c3", 1))
    assert outcome.status == "refused" and "found on version 2, where no promotion put it" in outcome.reasons[-1]


def test_a_hand_on_the_previous_champion_is_no_way_around_the_gate(registry: Any) -> None:
    ask(registry, "c2", 1)
    registry.client.set_registered_model_alias(FAMILY, "previous_champion", "3")
    assert rollback(registry, FAMILY).version == "1"


def test_rollbacks_after_a_hand_end_and_do_not_go_round_in_a_circle(registry: Any) -> None:
    ask(registry, "c2", 1)
    registry.client.set_registered_model_alias(FAMILY, "champion", "1")
    assert [rollback(registry, FAMILY).version for _ in range(2)] == ["2", "1"]
    with pytest.raises(SelvedgeError, match="nothing to go back to"):
        rollback(registry, FAMILY)


def test_a_version_deleted_after_a_kill_stops_nobody(registry: Any) -> None:
    killed(registry, lambda: ask(registry, "c2", 1), PromotionLedger, "intend", True)
    registry.client.delete_model_version(FAMILY, "2")
    (told,) = settle(registry, [FAMILY])
    assert told.endswith("was abandoned: version 2 was deleted meanwhile.")
    assert ask(registry, "c3", 1) == "promoted"


def test_rollback_past_a_deleted_version_ends_in_one_sentence(registry: Any) -> None:
    ask(registry, "c2", 1)
    ask(registry, "c3", 2)
    registry.client.delete_model_version(FAMILY, "1")
    assert rollback(registry, FAMILY).version == "2"
    assert registry.aliases(FAMILY) == {"champion": 2}
    with pytest.raises(SelvedgeError, match=r"there is no version 1 .*deleted in MLflow\. Promote another candidate"):
        rollback(registry, FAMILY)
    assert registry.aliases(FAMILY) == {"champion": 2} and settle(registry, [FAMILY]) == []


def test_an_alias_that_was_removed_is_told_until_it_is_back_and_nothing_is_promoted(registry: Any) -> None:
    registry.client.delete_registered_model_alias(FAMILY, "champion")
    for _ in range(2):
        (told,) = settle(registry, [FAMILY])
        assert "was removed by hand; by the record version 1 is champion" in told
    assert ask(registry, "c2", None) == ask(registry, "c2", 1) == "refused"
    registry.client.set_registered_model_alias(FAMILY, "champion", "1")
    assert settle(registry, [FAMILY]) == [] and ask(registry, "c2", 1) == "promoted"


def test_a_champion_that_a_ledger_never_saw_is_recorded_once(tmp_path: Path) -> None:
    paper: Any = PaperRegistry(Settings(home=tmp_path))
    paper.add(FAMILY, "c1")
    paper.client.set_registered_model_alias(FAMILY, "champion", "1")
    (told,) = settle(paper, [FAMILY])
    assert "by the record it was on none" in told and settle(paper, [FAMILY]) == []
    assert moves(paper) == [("by_hand", "1", None)]


def test_of_two_promotions_at_once_one_wins_and_the_other_is_told(registry: Any) -> None:
    start, outcomes = threading.Barrier(2), {}

    def race(name: str) -> None:
        mine: Any = PaperRegistry(registry.settings)
        start.wait()
        outcomes[name] = promote(mine, RULE, evidence_of(FAMILY, name, 1))

    threads = [threading.Thread(target=race, args=(name,)) for name in ("c2", "c3")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(one.status for one in outcomes.values()) == ["promoted", "refused"]
    loser = next(one for one in outcomes.values() if not one.promoted)
    assert f"now there is champion version {loser.champion}" in loser.reasons[0]
    assert len(moves(registry)) == 2


def test_the_ledger_alone_tells_the_second_of_two(registry: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Should the lock ever fail: the other's intent lies open between our look and our own."""
    real = PromotionLedger.intend

    def overtaken(self: PromotionLedger, **fields: Any) -> Any:
        other = {**fields, "candidate": "c3", "version": "3", "who": "ben"}
        real(self, **other)
        return real(self, **fields)

    monkeypatch.setattr(PromotionLedger, "intend", overtaken)
    outcome = promote(registry, RULE, evidence_of(FAMILY, "c2", 1))
    assert outcome.status == "refused" and "ben is making version 3 champion of toy" in outcome.reasons[0]
    assert registry.aliases(FAMILY)["champion"] == 1


def test_an_alias_moved_while_the_promotion_is_under_way_is_left_alone(
    registry: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = PromotionLedger.intend

    def meanwhile(self: PromotionLedger, **fields: Any) -> Any:
        record = real(self, **fields)
        registry.client.set_registered_model_alias(FAMILY, "champion", "3")
        return record

    monkeypatch.setattr(PromotionLedger, "intend", meanwhile)
    outcome = promote(registry, RULE, evidence_of(FAMILY, "c2", 1))
    assert outcome.status == "refused" and "moved by hand meanwhile and is on version 3" in outcome.reasons[0]
    assert registry.aliases(FAMILY)["champion"] == 3


def test_evidence_against_a_former_champion_and_an_old_winner_are_refused(registry: Any) -> None:
    ask(registry, "c2", 1)
    late = promote(registry, RULE, evidence_of(FAMILY, "c3", 1))
    assert late.status == "refused" and "against champion version 1, but now" in late.reasons[0]
    old = promote(registry, RULE, evidence_of(FAMILY, "c1", None))
    assert old.status == "refused" and "this evidence already made version 1 champion" in old.reasons[0]
    assert registry.aliases(FAMILY)["champion"] == 2


def test_a_record_says_who_what_why_and_on_what(registry: Any) -> None:
    evidence: Evidence = evidence_of(FAMILY, "c2", 1)
    record = promote(registry, RULE, evidence, by="ada").record
    assert record is not None and (record.who, record.candidate, record.previous_champion) == ("ada", "c2", "1")
    assert record.evidence == {"candidate:c2": evidence.sha256} and not record.simulated
    assert record.outcome == "completed" and "against the champion" in record.reasons[0]


def test_metrics_that_changed_are_other_evidence(registry: Any) -> None:
    ask(registry, "c2", 1)
    rollback(registry, FAMILY, reason="too many wrong sleeves", by="ben")
    assert ask(registry, "c2", 1) == "refused"
    again = replace(evidence_of(FAMILY, "c2", 1), created="2026-02-01T00:00:00+00:00")
    assert promote(registry, RULE, again).promoted
