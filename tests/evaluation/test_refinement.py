"""Sequences whose truth is known: a perfect model, one that ignores words, one that forgets, one that ignores noise."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog.errors import SelvedgeError
from evaluation.hierarchical import CrossedResamples, difference
from evaluation.refinement import PictureSequences, answers_of, cosine_distance, refinement

ATTRIBUTES = ("type", "colour", "gender")
N, WORDS, D = 40, 4, 32
OWN = dict.fromkeys(ATTRIBUTES, 1.0)
PROMPTS = [f"p{number}" for number in range(N)]
DRAWS = CrossedResamples(PROMPTS, 2, resamples=200)


def perfect(seed: int = 0) -> PictureSequences:
    """Gender, colour, type, and for even prompts a word that says nothing; classes 1 are asked for, 0 is shown unasked.

    Pictures are their noise, moved a little by every attribute.
    """
    rng = np.random.default_rng(seed)
    mentioned = np.zeros((N, WORDS, 3), dtype=bool)
    for step, attribute in enumerate((2, 1, 0)):
        mentioned[:, step:, attribute] = True
    answers = mentioned.astype(np.int64)
    directions = rng.standard_normal((3, D))
    noise, fresh = rng.standard_normal((N, 1, D)), rng.standard_normal((N, WORDS, D))
    return PictureSequences(
        attributes=ATTRIBUTES,
        prompts=PROMPTS,
        lengths=np.where(np.arange(N) % 2 == 0, 4, 3),
        wanted=np.ones((N, 3), dtype=np.int64),
        mentioned=mentioned,
        answers=answers,
        fresh_answers=answers.copy(),
        features=noise + 0.2 * answers @ directions,
        fresh_features=fresh + 0.2 * answers @ directions,
    )


def figures(first: PictureSequences, second: PictureSequences | None = None, own: dict[str, float] = OWN):
    return refinement([first, second or first], own, DRAWS)


def test_a_perfect_model_gains_all_keeps_all_and_hardly_drifts():
    refined = figures(perfect(0), perfect(1))
    for figure in (refined.accuracy, refined.gain, refined.retention, refined.relative_retention, refined.gain_share):
        assert figure.value == 1 and figure.interval.low == figure.interval.high == 1
    # The first word has no picture before it, so nothing is known of the gain of what it says.
    assert refined.gain_of["colour"].value == 1 and np.isnan(refined.gain_of["gender"].value)
    assert 0 < refined.drift.value < 0.1
    assert refined.summary.value == pytest.approx(1 - refined.drift.value)
    assert refined.colour_step is None and refined.colour_drift is None


def test_a_model_that_ignores_words_drifts_by_nothing_and_is_worth_nothing():
    truth = perfect()
    lucky = np.broadcast_to((np.arange(N) % 2)[:, None, None], truth.answers.shape).copy()
    still = np.repeat(truth.features[:, :1], WORDS, axis=1)
    refined = figures(replace(truth, answers=lucky, fresh_answers=lucky, features=still))
    assert refined.gain.value == 0 and refined.drift.value == 0 and refined.retention.value == 1
    assert refined.summary.value == 0 and refined.summary.interval.high == 0


def test_a_model_that_forgets_gains_all_and_keeps_nothing():
    truth = perfect()
    new = truth.mentioned.copy()
    new[:, 1:] &= ~truth.mentioned[:, :-1]
    refined = figures(replace(truth, answers=new.astype(np.int64)))
    assert refined.gain.value == 1 and refined.retention.value == 0
    shown = (truth.mentioned & new)[..., :][np.arange(WORDS) < truth.lengths[:, None]].sum()
    asked = truth.mentioned[np.arange(WORDS) < truth.lengths[:, None]].sum()
    assert refined.accuracy.value == pytest.approx(shown / asked)


def test_a_model_that_draws_a_new_picture_at_every_word_drifts_by_all_and_is_worth_little():
    rng = np.random.default_rng(3)
    refined = figures(replace(perfect(), features=rng.standard_normal((N, WORDS, D))))
    assert refined.drift.value == pytest.approx(1, abs=0.1) and refined.summary.value < 0.1


def test_retention_is_held_against_what_the_classifier_can_see():
    """Perfect pictures under a classifier that misses a tenth of them."""
    training = perfect()
    rng = np.random.default_rng(1)
    sides = [
        replace(training, answers=np.where(rng.random(training.answers.shape) < 0.9, training.answers, 2))
        for _ in range(2)
    ]
    refined = figures(*sides, own=dict.fromkeys(ATTRIBUTES, 0.9))
    assert refined.retention.value == pytest.approx(0.9, abs=0.04)
    assert refined.relative_retention.value == pytest.approx(refined.retention.value / 0.9)
    uneven = figures(*sides, own={"type": 0.9, "colour": 0.5, "gender": 0.9})
    assert uneven.relative_retention.value > refined.relative_retention.value


def test_gain_is_held_against_what_a_fresh_prompt_reaches():
    truth = perfect()
    half = truth.answers.copy()
    half[1::2, 1:] = 0
    refined = figures(replace(truth, answers=half))
    assert (refined.gain.value, refined.fresh_gain.value) == (0.5, 1.0)
    assert refined.gain_share.value == 0.5 and refined.gain_share.interval.low < 0.5 < refined.gain_share.interval.high


def test_steps_past_the_end_of_a_prompt_are_not_read():
    truth = perfect()
    past = np.arange(WORDS) >= truth.lengths[:, None]
    wild = replace(
        truth,
        answers=np.where(past[..., None], 7, truth.answers),
        features=np.where(past[..., None], 99.0, truth.features),
        fresh_features=np.where(past[..., None], -5.0, truth.fresh_features),
    )
    steady, scattered = figures(truth), figures(wild)
    assert steady.drift.value == scattered.drift.value and steady.retention.value == scattered.retention.value
    assert steady.accuracy.value == scattered.accuracy.value


def test_colour_may_move_only_with_the_word_that_says_it():
    steps = np.full((N, WORDS), 2.0)
    steps[:, 1] = 40.0  # the colour word
    steps[:, 0] = np.nan  # nothing comes before the first word
    refined = figures(replace(perfect(), colour_steps=steps, fresh_colour_steps=np.full((N, WORDS), 8.0)))
    assert refined.colour_step.value == 2 and refined.colour_drift.value == 0.25


def test_models_on_the_same_draws_are_compared_in_pairs():
    truth = perfect()
    worse = truth.answers.copy()
    worse[:10, 2:] = 0
    apart = difference(figures(truth).accuracy, figures(replace(truth, answers=worse)).accuracy)
    assert apart.interval.low > 0


def test_a_common_mean_hides_drift_until_it_is_taken_off():
    truth = perfect()
    mean = np.full(D, 50.0)
    moved = replace(truth, features=truth.features + mean, fresh_features=truth.fresh_features + mean)
    centred = refinement([moved], OWN, CrossedResamples(PROMPTS, 1, resamples=5), centre=mean)
    assert centred.drift.value == pytest.approx(figures(truth).drift.value)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.floats(0.01, 100))
def test_cosine_distance_is_symmetric_bounded_and_blind_to_length(seed, scale):
    a, b = np.random.default_rng(seed).standard_normal((2, 5, 4))
    refined = cosine_distance(a, b)
    assert np.all((refined >= 0) & (refined <= 2))
    np.testing.assert_allclose(refined, cosine_distance(b, a))
    np.testing.assert_allclose(refined, cosine_distance(a * scale, b), atol=1e-9)
    assert np.all(cosine_distance(a, a) == 0) and cosine_distance(np.zeros(3), np.zeros(3)) == 0


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6))
def test_figures_of_any_answers_stay_in_bounds(seed):
    rng = np.random.default_rng(seed)
    truth = perfect()
    answers, fresh = rng.integers(0, 3, (2, N, WORDS, 3))
    refined = figures(replace(truth, answers=answers, fresh_answers=fresh))
    assert 0 <= refined.accuracy.value <= 1 and 0 <= refined.retention.value <= 1
    assert -1 <= refined.gain.value <= 1 and refined.drift.value >= 0
    assert abs(refined.summary.value) <= abs(refined.gain.value)


def test_answers_are_the_most_probable_classes():
    table = np.random.default_rng(0).dirichlet(np.ones(4), (5, 3))
    refined = answers_of({"type": table, "colour": table[..., ::-1]}, ("type", "colour"))
    assert refined.shape == (5, 3, 2)
    assert np.array_equal(refined[..., 0], table.argmax(axis=-1)) and np.array_equal(
        refined[..., 1], 3 - refined[..., 0]
    )


def test_bad_input_is_refused_with_a_sentence():
    truth = perfect()
    with pytest.raises(SelvedgeError, match=r"fresh_answers has shape \(40, 3, 3\)"):
        replace(truth, fresh_answers=truth.answers[:, :3])
    with pytest.raises(SelvedgeError, match="whose class it does not name"):
        replace(truth, wanted=np.full((N, 3), -1))
    with pytest.raises(SelvedgeError, match="own accuracy on colour is missing or 0"):
        figures(truth, own={"type": 0.9, "gender": 0.9})
    with pytest.raises(SelvedgeError, match="training 1 was sampled with other prompts"):
        figures(truth, replace(truth, prompts=PROMPTS[::-1]))
    with pytest.raises(SelvedgeError, match="at least one training"):
        refinement([], OWN, DRAWS)
    with pytest.raises(SelvedgeError, match="prompt 'other' is none"):
        figures(replace(truth, prompts=["other"] * N))
