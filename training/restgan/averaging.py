"""Averaged weights: the networks that draw are a running mean of those that are trained.

Belongs here: the mean and its half-life. Not here: which networks (loop.py).

Source: Karras et al., StyleGAN2-ADA, NeurIPS 2020, training loop: half-life in images, ramp at the start.
"""

import copy
from typing import Generic, TypeVar

import torch
from torch import nn

Net = TypeVar("Net", bound=nn.Module)


class Average(Generic[Net]):
    """A copy of a module that follows it slowly, buffers included.

    StackGAN-v2 averaged parameters only and drew with the running statistics of the last step; here floating-point
    buffers follow like parameters, and others (counters) are copied.
    """

    def __init__(self, module: Net) -> None:
        self.module: Net = copy.deepcopy(module).eval().requires_grad_(False)

    @torch.no_grad()
    def follow(self, module: Net, decay: float) -> None:
        """mean = decay * mean + (1 - decay) * now, in place."""
        now = module.state_dict()
        for name, mean in self.module.state_dict().items():
            if mean.is_floating_point():
                mean.lerp_(now[name].to(mean.dtype), 1 - decay)
            else:
                mean.copy_(now[name])


def decay_at(seen: float, batch_size: int, half_life: float, ramp: float) -> float:
    """The factor of one step: half of what was known is forgotten after `half_life` images.

    Args:
        seen: images so far. ramp: the half-life is never more than this share of them, so that the first, random
            weights are soon forgotten; 0 for none.
    """
    life = min(half_life, seen * ramp) if ramp else half_life
    return float(0.5 ** (batch_size / max(life, 1e-8)))
