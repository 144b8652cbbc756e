"""Several trainings on the same prompts: how far a figure could move with other trainings and other prompts.

Belongs here: draws of training seeds and prompts together, figures that carry their resamples, arithmetic between
them, the share of a gap that a model closes. Not here: which figures there are (generation.py, refinement.py),
products resampled by group (intervals.py, which this stands on).

Every training answers every prompt, so seeds and prompts are crossed: both are drawn, and a picture weighs the product
of its two draws. Two models measured with the same draws are paired over both. Prompts are many and are drawn with
replacement; trainings are few, and how much they differ is itself hardly known, so their weights are drawn such that
the mean over them moves as Student's t says.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from catalog.errors import SelvedgeError
from evaluation.classification import Floats
from evaluation.intervals import GroupResamples, Interval, interval


@dataclass(frozen=True)
class Resampled:
    """A figure with its value in every resample: value float; replicates (resamples,) float64, NaN where undefined."""

    value: float
    replicates: Floats

    @property
    def interval(self) -> Interval:
        """95 %, bias-corrected percentiles; over trainings those of Student's t."""
        return interval(self.value, self.replicates)

    @property
    def undefined(self) -> float:
        """Share of resamples that have no value; an interval over the rest says less than it seems to."""
        return float(np.isnan(self.replicates).mean())


def combine(function: Callable[..., ArrayLike], *figures: Resampled) -> Resampled:
    """A figure made of others resample by resample: what was drawn together stays together.

    Args:
        function: takes as many floats or (resamples,) arrays as there are figures; what is not finite becomes NaN.

    Raises:
        SelvedgeError: the figures have different numbers of resamples.
    """
    if len({len(figure.replicates) for figure in figures}) != 1:
        raise SelvedgeError("figures with different numbers of resamples cannot be compared; measure them with one.")
    with np.errstate(divide="ignore", invalid="ignore"):
        value = float(np.asarray(function(*(np.float64(figure.value) for figure in figures))))
        replicates = np.asarray(function(*(figure.replicates for figure in figures)), dtype=np.float64)
    return Resampled(
        value if np.isfinite(value) else float("nan"), np.where(np.isfinite(replicates), replicates, np.nan)
    )


def difference(model: Resampled, baseline: Resampled) -> Resampled:
    """model - baseline, paired."""
    return combine(np.subtract, model, baseline)


def relative_change(model: Resampled, baseline: Resampled) -> Resampled:
    """model / baseline - 1, paired: 0.22 for 22 % more."""
    return combine(lambda a, b: a / b - 1.0, model, baseline)


def gap_closed(model: Resampled, baselines: Sequence[Resampled], real: Resampled) -> Resampled:
    """(model - best baseline) / (real - best baseline): 0 at the baseline, 1 at real pictures.

    The best baseline is chosen anew in every resample, which is hard on the model: luck counts for the baselines.
    Resamples in which real pictures are no better than a baseline have no gap and are NaN.

    Raises:
        SelvedgeError: no baseline, or real pictures are no better than one.
    """
    if not baselines:
        raise SelvedgeError("a closed gap needs a baseline; measure at least one.")
    best = combine(lambda *values: np.max(np.stack(values), axis=0), *baselines)
    if not real.value > best.value:
        raise SelvedgeError(
            f"there is no gap to close: real pictures reach {real.value:.3f} and the best baseline {best.value:.3f}."
        )
    gap = combine(lambda r, b: np.where(r > b, r - b, np.nan), real, best)
    return combine(lambda m, b, g: (m - b) / g, model, best, gap)


