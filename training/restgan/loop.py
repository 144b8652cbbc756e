"""Training a ReStGAN: text encoder, generator and discriminators, one step after the other until the images are seen.

Belongs here: the order of a step, the running means, what is reported. Not here: the order of a run
(training/driver.py), the losses (objective.py, losses.py), batches (batches.py), what a checkpoint holds
(training/gan_checkpoint.py), the networks (text.py, generator.py, discriminator.py).

One step: read the prefixes once; draw once; the discriminators learn from real, drawn and wrong pairs; the generator
learns from the same drawings under the new discriminators. The text encoder learns from both: from the discriminators
which pictures its words fit (they see real pairs), from the generator what it needs to draw. In the generator's step
the discriminators take the text as given: otherwise words could drift to where the discriminators are fooled.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn

from catalog.errors import SelvedgeError
from training.augmentation import draw_augmentation
from training.devices import choose_device, choose_precision
from training.driver import TrainingRun, decay_at, running_mean
from training.gan_checkpoint import Networks, restore_checkpoint, save_checkpoint
from training.reporting import Reporter
from training.restgan.batches import Batches
from training.restgan.checkpoints import identify
from training.restgan.dataset import GENDERS, TYPES, Bottoms
from training.restgan.discriminator import Discriminator
from training.restgan.generator import Generator, draw_noise
from training.restgan.grids import chosen_rows, word_grid
from training.restgan.objective import Objective, discriminators_of
from training.restgan.sampling import RestganModel, build_networks, load_artefact, read_about, save_artefact
from training.restgan.settings import RestganSettings
from training.restgan.start import Start
from training.restgan.text import TextEncoder

COUNTERS = ("step", "seconds", "cpu_seconds", "history", "sums")  # of a run, kept in its checkpoints


@dataclass(frozen=True)
class Result:
    """A finished run.

    Attributes:
        artefact: the folder for `load_artefact`. digest: of it.
        steps: optimiser steps in all. history: one entry per report, means since the one before: step and losses.
        seconds, cpu_seconds: of training, by the wall and of all this process's cores, those before a stop included.
    """

    artefact: Path
    digest: str
    steps: int
    history: list[dict[str, float]]
    seconds: float
    cpu_seconds: float

    def load(self) -> RestganModel:
        """The model, ready to draw."""
        return load_artefact(self.artefact)


def train_restgan(
    bottoms: Bottoms, settings: RestganSettings, out: Path, reporter: Reporter, start: Start | None = None
) -> Result:
    """Train on the part `train` and leave the model in `out/model`; after a stop the same call goes on.

    `out/checkpoint` stays when it is finished, so that the same settings with more `images` go on from there.

    Args:
        start: networks to begin from (start.py); random weights otherwise.

    Raises:
        TrainingStopped: SIGTERM or Ctrl-C; a checkpoint was written.
        SelvedgeError: a loss became NaN or infinite (no model is left), `out` holds other work, or the bottoms cannot
            be trained on.
    """
    finished = _finished(bottoms, settings, out, start)
    if finished is not None:
        return finished
    if settings.threads:
        torch.set_num_threads(settings.threads)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        run = _RestganRun(bottoms, settings, out, reporter, start)
        run.train()
        return run.finish()


def _finished(bottoms: Bottoms, settings: RestganSettings, out: Path, start: Start | None) -> Result | None:
    """The result of this very run, if it finished before."""
    folder = out / "model"
    if not (folder / "selvedge.json").is_file():
        return None
    about = read_about(folder)
    notes = about["notes"]
    run = identify(bottoms, settings, start.digest if start else "").run
    if notes.get("run") != run or notes["steps"] != settings.steps:
        return None
    return Result(folder, about["digest"], notes["steps"], notes["history"], notes["seconds"], notes["cpu_seconds"])


class _RestganRun(TrainingRun):
    """One training run: its networks, their means, and what it reports. Everything random follows from (seed, step)."""

    name = "restgan"
    remedy = "lower restgan.generator_rate and restgan.discriminator_rate, or use restgan.precision fp32"
    counters = COUNTERS

    def __init__(
        self, bottoms: Bottoms, settings: RestganSettings, out: Path, reporter: Reporter, start: Start | None
    ) -> None:
        self.settings, self.out = settings, out
        device = choose_device(settings.device)
        training = bottoms.of("train")
        self.batches = Batches(training, settings.sides, settings.batch_size, settings.seed)
        self.identity = identify(bottoms, settings, start.digest if start else "")
        text, generator = build_networks(settings, bottoms.vocabulary, bottoms.colours)
        discriminators = discriminators_of(settings, (len(TYPES), len(bottoms.colours), len(GENDERS)))
        if start is not None:
            start.fill(text, generator, discriminators)
        self.text, self.generator = text.to(device), _channels_last(generator.to(device))
        self.discriminators = _channels_last(discriminators.to(device))
        precision = choose_precision(settings.precision, device)
        self.objective = Objective(settings, cast(list[Discriminator], list(discriminators)), precision)
        # Buffers follow too; StackGAN-v2 averaged parameters only, and drew with the statistics of the last step.
        self.means = {"text": running_mean(text, self._decay), "generator": running_mean(generator, self._decay)}
        modules = {"text": self.text, "generator": self.generator, "discriminators": self.discriminators}
        rates = {
            "text": settings.text_rate,
            "generator": settings.generator_rate,
            "discriminators": settings.discriminator_rate,
        }
        # One Adam over all: a step moves only what has gradients, and a checkpoint has one optimiser to keep.
        optimiser = torch.optim.Adam(
            [{"params": list(module.parameters()), "lr": rates[name]} for name, module in modules.items()],
            betas=(settings.beta1, settings.beta2),
        )
        self.networks = Networks(modules, {name: mean.module for name, mean in self.means.items()}, optimiser)
        super().__init__(
            settings.steps,
            optimiser,
            self.networks.parameters(),
            reporter,
            device=device,
            precision=precision,
            clip_norm=settings.clip_norm,
            checkpoint=out / "checkpoint",
            run=self.identity.run,
            checkpoint_every=settings.checkpoint_every,
        )
        mean_text, mean_generator = (self.networks.averages[name] for name in ("text", "generator"))
        self.model = RestganModel(
            settings,
            cast(TextEncoder, mean_text),
            cast(Generator, mean_generator),
            bottoms.vocabulary,
            bottoms.colours,
        )
        shown = bottoms.of("test") if len(bottoms.of("test").pictures) else training
        self.shown = shown.take(chosen_rows(shown, settings.sample_queries))
        self.cpu_seconds, self.cpu_began = 0.0, time.process_time()
        self.history: list[dict[str, float]] = []
        self.sums: dict[str, float] = {}

    def advance(self) -> dict[str, Tensor]:
        """One step: its losses, and how many attributes of the drawn pictures the discriminators recognised."""
        settings = self.settings
        batch = self.batches.at(self.step, settings.shuffled, settings.unknown, self.device)
        generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + self.step)
        noise = draw_noise(settings.batch_size, settings, generator).to(self.device)
        changes = draw_augmentation(settings.batch_size, settings.translation, settings.cutout, generator)
        changes = changes.to(self.device)
        penalised = bool(settings.r1_every) and self.step % settings.r1_every == 0
        state = self.text(batch.words, batch.colour_words, batch.lengths)
        # Both halves of the step read a copy of the encoded text that is cut from the encoder, and leave its gradient
        # there; the sum of the two goes back through the encoder once.
        for_discriminators, for_generator = state.detach().requires_grad_(), state.detach().requires_grad_()
        with self.autocast():
            drawn = self.generator(for_generator, noise)

        self.optimiser.zero_grad(set_to_none=True)
        loss, values = self.objective.of_discriminators(batch, drawn, for_discriminators, changes, generator, penalised)
        loss.backward()
        values["norm/discriminators"] = self._clip(self.discriminators)
        self.optimiser.step()

        self.optimiser.zero_grad(set_to_none=True)
        self.discriminators.requires_grad_(False)
        loss, more = self.objective.of_generator(batch, drawn, state.detach(), changes)
        loss.backward()
        self.discriminators.requires_grad_(True)
        state.backward(_gradient(for_discriminators) + _gradient(for_generator))
        values |= more | {"norm/generator": self._clip(self.generator), "norm/text": self._clip(self.text)}
        self.optimiser.step()
        self.means["text"].update_parameters(self.text)
        self.means["generator"].update_parameters(self.generator)
        return values

    def _decay(self, steps: int) -> float:
        settings, size = self.settings, self.settings.batch_size
        return decay_at(steps * size, size, settings.average_half_life, settings.average_ramp)

    def _clip(self, module: nn.Module) -> Tensor:
        return nn.utils.clip_grad_norm_(module.parameters(), self.settings.clip_norm)

    def after_step(self, values: Mapping[str, float]) -> None:
        settings = self.settings
        self.cpu_seconds = time.process_time() - self.cpu_began
        for name, value in (*values.items(), ("steps", 1.0)):
            self.sums[name] = self.sums.get(name, 0.0) + value
        if self.step % settings.report_every == 0 or self.step == self.total:
            self._report()
        if self.step == self.total or (settings.sample_every and self.step % settings.sample_every == 0):
            self.reporter.picture(self.step, "samples", self.grid())

    def _report(self) -> None:
        entry = summarise(self.sums)
        self.sums = {}
        self.history.append({"step": float(self.step), **entry})
        self.reporter.metrics(self.step, {f"train/{name}": value for name, value in entry.items()})
        self.reporter.progress(self.step, self.total, "ReStGAN")

    def grid(self) -> Any:
        """The sample grid as it is now: the same queries and noise every time."""
        queries, words = self.shown, self.model.vocabulary.words
        noise = self.model.noise(len(queries.pictures), self.settings.seed)
        pictures = self.model.draw_encoded(queries.words, queries.colour_words, queries.lengths, noise)
        titles = [[words[i] for i in row[:n]] for row, n in zip(queries.words, queries.lengths, strict=True)]
        return word_grid(pictures, titles)

    def save(self) -> None:
        counters = {name: getattr(self, name) for name in COUNTERS}
        save_checkpoint(self.out / "checkpoint", self.identity, self.networks, counters)

    def resume(self) -> None:
        counters = restore_checkpoint(self.out / "checkpoint", self.identity, self.networks)
        if counters is None:
            return
        if counters["step"] > self.total:
            raise SelvedgeError(
                f"checkpoint {self.out / 'checkpoint'} has seen {counters['step'] * self.settings.batch_size} images, "
                f"more than restgan.images {self.settings.images}; raise it or train into another folder."
            )
        self.restore(counters, {})
        self.cpu_began -= self.cpu_seconds
        for mean in self.means.values():
            mean.n_averaged.fill_(self.step + 1)

    def finish(self) -> Result:
        seconds, cpu_seconds = round(self.seconds, 2), round(self.cpu_seconds, 2)
        notes = {
            "run": self.identity.run,
            "data": self.identity.data,
            "steps": self.step,
            "images": self.step * self.settings.batch_size,
            "seconds": seconds,
            "cpu_seconds": cpu_seconds,
            "history": self.history,
        }
        digest = save_artefact(self.out / "model", self.model, notes)
        return Result(self.out / "model", digest, self.step, self.history, seconds, cpu_seconds)


def summarise(sums: Mapping[str, float]) -> dict[str, float]:
    """Means of the losses since the last report, and the share of attributes recognised in drawn pictures.

    Args:
        sums: by name, `steps` of them; of names `right/…` and `of/…` the quotient is taken.
    """
    entry: dict[str, float] = {}
    for name, value in sums.items():
        kind, _, attribute = name.partition("/")
        if kind == "right" and sums[f"of/{attribute}"]:
            entry[f"recognised/{attribute}"] = value / sums[f"of/{attribute}"]
        elif kind not in ("right", "of", "steps") and name != "discriminator/r1":
            entry[name] = value / sums["steps"]
    return entry


def _gradient(leaf: Tensor) -> Tensor:
    return torch.zeros_like(leaf) if leaf.grad is None else leaf.grad


def _channels_last(module: nn.Module) -> Any:
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
