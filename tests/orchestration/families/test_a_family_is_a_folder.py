"""A family is a folder: the toy beside this file goes all the way with one entry in `FAMILIES` and nothing else."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from catalog.drawn import draw_catalogue
from catalog.errors import SelvedgeError
from evaluation.preference_plan import PreferencePlan
from labeling.review.rounds.findings import SHOWN_PAIRS
from labeling.review.rounds.opening import Opened, RoundRequest, open_round
from orchestration import families
from orchestration.assets.partitions import candidate_partitions
from orchestration.assets.published import Tables, materialised
from orchestration.cli import results
from orchestration.cli.main import run
from orchestration.defs.catalog.deliveries import add_drop
from orchestration.families import FAMILIES
from orchestration.families.settings import load_settings
from orchestration.graph.build import build_defs
from orchestration.jobs.backfill import plan_backfill
from orchestration.jobs.in_process import InProcess, keys
from orchestration.registry.promotion import history
from orchestration.report import write_report
from orchestration.runtime import label_studio as server
from orchestration.runtime.settings import Settings
from tests.labeling.review.rounds.paper_studio import PaperStudio
from tests.orchestration.families.toy.declaration import TOY, TOYS, read_mean
from tests.orchestration.paper_models import PaperModels
from tests.orchestration.paper_registry import PaperRegistry
from tests.orchestration.paper_reviews import PaperReviews

ROOT = Path(__file__).resolve().parents[3]
ROOMS = ("catalog", "evaluation", "training", "labeling", "inference", "orchestration", "infra")
CATALOGUE = {"products", "quarantine", "images", "splits", "qa_pairs"}
KIND = "toy-numbers"
ITEMS, PREFERRED = 40, 0.97


@dataclass
class StudioReviews(PaperReviews):
    """Rounds that are opened as the real ones are, with the family's own contest, in a Label Studio on paper."""

    def __post_init__(self) -> None:
        self.studio = PaperStudio()

    def open(self, family: str, candidate: str, kind: Any, seed: int, contest: Any, progress: Any) -> Opened:
        request = RoundRequest(family, candidate, kind, ITEMS, 3, seed, PreferencePlan())
        rounds = self.settings.rounds()
        return open_round(
            rounds, self.ledger(), self.studio, request, lambda: contest(self.settings, family, candidate), progress  # type: ignore[arg-type]
        )  # fmt: skip


