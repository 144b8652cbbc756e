"""Promotion records: one winner, nothing forgotten, and an answer for any day."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import Engine, create_engine

from catalog.errors import SelvedgeError
from labeling.review.ledger.ledger import Ledger
from labeling.review.ledger.records import PromotionRecord
from tests.labeling.review.rounds_for_tests import NOON


def intend(ledger: Ledger, version: str, old: str | None, at: datetime = NOON, **changes: object) -> PromotionRecord:
    fields: dict[str, object] = {
        "family": "f",
        "kind": "promotion",
        "candidate": f"f-{version}",
        "version": version,
        "old_champion": old,
        "previous_champion": old,
        "who": "ann",
        "reasons": ["preferred."],
        "evidence": {"verdict:may-one": "ab12"},
    }
    return ledger.promotions.intend(**{**fields, **changes}, now=at)  # type: ignore[arg-type]


def promote(ledger: Ledger, version: str, old: str | None, at: datetime = NOON) -> PromotionRecord:
    record = intend(ledger, version, old, at)
    return ledger.promotions.complete(record.record_id, now=at + timedelta(seconds=3))


def test_a_record_comes_back_whole(ledger: Ledger) -> None:
    record = promote(ledger, "3", None)
    assert record.outcome == "completed" and record.ended_at == NOON + timedelta(seconds=3)
    assert ledger.promotions.history("f") == ledger.promotions.history() == [record]
    assert ledger.promotions.champion("f") == record
    assert record.evidence == {"verdict:may-one": "ab12"} and record.reasons == ("preferred.",)


def test_who_was_champion(ledger: Ledger) -> None:
    days = [datetime(2026, 5, day, 15, tzinfo=UTC) for day in (1, 3, 9)]
    first, second = promote(ledger, "3", None, days[0]), promote(ledger, "4", "3", days[1])
    abandoned = intend(ledger, "5", "4", days[2])
    ledger.promotions.abandon(abandoned.record_id, "the gate changed its mind", days[2])
    at = ledger.promotions.champion_at
    assert at("f", date(2026, 4, 30)) is None
    assert at("f", date(2026, 5, 1)) == at("f", date(2026, 5, 2)) == first
    assert at("f", date(2026, 5, 3)) == at("f", date(2026, 6, 1)) == second
    assert at("f", days[1]) == first  # the alias had not moved yet
    assert at("f", days[1] + timedelta(seconds=3)) == second
    assert at("g", date(2026, 6, 1)) is None
    with pytest.raises(SelvedgeError, match="names no time zone"):
        at("f", datetime(2026, 5, 3))


def test_evidence_against_another_champion_is_refused(ledger: Ledger) -> None:
    promote(ledger, "3", None)
    with pytest.raises(SelvedgeError, match="is version 3 since 03 May 2026 12:00 UTC, not none"):
        intend(ledger, "4", None)
    with pytest.raises(SelvedgeError, match="not 2"):
        intend(ledger, "4", "2")
    with pytest.raises(SelvedgeError, match="champion of f already"):
        intend(ledger, "3", "3")


def test_an_open_intent_is_found_and_repaired(ledger: Ledger) -> None:
    record = intend(ledger, "3", None)
    assert ledger.promotions.open_intents() == ledger.promotions.open_intents("f") == [record]
    assert ledger.promotions.open_intents("g") == []
    assert ledger.promotions.champion("f") is None
    with pytest.raises(SelvedgeError, match="ann is making version 3 champion of f"):
        intend(ledger, "4", None)
    done = ledger.promotions.complete(record.record_id, "repaired at start", NOON)
    assert ledger.promotions.complete(record.record_id, "again") == done
    with pytest.raises(SelvedgeError, match="was completed already"):
        ledger.promotions.abandon(record.record_id, "no")
    assert ledger.promotions.open_intents() == []


def test_an_abandoned_intent_clears_the_way(ledger: Ledger) -> None:
    record = intend(ledger, "3", None)
    ledger.promotions.abandon(record.record_id, "the alias was moved by hand")
    assert promote(ledger, "4", None).number == 2
    with pytest.raises(SelvedgeError, match="no promotion record 'x'"):
        ledger.promotions.complete("x")


def test_a_move_by_hand_is_recorded(ledger: Ledger) -> None:
    promote(ledger, "3", None)
    found = ledger.promotions.record_found("f", "7", "f-7", "the alias named version 7")
    assert (found.kind, found.who, found.old_champion, found.outcome) == ("by_hand", "unknown", "3", "completed")
    promote(ledger, "8", "7", NOON + timedelta(days=900))


def test_families_do_not_wait_for_each_other(ledger: Ledger) -> None:
    intend(ledger, "3", None)
    intend(ledger, "3", None, family="g")
    assert [record.number for record in ledger.promotions.history()] == [1, 1]


def test_of_two_at_once_one_wins_and_the_others_are_told(engine: Engine) -> None:
    Ledger(engine)

    def race(number: int) -> str:
        own = create_engine(engine.url)
        try:
            intend(Ledger(own), str(number), None)
            return "won"
        except SelvedgeError as error:
            return str(error)
        finally:
            own.dispose()

    with ThreadPoolExecutor(6) as pool:
        outcomes = list(pool.map(race, range(6)))
    assert outcomes.count("won") == 1
    assert all("is making version" in outcome for outcome in outcomes if outcome != "won")


def test_the_database_itself_lets_one_win(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    ledger = Ledger(engine)
    first = intend(ledger, "3", None)
    monkeypatch.setattr("labeling.review.ledger.promotions._refuse_swap", lambda *_: None)
    monkeypatch.setattr("labeling.review.ledger.promotions._last", lambda *_: None)  # did not see the first one
    with pytest.raises(SelvedgeError, match="another promotion of f came first"):
        intend(ledger, "4", None)
    assert ledger.promotions.history() == [first]
