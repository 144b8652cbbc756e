"""The attribute classifier: a small convolutional network that learns all attributes end to end from the pictures.

Belongs here: the training's step, validation and answers. Not here: its layers (attribute_network.py), scoring
(evaluation/), the linear probe, which reads frozen features (evaluation/linear_probe.py).

It is a ceiling: what these rows and pictures give to a network that may change everything, trained in about a minute.
Trained with another `architecture` and `seed` it is independent of the models it judges later: a generator's metrics
come from a network that the generator never saw.
"""

import dataclasses
import hashlib
import json
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional

from catalog.errors import SelvedgeError
from evaluation.classification import macro_f1
from training.attribute_network import AttributeClassifier, augment, probabilities
from training.devices import choose_device, choose_precision
from training.driver import TrainingRun, warm_up_then_cosine
from training.muon import Muon
from training.reporting import Reporter, Silent

CEILING_CNN = "ceiling:cnn"
TIMED_STEPS = 10  # after which a time limit is turned into a number of steps
MISSING = -100  # a product without a value of the attribute; cross-entropy skips it


@dataclass(frozen=True)
class ClassifierSettings:
    """What a training run may change.

    size: side of the square pictures, pixels. width: channels after the stem, doubled three times.
    architecture: residual, or separable (depthwise convolutions) for a judge unlike the first.
    epochs: passes over the training rows. seconds: if given, the passes are cut to what fits, measured on the first
    steps, so that the learning rate still comes down to zero. precision: auto takes bf16 where the processor
    multiplies it in hardware. weight_decay, learning_rate: of Muon. checkpoint_every: optimiser steps.
    """

    size: int = 128
    width: int = 24
    architecture: str = "residual"
    epochs: int = 12
    seconds: float | None = None
    batch_size: int = 32
    learning_rate: float = 0.02
    weight_decay: float = 0.05
    warm_up: float = 0.15
    label_smoothing: float = 0.0
    dropout: float = 0.0
    precision: str = "auto"
    device: str = "auto"
    seed: int = 0
    checkpoint_every: int = 200


@dataclass
class TrainedClassifier:
    """A finished run. history: one entry an epoch with train/loss and validation/macro_f1; validation_macro_f1: of the
    weights kept, mean over attributes; seconds: of this process, a resumed run counts only its own."""

    model: AttributeClassifier
    validation_macro_f1: float
    steps: int
    seconds: float
    history: list[dict[str, float]] = field(default_factory=list)


def label_columns(rows: pd.DataFrame, product_ids: Sequence[int]) -> dict[str, list[str | None]]:
    """Attribute -> the truth of every product, None where it has none.

    Args:
        rows: labelled rows (`scores.labelled_rows`): product_id, attribute, truth.
    """
    table = rows.pivot(index="product_id", columns="attribute", values="truth").reindex(list(product_ids))
    return {str(name): [v if isinstance(v, str) else None for v in table[name]] for name in table}


def train_attribute_classifier(
    pictures: Tensor,
    labels: Mapping[str, Sequence[str | None]],
    train: Sequence[int],
    validation: Sequence[int],
    settings: ClassifierSettings | None = None,
    given: Mapping[str, Sequence[str | None]] | None = None,
    out: Path | None = None,
    reporter: Reporter | None = None,
) -> TrainedClassifier:
    """Train on some of the pictures, keep the weights that are best on others.

    Args:
        pictures: (n, 3, s, s) uint8. labels: attribute -> n values, None where a product has none.
        train, validation: positions into `pictures`; their groups must be apart.
        given: column -> n values known beside the picture: those of the question set. None: the picture alone.
        out: folder for checkpoints; a killed run that is started again with the same arguments goes on from its last
            checkpoint to the same weights (bit for bit in fp32 at a fixed thread count). None keeps none.

    Raises:
        SelvedgeError: no labelled training row, or the loss is not finite.
        TrainingStopped: SIGTERM or Ctrl-C; the checkpoint was written.
    """
    settings = settings or ClassifierSettings()
    values_seen = {name: {values[i] for i in train} for name, values in labels.items()}
    vocabularies = {name: sorted(value for value in values if value) for name, values in values_seen.items()}
    vocabularies = {name: values for name, values in vocabularies.items() if values}
    if not vocabularies:
        raise SelvedgeError("the attribute classifier has no labelled training row; read a catalogue with labels.")
    given = given or {}
    known_given = {name: sorted({values[i] or "" for i in train}) for name, values in given.items()}
    shape = (settings.size, settings.width, settings.architecture, settings.dropout)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        model = AttributeClassifier(vocabularies, known_given, *shape)
    codes = model.given_codes(given, len(pictures))
    run = _ClassifierRun(
        model, pictures, codes, labels, list(train), list(validation), settings, out, reporter or Silent()
    )
    run.train()
    return run.finish()


