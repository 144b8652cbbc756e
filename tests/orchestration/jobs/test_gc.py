"""gc frees what nothing names, and nothing else: on drawn graphs of records, of runs, and while somebody is at work."""

import json
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, nullcontext
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from dagster._core.remote_origin import RegisteredCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, InstigatorType, TickData, TickStatus
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import SelvedgeError
from inference.service.jobs import Jobs, State
from inference.service.making import Order, photo_file
from inference.service.tables import open_database
from orchestration.assets.conditions import follows_new
from orchestration.assets.failed_runs import left_failed, newest_run
from orchestration.assets.partitions import DROPS, candidate_partitions
from orchestration.assets.pinning import BACKFILL_TAG
from orchestration.assets.published import Tables, materialised
from orchestration.assets.run_costs import RunCosts
from orchestration.cli.main import run
from orchestration.jobs.garbage import (
    BOTTOMS,
    DATASETS,
    DAY_SECONDS,
    INDEXES,
    PARTS,
    PICTURES,
    REQUESTS,
    ROUNDS,
    WORK,
    Stored,
    by_kind,
    find_garbage,
    free,
    reachable,
    require_quiet,
)
from orchestration.jobs.in_process import InProcess
from orchestration.jobs.old_runs import (
    compact,
    find_old_events,
    find_old_runs,
    old_ticks,
    purge_ticks,
    remove_events,
    remove_runs,
)
from orchestration.jobs.serving import open_jobs
from orchestration.runtime.dagster_private import check_records, request_backfill
from orchestration.runtime.home import held
from orchestration.runtime.instance import open_instance
from orchestration.runtime.settings import Settings
from tests.orchestration.toy_family import toy_family

HASHES = [f"{number:064x}" for number in range(6)]
SETS = [f"{number:016x}" for number in range(0xA0, 0xA4)]
ROUND_NAMES = ["toy-20261101-aaaaaa-r1", "spring", "a.round_2"]
some = st.sets(st.integers(0, 5))


@given(st.dictionaries(st.integers(0, 9), st.sets(st.integers(0, 12)), max_size=8), st.sets(st.integers(0, 12)))
def test_what_is_kept_is_closed_and_nothing_else_is(graph: dict[int, set[int]], roots: set[int]) -> None:
    names = {str(name): {str(other) for other in others} for name, others in graph.items()}
    kept = reachable(map(str, roots), names, names.__getitem__)
    assert kept == reachable(sorted(kept), names, names.__getitem__), "what remains keeps all that it names"
    assert all(names[name] & names.keys() <= kept for name in kept) and {str(r) for r in roots} & names.keys() <= kept
    for name in kept - {str(root) for root in roots}:
        assert any(name in names[other] for other in kept), "nothing is kept that nobody names"


def table(file: Path, **columns: Any) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns), file)


def picture(home: Path, number: int) -> Path:
    file = home / "objects" / "images" / HASHES[number][:2] / f"{HASHES[number]}.jpg"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"12345")
    return file


def shown(file: Path, home: Path, numbers: set[int]) -> None:
    uris = [str(home / "elsewhere" / f"{HASHES[number]}.jpg") for number in sorted(numbers)]  # a home may have moved
    table(file, product_id=list(range(len(uris))), uri=pa.array(uris, pa.string()))


def ledger(home: Path, *texts: str) -> None:
    with closing(sqlite3.connect(home / "ledger.db")) as database, database:
        database.execute("create table rounds (number integer, plan text, salt blob)")
        database.executemany("insert into rounds values (1, ?, x'00')", [(text,) for text in texts])


