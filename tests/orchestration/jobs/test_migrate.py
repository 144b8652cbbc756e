"""A home on SQLite moves to PostgreSQL whole: every row, the ledger's chain, Dagster's runs; or not at all."""

import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr
from sqlalchemy import text

from catalog.errors import SelvedgeError
from infra.local.lock import exclusive
from orchestration.cli.main import run
from orchestration.families.restgan import NAME as FAMILY
from orchestration.jobs import migrate
from orchestration.jobs.moved_rows import (
    common_columns,
    copy_rows,
    digest_of,
    digest_of_rows,
    set_sequences,
    source_rows,
    source_tables,
    tables_of,
)
from orchestration.registry import ledger as ledgers
from orchestration.registry.ledger import ledger_problems, open_ledger
from orchestration.runtime.databases import transaction
from orchestration.runtime.instance import open_instance
from orchestration.runtime.recovery import owner_of
from orchestration.runtime.settings import Settings
from tests.labeling.review import postgres_for_tests

ODD = """
CREATE TABLE odd (id INTEGER PRIMARY KEY, yes BOOLEAN, at DATETIME, content TEXT, picture BLOB, ratio REAL, name TEXT,
    words TEXT, doubled INTEGER GENERATED ALWAYS AS (id * 2) VIRTUAL);
INSERT INTO odd (id, yes, at, content, picture, ratio, name) VALUES
    (7, 1, '2026-01-01 00:00:00', '{"a": 1.0, "ü": [null]}', x'00ff', 0.1, 'a\tb\\c'),
    (9, 0, NULL, NULL, NULL, 9e999, '');
"""
ODD_ON_POSTGRES = """
CREATE SCHEMA part; CREATE TABLE part.odd (id BIGSERIAL PRIMARY KEY, yes BOOLEAN, at TIMESTAMPTZ, content JSONB,
    picture BYTEA, ratio DOUBLE PRECISION, name VARCHAR(20), words TSVECTOR,
    doubled BIGINT GENERATED ALWAYS AS (id * 2) STORED)
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if why := postgres_for_tests.missing():
        pytest.skip(why)
    if find_spec("dagster_postgres") is None:
        pytest.skip("dagster-postgres is not installed; the extra `postgres` brings it")
    with postgres_for_tests.server(tmp_path_factory.mktemp("postgres")) as address:
        yield address.replace("+psycopg", "")


def database(server: str, name: str) -> str:
    from sqlalchemy import create_engine

    engine = create_engine(server.replace("postgresql:", "postgresql+psycopg:"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f'CREATE DATABASE "{name}"'))
    engine.dispose()
    return server.replace("/postgres", f"/{name}")


def test_values_of_every_kind_are_the_same_at_both_ends(server: str, tmp_path: Path) -> None:
    file = tmp_path / "odd.db"
    with closing(sqlite3.connect(file)) as source:
        source.executescript(ODD)
    with transaction(database(server, "odd")) as connection:
        connection.execute(text(ODD_ON_POSTGRES))
        (table,) = tables_of(connection, "part")
        columns = common_columns(file, table, source_tables(file))
        assert table.computed == {"doubled", "words"} and not table.computed & set(columns)

        def rows() -> Any:
            return source_rows(file, "odd", columns)

        copy_rows(connection, "part", table, columns, rows())
        set_sequences(connection, "part", [table])
        expected = digest_of_rows(table, columns, rows())
        assert expected.rows == 2 and digest_of(connection, "part", table, columns) == expected
        added = connection.scalar(text("INSERT INTO part.odd (yes) VALUES (true) RETURNING id"))
        assert added == 10, "numbers go on"
        connection.execute(text("DELETE FROM part.odd WHERE id = 10"))
        connection.execute(text("UPDATE part.odd SET ratio = 0.2 WHERE id = 7"))
        assert digest_of(connection, "part", table, columns) != expected
        with pytest.raises(SelvedgeError, match=r"a row of part\.odd does not fit into PostgreSQL"):
            copy_rows(connection, "part", table, ["id", "name"], [(11, "a\0b")])


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A home on SQLite: a champion by the ledger, a run of Dagster's that made something."""
    monkeypatch.setenv("SELVEDGE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SELVEDGE_MLFLOW_PORT", "1")
    monkeypatch.setenv("SELVEDGE_LABEL_STUDIO", "off")
    settings = Settings(home=tmp_path / "home", mlflow_port=1, label_studio="off")
    promotions = open_ledger(settings).promotions
    record = promotions.intend(
        family=FAMILY, kind="promotion", candidate="c1", version="1", old_champion=None, previous_champion=None,
        who="ann", reasons=("preferred.",), evidence={},
    )  # fmt: skip
    promotions.complete(record.record_id)

    @dg.asset
    def cloth() -> dg.MaterializeResult[None]:
        return dg.MaterializeResult(metadata={"threads": 3})

    with open_instance(settings) as instance:
        assert dg.materialize([cloth], instance=instance).success
    return settings


