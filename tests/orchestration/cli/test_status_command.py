"""`selvedge status`: six lines, what is amiss, and the ledger's word while MLflow is down."""

import json
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from labeling.review.ledger.ledger import Ledger
from orchestration import families
from orchestration.assets.failed_runs import failed_runs
from orchestration.cli import status_command
from orchestration.cli.main import run
from orchestration.cli.status_command import TOLD, glance
from orchestration.registry.ledger import open_ledger
from orchestration.report.state import disk, schedules
from orchestration.runtime.instance import open_instance
from orchestration.runtime.owner import Owner
from orchestration.runtime.recovery import OWNER_TAG, recover
from orchestration.runtime.services import DEFINITIONS
from orchestration.runtime.settings import Settings
from tests.orchestration.toy_family import toy_family
from tests.ports import free_port

FAMILY = "toy"
LINES = ["home", "services", "champions", "rounds", "drops", "schedules"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    ports = {name: free_port() for name in ("MLFLOW", "DAGSTER")}
    monkeypatch.setenv("SELVEDGE_HOME", str(tmp_path))
    monkeypatch.setenv("SELVEDGE_LABEL_STUDIO", "off")
    for name, port in ports.items():
        monkeypatch.setenv(f"SELVEDGE_{name}_PORT", str(port))
    monkeypatch.setattr(families, "FAMILIES", (toy_family(FAMILY),))
    return Settings(home=tmp_path)


def stop(instance: dg.DagsterInstance, schedule: str) -> None:
    """What the switch of Dagster's page writes."""
    from dagster._core.definitions.run_request import InstigatorType
    from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin, RemoteRepositoryOrigin
    from dagster._core.scheduler.instigation import InstigatorState, InstigatorStatus, ScheduleInstigatorData
    from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

    location = ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name=DEFINITIONS), DEFINITIONS)
    origin = RemoteRepositoryOrigin(location, "__repository__").get_instigator_origin(schedule)
    data = ScheduleInstigatorData(cron_schedule="0 2 * * *")
    instance.add_instigator_state(InstigatorState(origin, InstigatorType.SCHEDULE, InstigatorStatus.STOPPED, data))


def promoted(ledger: Ledger) -> None:
    ledger.promotions.record_found(FAMILY, "2", "c2", "found by hand")


