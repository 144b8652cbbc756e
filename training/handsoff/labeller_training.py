"""Training a labeller: from the codes of a few pictures and their labels.

Belongs here: which pixels are learnt from, the targets, the loss, the run. Not here: the networks (labeller.py),
features (hypercolumns.py).

Of every picture as many pixels of each class that it shows, and as many near each keypoint, are drawn as the settings
say, so that a button's few pixels weigh like the backdrop's many and memory is bounded: features of chosen pixels are
gathered once and the rest never exist. Every member sees every chosen pixel once an epoch, in an order of its own.
"""

import math
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
from training.driver import TrainingRun, half_cosine
from training.handsoff.frozen import FrozenGenerator
from training.handsoff.hypercolumns import bytes_of, bytes_of_all, gather, width_of
from training.handsoff.inversion import Inversions
from training.handsoff.label_settings import LabellerSettings
from training.handsoff.labeller import Ensemble, Labeller, load_labeller, read_labeller_about, save_labeller
from training.handsoff.labels import LabelKinds, LabelledPictures
from training.reporting import Reporter

FORMAT = 1
HEAT_WEIGHT = 2.0  # of the keypoints' loss beside the others'


@dataclass(frozen=True)
class LabellerResult:
    """A finished labeller.

    Attributes:
        artefact: its folder. digest: of it. steps: made. pictures, pixels: learnt from.
        bytes: of their features in memory; all_bytes: of those of every pixel, which nobody held.
    """

    artefact: Path
    digest: str
    steps: int
    pictures: int
    pixels: int
    bytes: int
    all_bytes: int


def train_labeller(
    frozen: FrozenGenerator,
    inversions: Inversions,
    labelled: LabelledPictures,
    settings: LabellerSettings,
    out: Path,
    reporter: Reporter,
) -> LabellerResult:
    """Train and leave the labeller in `out/model`; after a stop the same call goes on.

    Raises:
        TrainingStopped: SIGTERM or Ctrl-C; a checkpoint was written.
        SelvedgeError: codes of another generator or other pictures; the pictures that could be inverted show one class
            only; a value became NaN or infinite.
    """
    rows = _rows(frozen, inversions, labelled)
    learnt = labelled.rows(rows)
    if learnt.kinds.classes and len(np.unique(learnt.masks)) < 2:
        raise SelvedgeError(
            f"the {len(rows)} pictures that could be inverted show one class only; label others, or raise "
            "handsoff.tolerance and invert again."
        )
    run = json_sha256([FORMAT, frozen.digest, inversions.digest, labelled.digest, settings.fixed()])
    finished = _finished(out, run)
    if finished is not None:
        return finished
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        job = _LabellerRun(frozen, inversions.codes[torch.from_numpy(rows)], learnt, settings, out, reporter, run)
        job.train()
    notes = {
        "run": run,
        "steps": job.step,
        "pictures": len(rows),
        "pixels": len(job.rows),
        "bytes": 4 * job.rows.numel(),
        "all_bytes": bytes_of_all(frozen, len(rows)),
        "left out": [name for name in labelled.pictures.names if name not in set(learnt.pictures.names)],
    }
    labeller = Labeller(frozen, job.ensemble, labelled.kinds, settings.to_dict(), "")
    save_labeller(out / "model", labeller, notes)
    result = _finished(out, run)
    assert result is not None
    return result


def load_trained(result: LabellerResult, frozen: FrozenGenerator) -> Labeller:
    """The labeller of a result, ready to label."""
    return load_labeller(result.artefact, frozen)


