"""The generator: noise and words to pictures, in one stage or two that are trained jointly.

Belongs here: noise, both stages, their conditions. Not here: the text (text.py), losses (losses.py), drawing pictures
for people (sampling.py).

After StackGAN (Zhang et al., ICCV 2017): Stage I draws from noise and condition, nearest upsampling and one convolution
a level; Stage II reads Stage I's picture and a condition of its own and doubles the side. Ours: every level is
normalised and then scaled and shifted by condition and noise (few images are seen, and a condition that enters only at
4 x 4 pixels is learnt late); Stage II adds to Stage I's picture instead of drawing it again, and is trained with it.
GroupNorm, not BatchNorm: a picture must not depend on the others of its batch, nor on running statistics.
"""

from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.restgan.settings import RestganSettings
from training.restgan.text import ConditioningAugmentation

FIRST_SIDE = 4
GROUP = 16  # channels normalised together
WHITE = 1.0  # of the background, in [-1, 1]


class Noise(NamedTuple):
    """All that is random in a picture; kept along a word sequence, so that only the words change it.

    z: (n, noise) float32. epsilon: (n, stages, condition) float32, of the conditioning augmentation.
    """

    z: Tensor
    epsilon: Tensor

    def repeat(self, times: int) -> "Noise":
        """Every row `times` times in a row: the same noise for every word of a sequence."""
        return Noise(self.z.repeat_interleave(times, dim=0), self.epsilon.repeat_interleave(times, dim=0))

    def to(self, device: torch.device) -> "Noise":
        """On another device."""
        return Noise(self.z.to(device), self.epsilon.to(device))


def draw_noise(n: int, settings: RestganSettings, generator: torch.Generator) -> Noise:
    """Noise of n pictures, one after the other: the first k rows are those of a draw of k."""
    each = settings.noise + settings.stages * settings.condition
    # A row at a time: for a whole block torch takes another order of its random numbers, and row 0 would depend on n.
    rows = torch.stack([torch.randn(each, generator=generator) for _ in range(n)])
    z, epsilon = rows.split([settings.noise, each - settings.noise], dim=1)
    return Noise(z, epsilon.reshape(n, settings.stages, settings.condition))


class Drawn(NamedTuple):
    """What a generator made. pictures: a stage's (n, 3, side, side) float32 in [-1, 1] each. means, log_variances:
    (n, condition) float32, of each stage's conditioning augmentation."""

    pictures: list[Tensor]
    means: list[Tensor]
    log_variances: list[Tensor]


class _Modulated(nn.Module):
    """Convolution, GroupNorm, then scale and shift read off a code."""

    def __init__(self, channels: int, out: int, code: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(channels, out, 3, padding=1, bias=False)
        self.norm = nn.GroupNorm(max(1, out // GROUP), out, affine=False)
        self.modulation = nn.Linear(code, 2 * out)
        nn.init.normal_(self.modulation.weight, std=0.5 / code**0.5)
        nn.init.zeros_(self.modulation.bias)

    def forward(self, x: Tensor, code: Tensor) -> Tensor:
        scale, shift = self.modulation(code)[:, :, None, None].chunk(2, dim=1)
        return functional.leaky_relu(torch.addcmul(shift, self.norm(self.convolution(x)), 1 + scale), 0.2)


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="nearest")


class StageOne(nn.Module):
    """Noise and condition to a picture, 4 x 4 pixels doubled until the side is reached."""

    def __init__(self, side: int, width: int, code: int) -> None:
        super().__init__()
        levels = (side // FIRST_SIDE).bit_length() - 1
        channels = [width * min(4, 1 << (levels - level)) for level in range(levels + 1)]
        self.channels = channels[0]
        self.first = nn.Linear(code, channels[0] * FIRST_SIDE**2)
        self.levels = nn.ModuleList(_Modulated(before, after, code) for before, after in pairwise(channels))
        self.picture = nn.Conv2d(channels[-1], 3, 3, padding=1)
        with torch.no_grad():
            self.picture.bias.fill_(WHITE)  # type: ignore[union-attr]

    def forward(self, code: Tensor) -> Tensor:
        """(n, 3, side, side) before the tanh, from (n, code)."""
        x = self.first(code).view(len(code), self.channels, FIRST_SIDE, FIRST_SIDE)
        x = x.contiguous(memory_format=torch.channels_last)
        for level in self.levels:
            x = level(_double(x), code)
        return self.picture(x)


class StageTwo(nn.Module):
    """Stage I's picture and a condition to a picture of double the side."""

    def __init__(self, width: int, code: int, condition: int) -> None:
        super().__init__()
        deep = 4 * width
        self.read = nn.Sequential(
            nn.Conv2d(3, width, 3, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
        )
        self.join = nn.Conv2d(2 * width + condition, deep, 1)
        self.residual = nn.ModuleList(_Modulated(deep, deep, code) for _ in range(2))
        self.levels = nn.ModuleList([_Modulated(deep, 2 * width, code), _Modulated(2 * width, width, code)])
        self.picture = nn.Conv2d(width, 3, 3, padding=1)

    def forward(self, before: Tensor, condition: Tensor, code: Tensor) -> Tensor:
        """(n, 3, 2 side, 2 side) before the tanh, from Stage I's (n, 3, side, side) before its tanh."""
        x = self.read(torch.tanh(before))
        tiled = condition.to(x.dtype)[:, :, None, None].expand(-1, -1, *x.shape[2:])
        x = self.join(torch.cat([x, tiled], dim=1))
        for block in self.residual:
            x = x + block(x, code)
        for level in self.levels:
            x = level(_double(x), code)
        return self.picture(x) + _double(before)


class Generator(nn.Module):
    """A state of the text and noise to the pictures of every stage."""

    def __init__(self, settings: RestganSettings) -> None:
        super().__init__()
        code = settings.noise + settings.condition
        self.conditions = nn.ModuleList(
            ConditioningAugmentation(settings.state, settings.condition) for _ in range(settings.stages)
        )
        self.one = StageOne(settings.size, settings.generator_width, code)
        self.two = StageTwo(settings.refiner_width, code, settings.condition) if settings.stages == 2 else None

    def forward(self, state: Tensor, noise: Noise) -> Drawn:
        """Pictures of all stages.

        Args:
            state: (n, state) of the text encoder. noise: n rows; the same ones along a word sequence.
        """
        augmented = [augment(state, noise.epsilon[:, i]) for i, augment in enumerate(self.conditions)]
        conditions, means, log_variances = map(list, zip(*augmented, strict=True))
        picture = self.one(torch.cat([noise.z, conditions[0]], dim=1))
        pictures = [picture]
        if self.two is not None:
            pictures.append(self.two(picture, conditions[1], torch.cat([noise.z, conditions[1]], dim=1)))
        return Drawn([torch.tanh(stage.float()) for stage in pictures], means, log_variances)
