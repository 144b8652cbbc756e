"""The encoder: a picture to the W+ code that draws about the same.

Belongs here: its layers, its training on generated pictures, its file. Not here: each picture's own optimisation
(inversion.py), which begins where the encoder ends.

First it learns from pictures that the generator drew, whose w is known. Then, for a few steps only, from how the
picture looks that its code draws, also of real pictures, whose w nobody knows; that distance is far from convex, so
without the first half it leads nowhere. Its answer is the mean w and what it adds, one w for all blocks and an offset
for each, so that at first it says the mean of all pictures.

Source: Xu et al., HandsOff, CVPR 2023, section 3.1.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from catalog.errors import SelvedgeError
from catalog.files import json_sha256
from training.driver import TrainingRun, warm_up_then_cosine
from training.folders import written_whole
from training.handsoff.frozen import FrozenGenerator
from training.handsoff.label_settings import InversionSettings
from training.handsoff.perception import Perception
from training.handsoff.pictures import Pictures
from training.handsoff.settings import sides_up_to
from training.picture_tensors import to_float
from training.reporting import Reporter
from training.weights import digest_of, read_tensors

FORMAT = 1
WEIGHTS, ABOUT = "encoder.safetensors", "encoder.json"
OF_W = 4096  # latents whose w are measured


class Encoder(nn.Module):
    """(n, 3, size, size) pictures in [-1, 1] to (n, blocks, latent) codes."""

    mean: Tensor
    scale: Tensor

    def __init__(self, size: int, width: int, blocks: int, latent: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(3, width, 3, padding=1), nn.LeakyReLU(0.2)]
        channels = width
        for _ in sides_up_to(size)[1:]:
            out = min(8 * width, 2 * channels)
            layers += [nn.Conv2d(channels, out, 4, stride=2, padding=1), nn.GroupNorm(4, out), nn.LeakyReLU(0.2)]
            channels = out
        self.trunk = nn.Sequential(*layers, nn.Flatten())
        self.hidden = nn.Sequential(nn.Linear(16 * channels, 512), nn.LeakyReLU(0.2))
        self.shared, self.offsets = nn.Linear(512, latent), nn.Linear(512, blocks * latent)
        for layer in (self.shared, self.offsets):
            nn.init.zeros_(layer.weight)
            nn.init.zeros_(layer.bias)
        self.blocks, self.latent = blocks, latent
        self.register_buffer("mean", torch.zeros(latent))
        self.register_buffer("scale", torch.ones(latent))

    def forward(self, pictures: Tensor) -> Tensor:
        x = self.hidden(self.trunk(pictures))
        offsets = self.offsets(x).view(-1, self.blocks, self.latent)
        code: Tensor = self.mean + self.scale * (self.shared(x)[:, None] + offsets)
        return code


@dataclass(frozen=True)
class _Identity:
    """What an encoder's training is of."""

    generator: str
    data: str
    settings: Mapping[str, Any]
    perception: str
    parts: ClassVar[tuple[str, ...]] = (
        "width", "batch_size", "encoder_steps", "refine_steps", "encoder_rate", "perceptual", "seed",
    )  # fmt: skip

    @property
    def run(self) -> str:
        own = {name: self.settings[name] for name in self.parts}
        return json_sha256([FORMAT, self.generator, self.data, own, self.perception])


def w_scale(frozen: FrozenGenerator) -> Tensor:
    """(latent,) standard deviation of w, the same at every call."""
    with torch.no_grad():
        scale: Tensor = frozen.map(frozen.latents(OF_W, 0)).std(dim=0).clamp_min(1e-4)
    return scale


