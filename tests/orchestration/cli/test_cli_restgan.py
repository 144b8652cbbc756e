"""restgan by hand: train and evaluate on a catalogue of bottoms alone, with nothing else running."""

import hashlib
import json
import shutil
import subprocess
import sys

import pytest
import yaml

from catalog.tables import read_frame, write_table
from orchestration.cli import results
from orchestration.cli.main import run
from orchestration.cli.models import model_folder
from tests.orchestration.trained_model import ROOT, WITHOUT, selvedge

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("restgan_by_hand")]

SMALL = {
    "base": "none",
    "restgan": {
        "size": 16, "stages": 1, "noise": 8, "embedding": 12, "state": 16, "condition": 6, "generator_width": 8,
        "discriminator_width": 8, "refiner_width": 8, "images": 48, "batch_size": 8, "precision": "fp32",
    },
    "judge": {"width": 4, "epochs": 2},
}  # fmt: skip
BOTTOMS = ("Jeans", "Trousers", "Shorts")


def read_catalogue(folder, products, seed=5, articles=BOTTOMS):
    """A catalogue directory, drawn and read by their commands."""
    chosen = [part for article in articles for part in ("--article", article)]
    for arguments in (
        [
            "catalog",
            "draw",
            f"{folder}-shop",
            "--products",
            str(products),
            "--seed",
            str(seed),
            "--size",
            "64",
            *chosen,
        ],
        ["catalog", "read", f"{folder}-shop", "--out", str(folder)],
    ):
        ended = selvedge(*arguments)
        assert ended.returncode == 0, ended.stderr
    return folder


