"""Ctrl-C ends every long command with 130 and one sentence: decided in one place, and no command is in its way."""

import dataclasses
from typing import NoReturn

import pytest

from catalog.errors import Interrupted
from orchestration import families
from orchestration.cli.main import run
from training.stopping import TrainingStopped

FAMILY = families.FAMILIES[0].name
# What a command does, and the first long part of it.
LONG = {
    "catalog draw out --products 50 --seed 1": "catalog.drawn.draw_catalogue",
    "catalog read shop --out out": "catalog.workspace.read_into",
    f"train {FAMILY} --config settings.yaml --out out": "train",
    f"evaluate {FAMILY} --model model --catalog shop": "score",
    "register model": "orchestration.jobs.register.register_run",
    "infer attributes --catalog shop --out out --model model": "orchestration.cli.inference_commands._inferred",
    "infer descriptions --catalog shop --out out": "orchestration.cli.inference_commands._described",
    "infer ads --catalog shop --out out": "orchestration.cli.inference_commands.infer_ads",
    f"review open {FAMILY} --model model --catalog shop": "orchestration.runtime.label_studio.connect",
    "review sync some-round": "orchestration.registry.ledger.open_ledger",
    "review close some-round": "orchestration.registry.ledger.open_ledger",
    "review vote some-round --simulated": "orchestration.registry.ledger.open_ledger",
    "review simulate --preference 0.6": "labeling.review.rounds.simulation.simulate_rounds",
    "demo": "orchestration.jobs.demo.run_demo",
}


@pytest.fixture(autouse=True)
def _somewhere(tmp_path, monkeypatch):
    monkeypatch.setenv("SELVEDGE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    for folder in ("shop", "model"):
        (tmp_path / folder).mkdir()
    (tmp_path / "shop" / "catalogue.json").write_text("{}")
    (tmp_path / "settings.yaml").write_text("catalog: shop\n")


def stopped(*_: object, **__: object) -> NoReturn:
    raise KeyboardInterrupt


@pytest.mark.parametrize("command", LONG, ids=lambda command: " ".join(command.split()[:2]))
def test_an_interrupted_command_ends_with_130(command, monkeypatch, capsys):
    where = LONG[command]
    if "." in where:
        monkeypatch.setattr(where, stopped)
    else:
        changed = dataclasses.replace(families.FAMILIES[0], **{where: stopped, "digest": lambda folder: "0" * 64})
        monkeypatch.setattr(families, "find_family", lambda name: changed)
    assert run(command.split()) == 130
    told = capsys.readouterr()
    assert told.out == "" and "interrupted; nothing was left half-written" in told.err and "Traceback" not in told.err


@pytest.mark.parametrize("kind", [Interrupted, TrainingStopped])
def test_work_that_stopped_in_order_says_its_own_sentence_and_ends_the_same(kind, monkeypatch, capsys):
    def stop(*_: object, **__: object) -> NoReturn:
        raise kind("stopped at step 10; run again to go on.")

    monkeypatch.setattr("orchestration.jobs.demo.run_demo", stop)
    assert run(["demo"]) == 130
    assert capsys.readouterr().err == "selvedge: stopped at step 10; run again to go on.\n"
