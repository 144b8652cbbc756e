"""What Dagster does not publish: in one module, on one version, and right on it."""

import ast
import importlib
from pathlib import Path

import dagster as dg
import dagster._daemon.backfill as backfills
import pytest
from dagster._core.errors import DagsterAssetBackfillDataLoadError

from orchestration.jobs.in_process import InProcess
from orchestration.runtime import dagster_private
from orchestration.runtime.dagster_private import CHECKED_ON, NO_COMPUTE_LOGS, keeps_runs_in_a_folder
from orchestration.runtime.instance import open_instance
from orchestration.runtime.settings import Settings

ROOMS = ("catalog", "evaluation", "training", "labeling", "inference", "orchestration", "infra")
ROOT = Path(__file__).resolve().parents[3]


def test_the_version_is_the_one_the_private_names_were_checked_on() -> None:
    assert dg.__version__ == CHECKED_ON, "read the release's notes and run tests/orchestration, then raise CHECKED_ON"


def test_one_module_imports_what_dagster_does_not_publish() -> None:
    private = {
        file.relative_to(ROOT).as_posix()
        for room in ROOMS
        for file in (ROOT / room).rglob("*.py")
        if any(name.startswith("dagster._") for name in imported(file))
    }
    assert private == {Path(dagster_private.__file__).relative_to(ROOT).as_posix()}


def test_a_backfill_outlives_a_code_server_that_is_not_back_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backfills, "_is_retryable_backfill_error", backfills._is_retryable_backfill_error)
    missing = DagsterAssetBackfillDataLoadError("Asset existed at storage-time, but no longer does.")
    assert not backfills._is_retryable_backfill_error(missing)
    dagster_private.keep_backfills_while_code_loads()
    assert backfills._is_retryable_backfill_error(missing)
    assert not backfills._is_retryable_backfill_error(dg.DagsterInvariantViolationError("an invariant"))


def test_an_asset_is_stale_when_it_is_missing_or_its_input_is_newer() -> None:
    @dg.asset
    def cloth() -> None: ...

    @dg.asset(deps=[cloth])
    def shirt() -> None: ...

    with dg.DagsterInstance.ephemeral() as instance:
        graph = InProcess(dg.Definitions(assets=[cloth, shirt]), instance)
        assert graph.stale("shirt")
        graph.run([cloth.key, shirt.key])
        assert not graph.stale("shirt")
        graph.run([cloth.key])
        assert graph.stale("shirt") and not graph.stale("cloth")


def test_a_home_keeps_its_runs_in_a_folder_and_captures_no_logs_of_a_command(tmp_path: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        assert not keeps_runs_in_a_folder(instance)
    with open_instance(Settings(home=tmp_path)) as instance:
        assert keeps_runs_in_a_folder(instance)
        silent = getattr(importlib.import_module(NO_COMPUTE_LOGS["module"]), NO_COMPUTE_LOGS["class"])
        assert isinstance(instance.compute_log_manager, silent)


def test_partition_sets_are_asked_of_the_database_again_after_a_tick(tmp_path: Path) -> None:
    drops = dg.DynamicPartitionsDefinition(name="drop")

    @dg.asset(partitions_def=drops, automation_condition=dg.AutomationCondition.missing())
    def cloth() -> None: ...

    with open_instance(Settings(home=tmp_path)) as instance:
        graph = InProcess(dg.Definitions(assets=[cloth]), instance)
        for name in ("a", "b"):
            instance.add_dynamic_partitions("drop", [name])
            assert graph.settle() == 1
        assert instance.get_materialized_partitions(cloth.key) == {"a", "b"}


def test_one_run_a_partition_set_and_key(tmp_path: Path) -> None:
    drops, candidates = (dg.DynamicPartitionsDefinition(name=name) for name in ("drop", "candidate"))
    missing = dg.AutomationCondition.missing() & ~dg.AutomationCondition.in_progress()

    @dg.asset(partitions_def=drops, automation_condition=missing)
    def cloth() -> None: ...

    @dg.asset(
        partitions_def=drops,
        deps=[dg.AssetDep(cloth, partition_mapping=dg.IdentityPartitionMapping())],
        automation_condition=missing,
    )
    def shirt() -> None: ...

    @dg.asset(partitions_def=candidates, automation_condition=missing)
    def candidate() -> None: ...

    with open_instance(Settings(home=tmp_path)) as instance:
        for name in ("drop", "candidate"):
            instance.add_dynamic_partitions(name, ["b", "a"])
        graph = InProcess(dg.Definitions(assets=[cloth, shirt, candidate]), instance)
        assert graph.settle() == 4  # cloth and shirt of a drop together; a candidate of the same name by itself
        assert {run.asset_selection for run in instance.get_runs()} == {
            frozenset({cloth.key, shirt.key}),
            frozenset({candidate.key}),
        }


def imported(file: Path) -> list[str]:
    """Modules that a file imports, inside functions, too."""
    names = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names.append(node.module or "")
    return names
