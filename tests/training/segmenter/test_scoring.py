"""Scores of masks: against an independent count, the two untrained subjects, and masks that are the truth."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import jaccard_score

from catalog.errors import SelvedgeError
from tests.training.segmenter.squares import CLASSES, write
from training.handsoff.labels import read_labelled
from training.segmenter.label_set import LabelSet, read_label_set
from training.segmenter.scoring import SIDE, masks_of, mean_masks, nearest_masks, score_segmenters


class Oracle:
    """Knows the squares: red is upper, blue is lower. With `wrong`, it calls a share of the upper part lower."""

    def __init__(self, classes: tuple[str, ...] = CLASSES, wrong: float = 0.0) -> None:
        self.classes, self.wrong = classes, wrong

    def segment(self, rgb: np.ndarray) -> np.ndarray:
        red, blue = rgb[..., 0].astype(int), rgb[..., 2].astype(int)
        mask = np.where(red - blue > 40, 1, np.where(blue - red > 40, 2, 0)).astype(np.uint8)
        mask[:, : round(self.wrong * mask.shape[1])][mask[:, : round(self.wrong * mask.shape[1])] == 1] = 2
        return mask


@pytest.fixture
def labels(tmp_path: Path) -> LabelSet:
    write(tmp_path / "labelled", 4, seed=1)
    write(tmp_path / "test", 30, seed=2)
    return read_label_set(tmp_path)


def figures(table: pd.DataFrame, subject: str, metric: str) -> dict[str, float]:
    rows = table[(table["subject"] == subject) & (table["metric"] == metric)]
    return dict(zip(rows["attribute"], rows["value"], strict=True))


def test_figures_are_those_of_an_independent_count(labels: LabelSet) -> None:
    oracle = Oracle(wrong=0.4)
    table = score_segmenters(oracle, None, labels, family="f", name="c").scores  # type: ignore[arg-type]
    test = read_labelled(labels.test, SIDE)
    masks = masks_of(oracle, test)  # type: ignore[arg-type]
    expected = jaccard_score(test.masks.ravel(), masks.ravel(), average=None)
    ours = figures(table, "candidate", "iou")
    assert [ours[name] for name in CLASSES] == pytest.approx(expected)
    assert ours["mean"] == pytest.approx(np.mean(expected))
    whole = jaccard_score(test.masks.ravel() > 0, masks.ravel() > 0)
    assert figures(table, "candidate", "foreground_iou")["mean"] == pytest.approx(whole)
    base = figures(table, "base", "iou")
    assert figures(table, "candidate", "iou_minus_base")["mean"] == pytest.approx(ours["mean"] - base["mean"])


def test_a_better_candidate_is_ahead_of_its_champion_with_an_interval(labels: LabelSet) -> None:
    champion = ("3", Oracle(wrong=0.4))
    scored = score_segmenters(Oracle(), champion, labels, family="f", name="c")  # type: ignore[arg-type]
    gain = scored.scores[(scored.scores["metric"] == "iou_minus_champion") & (scored.scores["attribute"] == "upper")]
    assert 0 < gain["low"].item() < gain["value"].item() < gain["high"].item()
    assert scored.evidence.champion_version == "3" and scored.evidence.dataset_sha256 == labels.sha256
    assert (scored.scores["support"] == 30).all()


def test_the_subjects_without_training(labels: LabelSet) -> None:
    learnt, test = read_labelled(labels.labelled, 16), read_labelled(labels.test, 16)
    assert np.array_equal(nearest_masks(learnt, learnt), learnt.masks)
    chosen = nearest_masks(learnt, test)
    own = learnt.pictures.array.astype(int)
    for picture, mask in zip(test.pictures.array, chosen, strict=True):
        apart = ((own - picture.astype(int)) ** 2).sum(axis=(1, 2, 3))
        assert np.array_equal(mask, learnt.masks[apart.argmin()])
    mean = mean_masks(learnt, 2)
    assert mean.shape == (2, 16, 16) and mean[0, 8, 8] == np.bincount(learnt.masks[:, 8, 8]).argmax()


def test_a_segmenter_of_other_classes_is_refused(labels: LabelSet) -> None:
    with pytest.raises(SelvedgeError, match="the segmenter tells background, all, and the test pictures are labelled"):
        score_segmenters(Oracle(("background", "all")), None, labels, family="f", name="c")  # type: ignore[arg-type]
