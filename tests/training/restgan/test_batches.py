"""Batches: every picture once an epoch, prefixes that mention what their words say, orders that lose nothing."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from catalog.errors import SelvedgeError
from tests.training.restgan.synthetic import synthetic_bottoms
from training.restgan.batches import Batches, Sequences, replace_silent, scaled, shuffle
from training.restgan.words import UNKNOWN, meaning

BOTTOMS = synthetic_bottoms(90, size=16)
CPU = torch.device("cpu")


def sequences() -> Sequences:
    return Sequences(BOTTOMS.words, BOTTOMS.colour_words, BOTTOMS.lengths, BOTTOMS.mentioned)


def test_a_batch_follows_from_its_number_and_an_epoch_sees_every_picture_once():
    batches = Batches(BOTTOMS, (16,), 9, seed=4)
    first, again = batches.at(3, 0.5, 0.1, CPU), Batches(BOTTOMS, (16,), 9, seed=4).at(3, 0.5, 0.1, CPU)
    for name in ("words", "lengths", "mentioned", "labels", "colour_words"):
        assert torch.equal(getattr(first, name), getattr(again, name))
    assert torch.equal(first.pictures[0], again.pictures[0])
    seen = torch.cat([batches.at(step, 0, 0, CPU).pictures[0] for step in range(10)])
    assert np.array_equal(_sorted(seen), _sorted(scaled(BOTTOMS.pictures, 16).float() / 127.5 - 1))
    assert not torch.equal(batches.at(0, 0, 0, CPU).words, batches.at(10, 0, 0, CPU).words)


def _sorted(pictures: torch.Tensor) -> np.ndarray:
    return np.array(sorted(pictures.flatten(1).tolist()))


@given(st.integers(0, 2**31), st.integers(0, 40))
@hypothesis_settings(max_examples=20, deadline=None)
def test_a_prefix_mentions_exactly_what_its_own_words_say(seed, step):
    batch = Batches(BOTTOMS, (16,), 16, seed).at(step, 0.7, 0.2, CPU)
    for row in range(16):
        length = int(batch.lengths[row])
        places = [BOTTOMS.vocabulary.words[i] for i in batch.words[row, :length]]
        _, mentioned, said = meaning(places, BOTTOMS.colours)
        assert batch.mentioned[row].tolist() == mentioned[-1].tolist()
        assert all(said[a] == batch.labels[row, a] for a in range(3) if mentioned[-1, a])


def test_prefix_lengths_are_even_from_one_word_to_all():
    batches, counts = Batches(BOTTOMS, (16,), 45, 0), np.zeros(6)
    full = []
    for step in range(60):
        batch = batches.at(step, 0.0, 0.0, CPU)
        counts += np.bincount(batch.lengths, minlength=6)
        full.append(batch.lengths.max())
    assert counts[0] == 0 and max(full) == BOTTOMS.lengths.max()
    share = [(1 / BOTTOMS.lengths[BOTTOMS.lengths >= k]).sum() / 90 for k in range(1, 6)]
    assert np.allclose(counts[1:] / counts.sum(), share, atol=0.03)


@given(st.integers(0, 2**31))
@hypothesis_settings(max_examples=15, deadline=None)
def test_shuffling_keeps_the_words_of_each_sequence_and_padding_at_the_end(seed):
    before, after = sequences(), shuffle(sequences(), 1.0, np.random.default_rng(seed))
    for row, length in enumerate(BOTTOMS.lengths):
        pairs = [sorted(zip(s.words[row, :length], s.colour_words[row, :length], strict=True)) for s in (before, after)]
        assert pairs[0] == pairs[1] and not after.words[row, length:].any()
        assert after.mentioned[row, length - 1].tolist() == before.mentioned[row, length - 1].tolist()
    assert (after.words != before.words).any()
    same = shuffle(before, 0.0, np.random.default_rng(seed))
    assert np.array_equal(same.words, before.words) and np.array_equal(same.mentioned, before.mentioned)


def test_only_words_that_say_nothing_become_unknown():
    after = replace_silent(sequences(), 1.0, np.random.default_rng(0))
    for row, length in enumerate(BOTTOMS.lengths):
        for place in range(length):
            word = BOTTOMS.vocabulary.words[BOTTOMS.words[row, place]]
            silent = word in ("slim", "striped", "cropped", "cotton")
            assert (after.words[row, place] == UNKNOWN) == silent
        assert not after.words[row, length:].any()


def test_smaller_stages_see_the_mean_of_the_pixels():
    pictures = np.random.default_rng(0).integers(0, 256, (3, 8, 8, 3)).astype(np.uint8)
    small = scaled(pictures, 4)
    assert small.shape == (3, 3, 4, 4)
    assert abs(small[1, 2, 3, 0].item() - pictures[1, 6:8, 0:2, 2].mean()) <= 0.5
    assert np.array_equal(scaled(pictures, 8).numpy(), pictures.transpose(0, 3, 1, 2))
    with pytest.raises(SelvedgeError, match="8 pixels wide, which is no multiple of 16"):
        scaled(pictures, 16)


def test_fewer_pictures_than_a_batch_are_refused():
    with pytest.raises(SelvedgeError, match="the training part has 90 bottoms, less than one batch of 100"):
        Batches(BOTTOMS, (16,), 100, 0)
