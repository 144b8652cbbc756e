"""Training the generator: one step after the other until the images are seen.

Belongs here: the order of a step, the running mean, what is reported. Not here: the order of a run
(training/driver.py), the losses (losses.py), what a checkpoint holds (training/gan_checkpoint.py), recording steps
(replay.py), the networks (generator.py, discriminator.py).

One step: draw once; the discriminator learns from pairs of a real and a drawn picture, both augmented alike; the
generator learns from the same drawings under the new discriminator. A half whose gradients are not all finite moves
nothing and is counted, because one bad batch in bf16 is no reason to lose a run; when most are bad the run ends.
"""

import json
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, cast

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from catalog.errors import SelvedgeError
from catalog.files import json_sha256
from training.augmentation import Augmentation, augment, draw_augmentation
from training.devices import choose_device, choose_precision
from training.driver import TrainingRun, decay_at, half_cosine, running_mean
from training.gan_checkpoint import Networks, restore_checkpoint, save_checkpoint
from training.handsoff.discriminator import Discriminator
from training.handsoff.frozen import FrozenGenerator, load_generator, read_about, save_generator
from training.handsoff.generator import Generator
from training.handsoff.losses import discriminator_loss, generator_loss, penalties
from training.handsoff.pictures import Pictures
from training.handsoff.replay import Inputs, Replayed, Values, own_stream
from training.handsoff.settings import GeneratorSettings
from training.handsoff.start import Start
from training.picture_tensors import to_float, to_uint8
from training.reporting import Reporter

COUNTERS = ("step", "seconds", "cpu_seconds", "history", "sums", "skipped")
Watch = Callable[[int, FrozenGenerator, Discriminator], None]


@dataclass(frozen=True)
class Identity:
    """What a run is of: pictures, and the settings with the base it began from. See `RunIdentity`."""

    data: str
    settings: Mapping[str, Any]
    family: ClassVar[str] = "handsoff"
    format: ClassVar[int] = 1
    parts: ClassVar[Mapping[str, str]] = {"data": "other pictures"}

    @property
    def run(self) -> str:
        return json_sha256([self.format, self.data, dict(self.settings)])

    def to_dict(self) -> dict[str, Any]:
        return {"data": self.data, "settings": dict(self.settings)}


@dataclass(frozen=True)
class Result:
    """A finished run.

    Attributes:
        artefact: the folder for `load_generator`, with the discriminator beside it. digest: of it.
        steps: optimiser steps in all. history: one entry per report, means since the one before.
        skipped: halves of steps that moved nothing, because a gradient was not finite.
        seconds, cpu_seconds: of training, by the wall and of all this process's cores, those before a stop included.
    """

    artefact: Path
    digest: str
    steps: int
    history: list[dict[str, float]]
    skipped: int
    seconds: float
    cpu_seconds: float

    def load(self) -> FrozenGenerator:
        """The generator, ready to draw."""
        return load_generator(self.artefact)


def train_generator(
    pictures: Pictures,
    settings: GeneratorSettings,
    out: Path,
    reporter: Reporter,
    *,
    start: Start | None = None,
    watch: Watch | None = None,
    watch_every: int = 0,
) -> Result:
    """Train and leave the generator in `out/model`; after a stop the same call goes on.

    Args:
        start: networks to begin from (start.py); random weights otherwise.
        watch: called every `watch_every` steps and after the last with the step, the averaged generator and the
            discriminator, neither of which it may change.

    Raises:
        TrainingStopped: SIGTERM or Ctrl-C; a checkpoint was written.
        SelvedgeError: most gradients became NaN or infinite (no model is left), `out` holds other work, or the pictures
            are of another side or fewer than a batch.
    """
    refuse_pictures(pictures, settings)
    finished = _finished(pictures, settings, out, start)
    if finished is not None:
        return finished
    if settings.threads:
        torch.set_num_threads(settings.threads)
    with torch.random.fork_rng(devices=[]), own_stream(choose_device(settings.device)):
        torch.manual_seed(settings.seed)
        run = _GeneratorRun(pictures, settings, out, reporter, start)
        run.watch, run.watch_every = watch, watch_every
        run.train()
        return run.finish()


