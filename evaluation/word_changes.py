"""Changes of a prompt that ought to do little: a word that says nothing, a word taken away, words in another order.

Belongs here: pictures before and after such a change, made with the same noise. Not here: the words themselves, prompts
that grow (refinement.py, whose drift this uses).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from catalog.errors import SelvedgeError
from evaluation.classification import Floats
from evaluation.generation import NOT_ASKED
from evaluation.hierarchical import CrossedResamples, Resampled
from evaluation.refinement import cosine_distance

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class Changes:
    """Pictures of S trainings before and after a change of n prompts.

    Attributes:
        prompts: (n,) what is resampled together.
        wanted: (n, A) int, classes that the prompt before the change names, NOT_ASKED elsewhere.
        answers, changed_answers: (S, n, A) int, the classifier's classes before and after, same noise.
        features, changed_features, fresh_features: (S, n, d) float, before, after, and after with new noise.

    Raises:
        SelvedgeError: shapes that do not fit.
    """

    prompts: Sequence[str]
    wanted: Ints
    answers: Ints
    changed_answers: Ints
    features: Floats
    changed_features: Floats
    fresh_features: Floats

    def __post_init__(self) -> None:
        seeds, n = np.shape(self.features)[:2]
        answers, features = (seeds, n, np.shape(self.wanted)[-1]), np.shape(self.features)
        shapes = {"prompts": (n,), "answers": answers, "changed_answers": answers}
        shapes |= {"changed_features": features, "fresh_features": features, "wanted": answers[1:]}
        for name, shape in shapes.items():
            if np.shape(getattr(self, name)) != shape:
                shape_given = np.shape(getattr(self, name))
                raise SelvedgeError(
                    f"changed prompts: {name} has shape {shape_given}; {n} prompts of {seeds} trainings need {shape}."
                )

    @property
    def hits(self) -> Bools:
        return self.answers == self.wanted

    @property
    def changed_hits(self) -> Bools:
        return self.changed_answers == self.wanted


@dataclass(frozen=True)
class Effect:
    """What a change that ought to be without effect did.

    drift: move of the picture, as share of that with new noise; 0 is best. kept: asked attributes found before that are
    found after. agreement: asked attributes for which the classifier answers the same, right or wrong.
    accuracy_change: asked attributes found after minus before; 0 is best.
    """

    drift: Resampled
    kept: Resampled
    agreement: Resampled
    accuracy_change: Resampled


@dataclass(frozen=True)
class Undo:
    """What taking a word away did.

    released: how much less often its attribute is found without it, at most 1 - the chance of finding it unasked;
    kept: the others that were found before and still are; drift: move of the picture, as share of that with new noise.
    """

    released: Resampled
    kept: Resampled
    drift: Resampled


def no_effect(changes: Changes, draws: CrossedResamples, centre: ArrayLike | None = None) -> Effect:
    """Figures of a word that says nothing, or of the same words in another order.

    Args:
        changes: `wanted` holds for the prompt before and after. centre: as for `refinement.refinement`.
    """
    asked = np.broadcast_to(changes.wanted != NOT_ASKED, changes.answers.shape)
    moved = changes.changed_hits.astype(np.float64) - changes.hits
    return Effect(
        drift=_drift(changes, draws, centre),
        kept=_ratio(changes, draws, changes.hits & changes.changed_hits & asked, changes.hits & asked),
        agreement=_ratio(changes, draws, (changes.answers == changes.changed_answers) & asked, asked),
        accuracy_change=_ratio(changes, draws, moved * asked, asked),
    )


def undo(changes: Changes, removed: ArrayLike, draws: CrossedResamples, centre: ArrayLike | None = None) -> Undo:
    """Figures of taking a word away.

    Args:
        removed: (n, A) bool, attributes that nobody mentions any more once the word is gone.
        centre: as for `refinement.refinement`.

    Raises:
        SelvedgeError: another shape, or an attribute removed that the prompt did not name.
    """
    gone = np.asarray(removed, dtype=bool)
    if gone.shape != changes.wanted.shape or (gone & (changes.wanted == NOT_ASKED)).any():
        raise SelvedgeError("undo: an attribute is removed that its prompt did not name; mark only what the word said.")
    left = (changes.wanted != NOT_ASKED) & ~gone
    lost = changes.hits.astype(np.float64) - changes.changed_hits
    return Undo(
        released=_ratio(changes, draws, lost * gone, np.broadcast_to(gone, lost.shape)),
        kept=_ratio(changes, draws, changes.hits & changes.changed_hits & left, changes.hits & left),
        drift=_drift(changes, draws, centre),
    )


def _drift(changes: Changes, draws: CrossedResamples, centre: ArrayLike | None) -> Resampled:
    same = cosine_distance(changes.features, changes.changed_features, centre)
    return draws.ratio(same, cosine_distance(changes.features, changes.fresh_features, centre), changes.prompts)


def _ratio(changes: Changes, draws: CrossedResamples, top: ArrayLike, bottom: ArrayLike) -> Resampled:
    above, below = (np.asarray(part, dtype=np.float64).sum(axis=-1) for part in (top, bottom))
    return draws.ratio(above, below, changes.prompts)