def everything(folder):
    """Path → hash of every file of a folder."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    return read_catalogue(tmp_path_factory.mktemp("bottoms") / "catalog", 280)


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    file = tmp_path_factory.mktemp("settings") / "small.yaml"
    file.write_text(yaml.safe_dump(SMALL))
    return file


@pytest.fixture(scope="module")
def trained(catalog, config, tmp_path_factory):
    """What `selvedge train restgan` printed, and what it imported that it must do without."""
    out = tmp_path_factory.mktemp("trained") / "run"
    script = WITHOUT.replace('"skia"', '"skia", "transformers", "peft"')
    arguments = ["train", "restgan", "--config", str(config), "--catalog", str(catalog), "--out", str(out), "--json"]
    ended = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, cwd=ROOT)
    assert ended.returncode == 0, ended.stderr
    return json.loads(ended.stdout), ended.stderr, out


def printed(capsys, *arguments):
    assert run([*map(str, arguments), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def told(capsys, *arguments):
    """The one sentence of a command that fails."""
    assert run([str(part) for part in arguments]) == 1
    shown = capsys.readouterr()
    lines = [line for line in shown.err.splitlines() if line.startswith("selvedge: ")]
    assert len(lines) == 1 and shown.out == "" and "Traceback" not in shown.err
    return lines[0]


def test_training_prints_its_result_and_needs_no_server_and_no_transformers(trained):
    values, err, out = trained
    assert list(values) == list(results.declared()["train"]) and "imported: []" in err
    assert (values["family"], values["path"], values["steps"]) == ("restgan", str(out / "artefact"), 6)
    assert values["bottoms"] == 280 and set(values["judge"]) == {"type", "colour", "gender"}
    assert values["losses"] and values["best_step"] is values["decoding"] is None and values["parameters"] > 1000
    assert len(values["base_digest"]) == len(values["digest"]) == 64 and values["base_digest"] != values["digest"]
    assert {path.name for path in (out / "artefact").iterdir()} == {
        *("selvedge.json", "weights.safetensors", "judge.safetensors", "bottoms.json", "base"),
    }


def test_training_again_takes_up_what_is_there(trained, catalog, config, capsys):
    values, _, out = trained
    before = everything(catalog)
    again = printed(capsys, "train", "restgan", "--config", config, "--catalog", catalog, "--out", out)
    assert again["digest"] == values["digest"] and everything(catalog) == before


def test_evaluate_prints_the_subjects_and_writes_evidence(trained, catalog, config, tmp_path, capsys):
    from evaluation.gate import Evidence

    values, _, out = trained
    arguments = ("--model", out, "--catalog", catalog, "--champion", out / "artefact")
    scored = printed(capsys, "evaluate", "restgan", *arguments, "--out", tmp_path / "scores")
    assert list(scored) == list(results.declared()["evaluate"]) and scored["model"] == values["path"]
    assert {"base", "candidate", "champion", "ceiling:real_pictures"} <= set(scored["subjects"])
    assert scored["accuracy"]["candidate"] == scored["accuracy"]["champion"]
    assert set(scored["attributes"]) == {"type", "colour", "gender"}
    assert set(scored["pictures"]) == {"kid", "word_accuracy", "gain", "retention", "drift"}
    assert scored["pictures"]["kid"]["low"] <= scored["pictures"]["kid"]["value"] <= scored["pictures"]["kid"]["high"]
    evidence = Evidence.from_json((tmp_path / "scores" / "evidence.json").read_text())
    assert evidence.sha256 == scored["evidence_sha256"] and evidence.champion_version == str(out / "artefact")
    assert len(read_frame(tmp_path / "scores" / "scores.parquet")) > 50
    assert (tmp_path / "scores" / "refinements.png").is_file()


def test_the_whole_artefact_is_found_in_what_training_wrote(trained):
    """Beside it lies `model/`, without judge and base."""
    _, _, out = trained
    assert (out / "model" / "selvedge.json").is_file() and model_folder(str(out)) == out / "artefact"


def one_colour(catalog, folder):
    """The same catalogue with nothing but black in it."""
    shutil.copytree(catalog, folder)
    products = read_frame(folder / "products.parquet")
    products["base_colour"] = "Black"
    products["product_display_name"] = "Black " + products["article_type"]
    written = write_table(products, folder / "products.parquet", "products")
    summary = json.loads((folder / "catalogue.json").read_text())
    summary["tables"]["products"]["sha256"] = written.sha256
    (folder / "catalogue.json").write_text(json.dumps(summary))
    return folder


@pytest.mark.parametrize(
    ("shop", "sentence"),
    [
        (lambda _, place: read_catalogue(place, 40, articles=("Tshirts",)), "the catalogue holds no bottoms"),
        (lambda _, place: read_catalogue(place, 60, articles=("Jeans",)), "the catalogue holds 60 bottoms"),
        (one_colour, "one colour only"),
    ],
    ids=["no bottoms", "too few", "one colour"],
)
def test_a_catalogue_that_gives_no_data_set_is_one_sentence(catalog, config, tmp_path, capsys, shop, sentence):
    poor = shop(catalog, tmp_path / "catalog")
    before = everything(tmp_path)
    line = told(capsys, "train", "restgan", "--config", config, "--catalog", poor, "--out", tmp_path / "out")
    assert sentence in line and everything(tmp_path) == before
    assert not (tmp_path / "out").exists()


def test_a_checkpoint_of_another_vocabulary_is_kept(trained, config, tmp_path, capsys):
    _, _, out = trained
    other = read_catalogue(tmp_path / "catalog", 260, seed=6)
    before = everything(out)
    line = told(capsys, "train", "restgan", "--config", config, "--catalog", other, "--out", out)
    assert "was made with another vocabulary" in line and everything(out) == before
    line = told(capsys, "evaluate", "restgan", "--model", out, "--catalog", other)
    assert "was trained on other bottoms than this catalogue" in line


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"base": "restgan-huge"}, "base restgan-huge is neither a folder with a model nor in"),
        ({"base": "restgan-tiny"}, "has restgan.size 32 and the settings 16; set it so, or begin from random weights"),
        ({"shares": [0.5, 0.5]}, "give three positive shares that sum to 1"),
        ({"restgan": {"varient": "restgan"}}, "setting 'varient' is unknown"),
    ],
)
def test_a_wrong_configuration_is_one_sentence(catalog, tmp_path, changes, sentence, capsys):
    (tmp_path / "c.yaml").write_text(yaml.safe_dump(SMALL | changes))
    line = told(
        capsys, "train", "restgan", "--config", tmp_path / "c.yaml", "--catalog", catalog, "--out", tmp_path / "o"
    )
    assert sentence in line and not (tmp_path / "o").exists()


@pytest.mark.parametrize(
    ("folder", "options", "sentence"),
    [
        ("model", [], "lacks judge.safetensors; give a folder written by `selvedge train restgan`"),
        ("artefact", ["--cnn"], "restgan takes no --cnn; leave it out."),
        ("nowhere", [], "selvedge.json is missing"),
    ],
)
def test_what_cannot_be_scored_is_one_sentence(trained, catalog, tmp_path, folder, options, sentence, capsys):
    _, _, out = trained
    where = ("--model", out / folder, "--catalog", catalog, "--out", tmp_path / "scores")
    assert sentence in told(capsys, "evaluate", "restgan", *where, *options)
    assert not (tmp_path / "scores").exists()
