"""A ReStGAN of random weights, small enough to build in a test: it draws noise, but other noise for other words."""

from pathlib import Path

import torch

from tests.training.restgan.synthetic import synthetic_colours, synthetic_vocabulary
from training.restgan.sampling import RestganModel, build_networks, save_artefact
from training.restgan.settings import RestganSettings

TINY = RestganSettings(
    size=16, stages=2, noise=8, embedding=12, state=16, condition=6,
    generator_width=8, discriminator_width=8, refiner_width=8,
)  # fmt: skip


def save_tiny_restgan(folder: Path, seed: int = 0) -> Path:
    """An artefact whose pictures are 32 pixels wide; it knows types, genders, four colours and four details."""
    colours = synthetic_colours()
    vocabulary = synthetic_vocabulary(colours)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        text, generator = build_networks(TINY, vocabulary, colours)
    save_artefact(folder, RestganModel(TINY, text, generator, vocabulary, colours))
    return folder
