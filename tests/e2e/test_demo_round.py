"""The demo's round on a real Label Studio: stopped while annotators vote and run again, it promotes once, stamped."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from labeling.review.label_studio import LabelStudio
from labeling.review.rounds import scripted
from labeling.review.rounds.annotators import ScriptedAnnotator
from orchestration.cli.main import run
from orchestration.families.blip2_attributes.declaration import BLIP2_ATTRIBUTES, NAME
from orchestration.jobs.demo import run_demo
from orchestration.registry.ledger import open_ledger
from orchestration.runtime.settings import Settings
from tests.e2e.console import command_block
from tests.e2e.databases import begin_home
from tests.e2e.label_studio_home import ENVIRONMENTS
from tests.e2e.lenient_definitions import lenient
from tests.orchestration.micro_base import save_micro_base, save_micro_settings
from tests.ports import free_port

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.timeout(900),
]

ITEMS, VOTES_BEFORE_THE_STOP = 30, 12  # too few to decide: the rest is voted after the stop


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    save_micro_settings(tmp_path / "settings.yaml", save_micro_base(tmp_path / "base"))
    return Settings(
        home=begin_home(tmp_path / "home"),
        family_settings={"blip2-attributes": tmp_path / "settings.yaml"},
        mlflow_port=free_port(),
        label_studio_port=free_port(),
        label_studio_environments=ENVIRONMENTS,
        demo_products=480,
        demo_new_products=12,
        review_items=ITEMS,
        threads=1,
        cnn_seconds=0,
    )


@pytest.fixture
def demo(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Callable[[], dict[str, Any]]:
    """Run the demo with annotators who agree more than the usual ones: thirty products are few."""
    people = [ScriptedAnnotator(name, 7, preference=0.97, ties=0.02) for name in ("ada", "ben", "cleo", "dan", "eva")]
    monkeypatch.setattr(scripted, "demo_annotators", lambda seed: people)
    return lambda: run_demo(settings, families=[replace(BLIP2_ATTRIBUTES, rule=lenient)])


def test_a_demo_stopped_while_annotators_vote_goes_on_and_promotes_once(
    settings: Settings,
    demo: Callable[[], dict[str, Any]],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    cast = 0

    def stopped(*arguments: Any, **named: Any) -> int:
        nonlocal cast
        if cast == VOTES_BEFORE_THE_STOP:
            raise KeyboardInterrupt
        cast += 1
        return annotate(*arguments, **named)

    annotate = LabelStudio.annotate
    with monkeypatch.context() as patch:
        patch.setattr(LabelStudio, "annotate", stopped)
        with pytest.raises(KeyboardInterrupt):
            demo()
    outcome = demo()
    assert outcome["champion"] == f"models:/{NAME}/1" and outcome["products"] == 492
    ledger = open_ledger(settings)
    (found,) = ledger.rounds(NAME)
    name = found.plan.round_id
    ballots = ledger.ballots(name)
    assert found.plan.items == ITEMS and found.plan.opponent == "base"
    assert len(ballots) == len(ledger.pairs(name)) * found.plan.overlap  # those before the stop among them, none twice
    assert all(ballot.simulated and ballot.void is None for ballot in ballots)
    (record,) = ledger.promotions.history(NAME)
    assert record.simulated and record.outcome == "completed"
    page, round_page = Path(outcome["report"]).read_text(), Path(outcome["round_report"])
    assert f'href="reports/{round_page.name}"' in page and round_page.name == f"{name}.html"
    assert page.count('class="stamp"') == 2 and 'class="stamp"' in round_page.read_text()

    for setting, value in (("HOME", settings.home), ("MLFLOW_PORT", settings.mlflow_port)):
        monkeypatch.setenv(f"SELVEDGE_{setting}", str(value))
    assert run([*command_block("cli.md", "selvedge trace").split()[1:], "--json"]) == 0
    traced = json.loads(capsys.readouterr().out)
    assert (traced["product"], traced["broken"]) == (10001, 0)
    assert {"sentence", "votes", "promotion", "picture"} <= {hop["hop"] for hop in traced["hops"]}

    assert demo()["champion"] == outcome["champion"]  # nothing new: nobody is asked again
    assert ledger.ballots(name) == ballots and len(ledger.promotions.history(NAME)) == 1
