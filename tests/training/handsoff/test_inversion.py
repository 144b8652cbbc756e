"""Inversion: the encoder finds what was drawn, the best code of all steps is kept, and what cannot be is refused."""

import json
import os
import signal

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from catalog.errors import SelvedgeError
from tests.training.handsoff.labelling import generator, inversion_settings, invert, perception, pictures
from tests.training.handsoff.small import SIZE
from training.handsoff.encoder import train_encoder
from training.handsoff.inversion import invert_pictures, optimise_codes, read_inversions
from training.handsoff.pictures import pictures_of
from training.picture_tensors import to_float
from training.reporting import Silent
from training.stopping import TrainingStopped


def squared(first, second):
    return (first - second).square().mean(dim=(1, 2, 3))


def test_the_perceptual_distance_is_none_for_equal_pictures_and_lets_gradients_through():
    drawn = torch.rand(2, 3, 24, 24) * 2 - 1  # of another side than the classifier's
    apart, second = perception(), drawn.flip(3).requires_grad_()
    assert apart(drawn, drawn).tolist() == [0, 0] and (apart(drawn, second) > 0.01).all()
    apart(drawn, second).sum().backward()
    assert second.grad.abs().sum() > 0 and apart.name == "attribute-classifier layers"
    assert all(parameter.grad is None for parameter in apart.network.parameters())


def test_the_encoder_learns_the_w_of_generated_pictures(tmp_path):
    frozen = generator()
    w, held = frozen.sample(16, 99).w, to_float(torch.from_numpy(frozen.sample(16, 99).pictures))
    small = inversion_settings(encoder_steps=60, batch_size=16)
    encoder = train_encoder(frozen, None, small, tmp_path, Silent(), perception())
    of_mean = (frozen.mean_w() - w).square().mean()
    assert (encoder(held).mean(dim=1) - w).square().mean() < 0.8 * of_mean
    again = train_encoder(frozen, None, small, tmp_path, Silent(), perception())
    assert torch.equal(again(held), encoder(held)) and not (tmp_path / "model" / "checkpoint").exists()


def test_the_best_code_of_all_steps_is_kept_and_not_the_last():
    frozen = generator()
    drawn = frozen.synthesise(frozen.sample(3, 1).w).clamp(-1, 1)
    start = frozen.spread(frozen.mean_w()[None]).repeat(3, 1, 1)
    first = squared(frozen.synthesise(start), drawn)
    # A rate that throws every code away after its first step: the best is the start itself, to the bit.
    codes, errors = optimise_codes(frozen, drawn, start, squared, steps=4, rate=1e4)
    assert torch.equal(codes, start) and torch.allclose(errors, first)
    codes, errors = optimise_codes(frozen, drawn, start, squared, steps=30, rate=0.1)
    assert (errors < 0.6 * first).all()
    assert torch.allclose(squared(frozen.synthesise(codes), drawn), errors, atol=1e-6)
    held, _ = optimise_codes(frozen, drawn, start, squared, steps=30, rate=0.1, hold=1.0)
    assert (held - start).square().mean() < 0.3 * (codes - start).square().mean()


def test_pictures_that_the_generator_cannot_draw_are_refused_by_its_own_errors(tmp_path):
    frozen = generator()
    drawn = pictures(frozen, 3).array
    noise = np.random.default_rng(0).choice([0, 255], (1, SIZE, SIZE, 3)).astype(np.uint8)
    mixed = pictures_of(np.concatenate([drawn, noise]), ["a", "b", "c", "noise"])
    codes = invert(frozen, tmp_path / "out", mixed, tolerance=1.5)
    assert codes.kept.tolist() == [0, 1, 2] and codes.limit == pytest.approx(1.5 * codes.reference[-1])
    (sentence,) = codes.refusals()
    assert sentence.startswith("picture noise cannot be inverted: what this generator draws for it is off by ")
    again = read_inversions(tmp_path / "out")
    assert torch.equal(again.codes, codes.codes) and again.digest == codes.digest
    assert again.perception == "attribute-classifier layers" and len(again.reference) == 5
    only = pictures_of(noise, ["noise"])
    with pytest.raises(
        SelvedgeError, match=r"none of 1 pictures can be inverted: their errors begin at .* raise hands"
    ):
        invert(frozen, tmp_path / "none", only, tolerance=0.1)


def test_other_pictures_another_resolution_and_changed_codes_are_refused(tmp_path):
    frozen = generator()
    invert(frozen, tmp_path / "out", pictures(frozen, 2))
    with pytest.raises(SelvedgeError, match="holds inversions of other pictures or settings; give a new folder"):
        invert(frozen, tmp_path / "out", pictures(frozen, 3))
    large = pictures_of(np.zeros((1, 32, 32, 3), np.uint8), ["large"])
    with pytest.raises(SelvedgeError, match="are 32 pixels wide and the generator draws 16"):
        invert(frozen, tmp_path / "large", large)
    with pytest.raises(SelvedgeError, match="holds no finished inversions; run `selvedge handsoff invert`"):
        read_inversions(tmp_path / "none")
    file = tmp_path / "out" / "codes" / "inversions.json"
    about = json.loads(file.read_text())
    file.write_text(json.dumps(about | {"digest": "0"}))
    with pytest.raises(SelvedgeError, match="do not match their digest"):
        read_inversions(tmp_path / "out")
    file.write_text("{")
    with pytest.raises(SelvedgeError, match="cannot be read"):
        read_inversions(tmp_path / "out")


class Killer(Silent):
    """Asks to stop as soon as a job has come so far."""

    def __init__(self, job):
        self.job = job

    def progress(self, done, total, what):
        if what == self.job:
            os.kill(os.getpid(), signal.SIGTERM)


def test_a_stop_goes_on_to_the_same_codes(tmp_path):
    frozen = generator()
    drawn = pictures(frozen, 7)
    whole = invert(frozen, tmp_path / "whole", drawn)
    small, perceived = inversion_settings(), perception()
    with pytest.raises(TrainingStopped, match=r"stopped at pictures 6 of 7; run it again"):
        invert_pictures(frozen, drawn, small, tmp_path / "out", Killer("inverting pictures"), perceived)
    parts = sorted((tmp_path / "out" / "parts").iterdir())
    before = [part.stat().st_mtime_ns for part in parts]
    assert len(parts) == 4 and load_file(parts[0])["codes"].shape == (3, frozen.blocks, 8)
    again = invert_pictures(frozen, drawn, small, tmp_path / "out", Silent(), perceived)
    assert [part.stat().st_mtime_ns for part in parts] == before
    assert torch.equal(again.codes, whole.codes) and again.limit == whole.limit