def status(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[str, str]:
    assert run(["status", *options]) == 0
    printed = capsys.readouterr()
    return printed.out, printed.err


def test_without_mlflow_the_ledger_says_who_is_champion(home, capsys):
    promoted(open_ledger(home))
    out, err = status(capsys, "--json")
    states = json.loads(out)["families"][FAMILY]
    assert (states["aliases"], states["versions"], states["promotion"]["kind"]) == ({"champion": 2}, None, "by_hand")
    assert "does not answer" in err and "The champions are those of the ledger." in err
    assert f"champions  {FAMILY} version 2 since " in status(capsys)[0]


def test_a_new_home_is_six_lines_and_nothing_is_made_in_it(home, capsys):
    out, _ = status(capsys)
    assert [line.split()[0] for line in out.splitlines()] == LINES
    assert list(home.home.iterdir()) == []


def test_a_catalogue_too_small_to_teach_is_a_warning(home, capsys, monkeypatch):
    monkeypatch.setattr(status_command, "_dagster", lambda settings: ([], [], [], ["no answer is given by enough."]))
    assert status(capsys)[0].splitlines()[-1] == "warning    no answer is given by enough."


def test_what_is_amiss_is_told_and_the_rest_counted():
    drops = [{"drop": f"d{number}", "state": "refused", "sentence": f"mend {number}"} for number in range(TOLD + 2)]
    failed = {"run": "0123456789", "assets": ["catalog/products"], "partition": "d0", "sentence": "told by the drop"}
    other = {"run": "9876543210", "assets": ["catalog/splits"], "partition": None, "sentence": "x" * 999}
    services = [{"name": "mlflow", "state": "left over", "url": "http://127.0.0.1:5050"}]
    values = {
        "home": "/h",
        "services": services,
        "families": None,
        "rounds": [],
        "retraining": {},
        "disk": {"logs": 2_500_000_000},
        "schedules": [],
    }
    lines = glance({**values, "drops": drops, "failed_runs": [failed, other], "warnings": ["the alias moved."]})
    assert lines[0] == "home       /h  2.5 GB (logs 2.5 GB)" and lines[1] == "services   mlflow left over"
    assert lines[4] == "drops      7 refused" and lines[6] == "drop d0 refused: mend 0"
    assert lines[-2].startswith("3 more are amiss") and lines[-1] == "warning    the alias moved."
    few = glance({**values, "drops": [], "failed_runs": [failed, other], "warnings": []})
    assert few[6].startswith("run 01234567 failed, catalog/products of d0") and len(few[7]) < 250


def test_schedules_are_told_with_their_next_tick_in_the_operators_time(home, capsys, monkeypatch):
    monkeypatch.setenv("SELVEDGE_TIME_ZONE", "Asia/Kathmandu")
    monkeypatch.setenv("SELVEDGE_SCHEDULE_RETRAINING", "off; toy 30 5 29 2 *")
    out, _ = status(capsys, "--json")
    states = {entry.pop("schedule"): entry for entry in json.loads(out)["schedules"]}
    assert list(states) == ["nightly_inference", "toy_retraining", "toy_champion_evaluation", "daily_report"]
    assert states["toy_champion_evaluation"]["state"] == "off" and states["toy_champion_evaluation"]["next"] is None
    assert states["toy_retraining"]["next"].endswith("-02-29T05:30:00+05:45")
    line = status(capsys)[0].splitlines()[5]
    assert ("nightly_inference " in line and " 02:00; daily_report " in line) or "daily_report " in line.split(";")[0]
    assert "29 Feb 05:30; 1 off (Asia/Kathmandu)" in line


def test_a_schedule_that_somebody_stopped_in_dagster_is_told(home, capsys):
    with open_instance(home) as instance:
        states = {entry["schedule"]: entry["state"] for entry in schedules(home, [], instance)}
        assert states == {"nightly_inference": "on", "daily_report": "on"}
        stop(instance, "nightly_inference")
    out, _ = status(capsys)
    assert "nightly_inference off by hand" in out.splitlines()[5]


@pytest.mark.parametrize("command", ["status", "up", "doctor"])
def test_a_schedule_of_an_unknown_family_is_told_before_anything_starts(home, capsys, monkeypatch, command):
    monkeypatch.setenv("SELVEDGE_SCHEDULE_RETRAINING", "gan on")
    assert run([command]) == 1
    printed = capsys.readouterr()
    assert "SELVEDGE_SCHEDULE_RETRAINING names the family 'gan', which is unknown; the families are toy." in (
        printed.out + printed.err
    )
    assert not (home.home / "dagster").exists()


def test_a_failed_run_is_told_until_its_asset_is_made():
    @dg.asset(key=["catalog", "splits"])
    def splits() -> None: ...

    job = dg.Definitions(assets=[splits]).resolve_implicit_global_asset_job_def()
    selections = {"catalog/splits": frozenset({splits.key}), job.name: None}
    with dg.DagsterInstance.ephemeral() as instance:
        for selection in selections.values():
            instance.report_run_failed(instance.create_run_for_job(job, asset_selection=selection))
        assert {line for run in failed_runs(instance) for line in run["assets"]} == set(selections)
        instance.report_runless_asset_event(dg.AssetMaterialization(splits.key))
        assert [run["assets"] for run in failed_runs(instance)] == [[job.name]]
        job.execute_in_process(instance=instance)
        assert failed_runs(instance) == []


def test_a_run_whose_process_ended_without_a_word_is_told_with_the_likely_reason():
    @dg.op
    def nothing() -> None: ...

    @dg.job
    def sewing() -> None:
        nothing()

    dead = Owner.here()
    with dg.DagsterInstance.ephemeral() as instance:
        crashed = instance.create_run_for_job(sewing)
        told = f"Run execution process for {crashed.run_id} was terminated by signal 7 (SIGBUS)."
        instance.report_engine_event(told, crashed)  # as Dagster's code server does
        instance.report_run_failed(crashed)
        assert [run["sentence"] for run in failed_runs(instance)] == [
            "its process was ended by SIGBUS, as happens on a full disk: free some space."
        ]
        tags = {OWNER_TAG: str(replace(dead, born=dead.born - 3600))}
        instance.create_run_for_job(sewing, tags=tags, status=dg.DagsterRunStatus.STARTED)
        recover(instance)
        assert failed_runs(instance)[0]["sentence"].startswith(f"process {dead.pid} that executed this run is gone;")


def test_disk_is_counted_by_folder_without_following_links(tmp_path):
    (tmp_path / "tables" / "a").mkdir(parents=True)
    (tmp_path / "tables" / "a" / "x").write_bytes(b"12345")
    (tmp_path / "out").symlink_to("/usr")
    (tmp_path / "tables" / "out").symlink_to("/usr")  # a folder that lies elsewhere
    sizes = disk(tmp_path)
    assert list(sizes) == ["tables", "out"] and sizes["tables"] == 5
    assert disk(tmp_path / "nowhere") == {}