@dataclass
class Home:
    settings: Settings
    registry: PaperRegistry
    reviews: StudioReviews
    graph: InProcess

    def candidates(self) -> list[str]:
        return list(self.graph.instance.get_dynamic_partitions(candidate_partitions(TOY.name).name or ""))


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one line that another family changes."""
    monkeypatch.setattr(families, "FAMILIES", (TOY,))


@pytest.fixture
def home(tmp_path: Path, installed: None, monkeypatch: pytest.MonkeyPatch) -> Home:
    (tmp_path / "toy.yaml").write_text("mean: 0.7\n")
    monkeypatch.setenv("SELVEDGE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SELVEDGE_TOY_SETTINGS", str(tmp_path / "toy.yaml"))
    settings = load_settings(simulated_ballots=True)
    registry = PaperRegistry(settings)
    monkeypatch.setattr("orchestration.registry.registry.Registry", lambda settings: registry)
    reviews = StudioReviews(settings, registry)
    definitions = build_defs(settings, (TOY,), {"models": PaperModels(registry), "reviews": reviews})
    return Home(settings, registry, reviews, InProcess(definitions, dg.DagsterInstance.ephemeral()))


def test_the_graph_of_a_family_is_its_own_assets_and_the_road(tmp_path: Path) -> None:
    graph = build_defs(Settings(home=tmp_path), (TOY,)).resolve_asset_graph()
    shared = ("catalog", "operations")
    own = {key.to_user_string() for key in graph.get_all_asset_keys() if key.path[0] not in shared}
    assert own == {
        *("training/toy_features", "training/toy_candidate", "evaluation/toy_scores", "review/toy_round"),
        *("review/toy_verdict", "registry/toy_promotion", "registry/toy_champion", "inference/toys"),
    }
    assert {key.path[1] for key in graph.get_all_asset_keys() if key.path[0] == "catalog"} == CATALOGUE


def test_it_goes_from_candidate_to_champion_and_publishes(home: Home) -> None:
    graph = home.graph
    graph.run(TOY.prepared_by)
    graph.settle()
    (candidate,) = home.candidates()
    opened = materialised(graph.instance, "review/toy_round", candidate)
    assert opened is not None and (opened["kind"], opened["against"]) == (KIND, "base base")
    assert home.registry.aliases(TOY.name) == {"challenger": 1}
    home.reviews.vote(candidate, PREFERRED)
    graph.settle()
    verdict = materialised(graph.instance, "review/toy_verdict", candidate)
    assert verdict is not None and verdict["outcome"] == "preferred"
    page = Path(verdict["report"]).read_text()
    assert "What people preferred" in page and "two pairs of numbers for one product" in page
    assert ".toy-numbers .number" in page and page.count('<p class="number">') in range(2, 2 * SHOWN_PAIRS + 1, 2)
    assert home.registry.aliases(TOY.name)["champion"] == 1
    (record,) = history(home.registry, TOY.name)  # type: ignore[arg-type]
    assert record.candidate == candidate and record.simulated
    assert (
        read_mean(home.registry.artefact_path(home.registry.version(TOY.name, 1))) == 0.7
    )  # as its file of settings says
    draw_catalogue(home.settings.home / "delivery", 30, 3, size=64, workers=1)
    add_drop(graph.instance, home.settings, "may", str(home.settings.home / "delivery"))
    graph.run(keys("catalog/products", "catalog/quarantine"), "may")
    graph.settle()  # a new drop is published by itself
    published = materialised(graph.instance, TOYS, "may")
    assert published is not None and published["model"] == "models:/toy/1"
    report = write_report(graph.instance, home.settings, (TOY,), home.settings.home / "report.html").read_text()
    assert f"<code>{candidate}</code> is the number 0.7." in report and "number of the toy" in report
    assert plan_backfill(graph).drops == ()


def test_a_second_candidate_meets_the_champion_and_loses(home: Home, tmp_path: Path) -> None:
    home.graph.run(TOY.prepared_by)
    home.graph.settle()
    home.reviews.vote(home.candidates()[0], PREFERRED)
    home.graph.settle()
    (tmp_path / "toy.yaml").write_text("mean: 0.6\n")
    home.graph.run(TOY.prepared_by)
    home.graph.settle()
    second = next(name for name in home.candidates() if home.registry.of_candidate(TOY.name, name).version == 2)  # type: ignore[union-attr]
    scores = materialised(home.graph.instance, "evaluation/toy_scores", second)
    assert scores is not None and scores["against"] == "1"
    assert materialised(home.graph.instance, "review/toy_round", second) is None
    assert home.registry.aliases(TOY.name)["champion"] == 1


def test_it_is_called_by_hand(
    installed: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SELVEDGE_HOME", str(tmp_path / "home"))
    studio, shop = PaperStudio(), tmp_path / "shop"
    monkeypatch.setattr(server, "connect", lambda settings: studio)
    draw_catalogue(tmp_path / "delivery", 60, 5, size=48, workers=1)
    (tmp_path / "toy.yaml").write_text("catalog: shop\nmean: 0.6\n")

    def printed(*arguments: str) -> dict[str, Any]:
        assert run([*arguments, "--json"]) == 0
        return dict(json.loads(capsys.readouterr().out))

    printed("catalog", "read", str(tmp_path / "delivery"), "--out", str(shop))
    trained = printed("train", "toy", "--config", str(tmp_path / "toy.yaml"), "--out", str(tmp_path / "run"))
    assert list(trained) == list(results.declared()["train"]) and trained["number"] == 0.6
    model = ("--model", str(tmp_path / "run"), "--catalog", str(shop))
    scored = printed("evaluate", "toy", *model, "--floor", "--out", str(tmp_path / "scores"))
    assert list(scored) == list(results.declared()["evaluate"]) and scored["distance"] == pytest.approx(0.2)
    assert scored["subjects"] == {"base": 0.4, "candidate": 0.6, "floor:nothing": 0.0}
    opened = printed("review", "open", "toy", *model, "--items", str(ITEMS))
    assert (opened["kind"], opened["opponent"]) == (KIND, "base")
    assert len(studio.tasks[1]) == opened["pairs"] > ITEMS


def test_the_commands_know_no_other_family(
    installed: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert run(["train", "restgan", "--config", "x", "--out", "y"]) == 1
    assert "family 'restgan' is unknown; the families are toy." in capsys.readouterr().err
    assert "discover" not in results.declared() and set(results.declared()["train"]) >= {"number"}
    monkeypatch.setenv("SELVEDGE_TOYS_SETTINGS", "x")
    with pytest.raises(SelvedgeError, match="did you mean SELVEDGE_TOY_SETTINGS"):
        load_settings()


def test_a_round_of_a_registered_candidate_by_hand(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tests.orchestration.toy_family import open_toy, register_toy

    candidate = open_toy(home.graph.instance, Tables(root=str(home.settings.tables())), 0.6)
    register_toy(home.registry, candidate, 0.6)
    monkeypatch.setattr(server, "connect", lambda settings: PaperStudio())
    assert run(["review", "open", "toy", candidate, "--items", str(ITEMS), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["candidate_version"] == "1"


def test_no_other_file_names_a_family() -> None:
    """A third family is its folders and one entry in the list, so nothing else may know one by its name."""
    names = re.compile("|".join(re.escape(word).replace("_", "[-_]") for word in {f.slug for f in FAMILIES}), re.I)
    own = re.compile(
        rf"orchestration/families/(__init__\.py|({'|'.join(family.slug for family in FAMILIES)})/)|inference/|training/"
    )
    named = {
        file.relative_to(ROOT).as_posix()
        for room in ROOMS
        for file in (ROOT / room).rglob("*.py")
        if not own.match(file.relative_to(ROOT).as_posix()) and names.search(without_comments(file.read_text()))
    }
    assert named == set()


def without_comments(source: str) -> str:
    return re.sub(r'"""[\s\S]*?"""|^\s*#.*$', "", source, flags=re.M)
