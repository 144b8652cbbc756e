"""Samples: the queries that are asked, what changes of them mean, and a model with other words."""

from dataclasses import replace

import numpy as np
import pytest

from evaluation.generation import NOT_ASKED
from evaluation.hierarchical import CrossedResamples
from evaluation.refinement import refinement
from tests.training.restgan.synthetic import synthetic_bottoms, synthetic_colours
from tests.training.restgan.test_loop import TINY
from training.attribute_judge import AttributeJudge
from training.restgan.dataset import ATTRIBUTES
from training.restgan.judge_training import JudgeSettings, train_judge
from training.restgan.samples import (
    CHANGES,
    REORDERED,
    SILENT,
    UNDONE,
    changes_of,
    choose_queries,
    draw_samples,
    garment_colours,
    put_to_model,
    sequences_of,
    whole_wanted,
)
from training.restgan.start import random_start
from training.restgan.words import COLOUR, UNKNOWN, Vocabulary

BOTTOMS = synthetic_bottoms(600, size=32)
HELD_OUT = BOTTOMS.of("test")
QUERIES = choose_queries(HELD_OUT, growing=20)


@pytest.fixture(scope="module")
def judge() -> AttributeJudge:
    return train_judge(BOTTOMS, JudgeSettings(width=4, epochs=2, device="cpu"))


@pytest.fixture(scope="module")
def model():
    return random_start(BOTTOMS, replace(TINY, size=16, stages=2))


@pytest.fixture(scope="module")
def samples(model, judge):
    return draw_samples(model, judge, QUERIES)


def test_growing_queries_are_distinct_and_short(judge):
    assert len(set(QUERIES.names)) == len(QUERIES.names) == 20
    cut = choose_queries(HELD_OUT, growing=20, longest=2)
    assert cut.growing.words.shape[1] == 2 and cut.growing.lengths.max() <= 2
    assert choose_queries(HELD_OUT, growing=20).names == QUERIES.names


def test_changes_say_what_they_ought_to():
    some, rows = QUERIES.growing, np.arange(20)
    silent = QUERIES.changed[SILENT]
    assert (silent.words[rows, some.lengths] == UNKNOWN).all()
    assert (silent.lengths == some.lengths + 1).all()
    assert (silent.mentioned[rows, silent.lengths - 1] == some.mentioned[rows, some.lengths - 1]).all()
    reordered = QUERIES.changed[REORDERED]
    assert (np.sort(reordered.words, axis=1) == np.sort(some.words, axis=1)).all()
    undone = QUERIES.changed[UNDONE]
    assert not (undone.colour_words >= 0).any()
    assert QUERIES.removed[:, COLOUR].all() and not QUERIES.removed[:, [0, 2]].any()
    for row, length in enumerate(some.lengths):
        left = [word for word in some.words[row, :length] if word not in some.words[row][some.colour_words[row] >= 0]]
        assert undone.words[row, : undone.lengths[row]].tolist() == left


def test_what_is_wanted_is_what_the_words_say():
    wanted = whole_wanted(HELD_OUT)
    said = HELD_OUT.mentioned[np.arange(len(HELD_OUT)), HELD_OUT.lengths - 1]
    assert ((wanted == NOT_ASKED) == ~said).all()
    assert (wanted[said] == HELD_OUT.labels[said]).all()


def test_steps_are_the_pictures_that_the_model_draws(samples, model, judge):
    some = QUERIES.growing
    drawn = model.draw_encoded(some.words, some.colour_words, some.lengths, model.noise(len(some), 0))
    for row, pictures in enumerate(drawn):
        seen = judge.features(pictures)
        np.testing.assert_allclose(samples["steps/features"][row, : len(pictures)], seen, atol=1e-4)


def test_samples_become_the_structures_that_figures_are_made_of(samples, judge):
    sequences = sequences_of(samples, QUERIES)
    own = dict.fromkeys(ATTRIBUTES, 0.9)
    found = refinement([sequences], own, CrossedResamples(QUERIES.names, 1, resamples=20))
    assert 0 <= found.accuracy.value <= 1 and found.drift.value > 0
    for change in CHANGES:
        changed = changes_of([samples, samples], QUERIES, change)
        assert changed.answers.shape == (2, 20, 3)
        last = samples["steps/answers"][np.arange(20), QUERIES.growing.lengths - 1]
        assert (changed.answers[0] == last).all()


def test_half_of_it_can_be_left_out(model, judge, samples):
    fewer = draw_samples(model, judge, QUERIES, with_changes=False)
    assert set(samples) - set(fewer) == {name for name in samples if name.split("/")[0].split("-")[0] in CHANGES}
    np.testing.assert_array_equal(fewer["features"], samples["features"])


def test_a_model_of_another_vocabulary_is_asked_the_same_words(model, judge, samples):
    """Ids in another order, colours by other numbers: the same weights at their words draw the same pictures."""
    import torch

    order = [0, 1, *reversed(range(2, len(model.vocabulary)))]
    other = random_start(BOTTOMS, model.settings)
    other.vocabulary = Vocabulary(tuple(model.vocabulary.words[place] for place in order))
    with torch.no_grad():
        other.text.embedding.weight.copy_(model.text.embedding.weight[order])
    asked = put_to_model(QUERIES, other)
    assert (asked.growing.words != QUERIES.growing.words).any()
    again = draw_samples(other, judge, asked)
    for name, table in samples.items():
        np.testing.assert_allclose(again[name], table, atol=1e-4, err_msg=name)


def test_the_colour_of_a_garment_is_that_of_its_pixels():
    picture = np.full((1, 32, 32, 3), 255, np.uint8)
    picture[0, 4:28, 8:24] = (200, 30, 40)
    lightness, a, b = garment_colours(picture)[0]
    assert 40 < lightness < 46 and a > 55 and b > 30
    assert synthetic_colours(3).names[2] == "red"
