"""The losses: which of a real and a generated picture looks more real, and how steep the discriminator may be.

Belongs here: the two objectives of a step. Not here: gradients and optimisers (loop.py).

Each real picture is held against one generated picture. A generator that draws only what the discriminator cannot tell
gains nothing on the pairs whose real half it never draws, so it drops no part of the data; that, and not sharpness, is
what a few labels need. Its only regularisation is the squared gradient at real pictures (R1) and at generated ones
(R2), taken on one step in so many.

Source: Huang et al., The GAN is dead; long live the GAN! (R3GAN), NeurIPS 2024, equations 2 to 4; lazily after Karras
et al., StyleGAN2, CVPR 2020.
"""

import torch
from torch import Tensor
from torch.nn import functional

from training.gradient_penalty import gradient_penalty
from training.handsoff.discriminator import Discriminator


def discriminator_loss(real: Tensor, generated: Tensor) -> Tensor:
    """Mean log(1 + exp(-(real - generated))) of paired (n,) float32 outputs."""
    return functional.softplus(generated - real).mean()


def generator_loss(real: Tensor, generated: Tensor) -> Tensor:
    """Mean log(1 + exp(-(generated - real))) of paired (n,) float32 outputs; `real` takes no gradient."""
    return functional.softplus(real.detach() - generated).mean()


def penalties(
    discriminator: Discriminator, real: Tensor, generated: Tensor, gamma: float, every: int
) -> tuple[Tensor, Tensor]:
    """R1 and R2, each every * gamma / 2 * mean |gradient|^2, in float32: squares of bf16 gradients are too coarse.

    Args:
        real, generated: (n, 3, s, s) as the discriminator saw them.
    """
    with torch.autocast(real.device.type, enabled=False):
        costs = []
        for pictures in (real, generated):
            shown = pictures.detach().float().requires_grad_()
            costs.append(gradient_penalty(discriminator(shown), shown, gamma, every))
    return costs[0], costs[1]
