"""Starts: networks that a training begins from instead of random weights.

Belongs here: reading a base and copying it into the networks of a run, also into networks of double the side. Not here:
making the base that ships (benchmarks/handsoff_base.py), training on (loop.py).

Levels are named by their side, so networks of double the side share all but their last level with the base. A
generator's new level adds nothing at first, and the discriminator's reads what it will; everything below goes on.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor, nn

from catalog.errors import SelvedgeError
from training.handsoff.discriminator import Discriminator
from training.handsoff.frozen import DISCRIMINATOR, WEIGHTS, read_about, read_stored
from training.handsoff.generator import Generator
from training.handsoff.settings import PREFIX, SHAPE, GeneratorSettings
from training.settings import settings_from


@dataclass(frozen=True)
class Start:
    """A base: tensors of both networks by name, and its digest."""

    generator: Mapping[str, Tensor]
    discriminator: Mapping[str, Tensor]
    digest: str

    def fill(self, generator: Generator, discriminator: Discriminator) -> None:
        """Copy the base into networks of its own side or of double of it."""
        _copy(self.generator, generator)
        _copy(self.discriminator, discriminator)


def read_start(folder: Path, settings: GeneratorSettings) -> Start:
    """The base in a folder, for training with these settings.

    Raises:
        SelvedgeError: it is missing or damaged, has no discriminator, or its networks have other sizes than the
            settings ask for.
    """
    about = read_about(folder)
    base = settings_from(GeneratorSettings, about["settings"], f"base {folder}")
    for name in SHAPE:
        mine, theirs = getattr(settings, name), getattr(base, name)
        if mine != theirs and not (name == "size" and mine == 2 * theirs):
            also = f" or {2 * theirs}" if name == "size" else ""
            raise SelvedgeError(
                f"base {folder} has {PREFIX}{name} {theirs!r} and the settings {mine!r}; set it to {theirs!r}{also}, "
                "or begin from random weights."
            )
    generator, discriminator = (read_stored(folder, about, name) for name in (WEIGHTS, DISCRIMINATOR))
    return Start(generator, discriminator, str(about["digest"]))


def _copy(tensors: Mapping[str, Tensor], module: nn.Module) -> None:
    """All tensors that have a namesake of their own shape; the colours of a new first level stay as they were made."""
    own = module.state_dict()
    module.load_state_dict(own | {n: t for n, t in tensors.items() if n in own and own[n].shape == t.shape})
