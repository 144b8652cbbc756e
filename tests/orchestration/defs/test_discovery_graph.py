"""inference/discovery_index in Dagster: what follows a champion, what a drop's index says of itself."""

from dataclasses import dataclass
from pathlib import Path

import dagster as dg
import pytest

from catalog.drawn import draw_catalogue
from catalog.errors import SelvedgeError
from inference.discovery.index import FOLDER, ProductIndex
from orchestration.assets.published import Tables, materialised, newest
from orchestration.defs.catalog import drops
from orchestration.defs.catalog.deliveries import add_drop
from orchestration.families.restgan.declaration import RESTGAN
from orchestration.families.restgan.publication import discovery_index
from orchestration.graph import checks
from orchestration.graph.sensors import report_champion
from orchestration.jobs.in_process import InProcess, keys
from orchestration.registry.interface import CHAMPION
from orchestration.registry.ledger import open_ledger
from orchestration.runtime.settings import Settings
from tests.inference.discovery.shop import random_judge, save_model
from tests.orchestration.paper_registry import PaperRegistry
from training.reporting import Silent

READ = keys("catalog/products", "catalog/quarantine")
INDEX = "inference/discovery_index"


class ArtefactRegistry(PaperRegistry):
    """Versions on paper whose files are in a folder each."""

    def artefact_path(self, version) -> Path:
        return self.settings.home / "artefacts" / str(version.version)


@dataclass
class PaperModels:
    """`orchestration.assets.resources.Models` on paper."""

    paper: ArtefactRegistry

    def registry(self) -> ArtefactRegistry:
        return self.paper

    def promote(self, instance: dg.DagsterInstance, judge_seed: int) -> None:
        """One more version becomes champion, by the ledger and by the alias, and Dagster is told."""
        number = len(self.paper.versions(RESTGAN.name)) + 1
        version = self.paper.add(RESTGAN.name, f"candidate-{number}")
        before = str(number - 1) if number > 1 else None
        moves = open_ledger(self.paper.settings).promotions
        record = moves.intend(
            family=RESTGAN.name, kind="promotion", candidate=version.candidate, version=str(number),
            old_champion=before, previous_champion=before, who="test", reasons=("preferred.",), evidence={},
        )  # fmt: skip
        self.paper.client.set_registered_model_alias(RESTGAN.name, CHAMPION, str(number))
        moves.complete(record.record_id)
        folder = self.paper.artefact_path(version)
        folder.parent.mkdir(exist_ok=True)
        save_model(folder, seed=number, judge_seed=judge_seed)
        report_champion(instance, RESTGAN.champion, version)


@pytest.fixture(scope="module")
def deliveries(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("deliveries")
    draw_catalogue(folder / "bottoms", 12, 3, size=64, workers=1, articles=("Jeans", "Shorts"))
    draw_catalogue(folder / "shirts", 8, 3, size=64, workers=1, first_id=20001, articles=("Shirts",))
    return folder


@pytest.fixture
def models(tmp_path) -> PaperModels:
    return PaperModels(ArtefactRegistry(Settings(home=tmp_path)))


@pytest.fixture
def graph(models) -> InProcess:
    settings = models.paper.settings
    tables = Tables(root=str(settings.tables()))
    definitions = dg.Definitions(
        assets=[drops.read_drop, drops.images, discovery_index, dg.AssetSpec(RESTGAN.champion)],
        asset_checks=[*checks.catalogue_checks()],
        resources={"settings": settings, "tables": tables, "models": models, "progress": Silent()},
        executor=dg.in_process_executor,
    )
    return InProcess(definitions, dg.DagsterInstance.ephemeral())


def deliver(graph: InProcess, models: PaperModels, deliveries: Path, name: str) -> None:
    add_drop(graph.instance, models.paper.settings, name, str(deliveries / name))
    graph.run(READ, name)
    graph.run(keys("catalog/images"), name)


def index_of(models: PaperModels, judge_seed: int) -> ProductIndex:
    judge = random_judge(judge_seed)
    place = models.paper.settings.objects() / FOLDER
    return ProductIndex(place, judge.digest, judge.network.head.in_features, "models:/restgan/9")


def test_a_drop_is_indexed_with_the_champion_dagster_was_told_of(graph, models, deliveries):
    deliver(graph, models, deliveries, "bottoms")
    models.promote(graph.instance, judge_seed=1)
    graph.run(keys(INDEX), "bottoms")
    told = materialised(graph.instance, INDEX, "bottoms")
    index = index_of(models, 1)
    assert told["rows"] == told["computed"] == len(index) > 0 and told["kept"] == 0
    assert told["model"] == "models:/restgan/1" and told["uri"] == index.uri
    assert set(index.rows("bottoms")["model_uri"].to_pylist()) == {"models:/restgan/1"}
    version = newest(graph.instance, INDEX, "bottoms").asset_materialization.tags["dagster/data_version"]
    assert version == told["sha256"]


def test_a_new_champion_of_the_same_judge_embeds_nothing_again(graph, models, deliveries):
    deliver(graph, models, deliveries, "bottoms")
    models.promote(graph.instance, judge_seed=1)
    graph.run(keys(INDEX), "bottoms")
    models.promote(graph.instance, judge_seed=1)
    graph.run(keys(INDEX), "bottoms")
    told = materialised(graph.instance, INDEX, "bottoms")
    assert (told["computed"], told["model"]) == (0, "models:/restgan/2") and told["kept"] == told["rows"]
    models.promote(graph.instance, judge_seed=2)
    with pytest.raises(SelvedgeError, match="made for models:/restgan/1"):
        index_of(models, 2).require()
    graph.run(keys(INDEX), "bottoms")
    assert len(index_of(models, 2)) == len(index_of(models, 1)) == told["rows"]


def test_a_drop_without_bottoms_is_an_empty_partition(graph, models, deliveries):
    deliver(graph, models, deliveries, "shirts")
    models.promote(graph.instance, judge_seed=1)
    graph.run(keys(INDEX), "shirts")
    assert materialised(graph.instance, INDEX, "shirts")["rows"] == 0


def test_without_a_champion_it_says_so(graph, models, deliveries):
    deliver(graph, models, deliveries, "bottoms")
    with pytest.raises(Exception, match="restgan has no champion yet"):
        graph.run(keys(INDEX), "bottoms")


def test_a_champion_that_only_dagster_and_the_alias_name_indexes_nothing(graph, models, deliveries):
    deliver(graph, models, deliveries, "bottoms")
    models.promote(graph.instance, judge_seed=1)
    version = models.paper.add(RESTGAN.name, "by-hand")
    models.paper.client.set_registered_model_alias(RESTGAN.name, CHAMPION, str(version.version))
    report_champion(graph.instance, RESTGAN.champion, version)
    with pytest.raises(SelvedgeError, match="alias champion of restgan is on version 2"):
        graph.run(keys(INDEX), "bottoms")
