"""What the figures of generated pictures stand beside: real against real, other prompts, other trainings.

Belongs here: the floor of a distance, and distances, inception scores and accuracies with the resamples that intervals
and paired comparisons need. Not here: the figures themselves (generation.py), how seeds and prompts are drawn
(hierarchical.py).

Models to be compared are measured with one `CrossedResamples` and the same real pictures; their difference or ratio is
then `hierarchical.difference` or `relative_change`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import xlogy

from catalog.errors import SelvedgeError
from evaluation.classification import Floats
from evaluation.generation import (
    ROWS_AT_ONCE,
    attribute_hits,
    checked_features,
    checked_probabilities,
    equal_sides,
    frechet_distance,
    inception_score,
    kernel_distance,
    kernel_rows,
    moments,
    moments_distance,
)
from evaluation.hierarchical import CrossedResamples, Resampled
from evaluation.intervals import GroupResamples


@dataclass(frozen=True)
class Floor:
    """A distance between two samples of real pictures: what a perfect generator would get.

    value: mean over `distances`, one a split; low, high: the middle 95 % of the splits; rows: pictures a side.
    """

    value: float
    low: float
    high: float
    distances: tuple[float, ...]
    rows: int


def real_floor(
    real: ArrayLike,
    groups: Sequence[str],
    rows: int | None = None,
    measure: Callable[[Floats, Floats], float] = frechet_distance,
    repeats: int = 20,
    seed: int = 0,
) -> Floor:
    """A distance between halves of the real pictures, split by group and repeated.

    Args:
        real: (N, d) features. groups: (N,) of every picture; a group is never on both sides.
        rows: pictures a side; None takes as many as all splits allow. A Fréchet distance is compared with the floor at
            its own number of pictures only.
        measure: `frechet_distance`, `kernel_distance` or another function of two sides.

    Raises:
        SelvedgeError: groups of another length, one group only, or fewer real pictures than `rows` a side.
    """
    features = checked_features(real, "real")
    names, number = np.unique(np.asarray([str(group) for group in groups], dtype=object), return_inverse=True)
    if len(number) != len(features) or len(names) < 2:
        raise SelvedgeError(
            f"a floor needs a group for each of its {len(features)} real pictures and two groups at least; "
            f"there are {len(number)} groups, {len(names)} of them different."
        )
    rng = np.random.default_rng(seed)
    halves = [_halves(rng, number, len(names)) for _ in range(repeats)]
    available = min(min(map(len, half)) for half in halves)
    taken = available if rows is None else rows
    if not 2 <= taken <= available:
        raise SelvedgeError(
            f"a real-versus-real floor at {taken} pictures a side needs twice as many real ones, and the smaller half "
            f"of {len(features)} has {available}; measure at {available} or fewer."
        )
    distances = [measure(features[first[:taken]], features[second[:taken]]) for first, second in halves]
    low, high = np.quantile(distances, [0.025, 0.975])
    return Floor(float(np.mean(distances)), float(low), float(high), tuple(distances), taken)


def frechet_estimate(
    real: ArrayLike,
    groups: Sequence[str],
    generated: ArrayLike,
    prompts: Sequence[str],
    draws: CrossedResamples,
) -> Resampled:
    """Fréchet distance, mean over trainings, with real groups, prompts and seeds resampled.

    Args:
        real: (N, d), of the given groups. generated: (seeds, N, d), every training on the same N prompts.

    Raises:
        SelvedgeError: as for `frechet_distance`, or another number of seeds or prompts than the draws have.

    A resample holds some pictures twice and others not at all, as if N were smaller, so its distance is too large. All
    resamples are moved by their mean excess; what is left is how far the figure moves. About 3 ms a resample and
    training at N = 1000, d = 64 on one core.
    """
    sides = _per_training(real, generated, prompts, draws)
    real_moments = moments(sides[0][0])
    values = [moments_distance(real_moments, moments(fake)) for _, fake in sides]
    of_real = GroupResamples(groups, len(draws), seed=1).row_weights(groups)
    of_prompt = draws.prompt_weights(prompts)
    replicates = np.zeros((len(draws), len(sides)))
    for index in range(len(draws)):
        drawn = moments(sides[0][0], of_real[index])
        for training, (_, fake) in enumerate(sides):
            replicates[index, training] = moments_distance(drawn, moments(fake, of_prompt[index]))
    return draws.mean_over_seeds(values, replicates - (replicates.mean(axis=0) - values))


def kernel_estimate(
    real: ArrayLike,
    groups: Sequence[str],
    generated: ArrayLike,
    prompts: Sequence[str],
    draws: CrossedResamples,
) -> Resampled:
    """KID of all pairs, mean over trainings, with real groups, prompts and seeds resampled.

    Args and Raises: as for `frechet_estimate`.

    Pairs of a picture with its own copy are left out of a resample: they would raise the distance.
    """
    sides = _per_training(real, generated, prompts, draws)
    of_real = GroupResamples(groups, len(draws), seed=1).row_weights(groups).astype(np.float64)
    of_prompt = draws.prompt_weights(prompts).astype(np.float64)
    among_real = _mean_kernel(sides[0][0], sides[0][0], of_real, of_real, same=True)
    replicates = np.stack(
        [
            among_real
            + _mean_kernel(fake, fake, of_prompt, of_prompt, same=True)
            - 2.0 * _mean_kernel(first, fake, of_real, of_prompt, same=False)
            for first, fake in sides
        ],
        axis=1,
    )
    return draws.mean_over_seeds([kernel_distance(first, fake) for first, fake in sides], replicates)


def inception_estimate(probabilities: ArrayLike, prompts: Sequence[str], draws: CrossedResamples) -> Resampled:
    """Inception score of one attribute, mean over trainings, with prompts and seeds resampled.

    Args:
        probabilities: (seeds, N, K) float, every training on the same N prompts.

    Raises:
        SelvedgeError: as for `inception_score`, or another number of seeds or prompts than the draws have.
    """
    trainings = [checked_probabilities(training) for training in _stacked(probabilities, "class probabilities")]
    weights = _weights_for(draws, prompts, len(trainings[0]))
    total = weights.sum(axis=1)
    replicates = []
    for rows in trainings:
        mean = weights @ rows / total[:, None]
        within = weights @ -xlogy(rows, rows).sum(axis=1) / total
        replicates.append(np.exp(-xlogy(mean, mean).sum(axis=1) - within))
    return draws.mean_over_seeds([inception_score(rows) for rows in trainings], np.stack(replicates, axis=1))


def inception_ceiling(probabilities: ArrayLike, groups: Sequence[str], resamples: int, rows: int) -> Resampled:
    """Inception score of real pictures, their groups resampled: the ceiling of `inception_estimate`.

    Args:
        probabilities: (N, K) of real pictures. groups: (N,). resamples: as many as the models have.
        rows: pictures the models were scored on; the first so many real ones are used, in a mixed order.

    Raises:
        SelvedgeError: fewer real pictures than `rows`; a score falls with fewer pictures.
    """
    table = checked_probabilities(probabilities)
    if len(table) < rows or len(groups) != len(table):
        raise SelvedgeError(
            f"the ceiling of a score on {rows} pictures needs as many real ones and their groups, and there are "
            f"{len(table)} pictures with {len(groups)} groups; score the models on fewer."
        )
    sample = np.random.default_rng(0).permutation(len(table))[:rows]
    names = [str(groups[row]) for row in sample]
    draws = CrossedResamples(names, 1, resamples, seed=1)
    return inception_estimate(table[sample][None], names, draws)


def accuracy_estimate(
    probabilities: Mapping[str, ArrayLike],
    wanted: ArrayLike,
    prompts: Sequence[str],
    draws: CrossedResamples,
    attribute: str | None = None,
) -> Resampled:
    """Share of asked attributes found, over all trainings, with prompts and seeds resampled.

    Args:
        probabilities: attribute -> (seeds, N, its classes). wanted: (N, attributes), as for `attribute_hits`.
        attribute: this one alone; None takes all that are asked for.

    Raises:
        SelvedgeError: as for `attribute_hits`, or another number of seeds or prompts than the draws have.
    """
    stacked = {name: _stacked(values, "class probabilities") for name, values in probabilities.items()}
    seeds = len(next(iter(stacked.values())))
    hits_and_asked = [
        attribute_hits({name: values[seed] for name, values in stacked.items()}, wanted) for seed in range(seeds)
    ]
    columns = [column for column, name in enumerate(probabilities) if attribute in (None, name)]
    hits = np.stack([hit[:, columns].sum(axis=1) for hit, _ in hits_and_asked])
    asked = np.stack([ask[:, columns].sum(axis=1) for _, ask in hits_and_asked])
    return draws.ratio(hits, asked, prompts)


def _halves(
    rng: np.random.Generator, number: NDArray[np.int64], groups: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of two halves in a mixed order; whole groups go to the first until it holds half of the rows."""
    order = rng.permutation(groups)
    sizes = np.bincount(number, minlength=groups)[order]
    first_groups = order[np.cumsum(sizes) - sizes / 2 <= len(number) / 2]
    in_first = np.isin(number, first_groups)
    return rng.permutation(np.flatnonzero(in_first)), rng.permutation(np.flatnonzero(~in_first))


