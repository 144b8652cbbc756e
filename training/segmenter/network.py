"""The network: a small U-Net. Pictures in, a score of every class for every pixel out.

Belongs here: its layers and their first weights. Not here: training (candidate.py), pictures of any size
(segmenter.py).

Most of the work is done at half the side and below: at the full one there is one convolution on the way in and one on
the way out. What comes down is added to what comes up and not put beside it. Both so that it trains on a core in
minutes. Groups are normalised, not batches: a picture's answer does not depend on the others.

Source: Ronneberger et al., U-Net, MICCAI 2015; the sums after Lin et al., Feature Pyramid Networks, CVPR 2017; Wu and
He, Group Normalization, ECCV 2018.
"""

import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

LEVELS = 4  # the sides: full, a half, a quarter, an eighth
GROUP = 8  # channels
WIDEST = 4  # times the width


class SegmenterNetwork(nn.Module):
    """(n, 3, s, s) float in [-1, 1] to (n, classes, s, s) float scores; s a multiple of 8.

    Args:
        classes: how many. width: channels at the full side, a multiple of 8; twice and four times as many below.
        seed: of the first weights, which do not move torch's random state.
    """

    def __init__(self, classes: int, width: int, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            widths = [min(width << level, WIDEST * width) for level in range(LEVELS)]
            self.stem = _convolution(3, width)
            self.down = nn.ModuleList(_Level(before, after) for before, after in itertools.pairwise(widths))
            self.across = nn.ModuleList(nn.Conv2d(after, before, 1) for before, after in itertools.pairwise(widths))
            self.up = nn.ModuleList(_Level(beside, beside) for beside in widths[1:-1])
            self.last = _convolution(width, width)
            self.scores = nn.Conv2d(width, classes, 1)

    def forward(self, pictures: Tensor) -> Tensor:
        x = self.stem(pictures.contiguous(memory_format=torch.channels_last))
        skips = []
        for level in self.down:
            skips.append(x)
            x = level(functional.avg_pool2d(x, 2))
        for across, skip, level in reversed(list(zip(self.across, skips, (self.last, *self.up), strict=True))):
            x = level(skip + functional.interpolate(across(x), scale_factor=2, mode="bilinear", align_corners=False))
        scores: Tensor = self.scores(x)
        return scores.float()


class _Level(nn.Module):
    """Two convolutions, the second beside what it changes."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.first, self.second = _convolution(before, after), _convolution(after, after)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        return x + self.second(x)


def _convolution(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False), nn.GroupNorm(after // GROUP, after), nn.ReLU(inplace=True)
    )
