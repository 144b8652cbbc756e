"""Gradient penalties of a discriminator: how steep its logits may be at the pictures that it sees.

Belongs here: the penalty and its rule of thumb. Not here: which pictures are penalised, and when (each family's loop).
"""

import torch
from torch import Tensor


def penalty_weight(side: int, batch_size: int) -> float:
    """Weight of R1, and of R2, by rule of thumb: 0.0002 side^2 / batch_size (StyleGAN2-ADA, train.py)."""
    return 0.0002 * side**2 / batch_size


def gradient_penalty(logits: Tensor, pictures: Tensor, gamma: float, every: int) -> Tensor:
    """Mean over pictures of every * gamma / 2 * |d logits / d picture|^2: R1 on real ones, R2 on generated ones.

    Args:
        logits: (n,) or (n, k) of `pictures`, in float32. pictures: (n, 3, s, s), require a gradient.
        gamma: see `penalty_weight`. every: it is taken on one step in so many (lazily), and so weighs as many
            times more.

    Source: Mescheder et al., Which training methods for GANs do actually converge?, ICML 2018; lazily after Karras et
    al., StyleGAN2, CVPR 2020.
    """
    (gradient,) = torch.autograd.grad(logits.sum(), pictures, create_graph=True)
    return every * gamma / 2 * gradient.square().sum(dim=(1, 2, 3)).mean()
