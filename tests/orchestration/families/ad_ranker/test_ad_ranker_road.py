"""ad-ranker on the road: silent where nobody picked, from people's picks to a champion that orders ads, by hand."""

import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from catalog.drawn import draw_catalogue
from catalog.errors import SelvedgeError
from labeling.review.ledger.ledger import Ledger
from labeling.review.pairs.kinds import AttributeCards
from orchestration import families
from orchestration.assets.partitions import candidate_partitions
from orchestration.assets.published import Tables, materialised
from orchestration.cli.main import run
from orchestration.defs.catalog.deliveries import add_drop
from orchestration.defs.inference.ad_images import champions_ranker
from orchestration.defs.inference.ad_parts import AdParts, ad_pipeline, stamps
from orchestration.families.ad_ranker import declaration
from orchestration.families.ad_ranker.contest import contest
from orchestration.families.contract import Review
from orchestration.families.registered import registered
from orchestration.graph.build import build_defs
from orchestration.jobs.in_process import InProcess, keys
from orchestration.registry.ledger import open_ledger
from orchestration.registry.promotion import history
from orchestration.report import home as report_home
from orchestration.report.family import section_source
from orchestration.report.render import render_section
from orchestration.runtime.settings import Settings
from tests.orchestration.families.ad_ranker.picked_home import picked_among
from tests.orchestration.paper_models import PaperModels
from tests.orchestration.paper_registry import PaperRegistry
from tests.orchestration.paper_reviews import PaperReviews
from tests.training.ad_ranker.picks_for_tests import picks_folder

PICKS = "training/ad_picks"
# The rounds on paper show attribute cards; what a pair of ads shows is asked in test_ad_contest.py.
AD_RANKER = replace(declaration.AD_RANKER, review=Review(lambda: (AttributeCards(),), contest))


class ReadHome(report_home.Home):
    """A home's tables for the report, which wants a drop to begin with."""

    def __init__(self, instance: dg.DagsterInstance, settings: Settings) -> None:
        self.instance, self.settings = instance, settings
        self.tables = Tables(root=str(settings.tables()))


@dataclass
class Home:
    settings: Settings
    registry: PaperRegistry
    reviews: PaperReviews
    graph: InProcess

    @property
    def ledger(self) -> Ledger:
        return open_ledger(self.settings)

    def candidates(self) -> list[str]:
        return list(self.graph.instance.get_dynamic_partitions(candidate_partitions(AD_RANKER.name).name or ""))

    def section(self) -> str:
        """Its part of the report's page; nothing where it has none."""
        source = section_source(ReadHome(self.graph.instance, self.settings), AD_RANKER)
        assert AD_RANKER.section is not None
        made = AD_RANKER.section(source)
        return str(render_section(made)) if made else ""

    def lacks(self) -> str:
        assert AD_RANKER.lacks is not None
        return AD_RANKER.lacks(self.graph.instance, self.settings, Tables(root=str(self.settings.tables())))


def a_home(folder: Path, monkeypatch: pytest.MonkeyPatch, **changes: Any) -> Home:
    monkeypatch.setattr(families, "FAMILIES", (AD_RANKER,))
    monkeypatch.setenv("SELVEDGE_HOME", str(folder))
    settings = Settings(home=folder, **changes)
    registry = PaperRegistry(settings)
    monkeypatch.setattr("orchestration.registry.registry.Registry", lambda settings: registry)
    reviews = PaperReviews(settings, registry)
    overrides = {"models": PaperModels(registry), "reviews": reviews}
    definitions = build_defs(settings, (AD_RANKER,), overrides)
    return Home(settings, registry, reviews, InProcess(definitions, dg.DagsterInstance.ephemeral()))


def test_where_nobody_picked_it_says_so_in_one_sentence_and_shows_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = a_home(tmp_path / "home", monkeypatch)
    sentence = "0 picks of people chose a picture and 80 are needed; let people pick among ads first."
    assert home.lacks() == sentence
    with pytest.raises(SelvedgeError, match=sentence):
        home.graph.run(AD_RANKER.prepared_by)
    home.graph.settle()
    assert home.candidates() == [] and materialised(home.graph.instance, PICKS) is None
    assert home.section() == ""
    assert champions_ranker(home.graph.instance, PaperModels(home.registry)) is None  # type: ignore[arg-type]
    parts = AdParts.of(home.settings)
    assert "untrained" in ad_pipeline(parts).ranker.note and "ranker" not in stamps(parts)


