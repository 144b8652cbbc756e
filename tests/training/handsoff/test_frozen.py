"""The artefact: exact round trip, hashes, and the refusal of what is not the model that was saved."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file

from catalog.errors import SelvedgeError
from tests.training.handsoff.small import settings, train
from training.handsoff.frozen import load_generator, round_weights, save_generator
from training.handsoff.start import read_start


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return train(tmp_path_factory.mktemp("handsoff"), images=16)


@pytest.fixture
def copied(trained, tmp_path):
    return shutil.copytree(trained.artefact, tmp_path / "model")


def test_what_was_loaded_saves_to_the_same_bytes_and_draws_the_same(trained, tmp_path):
    model = trained.load()
    digest = save_generator(tmp_path / "again", model.settings, model.generator)
    first, second = (p / "weights.safetensors" for p in (trained.artefact, tmp_path / "again"))
    assert first.read_bytes() == second.read_bytes() and digest != model.digest == trained.digest  # no discriminator
    again = load_generator(tmp_path / "again")
    assert (again.sample(2, 0).pictures == model.sample(2, 0).pictures).all()
    assert all(p.dtype == torch.float32 and not p.requires_grad for p in again.generator.parameters())
    assert all(tensor.dtype == torch.float16 for tensor in load_file(first).values())
    rounded = load_generator(tmp_path / "again").generator
    round_weights(rounded)
    assert all(torch.equal(a, b) for a, b in zip(rounded.parameters(), model.generator.parameters(), strict=True))


@pytest.mark.parametrize("file", ["weights.safetensors", "discriminator.safetensors"])
def test_changed_weights_are_refused(copied, file):
    tensors = load_file(copied / file)
    name = sorted(tensors)[0]
    tensors[name].view(-1)[0] += 1
    save_file(tensors, copied / file)
    with pytest.raises(SelvedgeError, match=r"does not match its digest.*copy the whole folder again"):
        load_generator(copied)
        read_start(copied, settings())


def test_cut_weights_a_changed_about_and_another_family_are_refused(copied):
    whole = (copied / "weights.safetensors").read_bytes()
    (copied / "weights.safetensors").write_bytes(whole[:-100])
    with pytest.raises(SelvedgeError, match=r"weights\.safetensors are missing or broken"):
        load_generator(copied)
    (copied / "weights.safetensors").write_bytes(whole)
    file = copied / "selvedge.json"
    about = json.loads(file.read_text())
    for changes, words in (
        ({"settings": about["settings"] | {"generator_width": 16}}, "does not match its digest"),
        ({"family": "restgan"}, "is of the family restgan, not handsoff-generator"),
        ({"format": 9}, "has format 9"),
    ):
        file.write_text(json.dumps(about | changes))
        with pytest.raises(SelvedgeError, match=words):
            load_generator(copied)


def test_another_resolution_and_no_samples_are_refused_in_a_sentence(trained):
    with pytest.raises(SelvedgeError, match="draws pictures of 16 pixels and 64 are wanted"):
        load_generator(trained.artefact, size=64)
    assert load_generator(trained.artefact, size=16).size == 16
    with pytest.raises(SelvedgeError, match="cannot sample 0 pictures"):
        trained.load().sample(0, 0)


def test_without_a_discriminator_no_training_begins(trained, tmp_path):
    model = trained.load()
    save_generator(tmp_path / "alone", model.settings, model.generator)
    with pytest.raises(SelvedgeError, match=r"has no discriminator\.safetensors"):
        read_start(tmp_path / "alone", settings())


def test_a_weight_that_half_precision_cannot_hold_is_refused_and_nothing_is_left(trained, tmp_path):
    model = trained.load()
    next(model.generator.parameters()).data.view(-1)[0] = 1e6
    with pytest.raises(SelvedgeError, match="is not finite in half precision; nothing was saved"):
        save_generator(tmp_path / "no", model.settings, model.generator)
    assert not (tmp_path / "no").exists()