@settings(max_examples=20)
@given(
    drops=st.lists(some, max_size=2),
    frozen=st.lists(st.tuples(some, st.sampled_from(["opened", "by its whole hash", "forgotten"])), max_size=3),
    rounds=st.lists(st.tuples(some, st.booleans()), max_size=3),
)
def test_a_drawn_home_keeps_exactly_what_its_records_name(
    drops: list[set[int]], frozen: list[tuple[set[int], str]], rounds: list[tuple[set[int], bool]]
) -> None:
    with tempfile.TemporaryDirectory() as folder, dg.DagsterInstance.ephemeral() as instance:
        home = Path(folder)
        pictures = [picture(home, number) for number in range(len(HASHES))]
        for number, numbers in enumerate(drops):
            shown(home / "tables" / "catalog" / "images" / f"drop-{number}.parquet", home, numbers)
        for name, (numbers, how) in zip(SETS, frozen, strict=False):
            shown(home / "tables" / "training" / "datasets" / name / "images.parquet", home, numbers)
            if how == "opened":
                record = home / "tables" / "candidates" / "toy" / f"toy-{name}.json"
                record.parent.mkdir(parents=True, exist_ok=True)
                record.write_text(json.dumps({"dataset": {"dataset": f"/was/{name}"}}))
            if how == "by its whole hash":
                metadata = {"dataset_sha256": name + "f" * 48}
                instance.report_runless_asset_event(dg.AssetMaterialization("prepared", metadata=metadata))
                instance.report_runless_asset_event(dg.AssetMaterialization(name, metadata=metadata))
        for name, (numbers, _) in zip(ROUND_NAMES, rounds, strict=False):
            shown(home / "objects" / "rounds" / name / "images.parquet", home, numbers)
        voted = [name for name, (_, known) in zip(ROUND_NAMES, rounds, strict=False) if known]
        ledger(home, *[json.dumps({"round_id": name}) for name in voted])
        of = Settings(home=home)
        garbage = find_garbage(of, instance, (), 90, now=time.time() + 2 * DAY_SECONDS)
        kept_sets = [name for name, (_, how) in zip(SETS, frozen, strict=False) if how != "forgotten"]
        kept = set().union(*drops, *(numbers for numbers, how in frozen if how != "forgotten"))
        kept |= set().union(*(numbers for numbers, known in rounds if known))
        names: dict[str, set[str]] = {}
        for one in garbage:
            names.setdefault(one.kind, set()).add(one.name)
        assert names.get(PICTURES, set()) == {HASHES[number] for number in range(6) if number not in kept}
        assert names.get(DATASETS, set()) == set(SETS[: len(frozen)]) - set(kept_sets)
        assert names.get(ROUNDS, set()) == set(ROUND_NAMES[: len(rounds)]) - set(voted)
        size = sum(count for _, count in by_kind(garbage).values())
        assert free(garbage) == size and find_garbage(of, instance, (), 90, now=time.time() + 2 * DAY_SECONDS) == []
        assert [file.exists() for file in pictures] == [number in kept for number in range(6)]


def test_what_is_new_is_left_alone_and_unfinished_work_stays_however_old_it_is(tmp_path: Path) -> None:
    of, family = Settings(home=tmp_path), toy_family()
    stray = picture(tmp_path, 0)
    shown(tmp_path / "tables" / "training" / "datasets" / "by-hand" / "images.parquet", tmp_path, {1})
    picture(tmp_path, 1)  # of a data set that has no hash for a name, and is nobody's to free
    bottoms = tmp_path / "bottoms" / SETS[0]
    bottoms.mkdir(parents=True)
    (tmp_path / "bottoms" / f"{SETS[0]}-judge.safetensors").write_text("judge")
    index = tmp_path / "objects" / "discovery" / f"bottoms-{SETS[1]}.lance"
    index.mkdir(parents=True)
    (tmp_path / "bottoms" / "mine").mkdir()  # somebody's own
    (tmp_path / "objects" / ".x.json.9999999.ab.part").write_text("half")
    for name in ("toy-20261101-aaaaaa", "toy-20261102-bbbbbb", "descriptions-may.journal"):
        (tmp_path / "work" / name).mkdir(parents=True)
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(
            candidate_partitions("toy").name or "", ["toy-20261101-aaaaaa", "toy-20261102-bbbbbb"]
        )
        trained = dg.AssetMaterialization(["training", "toy_candidate"], partition="toy-20261101-aaaaaa")
        instance.report_runless_asset_event(trained)

        def kinds(days: float) -> list[tuple[str, str]]:
            later = time.time() + days * DAY_SECONDS
            return [(one.kind, one.name) for one in find_garbage(of, instance, [family], 90, now=later)]

        assert kinds(0) == [(PARTS, ".x.json.9999999.ab.part")]
        assert kinds(2)[:-1] == [(PICTURES, stray.stem), (BOTTOMS, SETS[0])]
        assert [kind for kind, _ in kinds(100)[:-1]] == [WORK, WORK, PICTURES, INDEXES, BOTTOMS]
        assert (WORK, "toy-20261102-bbbbbb") not in kinds(1000)
        (tmp_path / "tables" / "rows.parquet").write_bytes(b"PAR1 and no more")
        with pytest.raises(SelvedgeError, match=r"tables/rows.parquet cannot be read .*; nothing was freed. Restore"):
            kinds(2)