def test_peoples_picks_make_a_champion_that_orders_ads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = a_home(tmp_path / "home", monkeypatch, simulated_ballots=True)  # of scripted voters, not of picks
    draw_catalogue(tmp_path / "delivery", 60, 3, size=48, workers=1)
    add_drop(home.graph.instance, home.settings, "may", str(tmp_path / "delivery"))
    home.graph.run(keys("catalog/products", "catalog/quarantine"), "may")
    home.graph.settle()
    picked_among(home.ledger, home.settings.home / "ads", 160, measured=lambda number: number > 3)
    assert home.lacks() == ""
    home.graph.run(AD_RANKER.prepared_by)
    home.graph.settle()
    collected = materialised(home.graph.instance, PICKS)
    assert collected is not None
    assert (collected["rows"], collected["simulated"], collected["without measurements"]) == (157, 0, 3)
    (candidate,) = home.candidates()
    assert home.registry.aliases(AD_RANKER.name) == {"challenger": 1}, "picks alone promote nothing"
    opposed = registered(home.settings, AD_RANKER.name, candidate)
    read = contest(opposed).tables()
    assert len(read.products) == 60 and "test" in set(read.splits["split"])
    home.reviews.vote(candidate, 0.97)
    home.graph.settle()
    (record,) = history(home.registry, AD_RANKER.name)  # type: ignore[arg-type]
    assert record.candidate == candidate
    page = home.section()
    assert "Ranking of ads" in page and "this is a rehearsal" not in page and "was promoted" in page
    folder = champions_ranker(home.graph.instance, PaperModels(home.registry))  # type: ignore[arg-type]
    parts = AdParts.of(home.settings, ranker=folder)
    ranker = ad_pipeline(parts).ranker
    assert ranker.trained and stamps(parts)["ranker"] == ranker.digest
    home.graph.run(AD_RANKER.prepared_by)  # the same picks: the candidate that there is
    home.graph.settle()
    assert home.candidates() == [candidate]


def test_scripted_picks_train_nothing_outside_the_demo_and_are_stamped_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "rehearsal.yaml").write_text("simulated_picks: true\n")
    file = {AD_RANKER.name: tmp_path / "rehearsal.yaml"}
    earnest = a_home(tmp_path / "home", monkeypatch, family_settings=file)
    picked_among(earnest.ledger, earnest.settings.home / "ads", 160, "ann@simulated.invalid")
    with pytest.raises(SelvedgeError, match="which only the demo may"):
        earnest.graph.run(AD_RANKER.prepared_by)
    ignored = a_home(tmp_path / "home", monkeypatch)
    assert ignored.lacks().startswith("0 picks of people")
    assert earnest.candidates() == ignored.candidates() == []
    demo = a_home(tmp_path / "demo", monkeypatch, family_settings=file, simulated_ballots=True)
    picked_among(demo.ledger, demo.settings.home / "ads", 160, "ann@simulated.invalid")
    demo.graph.run(AD_RANKER.prepared_by)
    demo.graph.settle()
    demo.reviews.vote(demo.candidates()[0], 0.97)
    demo.graph.settle()
    (record,) = history(demo.registry, AD_RANKER.name)  # type: ignore[arg-type]
    assert record.simulated
    page = demo.section()
    assert "No person picked: this is a rehearsal" in page and '<span class="stamp">simulated' in page


def test_it_is_trained_and_scored_by_hand_from_a_folder_of_picks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(families, "FAMILIES", (AD_RANKER,))
    monkeypatch.setenv("SELVEDGE_HOME", str(tmp_path / "home"))
    picks_folder(tmp_path / "picks")
    (tmp_path / "ranker.yaml").write_text("catalog: picks\nleast_picks: 40\n")

    def printed(*arguments: object) -> dict[str, Any]:
        assert run([*map(str, arguments), "--json"]) == 0
        return dict(json.loads(capsys.readouterr().out))

    out = tmp_path / "run"
    trained = printed("train", AD_RANKER.name, "--config", tmp_path / "ranker.yaml", "--out", out)
    assert trained["picks"] + trained["held_out"] == 144 and not trained["simulated_picks"]
    scored = printed("evaluate", AD_RANKER.name, "--model", out, "--catalog", tmp_path / "picks")
    assert scored["gate"] == "would pass" and scored["macro_f1"] is None
    assert scored["pair_accuracy"]["candidate"] > 0.75 and scored["pair_accuracy"]["floor:random"] == 0.5
    (tmp_path / "ranker.yaml").write_text("catalog: picks\nleast_picks: 200\n")
    assert run(["train", AD_RANKER.name, "--config", str(tmp_path / "ranker.yaml"), "--out", str(out)]) == 1
    assert "144 picks of people chose a picture and 200 are needed" in capsys.readouterr().err
    assert run(["register", str(out)]) == 1
    assert "cannot be registered by hand; train it in the graph" in capsys.readouterr().err
