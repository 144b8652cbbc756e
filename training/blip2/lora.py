"""Training a LoRA adapter on cached features: the language model learns the catalogue's questions, nothing else moves.

Belongs here: the step, validation, early stopping. Not here: the order of a run (training/driver.py), the order of
examples (examples.py), peft (adapter.py), features (features.py).

The loss is that of choosing among the answers that serving allows (fork_loss.py), in training and in validation alike.
The frozen layers run without their own dropout: only the adapter is trained, so only the adapter is regularised.
"""

import hashlib
import json
import math
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from catalog.errors import SelvedgeError
from catalog.schema import AttributeSchema
from training.blip2.adapter import attach_new, detach, parameters_of, save_adapter, trainable
from training.blip2.answers import AnswerTrie, answer_all, answer_tries
from training.blip2.base import Base
from training.blip2.examples import (
    COLUMNS,
    QuestionBatch,
    ask_examples,
    assemble,
    choose_answers,
    draw_weights,
    lora_batches,
    make_examples,
    split_pairs,
)
from training.blip2.features import FeatureStore
from training.blip2.fork_loss import LOSS, fork_loss
from training.blip2.language import image_tokens
from training.blip2.settings import LoraSettings
from training.devices import choose_precision
from training.driver import TrainingRun, warm_up_then_cosine
from training.folders import written_whole
from training.reporting import Reporter

REPORT_EVERY = 10


@dataclass(frozen=True)
class LoraResult:
    """A finished adapter.

    Attributes:
        adapter: folder with the weights of the best validation.
        history: one entry per validation: step, loss, accuracy.
        modules, parameters: how many layers got an adapter, how many numbers were trained.
    """

    adapter: Path
    steps: int
    best_step: int
    best_value: float
    monitor: str
    history: list[dict[str, float]]
    modules: int
    parameters: int
    seconds: float


def train_lora(
    base: Base,
    pairs: pd.DataFrame,
    schema: AttributeSchema,
    store: FeatureStore,
    settings: LoraSettings,
    out: Path,
    reporter: Reporter,
) -> LoraResult:
    """Train an adapter and leave it in `out/adapter`; run again after a stop, it goes on from `out/checkpoint`.

    Args:
        pairs: `qa_pairs` joined with the images table (columns of examples.COLUMNS); train and validation rows are
            used.
        schema: whose vocabularies are the allowed answers; the one that the artefact will serve with.
        store: must hold views 0 … settings.views-1 of every training picture and view 0 of every validation picture.

    Raises:
        TrainingStopped: SIGTERM or Ctrl-C; a checkpoint was written.
        SelvedgeError: the loss became NaN or infinite (no adapter is left), or the pairs cannot be trained on.
    """
    tries = answer_tries(schema, base)
    run = run_digest(base, pairs, tries, store, settings)
    finished = read_result(out / "adapter", run)
    if finished is not None:
        return finished
    training, validation = split_pairs(pairs, settings.validation_questions)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        adapted = attach_new(base, settings)
        try:
            lora = _LoraRun(base, adapted, training, validation, tries, store, settings, out, reporter, run)
            lora.train()
            return lora.finish()
        finally:
            detach(adapted)


def run_digest(
    base: Base, pairs: pd.DataFrame, tries: Mapping[str, AnswerTrie], store: FeatureStore, settings: LoraSettings
) -> str:
    """Names a run by everything its result depends on; a checkpoint or adapter of another run is not taken up."""
    rows = pd.util.hash_pandas_object(pairs[[c for c in COLUMNS if c in pairs]], index=False).to_numpy()
    allowed = {name: trie.answers for name, trie in tries.items()}
    about = json.dumps([base.digest, store.key, asdict(settings) | {"threads": None}, LOSS, allowed], sort_keys=True)
    return hashlib.sha256(about.encode() + np.sort(rows).tobytes()).hexdigest()


