"""labeling/handsoff_*: there where a plan is set, each step from the one before, with its preview."""

import json

import dagster as dg
import pytest

from catalog.errors import SelvedgeError
from orchestration.families.garment_segmenter import handsoff
from orchestration.graph.build import build_defs
from orchestration.runtime.settings import Settings
from tests.training.handsoff.labelled import write
from tests.training.handsoff.labelling import generator, labelled
from training.handsoff.frozen import save_generator
from training.handsoff.labels import LabelKinds, LabelledPictures, read_labelled
from training.handsoff.plan import read_plan
from training.reporting import Silent

STEPS = ("generator", "inversions", "labeller", "dataset")
PLAN = {
    "labels": "labels",
    "generator": "generator",
    "inversion": {
        "width": 8, "batch_size": 8, "encoder_steps": 6, "refine_steps": 1, "steps": 3, "references": 3,
        "tolerance": 20, "device": "cpu",
    },
    "labeller": {"members": 2, "hidden": 16, "pixels": 64, "epochs": 2},
    "generation": {"pictures": 6, "shard": 4, "drop": 0.2},
}  # fmt: skip


@pytest.fixture
def home(tmp_path) -> Settings:
    frozen = generator()
    save_generator(tmp_path / "generator", frozen.settings, frozen.generator)
    labels = labelled(frozen, 4)
    kinds = LabelKinds(labels.kinds.classes, ("corner",), {"depth": (0.0, 1.0)})
    write(tmp_path / "labels", LabelledPictures(labels.pictures, kinds, labels.masks, labels.points, labels.maps))
    (tmp_path / "plan.yaml").write_text(json.dumps(PLAN))  # JSON is YAML
    return Settings(home=tmp_path / "home", handsoff=tmp_path / "plan.yaml")


def made(settings: Settings, instance: dg.DagsterInstance) -> dict[str, dict[str, object]]:
    assets = [getattr(handsoff, f"handsoff_{step}") for step in STEPS]
    resources = {"settings": settings, "progress": Silent()}
    result = dg.materialize(assets, instance=instance, resources=resources)
    assert result.success
    return {
        step: {
            name: value.value
            for name, value in result.asset_materializations_for_node(f"labeling__handsoff_{step}")[0].metadata.items()
        }
        for step in STEPS
    }


def test_a_plan_grows_a_set_with_previews(home):
    first = made(home, dg.DagsterInstance.ephemeral())
    assert first["inversions"]["inverted"] == 4 and first["dataset"]["kept"] == 5
    assert len(read_labelled(home.home / "handsoff" / _only(home) / "set", 16)) == 5
    for step, name in (("generator", "samples"), *((step, "preview") for step in STEPS[1:])):
        assert "data:image/" in str(first[step][name])


def _only(home: Settings) -> str:
    (folder,) = (home.home / "handsoff").iterdir()
    return folder.name


def test_without_a_plan_a_step_says_what_to_write(tmp_path):
    settings = Settings(home=tmp_path / "home")
    keys = {spec.key.to_user_string() for spec in build_defs(settings).resolve_all_asset_specs()}
    assert {f"labeling/handsoff_{step}" for step in STEPS} < keys
    with pytest.raises(dg.Failure, match="no plan of HandsOff is set; write one and set SELVEDGE_HANDSOFF to it"):
        made(settings, dg.DagsterInstance.ephemeral())


def test_a_plan_that_cannot_be_is_refused_in_a_sentence(tmp_path):
    file = tmp_path / "plan.yaml"
    for text, words in (
        ("generator: here\n", "names no labelled pictures"),
        ("labels: here\nlabeller: {members: 0}\n", r"members is 0; it must be above 0"),
        ("labels: here\nsteps: 3\n", "'steps' is unknown"),
        ("labels: 3\n", "give a value of type str"),
    ):
        file.write_text(text)
        with pytest.raises(SelvedgeError, match=words):
            read_plan(file)
    file.write_text("labels: here\n")
    assert read_plan(file).labels == str(tmp_path / "here")