@pytest.fixture
def graph() -> Iterator[InProcess]:
    @dg.asset(partitions_def=DROPS)
    def cloth() -> None: ...

    @dg.asset
    def whole() -> None: ...

    @dg.asset_check(asset=whole)
    def fits() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True)

    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(DROPS.name or "", ["a", "b", "c"])
        yield InProcess(dg.Definitions(assets=[cloth, whole], asset_checks=[fits]), instance)


def test_runs_stay_while_they_made_the_newest_or_something_goes_on_from_them(graph: InProcess, tmp_path: Path) -> None:
    of, instance = Settings(home=tmp_path), graph.instance
    cloth, whole = dg.AssetKey("cloth"), dg.AssetKey("whole")
    runs: list[str] = []

    def again(key: dg.AssetKey, partition: str | None = None, tags: dict[str, str] | None = None) -> str:
        graph.run([key], partition, tags=tags)
        return next(run.run_id for run in instance.get_runs() if run.run_id not in runs and not runs.append(run.run_id))  # type: ignore[func-returns-value]

    first, named, first_whole = again(cloth, "a"), again(cloth, "a"), again(whole)
    asked = request_backfill(instance, graph.definitions.resolve_asset_graph(), {"cloth": ["c"]}, {}, "under way")
    again(cloth, "c", {BACKFILL_TAG: asked})
    again(cloth, "c")
    again(cloth, "a")
    again(cloth, "b")
    again(whole)
    (tmp_path / "mlflow").mkdir()
    with closing(sqlite3.connect(tmp_path / "mlflow" / "mlflow.db")) as database, database:
        database.execute("create table tags (key varchar, value varchar)")
        database.execute("insert into tags values ('dagster.run_id', ?)", [named])
    assert find_old_runs(of, graph.definitions, instance, time.time() - DAY_SECONDS) == []
    assert find_old_runs(of, graph.definitions, instance, time.time() + 60) == [first, first_whole]
    remove_runs(of, instance, [first, first_whole])
    assert find_old_runs(of, graph.definitions, instance, time.time() + 60) == []
    assert instance.get_materialized_partitions(cloth) == {"a", "b", "c"} and len(instance.get_runs()) == len(runs) - 2


