"""Augmentation that gradients flow through: pictures are moved and partly covered, real and generated ones alike.

Belongs here: drawing one augmentation for a batch and applying it to pictures of any side. Not here: when (each GAN's
loop).

After DiffAugment (Zhao et al., NeurIPS 2020), with two differences. No colour operations: a discriminator that sees
changed colours cannot teach colour words. And what comes in from outside, and the cover, are white: on product pictures
white is the background, and a grey hole would be a thing to detect. The cover is small, because a white one over the
lower half would make shorts of pants.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

WHITE = 1.0


class Augmentation(NamedTuple):
    """One for each picture of a batch, as shares of the side, so that it means the same for every stage.

    shift: (n, 2) float32 down and right. cover: (n, 2) float32, centre of the cover. cut: side of the cover.
    reach: no shift is longer; None looks, which waits for the device.
    """

    shift: Tensor
    cover: Tensor
    cut: float
    reach: float | None = None

    def to(self, device: torch.device) -> "Augmentation":
        """On another device."""
        return self._replace(shift=self.shift.to(device), cover=self.cover.to(device))


def draw_augmentation(n: int, translation: float, cutout: float, generator: torch.Generator) -> Augmentation:
    """Shifts evenly in plus and minus `translation`, centres of a cover of side `cutout` evenly over the picture."""
    both = torch.rand(n, 4, generator=generator)
    return Augmentation((2 * both[:, :2] - 1) * translation, both[:, 2:], cutout, translation)


def augment(pictures: Tensor, augmentation: Augmentation) -> Tensor:
    """(n, 3, s, s) float in [-1, 1], moved by whole pixels and partly covered; white where nothing is.

    A picture's gradient is that of the pixels still seen; covered and lost ones get none.
    """
    return _cover(_move(pictures, augmentation), augmentation.cover, augmentation.cut)


def _move(pictures: Tensor, augmentation: Augmentation) -> Tensor:
    n, channels, side, _ = pictures.shape
    pixels = (augmentation.shift * side).round().long()
    reach = augmentation.reach
    margin = int(pixels.abs().max()) if reach is None else math.ceil(reach * side)
    if margin == 0:
        return pictures
    padded = functional.pad(pictures, (margin,) * 4, value=WHITE)
    pixel = torch.arange(side, device=pictures.device) + margin
    rows, columns = pixel - pixels[:, :1], pixel - pixels[:, 1:]
    flat = rows[:, :, None] * (side + 2 * margin) + columns[:, None]
    index = flat.reshape(n, 1, -1).expand(-1, channels, -1)
    return padded.flatten(2).gather(2, index).view(pictures.shape)


def _cover(pictures: Tensor, centre: Tensor, cut: float) -> Tensor:
    side = pictures.shape[2]
    half = round(cut * side) / 2
    if half == 0:
        return pictures
    pixel = torch.arange(side, device=pictures.device) + 0.5
    inside = ((pixel - (centre * side).round()[:, :, None]).abs() < half)[:, :, :, None]
    covered = inside[:, 0] & inside[:, 1].transpose(1, 2)
    return pictures.masked_fill(covered[:, None], WHITE)
