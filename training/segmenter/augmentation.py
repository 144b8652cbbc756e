"""Augmentation of a few labelled product shots: moved, in other colours, before other backgrounds.

Belongs here: varying a batch of pictures together with their masks. Not here: which pictures a batch holds
(candidate.py).

A background is exchanged by what it differs from its old colour: a pixel at the garment's edge is part garment, part
backdrop, and a shadow is a darker backdrop, so the new one is added there in place of the old one and neither is cut.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from training.segmenter.settings import SegmenterSettings

TURN, GROW, SHIFT = 0.25, (0.75, 1.3), 0.12  # radians; times; share of the side
LIGHT = 0.25  # a picture is lighter or darker by at most
NOISE = 0.03  # largest standard deviation
KINDS = 4  # of backgrounds: plain, gradient, clouds, stripes


def vary(
    pictures: Tensor, masks: Tensor, settings: SegmenterSettings, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Varied copies: (n, 3, s, s) float in [-1, 1] and (n, s, s) int64.

    Args:
        pictures: (n, 3, s, s) float in [-1, 1]. masks: (n, s, s) int64, 0 the background.
        generator: of all that is random, on the CPU: the same for every device.
    """
    n, device = len(pictures), pictures.device
    chance = torch.rand(n, 5, generator=generator).to(device)
    backdrop = backdrop_of(pictures, masks)
    pictures, masks = _moved(pictures - backdrop, masks, settings.mirror, generator)
    pictures = pictures + backdrop
    garment = _soft(masks)
    recoloured = _recoloured(pictures, generator)
    share = garment * (chance[:, 0] < settings.jitter).view(n, 1, 1, 1)
    pictures = pictures + share * (recoloured - pictures)
    fresh = backgrounds(n, pictures.shape[2], generator).to(device)
    replaced = (chance[:, 1] < settings.backgrounds).view(n, 1, 1, 1)
    pictures = torch.where(replaced, pictures + (1 - garment) * (fresh - backdrop), pictures)
    light = 1 + LIGHT * (2 * chance[:, 4] - 1) * (chance[:, 2] < settings.jitter)
    noise = torch.randn(pictures.shape, generator=generator).to(device) * NOISE * chance[:, 3].view(n, 1, 1, 1)
    return ((pictures + 1) * light.view(n, 1, 1, 1) - 1 + noise).clamp(-1, 1), masks


def backdrop_of(pictures: Tensor, masks: Tensor) -> Tensor:
    """(n, 3, 1, 1): the mean colour of each picture's background; white where it shows none."""
    outside = (masks == 0)[:, None].float()
    area = outside.sum(dim=(2, 3), keepdim=True)
    mean = (pictures * outside).sum(dim=(2, 3), keepdim=True) / area.clamp_min(1)
    return torch.where(area > 0, mean, torch.ones_like(mean))


def backgrounds(n: int, side: int, generator: torch.Generator) -> Tensor:
    """(n, 3, side, side) float in [-1, 1]: plain ones, gradients, clouds and stripes of two colours, with grain."""

    def uniform(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    first, second = 2 * uniform(2, n, 3, 1, 1) - 1
    angle, waves = 2 * math.pi * uniform(n, 1, 1), 2 + 10 * uniform(n, 1, 1)
    y, x = torch.meshgrid(*(torch.linspace(-0.5, 0.5, side),) * 2, indexing="ij")
    along = x * torch.cos(angle) + y * torch.sin(angle)
    coarse, fine = (
        functional.interpolate(uniform(n, 1, grid, grid), (side, side), mode="bicubic", align_corners=False)[:, 0]
        for grid in (4, 12)
    )
    fields = torch.stack(
        [
            torch.zeros(n, side, side),
            along + 0.5,
            0.6 * coarse + 0.4 * fine,
            0.5 + 0.5 * torch.sin(2 * math.pi * waves * along).mul(3).tanh(),
        ]
    )
    kind = torch.randint(KINDS, (n,), generator=generator)
    field = fields[kind, torch.arange(n)][:, None].clamp(0, 1)
    grain = torch.randn(n, 1, side, side, generator=generator) * 0.1 * uniform(n, 1, 1, 1)
    return (first + field * (second - first) + grain).clamp(-1, 1)


def _moved(differences: Tensor, masks: Tensor, mirror: bool, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Turned, scaled, shifted and mirrored; what comes in from outside is backdrop, so 0 in both."""
    n, device = len(masks), masks.device
    drawn = torch.rand(n, 5, generator=generator)
    turn = TURN * (2 * drawn[:, 0] - 1)
    grow = GROW[0] * (GROW[1] / GROW[0]) ** drawn[:, 1]
    shift = 2 * SHIFT * (2 * drawn[:, 2:4] - 1)  # the grid is two wide
    flip = torch.where((drawn[:, 4] < 0.5) & mirror, -1.0, 1.0)
    cos, sin = torch.cos(turn) / grow, torch.sin(turn) / grow
    affine = torch.stack([flip * cos, -flip * sin, shift[:, 0], sin, cos, shift[:, 1]], dim=1).view(n, 2, 3)
    grid = functional.affine_grid(affine, list(differences.shape), align_corners=False).to(device)
    pictures = functional.grid_sample(differences, grid, align_corners=False)
    classes = functional.grid_sample(masks[:, None].float(), grid, mode="nearest", align_corners=False)
    return pictures, classes[:, 0].round().long()


def _soft(masks: Tensor) -> Tensor:
    """(n, 1, s, s): how much of a pixel is garment, guessed from its neighbours: whole inside, none outside."""
    garment = (masks > 0)[:, None].float()
    around = functional.avg_pool2d(garment, 3, stride=1, padding=1, count_include_pad=False)
    return (1.5 * around - 0.25).clamp(0, 1)


def _recoloured(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Channels in another order, each with another contrast and level, and now and then as a negative."""
    n, device = len(pictures), pictures.device
    order = torch.rand(n, 3, generator=generator).argsort(dim=1).to(device)
    drawn = torch.rand(n, 7, generator=generator).to(device)
    mixed = pictures.gather(1, order[:, :, None, None].expand_as(pictures))
    gain = (0.6 + 0.8 * drawn[:, :3]) * torch.where(drawn[:, 6:] < 0.2, -1.0, 1.0)
    level = 0.8 * (2 * drawn[:, 3:6] - 1)
    return (mixed * gain[:, :, None, None] + level[:, :, None, None]).clamp(-1, 1)
