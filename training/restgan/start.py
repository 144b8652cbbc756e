"""Starts: networks that a training begins from instead of random weights, put to other words and other colours.

Belongs here: reading a base (generator, text encoder, discriminators) and copying it into the networks of a run.
Not here: making the base that ships (pretraining.py), training on (loop.py).

A catalogue has words and colours of its own. A word that the base knows keeps its embedding, a new one begins as the
unknown word; a colour needs nothing, because it enters as its CIELAB feature, which the base can read for any colour.
Only the discriminators name colours by number: there a cluster begins as the base's nearest.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from catalog.errors import SelvedgeError
from training.restgan.colours import ColourTable, nearest_clusters
from training.restgan.dataset import TYPES, Bottoms
from training.restgan.generator import Generator
from training.restgan.sampling import RestganModel, build_networks, load_artefact
from training.restgan.settings import RestganSettings
from training.restgan.text import TextEncoder
from training.restgan.words import UNKNOWN, Vocabulary
from training.weights import read_tensors

DISCRIMINATORS_FILE = "discriminators.safetensors"
SHAPE = (
    *("variant", "size", "stages", "noise", "embedding", "state", "condition"),
    *("generator_width", "discriminator_width", "refiner_width", "spectral_norm"),
)
"""Settings that a base and a run must share: what the tensors' shapes and meanings follow from."""


@dataclass(frozen=True)
class Start:
    """A base, and the words and colours it is put to.

    Attributes:
        model: text encoder and generator of the base. discriminators: its tensors by name.
        vocabulary, colours: of the run that begins from it.
    """

    model: RestganModel
    discriminators: Mapping[str, Tensor]
    vocabulary: Vocabulary
    colours: ColourTable

    @property
    def digest(self) -> str:
        """The base's; words and colours are part of the run's identity anyway."""
        return self.model.digest

    def fill(self, text: TextEncoder, generator: Generator, discriminators: nn.ModuleList | None = None) -> None:
        """Copy the base into networks built for this vocabulary and these colours."""
        theirs = dict(self.model.text.state_dict())
        rows = [self.model.vocabulary.id_of(word) for word in self.vocabulary.words]
        rows[:2] = [0, UNKNOWN]  # padding and the unknown word are their own places, not words
        theirs["embedding.weight"] = theirs["embedding.weight"][torch.tensor(rows)]
        theirs["colour_features"] = text.colour_features
        text.load_state_dict(theirs)
        generator.load_state_dict(self.model.generator.state_dict())
        if discriminators is not None:
            discriminators.load_state_dict(self._put_to_colours())

    def untrained(self, settings: RestganSettings) -> RestganModel:
        """The base itself, put to these words and colours: what a candidate is held against."""
        text, generator = build_networks(settings, self.vocabulary, self.colours)
        self.fill(text, generator)
        return RestganModel(settings, text, generator, self.vocabulary, self.colours)

    def _put_to_colours(self) -> dict[str, Tensor]:
        types, others = len(TYPES), self.model.colours
        nearest = nearest_clusters(self.colours, others)
        rows = np.concatenate([np.arange(types), types + nearest, types + len(others) + np.arange(3)])
        return {
            name: tensor[torch.from_numpy(rows)] if "attribute_head" in name else tensor
            for name, tensor in self.discriminators.items()
        }


def read_start(folder: Path, bottoms: Bottoms, settings: RestganSettings) -> Start:
    """The base in a folder, for training with these settings on these bottoms.

    Raises:
        SelvedgeError: it is missing or damaged, or its networks have other sizes than the settings ask for.
    """
    model = load_artefact(folder)
    refuse_other_sizes(folder, model.settings, settings)
    return Start(model, read_tensors([folder / DISCRIMINATORS_FILE]), bottoms.vocabulary, bottoms.colours)


def refuse_other_sizes(folder: Path, base: RestganSettings, settings: RestganSettings) -> None:
    """Raises: SelvedgeError: the networks of the base in `folder` have other sizes than the settings ask for."""
    for name in SHAPE:
        mine, theirs = getattr(settings, name), getattr(base, name)
        if mine != theirs:
            raise SelvedgeError(
                f"base {folder} has restgan.{name} {theirs!r} and the settings {mine!r}; set it so, or begin from "
                "random weights with `base: none`."
            )


def random_start(bottoms: Bottoms, settings: RestganSettings) -> RestganModel:
    """What a training without a base begins from: its networks before the first step."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        text, generator = build_networks(settings, bottoms.vocabulary, bottoms.colours)
    return RestganModel(settings, text, generator, bottoms.vocabulary, bottoms.colours)


def save_discriminators(folder: Path, discriminators: Mapping[str, Tensor]) -> None:
    """Put the discriminators beside an artefact: with them it is a base."""
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in discriminators.items()},
              folder / DISCRIMINATORS_FILE)  # fmt: skip
