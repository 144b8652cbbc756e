"""Mean IoU: what another implementation says, what a perfect and an empty answer get, intervals over pictures."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.metrics import confusion_matrix, jaccard_score

from evaluation.intervals import GroupResamples
from evaluation.segmentation import (
    class_iou,
    mean_iou,
    mean_iou_difference,
    mean_iou_score,
    overlaps,
    resampled_mean_iou,
)

CLASSES = 4
SHAPES = st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 5))
PAIRS = SHAPES.flatmap(lambda shape: st.tuples(*(arrays(np.uint8, shape, elements=st.integers(0, CLASSES - 1)),) * 2))


def noisy(truth: np.ndarray, share: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return np.where(rng.random(truth.shape) < share, rng.integers(0, CLASSES, truth.shape), truth).astype(np.uint8)


TRUTH = np.random.default_rng(0).integers(0, CLASSES, (30, 6, 7)).astype(np.uint8)


@given(PAIRS)
def test_mean_iou_is_what_scikit_learn_says(pair):
    masks, truth = pair
    overlap = overlaps(masks, truth, CLASSES)
    expected = jaccard_score(truth.ravel(), masks.ravel(), average="macro")  # over labels of either
    assert mean_iou(overlap) == pytest.approx(expected)
    counts = confusion_matrix(truth.ravel(), masks.ravel(), labels=range(CLASSES))
    assert (overlap.sum(axis=0)[:, 0] == counts.diagonal()).all()
    assert (overlap.sum(axis=0)[:, 1] == counts.sum(0) + counts.sum(1) - counts.diagonal()).all()


@given(PAIRS)
def test_it_is_1_only_for_the_truth_and_the_same_either_way_round(pair):
    masks, truth = pair
    value = mean_iou(overlaps(masks, truth, CLASSES))
    assert (value == 1) == bool((masks == truth).all()) and 0 <= value <= 1
    assert value == mean_iou(overlaps(truth, masks, CLASSES))


def test_a_class_seen_where_there_is_none_costs_a_zero_and_one_that_nobody_shows_is_left_out():
    truth = np.zeros((1, 2, 2), np.uint8)
    truth[0, 0] = 1
    masks = truth.copy()
    assert np.isnan(class_iou(overlaps(masks, truth, 3))[2]) and mean_iou(overlaps(masks, truth, 3)) == 1
    masks[0, 1, 1] = 2
    assert class_iou(overlaps(masks, truth, 3)).tolist() == [0.5, 1, 0]
    assert mean_iou(overlaps(masks, truth, 3)) == 0.5
    assert np.isnan(mean_iou(overlaps(masks[:0], truth[:0], 3)))


def test_masks_of_yes_and_no_count_as_two_classes():
    assert class_iou(overlaps(TRUTH > 1, TRUTH > 0, 2))[1] == (TRUTH > 1).sum() / (TRUTH > 0).sum()


def test_a_resample_is_the_mean_iou_of_its_pictures_repeated():
    masks = noisy(TRUTH, 0.5, 1)
    overlap, names = overlaps(masks, TRUTH, CLASSES), [str(n // 2) for n in range(30)]
    weights = GroupResamples(names, 20, seed=3).row_weights(names)
    for value, row in zip(resampled_mean_iou(overlap, weights), weights.astype(int), strict=True):
        rows = np.repeat(np.arange(30), row)
        assert value == pytest.approx(mean_iou(overlaps(masks[rows], TRUTH[rows], CLASSES)))


def test_intervals_hold_the_figure_and_a_paired_difference_is_narrower_than_the_figures():
    better, worse = (overlaps(noisy(TRUTH, share, 1), TRUTH, CLASSES) for share in (0.30, 0.36))
    score, apart = mean_iou_score(better), mean_iou_difference(better, worse)
    assert score.interval.low < score.value < score.interval.high
    assert apart.value == pytest.approx(mean_iou(better) - mean_iou(worse))
    assert 0 < apart.interval.low < apart.value < apart.interval.high
    assert apart.interval.high - apart.interval.low < score.interval.high - score.interval.low
    same = mean_iou_difference(better, better)
    assert (same.value, same.interval.low, same.interval.high) == (0, 0, 0)


def test_other_shapes_and_numbers_that_are_no_class_are_refused():
    with pytest.raises(ValueError, match="both must be"):
        overlaps(TRUTH[:3], TRUTH, CLASSES)
    with pytest.raises(ValueError, match="the masks hold numbers from 0 to 3; there are 3"):
        overlaps(TRUTH, TRUTH % 3, 3)
    overlap = overlaps(TRUTH, TRUTH, CLASSES)
    with pytest.raises(ValueError, match="measure both on the same pictures"):
        mean_iou_difference(overlap, overlap[:5])
    with pytest.raises(ValueError, match="2 groups for 30 pictures"):
        mean_iou_score(overlap, ["a", "b"])
