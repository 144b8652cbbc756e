"""The training driver: everything that a training loop needs and that is not its step, its loss or its data.

Belongs here: the order of a run (resume, step, check, report, save, stop), learning-rate curves, the update of weights
with clipping, running means. Not here: the file format of checkpoints (checkpoint.py), signals (stopping.py), any loss
or batch.

Why no Trainer of a library: ours resume to the same bits after a kill, also in the middle of an epoch. That needs the
step's random numbers to follow from seed and step, which is a matter of each loop's own data order.
"""

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from catalog.errors import SelvedgeError
from training.checkpoint import read_checkpoint, write_checkpoint
from training.devices import autocast
from training.reporting import Reporter
from training.stopping import TrainingStopped, stop_requests


def half_cosine(share: float) -> float:
    """From 1 at 0 down to 0 at 1 (and after) along half a cosine."""
    return 0.5 * (1 + math.cos(math.pi * min(1.0, share)))


def warm_up_then_cosine(step: int, warm_up: int, steps: int) -> float:
    """The share of the peak rate at a step: a linear rise over `warm_up` steps, then half a cosine to 0 at `steps`.

    `transformers.get_cosine_schedule_with_warmup` has the same curve but for its rise, which begins with a step at rate
    0; this one begins at 1 / warm_up.
    """
    if step < warm_up:
        return (step + 1) / warm_up
    return half_cosine((step - warm_up) / max(1, steps - warm_up))


def running_mean(module: nn.Module, decay: Callable[[int], float]) -> AveragedModel:
    """A copy of a module that follows it slowly, buffers included; integers (counters) are copied.

    Call `update_parameters(module)` after each step. A run that goes on sets `n_averaged` to 1 + the steps made.

    Args:
        decay: what the mean keeps of itself at an update; of their number, the first is 1.
    """

    def follow(means: Any, values: Any, _: Any) -> None:
        if means[0].is_floating_point():
            # The count is read here, where it lies on the CPU: the one passed in would wait for the device.
            get_ema_multi_avg_fn(decay(int(mean.n_averaged)))(means, values, 0)
        else:
            for kept, value in zip(means, values, strict=True):
                kept.copy_(value)

    mean = AveragedModel(module, multi_avg_fn=follow, use_buffers=True)
    mean.n_averaged.fill_(1)  # the copy counts as the first: at 0 torch would overwrite it with the module
    mean.module.eval().requires_grad_(False)
    return mean


def decay_at(seen: float, batch_size: int, half_life: float, ramp: float) -> float:
    """The factor of one step: half of what the mean held is forgotten after `half_life` images.

    Args:
        seen: images so far. ramp: the half-life is never more than this share of them, so that the first, random
            weights are soon forgotten; 0 for none.

    Source: Karras et al., StyleGAN2-ADA, NeurIPS 2020, training loop.
    """
    life = min(half_life, seen * ramp) if ramp else half_life
    return float(0.5 ** (batch_size / max(life, 1e-8)))


