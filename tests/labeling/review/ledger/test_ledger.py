"""The ledger: made once, never changed, and it gives back what it was given. On every database there is."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, timedelta, timezone
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Engine, create_engine, event, inspect, text
from sqlalchemy.exc import DBAPIError

from catalog.errors import SelvedgeError, ServiceUnavailable
from evaluation.preference_plan import PreferencePlan
from labeling.review.ledger.ledger import Ledger
from labeling.review.ledger.picks import Judgement, PickTask, PulledPick, ShownPicture
from labeling.review.ledger.records import Exclusion, Pair
from labeling.review.ledger.tables import METADATA
from labeling.review.rounds.ballots import sync
from tests.labeling.review.rounds_for_tests import NOON, annotation, listed, pair, plan

KEY = bytes(range(32))
PAIRS = [pair(1), pair(2, "gold", sound="right")]


def opened(ledger: Ledger, **changes: object) -> Ledger:
    ledger.open_round(plan(**changes), KEY, PAIRS, NOON)
    return ledger


def filled(ledger: Ledger) -> Ledger:
    """A row in every table."""
    listed(opened(ledger))
    sync(ledger, "may-one", [annotation(1, "plain-1")], NOON)
    ledger.exclude("may-one", [Exclusion("bob", "gold", "3 of 5")], NOON)
    ledger.close_round("may-one", NOON)
    ledger.record_verdict("may-one", "preferred", {"e": 21.5}, "abc", False, NOON)
    ledger.promotions.record_found("f", "3", "c", "moved by hand", NOON)
    task = PickTask("k", "10001-beach/ab", 10001, (ShownPicture("1f", "1.png"),))
    ledger.picks.open_round("picks-may", "may", KEY, [task])
    pick = PulledPick(1, "k", "ann@shop.example", None, "1", "too small", 3.0, NOON, NOON)
    ledger.picks.store("picks-may", [pick], lambda _: Judgement("1f", {"stages": []}, False, None), NOON)
    return ledger


def test_the_migrations_make_the_tables_of_this_version(engine: Engine) -> None:
    Ledger(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": "ledger_version", "compare_type": True})
        assert compare_metadata(context, METADATA) == []


@pytest.mark.parametrize(
    ("pragma", "remedy"),
    [
        ("max_page_count = 1", "is full.*Free some space"),
        ("query_only = 1", "readonly.*Make it writable for this user"),
    ],
)
def test_a_disk_that_refuses_is_told_with_its_remedy(tmp_path: Path, pragma: str, remedy: str) -> None:
    """A full disk, and a file without the right to write."""
    engine = create_engine(f"sqlite:///{tmp_path}/ledger.db")
    ledger = Ledger(engine)
    event.listen(engine, "checkout", lambda connection, *_: connection.execute(f"PRAGMA {pragma}"))
    with pytest.raises(SelvedgeError, match=f"could not be used .*{remedy}") as refusal:
        ledger.open_round(plan(), KEY, [pair(number) for number in range(500)], NOON)
    assert "start it again" not in str(refusal.value)


def test_many_starts_at_once_migrate_once(engine: Engine) -> None:
    def start(_: int) -> list[object]:
        own = create_engine(engine.url)
        try:
            return list(Ledger(own).rounds())
        finally:
            own.dispose()

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(start, range(8))) == [[]] * 8
    assert set(METADATA.tables) < set(inspect(engine).get_table_names())


@pytest.mark.parametrize("table", sorted(METADATA.tables))
@pytest.mark.parametrize("change", ["UPDATE {} SET {} = {}", "DELETE FROM {}", "REPLACE", "TRUNCATE {} CASCADE"])
def test_no_table_can_be_changed(ledger: Ledger, engine: Engine, table: str, change: str) -> None:
    if change.startswith("TRUNCATE") and engine.dialect.name == "sqlite":
        pytest.skip("SQLite has no TRUNCATE")
    filled(ledger)
    column = METADATA.tables[table].primary_key.columns[0].name
    statement = change.format(table, column, column)
    if change == "REPLACE":
        if engine.dialect.name == "postgresql":
            pytest.skip("PostgreSQL has no REPLACE; its upsert is an UPDATE")
        statement = f"INSERT OR REPLACE INTO {table} SELECT * FROM {table}"
    with pytest.raises(DBAPIError, match="append-only"), engine.begin() as connection:
        connection.execute(text(statement))


def test_a_round_comes_back_as_it_was_opened(ledger: Ledger) -> None:
    round_ = opened(ledger).round("may-one")
    assert (round_.plan, round_.key, round_.opened_at, round_.state) == (plan(), KEY, NOON, "open")
    assert ledger.pairs("may-one") == {listed_pair.task_key: listed_pair for listed_pair in PAIRS}
    assert ledger.rounds("blip2-attributes") == ledger.rounds() == [round_]
    assert ledger.rounds("restgan") == []
    assert KEY.hex() not in repr(round_) and repr(KEY) not in repr(round_)


def test_moments_keep_their_instant(ledger: Ledger) -> None:
    ledger.open_round(plan(), KEY, PAIRS, NOON.astimezone(timezone(timedelta(hours=5, minutes=30))))
    assert ledger.round("may-one").opened_at == NOON
    assert ledger.round("may-one").opened_at.tzinfo is UTC


def test_events_happen_once(ledger: Ledger) -> None:
    opened(ledger)
    assert ledger.bind_project("may-one", 5).project_id == 5
    assert ledger.bind_project("may-one", 6).project_id == 6
    closed = ledger.close_round("may-one", NOON)
    assert closed.state == "closed"
    assert ledger.close_round("may-one", NOON + timedelta(days=1)) == closed
    assert ledger.void_round("may-one", "the server was tampered with").state == "void"
    assert ledger.void_round("may-one", "another reason").void == "the server was tampered with"


def test_a_changed_plan_voids_the_round_for_good(ledger: Ledger) -> None:
    opened(ledger)
    assert ledger.hold_to_plan(plan()).state == "open"
    with pytest.raises(SelvedgeError, match=r"void: its plan was changed.*\(preference\.alpha\)"):
        ledger.hold_to_plan(plan(preference=PreferencePlan(alpha=0.1)))
    with pytest.raises(SelvedgeError, match="void"):
        ledger.hold_to_plan(plan())
    ledger.close_round("may-one")
    with pytest.raises(SelvedgeError, match="is void; only a closed round"):
        ledger.record_verdict("may-one", "preferred", {}, "", False)


def test_a_candidate_is_judged_once(ledger: Ledger) -> None:
    opened(ledger)
    with pytest.raises(SelvedgeError, match="is being judged in round may-one"):
        opened(ledger, round_id="may-two")
    ledger.close_round("may-one")
    ledger.record_verdict("may-one", "not_preferred", {"e": 0.1}, "abc", False)
    with pytest.raises(SelvedgeError, match="asking again until it wins"):
        opened(ledger, round_id="may-two")
    opened(ledger, round_id="may-two", opponent_version="5")  # a new champion is a new question


def test_an_inconclusive_or_void_round_may_be_followed(ledger: Ledger) -> None:
    opened(ledger)
    ledger.void_round("may-one", "wrong pictures")
    opened(ledger, round_id="may-two")
    ledger.close_round("may-two")
    ledger.record_verdict("may-two", "inconclusive", {}, "", False)
    opened(ledger, round_id="may-three")
    states = {entry.plan.round_id: entry.state for entry in ledger.rounds()}
    assert states == {"may-one": "void", "may-two": "closed", "may-three": "open"}


def test_a_verdict_is_given_once(ledger: Ledger) -> None:
    opened(ledger)
    with pytest.raises(SelvedgeError, match="is open; only a closed round"):
        ledger.record_verdict("may-one", "preferred", {}, "", False)
    ledger.close_round("may-one")
    first = ledger.record_verdict("may-one", "preferred", {"e": 21.5}, "abc", True, NOON)
    assert ledger.record_verdict("may-one", "preferred", {"e": 21.5}, "abc", True) == first == ledger.verdict("may-one")
    with pytest.raises(SelvedgeError, match="was judged preferred on 03 May 2026; it stands"):
        ledger.record_verdict("may-one", "not_preferred", {"e": 0.1}, "abc", True)
    with pytest.raises(SelvedgeError, match="is no verdict"):
        ledger.record_verdict("may-one", "won", {}, "", False)  # type: ignore[arg-type]
    with pytest.raises(SelvedgeError, match="cannot be excluded"):
        ledger.exclude("may-one", [Exclusion("bob", "gold", "")])


def test_exclusions_are_noted_once(ledger: Ledger) -> None:
    opened(ledger)
    for _ in range(2):
        ledger.exclude("may-one", [Exclusion("bob", "gold", "3 of 5"), Exclusion("bob", "fast", "")])
    assert ledger.exclusions("may-one") == [Exclusion("bob", "fast", ""), Exclusion("bob", "gold", "3 of 5")]


def test_a_pair_twice_opens_nothing(ledger: Ledger) -> None:
    with pytest.raises(DBAPIError):
        ledger.open_round(plan(), KEY, [pair(1), Pair("other", 1, "plain", "champion", None, 1, "")])
    assert ledger.rounds() == []


def test_every_pull_can_be_seen_again(ledger: Ledger) -> None:
    opened(ledger)
    one, two = annotation(1, "plain-1"), annotation(2, "gold-2")
    corrected = annotation(1, "plain-1", side="tie", updated_at=NOON + timedelta(hours=1))
    pulls = [[one], [one, two], [one, two], [corrected, two], [two], [one, two]]
    for pulled in pulls:
        sync(ledger, "may-one", pulled, NOON)
    kept = [pulls[0], pulls[1], pulls[3], pulls[4], pulls[5]]  # a pull that brings nothing new leaves no row
    assert [ledger.snapshot("may-one", number) for number in range(1, 6)] == kept
    assert [pull.annotations for pull in ledger.pulls("may-one")] == [1, 2, 2, 1, 2]
    with pytest.raises(SelvedgeError, match="no pull 6"):
        ledger.snapshot("may-one", 6)


def test_an_unknown_round_is_one_sentence(ledger: Ledger) -> None:
    for ask in (ledger.round, ledger.pairs, ledger.close_round):
        with pytest.raises(SelvedgeError, match="there is no round 'nowhere'"):
            ask("nowhere")
    assert ledger.find_round("nowhere") is None


def test_what_was_written_by_a_newer_version_is_refused(engine: Engine) -> None:
    Ledger(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE ledger_version SET version_num = '9999'"))
    with pytest.raises(SelvedgeError, match="written by a newer Selvedge"):
        Ledger(engine)


def test_tables_of_another_program_are_left_alone(engine: Engine) -> None:
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE rounds (id INTEGER)"))
    with pytest.raises(SelvedgeError, match="a database of its own"):
        Ledger(engine)
    assert inspect(engine).get_table_names() == ["rounds"]  # nothing half-made


def test_a_database_that_is_away_is_told(tmp_path) -> None:
    with pytest.raises(ServiceUnavailable, match="does not answer"):
        Ledger(create_engine(f"sqlite:///{tmp_path}/none/ledger.db"))
