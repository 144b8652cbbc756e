"""Training: it learns, it resumes to the same bits, its mean is a mean, and it refuses what it cannot do."""

import json
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

from catalog.errors import SelvedgeError
from tests.training.handsoff.small import settings, shapes, train
from training.augmentation import Augmentation, augment
from training.handsoff import loop
from training.handsoff.frozen import load_generator
from training.handsoff.loop import sample_grid, train_generator
from training.handsoff.start import read_start
from training.reporting import Silent
from training.stopping import TrainingStopped
from training.weights import read_tensors


def weights(result):
    return read_tensors([result.artefact / "weights.safetensors", result.artefact / "discriminator.safetensors"])


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def test_a_stopped_run_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    whole = train(tmp_path / "whole")
    advance = loop._GeneratorRun.advance

    def stopped(run):
        if run.step == 3:
            raise TrainingStopped("stopped")
        return advance(run)

    monkeypatch.setattr(loop._GeneratorRun, "advance", stopped)
    with pytest.raises(TrainingStopped):
        train(tmp_path / "parts", checkpoint_every=1)
    monkeypatch.undo()
    parts = train(tmp_path / "parts", checkpoint_every=1)
    assert equal(weights(parts), weights(whole)) and parts.history == whole.history
    assert parts.steps == 6 and parts.digest != "" and parts.skipped == 0
    assert train(tmp_path / "parts", checkpoint_every=1) == parts  # finished: nothing is done again


def test_the_same_seed_is_the_same_run_and_another_is_another(tmp_path):
    one, same, other = (train(tmp_path / str(n), seed=seed) for n, seed in enumerate((0, 0, 1)))
    assert equal(weights(one), weights(same)) and not equal(weights(one), weights(other))


def test_the_running_mean_is_the_mean_of_all_weights_that_a_formula_gives(tmp_path):
    seen = []

    def watch(step, frozen, _):
        seen.append([p.clone() for p in frozen.generator.parameters()])

    live = []
    move = loop._GeneratorRun._move

    def noted(run, module):
        move(run, module)
        if module is run.generator:
            live.append([p.detach().clone() for p in module.parameters()])

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loop._GeneratorRun, "_move", noted)
        torch.manual_seed(0)
        chosen = settings(average_half_life=16.0, average_ramp=0.0)
        train_generator(shapes(), chosen, tmp_path, Silent(), watch=watch, watch_every=1)
    keeps = 0.5 ** (chosen.batch_size / chosen.average_half_life)
    for (before, after), now in zip(pairwise(seen), live[1:], strict=True):
        for mean, last, weight in zip(after, before, now, strict=True):
            assert torch.allclose(mean, keeps * last + (1 - keeps) * weight, atol=1e-6)


def test_the_discriminator_learns_to_tell_and_the_generator_to_draw_white_borders(tmp_path):
    result = train(tmp_path, images=320, rate=5e-3, average_half_life=32.0)
    assert result.history[-1]["discriminator"] < 0.69  # log 2: telling nothing apart
    pictures = result.load().sample(16, 0).pictures.astype(float)
    assert pictures[:, 6:10, 6:10].mean() < pictures[:, 0].mean() - 20


def test_real_and_drawn_pictures_of_a_step_are_changed_alike(tmp_path, monkeypatch):
    changes = []

    def noted(pictures, augmentation):
        changes.append(augmentation)
        return augment(pictures, augmentation)

    monkeypatch.setattr(loop, "augment", noted)
    train(tmp_path, images=8)
    real, drawn = changes
    assert isinstance(real, Augmentation) and real is drawn and real.shift.abs().max() <= 0.125


def test_a_bad_batch_moves_nothing_and_is_counted_and_mostly_bad_ones_end_the_run(tmp_path, monkeypatch):
    of_pairs, calls = loop.discriminator_loss, []

    def one_bad(real, drawn):
        calls.append(0)
        return of_pairs(real, drawn) * (float("nan") if len(calls) == 2 else 1.0)

    monkeypatch.setattr(loop, "discriminator_loss", one_bad)
    result = train(tmp_path / "one")
    assert result.skipped == 1 and all(torch.isfinite(w).all() for w in weights(result).values())
    assert json.loads((result.artefact / "selvedge.json").read_text())["notes"]["skipped"] == 1
    monkeypatch.setattr(loop, "generator_loss", lambda real, drawn: drawn.mean() * float("nan"))
    monkeypatch.setattr(loop, "discriminator_loss", lambda real, drawn: (real - drawn).mean() * float("nan"))
    with pytest.raises(SelvedgeError, match=r"most gradients up to step 2 were not finite.*handsoff\.rate"):
        train(tmp_path / "all")
    assert not (tmp_path / "all" / "model").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"size": 48}, r"setting handsoff\.size is 48; use one of \[16, 32, 64, 128\]"),
        ({"rate": 0.0}, r"setting handsoff\.rate is 0\.0; it must be above 0"),
        ({"cutout": 1.5}, r"setting handsoff\.cutout is 1\.5; it must lie between 0 and 1"),
        ({"precision": "fp16"}, r"setting handsoff\.precision is 'fp16'; use one of"),
        ({"generator_width": 12}, r"setting handsoff\.generator_width is 12; use a multiple of 8"),
        ({"device": "tpu"}, r"setting handsoff\.device is 'tpu'; use auto"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(changes, words):
    with pytest.raises(SelvedgeError, match=words):
        settings(**changes)


def test_pictures_of_another_side_or_too_few_are_refused_before_any_work(tmp_path):
    with pytest.raises(SelvedgeError, match=r"pictures are 32 pixels wide and handsoff\.size is 16"):
        train(tmp_path / "run", shapes(size=32))
    with pytest.raises(SelvedgeError, match=r"5 pictures, less than one batch of 8"):
        train(tmp_path / "run", shapes(5))
    assert not (tmp_path / "run").exists()


def test_a_checkpoint_of_other_pictures_or_settings_stays_and_is_named(tmp_path):
    train(tmp_path)
    with pytest.raises(SelvedgeError, match="was made with other pictures"):
        train(tmp_path, shapes(seed=1))
    with pytest.raises(SelvedgeError, match=r"was made with handsoff\.rate 0\.002, not 0\.001"):
        train(tmp_path, rate=1e-3)


def test_a_run_begins_from_a_base_of_its_side_or_half_of_it_and_from_no_other(tmp_path):
    base = train(tmp_path / "base", images=16).artefact
    start = read_start(base, settings())
    went_on = train_generator(shapes(), settings(images=8), tmp_path / "on", Silent(), start=start)
    assert went_on.digest != read_start(base, settings()).digest
    double = settings(size=32, images=8)
    grown = train_generator(
        shapes(size=32), double, tmp_path / "grown", Silent(), start=read_start(base, double)
    ).load()
    assert grown.size == 32
    theirs = load_generator(base).generator.state_dict()
    assert torch.allclose(grown.generator.state_dict()["synthesis.constant"], theirs["synthesis.constant"], atol=0.05)
    for changes in ({"size": 64}, {"latent": 16}):
        with pytest.raises(SelvedgeError, match=rf"has handsoff\.{next(iter(changes))} .* and the settings"):
            read_start(base, settings(**changes))


def test_the_grid_shows_every_sample_and_fills_up_with_white(tmp_path):
    frozen = train(tmp_path, images=8).load()
    grid = sample_grid(frozen, frozen.latents(5, 0))
    assert grid.size == (32, 48) and grid.crop((16, 32, 32, 48)).getextrema() == ((255, 255),) * 3
    assert replace(frozen.settings).size == 16
