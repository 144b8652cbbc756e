"""Pictures as networks hold them, and as everybody else does.

Belongs here: bytes to floats and back. Not here: what a network makes of them.
"""

import numpy as np
import torch
from torch import Tensor


def to_uint8(pictures: Tensor) -> np.ndarray:
    """(n, s, s, 3) uint8 of (n, 3, s, s) float in [-1, 1]."""
    pixels = pictures.float().add(1).mul(127.5).round().clamp(0, 255)
    return pixels.to(torch.uint8).permute(0, 2, 3, 1).contiguous().cpu().numpy()


def to_float(pictures: Tensor) -> Tensor:
    """(n, 3, s, s) float32 in [-1, 1] of (n, s, s, 3) uint8."""
    return pictures.permute(0, 3, 1, 2).float().div(127.5).sub(1)
