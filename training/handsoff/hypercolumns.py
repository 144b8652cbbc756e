"""Hypercolumns: the generator's features of a pixel, of every style block, in one row.

Belongs here: gathering them, and what they take in memory. Not here: which pixels are learnt from
(labeller_training.py), what is made of them (labeller.py).

Every block's features are enlarged bilinearly, and only where a pixel is asked for: four neighbours and their weights
are gathered from each block, so that the whole grid of all channels never exists. At 64 pixels that grid is 20 MB a
picture, at 512 the published one is 3.2 GB in half precision, and 50 pictures of it ask for 160 GB of memory.

Source: Xu et al., HandsOff, CVPR 2023, section 3.2; bilinear, because nearest costs up to six points of mean IoU (table
of DatasetGAN's repository).
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from training.handsoff.frozen import FrozenGenerator


def width_of(frozen: FrozenGenerator) -> int:
    """Numbers of one pixel's row: channels of all style blocks."""
    return sum(frozen.channels)


def bytes_of(frozen: FrozenGenerator, pictures: int, pixels: int) -> int:
    """Memory of the rows that a labeller learns from, float32."""
    return 4 * pictures * pixels * width_of(frozen)


def bytes_of_all(frozen: FrozenGenerator, pictures: int) -> int:
    """What every pixel's row of as many pictures would take, float32: the published way."""
    return bytes_of(frozen, pictures, frozen.size**2)


def hypercolumns(features: Sequence[Tensor], size: int, pixels: Tensor) -> Tensor:
    """Features of chosen pixels.

    Args:
        features: (n, c_i, h_i, h_i) float of every style block. size: side of the common grid, pixels.
        pixels: (n, k) int64 flat indices into that grid.

    Returns:
        (n, k, sum(c_i)) float32, what `interpolate(..., mode="bilinear", align_corners=False)` gives at those pixels.

    Raises:
        ValueError: an index outside the grid.
    """
    if pixels.numel() and not 0 <= int(pixels.min()) <= int(pixels.max()) < size * size:
        raise ValueError(f"a pixel outside the {size} x {size} grid")
    y, x = pixels // size, pixels % size
    # grid_sample with align_corners=False puts pixel centres at (2 i + 1) / size - 1, as interpolate does.
    where = torch.stack([(2 * x + 1) / size - 1, (2 * y + 1) / size - 1], dim=-1)[:, :, None]
    return torch.cat(
        [
            functional.grid_sample(block.float(), where, mode="bilinear", padding_mode="border", align_corners=False)
            .squeeze(3)
            .transpose(1, 2)
            for block in features
        ],
        dim=2,
    )


@torch.no_grad()
def gather(frozen: FrozenGenerator, codes: Tensor, pixels: Sequence[np.ndarray]) -> Tensor:
    """(all pixels, width) float32 rows of chosen pixels of some codes, a picture at a time, in their order.

    Args:
        codes: (n, blocks, latent) or (n, latent). pixels: for every code, flat indices.
    """
    rows = torch.empty((sum(map(len, pixels)), width_of(frozen)))
    done = 0
    for code, wanted in zip(codes, pixels, strict=True):
        if not len(wanted):
            continue
        features = frozen.features(code[None].to(frozen.device))
        there = torch.from_numpy(np.asarray(wanted, np.int64))[None].to(frozen.device)
        rows[done : done + len(wanted)] = hypercolumns(features, frozen.size, there)[0].cpu()
        done += len(wanted)
    return rows