class TrainingRun(ABC):
    """One training, from random weights or its last checkpoint to its last step.

    A subclass brings its step (`advance`) and, as it needs them, the curve of its rate, what follows a step, what a
    checkpoint holds. Everything random in a step must follow from the seed and `self.step`, or from torch's own random
    state, which checkpoints keep: then a run that was stopped or killed ends in the same bits as one that was not.

    Class attributes:
        name: of the work, in messages and progress lines.
        remedy: what to do about a loss that is not finite, as the end of a sentence.
        counters: attributes that a checkpoint keeps, JSON values.
        check_every: steps between two looks at the values; each look waits for the device.

    Attributes:
        step: steps made. total: steps in all; may be lowered while training.
        seconds: of training, those before a stop included. goes_on: whether the same call goes on after a stop.
    """

    name: ClassVar[str]
    remedy: str
    counters: ClassVar[tuple[str, ...]] = ("step",)
    check_every: int = 1

    def __init__(
        self,
        total: int,
        optimiser: torch.optim.Optimizer,
        parameters: Mapping[str, nn.Parameter],
        reporter: Reporter,
        *,
        device: torch.device,
        precision: torch.dtype = torch.float32,
        clip_norm: float | None = None,
        checkpoint: Path | None = None,
        run: str = "",
        checkpoint_every: int = 0,
    ) -> None:
        """
        Args:
            total: steps in all.
            optimiser: its groups' learning rates are the peak rates.
            parameters: all that it moves, by the names they have in a checkpoint.
            precision: of matrix products inside `self.autocast()`.
            clip_norm: largest norm of all gradients together; None does not clip.
            checkpoint: folder of the run's checkpoint; None keeps none.
            run: names the run by all that its result depends on; a checkpoint of another run is not taken up.
            checkpoint_every: in steps; 0 saves only at a stop and at the end.
        """
        self.total, self.optimiser, self.parameters, self.reporter = total, optimiser, parameters, reporter
        self.device, self.precision, self.clip_norm = device, precision, clip_norm
        self.checkpoint, self.run, self.checkpoint_every = checkpoint, run, checkpoint_every
        self.goes_on = checkpoint is not None
        self.step, self.seconds = 0, 0.0

    @abstractmethod
    def advance(self) -> Mapping[str, Tensor | float]:
        """Make step number `self.step` (the first is 0); its values by name, all of which must be finite."""

    def rate(self, step: int) -> float:
        """Share of the peak rate at a step."""
        return 1.0

    def schedule(self) -> LRScheduler:
        """What sets the rates, beginning at `self.step`."""
        for group in self.optimiser.param_groups:
            group.setdefault("initial_lr", group["lr"])
        return LambdaLR(self.optimiser, self.rate, last_epoch=self.step - 1)

    def after_step(self, values: Mapping[str, float]) -> None:  # noqa: B027 (a loop may have nothing to report)
        """Report, validate. `self.step` counts the step already; `values` is empty where they were not looked at."""

    def is_over(self) -> bool:
        """Whether to end before the last step."""
        return False

    def tensors(self) -> dict[str, Tensor]:
        """What a checkpoint keeps beside parameters and moments."""
        return {}

    def restore(self, counters: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
        """Take up a checkpoint; parameters, moments and random state are back already."""
        for name in self.counters:
            setattr(self, name, counters[name])

    def leave_nothing(self) -> None:  # noqa: B027 (a loop may leave nothing anyway)
        """Remove what must not outlive a loss that is not finite."""

    def save(self) -> None:
        """Write the checkpoint, in place of the one before."""
        if self.checkpoint is not None:
            counters = {"run": self.run} | {name: getattr(self, name) for name in self.counters}
            write_checkpoint(self.checkpoint, self.parameters, self.optimiser, counters, self.tensors())

    def resume(self) -> None:
        """Go on from the checkpoint of this very run, if there is one."""
        saved = None
        if self.checkpoint is not None:
            saved = read_checkpoint(self.checkpoint, self.run, self.parameters, self.optimiser)
        if saved is not None:
            self.restore(*saved)

    def train(self) -> None:
        """Make all steps.

        Raises:
            TrainingStopped: SIGTERM or Ctrl-C before the last step; a checkpoint was written.
            SelvedgeError: a value became NaN or infinite.
        """
        self.resume()
        began = time.monotonic() - self.seconds
        schedule = self.schedule()
        with stop_requests() as stop:
            while self.step < self.total and not self.is_over():
                values = self.advance()
                self.step += 1
                self.seconds = time.monotonic() - began
                self.after_step(self._checked(values))
                schedule.step()
                last = self.step >= self.total
                if last or stop or (self.checkpoint_every and self.step % self.checkpoint_every == 0):
                    self.save()
                if stop and not last:
                    raise TrainingStopped(
                        f"{self.name}: training was stopped at step {self.step} of {self.total}; "
                        f"{'run it again to go on from there' if self.goes_on else 'nothing was kept'}."
                    )

    def autocast(self) -> torch.autocast:
        """The context of a step's forward pass."""
        return autocast(self.device, self.precision)

    def update(self, loss: Tensor) -> dict[str, Tensor]:
        """One update of all weights: gradients, clipping, the optimiser's step. Returns loss and norm, to check."""
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        values = {"loss": loss.detach()}
        if self.clip_norm is not None:
            values["gradient norm"] = nn.utils.clip_grad_norm_(self.parameters.values(), self.clip_norm)
        self.optimiser.step()
        return values

    def _checked(self, values: Mapping[str, Tensor | float]) -> dict[str, float]:
        if self.step % self.check_every and self.step < self.total:
            return {}
        plain = {name: float(value) for name, value in values.items()}
        for name, value in plain.items():
            if not math.isfinite(value):
                self.leave_nothing()
                raise SelvedgeError(
                    f"{self.name}: the {name} became {value} at step {self.step}; nothing was kept; {self.remedy}."
                )
        return plain
