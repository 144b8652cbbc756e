"""Drawing: the same words, seed and weights give the same pictures, from memory, from disk and word by word."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from catalog.errors import SelvedgeError
from tests.training.restgan.synthetic import synthetic_bottoms
from training.restgan.grids import chosen_rows, word_grid
from training.restgan.sampling import RestganModel, build_networks, load_artefact, save_artefact
from training.restgan.settings import VARIANTS, RestganSettings

BOTTOMS = synthetic_bottoms(60, size=16)
SMALL = RestganSettings(
    size=16, noise=8, embedding=12, state=16, condition=6, generator_width=8, discriminator_width=8, refiner_width=8
)
QUERIES = ["women blue pants", "men red slim shorts cotton", "jeans"]


def untrained(seed: int = 0, **changes) -> RestganModel:
    settings = replace(SMALL, **changes)
    torch.manual_seed(seed)
    text, generator = build_networks(settings, BOTTOMS.vocabulary, BOTTOMS.colours)
    return RestganModel(settings, text, generator, BOTTOMS.vocabulary, BOTTOMS.colours)


@pytest.mark.parametrize("stages", [1, 2])
def test_there_is_a_picture_after_each_word_and_the_seed_decides(stages):
    model = untrained(stages=stages)
    pictures = model.draw(QUERIES, seed=5)
    side = 16 * stages
    assert [p.shape for p in pictures] == [(3, side, side, 3), (5, side, side, 3), (1, side, side, 3)]
    assert all(p.dtype == np.uint8 for p in pictures) and model.side == side
    assert all(np.array_equal(a, b) for a, b in zip(pictures, model.draw(QUERIES, seed=5), strict=True))
    assert not np.array_equal(pictures[0], model.draw(QUERIES, seed=6)[0])
    assert model.draw([]) == []


def test_a_querys_pictures_do_not_depend_on_the_queries_after_it():
    model = untrained()
    alone, together = model.draw(QUERIES[:1], seed=1)[0], model.draw(QUERIES, seed=1)[0]
    assert np.abs(alone.astype(int) - together).max() <= 1


def test_a_prefix_is_drawn_as_the_sequence_that_goes_on_from_it():
    model = untrained()
    long, short = model.draw(["women blue pants slim"], seed=2)[0], model.draw(["women blue"], seed=2)[0]
    assert np.abs(long[:2].astype(int) - short).max() <= 1
    encoded = model.encode("women blue")
    last = model.draw_last(encoded.words[None], encoded.colour_words[None], np.array([2]), model.noise(1, 2))
    assert np.abs(last[0].astype(int) - short[1]).max() <= 1


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_word_by_word_one_more_word_costs_one_step_and_gives_the_same_picture(variant):
    model = untrained(variant=variant)
    at_once = model.draw(["women blue pants slim"], seed=3)[0]
    refinement = model.refinement(seed=3)
    for place, word in enumerate(["women", "blue", "pants", "slim"]):
        picture = refinement.add(word)
        assert refinement.steps == place + 1
        assert np.abs(picture.astype(int) - at_once[place]).max() <= 1
    assert refinement.places == ("women", "blue", "pants", "slim")


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_a_word_that_the_model_does_not_know_leaves_the_picture_as_it_was(variant):
    model = untrained(variant=variant)
    plain, strange = "women blue slim pants", "women quilted blue sequins spiked slim pants corduroy"
    before = [0, 0, 1, 1, 1, 2, 3, 3]
    (alone,), (among,) = model.draw([plain], seed=4), model.draw([strange], seed=4)
    assert np.abs(among.astype(int) - alone[before]).max() <= 1
    encoded = model.encode(strange)
    rows = np.zeros(8, int)
    last = model.draw_last(
        encoded.words[None][rows], encoded.colour_words[None][rows], np.arange(1, 9), model.noise(1, 4).repeat(8)
    )
    assert np.abs(last.astype(int) - among).max() <= 1
    refinement = model.refinement(seed=4)
    grown = np.stack([refinement.add(word) for word in strange.split()])
    assert np.abs(grown.astype(int) - among).max() <= 1
    assert refinement.steps == 4


@pytest.mark.parametrize("variant", list(VARIANTS))
def test_words_that_the_model_does_not_know_may_come_first(variant):
    model = untrained(variant=variant)
    (alone,), (among,) = model.draw(["pants blue"], seed=4), model.draw(["quilted sequins pants blue"], seed=4)
    assert np.array_equal(among[0], among[1]) and not np.array_equal(among[1], among[2])
    assert np.abs(among[2:].astype(int) - alone).max() <= 1
    refinement = model.refinement(seed=4)
    refinement.add("quilted sequins pants")
    assert np.abs(refinement.add("blue").astype(int) - among[-1]).max() <= 1


def test_a_word_that_changes_how_an_earlier_one_is_read_is_read_with_it():
    model = untrained()
    refinement = model.refinement(seed=0)
    refinement.add("women's cotton pants in navy")
    picture = refinement.add("blue")
    assert refinement.places[-1] == "navy blue"
    assert np.abs(picture.astype(int) - model.draw(["women's cotton pants in navy blue"], 0)[0][-1]).max() <= 1


def test_a_query_that_cannot_be_read_leaves_a_refinement_as_it_was():
    model = untrained()
    with pytest.raises(SelvedgeError, match="query is empty"):
        model.refinement().add("  ")
    refinement = model.refinement()
    refinement.add("blue")
    with pytest.raises(SelvedgeError, match="not Latin"):
        refinement.add("джинсы")
    assert refinement.places == ("blue",)
    refinement.add("jeans")
    assert refinement.steps == 2
    with pytest.raises(SelvedgeError, match="none of the words"):
        model.draw(["blue", "xylophone"])


@pytest.mark.parametrize("variant", ["restgan", "stackgan"])
def test_an_artefact_draws_what_the_model_drew(tmp_path: Path, variant):
    model = untrained(variant=variant, stages=2)
    digest = save_artefact(tmp_path / "model", model, {"steps": 1})
    state = torch.get_rng_state()
    loaded = load_artefact(tmp_path / "model")
    assert torch.equal(state, torch.get_rng_state())
    assert loaded.digest == digest and loaded.settings == model.settings
    assert sorted(p.name for p in (tmp_path / "model").iterdir()) == ["selvedge.json", "weights.safetensors"]
    assert all(np.array_equal(a, b) for a, b in zip(loaded.draw(QUERIES, 1), model.draw(QUERIES, 1), strict=True))
    assert save_artefact(tmp_path / "other", model, {"steps": 2}) == digest, "notes are for people"
    assert save_artefact(tmp_path / "other", untrained(1, variant=variant, stages=2)) != digest


def test_a_damaged_or_foreign_artefact_is_one_sentence(tmp_path: Path):
    save_artefact(tmp_path / "model", untrained())
    about = json.loads((tmp_path / "model" / "selvedge.json").read_text())

    def broken(**changes) -> Path:
        shutil.rmtree(tmp_path / "bad", ignore_errors=True)
        shutil.copytree(tmp_path / "model", tmp_path / "bad")
        (tmp_path / "bad" / "selvedge.json").write_text(json.dumps(about | changes))
        return tmp_path / "bad"

    with pytest.raises(SelvedgeError, match="of the family ad-ranker, not restgan"):
        load_artefact(broken(family="ad-ranker"))
    with pytest.raises(SelvedgeError, match="has format 99, this version reads 1"):
        load_artefact(broken(format=99))
    with pytest.raises(SelvedgeError, match="does not match its digest"):
        load_artefact(broken(settings=about["settings"] | {"noise": 9}))
    (broken() / "weights.safetensors").write_bytes(b"junk")
    with pytest.raises(SelvedgeError, match="missing or broken"):
        load_artefact(tmp_path / "bad")
    with pytest.raises(SelvedgeError, match="is missing or not JSON"):
        load_artefact(tmp_path / "nowhere")


def test_weights_that_are_not_finite_are_not_saved(tmp_path: Path):
    model = untrained()
    with torch.no_grad():
        model.generator.one.first.bias[0] = float("nan")
    with pytest.raises(SelvedgeError, match="is not finite; nothing was saved"):
        save_artefact(tmp_path / "model", model)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_drawing_needs_no_training_library():
    script = (
        "import sys, training.restgan.sampling; "
        "print([n for n in ('transformers', 'peft', 'dagster', 'mlflow', 'skia', 'skimage') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert not {"transformers", "peft", "dagster", "mlflow", "skia"} & set(eval_list(done.stdout))


def eval_list(printed: str) -> list[str]:
    return json.loads(printed.replace("'", '"'))


def test_the_queries_of_a_grid_are_always_the_same_and_differ_from_each_other():
    rows = chosen_rows(BOTTOMS, 6, seed=1)
    assert np.array_equal(rows, chosen_rows(BOTTOMS, 6, seed=1)) and len(set(rows.tolist())) == 6
    assert len(set(BOTTOMS.rows["query"].iloc[rows])) == 6
    assert np.bincount(BOTTOMS.labels[rows, 0]).tolist() == [2, 2, 2]
    assert len(chosen_rows(BOTTOMS, 10_000)) == BOTTOMS.rows["query"].nunique()


def test_a_grid_has_a_column_a_query_and_a_row_a_word():
    pictures = [np.full((length, 32, 32, 3), 10 * length, np.uint8) for length in (1, 3)]
    sheet = word_grid(pictures, [["jeans"], ["men", "navy blue", "jeans"]])
    tile = 96 + 6
    assert sheet.size == (6 + 2 * tile, 6 + 3 * (tile + 13))
    pixels = np.asarray(sheet)
    assert (pixels == 10).all(axis=2).sum() == 96 * 96 and (pixels == 30).all(axis=2).sum() == 3 * 96 * 96
