"""The discriminator: how real a picture looks, as one number that only means something beside another picture's.

Belongs here: the layers. Not here: what the numbers cost (losses.py).

Residual levels without any normalisation: the penalties are on each picture's own gradient, so the batch must take no
part in its number (Huang et al., R3GAN, NeurIPS 2024, section 4, for why none of StyleGAN's other tricks is needed).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.handsoff.layers import GAIN, EqualConvolution, EqualLinear, activate
from training.handsoff.settings import GeneratorSettings, channels_at, sides_up_to


class _Level(nn.Module):
    """Features of one side to features of half of it."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.first = EqualConvolution(channels, channels, 3, gain=GAIN)
        self.second = EqualConvolution(channels, out, 3, gain=GAIN)
        self.short = EqualConvolution(channels, out, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = activate(self.second(functional.avg_pool2d(activate(self.first(x)), 2)))
        return (y + self.short(functional.avg_pool2d(x, 2))) / GAIN


class Discriminator(nn.Module):
    """(n, 3, size, size) pictures in [-1, 1] to (n,) float32."""

    def __init__(self, settings: GeneratorSettings) -> None:
        super().__init__()
        least, *others = sides_up_to(settings.size)
        width = settings.discriminator_width
        self.colours = EqualConvolution(3, channels_at(settings.size, width), 1, gain=GAIN)
        # By side, so that what begins from a base of half the size finds the levels that they share.
        self.levels = nn.ModuleDict(
            {str(side): _Level(channels_at(side, width), channels_at(side // 2, width)) for side in reversed(others)}
        )
        deep = channels_at(least, width)
        self.last = EqualConvolution(deep, deep, 3, gain=GAIN)
        self.joint = EqualLinear(deep * least**2, deep, gain=GAIN)
        self.head = EqualLinear(deep, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        x = activate(self.colours(pictures.contiguous(memory_format=torch.channels_last)))
        for level in self.levels.values():
            x = level(x)
        x = activate(self.last(x)).float().flatten(1)
        with torch.autocast(x.device.type, enabled=False):  # a difference of two numbers of bf16 has few bits left
            return self.head(activate(self.joint(x))).squeeze(1)
