"""Training a segmenter: on pictures that people labelled, that HandsOff generated, or both.

Belongs here: the loss, the run, its result. Not here: which pictures (sources.py), how they are varied
(augmentation.py), the network (network.py), the artefact (segmenter.py).

The loss is the cross-entropy, rare classes weighted, and the Dice loss: a collar's few pixels have their say beside the
many of the backdrop. Muon and not Adam for the same reason (training/muon.py). The last weights are kept, whatever
validation says: fifty pictures are too few to choose by.

Source: Milletari et al., V-Net, 3DV 2016 (Dice loss, squared denominator).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from catalog.errors import SelvedgeError
from catalog.files import json_sha256
from evaluation.segmentation import mean_iou, overlaps
from training.devices import choose_device, choose_precision
from training.driver import TrainingRun, warm_up_then_cosine
from training.muon import Muon
from training.picture_tensors import to_float
from training.reporting import Reporter
from training.segmenter.augmentation import vary
from training.segmenter.network import SegmenterNetwork
from training.segmenter.segmenter import GarmentSegmenter, read_segmenter_about, save_segmenter
from training.segmenter.settings import SegmenterSettings
from training.segmenter.sources import Sources, content_of

FORMAT = 1
WARM_UP = 0.05  # share of the steps in which the rate rises
CLIP_NORM = 1.0
WEIGHT_DECAY = 1e-3
HEAVIEST = 4.0  # of a class in the cross-entropy


@dataclass(frozen=True)
class TrainedSegmenter:
    """A finished segmenter.

    Attributes:
        artefact: its folder, for `load_segmenter`. digest: of it. steps: made.
        pictures: that it learnt from, `labelled` and `generated`, and those looked at only, `validation`.
        classes: names, the background first.
        history: of every `report_every` steps: step, loss, and where pictures are looked at validation_miou.
    """

    artefact: Path
    digest: str
    steps: int
    pictures: Mapping[str, int]
    classes: tuple[str, ...]
    history: list[dict[str, Any]]


def train_segmenter(
    labelled: Path, generated: Path | None, settings: SegmenterSettings, folder: Path, reporter: Reporter
) -> TrainedSegmenter:
    """Train and leave the segmenter in `folder/model`; after a stop the same call goes on, after the end it reads it.

    Args:
        labelled, generated: folders of labelled pictures (training/handsoff/labels.py) with the same classes.

    Raises:
        TrainingStopped: SIGTERM or Ctrl-C; a checkpoint was written.
        SelvedgeError: pictures without masks; generated ones that are wanted and not given, or of other classes; a
            value became NaN or infinite.
    """
    if settings.data != "labelled" and generated is None:
        raise SelvedgeError(
            f"setting segmenter.data is {settings.data!r} and there are no generated pictures; generate some with "
            "HandsOff, or set it to 'labelled'."
        )
    wanted = generated if settings.data != "labelled" else None
    contents = [content_of(source) for source in (labelled, wanted) if source is not None]
    run = json_sha256([FORMAT, contents, settings.fixed()])
    finished = _finished(folder, run)
    if finished is not None:
        return finished
    if settings.threads:
        torch.set_num_threads(settings.threads)
    sources = Sources(labelled, wanted, settings)
    job = _SegmenterRun(sources, settings, folder, reporter, run)
    job.train()
    notes = {"run": run, "steps": job.step, "pictures": sources.counts, "history": job.history}
    save_segmenter(folder / "model", job.segmenter, notes)
    result = _finished(folder, run)
    assert result is not None
    return result


def loss_of(scores: Tensor, masks: Tensor, weight: Tensor) -> Tensor:
    """Cross-entropy plus Dice loss of (n, classes, s, s) scores against (n, s, s) int64 classes.

    Args:
        weight: (classes,) of the cross-entropy. The Dice loss is the mean over the classes that the batch shows.
    """
    truth = functional.one_hot(masks, scores.shape[1]).permute(0, 3, 1, 2).float()
    shares = scores.softmax(dim=1)
    both = (shares * truth).sum(dim=(0, 2, 3))
    either = (shares.square() + truth).sum(dim=(0, 2, 3))
    shown = (truth.sum(dim=(0, 2, 3)) > 0).float()
    dice = 1 - 2 * both / either.clamp_min(1e-6)
    return functional.cross_entropy(scores, masks, weight) + (dice * shown).sum() / shown.sum()


def class_weights(shares: np.ndarray) -> Tensor:
    """(classes,) float32 of each class's share of the pixels: a rare one weighs more, up to four times."""
    even = 1 / len(shares)
    return torch.from_numpy(np.sqrt(even / np.maximum(shares, even / HEAVIEST**2))).float()


class _SegmenterRun(TrainingRun):
    """One training. Everything random follows from (seed, step)."""

    name = "segmenter"
    remedy = "lower segmenter.learning_rate"
    counters = ("step", "seconds", "history")

    def __init__(
        self, sources: Sources, settings: SegmenterSettings, folder: Path, reporter: Reporter, run: str
    ) -> None:
        device = choose_device(settings.device)
        self.sources, self.settings = sources, settings
        self.history: list[dict[str, Any]] = []
        network = SegmenterNetwork(len(sources.classes), settings.width, settings.seed).to(device)
        self.weight = class_weights(sources.shares).to(device)
        self.segmenter = GarmentSegmenter(network, sources.classes, settings.to_dict())
        super().__init__(
            settings.steps,
            Muon(network.parameters(), settings.learning_rate, weight_decay=WEIGHT_DECAY),
            dict(network.named_parameters()),
            reporter,
            device=device,
            precision=choose_precision(settings.precision, device),
            clip_norm=CLIP_NORM,
            checkpoint=folder / "checkpoint",
            run=run,
            checkpoint_every=settings.checkpoint_every,
        )

    def rate(self, step: int) -> float:
        return warm_up_then_cosine(step, max(1, round(WARM_UP * self.total)), self.total)

    def advance(self) -> Mapping[str, Tensor | float]:
        generator = torch.Generator().manual_seed(self.settings.seed * 1_000_003 + self.step)
        pictures, masks = self.sources.batch(self.settings, self.step, generator)
        varied, classes = vary(
            to_float(pictures).to(self.device), masks.long().to(self.device), self.settings, generator
        )  # fmt: skip
        with self.autocast():
            scores = self.segmenter.network(varied)
        return self.update(loss_of(scores, classes, self.weight))

    def after_step(self, values: Mapping[str, float]) -> None:
        if self.step % self.settings.report_every and self.step < self.total:
            return
        figures = {"loss": round(values["loss"], 6)}
        seen = self.sources.validation
        if len(seen):
            answers = self.segmenter.segment_squares(seen.pictures.array)
            figures["validation_miou"] = round(mean_iou(overlaps(answers, seen.masks, len(self.sources.classes))), 6)
        self.history.append({"step": self.step, **figures})
        self.reporter.metrics(self.step, {f"train/{name}": value for name, value in figures.items()})
        self.reporter.progress(self.step, self.total, "segmenter")


def _finished(folder: Path, run: str) -> TrainedSegmenter | None:
    """The result of this very run, if it finished before."""
    artefact = folder / "model"
    if not (artefact / "selvedge.json").is_file():
        return None
    about = read_segmenter_about(artefact)
    notes = about["notes"]
    if notes.get("run") != run:
        return None
    return TrainedSegmenter(
        artefact, str(about["digest"]), notes["steps"], notes["pictures"], tuple(about["classes"]), notes["history"]
    )
