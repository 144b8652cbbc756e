"""A segmenter on held-out labels, beside labels that cost no training and the champion.

Belongs here: the subjects' masks, the table `scores`, the evidence. Not here: overlaps and their means
(evaluation/segmentation.py), the decision (evaluation/gate.py).

A class that the test pictures show is an attribute: `iou` is its intersection over its union, summed over all pictures.
`foreground_iou` is that of everything that is not background: how well a product is cut out. Pictures are resampled.
The base, which a first candidate is held against, gives each test picture the mask of the labelled picture that is
nearest in pixels.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from catalog.errors import SelvedgeError
from catalog.files import png_bytes
from catalog.mask_colours import class_colours
from evaluation.intervals import GroupResamples, interval
from evaluation.scores import ALL, BASE, CANDIDATE, CHAMPION, FLOOR, MEAN
from evaluation.segmentation import mean_iou, overlaps
from training.handsoff.labels import LabelledPictures, read_labelled
from training.segmenter.label_set import LabelSet

if TYPE_CHECKING:
    import pandas as pd

    from evaluation.evidence import Evidence
    from training.reporting import Reporter
    from training.segmenter.segmenter import GarmentSegmenter

IOU, FOREGROUND = "iou", "foreground_iou"
MEAN_LABEL = f"{FLOOR}mean_label"
SIDE = 128  # pixels: whatever a version's own size, all are scored at this one
SHOWN, MARGIN = 8, 110  # pictures of the sheet; pixels for its names
SCORES_FILE, EVIDENCE_FILE, MASKS_FILE = "scores.parquet", "evidence.json", "masks.png"


@dataclass(frozen=True)
class SegmenterScores:
    """What one evaluation gave. predictions: of the candidate, a row a test picture. plots: file name -> PNG."""

    scores: "pd.DataFrame"
    predictions: "Mapping[str, pd.DataFrame]"
    evidence: "Evidence"
    plots: Mapping[str, bytes] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Scores, evidence and pictures as files of a folder that is there."""
        import evaluation.tables  # noqa: F401  declares the table
        from catalog.files import publish_bytes, publish_text
        from catalog.tables import write_table

        write_table(self.scores, folder / SCORES_FILE, "scores")
        publish_text(self.evidence.to_json(), folder / EVIDENCE_FILE)
        for name, content in self.plots.items():
            publish_bytes(content, folder / name)


def score_segmenters(
    candidate: "GarmentSegmenter",
    champion: "tuple[str, GarmentSegmenter] | None",
    labels: LabelSet,
    *,
    family: str,
    name: str,
    reporter: "Reporter | None" = None,
) -> SegmenterScores:
    """Every subject on part `test`.

    Args:
        champion: its version and segmenter. name: the candidate's.

    Raises:
        SelvedgeError: a part cannot be read, or a segmenter tells other classes than are labelled.
    """
    import pandas as pd

    from evaluation.evidence import metrics_evidence
    from evaluation.tables import SCORES

    learnt, test = read_labelled(labels.labelled, SIDE), read_labelled(labels.test, SIDE)
    segmenters = {CANDIDATE: candidate, **({CHAMPION: champion[1]} if champion else {})}
    masks = {subject: masks_of(segmenter, test, reporter) for subject, segmenter in segmenters.items()}
    masks |= {BASE: nearest_masks(learnt, test), MEAN_LABEL: mean_masks(learnt, len(test))}
    counts = {subject: _counts(mask, test) for subject, mask in masks.items()}
    rows = _rows(counts, test)
    table = pd.DataFrame([(family, name, *row) for row in rows], columns=SCORES.names)
    answers = pd.DataFrame(
        {
            "product_id": np.arange(1, len(test) + 1),
            "picture": test.pictures.names,
            IOU: [
                mean_iou(of_picture)
                for of_picture in overlaps(masks[CANDIDATE], test.masks, len(test.kinds.classes))[:, None]
            ],
        }
    )
    evidence = metrics_evidence(table, champion[0] if champion else None, labels.sha256)
    return SegmenterScores(table, {CANDIDATE: answers}, evidence, {MASKS_FILE: _mask_sheet(test, masks)})


def masks_of(segmenter: "GarmentSegmenter", test: LabelledPictures, reporter: "Reporter | None" = None) -> np.ndarray:
    """(n, S, S) uint8: a segmenter's masks of test pictures.

    Raises:
        SelvedgeError: it tells other classes than are labelled.
    """
    if segmenter.classes != test.kinds.classes:
        raise SelvedgeError(
            f"the segmenter tells {', '.join(segmenter.classes)}, and the test pictures are labelled with "
            f"{', '.join(test.kinds.classes)}; train one on these labels."
        )
    masks = []
    for done, picture in enumerate(test.pictures.array, 1):
        masks.append(segmenter.segment(picture))
        if reporter is not None:
            reporter.progress(done, len(test), "segmenting held-out pictures")
    return np.stack(masks)