def refuse_pictures(pictures: Pictures, settings: GeneratorSettings) -> None:
    """Raises: SelvedgeError: the pictures are of another side than the generator's, or fewer than a batch."""
    if pictures.size != settings.size:
        raise SelvedgeError(
            f"the pictures are {pictures.size} pixels wide and handsoff.size is {settings.size}; prepare them at that "
            "size or set handsoff.size."
        )
    if len(pictures) < settings.batch_size:
        raise SelvedgeError(
            f"there are {len(pictures)} pictures, less than one batch of {settings.batch_size}; give more, or lower "
            "handsoff.batch_size."
        )


def _identify(pictures: Pictures, settings: GeneratorSettings, start: Start | None) -> Identity:
    fixed = json.loads(json.dumps(settings.fixed()))
    return Identity(pictures.digest, fixed | ({"start": start.digest} if start else {}))


def _finished(pictures: Pictures, settings: GeneratorSettings, out: Path, start: Start | None) -> Result | None:
    """The result of this very run, if it finished before."""
    folder = out / "model"
    if not (folder / "selvedge.json").is_file():
        return None
    about = read_about(folder)
    notes = about["notes"]
    if notes.get("run") != _identify(pictures, settings, start).run:
        return None
    kept = (notes[name] for name in ("steps", "history", "skipped", "seconds", "cpu_seconds"))
    return Result(folder, about["digest"], *kept)


