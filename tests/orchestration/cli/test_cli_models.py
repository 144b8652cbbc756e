"""Train, evaluate, infer: a family's work by hand, on a catalogue directory, with nothing else running."""

import json

import pytest

from catalog.tables import read_frame
from orchestration.cli import results
from orchestration.cli.main import run
from orchestration.cli.model_commands import read_config
from orchestration.cli.models import model_folder
from orchestration.families import find_family
from tests.orchestration.trained_model import ROOT, train_small_model

EXAMPLES = ROOT / "examples"
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("trained_model")]


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train_small_model(tmp_path_factory.mktemp("trained"))


def printed(capsys, *arguments):
    assert run([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_training_prints_its_result_and_needs_neither_mlflow_nor_dagster(trained):
    values = json.loads(trained.printed)
    assert list(values) == list(results.declared()["train"]) and values["steps"] == 6
    assert values["best_step"] in range(1, 7) and values["judge"] is values["base_digest"] is None
    assert "imported: []" in trained.told
    assert (trained.artefact / "selvedge.json").exists()
    assert not [path for path in trained.artefact.rglob("*") if path.suffix in (".bin", ".pt", ".pkl")]


def test_training_again_takes_up_what_is_there(trained, capsys):
    again = printed(capsys, "train", "blip2-attributes", "--config", trained.config, "--out", trained.folder)
    assert again["digest"] == json.loads(trained.printed)["digest"]


def test_evaluate_prints_the_subjects_and_writes_evidence(trained, tmp_path, capsys):
    from evaluation.gate import Evidence

    model = ("--model", trained.folder, "--catalog", trained.catalog, "--champion", trained.artefact)
    values = printed(capsys, "evaluate", "blip2-attributes", *model, "--out", tmp_path / "scores")
    assert {"base", "candidate", "champion", "ceiling:linear_probe", "floor:no_picture"} <= set(values["subjects"])
    assert values["subjects"]["candidate"] == values["subjects"]["champion"] == values["macro_f1"]["value"]
    assert values["gate"] == "would be refused", "it is no better than itself"
    assert "mean macro_f1 is not better than the champion's (difference +0.000)." in values["reasons"]
    assert values["macro_f1"]["low"] <= values["macro_f1"]["value"] <= values["macro_f1"]["high"]
    evidence = Evidence.from_json((tmp_path / "scores" / "evidence.json").read_text())
    assert evidence.sha256 == values["evidence_sha256"] and evidence.champion_version == str(trained.artefact)
    assert len(read_frame(tmp_path / "scores" / "scores.parquet")) > 100
    assert {path.name for path in (tmp_path / "scores").glob("*.png")} >= {"scores.png", "confusion.png"}
    assert run(["evaluate", "blip2-attributes", *map(str, model), "--out", str(tmp_path / "scores")]) == 1
    assert "is already there; name another folder" in capsys.readouterr().err


def test_infer_twice_computes_once_and_descriptions_follow(trained, tmp_path, capsys):
    where = ("--catalog", trained.catalog, "--out", tmp_path)
    first = printed(capsys, "infer", "attributes", *where, "--model", trained.folder)
    again = printed(capsys, "infer", "attributes", *where, "--model", trained.folder)
    assert first["recomputed"] == first["rows"] == again["kept"] and again["recomputed"] == 0
    described = printed(capsys, "infer", "descriptions", *where)
    assert described["rows"] == 80 == printed(capsys, "infer", "descriptions", *where)["kept"]
    assert described["model"] == f"file://{trained.artefact}" and described["abstained"] is None
    assert all(read_frame(tmp_path / "descriptions.parquet")["text"].str.endswith("."))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["evaluate", "blip2-attributes", "--model", "{tmp}", "--catalog", "{catalog}"], "selvedge.json is missing"),
        (
            ["evaluate", "blip2-attributes", "--model", "{model}", "--catalog", "{tmp}"],
            "no complete catalogue directory",
        ),
        (["infer", "attributes", "--catalog", "{catalog}", "--out", "{tmp}/o"], "does not answer"),
        (["infer", "descriptions", "--catalog", "{catalog}", "--out", "{tmp}/o"], "run `selvedge infer attributes"),
        (["train", "blip2-attributes", "--config", "{tmp}/none.yaml", "--out", "{tmp}/o"], "No such file"),
        (
            ["evaluate", "restgan", "--model", "{model}", "--catalog", "{catalog}"],
            "of the family blip2-attributes, not",
        ),
    ],
)
def test_what_is_missing_is_one_sentence(trained, tmp_path, arguments, sentence, capsys, monkeypatch):
    monkeypatch.setenv("SELVEDGE_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SELVEDGE_MLFLOW_PORT", "1")
    places = {"tmp": tmp_path, "catalog": trained.catalog, "model": trained.artefact}
    assert run([part.format(**places) for part in arguments]) == 1
    shown = capsys.readouterr()
    assert sentence in shown.err and shown.out == "" and "Traceback" not in shown.err


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("lora: {steps: 5}", "names no catalogue; add `catalog: DIR`"),
        ("catalog: {catalog}\nbse: tiny", "setting 'bse' is unknown"),
        ("catalog: {catalog}\nbase: huge", "huge"),
        ("catalog: {catalog}\nlora: {{steps: many}}", "setting 'steps' is 'many'"),
        ("- a list", "is not a mapping"),
        ("a: [", "it is not YAML"),
        ("catalog: nowhere", "no complete catalogue directory"),
    ],
)
def test_a_wrong_configuration_is_one_sentence(trained, tmp_path, content, sentence, capsys):
    config = tmp_path / "config.yaml"
    config.write_text(content.format(catalog=trained.catalog) if "{catalog}" in content else content)
    assert run(["train", "blip2-attributes", "--config", str(config), "--out", str(tmp_path / "out")]) == 1
    lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("selvedge: ")]
    assert len(lines) == 1 and sentence in lines[0]
    assert not (tmp_path / "out").exists()


def test_a_training_folder_or_its_model_may_be_named(trained):
    assert model_folder(str(trained.folder)) == model_folder(str(trained.artefact)) == trained.artefact


TRAINING = sorted(file for file in EXAMPLES.glob("*.yaml") if not file.name.startswith("mapping-"))


@pytest.mark.parametrize("example", TRAINING, ids=lambda path: path.stem)
def test_examples_are_settings_that_this_version_reads(example):
    """A file says in its first line which family it is for."""
    from training.blip2.profiles import find_profile
    from training.restgan.candidate import base_folder
    from training.settings import settings_of_file

    family = example.read_text().split()[1]
    settings = settings_of_file(find_family(family).settings(), example)
    assert base_folder(settings.base) if family == "restgan" else find_profile(settings.base).name == settings.base
    assert read_config(example, find_family(family).settings()) == (None, settings)


def test_a_relative_catalogue_is_relative_to_its_file(tmp_path):
    (tmp_path / "my.yaml").write_text("catalog: shop\nbase: tiny\n")
    assert read_config(tmp_path / "my.yaml", find_family("blip2-attributes").settings())[0] == tmp_path / "shop"
