"""Inversion: for a real picture the W+ code from which the generator draws it again.

Belongs here: each picture's own optimisation, how well a generator can be inverted at all, refusing what it cannot,
the folder of codes. Not here: the encoder whose answer is the start (encoder.py), labels (labeller_training.py).

A code is optimised from the encoder's answer by itself, the best of all steps is kept (a copy, not a view that moves
on), and the distance that it goes from the start is held back: W+ reaches outside what the generator samples, and
features from there are met by nobody later. How good is good enough follows from pictures that the generator drew
itself, inverted alike: beyond a quantile of their errors a picture is refused, because its features are not of what
it shows.

Source: Xu et al., HandsOff, CVPR 2023, section 3.1; learning rate after StyleGAN2's projector.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from catalog.errors import SelvedgeError
from catalog.files import json_sha256, publish_bytes
from training.driver import half_cosine
from training.folders import written_whole
from training.handsoff.encoder import Encoder, train_encoder, w_scale
from training.handsoff.frozen import FrozenGenerator
from training.handsoff.label_settings import InversionSettings
from training.handsoff.perception import Perception
from training.handsoff.pictures import Pictures, pictures_of
from training.picture_tensors import to_float
from training.reporting import Reporter
from training.stopping import TrainingStopped, stop_requests
from training.weights import digest_of, read_tensors

FORMAT = 1
CODES, ABOUT = "codes.safetensors", "inversions.json"
REFERENCE_SEED = 77  # of the pictures that say how well the generator can be inverted
WARM_UP = 0.05  # share of the steps in which the rate rises
Distance = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Inversions:
    """Codes of pictures.

    Attributes:
        names: of all N pictures. codes: (N, blocks, latent) float32 W+.
        errors: (N,) float32 root mean square errors of the pictures that the codes draw, levels of 255.
        reference: the same of the generator's own pictures, ascending. limit: the largest error that is not refused.
        perception: the perceptual distance that was used. generator, data: digests of what was inverted with what.
        digest: of the codes.
    """

    names: tuple[str, ...]
    codes: Tensor
    errors: np.ndarray
    reference: np.ndarray
    limit: float
    perception: str
    generator: str
    data: str
    digest: str

    @property
    def kept(self) -> np.ndarray:
        """Rows that can be inverted."""
        return np.flatnonzero(self.errors <= self.limit)

    def refusals(self) -> list[str]:
        """One sentence for every picture that cannot be inverted."""
        return [
            f"picture {self.names[row]} cannot be inverted: what this generator draws for it is off by "
            f"{self.errors[row]:.1f} of 255, and its own pictures by {self.limit:.1f} at most; it is left out."
            for row in np.flatnonzero(self.errors > self.limit)
        ]


def optimise_codes(
    frozen: FrozenGenerator,
    pictures: Tensor,
    start: Tensor,
    distance: Distance,
    *,
    steps: int,
    rate: float,
    hold: float = 0.0,
) -> tuple[Tensor, Tensor]:
    """The best codes on the way: (n, blocks, latent), and the (n,) mean square errors of what they draw.

    Args:
        pictures: (n, 3, s, s) in [-1, 1]. start: (n, blocks, latent).
        distance: (n,) of two (n, 3, s, s); the code with the least of all steps is kept, the start among them.
        steps: of Adam. rate: its highest, in units of w. hold: see `InversionSettings.hold`.
    """
    code = start.detach().clone().requires_grad_()
    optimiser = torch.optim.Adam([code], rate)
    least = torch.full((len(pictures),), torch.inf, device=pictures.device)
    best, errors = code.detach().clone(), least.clone()
    scale = w_scale(frozen) if hold else None
    for step in range(steps + 1):
        again = frozen.synthesise(code)
        apart = distance(again, pictures)
        better = apart.detach() < least
        least = torch.where(better, apart.detach(), least)
        errors = torch.where(better, (again.detach() - pictures).square().mean(dim=(1, 2, 3)), errors)
        best[better] = code.detach()[better]  # an index copies: the next step does not move it
        if step == steps:
            break
        if scale is not None:
            apart = apart + hold * ((code - start) / scale).square().mean(dim=(1, 2))
        optimiser.param_groups[0]["lr"] = rate * min(1.0, (step + 1) / (WARM_UP * steps)) * half_cosine(step / steps)
        optimiser.zero_grad()
        apart.sum().backward()
        optimiser.step()
    return best, errors


def invert_pictures(
    frozen: FrozenGenerator,
    pictures: Pictures,
    settings: InversionSettings,
    out: Path,
    reporter: Reporter,
    perception: Perception,
    unlabelled: Pictures | None = None,
) -> Inversions:
    """Codes of pictures, left in `out`; after a stop the same call goes on, after the end it reads them.

    Args:
        unlabelled: further real pictures that the encoder may learn from; without, it learns from `pictures`.

    Raises:
        TrainingStopped: SIGTERM or Ctrl-C; what was done is kept.
        SelvedgeError: pictures of another resolution, `out` holds other work, or no picture can be inverted.
    """
    if pictures.size != frozen.size:
        raise SelvedgeError(
            f"the pictures are {pictures.size} pixels wide and the generator draws {frozen.size}; prepare them at that "
            "size, or give a generator of theirs."
        )
    real = unlabelled or pictures
    run = json_sha256([FORMAT, frozen.digest, pictures.digest, real.digest, settings.fixed(), perception.name])
    about = _about(out)
    if about and about["run"] != run:
        raise SelvedgeError(f"folder {out} holds inversions of other pictures or settings; give a new folder.")
    if about:
        return _of(out, about)
    encoder = train_encoder(frozen, real, settings, out / "encoder", reporter, perception)
    own = frozen.sample(settings.references, settings.seed + REFERENCE_SEED).pictures
    with stop_requests() as stop:
        job = _Job(frozen, encoder, settings, perception, out / "parts", run, reporter, lambda: bool(stop))
        _, reference = job.invert(pictures_of(own, [str(row) for row in range(len(own))]), "references")
        codes, errors = job.invert(pictures, "pictures")
    reference = np.sort(reference)
    limit = settings.tolerance * float(np.quantile(reference, settings.quantile, method="higher"))
    _write(out, run, frozen, pictures, codes, errors, reference, limit, perception.name)
    return _of(out, _about(out))


def read_inversions(folder: Path) -> Inversions:
    """What `invert_pictures` left.

    Raises:
        SelvedgeError: nothing is there, or it was changed; no picture of it can be inverted.
    """
    about = _about(folder)
    if not about:
        raise SelvedgeError(f"folder {folder} holds no finished inversions; run `selvedge handsoff invert` into it.")
    return _of(folder, about)


@dataclass(frozen=True)
class _Job:
    """The pictures of one run, a part after the other."""

    frozen: FrozenGenerator
    encoder: Encoder
    settings: InversionSettings
    perception: Perception
    parts: Path
    run: str
    reporter: Reporter
    stopped: Callable[[], bool]

    def invert(self, pictures: Pictures, what: str) -> tuple[Tensor, np.ndarray]:
        """(n, blocks, latent) codes and (n,) errors in levels of 255; parts that are there already are read."""
        codes, errors, at_once = [], [], self.settings.pictures_at_once
        for start in range(0, len(pictures), at_once):
            file = self.parts / f"{what}-{start:06d}-{at_once}.safetensors"
            part = self._kept(file)
            if part is None:
                part = self._inverted(pictures.at(np.arange(start, min(start + at_once, len(pictures)))))
                publish_bytes(save(part, {"run": self.run}), file)
                if self.stopped():
                    raise TrainingStopped(
                        f"handsoff inversion: stopped at {what} {start + len(part['errors'])} of {len(pictures)}; "
                        "run it again to go on from there."
                    )
            codes.append(part["codes"])
            errors.append(part["errors"])
            self.reporter.progress(start + len(part["errors"]), len(pictures), f"inverting {what}")
        return torch.cat(codes), torch.cat(errors).numpy()

    def _inverted(self, pictures: Tensor) -> dict[str, Tensor]:
        real = to_float(pictures).to(self.frozen.device)
        settings = self.settings
        with torch.no_grad():
            start = self.encoder(real)

        def apart(first: Tensor, second: Tensor) -> Tensor:
            squared = (first - second).square().mean(dim=(1, 2, 3))
            return squared + settings.perceptual * self.perception(first, second) if settings.perceptual else squared

        codes, errors = optimise_codes(
            self.frozen, real, start, apart, steps=settings.steps, rate=settings.rate, hold=settings.hold
        )
        return {"codes": codes.cpu(), "errors": 127.5 * errors.sqrt().cpu()}

    def _kept(self, file: Path) -> dict[str, Tensor] | None:
        try:
            with safe_open(str(file), "pt") as part:
                if (part.metadata() or {}).get("run") != self.run:
                    return None
                return {name: part.get_tensor(name) for name in ("codes", "errors")}
        except (OSError, SafetensorError):
            return None


def _write(
    out: Path,
    run: str,
    frozen: FrozenGenerator,
    pictures: Pictures,
    codes: Tensor,
    errors: np.ndarray,
    reference: np.ndarray,
    limit: float,
    perception: str,
) -> None:
    tensors = {"codes": codes.contiguous()}
    about = {
        "format": FORMAT,
        "run": run,
        "names": list(pictures.names),
        "errors": [float(error) for error in errors],
        "reference": [float(error) for error in reference],
        "limit": limit,
        "perception": perception,
        "generator": frozen.digest,
        "data": pictures.digest,
        "digest": digest_of(tensors),
    }
    with written_whole(out / "codes", "inversions") as part:
        (part / CODES).write_bytes(save(tensors))
        (part / ABOUT).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")


def _about(out: Path) -> dict[str, Any]:
    """What is said of finished inversions; {} where there are none."""
    file = out / "codes" / ABOUT
    try:
        about: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise SelvedgeError(f"{file} cannot be read ({error}); remove {out} and invert again.") from error
    if about.get("format") != FORMAT:
        raise SelvedgeError(f"{file} has format {about.get('format')}, this version reads {FORMAT}; invert again.")
    return about


def _of(out: Path, about: Mapping[str, Any]) -> Inversions:
    tensors = read_tensors([out / "codes" / CODES])
    if digest_of(tensors) != about["digest"]:
        raise SelvedgeError(f"inversions {out} do not match their digest; remove the folder and invert again.")
    inversions = Inversions(
        tuple(about["names"]),
        tensors["codes"],
        np.asarray(about["errors"], np.float32),
        np.asarray(about["reference"], np.float32),
        float(about["limit"]),
        *(str(about[name]) for name in ("perception", "generator", "data", "digest")),
    )
    if not len(inversions.kept):
        raise SelvedgeError(
            f"none of {len(inversions.names)} pictures can be inverted: their errors begin at "
            f"{inversions.errors.min():.1f} of 255 and {inversions.limit:.1f} is the most that is accepted; continue "
            "the generator's training on such pictures, or raise handsoff.tolerance."
        )
    return inversions
