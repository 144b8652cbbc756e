"""restgan on the whole road: bottoms to candidate to a blind round to champion, and the page that searches with it."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from catalog.drawn import draw_catalogue
from evaluation.gate import GateRule
from labeling.review.rounds import scripted
from labeling.review.rounds.annotators import ScriptedAnnotator
from orchestration.assets.published import materialised
from orchestration.families.restgan.declaration import NAME, RESTGAN
from orchestration.jobs.demo import run_demo
from orchestration.registry.ledger import open_ledger
from orchestration.runtime.instance import open_instance
from orchestration.runtime.services import tracking_server
from orchestration.runtime.settings import Settings
from tests.e2e.databases import begin_home
from tests.e2e.label_studio_home import ENVIRONMENTS
from tests.e2e.test_discovery_page import DESKTOP, ROOT, until, words_shown
from tests.ports import free_port

pytestmark = [
    *(pytest.mark.e2e, pytest.mark.slow, pytest.mark.xdist_group("restgan-demo"), pytest.mark.timeout(1200)),
]

PRODUCTS, ITEMS = 260, 24


def lenient(settings: Settings) -> GateRule:
    """Three steps are no gain and a dozen pictures are not clear; people's word is asked for as ever."""
    return replace(RESTGAN.rule(settings), tolerance=1.0, delta=1.0, minimum_rows=0)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    folder = tmp_path_factory.mktemp("restgan")
    shorter = {
        "restgan": {"stages": 2, "images": 96, "precision": "bf16", "generator_rate": 1e-5, "sample_every": 3,
                    "report_every": 1, "checkpoint_every": 1},
        "judge": {"epochs": 4, "learning_rate": 0.004},
    }  # fmt: skip
    (folder / "settings.yaml").write_text(yaml.safe_dump(shorter))
    draw_catalogue(folder / "bottoms", PRODUCTS, 9, articles=("Jeans", "Trousers", "Shorts", "Track Pants"), size=160)
    return Settings(
        home=begin_home(folder / "home"),
        family_settings={"restgan": folder / "settings.yaml"},
        mlflow_port=free_port(),
        label_studio_port=free_port(),
        label_studio_environments=ENVIRONMENTS,
        review_items=ITEMS,
        threads=1,
        cnn_seconds=0,
    )


@pytest.fixture(scope="module")
def outcome(settings: Settings) -> dict[str, Any]:
    """The demo with this family alone, and annotators who agree more than the usual ones: two dozen pairs are few."""
    people = [ScriptedAnnotator(name, 7, preference=0.97, ties=0.02) for name in ("ada", "ben", "cleo", "dan", "eva")]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scripted, "demo_annotators", lambda seed: people)
        return run_demo(settings, settings.home.parent / "bottoms", families=[replace(RESTGAN, rule=lenient)])


def test_people_promote_it_and_the_page_shows_what_it_draws(settings: Settings, outcome: dict[str, Any]) -> None:
    assert outcome["champions"] == {NAME: f"models:/{NAME}/1"}
    ledger = open_ledger(settings)
    (found,) = ledger.rounds(NAME)
    assert (found.plan.kind, found.plan.opponent, found.plan.items) == ("picture-strips", "base", ITEMS)
    assert {pair.slot for pair in ledger.pairs(found.plan.round_id).values()} == {"plain", "gold", "aa", "repeat"}
    (record,) = ledger.promotions.history(NAME)
    assert record.simulated and record.outcome == "completed"
    page, round_page = Path(outcome["report"]).read_text(), Path(outcome["round_reports"][NAME]).read_text()
    for name in ("a picture after every word", "the colour table", "what held-out words drew", "drawn for other words"):
        assert name in page
    assert "picture strips" in round_page and "the weights it began with" in round_page


def test_every_bottom_of_the_drop_can_be_found(settings: Settings, outcome: dict[str, Any]) -> None:
    with open_instance(settings) as instance:
        told = materialised(instance, "inference/discovery_index", "bottoms")
    assert told is not None and told["rows"] == PRODUCTS and told["model"] == outcome["champions"][NAME]


def test_from_typing_to_a_product_on_the_champion(settings: Settings, outcome: dict[str, Any], tmp_path: Path) -> None:
    from playwright.sync_api import sync_playwright

    environment = {
        **os.environ,
        "SELVEDGE_HOME": str(settings.home),
        "SELVEDGE_MLFLOW_PORT": str(settings.mlflow_port),
    }
    command = [sys.executable, "-m", "orchestration.cli", "discover", "--port", "0", "--json"]
    with tracking_server(settings, print), sync_playwright() as playwright:
        running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, env=environment)
        try:
            assert running.stdout is not None
            told = json.loads(running.stdout.readline())
            assert (told["model"], told["products"]) == (outcome["champions"][NAME], PRODUCTS)
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            page = browser.new_page(viewport=DESKTOP)
            page.goto(told["link"])
            until(page, "document.querySelector('#about').textContent")
            page.keyboard.type("men red shorts")
            assert len(set(words_shown(page, "men red shorts"))) == 3
            page.click("#products button >> nth=0")
            until(page, "document.querySelector('dialog[open] img').naturalWidth > 0")
            page.screenshot(path=tmp_path / "found.png", animations="disabled")
            assert "shorts" in page.inner_text("dialog[open]").lower()
            browser.close()
        finally:
            running.send_signal(signal.SIGINT)
            running.communicate(timeout=30)
