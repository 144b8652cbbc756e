"""The frozen generator: what inversion, the labeller and whoever wants pictures use, and its artefact folder.

Belongs here: sampling, mapping and synthesis as separate steps, features; saving, loading, hashes. Not here: training
(loop.py), beginning from a base (start.py).

An artefact is `selvedge.json` (format, settings, digest, notes) and `weights.safetensors`; a base has
`discriminator.safetensors` beside it. Weights are stored in half precision and used in single: saving rounds to the
nearest, loading widens exactly, so that what was loaded saves to the same bytes. Every figure is measured on the
rounded weights. The digest is over the stored tensors.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor

from catalog.errors import SelvedgeError
from catalog.files import json_sha256
from training.artefact_file import read_artefact_file
from training.folders import written_whole
from training.handsoff.discriminator import Discriminator
from training.handsoff.generator import Generator, draw_latents
from training.handsoff.settings import GeneratorSettings
from training.picture_tensors import to_uint8
from training.settings import settings_from
from training.weights import digest_of, read_tensors

FORMAT = 1
FAMILY = "handsoff-generator"
STORED = torch.float16
AT_ONCE = 64  # pictures in one pass
MEAN_OF = 4096  # latents whose mean w is the middle of W
WEIGHTS, DISCRIMINATOR = "weights.safetensors", "discriminator.safetensors"


class Sampled(NamedTuple):
    """Random pictures: (n, size, size, 3) uint8, and (n, latent) float32 the w that each came from."""

    pictures: np.ndarray
    w: Tensor


class FrozenGenerator:
    """A generator that is not trained any more.

    Attributes:
        settings: what it was trained with. digest: of its artefact, "" for one in training.
    """

    def __init__(self, settings: GeneratorSettings, generator: Generator, digest: str = "") -> None:
        self.settings, self.digest = settings, digest
        self.generator = generator.eval().requires_grad_(False)

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        return next(self.generator.parameters()).device

    @property
    def size(self) -> int:
        """Side of its pictures, pixels."""
        return self.settings.size

    @property
    def blocks(self) -> int:
        """Style blocks: how many styles a W+ code has."""
        return self.generator.synthesis.blocks

    @property
    def channels(self) -> tuple[int, ...]:
        """Of each block's features, coarse to fine."""
        return self.generator.synthesis.channels

    def latents(self, n: int, seed: int) -> Tensor:
        """(n, latent) z, a function of the seed; row i is the same for every n."""
        return draw_latents(n, self.settings.latent, torch.Generator().manual_seed(seed)).to(self.device)

    def map(self, z: Tensor) -> Tensor:
        """(n, latent) w of (n, latent) z."""
        w: Tensor = self.generator.mapping(z)
        return w

    def spread(self, w: Tensor) -> Tensor:
        """(n, blocks, latent) W+ of (n, latent) w: the same style for every block."""
        return w[:, None].expand(-1, self.blocks, -1)

    @torch.no_grad()
    def mean_w(self) -> Tensor:
        """(latent,) mean w of random latents, the same at every call: where an inversion may begin."""
        return self.map(self.latents(MEAN_OF, 0)).mean(dim=0)

    def synthesise(self, w: Tensor) -> Tensor:
        """(n, 3, size, size) float32 pictures, about [-1, 1], of W (n, latent) or W+ (n, blocks, latent).

        Gradients flow to `w`. Raises ValueError for another number of blocks.
        """
        picture: Tensor = self.generator.synthesis(w)[0]
        return picture

    def features(self, w: Tensor) -> list[Tensor]:
        """(n, c_i, h_i, h_i) float32 of every style block, coarse to fine, for W or W+ as `synthesise`."""
        features: list[Tensor] = self.generator.synthesis(w)[1]
        return features

    @torch.no_grad()
    def sample(self, n: int, seed: int) -> Sampled:
        """n random pictures of the latent distribution of training.

        Row i has the same w for every n, and the same picture but for rounding (one level of 255).

        Raises:
            SelvedgeError: n is below 1.
        """
        if n < 1:
            raise SelvedgeError(f"cannot sample {n} pictures; ask for at least 1.")
        w = self.map(self.latents(n, seed))
        return Sampled(np.concatenate([to_uint8(self.synthesise(part)) for part in w.split(AT_ONCE)]), w)