@pytest.mark.parametrize("in_files", [True, False], ids=["SQLite files", "one database"])
def test_of_a_run_that_made_the_newest_what_it_made_stays_and_its_steps_go(tmp_path: Path, in_files: bool) -> None:
    of, cloth, sewn = Settings(home=tmp_path), dg.AssetKey("cloth"), dg.AssetKey("sewn")

    @dg.asset(key=cloth, partitions_def=DROPS)
    def weaving(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        context.log.info("woven")
        if context.partition_key == "torn":
            raise dg.Failure("torn", allow_retries=False)
        return dg.MaterializeResult(metadata={"rows": 3}, data_version=dg.DataVersion("1"))

    @dg.asset(key=sewn, partitions_def=DROPS, deps=[dg.AssetDep(cloth)], automation_condition=follows_new())
    def sewing() -> None: ...

    @dg.asset_check(asset=cloth)
    def fits() -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=True, metadata={"width": 2})

    check = dg.AssetCheckKey(cloth, "fits")
    with open_instance(of) if in_files else dg.DagsterInstance.ephemeral() as instance:
        definitions = dg.Definitions(assets=[weaving, sewing], asset_checks=[fits], executor=dg.in_process_executor)
        instance.add_dynamic_partitions(DROPS.name or "", ["may", "torn"])
        graph = InProcess(definitions, instance)
        graph.run([cloth], "may")
        assert graph.settle() == 1
        if not in_files:
            with pytest.raises(RuntimeError, match="torn"):
                graph.run([cloth], "torn")
        costs = RunCosts(instance, Tables(root=str(of.tables())), of, {})
        costs.keep()

        def known() -> list[Any]:
            return [
                materialised(instance, "cloth", "may"),
                check_records(instance, check, 5),
                instance.get_materialized_partitions(sewn),
                left_failed(instance, {cloth: DROPS, sewn: DROPS}),
                InProcess(definitions, instance).stale("sewn", "may"),
                sorted((run.run_id, run.status) for run in instance.get_runs()),
                costs.all().to_json(),
            ]

        before, later = known(), time.time() + 60
        told = find_old_events(of, definitions, instance, later)
        succeeded = instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.SUCCESS]))
        assert set(told) == {run.run_id for run in succeeded} and len(told) == 2
        assert find_old_events(of, definitions, instance, time.time() - DAY_SECONDS) == []
        assert find_old_runs(of, definitions, instance, later) == []
        assert (remove_events(of, instance, told) > 100_000) == in_files
        assert known() == before and find_old_events(of, definitions, instance, later) == []
        assert InProcess(definitions, instance).settle() == 0, "conditions ask for nothing"
        with open_instance(of) if in_files else nullcontext(instance) as later_opened:
            kinds = {entry.dagster_event_type for run_id in told for entry in later_opened.all_logs(run_id)}
        assert not kinds & {None, dg.DagsterEventType.STEP_START, dg.DagsterEventType.ENGINE_EVENT}


def test_the_newest_run_of_what_is_left_failed_stays_until_it_is_made_good(tmp_path: Path) -> None:
    of, torn, broken = Settings(home=tmp_path), dg.AssetKey("torn"), [True]
    candidates = candidate_partitions("toy")

    @dg.asset(key=torn, partitions_def=candidates)
    def training() -> None:
        if broken[0]:
            raise dg.Failure("no weights", allow_retries=False)

    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(candidates.name or "", ["old", "new"])
        graph = InProcess(dg.Definitions(assets=[training]), instance)

        def old() -> int:
            return len(find_old_runs(of, graph.definitions, instance, time.time() + 60))

        for candidate in ("old", "new", "new"):
            with pytest.raises(RuntimeError, match="no weights"):
                graph.run([torn], candidate)
        assert len(instance.get_runs()) == 3 and old() == 1, "the first try of the newer one"
        remove_runs(of, instance, find_old_runs(of, graph.definitions, instance, time.time() + 60))
        watched = {torn: candidates}
        (left,) = left_failed(instance, watched)
        assert (left.count, [name for name, _ in left.sample]) == (1, ["new"]), "nobody makes an earlier one good"
        assert newest_run(instance, [torn], "old") is not None, "else its training would be waited for"
        broken[0] = False
        graph.run([torn], "new")
        assert old() == 1 and len(instance.get_runs()) == 3


