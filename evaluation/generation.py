"""How good generated pictures are as a whole: distances to real ones in a classifier's features, and their attributes.

Belongs here: Fréchet and kernel distance, inception score of an attribute, attributes against the prompt. Not here:
networks (arrays come in, figures go out), intervals and floors (generation_intervals.py), copies and missing modes
(neighbours.py), word after word (refinement.py).

The features and probabilities come from a classifier that no generator was trained with (training/attribute_judge.py).
They are no Inception features: the figures compare models of one house on one data set and nothing else.

Both distances grow with fewer pictures or with other shares of the classes, so both sides must have the same number of
pictures and, if the prompts are chosen, real ones with the same attributes. On samples of one and the same
distribution, as share of the total variance of isotropic features, the Fréchet distance is about d / 2N: 0.034
with 64 features and N = 1000, 0.17 with N = 200; the kernel distance is 0 on average at any N.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import eigh, eigvalsh
from scipy.special import xlogy

from catalog.errors import SelvedgeError
from evaluation.classification import Floats

NOT_ASKED = -1
ROWS_AT_ONCE = 1024  # of a kernel matrix, so that 20,000 pictures need 160 MB and not 3.2 GB
ALL_ATTRIBUTES = "all"


@dataclass(frozen=True)
class Moments:
    """Mean (d,) and covariance (d, d) of features, float64."""

    mean: Floats
    covariance: Floats


def frechet_distance(real: ArrayLike, generated: ArrayLike) -> float:
    """Squared Fréchet distance between Gaussians fitted to two sets of features, at least 0.

    Args:
        real, generated: (N, d) float, the same N, larger than d. Computed in float64.

    Raises:
        SelvedgeError: other shapes, different N, N <= d, or a feature that is not finite.

    The trace of the root of S1 S2 is taken from the eigenvalues of the symmetric S1^½ S2 S1^½, which are real and, but
    for rounding, not negative; the root of the plain product turns complex on nearly singular covariances.

    Source: Heusel et al., NeurIPS 2017, equation 6.
    """
    first, second = equal_sides(real, generated)
    return moments_distance(moments(first), moments(second))


def moments(features: Floats, weights: ArrayLike | None = None) -> Moments:
    """Mean and unbiased covariance, every row counted as often as its weight says.

    Args:
        features: (N, d) float64. weights: (N,) whole numbers; None counts every row once.

    Raises:
        SelvedgeError: N <= d; the covariance would be singular and the distance too large by an unknown amount.
    """
    rows, size = features.shape
    if rows <= size:
        raise SelvedgeError(
            f"a Fréchet distance on {size} features needs more than {size} pictures a side and has {rows}; "
            "give more pictures or report the kernel distance alone."
        )
    counts = np.ones(rows) if weights is None else np.asarray(weights, dtype=np.float64)
    total = counts.sum()
    mean = counts @ features / total
    centred = features - mean
    return Moments(mean, (centred * counts[:, None]).T @ centred / (total - 1))


def moments_distance(first: Moments, second: Moments) -> float:
    """Squared Fréchet distance between two Gaussians."""
    values, vectors = eigh(first.covariance)
    root = (vectors * np.sqrt(np.clip(values, 0.0, None))) @ vectors.T
    shared = np.sqrt(np.clip(eigvalsh(root @ second.covariance @ root), 0.0, None)).sum()
    apart = float(np.sum((first.mean - second.mean) ** 2))
    spread = float(np.trace(first.covariance) + np.trace(second.covariance))
    return max(0.0, apart + spread - 2.0 * float(shared))


def kernel_distance(real: ArrayLike, generated: ArrayLike) -> float:
    """KID: unbiased squared maximum mean discrepancy with the kernel (x·y / d + 1)³, over all pairs.

    Args:
        real, generated: (N, d) float, the same N, at least 2.

    Returns:
        A figure whose mean is 0 for one distribution; single samples fall below 0 too.

    Raises:
        SelvedgeError: other shapes, different N, or a feature that is not finite.

    Source: Bińkowski et al., ICLR 2018, section 4.
    """
    first, second = equal_sides(real, generated)
    return _squared_discrepancy(first, second)


def kernel_rows(left: Floats, right: Floats) -> Floats:
    """(a, b) float64 kernel values of (a, d) with (b, d) features."""
    return np.asarray((left @ right.T / left.shape[1] + 1.0) ** 3)


def inception_score(probabilities: ArrayLike) -> float:
    """exp of the mean divergence of each picture's class probabilities from their mean: 1 to the number of classes.

    Args:
        probabilities: (N, K) float, rows sum to 1, of one attribute.

    Raises:
        SelvedgeError: other shapes, no rows, or rows that are no probabilities.

    It is low when pictures are undecided and when classes are missing. It also depends on the classifier's confidence
    (K = 11: 6.3 at 90 % confidence, 3.0 at 70 %) and is too low for few pictures (K = 11, all certain: 9.9 at N = 50),
    so it is read beside `inception_score` of as many real pictures, its ceiling.

    Source: Salimans et al., NeurIPS 2016, section 4; without splits.
    """
    rows = checked_probabilities(probabilities)
    return float(np.exp(_entropy(rows.mean(axis=0)) - _entropy(rows).mean()))


def attribute_hits(
    probabilities: Mapping[str, ArrayLike], wanted: ArrayLike
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Which asked attributes the classifier finds in the pictures.

    Args:
        probabilities: attribute -> (N, its classes) float, in the order of the columns of `wanted`.
        wanted: (N, attributes) int, the class asked for, NOT_ASKED where the prompt says nothing of the attribute.

    Returns:
        hits: (N, attributes) bool, False where not asked; asked: (N, attributes) bool.

    Raises:
        SelvedgeError: shapes that do not fit, or a wanted class that the classifier does not have.
    """
    targets = np.asarray(wanted)
    answers = np.stack([checked_probabilities(values).argmax(axis=1) for values in probabilities.values()], axis=1)
    if targets.shape != answers.shape:
        raise SelvedgeError(
            f"prompts want classes of shape {targets.shape} and the classifier answers {answers.shape}; "
            "give one row a picture and one column an attribute."
        )
    for column, (name, values) in enumerate(probabilities.items()):
        classes = np.asarray(values).shape[1]
        if (outside := (targets[:, column] >= classes) | (targets[:, column] < NOT_ASKED)).any():
            raise SelvedgeError(
                f"prompt {int(outside.argmax())} wants {name} {targets[:, column][outside.argmax()]} and the "
                f"classifier has {classes} classes; use the data set it was trained on."
            )
    asked = targets != NOT_ASKED
    return (answers == targets) & asked, asked