def read_result(adapter: Path, run: str) -> LoraResult | None:
    """The result of this very run if it finished before."""
    try:
        values: dict[str, Any] = json.loads((adapter / "lora.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return LoraResult(adapter=adapter, **values["result"]) if values.get("run") == run else None


class _LoraRun(TrainingRun):
    """One adapter being trained: its questions, and the best weights so far."""

    name = "LoRA"
    remedy = "lower lora.learning_rate or use lora.precision fp32"
    counters = ("step", "stale", "seconds", "best_step", "best_value", "history")

    def __init__(
        self,
        base: Base,
        adapted: Any,
        training: pd.DataFrame,
        validation: pd.DataFrame,
        tries: Mapping[str, AnswerTrie],
        store: FeatureStore,
        settings: LoraSettings,
        out: Path,
        reporter: Reporter,
        run: str,
    ):
        self.base, self.adapted, self.store, self.settings, self.out = base, adapted, store, settings, out
        self.training, self.validation = make_examples(base, training), make_examples(base, validation)
        self.choices, self.validation_choices = (
            choose_answers(examples, tries) for examples in (self.training, self.validation)
        )
        self.asked = ask_examples(self.validation, tries)
        self.weights = draw_weights(self.training, settings.balance)
        parameters = trainable(adapted)
        super().__init__(
            settings.steps,
            torch.optim.AdamW(parameters.values(), settings.learning_rate, weight_decay=settings.weight_decay),
            parameters,
            reporter,
            device=base.device,
            precision=choose_precision(settings.precision, base.device),
            clip_norm=settings.clip_norm,
            checkpoint=out / "checkpoint",
            run=run,
            checkpoint_every=settings.checkpoint_every,
        )
        self.stale, self.best_step = 0, -1
        self.best_value: float | None = None
        self.best: dict[str, Tensor] = {}
        self.history: list[dict[str, float]] = []

    def rate(self, step: int) -> float:
        return warm_up_then_cosine(step, self.settings.warmup_steps, self.settings.steps)

    def resume(self) -> None:
        super().resume()
        if self.step == 0:
            torch.manual_seed(self.settings.seed + 1)
        self.batches = lora_batches(len(self.training), self.settings, self.weights, self.step)

    def advance(self) -> dict[str, Tensor]:
        self.adapted.train()
        rows, views = next(self.batches)
        batch = assemble(self.training, self.choices, rows, views, self.store, self.device)
        with self.autocast():
            loss = self._loss(batch) / len(rows)
        return self.update(loss)

    def after_step(self, values: Mapping[str, float]) -> None:
        if self.step % REPORT_EVERY == 0:
            rate = self.optimiser.param_groups[0]["lr"]
            self.reporter.metrics(self.step, {"train/loss": values["loss"], "train/learning_rate": rate})
            self.reporter.progress(self.step, self.total, self.name)
        if self.step % self.settings.validate_every == 0 or self.step == self.total:
            self.validate()

    def is_over(self) -> bool:
        return bool(self.settings.patience) and self.stale >= self.settings.patience

    @torch.no_grad()
    def validate(self) -> None:
        """Loss and accuracy on the fixed validation questions, and the best weights so far kept."""
        self.adapted.eval()
        summed = 0.0
        with self.autocast():
            order = np.argsort([len(prompt) for prompt in self.validation.prompts], kind="stable")
            for start in range(0, len(order), 256):
                rows = order[start : start + 256]
                plain = np.zeros(len(rows), int)
                batch = assemble(self.validation, self.validation_choices, rows, plain, self.store, self.device)
                summed += float(self._loss(batch))
            features = self.store.read(self.validation.images).to(self.device)
            scores = answer_all(self.base, features, self.asked, "trie")
        right = [
            asked.trie.answers[score.answer_index] == answer
            for asked, score, answer in zip(self.asked, scores, self.validation.answers, strict=True)
        ]
        figures = {"loss": summed / len(self.validation), "accuracy": float(np.mean(right))}
        self.history.append({"step": float(self.step), **figures})
        self.reporter.metrics(self.step, {f"validation/{name}": value for name, value in figures.items()})
        value = -figures["loss"] if self.settings.monitor == "loss" else figures["accuracy"]
        if not math.isfinite(figures["loss"]):
            self.leave_nothing()
            raise SelvedgeError(
                f"{self.name}: the validation loss is {figures['loss']} at step {self.step}; nothing was kept; "
                f"{self.remedy}."
            )
        if self.best_value is None or value > self.best_value:
            self.best_step, self.best_value, self.stale = self.step, value, 0
            self.best = {name: parameter.detach().clone() for name, parameter in self.parameters.items()}
        else:
            self.stale += 1

    def _loss(self, batch: QuestionBatch) -> Tensor:
        tokens = image_tokens(self.base.model, batch.features)
        return fork_loss(self.base.model, tokens, batch.question, batch.mask, batch.forks)

    def tensors(self) -> dict[str, Tensor]:
        return self.best

    def restore(self, counters: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        super().restore(counters, tensors)
        self.best = {name: value.to(self.device) for name, value in tensors.items()}

    def leave_nothing(self) -> None:
        for name in ("checkpoint", "adapter"):
            shutil.rmtree(self.out / name, ignore_errors=True)

    def finish(self) -> LoraResult:
        """Publish the best weights as `out/adapter` and drop the checkpoint."""
        if self.best_value is None:
            self.validate()
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(self.best[name])
        modules, parameters = parameters_of(self.adapted)
        sign = -1.0 if self.settings.monitor == "loss" else 1.0
        values: dict[str, Any] = {
            "steps": self.step,
            "best_step": self.best_step,
            "best_value": sign * (self.best_value or 0.0),
            "monitor": self.settings.monitor,
            "history": self.history,
            "modules": modules,
            "parameters": parameters,
            "seconds": round(self.seconds, 2),
        }
        folder = self.out / "adapter"
        with written_whole(folder, "adapter") as part:
            save_adapter(self.adapted, part)
            (part / "lora.json").write_text(json.dumps({"run": self.run, "result": values}, indent=2), encoding="utf-8")
        shutil.rmtree(self.out / "checkpoint", ignore_errors=True)
        return LoraResult(adapter=folder, **values)
