"""A run that was trained by hand goes the same road: scored by the house, gated, named like any other candidate."""

import json
from dataclasses import replace

import dagster as dg
import pytest

from catalog.drawn import draw_catalogue
from catalog.errors import SelvedgeError
from catalog.workspace import read_into
from orchestration import families
from orchestration.assets.partitions import candidate_partitions
from orchestration.assets.published import materialised
from orchestration.cli.main import run
from orchestration.jobs.register import register_run
from orchestration.runtime.instance import open_instance
from orchestration.runtime.settings import Settings
from tests.orchestration.families.toy.declaration import TOY
from tests.orchestration.paper_models import PaperModels
from tests.orchestration.paper_registry import PaperRegistry
from training.hand_run import RECORD_FILE
from training.reporting import Silent


@dg.asset(key=["training", "toy_features"])
def toy_features() -> None:
    """What its job prepares; a run by hand needs none of it."""


FAMILY = replace(TOY, assets=lambda: [toy_features], review=None)
SCORES = "evaluation/toy_scores"


@pytest.fixture(scope="module")
def catalog(tmp_path_factory):
    folder = tmp_path_factory.mktemp("catalogue")
    draw_catalogue(folder / "shop", 60, 5, size=64)
    read_into(folder / "shop", "d1", folder / "catalog")
    return folder / "catalog"


@pytest.fixture
def trained(catalog, tmp_path, monkeypatch):
    """A run by the command, as a person makes one."""
    monkeypatch.setattr(families, "FAMILIES", (FAMILY,))
    (tmp_path / "toy.yaml").write_text("mean: 0.7\n")
    where = ["--config", str(tmp_path / "toy.yaml"), "--catalog", str(catalog), "--out", str(tmp_path / "run")]
    assert run(["train", "toy", *where, "--json"]) == 0
    return tmp_path / "run"


@pytest.fixture
def models(tmp_path):
    return PaperModels(PaperRegistry(Settings(home=tmp_path / "home")))


def registered(trained, models, catalog=None):
    settings = models.paper.settings
    lines: list[str] = []
    return register_run(settings, trained, trained / "model", catalog, [FAMILY], Silent(), lines.append, models)


def test_a_run_becomes_a_candidate_that_the_house_has_scored(trained, models, catalog):
    made = registered(trained, models)
    assert made.passed and made.version == 1 and "mean macro_f1 is +0.300" in made.reasons[0]
    with open_instance(models.paper.settings) as instance:
        assert instance.get_dynamic_partitions(candidate_partitions("toy").name) == [made.candidate]
        about = materialised(instance, "training/toy_candidate", made.candidate)
        assert about["trained"] == "by hand" and about["settings"] == {"mean": 0.7}
        assert materialised(instance, SCORES, made.candidate)["evidence_sha256"]
    again = registered(trained, models)
    assert (again.candidate, again.version) == (made.candidate, 1), "the same run is the candidate that it is"


def test_a_worse_run_is_registered_and_refused_by_the_gate(trained, models):
    (trained / "model" / "selvedge.json").write_text('{"mean": 0.3}')
    record = json.loads((trained / RECORD_FILE).read_text())
    record["digest"] = FAMILY.digest(trained / "model")
    (trained / RECORD_FILE).write_text(json.dumps(record))
    made = registered(trained, models)
    assert not made.passed and "not better than the base's" in made.reasons[0]


def without_record(trained):
    (trained / RECORD_FILE).unlink()


def damaged_record(trained):
    (trained / RECORD_FILE).write_text("{")


def other_weights(trained):
    (trained / "model" / "selvedge.json").write_text('{"mean": 0.9}')


def other_family(trained):
    (trained / RECORD_FILE).write_text((trained / RECORD_FILE).read_text().replace('"toy"', '"tree"'))


def catalogue_gone(trained):
    record = json.loads((trained / RECORD_FILE).read_text())
    (trained / RECORD_FILE).write_text(json.dumps({**record, "catalog": str(trained / "nowhere")}))


def other_catalogue(trained):
    record = json.loads((trained / RECORD_FILE).read_text())
    (trained / RECORD_FILE).write_text(json.dumps({**record, "dataset_sha256": "0" * 64}))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (without_record, "holds no run.json; run the `selvedge train` that wrote it again"),
        (damaged_record, r"run\.json is damaged"),
        (other_weights, "is not the one that its record names"),
        (other_family, "is a run of tree, which cannot be registered"),
        (catalogue_gone, "nowhere is no complete catalogue directory"),
        (other_catalogue, "is not the catalogue that the run learnt from"),
    ],
)
def test_what_cannot_be_registered_is_refused_before_anything_is_written(trained, models, change, sentence):
    change(trained)
    with pytest.raises(SelvedgeError, match=sentence):
        registered(trained, models)
    assert models.paper.versions("toy") == [] and not (models.paper.settings.home / "tables").exists()