def attribute_accuracy(probabilities: Mapping[str, ArrayLike], wanted: ArrayLike) -> dict[str, float]:
    """Share of asked attributes found, by attribute and over all (ALL_ATTRIBUTES); NaN where none was asked for.

    Args and Raises: as for `attribute_hits`.
    """
    hits, asked = attribute_hits(probabilities, wanted)
    with np.errstate(invalid="ignore"):
        shares = hits.sum(axis=0) / asked.sum(axis=0)
        overall = np.float64(hits.sum()) / asked.sum()
    return {name: float(share) for name, share in zip(probabilities, shares, strict=True)} | {
        ALL_ATTRIBUTES: float(overall)
    }


def equal_sides(real: ArrayLike, generated: ArrayLike) -> tuple[Floats, Floats]:
    """Both sides as (N, d) float64.

    Raises:
        SelvedgeError: no table of features, a feature that is not finite, different d, different N or N < 2.
    """
    first, second = checked_features(real, "real"), checked_features(generated, "generated")
    if first.shape[1] != second.shape[1]:
        raise SelvedgeError(
            f"real pictures have {first.shape[1]} features and generated ones {second.shape[1]}; use one classifier."
        )
    if len(first) != len(second):
        raise SelvedgeError(
            f"there are {len(first)} real and {len(second)} generated pictures; take equally many, because the "
            "distances depend on their number."
        )
    if len(first) < 2:
        raise SelvedgeError("a distance between distributions needs at least two pictures a side; give more.")
    return first, second


def checked_features(features: ArrayLike, side: str) -> Floats:
    """(N, d) float64 features of a named side, or a sentence."""
    table = np.asarray(features, dtype=np.float64)
    if table.ndim != 2 or not table.size:
        raise SelvedgeError(f"the {side} features have shape {table.shape}; give one row a picture.")
    if not np.isfinite(table).all():
        row = int(np.flatnonzero(~np.isfinite(table).all(axis=1))[0])
        raise SelvedgeError(f"the features of {side} picture {row} are not finite; look at that picture.")
    return table


def checked_probabilities(probabilities: ArrayLike) -> Floats:
    """(N, K) float64 class probabilities, or a sentence."""
    rows = np.asarray(probabilities, dtype=np.float64)
    if rows.ndim != 2 or not rows.size:
        raise SelvedgeError(f"class probabilities have shape {rows.shape}; give one row a picture.")
    if not np.all(np.isfinite(rows)) or np.any(rows < 0) or np.abs(rows.sum(axis=1) - 1).max() > 1e-3:
        raise SelvedgeError("class probabilities must lie in 0 to 1 and sum to 1 in every row; take the softmax first.")
    return rows


def _entropy(probabilities: Floats) -> Floats:
    """Over the last axis, in nats."""
    return np.asarray(-xlogy(probabilities, probabilities).sum(axis=-1))


def _squared_discrepancy(real: Floats, generated: Floats) -> float:
    pairs = len(real) * (len(real) - 1)
    within = sum(_kernel_sum(side, side) - _kernel_diagonal(side) for side in (real, generated))
    return within / pairs - 2.0 * _kernel_sum(real, generated) / len(real) ** 2


def _kernel_sum(left: Floats, right: Floats) -> float:
    starts = range(0, len(left), ROWS_AT_ONCE)
    return float(sum(kernel_rows(left[start : start + ROWS_AT_ONCE], right).sum() for start in starts))


def _kernel_diagonal(side: Floats) -> float:
    return float((((side**2).sum(axis=1) / side.shape[1] + 1.0) ** 3).sum())