def train_encoder(
    frozen: FrozenGenerator,
    real: Pictures | None,
    settings: InversionSettings,
    out: Path,
    reporter: Reporter,
    perception: Perception,
) -> Encoder:
    """Train and leave the encoder in `out`; after a stop the same call goes on, after the end it reads it.

    Args:
        real: pictures that the refinement learns from too, of the generator's size; None for generated ones alone.

    Raises:
        TrainingStopped: SIGTERM or Ctrl-C; a checkpoint was written.
        SelvedgeError: a value became NaN or infinite.
    """
    name = perception.name if settings.refine_steps else ""
    identity = _Identity(frozen.digest, real.digest if real else "", settings.to_dict(), name)
    about = _about(out)
    if about.get("run") == identity.run:
        return _read(out, about, frozen)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        run = _EncoderRun(frozen, real, settings, out, reporter, perception, identity.run)
        run.train()
    tensors = {key: value.detach().cpu().contiguous() for key, value in run.encoder.state_dict().items()}
    with written_whole(out / "model", "encoder") as part:
        save_file(tensors, part / WEIGHTS)
        kept = {"run": identity.run, "digest": digest_of(tensors), "width": settings.width, "steps": run.step}
        (part / ABOUT).write_text(json.dumps(kept | {"perception": name}, indent=1), encoding="utf-8")
    return run.encoder.eval().requires_grad_(False)


class _EncoderRun(TrainingRun):
    """One training. Everything random follows from (seed, step)."""

    name = "handsoff encoder"
    remedy = "lower handsoff.encoder_rate"
    counters = ("step", "seconds")

    def __init__(
        self,
        frozen: FrozenGenerator,
        real: Pictures | None,
        settings: InversionSettings,
        out: Path,
        reporter: Reporter,
        perception: Perception,
        run: str,
    ) -> None:
        self.frozen, self.real, self.settings, self.perception = frozen, real, settings, perception
        self.encoder = Encoder(frozen.size, settings.width, frozen.blocks, frozen.settings.latent)
        self.encoder.mean.copy_(frozen.mean_w())
        self.encoder.scale.copy_(w_scale(frozen))
        device = frozen.device
        self.encoder.to(device)
        optimiser = torch.optim.Adam(self.encoder.parameters(), settings.encoder_rate, betas=(0.9, 0.99))
        super().__init__(
            settings.encoder_steps + settings.refine_steps,
            optimiser,
            dict(self.encoder.named_parameters()),
            reporter,
            device=device,
            clip_norm=1.0,
            checkpoint=out / "checkpoint",
            run=run,
            checkpoint_every=settings.checkpoint_every,
        )

    def rate(self, step: int) -> float:
        return warm_up_then_cosine(step, min(50, self.total // 10), self.total)

    def advance(self) -> Mapping[str, Tensor | float]:
        settings, n = self.settings, self.settings.batch_size
        generator = torch.Generator().manual_seed(settings.seed * 1_000_003 + self.step)
        with torch.no_grad():
            w = self.frozen.map(torch.randn(n, self.frozen.settings.latent, generator=generator).to(self.device))
            drawn = self.frozen.synthesise(w).clamp(-1, 1)
        codes = self.encoder(drawn)
        apart = ((codes - w[:, None]) / self.encoder.scale).square().mean()
        if self.step < settings.encoder_steps:
            return self.update(apart)
        pictures = drawn
        if self.real is not None:
            rows = torch.randint(len(self.real), (max(1, n // 2),), generator=generator).numpy()
            pictures = torch.cat([drawn[: n - len(rows)], to_float(self.real.at(np.sort(rows))).to(self.device)])
            codes = self.encoder(pictures)
        again = self.frozen.synthesise(codes)
        looks = (again - pictures).square().mean() + settings.perceptual * self.perception(again, pictures).mean()
        return self.update(looks + 0.1 * apart)

    def after_step(self, values: Mapping[str, float]) -> None:
        if self.step % self.settings.report_every == 0 or self.step == self.total:
            self.reporter.metrics(self.step, {f"train/{name}": value for name, value in values.items()})
            self.reporter.progress(self.step, self.total, "encoder")


def _about(out: Path) -> dict[str, Any]:
    """What is said of a finished encoder; {} where there is none."""
    try:
        about: dict[str, Any] = json.loads((out / "model" / ABOUT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return about


def _read(out: Path, about: Mapping[str, Any], frozen: FrozenGenerator) -> Encoder:
    file = out / "model" / WEIGHTS
    tensors = read_tensors([file])
    if digest_of(tensors) != about.get("digest"):
        raise SelvedgeError(f"encoder {file} does not match its digest; remove {out} and run again.")
    with torch.random.fork_rng(devices=[]):
        encoder = Encoder(frozen.size, int(about["width"]), frozen.blocks, frozen.settings.latent)
    encoder.load_state_dict(tensors)
    return encoder.to(frozen.device).eval().requires_grad_(False)
