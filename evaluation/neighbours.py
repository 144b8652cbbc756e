"""Neighbours among real pictures: does a generator copy its training pictures, and does it leave some kinds out?

Belongs here: nearest real pictures, distances to training against held-out pictures, coverage of the real ones and of
attribute combinations. Not here: distances between whole distributions (generation.py).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from catalog.errors import SelvedgeError
from evaluation.classification import Floats
from evaluation.generation import checked_features

LEVELS = (0.0, 0.01, 0.05, 0.25, 0.5, 0.75)
ROWS_AT_ONCE = 1024
COPY_LEVEL = 0.01


@dataclass(frozen=True)
class Memorisation:
    """Distances to the nearest training picture, of generated pictures and of real ones held out by group.

    levels: quantiles, the nearest first. generated, heldout: distances at those levels.
    closer: chance that a generated picture is nearer to the training pictures than a held-out one, ties half: 0.5 for
    a perfect generator, towards 1 for one that copies, towards 0 for one whose pictures look like no real ones.
    copies: share of generated pictures nearer than COPY_LEVEL of the held-out ones are; about COPY_LEVEL is innocent.
    nearest: (N,) int64 training picture of each generated one. distance: (N,) float64.
    """

    levels: tuple[float, ...]
    generated: tuple[float, ...]
    heldout: tuple[float, ...]
    closer: float
    copies: float
    nearest: NDArray[np.int64]
    distance: Floats


@dataclass(frozen=True)
class Modes:
    """Attribute combinations that real pictures have.

    real: how many; covered: how many of them a generated picture has; mass: share of real pictures in covered ones.
    missing: combinations that no generated picture has, the commonest first, at most ten.
    """

    real: int
    covered: int
    mass: float
    missing: tuple[tuple[int, ...], ...]

    @property
    def share(self) -> float:
        return self.covered / self.real


def nearest_real(queries: ArrayLike, references: ArrayLike) -> tuple[Floats, NDArray[np.int64]]:
    """Euclidean distance to the nearest reference and which it is.

    Args:
        queries: (n, d) float. references: (m, d) float.

    Returns:
        (n,) float64 and (n,) int64; the first of equally near ones.

    Raises:
        SelvedgeError: other shapes, or a feature that is not finite.
    """
    queried, reference = checked_features(queries, "queried"), checked_features(references, "reference")
    distances, index = np.empty(len(queried)), np.empty(len(queried), dtype=np.int64)
    for start in range(0, len(queried), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        squared = _squared_distances(queried[part], reference)
        index[part] = squared.argmin(axis=1)
        # The subtraction of large squares leaves 1e-7 where a copy has 0; the chosen pair is computed directly.
        distances[part] = np.sqrt(((queried[part] - reference[index[part]]) ** 2).sum(axis=1))
    return distances, index


def memorisation(generated: ArrayLike, train: ArrayLike, heldout: ArrayLike) -> Memorisation:
    """Whether generated pictures lie nearer to the training pictures than unseen real ones do.

    Args:
        generated, train, heldout: (·, d) features of one classifier; no group is in both `train` and `heldout`.

    Raises:
        SelvedgeError: other shapes, or a feature that is not finite.

    Source: Meehan et al., AISTATS 2020 (the rank statistic of distances to the training set).
    """
    distance, nearest = nearest_real(generated, train)
    unseen, _ = nearest_real(heldout, train)
    ranks = rankdata(np.concatenate([distance, unseen]))[: len(distance)]
    farther = (ranks.sum() - len(distance) * (len(distance) + 1) / 2) / (len(distance) * len(unseen))
    return Memorisation(
        levels=LEVELS,
        generated=tuple(map(float, np.quantile(distance, LEVELS))),
        heldout=tuple(map(float, np.quantile(unseen, LEVELS))),
        closer=float(1.0 - farther),
        copies=float((distance < np.quantile(unseen, COPY_LEVEL)).mean()),
        nearest=nearest,
        distance=distance,
    )


def coverage(real: ArrayLike, generated: ArrayLike, neighbours: int = 5) -> float:
    """Share of real pictures that have a generated one no farther than their own k-th real neighbour, in [0, 1].

    Args:
        real, generated: (N, d) features. neighbours: k; a perfect generator with as many pictures gets 1 - 2^-k.

    Raises:
        SelvedgeError: other shapes, or no more real pictures than `neighbours`.

    Source: Naeem et al., ICML 2020, equation 9.
    """
    real_rows, generated_rows = checked_features(real, "real"), checked_features(generated, "generated")
    if len(real_rows) <= neighbours:
        raise SelvedgeError(
            f"coverage by {neighbours} neighbours needs more real pictures than that and has {len(real_rows)}; "
            "give more."
        )
    covered = 0
    for start in range(0, len(real_rows), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        # Place 0 of the sorted distances is the picture itself.
        radius = np.partition(_squared_distances(real_rows[part], real_rows), neighbours, axis=1)[:, neighbours]
        covered += int((_squared_distances(real_rows[part], generated_rows).min(axis=1) <= radius).sum())
    return covered / len(real_rows)


def modes_covered(real: ArrayLike, generated: ArrayLike) -> Modes:
    """Which attribute combinations of real pictures generated ones show.

    Args:
        real, generated: (·, attributes) int, the classifier's answers for both sides, so that its errors are alike.

    Raises:
        SelvedgeError: no rows, or different numbers of attributes.
    """
    wanted, offered = np.asarray(real), np.asarray(generated)
    if wanted.ndim != 2 or offered.ndim != 2 or not wanted.size or wanted.shape[1] != offered.shape[1]:
        raise SelvedgeError(
            f"answers have shapes {wanted.shape} and {offered.shape}; give one row a picture on both sides."
        )
    kinds, counts = np.unique(wanted, axis=0, return_counts=True)
    shown = {tuple(row) for row in offered.tolist()}
    covered = np.array([tuple(kind) in shown for kind in kinds.tolist()])
    order = [kind_number for kind_number in np.argsort(-counts, kind="stable") if not covered[kind_number]]
    missing = tuple(tuple(kinds[kind_number].tolist()) for kind_number in order[:10])
    return Modes(len(kinds), int(covered.sum()), float(counts[covered].sum() / counts.sum()), missing)


def _squared_distances(left: Floats, right: Floats) -> Floats:
    """(a, b) float64 from (a, d) and (b, d), never below 0."""
    if left.shape[1] != right.shape[1]:
        raise SelvedgeError(
            f"features have {left.shape[1]} and {right.shape[1]} columns; use one classifier for both sides."
        )
    squares = (left**2).sum(axis=1)[:, None] + (right**2).sum(axis=1) - 2.0 * left @ right.T
    return np.asarray(np.clip(squares, 0.0, None))