def test_a_home_moves_whole_and_goes_on(
    home: Settings, server: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    head = open_ledger(home).record.head()
    with open_instance(home) as instance:
        (before,) = instance.get_runs()
        events = [entry.to_json() for entry in instance.all_logs(before.run_id)]
        newest = instance.get_latest_materialization_event(dg.AssetKey("cloth"))
        numbers = [record.storage_id for record in instance.fetch_materializations(dg.AssetKey("cloth"), 9).records]
    uri = database(server, "shop")

    with exclusive(home.home / "home.lock", 1, "running `selvedge up`"):
        assert run(["migrate", "--postgres", uri]) == 1
    assert "another process is running `selvedge up`" in capsys.readouterr().err
    hold = migrate._hold_ledger
    monkeypatch.setattr(migrate, "_hold_ledger", lambda *_: (_ for _ in ()).throw(SelvedgeError("killed.")))
    assert run(["migrate", "--postgres", uri]) == 1
    assert open_ledger(home).record.head() == head, "it is on SQLite as before"
    monkeypatch.setattr(migrate, "_hold_ledger", hold)
    capsys.readouterr()

    assert run(["migrate", "--postgres", uri, "--json"]) == 0
    printed = capsys.readouterr()
    moved = json.loads(printed.out)
    assert "Dagster: stands" in printed.err, "what a killed move had copied is not copied again"
    assert (moved["promotions"], moved["runs"], moved["events"]) == (1, 1, len(events))
    assert {path.name for path in (home.home / "before-postgres").rglob("*.db")} >= {"ledger.db", "runs.db", "index.db"}
    assert not list(home.home.glob("ledger.db"))

    ledgers._opened.cache_clear()
    assert home.postgres_uri == uri, "kept for the commands that follow"
    assert open_ledger(home).record.head() == head and ledger_problems(home) == []
    with open_instance(home) as instance:
        assert [run.run_id for run in instance.get_runs()] == [before.run_id]
        assert sorted(entry.to_json() for entry in instance.all_logs(before.run_id)) == sorted(events)
        again = instance.get_latest_materialization_event(dg.AssetKey("cloth"))
        assert again is not None and newest is not None and again.to_json() == newest.to_json()
        records = instance.fetch_materializations(dg.AssetKey("cloth"), 9).records
        assert [record.storage_id for record in records] == numbers, "cursors stay right"
        log = instance.get_records_for_run(before.run_id).records
        assert len({record.storage_id for record in log}) == len(events)
        owner = owner_of(instance, before)
        assert owner is not None and owner.pid == os.getpid(), "a run whose process is gone can be closed"
    assert run(["doctor"]) == 0, capsys.readouterr()
    assert run(["migrate", "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["again"] is True


def test_a_database_that_holds_something_is_refused(
    home: Settings, server: str, capsys: pytest.CaptureFixture[str]
) -> None:
    uri = database(server, "full")
    with transaction(uri) as connection:
        connection.execute(text("CREATE SCHEMA ledger"))
    assert run(["migrate", "--postgres", uri]) == 1
    assert "holds the schema ledger of somebody else's; name an empty database" in capsys.readouterr().err
    assert run(["migrate"]) == 1
    assert "no database to move to" in capsys.readouterr().err
    assert home.postgres_uri is None and open_ledger(home).record.problems() == []
    with open_instance(home) as instance:
        instance.create_run_for_job(dg.JobDefinition(name="sewing", graph_def=dg.GraphDefinition(name="sewing")))
    assert run(["migrate", "--postgres", database(server, "vacant")]) == 1
    assert "1 runs are not over" in capsys.readouterr().err
    assert SecretStr(uri) != home.postgres
