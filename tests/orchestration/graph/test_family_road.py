"""The road of a family on an instance: the gate gates, once a candidate, also against a manual materialisation."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from pydantic import SecretStr

from catalog.errors import SelvedgeError
from evaluation.evidence import Evidence
from orchestration.assets.conditions import follows_new
from orchestration.assets.partitions import DROPS, EVERY, SAME
from orchestration.assets.published import Tables, materialised, newest
from orchestration.assets.resources import Reviews
from orchestration.families.contract import Family, asset_key
from orchestration.graph.evidence import evidence_place, scores_evidence
from orchestration.graph.road import family_definitions
from orchestration.jobs.in_process import InProcess
from orchestration.registry.interface import ModelVersionInfo
from orchestration.registry.promotion import history, promote, rollback
from orchestration.runtime.settings import Settings
from tests.orchestration.paper_models import PaperModels
from tests.orchestration.paper_registry import PaperRegistry
from tests.orchestration.registering import evidence_of
from tests.orchestration.toy_family import means, open_toy, register_toy, toy_family, toy_settings
from training.reporting import Silent


@dataclass
class Road:
    """The toy family on an instance of its own, with an inference asset that follows its champion."""

    family: Family
    registry: PaperRegistry
    tables: Tables
    graph: InProcess

    def open(self, mean: float) -> str:
        return open_toy(self.graph.instance, self.tables, mean, self.family.name)

    def champions(self) -> list[int]:
        """Every version that became champion, oldest first."""
        return [int(record.version) for record in history(self.registry, self.family.name)]  # type: ignore[arg-type]

    def state(self, key: dg.AssetKey, candidate: str) -> str | None:
        """The run that materialised a candidate's asset last."""
        event = newest(self.graph.instance, "/".join(key.path), candidate)
        return event.run_id if event else None


