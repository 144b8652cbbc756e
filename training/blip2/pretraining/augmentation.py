"""Augmentation on the device: the same garment nearer, turned, lit otherwise, before another ground, less sharp.

Belongs here: geometry and light of uint8 batches, their part maps moved along.
Not here: normalisation constants (training/blip2/preprocessing.py).

Pictures of the world are moved by a few pixels only and never flipped: their sentences speak of left, right and places.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

PART_CELLS = 32


def augment(images: Tensor, parts: Tensor, garment: Tensor) -> tuple[Tensor, Tensor]:
    """Augmented pixels and part map.

    Args:
        images: (n, s, s, 3) uint8. parts: (n, s, s) uint8. garment: (n,) bool.

    Returns:
        (n, 3, s, s) float32 in [0, 1], and (n, 32, 32) int64 part classes at the cells' centres.
    """
    count, size = images.shape[:2]
    device = images.device

    def uniform(low: float, high: float, *shape: int) -> Tensor:
        return torch.rand((count, *shape), device=device) * (high - low) + low

    pixels = images.permute(0, 3, 1, 2).float() / 255
    masks = parts[:, None].float()
    regrounded = garment & (uniform(0, 1) < 0.3)
    pixels = torch.where(regrounded[:, None, None, None], _new_ground(pixels, masks, uniform), pixels)
    theta = _affine(garment, uniform)
    grid = functional.affine_grid(theta, [count, 3, size, size], align_corners=False)
    moved = functional.grid_sample(pixels, grid, mode="bilinear", padding_mode="border", align_corners=False)
    cells = functional.affine_grid(theta, [count, 1, PART_CELLS, PART_CELLS], align_corners=False)
    moved_parts = functional.grid_sample(masks, cells, mode="nearest", padding_mode="border", align_corners=False)
    return _light(moved, uniform), moved_parts[:, 0].long()


def _affine(garment: Tensor, uniform: Callable[..., Tensor]) -> Tensor:
    # A third stays where it is: moving a picture by parts of a pixel blurs the weave that tells one cloth from another.
    reach = torch.where(garment, 1.0, 0.25) * (uniform(0, 1) < 0.67)
    # Above 1 zooms out: a catalogue picture leaves room around, a photograph may not.
    scale = 1 + reach * uniform(-0.12, 0.15)
    stretch = 1 + reach * uniform(-0.06, 0.06)
    angle = reach * uniform(-0.14, 0.14)
    flip = torch.where(garment & (uniform(0, 1) < 0.5), -1.0, 1.0)
    cos, sin = torch.cos(angle), torch.sin(angle)
    shift_x, shift_y = reach * uniform(-0.06, 0.06), reach * uniform(-0.06, 0.06)
    rows = [
        torch.stack([flip * scale * stretch * cos, -scale * sin, shift_x], 1),
        torch.stack([flip * scale * stretch * sin, scale * cos, shift_y], 1),
    ]
    return torch.stack(rows, 1)


def _new_ground(pixels: Tensor, masks: Tensor, uniform: Callable[..., Tensor]) -> Tensor:
    """Another ground behind a garment: a plain tone, a slope of two tones, or a blurred neighbour of the batch."""
    count, _, size, _ = pixels.shape
    inside = functional.avg_pool2d((masks > 0).float(), 3, stride=1, padding=1)
    slope = torch.linspace(0, 1, size, device=pixels.device)[None, None, :, None]
    tones = uniform(0.1, 1, 3, 1, 1) * (1 - slope) + uniform(0.1, 1, 3, 1, 1) * slope
    neighbour = functional.interpolate(
        functional.avg_pool2d(pixels.roll(count // 3, 0), 8), size=(size, size), mode="bilinear"
    )
    ground = torch.where((uniform(0, 1) < 0.5)[:, None, None, None], neighbour, tones)
    return pixels * inside + ground * (1 - inside)


def _light(pixels: Tensor, uniform: Callable[..., Tensor]) -> Tensor:
    """Small changes of exposure, contrast, gamma, tint; blur, grain. Small: the sentences name colours."""
    touched = (uniform(0, 1) < 0.6)[:, None, None, None]
    gain = uniform(0.9, 1.1, 1, 1, 1) * uniform(0.97, 1.03, 3, 1, 1)
    lit = ((pixels.clamp_min(1e-4) ** uniform(0.9, 1.1, 1, 1, 1) - 0.5) * uniform(0.9, 1.1, 1, 1, 1) + 0.5) * gain
    pixels = torch.where(touched, lit, pixels)
    soft = functional.avg_pool2d(functional.pad(pixels, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    # At most half blurred: weave is only a pixel or two wide.
    share = torch.where(
        uniform(0, 1) < 0.25, uniform(0, 0.7), torch.zeros_like(touched[:, 0, 0, 0], dtype=pixels.dtype)
    )
    pixels = torch.lerp(pixels, soft, share[:, None, None, None])
    grain = torch.where(uniform(0, 1) < 0.25, uniform(0, 0.025), torch.zeros_like(share))[:, None, None, None]
    noise = torch.randn(pixels.shape, device=pixels.device)
    return (pixels + grain * noise).clamp(0, 1)