def test_a_home_at_work_is_refused_and_one_at_rest_gets_its_disk_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SELVEDGE_HOME", str(tmp_path))
    assert run(["gc"]) == 1 and "holds no drop yet" in capsys.readouterr().err
    of = Settings(home=tmp_path)
    stray = picture(tmp_path, 0)
    os.utime(stray, (0, 0))
    os.utime(stray.parent, (0, 0))

    @dg.op
    def nothing() -> None: ...

    @dg.job
    def sewing() -> None:
        nothing()

    with open_instance(of) as instance:
        ended, waiting = (
            instance.create_run_for_job(sewing, status=status)
            for status in (dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.STARTED)
        )
        instance.report_engine_event("sewn", ended)
        with pytest.raises(SelvedgeError, match=f"run {waiting.run_id[:8]} of sewing is under way, and"):
            require_quiet(instance)
        instance.delete_run(waiting.run_id)
        require_quiet(instance)
        remove_runs(of, instance, [ended.run_id])
        only_the_newest_tick_stays(instance)
        kept = instance.create_run_for_job(sewing, status=dg.DagsterRunStatus.SUCCESS)
        assert list((tmp_path / "dagster" / "history" / "runs").glob(f"{ended.run_id}*")) == []
    with held(of, "selvedge up"):
        assert run(["gc", "--delete"]) == 1
        assert "another process is running `selvedge up` on" in capsys.readouterr().err
        assert run(["gc", "--json"]) == 0  # looking is always allowed
        assert json.loads(capsys.readouterr().out)["garbage"] == [{"kind": PICTURES, "count": 1, "bytes": 5}]
    assert stray.exists()
    assert run(["gc", "--delete"]) == 0 and not stray.exists()
    assert capsys.readouterr().out.endswith("were freed.\n")
    assert compact(of) == 0
    (costs,) = (tmp_path / "tables" / "operations" / "run_costs").glob("*.parquet")
    assert pq.read_table(costs)["run_id"].to_pylist() == [kept.run_id], "what runs cost is kept before they are pruned"


def test_requests_go_with_their_files_once_they_ended_long_ago(tmp_path: Path) -> None:
    of, now = Settings(home=tmp_path), time.time()
    assert open_jobs(of) is None and not of.home.joinpath("service.db").exists(), "asking makes no database"
    jobs = Jobs(open_database(of.service_uri), clock=lambda: now)
    files = tmp_path / "objects" / "service"
    for number, name in enumerate(("ended", "waiting", "again")):
        sha256 = f"{number}" * 64
        order = Order(f"shop--{name}", photo_file(sha256), sha256, None, None, None, None, (256, 256), 0, "refuse")
        jobs.accept("shop", name, name, order.plain(), 8)
        for file in (photo_file(sha256), f"ads/shop--{name}/key/1.png", f"plans/shop--{name}/key/1.jpg"):
            (files / file).parent.mkdir(parents=True, exist_ok=True)
            (files / file).write_bytes(b"x" * 10)
    ended = jobs.claim()
    assert ended is not None and ended.request_id == "again"  # by name, of those of one moment
    jobs.end(ended, State.DONE, {})
    later = now + 91 * DAY_SECONDS

    def found(moment: float) -> list[Stored]:
        with dg.DagsterInstance.ephemeral() as instance:
            return [thing for thing in find_garbage(of, instance, (), 90, now=moment) if thing.kind == REQUESTS]

    assert found(later - 2 * DAY_SECONDS) == [] == found(now)
    garbage = found(later)
    assert [thing.name for thing in garbage] == ["shop--again", "2" * 64] and free(garbage) == 30
    assert jobs.old(later) == 1 == jobs.forget(later) and jobs.find("shop", "again") is None
    assert found(later) == [] and len([file for file in files.rglob("*") if file.is_file()]) == 6


def only_the_newest_tick_stays(instance: dg.DagsterInstance) -> None:
    """A schedule goes on from it."""
    origin = RemoteInstigatorOrigin(RemoteRepositoryOrigin(RegisteredCodeLocationOrigin("here"), "all"), "inbox")
    state = InstigatorState(origin, InstigatorType.SENSOR, InstigatorStatus.RUNNING)
    instance.add_instigator_state(state)
    for moment in (100.0, 200.0, 300.0):
        instance.create_tick(
            TickData(state.instigator_origin_id, "inbox", InstigatorType.SENSOR, TickStatus.SKIPPED, moment,
                     selector_id=state.selector_id)
        )  # fmt: skip
    assert (old_ticks(instance, 150.0), old_ticks(instance, 1e9)) == (1, 2)
    purge_ticks(instance, 1e9)
    assert [tick.timestamp for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id)] == [300.0]