def round_weights(module: torch.nn.Module) -> None:
    """Put every weight to the nearest that an artefact can hold."""
    with torch.no_grad():
        for tensor in module.state_dict().values():
            tensor.copy_(tensor.to(STORED))


def save_generator(
    folder: Path,
    settings: GeneratorSettings,
    generator: Generator,
    discriminator: Discriminator | None = None,
    notes: Mapping[str, Any] | None = None,
) -> str:
    """Write the folder whole and return its digest.

    Args:
        discriminator: makes it a base, from which training goes on.
        notes: plain data for people (steps, figures); not part of the digest.

    Raises:
        SelvedgeError: a weight is not finite in half precision, or the disk is full or not writable; nothing is left.
    """
    files = {WEIGHTS: _stored(generator)} | ({} if discriminator is None else {DISCRIMINATOR: _stored(discriminator)})
    about = {
        "format": FORMAT,
        "family": FAMILY,
        "settings": settings.to_dict(),
        "tensors": {name: digest_of(tensors) for name, tensors in files.items()},
    }
    digest = json_sha256(about)
    with written_whole(folder, "artefact") as part:
        for name, tensors in files.items():
            save_file(tensors, part / name)
        whole = about | {"digest": digest, "notes": dict(notes or {})}
        (part / "selvedge.json").write_text(json.dumps(whole, indent=1) + "\n", encoding="utf-8")
    return digest


def read_about(folder: Path) -> dict[str, Any]:
    """`selvedge.json` of an artefact, held to its digest; loads no weights.

    Raises:
        SelvedgeError: missing, unreadable, of another family or format, or changed.
    """
    about = read_artefact_file(folder, FAMILY, FORMAT)
    body = {name: value for name, value in about.items() if name not in ("digest", "notes")}
    if json_sha256(body) != about.get("digest") or not isinstance(about.get("tensors"), dict):
        raise SelvedgeError(f"model {folder} does not match its digest; copy the whole folder again.")
    return about


def load_generator(folder: Path, *, size: int | None = None, device: str | torch.device = "cpu") -> FrozenGenerator:
    """A frozen generator from its folder, held to its hashes.

    Args:
        size: the side that its pictures must have, pixels; None takes any.

    Raises:
        SelvedgeError: see `read_about`; another resolution; weights that are missing, damaged or of another model.
    """
    about = read_about(folder)
    settings = settings_from(GeneratorSettings, about["settings"], f"model {folder}")
    if size is not None and settings.size != size:
        raise SelvedgeError(
            f"generator {folder} draws pictures of {settings.size} pixels and {size} are wanted; give one of that "
            "resolution, or prepare the pictures at its own."
        )
    with torch.random.fork_rng(devices=[]):  # building draws weights that are overwritten at once
        generator = Generator(settings)
    generator.load_state_dict(read_stored(folder, about, WEIGHTS))
    return FrozenGenerator(settings, generator.to(device), str(about["digest"]))


def read_stored(folder: Path, about: Mapping[str, Any], name: str) -> dict[str, Tensor]:
    """The tensors of one file of an artefact in float32, held to their hash.

    Raises:
        SelvedgeError: the file is missing, damaged, or not the one that was saved.
    """
    if name not in about["tensors"]:
        raise SelvedgeError(f"model {folder} has no {name}, so no training can begin from it; give a base.")
    tensors = read_tensors([folder / name])
    if digest_of(tensors) != about["tensors"][name]:
        raise SelvedgeError(f"model {folder} does not match its digest ({name}); copy the whole folder again.")
    return {key: tensor.float() for key, tensor in tensors.items()}


def _stored(module: torch.nn.Module) -> dict[str, Tensor]:
    tensors = {name: value.detach().to("cpu", STORED).contiguous() for name, value in module.state_dict().items()}
    for name in _not_finite(tensors):
        raise SelvedgeError(f"handsoff: weight {name} is not finite in half precision; nothing was saved, train again.")
    return tensors


def _not_finite(tensors: Mapping[str, Tensor]) -> Iterator[str]:
    return (name for name, tensor in tensors.items() if not bool(torch.isfinite(tensor).all()))
