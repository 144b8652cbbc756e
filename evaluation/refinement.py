"""Word after word: does each word do what it says, and does it leave the rest of the picture alone?

Belongs here: gain, retention and drift over sequences of pictures made with one noise, and what changes when a word
that says nothing is added, a word is taken away, or words change places. Not here: networks (a classifier's answers and
features come in), single pictures against their prompt (generation.py), the draws behind intervals (hierarchical.py).

A model that ignores its text never drifts, and one that ignores its noise always does. So drift is a share: how far
the picture moves when a word is added, of how far it moves when the noise is drawn anew with that word; and it stands
beside the gain. Their summary, gain x (1 - drift), is 0 for both. It follows manipulative precision, likeness to the
text x (1 - change of the picture): Li et al., ManiGAN, CVPR 2020.

All figures are ratios of sums over prompts and steps, so that a prompt whose pictures hardly differ cannot blow up.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from catalog.errors import SelvedgeError
from evaluation.classification import Floats
from evaluation.generation import NOT_ASKED, checked_probabilities
from evaluation.hierarchical import CrossedResamples, Resampled, combine

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
COLOUR = "colour"


@dataclass(frozen=True)
class PictureSequences:
    """Pictures of one training, one after each word of every prompt, as the independent classifier sees them.

    n prompts, L words at most, A attributes, d features; steps past a prompt's length are not read.

    Attributes:
        attributes: A names.
        prompts: (n,) what is resampled together.
        lengths: (n,) int, words of each prompt, 1..L.
        wanted: (n, A) int, the class that the whole prompt asks for, NOT_ASKED where it asks for none.
        mentioned: (n, L, A) bool, said by the words up to and including this one.
        answers: (n, L, A) int, the classifier's class of picture x_k, every k with the same noise.
        fresh_answers: (n, L, A) int, of x'_k: the same words, noise drawn anew for every k.
        features, fresh_features: (n, L, d) float, of x_k and x'_k.
        colour_steps, fresh_colour_steps: (n, L) float, ΔE2000 between the garment medians of x_k-1 and x_k, of x_k-1
            and x'_k; column 0 is not read. None where nobody measured them.

    Raises:
        SelvedgeError: shapes that do not fit, or a mentioned attribute that the prompt does not want.
    """

    attributes: tuple[str, ...]
    prompts: Sequence[str]
    lengths: Ints
    wanted: Ints
    mentioned: Bools
    answers: Ints
    fresh_answers: Ints
    features: Floats
    fresh_features: Floats
    colour_steps: Floats | None = None
    fresh_colour_steps: Floats | None = None

    def __post_init__(self) -> None:
        n, words = np.shape(self.features)[:2]
        shapes = {
            "prompts": (n,),
            "lengths": (n,),
            "wanted": (n, len(self.attributes)),
            **dict.fromkeys(("mentioned", "answers", "fresh_answers"), (n, words, len(self.attributes))),
            "fresh_features": np.shape(self.features),
            **dict.fromkeys(("colour_steps", "fresh_colour_steps"), (n, words)),
        }
        for name, shape in shapes.items():
            value = getattr(self, name)
            if value is not None and np.shape(value) != shape:
                raise SelvedgeError(
                    f"refinement: {name} has shape {np.shape(value)}; {n} prompts of up to {words} words need {shape}."
                )
        if (self.mentioned.any(axis=1) & (self.wanted == NOT_ASKED)).any():
            raise SelvedgeError("refinement: a prompt mentions an attribute whose class it does not name; label it.")

    @property
    def hits(self) -> Bools:
        """(n, L, A): the classifier finds in x_k what the prompt (in the end) wants."""
        return self.answers == self.wanted[:, None]

    @property
    def steps(self) -> Bools:
        """(n, L - 1): there is a word k + 1."""
        return np.arange(1, self.mentioned.shape[1]) < np.asarray(self.lengths)[:, None]

    @property
    def newly(self) -> Bools:
        """(n, L - 1, A): word k + 1 is the first to mention the attribute."""
        return self.mentioned[:, 1:] & ~self.mentioned[:, :-1] & self.steps[..., None]

    @property
    def before(self) -> Bools:
        """(n, L - 1, A): mentioned before word k + 1 came."""
        return self.mentioned[:, :-1] & self.steps[..., None]


@dataclass(frozen=True)
class RefinementFigures:
    """Figures of one model, over its trainings.

    accuracy: mentioned attributes that the classifier finds, over all words: word-by-word accuracy.
    gain: how much more often a newly mentioned attribute is found after its word than before; gain_of: by attribute.
    fresh_gain: the same with the noise drawn anew: what the words alone reach; gain_share: gain / fresh_gain.
    retention: mentioned attributes found before a word that are found after it; retention_of: by attribute.
    relative_retention: retention / the classifier's own accuracy on real pictures: it cannot keep what it cannot see.
    drift: see above, in features; 0 keeps everything, 1 is a new picture. summary: gain x (1 - drift).
    colour_step: mean ΔE2000 of a word that is not the one to mention colour; colour_drift: as share of that with new
    noise; None where no colours were given.
    """

    accuracy: Resampled
    gain: Resampled
    gain_of: Mapping[str, Resampled]
    fresh_gain: Resampled
    gain_share: Resampled
    retention: Resampled
    retention_of: Mapping[str, Resampled]
    relative_retention: Resampled
    drift: Resampled
    summary: Resampled
    colour_step: Resampled | None
    colour_drift: Resampled | None


def answers_of(probabilities: Mapping[str, ArrayLike], attributes: Sequence[str]) -> Ints:
    """(..., A) int64 most probable classes from attribute -> (..., its classes)."""
    columns = []
    for name in attributes:
        table = np.asarray(probabilities[name], dtype=np.float64)
        best = checked_probabilities(table.reshape(-1, table.shape[-1])).argmax(axis=1)
        columns.append(best.reshape(table.shape[:-1]))
    return np.stack(columns, axis=-1).astype(np.int64)


def refinement(
    trainings: Sequence[PictureSequences],
    own_accuracy: Mapping[str, float],
    draws: CrossedResamples,
    centre: ArrayLike | None = None,
) -> RefinementFigures:
    """All figures of one model.

    Args:
        trainings: one a training seed, every one on the same prompts in the same order.
        own_accuracy: attribute -> the classifier's accuracy on real held-out pictures, above 0.
        draws: of prompts and seeds; models measured with the same draws can be compared in pairs.
        centre: (d,) mean feature of real pictures, taken off before cosines: without it all pictures look alike. None
            where they have mean 0 already, as the judge's have.

    Raises:
        SelvedgeError: no training, trainings on other prompts, an accuracy that is missing or 0, or a prompt that the
            draws do not know.
    """
    first = _same_prompts(trainings)
    own = _own_accuracy(own_accuracy, first.attributes)

    def ratio(parts: Callable[[PictureSequences], tuple[Floats, Floats]], columns: slice = slice(None)) -> Resampled:
        sums = [parts(training) for training in trainings]
        top, bottom = (np.stack([pair[side][..., columns].sum(axis=-1) for pair in sums]) for side in (0, 1))
        return draws.ratio(top, bottom, first.prompts)

    def by_attribute(parts: Callable[[PictureSequences], tuple[Floats, Floats]]) -> dict[str, Resampled]:
        return {name: ratio(parts, slice(column, column + 1)) for column, name in enumerate(first.attributes)}

    gain, fresh_gain = ratio(_gain), ratio(_fresh_gain)
    drift = ratio(lambda training: _drift(training, centre))
    coloured = COLOUR in first.attributes and all(
        training.colour_steps is not None and training.fresh_colour_steps is not None for training in trainings
    )
    return RefinementFigures(
        accuracy=ratio(_accuracy),
        gain=gain,
        gain_of=by_attribute(_gain),
        fresh_gain=fresh_gain,
        gain_share=combine(np.divide, gain, fresh_gain),
        retention=ratio(_retention),
        retention_of=by_attribute(_retention),
        relative_retention=ratio(lambda training: _relative(_retention(training), own)),
        drift=drift,
        summary=combine(lambda g, d: g * (1.0 - np.clip(d, 0.0, 1.0)), gain, drift),
        colour_step=ratio(lambda training: _colour_steps(training, fresh=False)) if coloured else None,
        colour_drift=ratio(lambda training: _colour_steps(training, fresh=True)) if coloured else None,
    )


def cosine_distance(left: ArrayLike, right: ArrayLike, centre: ArrayLike | None = None) -> Floats:
    """1 - cosine along the last axis, 0 to 2; 0 between two equal vectors, also of length 0.

    Args:
        left, right: (..., d) float. centre: (d,) taken off both first.
    """
    shift = 0.0 if centre is None else np.asarray(centre, dtype=np.float64)
    a, b = (np.asarray(side, dtype=np.float64) - shift for side in (left, right))
    lengths = np.sqrt((a * a).sum(axis=-1) * (b * b).sum(axis=-1))
    cosine = np.divide((a * b).sum(axis=-1), lengths, out=np.zeros_like(lengths), where=lengths > 0)
    same = (a == b).all(axis=-1)
    return np.where(same, 0.0, np.clip(1.0 - cosine, 0.0, 2.0))


def _accuracy(training: PictureSequences) -> tuple[Floats, Floats]:
    """Sums over steps, (n, A), as of all functions below."""
    present = np.arange(training.mentioned.shape[1]) < np.asarray(training.lengths)[:, None]
    asked = training.mentioned & present[..., None]
    return _sums(training.hits & asked, asked)


def _gain(training: PictureSequences) -> tuple[Floats, Floats]:
    change = training.hits[:, 1:].astype(np.float64) - training.hits[:, :-1]
    return _sums(change * training.newly, training.newly)


def _fresh_gain(training: PictureSequences) -> tuple[Floats, Floats]:
    fresh = training.fresh_answers[:, 1:] == training.wanted[:, None]
    return _sums((fresh.astype(np.float64) - training.hits[:, :-1]) * training.newly, training.newly)


def _retention(training: PictureSequences) -> tuple[Floats, Floats]:
    had = training.before & training.hits[:, :-1]
    return _sums(had & training.hits[:, 1:], had)


def _drift(training: PictureSequences, centre: ArrayLike | None) -> tuple[Floats, Floats]:
    same = cosine_distance(training.features[:, :-1], training.features[:, 1:], centre)
    fresh = cosine_distance(training.features[:, :-1], training.fresh_features[:, 1:], centre)
    return _sums((same * training.steps)[..., None], (fresh * training.steps)[..., None])


def _colour_steps(training: PictureSequences, fresh: bool) -> tuple[Floats, Floats]:
    """ΔE2000 where the word is not the one to mention colour, over steps or over the ΔE2000 with new noise."""
    assert training.colour_steps is not None and training.fresh_colour_steps is not None
    quiet = training.steps & ~training.newly[..., training.attributes.index(COLOUR)]
    moved = np.where(quiet, training.colour_steps[:, 1:], 0.0)
    base = np.where(quiet, training.fresh_colour_steps[:, 1:], 0.0) if fresh else quiet
    return _sums(moved[..., None], base[..., None])


def _relative(sums: tuple[Floats, Floats], own: Floats) -> tuple[Floats, Floats]:
    return sums[0], sums[1] * own


def _sums(top: ArrayLike, bottom: ArrayLike) -> tuple[Floats, Floats]:
    """(n, steps, columns) to (n, columns)."""
    return np.asarray(top, dtype=np.float64).sum(axis=1), np.asarray(bottom, dtype=np.float64).sum(axis=1)


def _same_prompts(trainings: Sequence[PictureSequences]) -> PictureSequences:
    if not trainings:
        raise SelvedgeError("refinement needs the pictures of at least one training; sample some first.")
    first = trainings[0]
    for number, training in enumerate(trainings):
        alike = list(training.prompts) == list(first.prompts) and training.attributes == first.attributes
        if not (
            alike
            and np.array_equal(training.mentioned, first.mentioned)
            and np.array_equal(training.wanted, first.wanted)
        ):
            raise SelvedgeError(f"training {number} was sampled with other prompts than training 0; use the same ones.")
    return first


def _own_accuracy(own_accuracy: Mapping[str, float], attributes: Sequence[str]) -> Floats:
    for name in attributes:
        if not 0 < own_accuracy.get(name, 0.0) <= 1:
            raise SelvedgeError(
                f"the classifier's own accuracy on {name} is missing or 0; test it on real pictures before it judges."
            )
    return np.array([own_accuracy[name] for name in attributes], dtype=np.float64)
