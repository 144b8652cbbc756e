"""One candidate from tables to artefact: what the folder holds, what is not made twice, a stop and its resume."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from catalog.errors import SelvedgeError
from tests.training.restgan.shop import open_shop
from tests.training.restgan.test_loop import TINY, Recorder
from training.attribute_judge import JUDGE_FILE, load_judge
from training.restgan import candidate as candidate_module
from training.restgan.candidate import (
    BASE_FOLDER,
    RestganCandidateSettings,
    base_folder,
    prepare,
    train_candidate,
    whole_artefact,
)
from training.restgan.judge_training import JudgeSettings
from training.restgan.sampling import load_artefact
from training.stopping import TrainingStopped

SETTINGS = RestganCandidateSettings(
    base="none",
    restgan=replace(TINY, size=16, stages=2),
    judge=JudgeSettings(width=4, epochs=2, device="cpu"),
)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    return open_shop(tmp_path_factory.mktemp("shop"), 360)


@pytest.fixture(scope="module")
def prepared(shop, tmp_path_factory):
    return prepare(shop, SETTINGS, tmp_path_factory.mktemp("prepared"))


@pytest.fixture(scope="module")
def trained(prepared, tmp_path_factory):
    return train_candidate(prepared, SETTINGS, tmp_path_factory.mktemp("candidate"))


def test_an_artefact_holds_the_model_its_judge_and_what_it_began_with(trained, prepared):
    about = whole_artefact(trained.artefact)
    model, base = load_artefact(trained.artefact), load_artefact(trained.artefact / BASE_FOLDER)
    assert about["digest"] == model.digest == trained.digest != base.digest == trained.base_digest
    assert load_judge(trained.artefact / JUDGE_FILE).digest == prepared.judge.digest
    assert base.vocabulary == model.vocabulary
    assert json.dumps(trained.to_dict())


def test_a_part_that_is_missing_is_named(trained, tmp_path):
    import shutil

    shutil.copytree(trained.artefact, tmp_path / "model")
    (tmp_path / "model" / JUDGE_FILE).unlink()
    with pytest.raises(
        SelvedgeError, match=r"lacks judge.safetensors; give a folder written by `selvedge train restgan`"
    ):
        whole_artefact(tmp_path / "model")


def test_what_was_prepared_is_not_made_again(shop, tmp_path, monkeypatch):
    first = prepare(shop, SETTINGS, tmp_path)
    monkeypatch.setattr(candidate_module, "train_judge", lambda *_: pytest.fail("the judge was trained again"))
    assert prepare(shop, SETTINGS, tmp_path).judge.digest == first.judge.digest


def test_a_stopped_training_goes_on_to_the_same_weights(prepared, trained, tmp_path):
    with pytest.raises(TrainingStopped):
        train_candidate(prepared, SETTINGS, tmp_path, Recorder(terminate_at=8))
    assert not (tmp_path / "artefact").exists()
    again = train_candidate(prepared, SETTINGS, tmp_path)
    assert again.digest == trained.digest
    assert not list(tmp_path.glob(".*.part"))


def test_a_candidate_can_begin_from_another(prepared, trained, shop, tmp_path):
    """The judge too: it begins from the other's, under the other's colour table."""
    from safetensors import safe_open

    from training.restgan.start import save_discriminators

    with safe_open(trained.training.artefact.parent / "checkpoint" / "state.safetensors", "pt") as state:
        prefix = "parameter/discriminators/"
        names = [name for name in state.keys() if name.startswith(prefix)]  # noqa: SIM118
        save_discriminators(trained.artefact, {name.removeprefix(prefix): state.get_tensor(name) for name in names})
    following = replace(SETTINGS, base=str(trained.artefact))
    again = train_candidate(prepare(shop, following, tmp_path / "prepared"), following, tmp_path / "out")
    assert again.base_digest != trained.base_digest
    base, before = load_artefact(again.artefact / BASE_FOLDER), load_artefact(trained.artefact)
    np.testing.assert_array_equal(base.draw(["red shorts"], 1)[0], before.draw(["red shorts"], 1)[0])


def test_the_base_that_ships_is_found_by_name_and_another_name_is_refused(monkeypatch, tmp_path):
    assert base_folder("restgan-tiny").name == "restgan-tiny"
    monkeypatch.setenv("SELVEDGE_MODELS", str(tmp_path))
    with pytest.raises(SelvedgeError, match="base restgan-tiny is neither a folder with a model nor in"):
        base_folder("restgan-tiny")


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ((0.5, 0.5), "three positive shares that sum to 1"),
        ((0.5, 0.6, 0.1), "three positive shares that sum to 1"),
        ((1.0, 0.0, 0.0), "shares is 1.0; it must lie between 0 and 1, both excluded"),
    ],
)
def test_shares_that_are_none_are_refused(wrong, sentence):
    with pytest.raises(SelvedgeError, match=sentence):
        RestganCandidateSettings(shares=wrong)


def test_the_base_that_ships_fits_in_the_project_and_is_whole():
    folder = Path(base_folder("restgan-tiny"))
    model = load_artefact(folder)
    assert sum(file.stat().st_size for file in folder.iterdir()) <= 15_000_000
    assert model.side == 64
    assert model.settings.variant == "restgan"
    assert load_judge(folder / JUDGE_FILE).own_accuracy["type"] > 0.9


@pytest.mark.slow
def test_each_word_does_what_it_says_in_the_base_that_ships():
    """Its own colours, named or not, and short legs: measured on pixels, without any classifier."""
    from catalog.lab import difference
    from training.restgan.samples import garment_colours

    model = load_artefact(base_folder("restgan-tiny"))
    named = [name for name in model.colours.names if name not in ("white", "multi")]
    pictures = [model.draw([f"men {name} pants"] * 1, seed=4)[0] for name in named]
    before = garment_colours(np.stack([drawn[0] for drawn in pictures]))
    after = garment_colours(np.stack([drawn[-1] for drawn in pictures]))
    centres = np.stack([model.colours.centres[model.colours.cluster(name)] for name in named])
    assert np.median(difference(after, centres)) < 8 < np.median(difference(before, centres))
    long, short = (model.draw([f"women blue {kind}"] * 1, seed=4)[0][-1] for kind in ("jeans", "shorts"))
    ratio = [np.ptp(np.flatnonzero((p < 200).any(axis=(1, 2)))) / np.ptp(np.flatnonzero((p < 200).any(axis=(0, 2))))
             for p in (long, short)]  # fmt: skip
    assert ratio[0] > 1.2 > ratio[1]
