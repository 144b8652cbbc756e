"""A home's PostgreSQL database: its address, whose it is, and what is said where it cannot be used."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import text

from catalog.errors import SelvedgeError, ServiceUnavailable
from inference.service.jobs import JobLost, Jobs, State, TooManyJobs
from inference.service.keys import Keys
from inference.service.tables import open_database
from infra.local.label_studio import database_environment
from orchestration.families.settings import load_settings
from orchestration.registry.ledger import open_ledger
from orchestration.runtime import databases, postgres
from orchestration.runtime.databases import ensure_databases, remember, transaction
from orchestration.runtime.settings import Settings
from tests.labeling.review import postgres_for_tests

PASSWORD = "s3cr%40t"


@pytest.mark.parametrize(
    "text",
    ["", "shop", "sqlite:////x.db", "mysql://a@b/c", "postgresql://ann@db", "postgresql:///shop", "postgresql://db:x/a",
     "postgresql://ann:p@ss@db/shop", "postgresql://ann@db/shop?options=-csearch_path%3Dx"],
)  # fmt: skip
def test_what_is_no_address_is_refused_without_repeating_it(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="postgresql://user@host") as refusal:
        postgres.checked(text)
    assert "p@ss" not in str(refusal.value)
    if text:
        monkeypatch.setenv("SELVEDGE_POSTGRES", text)
        with pytest.raises(SelvedgeError, match="SELVEDGE_POSTGRES cannot be what it is set to"):
            load_settings()


def test_every_part_is_in_a_schema_of_its_own_unless_it_is_named_elsewhere(tmp_path: Path) -> None:
    uri = f"postgresql://ann:{PASSWORD}@db:5433/shop?sslmode=require"
    settings = Settings(home=tmp_path, postgres=SecretStr(uri), ledger=SecretStr("sqlite:////elsewhere.db"))
    assert settings.ledger_uri == "sqlite:////elsewhere.db"
    mlflow, studio, dagster = (
        settings.mlflow_database_uri, settings.label_studio_database_uri, settings.dagster_database_uri
    )  # fmt: skip
    assert mlflow.startswith(f"postgresql+psycopg://ann:{PASSWORD}@db:5433/shop?") and "search_path%3Dmlflow" in mlflow
    assert dagster is not None and dagster.startswith("postgresql+psycopg2://") and "search_path%3Ddagster" in dagster
    environment = database_environment(studio, tmp_path)
    assert environment["LABEL_STUDIO_POSTGRE_PASSWORD"] == "s3cr@t"
    assert (environment["PGOPTIONS"], environment["PGSSLMODE"]) == ("-csearch_path=label_studio", "require")
    assert PASSWORD not in repr(settings)


def test_the_address_comes_from_the_environment_a_file_or_the_home(tmp_path: Path) -> None:
    file = tmp_path / "secrets" / postgres.STORED
    assert postgres.address(None, None, tmp_path) is None
    file.parent.mkdir()
    file.write_text("postgresql://ann@db/stored\n")
    file.chmod(0o644)
    with pytest.raises(SelvedgeError, match="can be read by other users; run `chmod 600"):
        postgres.address(None, None, tmp_path)
    file.chmod(0o600)
    given = SecretStr("postgresql://ann@db/given")
    assert postgres.address(None, None, tmp_path) == "postgresql://ann@db/stored"
    assert postgres.address(given, None, tmp_path) == "postgresql://ann@db/given"
    with pytest.raises(SelvedgeError, match=r"both set"):
        postgres.address(given, file, tmp_path)
    with pytest.raises(SelvedgeError, match=r"SELVEDGE_POSTGRES_FILE names .* cannot be read"):
        postgres.address(None, tmp_path / "none", tmp_path)
    file.write_text(f"postgres//ann:{PASSWORD}@db\n")
    with pytest.raises(SelvedgeError, match="holds no address") as refusal:
        postgres.address(None, file, tmp_path)
    assert PASSWORD not in str(refusal.value)


def test_a_home_is_not_begun_anew_on_the_other_kind(tmp_path: Path) -> None:
    on_sqlite = Settings(home=tmp_path)
    open_ledger(on_sqlite)
    uri = "postgresql://ann@127.0.0.1:1/shop"
    moving = Settings(home=tmp_path, postgres=SecretStr(uri))
    with pytest.raises(SelvedgeError, match=r"is on SQLite \(ledger.db\); `selvedge migrate` moves it"):
        open_ledger(moving)
    remember(moving, "abc", databases.MOVING, uri)
    open_ledger(on_sqlite)  # nothing was destroyed
    with pytest.raises(SelvedgeError, match="was cut short; run `selvedge migrate` again"):
        open_ledger(moving)
    remember(moving, "abc", databases.HERE, uri)
    with pytest.raises(SelvedgeError, match="is on PostgreSQL, and no setting says where"):
        open_ledger(on_sqlite)
    (tmp_path / databases.MEMORY).write_text("{")
    with pytest.raises(SelvedgeError, match="cannot be read; restore it"):
        open_ledger(on_sqlite)


def test_a_server_that_does_not_answer(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        uri = f"postgresql://ann:{PASSWORD}@127.0.0.1:{taken.getsockname()[1]}/shop"
        with pytest.raises(ServiceUnavailable, match=r"does not answer .* start it, or correct") as refusal:
            ensure_databases(Settings(home=tmp_path, postgres=SecretStr(uri)))
    assert PASSWORD not in str(refusal.value)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if why := postgres_for_tests.missing():
        pytest.skip(why)
    with postgres_for_tests.server(tmp_path_factory.mktemp("postgres")) as address:
        yield address.replace("+psycopg", "")


def test_requests_of_the_service_are_leased_and_ended_there_as_in_sqlite(server: str) -> None:
    with transaction(server) as connection:
        connection.execute(text("CREATE SCHEMA requests"))
    address = postgres.in_schema(server, "requests")
    jobs, names = Jobs(open_database(address)), [str(number) for number in range(12)]
    Keys(open_database(address)).add("shop")
    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(lambda name: jobs.accept("shop", name, "0", {"n": name}, 99)[1], names * 2))
        held = [job for job in pool.map(lambda _: jobs.claim(), range(20)) if job is not None]
    assert sum(made) == 12 and sorted(job.request_id for job in held) == sorted(names)
    for job in held:
        jobs.renew(job, "cutout")
        jobs.end(job, State.DONE, {"by": job.token})
        with pytest.raises(JobLost):
            jobs.end(job, State.FAILED, {})
    assert jobs.counts() == {"queued": 0, "running": 0, "done": 12, "refused": 0, "failed": 0}
    with ThreadPoolExecutor(6) as pool, pytest.raises(TooManyJobs):
        list(pool.map(lambda number: jobs.accept("shop", f"more-{number}", "0", {}, 3), range(8)))
    assert jobs.counts()["queued"] == 3
    jobs.pick(jobs.find("shop", "1"), 2)
    assert jobs.find("shop", "1").picked == 2
    with transaction(server) as connection:
        connection.execute(text("DROP SCHEMA requests CASCADE"))


def test_what_postgresql_refuses_is_one_sentence(server: str, tmp_path: Path) -> None:
    def on(uri: str, folder: str) -> Settings:
        return Settings(home=tmp_path / folder, postgres=SecretStr(uri))

    with pytest.raises(SelvedgeError, match=r'database "none" does not exist\); make it, as with `createdb`'):
        ensure_databases(on(server.replace("/postgres", "/none"), "a"))
    with pytest.raises(SelvedgeError, match=r'role "bob" does not exist'):
        ensure_databases(on(server.replace("selvedge@", "bob@"), "a"))
    with transaction(server) as connection:
        connection.execute(text("CREATE ROLE ann LOGIN PASSWORD 'right'"))
        connection.execute(text("CREATE TABLE public.theirs (a integer)"))
    with pytest.raises(SelvedgeError, match=r"holds the table public.theirs, which is not this home's"):
        ensure_databases(on(server, "a"))
    with transaction(server) as connection:
        connection.execute(text("DROP TABLE public.theirs"))
    with pytest.raises(SelvedgeError, match=r"refuses its user .* GRANT CREATE ON DATABASE"):
        ensure_databases(on(server.replace("selvedge@", "ann@"), "a"))
    ensure_databases(on(server, "a"))
    ensure_databases(on(server, "a"))
    with pytest.raises(SelvedgeError, match=r"schema .* of another home's; name an empty database"):
        ensure_databases(on(server, "b"))
    databases._checked.cache_clear()
    with transaction(server) as connection:
        connection.execute(text("ALTER DATABASE postgres SET default_transaction_read_only = on"))
    with pytest.raises(SelvedgeError, match="is read-only; name the primary server"):
        ensure_databases(on(server, "a"))
    with transaction(server) as connection:
        connection.execute(text("SET TRANSACTION READ WRITE"))
        connection.execute(text("ALTER DATABASE postgres SET default_transaction_read_only = off"))
        connection.execute(text("DROP SCHEMA mlflow"))
    with pytest.raises(SelvedgeError, match=r"is not the one of home .* \(schema mlflow is missing\)"):
        ensure_databases(on(server, "a"))


def test_a_wrong_password(server: str, tmp_path: Path) -> None:
    with transaction(server) as connection:
        connection.execute(text("SELECT pg_reload_conf()"))
        hba = Path(str(connection.scalar(text("SHOW hba_file"))))
        connection.execute(text("CREATE ROLE eve LOGIN PASSWORD 'right'"))
        before = hba.read_text()
        hba.write_text("host all eve 127.0.0.1/32 scram-sha-256\n" + before)
        connection.execute(text("SELECT pg_reload_conf()"))
    wrong = server.replace("selvedge@", "eve:wr0ng@")
    with pytest.raises(
        SelvedgeError, match=r"password authentication failed .* put the right password into"
    ) as refusal:
        for _ in range(50):  # until the server has read its file again
            with transaction(wrong):
                pass
    assert "wr0ng" not in str(refusal.value)


def test_a_server_that_goes_away_in_the_middle_of_a_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import psycopg
    from sqlalchemy.exc import OperationalError

    from orchestration.cli import main

    def asking() -> None:
        try:
            raise OperationalError("SELECT 1", {}, psycopg.OperationalError("the connection is lost"))
        except OperationalError as lost:
            raise RuntimeError("too many retries for DB connection") from lost

    monkeypatch.setattr(main, "application", lambda: lambda *_arguments, **_options: asking())
    assert main.run(["status"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("selvedge: the database of this home does not answer (the connection is lost); start it")
    assert "Traceback" not in said