class _ClassifierRun(TrainingRun):
    """One training. Everything random follows from (seed, step)."""

    name = "attribute classifier"
    counters = ("step", "total", "best", "history", "losses")

    def __init__(
        self,
        model: AttributeClassifier,
        pictures: Tensor,
        given: Tensor,
        labels: Mapping[str, Sequence[str | None]],
        train: list[int],
        validation: list[int],
        settings: ClassifierSettings,
        out: Path | None,
        reporter: Reporter,
    ) -> None:
        self.pictures, self.given, self.labels, self.settings = pictures, given, labels, settings
        self.rows, self.validation = torch.tensor(train), validation
        self.targets = _targets(labels, model.vocabularies)
        self.steps_an_epoch = max(1, len(train) // settings.batch_size)
        self.remedy = f"lower its learning_rate ({settings.learning_rate})"
        device = choose_device(settings.device)
        self.model = model.to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        super().__init__(
            settings.epochs * self.steps_an_epoch,
            Muon(_parameter_groups(model, settings.weight_decay), lr=settings.learning_rate),
            dict(model.named_parameters()),
            reporter,
            device=device,
            precision=choose_precision(settings.precision, device),
            checkpoint=None if out is None else Path(out) / "checkpoint",
            run=self._digest(),
            checkpoint_every=settings.checkpoint_every,
        )
        self.best, self.history, self.losses = -1.0, list[dict[str, float]](), list[float]()
        self.kept = {name: value.clone() for name, value in model.state_dict().items()}

    def resume(self) -> None:
        super().resume()
        self.began, self.resumed_at = time.monotonic(), self.step

    def rate(self, step: int) -> float:
        return warm_up_then_cosine(step, max(1, int(self.settings.warm_up * self.total)), self.total)

    def advance(self) -> dict[str, Tensor]:
        batch = self._batch()
        seed = self.settings.seed * 1_000_003 + self.step
        pictures = augment(self.pictures[batch].to(self.device), torch.Generator().manual_seed(seed))
        targets = self.targets[batch].to(self.device)
        self.model.train()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)  # dropout
            with self.autocast():
                logits = self.model(pictures, self.given[batch].to(self.device)).float()
        return self.update(masked_loss(self.model, logits, targets, self.settings.label_smoothing))

    def _batch(self) -> Tensor:
        epoch, position = divmod(self.step, self.steps_an_epoch)
        order = torch.randperm(len(self.rows), generator=torch.Generator().manual_seed(self.settings.seed + epoch))
        size = self.settings.batch_size
        return self.rows[order[position * size : (position + 1) * size]]

    def after_step(self, values: Mapping[str, float]) -> None:
        self.losses.append(values["loss"])
        if self.step == TIMED_STEPS and self.settings.seconds is not None:
            self._fit_to_time(self.settings.seconds, time.monotonic() - self.began, self.step - self.resumed_at)
        self.reporter.progress(self.step, self.total, self.name)
        if self.step % self.steps_an_epoch == 0 or self.step == self.total:
            self._validate()

    def _fit_to_time(self, seconds: float, elapsed: float, steps: int) -> None:
        # The first steps hold one-off costs and validation comes on top, which about cancel.
        affordable = int((seconds - elapsed) / (elapsed / steps))
        self.total = max(self.step + 1, min(self.total, self.step + affordable))

    def _validate(self) -> None:
        epoch = math.ceil(self.step / self.steps_an_epoch)
        entry = {"epoch": float(epoch), "train/loss": float(np.mean(self.losses))}
        self.losses.clear()
        if self.validation:
            pictures, given = self.pictures[self.validation], self.given[self.validation]
            answers = probabilities(self.model, pictures, given, precision=self.precision)
            score = _mean_macro_f1(answers, self.model.vocabularies, self.labels, self.validation)
            entry["validation/macro_f1"] = score
        # Without validation rows the last epoch is the best guess there is.
        if not self.validation or entry["validation/macro_f1"] >= self.best:
            self.best = entry.get("validation/macro_f1", math.nan)
            self.kept = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.history.append(entry)
        self.reporter.metrics(self.step, entry)

    def _digest(self) -> str:
        """What a checkpoint must agree with: pictures, targets, rows and settings. The time allowed may differ."""
        settings = {**dataclasses.asdict(self.settings), "seconds": None, "checkpoint_every": None}
        digest = hashlib.sha256(json.dumps([settings, self.rows.tolist(), self.validation]).encode())
        digest.update(self.pictures.contiguous().numpy().data)
        digest.update(self.targets.numpy().data)
        digest.update(self.given.numpy().data)
        return digest.hexdigest()

    def tensors(self) -> dict[str, Tensor]:
        extra = {f"kept/{name}": value for name, value in self.kept.items()}
        return extra | {f"buffer/{name}": value for name, value in self.model.named_buffers()}

    def restore(self, counters: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        super().restore(counters, tensors)
        self.kept = {name: tensors[f"kept/{name}"] for name in self.kept}
        for name, buffer in self.model.named_buffers():
            buffer.copy_(tensors[f"buffer/{name}"])

    def finish(self) -> TrainedClassifier:
        self.model.load_state_dict(self.kept)
        self.model.eval()
        return TrainedClassifier(self.model, self.best, self.step, time.monotonic() - self.began, self.history)


def masked_loss(model: AttributeClassifier, logits: Tensor, targets: Tensor, smoothing: float = 0.0) -> Tensor:
    """Mean cross-entropy of a batch; a product without a value of an attribute teaches nothing about it.

    Each attribute counts in units of its chance loss, log(values), so that about 1 is knowing nothing, and with the
    root of its labelled rows: by rows alone colour drowns the rest, by attributes alone rare ones bring mostly noise.

    Args:
        logits: (n, values of all attributes) float32. targets: (n, attributes) int64, MISSING where unlabelled.
    """
    total, weights = logits.new_zeros(()), logits.new_zeros(())
    for column, part in enumerate(model.per_attribute(logits).values()):
        wanted = targets[:, column]
        loss = functional.cross_entropy(
            part, wanted, ignore_index=MISSING, reduction="sum", label_smoothing=smoothing
        ) / math.log(max(2, part.shape[1]))
        rows = (wanted != MISSING).sum()
        total = total + loss / rows.clamp(min=1).sqrt()
        weights = weights + rows.sqrt()
    return total / weights.clamp(min=1)


def classifier_predictions(
    model: AttributeClassifier, pictures: Tensor, product_ids: Sequence[int], test: pd.DataFrame
) -> pd.DataFrame:
    """The classifier's answers to labelled test rows, as a subject of `evaluation.scores`.

    Args:
        pictures: (n, 3, s, s) uint8 of the products `product_ids`.
        test: labelled rows (`scores.labelled_rows`): product_id, attribute, truth and the given columns.

    Returns:
        The rows with value, confidence, abstained and in_vocabulary added.

    Raises:
        SelvedgeError: a row names a product without a picture, or an attribute the classifier did not learn.
    """
    row_of = {int(product): row for row, product in enumerate(product_ids)}
    unknown = sorted(set(test["attribute"]) - set(model.vocabularies))
    unseen = sorted(set(test["product_id"]) - set(row_of))
    if unknown or unseen:
        what = f"attribute {unknown[0]}" if unknown else f"product {unseen[0]}"
        raise SelvedgeError(f"the attribute classifier knows no {what}; train it on the catalogue it is tested on.")
    columns = test.drop_duplicates("product_id").set_index("product_id").reindex(list(product_ids))
    given_columns = [name for name in model.given if name in columns]
    given = {name: [v if isinstance(v, str) else None for v in columns[name]] for name in given_columns}
    answers = probabilities(model, pictures, model.given_codes(given, len(pictures)))
    parts = []
    for attribute, rows in test.groupby("attribute", sort=True):
        table = answers[str(attribute)].numpy()[rows["product_id"].map(row_of).to_numpy()].astype(np.float64)
        value = np.array(model.vocabularies[str(attribute)], dtype=object)[table.argmax(axis=1)]
        confidence = np.clip(table.max(axis=1), 0.0, 1.0)
        parts.append(rows.assign(value=value, confidence=confidence, abstained=False, in_vocabulary=True))
    return pd.concat(parts).loc[test.index]


def _targets(labels: Mapping[str, Sequence[str | None]], vocabularies: Mapping[str, tuple[str, ...]]) -> Tensor:
    """(n, attributes) int64; MISSING where a product has no value, or one that no training row has."""
    columns = []
    for name, values in vocabularies.items():
        number = {value: index for index, value in enumerate(values)}
        columns.append([MISSING if value is None else number.get(value, MISSING) for value in labels[name]])
    return torch.tensor(columns).T.contiguous()


def _mean_macro_f1(
    answers: Mapping[str, Tensor],
    vocabularies: Mapping[str, tuple[str, ...]],
    labels: Mapping[str, Sequence[str | None]],
    rows: Sequence[int],
) -> float:
    """Macro-F1 of the given rows, mean over the attributes that have a labelled one."""
    scores = []
    for name, values in vocabularies.items():
        truths = [labels[name][row] for row in rows]
        labelled = [(position, truth) for position, truth in enumerate(truths) if truth is not None]
        if labelled:
            best = answers[name].argmax(dim=1)
            scores.append(macro_f1([truth for _, truth in labelled], [values[best[i]] for i, _ in labelled]))
    return float(np.mean(scores)) if scores else float("nan")


def _parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Norms and biases are not decayed."""
    parameters = [p for p in model.parameters() if p.requires_grad]
    return [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