class CrossedResamples:
    """Draws of prompts and of training seeds, for every model on the same prompts with as many seeds.

    A resample weighs the n trainings by 1/n plus a random part of sum 0, normal and divided by the root of a chi-square
    share: the mean of x over trainings then moves as mean(x) + t s / sqrt(n), t Student's with n - 1 degrees of freedom
    and s the spread of x. Weights may be negative, which every figure that is linear in its trainings takes. Trainings
    drawn with replacement, as prompts are, gave intervals that held the truth in 78 to 90 % with 3 trainings and 87 to
    92 % with 5; these hold it in 94 to 97 % (`python -m benchmarks.interval_coverage`). With one training it speaks of
    that one only.

    Args:
        prompts: name of every prompt; order and repetitions are without effect. seeds: number of trainings.
        resamples: number of draws. seed: fixes the draws.

    Raises:
        SelvedgeError: no prompts or no seeds.

    Sources: Owen, Annals of Applied Statistics 2007 (crossed effects: draw both, multiply, on the safe side);
    Student, Biometrika 1908; Box and Tiao, Bayesian Inference in Statistical Analysis, 1973, section 2.4 (t as the
    distribution of a mean whose spread is unknown).
    """

    def __init__(self, prompts: Iterable[str], seeds: int, resamples: int = 1000, seed: int = 0) -> None:
        names = [str(prompt) for prompt in prompts]
        if not names or seeds < 1:
            raise SelvedgeError("an interval needs at least one prompt and one training; sample some pictures first.")
        self.prompts = GroupResamples(names, resamples, seed)
        self.seeds = seeds
        self.seed_weights = _student_weights(seeds, resamples, np.random.default_rng([seed, 1]))

    def __len__(self) -> int:
        return len(self.seed_weights)

    def prompt_weights(self, prompts: Iterable[str]) -> NDArray[np.float32]:
        """(resamples, n) float32: how often each of n pictures' prompt is drawn.

        Raises:
            SelvedgeError: a prompt that was not given at the start.
        """
        names = [str(prompt) for prompt in prompts]
        unknown = sorted(set(names) - set(self.prompts.groups))
        if unknown:
            raise SelvedgeError(f"prompt '{unknown[0]}' is none of those drawn; compare models on the same prompts.")
        return self.prompts.row_weights(names)

    def ratio(self, numerator: ArrayLike, denominator: ArrayLike, prompts: Iterable[str]) -> Resampled:
        """A sum over pictures divided by another, as accuracies, gains and drifts are.

        Args:
            numerator, denominator: (seeds, n) float. prompts: of every one of the n pictures.

        Returns:
            NaN where the denominator is 0, e.g. an attribute that no drawn prompt asks for.

        Raises:
            SelvedgeError: another number of seeds than these draws have.
        """
        top, bottom = (np.atleast_2d(np.asarray(part, dtype=np.float64)) for part in (numerator, denominator))
        self.require_seeds(len(top))
        weights = self.prompt_weights(prompts).astype(np.float64)
        drawn_top, drawn_bottom = (((weights @ part.T) * self.seed_weights).sum(axis=1) for part in (top, bottom))
        with np.errstate(divide="ignore", invalid="ignore"):
            value, replicates = np.divide(top.sum(), bottom.sum()), drawn_top / drawn_bottom
        return Resampled(float(value), np.where(drawn_bottom != 0, replicates, np.nan))

    def mean_over_seeds(self, values: ArrayLike, replicates: ArrayLike) -> Resampled:
        """The mean of a figure over trainings, from its (seeds,) values and (resamples, seeds) resampled values; a
        resample in which a training has no value has none either."""
        of_seed, drawn = np.asarray(values, dtype=np.float64), np.asarray(replicates, dtype=np.float64)
        self.require_seeds(len(of_seed))
        return Resampled(float(of_seed.mean()), (drawn * self.seed_weights).sum(axis=1))

    def require_seeds(self, seeds: int) -> None:
        """Raises SelvedgeError where a figure has another number of trainings than these draws."""
        if seeds != self.seeds:
            raise SelvedgeError(
                f"the figure has {seeds} trainings and the draws {self.seeds}; give all models as many."
            )


def _student_weights(seeds: int, resamples: int, rng: np.random.Generator) -> Floats:
    """(resamples, seeds) weights of sum 1, of which the mean over trainings has Student's distribution."""
    if seeds == 1:
        return np.ones((resamples, 1))
    direction = rng.standard_normal((resamples, seeds))
    direction -= direction.mean(axis=1, keepdims=True)
    spread = np.sqrt(rng.chisquare(seeds - 1, size=(resamples, 1)) / (seeds - 1))
    return np.asarray(1 / seeds + direction / (spread * np.sqrt(seeds * (seeds - 1))))