def nearest_masks(learnt: LabelledPictures, test: LabelledPictures) -> np.ndarray:
    """(n, S, S) uint8: for each test picture the mask of the labelled picture that is nearest in pixels."""
    own, asked = (part.pictures.array.reshape(len(part), -1).astype(np.float32) for part in (learnt, test))
    distances = (asked**2).sum(1)[:, None] - 2 * asked @ own.T + (own**2).sum(1)
    nearest: np.ndarray = learnt.masks[distances.argmin(axis=1)]
    return nearest


def mean_masks(learnt: LabelledPictures, count: int) -> np.ndarray:
    """(count, S, S) uint8: of each pixel the class that is commonest among the labelled pictures."""
    counts = np.stack([(learnt.masks == number).sum(axis=0) for number in range(len(learnt.kinds.classes))])
    return np.broadcast_to(counts.argmax(axis=0).astype(np.uint8), (count, *learnt.masks.shape[1:]))


def _rows(counts: Mapping[str, np.ndarray], test: LabelledPictures) -> list[tuple[object, ...]]:
    """Rows of the table `scores` without family and candidate: every figure, then the candidate's paired gains."""
    weights = GroupResamples(test.pictures.names).row_weights(test.pictures.names)
    figures = {subject: _figures(of_subject, test, weights) for subject, of_subject in counts.items()}
    for rival in figures.keys() - {CANDIDATE}:
        against = FLOOR.removesuffix(":") if rival == MEAN_LABEL else rival
        for (attribute, metric), values in list(figures[CANDIDATE].items()):
            if (attribute, metric) in figures[rival]:
                gain = values - figures[rival][attribute, metric]
                figures[CANDIDATE][attribute, f"{metric}_minus_{against}"] = gain
    support = {name: int((test.masks == k).any(axis=(1, 2)).sum()) for k, name in enumerate(test.kinds.classes)}
    support[MEAN] = len(test)
    rows: list[tuple[object, ...]] = []
    for subject, of_subject in figures.items():
        for (attribute, metric), values in of_subject.items():
            point, bounds = float(values[0]), interval(values[0], values[1:])
            rows.append((subject, attribute, ALL, metric, point, bounds.low, bounds.high, support[attribute]))
    return sorted(rows, key=lambda row: row[:4])


def _figures(counts: np.ndarray, test: LabelledPictures, weights: np.ndarray) -> dict[tuple[str, str], np.ndarray]:
    """(attribute, metric) -> the figure on all pictures, and behind it those on every resample."""
    whole = np.concatenate([np.ones((1, len(test)), np.float64), weights])
    sums = np.tensordot(whole, counts, axes=1)  # (1 + resamples, classes + 1, 2)
    with np.errstate(invalid="ignore"):
        shares = sums[..., 0] / sums[..., 1]
    shown = np.unique(test.masks)
    of_classes = {(test.kinds.classes[number], IOU): shares[:, number] for number in shown}
    return {
        **of_classes,
        (MEAN, IOU): np.nanmean(shares[:, shown], axis=1),
        (MEAN, FOREGROUND): shares[:, -1],
    }


def _counts(masks: np.ndarray, test: LabelledPictures) -> np.ndarray:
    """(n, classes + 1, 2): overlaps of each class, and behind them of everything that is not background."""
    of_classes = overlaps(masks, test.masks, len(test.kinds.classes))
    return np.concatenate([of_classes, overlaps(masks > 0, test.masks > 0, 2)[:, 1:]], axis=1)


def _mask_sheet(test: LabelledPictures, masks: Mapping[str, np.ndarray]) -> bytes:
    """PNG: test pictures, their true masks, and below those every subject's, named."""
    rows = np.linspace(0, len(test) - 1, min(SHOWN, len(test))).astype(int)
    strips = {"picture": test.pictures.array[rows], "true": class_colours(test.masks[rows])}
    strips |= {subject: class_colours(of_subject[rows]) for subject, of_subject in masks.items()}
    sheet = Image.new("RGB", (MARGIN + len(rows) * SIDE, len(strips) * SIDE), "white")
    for line, (name, strip) in enumerate(strips.items()):
        ImageDraw.Draw(sheet).text((4, line * SIDE + SIDE // 2), name, "black", ImageFont.load_default(13))
        sheet.paste(Image.fromarray(np.concatenate(list(strip), axis=1)), (MARGIN, line * SIDE))
    return png_bytes(sheet, optimize=True)
