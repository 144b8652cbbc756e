"""Training a LoRA adapter on cached features: the language model learns the catalogue's questions, nothing else moves.

Belongs here: the loop, its schedule, validation, early stopping. Not here: the order of examples (examples.py), what a
checkpoint holds (checkpoint.py), peft (adapter.py), features (features.py).

The frozen layers run without their own dropout: only the adapter is trained, so only the adapter is regularised.
"""

import hashlib
import itertools
import json
import math
import shutil
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from accelerate import Accelerator
from torch import Tensor, nn

from catalog.errors import SelvedgeError
from training.blip2.adapter import attach_new, detach, parameters_of, save_adapter, trainable
from training.blip2.answers import answer_all
from training.blip2.base import Base
from training.blip2.examples import (
    COLUMNS,
    Batch,
    ask_examples,
    assemble,
    batches_per_epoch,
    draw_weights,
    epoch_batches,
    make_examples,
    split_pairs,
)
from training.blip2.features import FeatureStore
from training.blip2.language import answer_loss, image_tokens
from training.blip2.settings import LoraSettings
from training.checkpoint import read_checkpoint, write_checkpoint
from training.folders import written_whole
from training.reporting import Reporter
from training.stopping import StopRequest, TrainingStopped, stop_requests

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


class AnswerLoss(nn.Module):
    """The loss as a module, because that is what accelerate spreads over processes."""

    def __init__(self, base: Base):
        super().__init__()
        self.model = base.model

    def forward(self, batch: Batch) -> tuple[Tensor, Tensor]:
        tokens = image_tokens(self.model, batch.features)
        return answer_loss(self.model, tokens, batch.question, batch.mask, batch.labels)


def train_lora(
    base: Base, pairs: pd.DataFrame, store: FeatureStore, settings: LoraSettings, out: Path, reporter: Reporter
) -> LoraResult:
    """Train an adapter and leave it in `out/adapter`; run again after a stop, it goes on from `out/checkpoint`.

    Args:
        pairs: `qa_pairs` joined with the images table (columns of examples.COLUMNS); train and validation rows are
            used.
        store: must hold views 0 … settings.views-1 of every training picture and view 0 of every validation picture.

    Raises:
        TrainingStopped: SIGTERM or Ctrl-C; a checkpoint was written.
        SelvedgeError: the loss became NaN or infinite (no adapter is left), or the pairs cannot be trained on.
    """
    run = run_digest(base, pairs, store, settings)
    finished = read_result(out / "adapter", run)
    if finished is not None:
        return finished
    training, validation = split_pairs(pairs, settings.validation_questions)
    if settings.threads:
        torch.set_num_threads(settings.threads)
    with torch.random.fork_rng(), stop_requests() as stop:
        torch.manual_seed(settings.seed)
        adapted = attach_new(base, settings)
        try:
            loop = _Loop(base, adapted, training, validation, store, settings, out, reporter, run)
            return loop.train(stop)
        finally:
            detach(adapted)


def run_digest(base: Base, pairs: pd.DataFrame, store: FeatureStore, settings: LoraSettings) -> str:
    """Names a run by everything its result depends on; a checkpoint or adapter of another run is not taken up."""
    rows = pd.util.hash_pandas_object(pairs[[c for c in COLUMNS if c in pairs]], index=False).to_numpy()
    about = json.dumps([base.digest, store.key, asdict(settings) | {"threads": None}], sort_keys=True)
    return hashlib.sha256(about.encode() + np.sort(rows).tobytes()).hexdigest()