class _GeneratorRun(TrainingRun):
    """One training run. Everything random follows from (seed, step)."""

    name = "handsoff generator"
    remedy = "lower handsoff.rate, or use handsoff.precision fp32"
    counters = COUNTERS

    def __init__(
        self, pictures: Pictures, settings: GeneratorSettings, out: Path, reporter: Reporter, start: Start | None
    ) -> None:
        self.pictures, self.settings, self.out = pictures, settings, out
        self.identity = _identify(pictures, settings, start)
        device = choose_device(settings.device)
        generator, discriminator = Generator(settings), Discriminator(settings)
        if start is not None:
            start.fill(generator, discriminator)
        self.generator, self.discriminator = (
            _channels_last(generator.to(device)),
            _channels_last(discriminator.to(device)),
        )
        self.mean = running_mean(self.generator, self._decay)
        self.frozen = FrozenGenerator(settings, cast(Generator, self.mean.module))
        on_gpu = device.type == "cuda"
        # Where a step is recorded, rate and count of steps must lie on the device.
        rate: Any = torch.tensor(settings.rate, device=device) if on_gpu else settings.rate
        modules = {"generator": self.generator, "discriminator": self.discriminator}
        optimiser = torch.optim.Adam(
            [{"params": list(m.parameters()), "lr": rate, "initial_lr": settings.rate} for m in modules.values()],
            betas=(settings.beta1, settings.beta2),
            capturable=on_gpu,
        )
        self.networks = Networks(modules, {"generator": self.mean.module}, optimiser)
        super().__init__(
            settings.steps,
            optimiser,
            self.networks.parameters(),
            reporter,
            device=device,
            precision=choose_precision(settings.precision, device),
            checkpoint=out / "checkpoint",
            run=self.identity.run,
            checkpoint_every=settings.checkpoint_every,
        )
        self.check_every = settings.report_every if on_gpu else 1
        self.replayed = Replayed(self._step, device, settings.replay)
        self.resident = torch.from_numpy(np.array(pictures.array)).to(device) if on_gpu else None
        self.bad = torch.zeros((), device=device)  # halves skipped
        self.skipped, self.cpu_seconds, self.cpu_began = 0, 0.0, time.process_time()
        self.history: list[dict[str, float]] = []
        self.sums: dict[str, float] = {}
        self.watch: Watch | None = None
        self.watch_every = 0
        self.shown = self.frozen.latents(settings.samples, settings.seed)
        self.order: tuple[int, np.ndarray] = (-1, np.empty(0, np.int64))

    def rate(self, step: int) -> float:
        final = self.settings.final_rate
        return final + (1 - final) * half_cosine(step / self.total)

    def advance(self) -> dict[str, Tensor]:
        every = self.settings.penalty_every
        values = self.replayed(self._inputs(), bool(every) and self.step % every == 0)
        self.mean.update_parameters(self.generator)
        return values

    def _inputs(self) -> Inputs:
        """All that differs from step to step: which pictures, noise, augmentation; on the CPU."""
        settings, n = self.settings, self.settings.batch_size
        generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + self.step)
        changes = draw_augmentation(n, settings.translation, settings.cutout, generator)
        z = torch.randn(n, settings.latent, generator=generator)
        rows = self._rows(n)
        real = torch.from_numpy(rows) if self.resident is not None else self.pictures.at(rows)
        return {"real": real, "z": z, "shift": changes.shift, "cover": changes.cover}

    def _rows(self, n: int) -> np.ndarray:
        """A step's pictures: every picture once in an epoch, but for the rest that makes no batch."""
        epoch, position = divmod(self.step, len(self.pictures) // n)
        if self.order[0] != epoch:
            order = np.random.default_rng([self.settings.seed, epoch]).permutation(len(self.pictures))
            self.order = epoch, order
        return self.order[1][position * n : (position + 1) * n]

    def _step(self, inputs: Inputs, penalised: Hashable) -> Values:
        settings = self.settings
        changes = Augmentation(inputs["shift"], inputs["cover"], settings.cutout, settings.translation)
        real = augment(to_float(inputs["real"] if self.resident is None else self.resident[inputs["real"]]), changes)
        with self.autocast():
            drawn = augment(self.generator(inputs["z"]), changes)

        self.optimiser.zero_grad(set_to_none=True)
        with self.autocast():
            of_real, of_drawn = self.discriminator(torch.cat([real, drawn.detach()])).chunk(2)
        loss = discriminator_loss(of_real, of_drawn)
        values = {"discriminator": loss, "apart": (of_real - of_drawn).mean(), "logit": of_real.square().mean()}
        if penalised:
            weight, every = settings.penalty_weight, settings.penalty_every
            values["r1"], values["r2"] = penalties(self.discriminator, real, drawn, weight, every)
            loss = loss + values["r1"] + values["r2"]
        loss.backward()
        self._move(self.discriminator)

        self.optimiser.zero_grad(set_to_none=True)
        self.discriminator.requires_grad_(False)
        with self.autocast():
            of_real, of_drawn = self.discriminator(torch.cat([real, drawn])).chunk(2)
        values["generator"] = generator_loss(of_real, of_drawn)
        values["generator"].backward()
        self.discriminator.requires_grad_(True)
        self._move(self.generator)
        # A skipped half is no reason to stop, so what it cost is told as 0.
        return {name: value.detach().nan_to_num(0.0, 0.0, 0.0) for name, value in values.items()} | {"bad": self.bad}

    def _move(self, module: nn.Module) -> None:
        """One update of a module's weights; none, and one more counted, where a gradient is not finite.

        Without momentum a gradient of zero moves no weight; with it, Adam goes on along its mean.
        """
        gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
        finite = torch.isfinite(nn.utils.get_total_norm(gradients))
        for gradient in gradients:
            gradient.nan_to_num_(0.0, 0.0, 0.0).mul_(finite)
        self.bad.add_(~finite)
        self.optimiser.step()

    def _decay(self, steps: int) -> float:
        settings, size = self.settings, self.settings.batch_size
        return decay_at(steps * size, size, settings.average_half_life, settings.average_ramp)

    def after_step(self, values: Mapping[str, float]) -> None:
        settings = self.settings
        self.cpu_seconds = time.process_time() - self.cpu_began
        for name, value in values.items():
            if name != "bad":
                total, count = f"sum/{name}", f"count/{name}"
                self.sums[total] = self.sums.get(total, 0.0) + value
                self.sums[count] = self.sums.get(count, 0.0) + 1
        if self.step % settings.report_every == 0 or self.step == self.total:
            self._report()
        if self.step == self.total or (settings.sample_every and self.step % settings.sample_every == 0):
            self.reporter.picture(self.step, "samples", sample_grid(self.frozen, self.shown))
        if self.watch and (self.step == self.total or (self.watch_every and self.step % self.watch_every == 0)):
            self.watch(self.step, self.frozen, self.discriminator)

    def _report(self) -> None:
        settings = self.settings
        skipped = int(self.bad)
        if skipped - self.skipped > min(settings.report_every, self.step):  # of twice as many halves
            raise SelvedgeError(
                f"{self.name}: most gradients up to step {self.step} were not finite; no model was left; {self.remedy}."
            )
        self.skipped = skipped
        entry = {"step": float(self.step), "skipped": float(skipped)}
        for name, value in self.sums.items():
            kind, _, what = name.partition("/")
            if kind == "sum":
                entry[what] = value / self.sums[f"count/{what}"]
        self.sums = {}
        self.history.append(entry)
        self.reporter.metrics(self.step, {f"train/{name}": v for name, v in entry.items() if name != "step"})
        self.reporter.progress(self.step, self.total, "generator")

    def save(self) -> None:
        counters = {name: getattr(self, name) for name in COUNTERS} | {"bad": int(self.bad)}
        save_checkpoint(self.out / "checkpoint", self.identity, self.networks, counters)

    def resume(self) -> None:
        counters = restore_checkpoint(self.out / "checkpoint", self.identity, self.networks)
        if counters is None:
            return
        self.restore(counters, {})
        self.bad.fill_(counters["bad"])
        self.cpu_began -= self.cpu_seconds
        self.mean.n_averaged.fill_(self.step + 1)

    def finish(self) -> Result:
        skipped, seconds, cpu_seconds = int(self.bad), round(self.seconds, 2), round(self.cpu_seconds, 2)
        notes = {
            "run": self.identity.run,
            "data": self.identity.data,
            "steps": self.step,
            "images": self.step * self.settings.batch_size,
            "skipped": skipped,
            "seconds": seconds,
            "cpu_seconds": cpu_seconds,
            "history": self.history,
        }
        folder, discriminator = self.out / "model", cast(Discriminator, self.discriminator)
        digest = save_generator(folder, self.settings, self.frozen.generator, discriminator, notes)
        return Result(folder, digest, self.step, self.history, skipped, seconds, cpu_seconds)


def sample_grid(frozen: FrozenGenerator, z: Tensor, enlarged: int = 1) -> Image.Image:
    """Pictures of some latents side by side, about as many rows as columns."""
    with torch.no_grad():
        pictures = np.concatenate([to_uint8(frozen.synthesise(frozen.map(part))) for part in z.split(64)])
    columns = round(len(pictures) ** 0.5)
    rows = -(-len(pictures) // columns)
    blank = np.full((rows * columns - len(pictures), *pictures.shape[1:]), 255, np.uint8)
    side = frozen.size
    sheet = np.concatenate([pictures, blank]).reshape(rows, columns, side, side, 3).transpose(0, 2, 1, 3, 4)
    image = Image.fromarray(sheet.reshape(rows * side, columns * side, 3))
    return image.resize((image.width * enlarged, image.height * enlarged), Image.Resampling.NEAREST)


def _channels_last(module: nn.Module) -> Any:
    return module.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