def choose_pixels(mask: np.ndarray, points: np.ndarray, settings: LabellerSettings, seed: int) -> np.ndarray:
    """Flat indices of the pixels of one picture that are learnt from, ascending.

    Args:
        mask: (S, S) classes. points: (keypoints, 3). seed: of the draw, with the picture's number in it.
    """
    rng = np.random.default_rng([settings.seed, seed])
    size = mask.shape[0]
    strata = [np.flatnonzero(mask == number) for number in np.unique(mask)]
    reach = max(1.5, 3 * settings.spread * size)
    y, x = np.mgrid[0:size, 0:size] + 0.5
    strata += [np.flatnonzero(np.hypot(x - px, y - py) <= reach) for px, py, there in points if there]
    if len(strata) == 1:
        strata = [np.arange(size * size)]
    picked_pixels = np.zeros(0, np.int64)
    left, order = settings.pixels, sorted(strata, key=len)
    for number, stratum in enumerate(order):  # what a small one leaves is the larger ones'
        share = max(0, left // (len(order) - number))
        fresh = np.setdiff1d(stratum, picked_pixels)
        picked = rng.choice(fresh, min(share, len(fresh)), replace=False)
        picked_pixels = np.concatenate([picked_pixels, picked])
        left -= len(picked)
    return np.sort(picked_pixels)


def targets_of(labelled: LabelledPictures, pixels: list[np.ndarray], spread: float) -> Tensor:
    """(all pixels, 1 + keypoints + maps) float32: class, heat of every keypoint, values of the maps."""
    size = labelled.pictures.size
    blocks = []
    for mask, points, maps, picked_pixels in zip(labelled.masks, labelled.points, labelled.maps, pixels, strict=True):
        y, x = picked_pixels // size + 0.5, picked_pixels % size + 0.5
        heat = [
            there * np.exp(-0.5 * ((x - px) ** 2 + (y - py) ** 2) / (spread * size) ** 2) for px, py, there in points
        ]
        values = [level_map.ravel()[picked_pixels] for level_map in maps]
        blocks.append(np.stack([mask.ravel()[picked_pixels].astype(np.float32), *heat, *values], axis=1))
    return torch.from_numpy(np.concatenate(blocks).astype(np.float32))


def loss_of(outputs: Tensor, targets: Tensor, kinds: LabelKinds, weight: Tensor) -> Tensor:
    """Mean loss of (members, pixels, outputs) against (members, pixels, 1 + keypoints + maps).

    Args:
        weight: (classes,) of the cross-entropy.
    """
    scores, heat, values = outputs.split([len(kinds.classes), len(kinds.keypoints), len(kinds.maps)], dim=2)
    classes, warm, levels = targets.split([1, len(kinds.keypoints), len(kinds.maps)], dim=2)
    loss = outputs.new_zeros(())
    if kinds.classes:
        loss = loss + functional.cross_entropy(scores.flatten(0, 1), classes.flatten().long(), weight)
    if kinds.keypoints:
        loss = loss + HEAT_WEIGHT * functional.binary_cross_entropy_with_logits(heat, warm)
    if kinds.maps:
        loss = loss + functional.mse_loss(values, levels)
    return loss


class _LabellerRun(TrainingRun):
    """One training. Everything random follows from (seed, step)."""

    name = "handsoff labeller"
    remedy = "lower handsoff.rate"
    counters = ("step", "seconds")

    def __init__(
        self,
        frozen: FrozenGenerator,
        codes: Tensor,
        learnt: LabelledPictures,
        settings: LabellerSettings,
        out: Path,
        reporter: Reporter,
        run: str,
    ) -> None:
        self.settings, self.kinds = settings, learnt.kinds
        pixels = [
            choose_pixels(mask, points, settings, number)
            for number, (mask, points) in enumerate(zip(learnt.masks, learnt.points, strict=True))
        ]
        self.rows = gather(frozen, codes, pixels)
        self.targets = targets_of(learnt, pixels, settings.spread)
        assert 4 * self.rows.numel() <= bytes_of(frozen, len(learnt), settings.pixels)
        device = frozen.device
        self.ensemble = Ensemble(settings.members, width_of(frozen), settings.hidden, learnt.kinds)
        self.ensemble.mean.copy_(self.rows.mean(dim=0))
        self.ensemble.scale.copy_(self.rows.std(dim=0).clamp_min(1e-4))
        if self.kinds.maps:
            levels = self.targets[:, 1 + len(self.kinds.keypoints) :]  # a view: the targets become standard ones
            self.ensemble.level_mean.copy_(levels.mean(dim=0))
            self.ensemble.level_scale.copy_(levels.std(dim=0).clamp_min(1e-4))
            levels.sub_(self.ensemble.level_mean).div_(self.ensemble.level_scale)
        self.ensemble.to(device)
        counts = torch.bincount(self.targets[:, 0].long(), minlength=len(learnt.kinds.classes)).float()
        # Strata of one size need no weights; a class of few pixels in all still gets its say, up to four times.
        self.weight = (counts.sum() / counts.clamp_min(1)).sqrt().clamp(max=4.0).to(device)
        self.batches = max(1, math.ceil(len(self.rows) / settings.batch_pixels))
        optimiser = torch.optim.Adam(self.ensemble.parameters(), settings.rate)
        self.order: tuple[int, Tensor] = (-1, torch.empty(0))
        super().__init__(
            settings.epochs * self.batches,
            optimiser,
            dict(self.ensemble.named_parameters()),
            reporter,
            device=device,
            checkpoint=out / "checkpoint",
            run=run,
            checkpoint_every=settings.checkpoint_every,
        )

    def rate(self, step: int) -> float:
        return half_cosine(step / self.total)

    def advance(self) -> Mapping[str, Tensor | float]:
        epoch, batch = divmod(self.step, self.batches)
        if self.order[0] != epoch:
            generator = torch.Generator().manual_seed(self.settings.seed * 1_000_003 + epoch)
            orders = [torch.randperm(len(self.rows), generator=generator) for _ in range(self.settings.members)]
            self.order = epoch, torch.stack(orders)
        size = self.settings.batch_pixels
        rows = self.order[1][:, batch * size : (batch + 1) * size]
        outputs = self.ensemble(self.rows[rows].to(self.device))
        return self.update(loss_of(outputs, self.targets[rows].to(self.device), self.kinds, self.weight))

    def after_step(self, values: Mapping[str, float]) -> None:
        if self.step % self.settings.report_every == 0 or self.step == self.total:
            self.reporter.metrics(self.step, {f"train/{name}": value for name, value in values.items()})
            self.reporter.progress(self.step, self.total, "labeller")


def _rows(frozen: FrozenGenerator, inversions: Inversions, labelled: LabelledPictures) -> np.ndarray:
    """Rows of the labelled pictures that could be inverted."""
    if inversions.generator != frozen.digest:
        raise SelvedgeError(
            f"the inversions are of generator {inversions.generator[:12]} and not of {frozen.digest[:12]}; invert with "
            "this one, or give that one."
        )
    if inversions.data != labelled.pictures.digest:
        raise SelvedgeError("the inversions are of other pictures than the labels; invert the labelled pictures first.")
    return inversions.kept


def _finished(out: Path, run: str) -> LabellerResult | None:
    """The result of this very run, if it finished before."""
    folder = out / "model"
    if not (folder / "selvedge.json").is_file():
        return None
    about: dict[str, Any] = read_labeller_about(folder)
    notes = about["notes"]
    if notes.get("run") != run:
        return None
    figures = (int(notes[name]) for name in ("steps", "pictures", "pixels", "bytes", "all_bytes"))
    return LabellerResult(folder, str(about["digest"]), *figures)