def read_result(adapter: Path, run: str) -> LoraResult | None:
    """The result of this very run if it finished before."""
    try:
        values: dict[str, Any] = json.loads((adapter / "lora.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return LoraResult(adapter=adapter, **values["result"]) if values.get("run") == run else None


def learning_rate(step: int, settings: LoraSettings) -> float:
    """Linear warm-up, then half a cosine down to zero at `settings.steps`."""
    if step < settings.warmup_steps:
        return settings.learning_rate * (step + 1) / settings.warmup_steps
    done = (step - settings.warmup_steps) / max(1, settings.steps - settings.warmup_steps)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


class _Loop:
    """One training run: what it needs, and where it is."""

    def __init__(
        self,
        base: Base,
        adapted: Any,
        training: pd.DataFrame,
        validation: pd.DataFrame,
        store: FeatureStore,
        settings: LoraSettings,
        out: Path,
        reporter: Reporter,
        run: str,
    ):
        self.base, self.adapted, self.store, self.settings = base, adapted, store, settings
        self.out, self.reporter, self.run = out, reporter, run
        self.training, self.validation = make_examples(base, training), make_examples(base, validation)
        vocabulary = pd.concat([training, validation]).groupby("attribute")["answer"].unique()
        self.asked = ask_examples(base, self.validation, {name: sorted(values) for name, values in vocabulary.items()})
        self.weights = draw_weights(self.training, settings.balance)
        self.accelerator = Accelerator(mixed_precision="no", cpu=base.device.type == "cpu")
        self.parameters = trainable(adapted)
        self.optimiser = torch.optim.AdamW(
            self.parameters.values(), settings.learning_rate, weight_decay=settings.weight_decay
        )
        # autocast is ours (below), accelerate's would wrap the output as well; it does the devices and the gradients.
        self.module = self.accelerator.prepare_model(AnswerLoss(base))
        self.step, self.stale, self.seconds = 0, 0, 0.0
        self.best_step, self.best_value = -1, -math.inf
        self.best: dict[str, Tensor] = {}
        self.history: list[dict[str, float]] = []

    def train(self, stop: StopRequest) -> LoraResult:
        self._resume()
        started = time.monotonic()
        before = self.seconds
        torch.manual_seed(self.settings.seed + 1 + self.accelerator.process_index) if self.step == 0 else None
        total = self.settings.steps
        for rows, views in self._batches():
            if self.step >= total or (self.settings.patience and self.stale >= self.settings.patience):
                break
            loss = self._step(rows, views)
            self.step += 1
            self.seconds = before + time.monotonic() - started
            if self.step % REPORT_EVERY == 0:
                rate = learning_rate(self.step - 1, self.settings)
                self.reporter.metrics(self.step, {"train/loss": loss, "train/learning_rate": rate})
                self.reporter.progress(self.step, total, "LoRA")
            if self.step % self.settings.validate_every == 0 or self.step == total:
                self._validate()
            if self._stop_agreed(stop):
                self._save_checkpoint()
                raise TrainingStopped(
                    f"training was stopped at step {self.step} of {total}; run it again to go on from there."
                )
            if self.step % self.settings.checkpoint_every == 0 and self.step < total:
                self._save_checkpoint()
        if not self.best:
            self._validate()
        return self._finish()

    def _batches(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """This process's share of the batches, from the current step on."""
        settings, processes = self.settings, self.accelerator.num_processes
        per_epoch = batches_per_epoch(len(self.training), settings.batch_size)
        start = self.step * processes + self.accelerator.process_index
        for epoch in itertools.count(start // per_epoch):
            batches = epoch_batches(
                len(self.training), settings.batch_size, settings.views, self.weights, settings.seed, epoch
            )
            for index, batch in enumerate(batches, epoch * per_epoch):
                if index >= start and (index - start) % processes == 0:
                    yield batch

    def _step(self, rows: np.ndarray, views: np.ndarray) -> float:
        self.adapted.train()
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.step, self.settings)
        device = self.base.device
        batch = assemble(self.training, rows, views, self.store, device)
        with torch.autocast(device.type, torch.bfloat16, enabled=self.settings.precision == "bf16"):
            summed, count = self.module(batch)
        loss = summed / count
        self.accelerator.backward(loss)
        norm = self.accelerator.clip_grad_norm_(self.parameters.values(), self.settings.clip_norm)
        value = float(loss.detach())
        if not (math.isfinite(value) and math.isfinite(float(norm))):
            self._leave_nothing()
            raise SelvedgeError(
                f"training: the loss became {value} (gradient norm {float(norm)}) at step {self.step + 1}; "
                "nothing was kept; lower lora.learning_rate or use lora.precision fp32."
            )
        self.optimiser.step()
        self.optimiser.zero_grad(set_to_none=True)
        return value

    @torch.no_grad()
    def _validate(self) -> None:
        """Loss and accuracy on the fixed validation questions, and the best weights so far kept."""
        self.adapted.eval()
        device, settings = self.base.device, self.settings
        summed, count = 0.0, 0
        with torch.autocast(device.type, torch.bfloat16, enabled=settings.precision == "bf16"):
            order = np.argsort([len(prompt) for prompt in self.validation.prompts], kind="stable")
            for start in range(0, len(order), 256):
                rows = order[start : start + 256]
                batch = assemble(self.validation, rows, np.zeros(len(rows), int), self.store, device)
                tokens = image_tokens(self.base.model, batch.features)
                part, words = answer_loss(self.base.model, tokens, batch.question, batch.mask, batch.labels)
                summed, count = summed + float(part), count + int(words)
            features = self.store.read(self.validation.images).to(device)
            scores = answer_all(self.base, features, self.asked, "trie")
        right = [
            asked.trie.answers[one.chosen] == answer
            for asked, one, answer in zip(self.asked, scores, self.validation.answer_texts, strict=True)
        ]
        figures = {"loss": summed / count, "accuracy": float(np.mean(right))}
        self.history.append({"step": float(self.step), **figures})
        self.reporter.metrics(self.step, {f"validation/{name}": value for name, value in figures.items()})
        value = -figures["loss"] if settings.monitor == "loss" else figures["accuracy"]
        if not math.isfinite(figures["loss"]):
            self._leave_nothing()
            raise SelvedgeError(
                f"training: the validation loss is {figures['loss']} at step {self.step}; nothing was kept."
            )
        if value > self.best_value:
            self.best_step, self.best_value, self.stale = self.step, value, 0
            self.best = {name: parameter.detach().clone() for name, parameter in self.parameters.items()}
        else:
            self.stale += 1

    def _stop_agreed(self, stop: StopRequest) -> bool:
        """Whether to stop after this step; with several processes, as soon as any was asked to."""
        if self.accelerator.num_processes == 1:
            return bool(stop)
        flag = torch.tensor(float(bool(stop)), device=self.accelerator.device)
        return bool(self.accelerator.reduce(flag, "sum") > 0)

    def _save_checkpoint(self) -> None:
        if not self.accelerator.is_main_process:
            return
        names = ("run", "step", "stale", "seconds", "best_step", "best_value", "history")
        counters = {name: getattr(self, name) for name in names}
        if not self.best:
            counters["best_value"] = None  # JSON has no infinity
        write_checkpoint(self.out / "checkpoint", self.parameters, self.optimiser, counters, self.best)

    def _resume(self) -> None:
        saved = read_checkpoint(self.out / "checkpoint", self.run, self.parameters, self.optimiser)
        if saved is None:
            return
        counters, best = saved
        self.step, self.stale, self.seconds = counters["step"], counters["stale"], counters["seconds"]
        self.best_step, self.history = counters["best_step"], counters["history"]
        self.best_value = -math.inf if counters["best_value"] is None else counters["best_value"]
        self.best = {name: value.to(self.base.device) for name, value in best.items()}

    def _leave_nothing(self) -> None:
        for name in ("checkpoint", "adapter"):
            shutil.rmtree(self.out / name, ignore_errors=True)

    def _finish(self) -> LoraResult:
        """Publish the best weights as `out/adapter` and drop the checkpoint."""
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(self.best[name])
        modules, parameters = parameters_of(self.adapted)
        sign = -1.0 if self.settings.monitor == "loss" else 1.0
        values: dict[str, Any] = {
            "steps": self.step,
            "best_step": self.best_step,
            "best_value": sign * self.best_value,
            "monitor": self.settings.monitor,
            "history": self.history,
            "modules": modules,
            "parameters": parameters,
            "seconds": round(self.seconds, 2),
        }
        folder = self.out / "adapter"
        if self.accelerator.is_main_process:
            with written_whole(folder, "adapter") as part:
                save_adapter(self.adapted, part)
                (part / "lora.json").write_text(
                    json.dumps({"run": self.run, "result": values}, indent=2), encoding="utf-8"
                )
            shutil.rmtree(self.out / "checkpoint", ignore_errors=True)
        self.accelerator.wait_for_everyone()
        return LoraResult(adapter=folder, **values)
