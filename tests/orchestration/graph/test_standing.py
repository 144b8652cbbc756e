"""The champion's re-evaluation: it says whether the champion is still what it was, and holds up nothing."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from orchestration.assets.published import Tables
from orchestration.assets.resources import Reviews
from orchestration.families.contract import Contenders, Family, ScoredCandidate
from orchestration.families.timetable import evaluation, scheduled, timetable
from orchestration.graph.road import family_definitions
from orchestration.graph.standing import champion_evaluation
from orchestration.jobs.in_process import InProcess
from orchestration.runtime.settings import Settings
from tests.orchestration.families.toy.declaration import score, write_model
from tests.orchestration.paper_models import PaperModels
from tests.orchestration.paper_registry import PaperRegistry
from tests.orchestration.toy_family import open_toy, toy_family, toy_settings
from training.reporting import Silent


class Later:
    """The toy's score, which becomes another one when the world has changed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.mean = folder, 0.0

    def __call__(self, contenders: Contenders, reporter: Any, flags: frozenset[str] = frozenset()) -> ScoredCandidate:
        folder = write_model(self.folder, self.mean) if self.mean else contenders.folder
        return score(replace(contenders, folder=folder), reporter, flags)


def definitions(family: Family, settings: Settings) -> dg.Definitions:
    tables, registry = Tables(root=str(settings.tables())), PaperRegistry(settings)

    @dg.asset(key=["training", "toy_features"])
    def toy_features() -> None: ...

    entry = scheduled(timetable(settings, [family]), evaluation(family.name))
    return dg.Definitions.merge(
        dg.Definitions(
            assets=[toy_features],
            resources={
                "settings": settings,
                "tables": tables,
                "models": PaperModels(registry),
                "reviews": Reviews(settings=settings),
                "progress": Silent(),
            },
            executor=dg.in_process_executor,
        ),
        family_definitions(family),
        champion_evaluation(family, entry),
    )


@pytest.fixture
def later(tmp_path: Path) -> Later:
    return Later(tmp_path / "later")


@pytest.fixture
def graph(tmp_path: Path, later: Later) -> InProcess:
    settings = toy_settings(tmp_path)
    made = definitions(replace(toy_family(), score=later), settings)
    graph = InProcess(made, dg.DagsterInstance.ephemeral())
    open_toy(graph.instance, Tables(root=str(settings.tables())), 0.5)
    graph.run([dg.AssetKey(["training", "toy_features"])])
    graph.settle()
    return graph


def evaluated(graph: InProcess) -> dg.AssetCheckEvaluation:
    job = graph.definitions.resolve_job_def("evaluate_toy_champion")
    done = job.execute_in_process(instance=graph.instance, raise_on_error=False)
    assert done.success, "a champion that is no longer good enough turns no run red"
    (check,) = done.get_asset_check_evaluations()
    return check


def test_a_champion_that_holds_is_told_so_and_one_that_fell_behind_is_a_warning(graph, later):
    check = evaluated(graph)
    assert check.passed and check.severity == dg.AssetCheckSeverity.WARN
    assert "| now | 0.500 (0.490 to 0.510) |\n| when it was promoted | 0.500" in str(check.metadata["macro_f1"].value)
    later.mean = 0.45  # still better than the base, and clearly worse than it was
    worse = evaluated(graph)
    assert not worse.passed and "clearly lower than when it was promoted" in str(worse.description)
    later.mean = 0.3
    assert not evaluated(graph).passed
    assert graph.settle() == 0, "nothing follows from it"


def test_without_a_champion_the_schedule_waits(tmp_path):
    entry = scheduled(timetable(Settings(home=tmp_path), [toy_family()]), evaluation("toy"))
    (schedule,) = champion_evaluation(toy_family(), entry).schedules or ()
    (tmp_path / "dagster").mkdir()
    with (
        dg.DagsterInstance.local_temp(str(tmp_path / "dagster")) as instance,
        dg.build_schedule_context(instance=instance) as context,
    ):
        assert str(schedule(context).skip_message) == "toy has no champion yet"
        instance.report_runless_asset_event(dg.AssetMaterialization(toy_family().champion))
        assert isinstance(schedule(context), dg.RunRequest)