@pytest.fixture
def road(tmp_path: Path) -> Road:
    settings = toy_settings(tmp_path)
    tables = Tables(root=str(settings.tables()))
    registry = PaperRegistry(settings)
    family = toy_family()

    @dg.asset(key=["training", "toy_features"])
    def toy_features() -> dg.MaterializeResult:
        return dg.MaterializeResult()

    @dg.asset(key=["catalog", "products"], partitions_def=DROPS)
    def products() -> dg.MaterializeResult:
        return dg.MaterializeResult()

    @dg.asset(
        key=asset_key(family.publishes),
        partitions_def=DROPS,
        deps=[
            dg.AssetDep(["catalog", "products"], partition_mapping=SAME),
            dg.AssetDep(family.champion, partition_mapping=EVERY),
        ],
        automation_condition=follows_new(),
    )
    def toys(models: dg.ResourceParam[PaperModels]) -> dg.MaterializeResult:
        champion = models.registry().champion(family.name)
        assert champion is not None
        return dg.MaterializeResult(metadata={"version": champion.version})

    definitions = dg.Definitions.merge(
        dg.Definitions(
            assets=[toy_features, products, toys],
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
    )
    graph = InProcess(definitions, dg.DagsterInstance.ephemeral())
    graph.run([dg.AssetKey(["training", "toy_features"])])
    return Road(family, registry, tables, graph)


def test_a_winner_becomes_champion_by_itself(road: Road) -> None:
    road.graph.settle()  # the sensor opens a candidate, because its data was prepared
    assert means(road.registry) == [0.5]
    trained = materialised(road.graph.instance, "training/toy_candidate", road.registry.version("toy", 1).candidate)
    assert trained is not None and trained["opened because"] == "a person asked for it"
    assert road.champions() == [1]
    champion = newest(road.graph.instance, "registry/toy_champion")
    assert champion is not None and champion.asset_materialization is not None
    assert champion.asset_materialization.tags["dagster/data_version"] == "1"
    runs = road.graph.instance.get_runs()
    assert {run.job_name for run in runs if run.asset_selection and road.family.scores in run.asset_selection} == {
        "judge_toy"
    }
    locations = {run.remote_job_origin.location_name if run.remote_job_origin else None for run in runs}
    assert locations == {"orchestration.definitions"}, "Dagster's overview passes over a run of no code location"
    assert road.graph.settle() == 0


def test_a_loser_is_judged_and_stays_where_it_is(road: Road) -> None:
    road.graph.settle()
    loser = road.open(0.45)
    assert road.graph.settle() == 1  # candidate, scores and gate in one run, which is not a failed one
    assert road.state(road.family.scores, loser)
    assert road.state(road.family.promotion, loser) is None
    assert road.champions() == [1]


def test_the_pass_of_one_candidate_does_not_release_another(road: Road) -> None:
    road.graph.settle()
    loser = road.open(0.45)
    road.graph.settle()
    winner = road.open(0.6)
    road.graph.settle()
    assert road.champions() == [1, 3]
    assert road.state(road.family.promotion, winner)
    assert road.state(road.family.promotion, loser) is None


def test_an_old_winner_is_not_promoted_again_when_it_is_scored_again(road: Road) -> None:
    road.graph.settle()
    first = road.registry.version("toy", 1).candidate
    road.open(0.6)
    road.graph.settle()
    assert road.champions() == [1, 2]
    promoted = road.state(road.family.promotion, first)
    road.graph.run([road.family.scores], first)
    assert road.graph.settle() == 0
    assert road.state(road.family.promotion, first) == promoted
    assert road.champions() == [1, 2]


def test_a_manual_materialisation_meets_the_same_refusal(road: Road) -> None:
    road.graph.settle()
    loser = road.open(0.45)
    road.graph.settle()
    with pytest.raises(SelvedgeError, match="not better than the champion"):
        road.graph.run([road.family.promotion], loser)
    assert road.champions() == [1]


def test_evidence_against_a_former_champion_is_refused(road: Road) -> None:
    road.graph.settle()
    late = road.open(0.6)
    road.graph.run([road.family.candidate, road.family.scores], late)  # scored against version 1 …
    other = register_toy(road.registry, "toy-20200101-aaaaaa", 0.55).candidate
    evidence = evidence_of("toy", other, 1)
    assert promote(road.registry, road.family.rule(road.registry.settings), evidence).promoted  # type: ignore[arg-type]
    # … and meanwhile somebody else is champion
    with pytest.raises(SelvedgeError, match="gathered against champion version 1, but now there is champion version 3"):
        road.graph.run([road.family.promotion], late)
    assert road.champions() == [1, 3]


def test_a_promotion_without_evidence_is_refused(road: Road) -> None:
    road.graph.settle()
    bare = road.open(0.9)
    with pytest.raises(SelvedgeError, match="has no evidence"):
        road.graph.run([road.family.promotion], bare)


def overwritten(road: Road, candidate: str, mean: float, **told: str) -> None:
    """What somebody does who reaches the tables and Dagster's event log: better figures, and a record to match."""
    forged = evidence_of("toy", candidate, 1, better_by=mean)
    evidence_place(road.family, road.tables, candidate).write_text(forged.to_json())
    recorded = materialised(road.graph.instance, "/".join(road.family.scores.path), candidate) or {}
    metadata = {"sha256": recorded["sha256"], "evidence_sha256": forged.sha256, **told}
    event = dg.AssetMaterialization(road.family.scores, partition=candidate, metadata=metadata)
    road.graph.instance.report_runless_asset_event(event)


def test_evidence_overwritten_together_with_its_record_is_refused(road: Road) -> None:
    road.graph.settle()
    winner, loser = road.registry.version("toy", 1).candidate, road.open(0.45)
    road.graph.settle()
    for told in ({}, {"sha256": "0" * 64}):
        overwritten(road, loser, 0.4, **told)
        with pytest.raises(SelvedgeError, match=r"not what was signed with this home's key; score it again"):
            road.graph.run([road.family.promotion], loser)
        with pytest.raises(SelvedgeError, match="not what was signed"):
            evidence_now(road, loser, to_read=True)
    of_another = evidence_place(road.family, road.tables, winner).with_name("evidence.signature").read_text()
    evidence_place(road.family, road.tables, loser).with_name("evidence.signature").write_text(of_another)
    with pytest.raises(SelvedgeError, match="not what was signed"):
        evidence_now(road, loser)
    assert road.champions() == [1]


def test_evidence_of_an_older_home_is_read_and_promotes_once_it_is_scored_again(road: Road) -> None:
    road.graph.settle()
    late = road.open(0.6)
    road.graph.run([road.family.candidate, road.family.scores], late)
    evidence_place(road.family, road.tables, late).with_name("evidence.signature").unlink()
    assert evidence_now(road, late, to_read=True).candidate == late
    with pytest.raises(SelvedgeError, match=r"has no signature: .*score it again \(materialise evaluation/toy_scores"):
        road.graph.run([road.family.promotion], late)
    road.graph.run([road.family.scores], late)
    road.graph.run([road.family.promotion], late)
    assert road.champions() == [1, 2]


def test_machines_that_share_tables_share_the_key(road: Road, tmp_path: Path) -> None:
    winner = road.open(0.6)
    road.graph.run([road.family.candidate, road.family.scores], winner)
    settings = road.registry.settings
    key = settings.secrets / "evidence-key"
    assert key.stat().st_mode & 0o777 == 0o600
    shared = SecretStr(key.read_text().strip())
    elsewhere = settings.model_copy(update={"home": tmp_path / "elsewhere"})
    with pytest.raises(SelvedgeError, match="give all the same SELVEDGE_EVIDENCE_KEY"):
        evidence_now(road, winner, elsewhere)
    told = elsewhere.model_copy(update={"evidence_key": shared})
    assert evidence_now(road, winner, told).candidate == winner
    assert shared.get_secret_value() not in repr(told)


def evidence_now(road: Road, candidate: str, settings: Settings | None = None, to_read: bool = False) -> Evidence:
    here = settings or road.registry.settings
    return scores_evidence(road.family, road.graph.instance, road.tables, candidate, here, to_read)


def test_a_candidate_that_somebody_typed_is_refused(road: Road) -> None:
    partitions = f"{road.family.name}-candidate"
    for typed in ("../x", "toy-20200101-abcdef", "best,one", " "):
        road.graph.instance.add_dynamic_partitions(partitions, [typed])
        with pytest.raises(SelvedgeError, match=r"is not of the form|was never opened"):
            road.graph.run([road.family.candidate], typed)
    assert road.registry.versions("toy") == []


def test_a_new_champion_marks_old_drops_stale_and_only_new_drops_follow(road: Road) -> None:
    toys = "inference/toys"
    graph = road.graph
    graph.settle()
    deliver(graph, "first")
    assert graph.settle() == 1 and not graph.stale(toys, "first")
    before = newest(graph.instance, toys, "first")
    road.open(0.6)
    graph.settle()
    assert road.champions() == [1, 2]
    assert graph.stale(toys, "first")
    after = newest(graph.instance, toys, "first")
    assert before is not None and after is not None and before.run_id == after.run_id
    deliver(graph, "second")
    assert graph.settle() == 1 and not graph.stale(toys, "second")
    assert graph.stale(toys, "first")


def test_a_drop_before_the_first_champion_waits_for_it(road: Road) -> None:
    deliver(road.graph, "early")
    road.graph.instance.add_dynamic_partitions(DROPS.name or "", ["never-read"])
    road.graph.settle()
    assert newest(road.graph.instance, "inference/toys", "early") is not None
    assert newest(road.graph.instance, "inference/toys", "never-read") is None


def test_the_watcher_reports_a_champion_that_was_moved_elsewhere(road: Road) -> None:
    road.graph.settle()
    road.open(0.6)
    road.graph.settle()

    def reports() -> int:
        return len(road.graph.instance.fetch_materializations(road.family.champion, limit=9).records)

    assert reports() == 2
    rollback(road.registry, "toy")  # type: ignore[arg-type]
    road.graph.settle()
    assert reports() == 3
    road.graph.settle()
    assert reports() == 3


def test_a_failed_run_is_not_requested_again_until_something_changes(
    road: Road, monkeypatch: pytest.MonkeyPatch
) -> None:
    attempts: list[str] = []

    def broken(registry: PaperRegistry, family: str, candidate: str, *_: Any, **__: Any) -> ModelVersionInfo:
        attempts.append(candidate)
        raise SelvedgeError("the disk is full; free some space.")

    monkeypatch.setattr(PaperRegistry, "register", broken)
    with pytest.raises(SelvedgeError, match="the disk is full"):
        road.graph.settle()
    assert road.graph.settle() == 0
    assert len(attempts) == 1
    monkeypatch.undo()
    # Its data prepared again is news, and the candidate of the same data is still the same one.
    road.graph.run(road.family.prepared_by)
    road.graph.settle()
    assert [version.candidate for version in road.registry.versions("toy")] == attempts
    assert road.champions() == [1]


def deliver(graph: InProcess, drop: str) -> None:
    graph.instance.add_dynamic_partitions(DROPS.name or "", [drop])
    graph.run([dg.AssetKey(["catalog", "products"])], drop)
