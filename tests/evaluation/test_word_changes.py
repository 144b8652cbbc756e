"""A word that says nothing, a word taken away, another order: pictures whose truth is known."""

from dataclasses import replace

import numpy as np
import pytest

from catalog.errors import SelvedgeError
from evaluation.hierarchical import CrossedResamples
from evaluation.word_changes import Changes, no_effect, undo

N, D = 30, 16
PROMPTS = [f"p{number}" for number in range(N)]
DRAWS = CrossedResamples(PROMPTS, 2, resamples=100)
RNG = np.random.default_rng(0)
NOISE, FRESH = RNG.standard_normal((2, 2, N, D))
WANTED = np.tile([1, 1, -1], (N, 1))
RIGHT = np.ones((2, N, 3), dtype=np.int64)
SAME = Changes(PROMPTS, WANTED, RIGHT, RIGHT, NOISE, NOISE, FRESH)


def test_a_word_that_changes_nothing_has_no_effect():
    effect = no_effect(SAME, DRAWS)
    assert (effect.drift.value, effect.kept.value, effect.agreement.value, effect.accuracy_change.value) == (0, 1, 1, 0)


def test_a_new_picture_for_an_empty_word_is_full_drift():
    effect = no_effect(replace(SAME, changed_features=RNG.standard_normal((2, N, D))), DRAWS)
    assert effect.drift.value == pytest.approx(1, abs=0.15)


def test_agreement_counts_equal_mistakes_and_the_change_of_accuracy_has_a_sign():
    wrong = RIGHT.copy()
    wrong[..., 0] = 2
    lost = no_effect(replace(SAME, changed_answers=wrong), DRAWS)
    assert (lost.kept.value, lost.agreement.value, lost.accuracy_change.value) == (0.5, 0.5, -0.5)
    alike = no_effect(replace(SAME, answers=wrong, changed_answers=wrong), DRAWS)
    assert (alike.kept.value, alike.agreement.value, alike.accuracy_change.value) == (1, 1, 0)
    unasked = RIGHT.copy()
    unasked[..., 2] = 0
    assert no_effect(replace(SAME, changed_answers=unasked), DRAWS).agreement.value == 1


def test_taking_a_word_away_releases_its_attribute_and_keeps_the_others():
    removed = np.tile([True, False, False], (N, 1))
    released = RIGHT.copy()
    released[..., 0] = 0
    free = undo(replace(SAME, changed_answers=released), removed, DRAWS)
    assert (free.released.value, free.kept.value, free.drift.value) == (1, 1, 0)
    stuck = undo(SAME, removed, DRAWS)
    assert (stuck.released.value, stuck.kept.value) == (0, 1)
    broken = RIGHT.copy()
    broken[..., 1] = 0
    assert undo(replace(SAME, changed_answers=broken), removed, DRAWS).kept.value == 0


def test_bad_input_is_refused_with_a_sentence():
    with pytest.raises(SelvedgeError, match="fresh_features has shape"):
        replace(SAME, fresh_features=FRESH[:1])
    with pytest.raises(SelvedgeError, match="prompts has shape"):
        replace(SAME, prompts=PROMPTS[:-1])
    with pytest.raises(SelvedgeError, match="an attribute is removed that its prompt did not name"):
        undo(SAME, np.tile([False, False, True], (N, 1)), DRAWS)
