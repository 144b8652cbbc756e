"""The road of a family with the real promotion and the real ledger: what Dagster shows after a kill, or a hand."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from catalog.errors import SelvedgeError
from evaluation.gate import GateRule
from orchestration.assets.published import Tables, newest
from orchestration.assets.resources import Reviews
from orchestration.families.contract import Family
from orchestration.graph import road as road_of
from orchestration.graph.road import family_definitions
from orchestration.jobs.in_process import InProcess
from orchestration.registry.promotion import history, promote, rollback
from tests.orchestration.paper_models import PaperModels
from tests.orchestration.paper_registry import PaperRegistry
from tests.orchestration.registering import evidence_of
from tests.orchestration.toy_family import open_toy, toy_family, toy_settings
from training.reporting import Silent


@dataclass
class Road:
    family: Family
    registry: Any
    tables: Tables
    graph: InProcess

    def candidate(self, mean: float) -> str:
        opened = open_toy(self.graph.instance, self.tables, mean, self.family.name)
        self.graph.settle()
        return opened

    def reported(self) -> list[tuple[str, str]]:
        """Version and how it became champion, of every report, newest first."""
        records = self.graph.instance.fetch_materializations(self.family.champion, limit=20).records
        found = [record.asset_materialization for record in records]
        return [(str(one.metadata["version"].value), str(one.metadata["moved by"].value)) for one in found if one]

    def kinds(self) -> list[tuple[str, str]]:
        return [(one.kind, one.version) for one in history(self.registry, self.family.name)]


@pytest.fixture
def road(tmp_path: Path) -> Road:
    """A road on which the first candidate is champion, with a mean of 0.5."""
    settings = toy_settings(tmp_path)
    registry, family = PaperRegistry(settings), toy_family()
    tables = Tables(root=str(settings.tables()))

    @dg.asset(key=["training", "toy_features"])
    def toy_features() -> dg.MaterializeResult:
        return dg.MaterializeResult()

    resources = {
        "settings": settings,
        "tables": tables,
        "models": PaperModels(registry),
        "reviews": Reviews(settings=settings),
        "progress": Silent(),
    }
    definitions = dg.Definitions.merge(
        dg.Definitions(assets=[toy_features], resources=resources, executor=dg.in_process_executor),
        family_definitions(family),
    )
    graph = InProcess(definitions, dg.DagsterInstance.ephemeral())
    graph.run([dg.AssetKey(["training", "toy_features"])])
    graph.settle()
    return Road(family, registry, tables, graph)


def test_winners_become_champions_with_records(road: Road) -> None:
    road.candidate(0.6)
    assert road.kinds() == [("promotion", "1"), ("promotion", "2")]
    assert road.reported() == [("2", "promotion"), ("1", "promotion")]


def test_killed_before_dagster_is_told_the_watcher_reports_it_once(road: Road, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: Any) -> None:
        raise SelvedgeError("killed here.")

    with monkeypatch.context() as patch:
        patch.setattr(road_of, "report_champion", killed)
        opened = open_toy(road.graph.instance, road.tables, 0.6)
        road.graph.run([road.family.candidate, road.family.scores], opened)
        with pytest.raises(SelvedgeError, match="killed here"):
            road.graph.run([road.family.promotion], opened)
    assert road.kinds()[-1] == ("promotion", "2") and road.reported()[0] == ("1", "promotion")
    road.graph.settle()
    assert road.reported() == [("2", "promotion"), ("1", "promotion")]
    road.graph.run([road.family.promotion], opened)  # the run again: champion already, nothing moves
    assert len(road.kinds()) == len(road.reported()) == 2


def test_an_old_winner_materialised_again_moves_nothing(road: Road) -> None:
    first = road.registry.version("toy", 1).candidate
    road.candidate(0.6)
    with pytest.raises(SelvedgeError, match="this evidence already made version 1 champion"):
        road.graph.run([road.family.promotion], first)
    road.graph.run([road.family.scores], first)
    with pytest.raises(SelvedgeError, match="not better than the champion"):
        road.graph.run([road.family.promotion], first)
    assert road.kinds() == [("promotion", "1"), ("promotion", "2")]


def test_an_alias_moved_by_hand_is_reported_as_that_and_the_loser_is_not_promoted(road: Road) -> None:
    loser = road.candidate(0.45)
    road.registry.client.set_registered_model_alias("toy", "champion", "2")
    road.graph.settle()
    assert road.kinds() == [("promotion", "1"), ("by_hand", "2")]
    assert road.reported() == [("2", "by_hand"), ("1", "promotion")]
    with pytest.raises(SelvedgeError, match="moved by hand, not by a promotion"):
        road.graph.run([road.family.promotion], loser)
    road.graph.settle()
    assert len(road.kinds()) == len(road.reported()) == 2
    assert newest(road.graph.instance, "/".join(road.family.promotion.path), loser) is None


def test_a_rollback_elsewhere_is_reported_as_one(road: Road) -> None:
    road.candidate(0.6)
    rollback(road.registry, "toy", reason="wrong sleeves", by="ben")
    road.graph.settle()
    assert road.reported()[0] == ("1", "rollback")


def test_evidence_against_a_former_champion_is_refused(road: Road) -> None:
    late = open_toy(road.graph.instance, road.tables, 0.7)
    road.graph.run([road.family.candidate, road.family.scores], late)  # scored against version 1 …
    road.registry.add("toy", "c9")
    assert promote(road.registry, GateRule("toy"), evidence_of("toy", "c9", 1)).promoted  # … which was replaced since
    with pytest.raises(SelvedgeError, match="against champion version 1, but now there is champion version 3"):
        road.graph.run([road.family.promotion], late)
    assert road.kinds() == [("promotion", "1"), ("promotion", "3")]
