"""Perception: how far two pictures are from each other to more than their pixels.

Belongs here: what a perceptual distance is asked, and the one that is at hand. Not here: what is done with it
(encoder.py, inversion.py).

At hand are the layers of the frozen attribute classifier that ships with the bases, trained on drawn garments. That is
no LPIPS, whose layers learnt from a million photographs and whose weights against people's judgements: figures name
which of the two they were made with. Anything with this call can take its place, LPIPS too where its weights are.
"""

from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from training.attribute_judge import load_judge
from training.attribute_network import AttributeClassifier
from training.folders import models_folder

LAYERS_FILE = "handsoff-tiny/judge.safetensors"  # in the models folder


class Perception(Protocol):
    """A distance of pictures that lets gradients through."""

    name: str

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        """(n,) distances of (n, 3, s, s) pictures in [-1, 1], 0 for equal ones."""


class AttributeLayers:
    """Mean squared difference of an attribute classifier's features, each pixel's of length 1, over four layers.

    Attributes:
        name: what figures made with it say.
    """

    name = "attribute-classifier layers"

    def __init__(self, network: AttributeClassifier) -> None:
        self.network = network.eval().requires_grad_(False)

    def __call__(self, first: Tensor, second: Tensor) -> Tensor:
        x = torch.cat([first, second])
        if x.shape[2] != self.network.size:
            sides = (self.network.size, self.network.size)
            x = functional.interpolate(x, sides, mode="bilinear", antialias=True, align_corners=False)
        x = x.clamp(-1.2, 1.2).mul(127.5 / 64.0).contiguous(memory_format=torch.channels_last)  # as `embed` scales
        distance = torch.zeros(len(first), device=x.device)
        layers = [self.network.stem, *self.network.blocks]
        for layer in layers:
            x = layer(x)
            mine, theirs = functional.normalize(x, dim=1, eps=1e-6).chunk(2)
            distance = distance + (mine - theirs).square().sum(dim=1).mean(dim=(1, 2)) / len(layers)
        return distance


def shipped_perception(device: str | torch.device = "cpu") -> AttributeLayers:
    """The distance at hand.

    Raises:
        SelvedgeError: the file is missing or damaged.
    """
    return AttributeLayers(load_judge(models_folder() / LAYERS_FILE, str(device)).network)