def _per_training(
    real: ArrayLike, generated: ArrayLike, prompts: Sequence[str], draws: CrossedResamples
) -> list[tuple[Floats, Floats]]:
    stacked = _stacked(generated, "generated features")
    draws.require_seeds(len(stacked))
    if len(prompts) != stacked.shape[1]:
        raise SelvedgeError(
            f"there are {stacked.shape[1]} generated pictures a training and {len(prompts)} prompts; "
            "name the prompt of every picture."
        )
    return [equal_sides(real, side) for side in stacked]


def _stacked(values: ArrayLike, what: str) -> Floats:
    table = np.asarray(values, dtype=np.float64)
    if table.ndim != 3 or not table.size:
        raise SelvedgeError(f"{what} have shape {table.shape}; give (trainings, pictures, columns).")
    return table


def _weights_for(draws: CrossedResamples, prompts: Sequence[str], pictures: int) -> Floats:
    if len(prompts) != pictures:
        raise SelvedgeError(
            f"there are {pictures} pictures a training and {len(prompts)} prompts; name the prompt of every picture."
        )
    return draws.prompt_weights(prompts).astype(np.float64)


def _mean_kernel(left: Floats, right: Floats, left_weights: Floats, right_weights: Floats, same: bool) -> Floats:
    """(resamples,) weighted mean of the kernel over pairs, of different rows where both sides are the same."""
    total = np.zeros(len(left_weights))
    for start in range(0, len(left), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        total += ((left_weights[:, part] @ kernel_rows(left[part], right)) * right_weights).sum(axis=1)
    pairs = left_weights.sum(axis=1) * right_weights.sum(axis=1)
    if same:
        diagonal = ((left**2).sum(axis=1) / left.shape[1] + 1.0) ** 3
        total -= (left_weights**2) @ diagonal
        pairs = pairs - (left_weights**2).sum(axis=1)
    return total / pairs
