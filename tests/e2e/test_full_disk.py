"""Commands on a small real disk that fills up: one sentence, nothing half-written, and a rerun that completes."""

import random
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from sqlalchemy.exc import OperationalError

from benchmarks.operations.small_disk import NoMount, SmallDisk, half_written, small_disk
from catalog.errors import SelvedgeError
from catalog.files import publish_bytes
from catalog.places import refused_by_the_machine, sentence_of
from catalog.tables import content_sha256, read_table
from orchestration.assets.failures import errors_as_sentences
from orchestration.cli.main import run
from orchestration.jobs.backup import make_backup
from orchestration.jobs.in_process import InProcess
from orchestration.registry.ledger import ledger_problems, open_ledger
from orchestration.runtime.home import held
from orchestration.runtime.instance import open_instance
from orchestration.runtime.reserve import RESERVE, ended_by_a_full_disk, keep_reserve
from orchestration.runtime.settings import OFF, Settings
from tests.catalog.shops import shop

pytestmark = pytest.mark.e2e

DISK_BYTES = 8 << 20
TIMES = 2


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    try:
        with small_disk(tmp_path, DISK_BYTES) as made:
            yield made
    except NoMount as error:
        pytest.skip(f"{error}; needs root")


def sentence(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one sentence of a command that finds no room."""
    capsys.readouterr()
    assert run(arguments) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("selvedge: ")]
    return line


def tables(folder: Path) -> dict[str, str]:
    return {path.name: content_sha256(read_table(path)) for path in sorted(folder.rglob("*.parquet"))}


def test_a_catalogue_is_read_whole_or_not_at_all(
    disk: SmallDisk, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = shop(30).write(tmp_path / "shop"), disk.root / "catalogue"
    read = ["catalog", "read", str(source), "--out", str(out), "--drop", "may"]
    free = disk.free()
    assert run(read) == 0
    need, whole = free - disk.free(), tables(out)
    drawing = random.Random(5)
    for _ in range(TIMES):
        disk.clear()
        disk.leave(int(drawing.uniform(0, 0.8) * need))
        assert "No space left on device" in (told := sentence(read, capsys)) and "Free some space" in told
        assert half_written(disk.root) == [] and not (out / "catalogue.json").exists()
        disk.make_room()
        assert run(read) == 0 and tables(out) == whole


def test_databases_of_a_home_on_a_full_disk_are_told_and_stay_whole(disk: SmallDisk) -> None:
    settings = Settings(home=disk.root / "home", label_studio=OFF, mlflow_port=1)
    with open_instance(settings) as instance:
        instance.report_runless_asset_event(dg.AssetMaterialization("cloth"))
        ledger = open_ledger(settings)
        disk.leave(0)
        with pytest.raises(OperationalError) as refused:
            for _ in range(50):  # the log of SQLite has some room of its own
                instance.report_runless_asset_event(dg.AssetMaterialization("cloth", metadata={"text": "x" * 4000}))
        refusal = refused_by_the_machine(refused.value)
        assert refusal is not None and "Free some space" in sentence_of(refusal)
        with pytest.raises(SelvedgeError, match="Free some space"):
            for number in range(50):
                ledger.promotions.record_found("family", str(number), "c" * 3000, "moved by hand")
    disk.make_room()  # reading such a database takes some, too
    assert half_written(disk.root) == []
    ledger.promotions.record_found("family", "201", "c", "moved by hand")
    assert ledger_problems(settings) == []


def test_a_step_that_fills_the_disk_is_recorded_and_nothing_begins_before_there_is_room(
    disk: SmallDisk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SELVEDGE_DISK_RESERVE_MB", "1")
    settings = Settings(home=disk.root / "home", label_studio=OFF, mlflow_port=1, disk_reserve_mb=1)
    begun = []

    @dg.asset
    @errors_as_sentences
    def cloth(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        begun.append(context.run_id)
        disk.leave(0)
        publish_bytes(bytes(100_000), settings.home / "cloth")
        return dg.MaterializeResult()

    with held(settings, "a test"), open_instance(settings) as instance:
        assert (settings.home / RESERVE).stat().st_size == 1_000_000
        graph = InProcess(dg.Definitions(assets=[cloth], executor=dg.in_process_executor), instance)
        with pytest.raises(SelvedgeError, match=r"cloth could not be written \(No space left on device\).*Free some"):
            graph.run([dg.AssetKey("cloth")])
        (run,) = instance.get_runs()
        assert run.status == dg.DagsterRunStatus.FAILURE and not (settings.home / RESERVE).exists()
        disk.leave(0)
        with pytest.raises(SelvedgeError, match=r"has less than the 2 MB left .* nothing was begun. Free some space"):
            graph.run([dg.AssetKey("cloth")])
        assert len(begun) == 1 and "is full, which ends a process without a word" in ended_by_a_full_disk(instance)
        with pytest.raises(SelvedgeError, match="nothing was begun"):
            keep_reserve(settings)
        disk.make_room()
        keep_reserve(settings)
        assert (settings.home / RESERVE).exists() and ended_by_a_full_disk(instance) == ""
    disk.leave(0)
    made = make_backup(settings, tmp_path / "kept", (), lambda done, total, what: None)  # opens and copies databases
    assert made.databases >= 3 and not (settings.home / RESERVE).exists()
    with open_instance(settings) as instance:
        assert [one.status for one in instance.get_runs()] == [dg.DagsterRunStatus.FAILURE]
