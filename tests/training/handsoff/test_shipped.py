"""The base that ships: whole, deterministic, drawing garments on light backdrops, and as its card says."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from benchmarks.handsoff_base import write_card
from training.attribute_judge import load_judge
from training.folders import models_folder
from training.handsoff.frozen import load_generator
from training.handsoff.start import read_start

TINY = models_folder() / "handsoff-tiny"
SIDES = (64, 128)


@pytest.mark.parametrize("side", SIDES)
def test_it_loads_and_is_the_model_of_its_recipe(side):
    frozen = load_generator(TINY / str(side), size=side)
    recipe = json.loads((TINY / str(side) / "recipe.yaml").read_text(encoding="utf-8"))
    assert recipe["digests"]["model"] == frozen.digest
    assert recipe["digests"]["judge"] == load_judge(TINY / "judge.safetensors").digest
    assert frozen.settings == replace(frozen.settings, **recipe["settings"])
    later = [entry for entry in recipe["kid over time"] if 2 * entry["step"] >= frozen.settings.steps]
    assert min(later, key=lambda entry: entry["kid"])["images"] == recipe["figures"]["images seen"]


def test_the_larger_began_from_the_smaller_and_trainings_begin_from_both():
    small, large = (load_generator(TINY / str(side)) for side in SIDES)
    recipe = json.loads((TINY / "128" / "recipe.yaml").read_text(encoding="utf-8"))
    assert recipe["begins from"] == small.digest
    assert read_start(TINY / "64", large.settings).digest == small.digest
    assert read_start(TINY / "128", large.settings).digest == large.digest


@pytest.mark.parametrize("side", SIDES)
def test_samples_are_a_function_of_the_seed_and_garments_on_a_light_backdrop(side):
    frozen = load_generator(TINY / str(side))
    pictures = frozen.sample(8, 1).pictures
    assert (frozen.sample(8, 1).pictures == pictures).all() and (frozen.sample(2, 2).pictures != pictures[:2]).any()
    inside = np.zeros((side, side), bool)
    inside[1:-1, 1:-1] = True
    border = pictures[:, ~inside]
    assert (border.mean(axis=(1, 2)) > 210).all() and (border.min(axis=-1) < 200).mean() < 0.03
    garment = (pictures.min(axis=-1) < 200).mean(axis=(1, 2))
    assert ((garment > 0.05) & (garment < 0.8)).all()
    middles = pictures[:, side // 4 : -side // 4, side // 4 : -side // 4].reshape(8, -1, 3).mean(axis=1)
    assert np.ptp(middles, axis=0).min() > 60  # many colours, not one garment eight times


def test_its_card_has_the_figures_of_the_recipes_and_keeps_what_a_person_wrote(tmp_path, capsys):
    again = shutil.copytree(TINY, tmp_path / "tiny")
    write_card(again)
    assert (again / "README.md").read_bytes() == (TINY / "README.md").read_bytes()
    (again / "README.md").unlink()
    write_card(again)
    assert "Nobody has looked at its samples yet" in (again / "README.md").read_text(encoding="utf-8")


def test_it_stays_small_enough_to_ship():
    assert sum(file.stat().st_size for file in TINY.rglob("*") if file.is_file()) < 15_000_000
