"""Intervals by resampling groups: how far a figure could move with another draw of products.

Belongs here: the resamples, 95 % intervals, paired differences, and fast resampled versions of the metrics of
classification.py. Not here: which figures are wanted (scores.py).

Products of one group (one item in several colours, re-shot photographs) are right or wrong together, so a bootstrap
over rows would be too sure of itself: groups are drawn, with their rows. One `GroupResamples` serves every attribute
and every subject of an evaluation; the same draws for both sides make a difference paired, and let a mean over
attributes be resampled as one figure.

A resample is a weight per row, never a copy of the rows: every metric here is a ratio of weighted counts, so a
thousand resamples are one matrix product.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr, ndtri

from evaluation.classification import Codes, Floats, confidence_bins

LEVEL = 0.95
CURVE_POINTS = 400  # of a resampled coverage-risk curve: finer than any interval is sharp


@dataclass(frozen=True)
class Interval:
    low: float
    high: float


class GroupResamples:
    """`resamples` draws of as many groups as there are, with replacement.

    Args:
        groups: group of every row, or every group once; the order and repetitions are without effect.
        resamples: number of draws. seed: fixes the draws.

    Raises:
        ValueError: no groups.
    """

    def __init__(self, groups: Iterable[str], resamples: int = 1000, seed: int = 0) -> None:
        self.groups = sorted({str(group) for group in groups})
        if not self.groups:
            raise ValueError("no groups to resample")
        self._number = {group: index for index, group in enumerate(self.groups)}
        count = len(self.groups)
        drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1.0 / count), size=resamples)
        self._weights = drawn.astype(np.float32)

    def __len__(self) -> int:
        return len(self._weights)

    def row_weights(self, groups: Iterable[str]) -> NDArray[np.float32]:
        """How often every row is in every resample: (resamples, rows) float32, for rows of the given groups."""
        return self._weights[:, [self._number[str(group)] for group in groups]]


def interval(point: float, replicates: ArrayLike, level: float = LEVEL) -> Interval:
    """The bias-corrected percentile interval; it always holds the point.

    Args:
        point: the figure on all rows. replicates: (resamples,) the figure on every resample, NaN where undefined.

    Plain percentiles sit beside the point for macro-F1: a resample loses rare, hard classes and scores higher. The
    correction moves the percentiles by the share of resamples below the point. Measured over 400 simulated test sets
    a size, true macro-F1 inside: 0.94 to 0.96 with 5 even classes and 60 to 400 groups; with classes down to 2 % of the
    rows 0.85 at 60 groups, 0.92 at 150, 0.94 at 400, where a class of one or two rows is beyond any bootstrap.

    Source: Efron, JASA 1987 (the BC interval).
    """
    values = np.asarray(replicates, dtype=np.float64)
    values = np.sort(values[~np.isnan(values)])
    if np.isnan(point) or not len(values):
        return Interval(float("nan"), float("nan"))
    below = (np.mean(values < point) + np.mean(values <= point)) / 2
    tail = ndtri((1 + level) / 2)
    shift = np.clip(ndtri(np.clip(below, 1e-9, 1 - 1e-9)), -tail, tail)
    low, high = np.quantile(values, ndtr([2 * shift - tail, 2 * shift + tail]))
    # Quantiles interpolate between resamples, so the point can be missed by less than one of them.
    return Interval(float(min(low, point)), float(max(high, point)))


def resampled_mean(values: ArrayLike, weights: NDArray[np.float32]) -> Floats:
    """The mean of (rows,) values in every resample: (resamples,) float64, NaN where a resample has no row."""
    column = np.asarray(values, dtype=np.float32)
    with np.errstate(invalid="ignore"):
        return (weights @ column).astype(np.float64) / weights.sum(axis=1, dtype=np.float64)


def resampled_macro_f1(codes: Codes, weights: NDArray[np.float32], minimum_support: int = 1) -> Floats:
    """Macro-F1 in every resample: (resamples,) float64.

    Args:
        weights: (resamples, rows) float32 from `GroupResamples.row_weights`.
        minimum_support: counts the rows before resampling, so that all resamples speak of the same classes; a class
            that a resample lost is left out of its mean.
    """
    kept = np.flatnonzero(np.bincount(codes.truth, minlength=len(codes.classes)) >= minimum_support)
    if not len(kept):
        return np.full(len(weights), np.nan)
    truth = (codes.truth[:, None] == kept).astype(np.float32)
    answer = (codes.answer[:, None] == kept).astype(np.float32)
    support, answered, hits = weights @ truth, weights @ answer, weights @ (truth * answer)
    present = support > 0
    f1 = np.divide(2 * hits, support + answered, out=np.zeros_like(hits), where=present)
    with np.errstate(invalid="ignore"):
        return f1.sum(axis=1, dtype=np.float64) / present.sum(axis=1)


def resampled_calibration_error(
    confidence: ArrayLike, correct: ArrayLike, weights: NDArray[np.float32], bins: int = 15
) -> Floats:
    """Expected calibration error in every resample: (resamples,) float64."""
    values = np.asarray(confidence, dtype=np.float32)
    gap = values - np.asarray(correct, dtype=np.float32)
    in_bin = confidence_bins(values, bins)[:, None] == np.arange(bins)
    with np.errstate(invalid="ignore"):
        return np.abs(weights @ (in_bin * gap[:, None])).sum(axis=1, dtype=np.float64) / weights.sum(axis=1)


@dataclass(frozen=True)
class ResampledRisk:
    """Figures of the coverage-risk curve in every resample.

    area: (resamples,) float64 AURC. coverage_at: risk -> (resamples,) float64 coverage.
    """

    area: Floats
    coverage_at: dict[float, Floats]


def resampled_risk(
    confidence: ArrayLike, correct: ArrayLike, weights: NDArray[np.float32], risks: Iterable[float] = ()
) -> ResampledRisk:
    """AURC and coverage at stated risks in every resample, from one sort and two cumulative sums.

    The curve is read at no more than CURVE_POINTS confidences; its area is the integral of the expected
    risk over coverage, where `classification.area_under_risk` sums over rows: on n rows they differ by less than 1/n.
    """
    values = np.asarray(confidence, dtype=np.float64)
    order = np.argsort(-values, kind="stable")
    wrong = ~np.asarray(correct, dtype=bool)[order]
    last = np.append(np.flatnonzero(np.diff(values[order]) != 0), len(values) - 1)
    if len(last) > CURVE_POINTS:
        last = np.unique(last[np.linspace(0, len(last) - 1, CURVE_POINTS).astype(np.int64)])
    first = np.concatenate([[0], last[:-1] + 1])
    ordered = weights[:, order]
    answered = np.cumsum(np.add.reduceat(ordered, first, axis=1), axis=1, dtype=np.float64)
    errors = np.cumsum(np.add.reduceat(ordered * wrong, first, axis=1), axis=1, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        coverage = answered / answered[:, -1:]
        risk = np.where(answered > 0, errors / answered, 0.0)
        area = _integral_of_risk(answered, errors) / answered[:, -1]
    at = {float(level): np.where(risk <= level + 1e-9, coverage, 0.0).max(axis=1) for level in risks}
    return ResampledRisk(area, at)


def _integral_of_risk(answered: Floats, errors: Floats) -> Floats:
    """Integral of errors(a) / a over answered rows a, errors rising straight between the points: (resamples,)."""
    start, missed = np.zeros_like(answered), np.zeros_like(errors)
    start[:, 1:], missed[:, 1:] = answered[:, :-1], errors[:, :-1]
    width = answered - start
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = np.where(width > 0, (errors - missed) / width, 0.0)
        bend = np.where(start > 0, (missed - slope * start) * np.log(answered / start), 0.0)
    return (slope * width + bend).sum(axis=1)
