"""Segmentation: how well masks cover the true ones.

Belongs here: overlaps of each picture, the IoU of each class and their mean, intervals and paired differences. Not
here: the masks (training/segmenter/segmenter.py), drawing resamples (intervals.py).

The rule of every figure: intersections and unions are summed over all pictures of a set, then divided, class by class;
the mean is over the classes that the truth or the masks show. A picture in which a class is two pixels large counts as
its two pixels, and a class that a model sees where there is none costs it a zero.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from evaluation.classification import Floats
from evaluation.intervals import GroupResamples, Interval, interval

Overlaps = NDArray[np.int64]
Masks = NDArray[np.integer] | NDArray[np.bool_]


@dataclass(frozen=True)
class Overlap:
    """A mean IoU, or a difference of two, with its 95 % interval over pictures."""

    value: float
    interval: Interval


def overlaps(masks: Masks, truth: Masks, classes: int) -> Overlaps:
    """Intersection and union of every class in every picture, in pixels: (n, classes, 2).

    Args:
        masks, truth: (n, h, w) class numbers below `classes`.

    Raises:
        ValueError: another shape, or a number that is no class.
    """
    if masks.shape != truth.shape or masks.ndim != 3:
        raise ValueError(f"masks of shape {masks.shape} and a truth of {truth.shape}; both must be (n, h, w)")
    for name, numbers in (("masks", masks), ("truth", truth)):
        if numbers.size and not 0 <= int(numbers.min()) <= int(numbers.max()) < classes:
            raise ValueError(f"the {name} hold numbers from {numbers.min()} to {numbers.max()}; there are {classes}")
    areas = [_areas(mask, true, classes) for mask, true in zip(masks, truth, strict=True)]
    return np.asarray(areas, np.int64).reshape(len(masks), classes, 2)


def class_iou(overlap: Overlaps) -> Floats:
    """(classes,) IoU of each class over all pictures; NaN where neither truth nor masks show it."""
    both, either = overlap.sum(axis=0).T
    return np.divide(both, either, out=np.full(len(both), np.nan), where=either > 0)


def mean_iou(overlap: Overlaps) -> float:
    """The mean of `class_iou` over the classes that are shown; NaN where none is."""
    shown = class_iou(overlap)
    shown = shown[~np.isnan(shown)]
    return float(shown.mean()) if len(shown) else float("nan")


def mean_iou_score(
    overlap: Overlaps, groups: Sequence[str] | None = None, resamples: int = 1000, seed: int = 0
) -> Overlap:
    """Mean IoU with its interval.

    Args:
        groups: of each picture: those of one garment are drawn together; None takes each by itself.
    """
    weights = _weights(len(overlap), groups, resamples, seed)
    value = mean_iou(overlap)
    return Overlap(value, interval(value, resampled_mean_iou(overlap, weights)))


def mean_iou_difference(
    first: Overlaps, second: Overlaps, groups: Sequence[str] | None = None, resamples: int = 1000, seed: int = 0
) -> Overlap:
    """The mean IoU of the first model less that of the second, paired: both on the same pictures in every resample.

    Raises:
        ValueError: they are not of the same pictures and classes.
    """
    if first.shape != second.shape:
        raise ValueError(f"overlaps of shape {first.shape} and {second.shape}; measure both on the same pictures")
    weights = _weights(len(first), groups, resamples, seed)
    value = mean_iou(first) - mean_iou(second)
    return Overlap(value, interval(value, resampled_mean_iou(first, weights) - resampled_mean_iou(second, weights)))


def resampled_mean_iou(overlap: Overlaps, weights: NDArray[np.float32]) -> Floats:
    """Mean IoU in every resample: (resamples,) float64; a class that a resample lost is left out of its mean.

    Args:
        weights: (resamples, n) of `GroupResamples.row_weights`.
    """
    summed = np.tensordot(weights.astype(np.float64), overlap.astype(np.float64), axes=1)
    both, either = summed[..., 0], summed[..., 1]
    ious = np.divide(both, either, out=np.zeros_like(both), where=either > 0)
    with np.errstate(invalid="ignore"):
        mean: Floats = ious.sum(axis=1) / (either > 0).sum(axis=1)
    return mean


def _areas(mask: Masks, truth: Masks, classes: int) -> Overlaps:
    """(classes, 2) of one picture."""
    both = np.bincount(truth[mask == truth].ravel(), minlength=classes)
    sides = np.bincount(mask.ravel(), minlength=classes) + np.bincount(truth.ravel(), minlength=classes)
    return np.stack([both, sides - both], axis=1)


def _weights(pictures: int, groups: Sequence[str] | None, resamples: int, seed: int) -> NDArray[np.float32]:
    names = [str(row) for row in range(pictures)] if groups is None else [str(group) for group in groups]
    if len(names) != pictures:
        raise ValueError(f"{len(names)} groups for {pictures} pictures; give each its own")
    return GroupResamples(names, resamples, seed).row_weights(names)
