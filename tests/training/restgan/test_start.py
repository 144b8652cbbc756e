"""Starts: a base put to other words and colours draws what it drew; another architecture is refused."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from catalog.errors import SelvedgeError
from tests.training.restgan.synthetic import synthetic_bottoms, synthetic_colours
from tests.training.restgan.test_loop import TINY
from training.reporting import Silent
from training.restgan.colours import nearest_clusters
from training.restgan.dataset import TYPES
from training.restgan.loop import train_restgan
from training.restgan.objective import discriminators_of
from training.restgan.sampling import build_networks, save_artefact
from training.restgan.start import Start, random_start, read_start, save_discriminators
from training.restgan.words import Vocabulary

BOTTOMS = synthetic_bottoms(80, size=32)
FEWER = synthetic_bottoms(80, size=32, clusters=3)


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """A base of random weights that learnt nothing, but whose every part is its own."""
    folder = tmp_path_factory.mktemp("base") / "base"
    save_artefact(folder, random_start(BOTTOMS, TINY))
    torch.manual_seed(5)
    save_discriminators(folder, discriminators_of(TINY, (3, len(BOTTOMS.colours), 3)).state_dict())
    return folder


def other_words(start: Start) -> Start:
    """The same base under a vocabulary in another order, with a word that it does not know."""
    words = [word for word in BOTTOMS.vocabulary.words[2:] if word != "slim"]
    return replace(start, vocabulary=Vocabulary(("<pad>", "<unknown>", "corduroy", *reversed(words))))


def test_words_that_both_know_draw_the_same_pictures(base):
    start = other_words(read_start(base, BOTTOMS, TINY))
    model = start.untrained(TINY)
    queries = ["women blue jeans striped", "red shorts", "men navy blue pants cotton"]
    assert model.vocabulary.words != start.model.vocabulary.words
    for ours, theirs in zip(model.draw(queries, 3), start.model.draw(queries, 3), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_a_new_word_begins_as_the_unknown_one(base):
    start = other_words(read_start(base, BOTTOMS, TINY))
    model = start.untrained(TINY)
    new = model.text.embedding.weight[model.vocabulary.id_of("corduroy")]
    assert torch.equal(new, start.model.text.embedding.weight[1])


def test_a_colour_enters_by_what_it_looks_like(base):
    """Cluster numbers of another table mean other colours; the features are the new table's."""
    start = read_start(base, FEWER, TINY)
    model = start.untrained(TINY)
    assert len(model.colours) == 3
    torch.testing.assert_close(model.text.colour_features, torch.from_numpy(FEWER.colours.features()))
    for ours, theirs in zip(model.draw(["red shorts"], 1), start.model.draw(["red shorts"], 1), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_the_discriminators_name_a_colour_as_the_nearest_one_they_know(base):
    start = read_start(base, FEWER, TINY)
    judges = discriminators_of(TINY, (3, 3, 3))
    text, generator = build_networks(TINY, FEWER.vocabulary, FEWER.colours)
    start.fill(text, generator, judges)
    head = judges[0].attribute_head.weight
    theirs = start.discriminators["0.attribute_head.weight"]
    nearest = nearest_clusters(FEWER.colours, BOTTOMS.colours)
    assert nearest.tolist() == [0, 1, 2]
    for mine, other in enumerate(nearest):
        assert torch.equal(head[len(TYPES) + mine], theirs[len(TYPES) + int(other)])
    assert torch.equal(head[-3:], theirs[-3:])


def test_nearest_clusters_are_by_looks_not_by_number():
    mine, theirs = synthetic_colours(6), synthetic_colours(4)
    found = nearest_clusters(mine, theirs).tolist()
    assert found[:4] == [0, 1, 2, 3]
    assert set(found) <= {0, 1, 2, 3}


def test_training_begins_from_the_base_and_is_another_run_than_without(base, tmp_path):
    start = read_start(base, BOTTOMS, TINY)
    slow = replace(TINY, images=8, generator_rate=1e-12, text_rate=1e-12, discriminator_rate=1e-12)
    result = train_restgan(BOTTOMS, slow, tmp_path / "a", Silent(), start)
    drawn = result.load().draw(["red shorts"], 1)[0].astype(int)
    assert np.abs(drawn - start.model.draw(["red shorts"], 1)[0]).max() <= 1
    with pytest.raises(SelvedgeError, match="was made with"):
        shutil.rmtree(tmp_path / "a" / "model")
        train_restgan(BOTTOMS, slow, tmp_path / "a", Silent())


def test_a_base_of_other_sizes_is_refused_with_the_setting(base):
    with pytest.raises(SelvedgeError, match=r"base .* has restgan.state 16 and the settings 24; set it so"):
        read_start(base, BOTTOMS, replace(TINY, state=24))


def test_a_base_without_discriminators_is_refused(base, tmp_path):
    shutil.copytree(base, tmp_path / "base")
    (tmp_path / "base" / "discriminators.safetensors").unlink()
    with pytest.raises(SelvedgeError, match="missing or broken"):
        read_start(tmp_path / "base", BOTTOMS, TINY)
