"""The losses: real or generated, right or wrong text, which attributes, how much noise, the same colours in two stages.

Belongs here: what each term costs, and which pairs of picture and text are surely wrong. Not here: their weights
(settings.py), the order of the steps (loop.py).

All on logits: a sigmoid before the cross-entropy loses the gradient exactly where the discriminator is sure.
"""

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

Adversarial = Literal["hinge", "logistic"]


def real_loss(logits: Tensor, kind: Adversarial) -> Tensor:
    """(n,) cost of a discriminator that should have said real: max(0, 1 - d), or log(1 + exp(-d))."""
    return functional.relu(1 - logits) if kind == "hinge" else functional.softplus(-logits)


def fake_loss(logits: Tensor, kind: Adversarial) -> Tensor:
    """(n,) cost of a discriminator that should have said generated or wrong: max(0, 1 + d), or log(1 + exp(d))."""
    return functional.relu(1 + logits) if kind == "hinge" else functional.softplus(logits)


def generator_loss(logits: Tensor, kind: Adversarial) -> Tensor:
    """(n,) cost of a generator whose picture got these logits: -d, or log(1 + exp(-d)) (non-saturating)."""
    return -logits if kind == "hinge" else functional.softplus(-logits)


def mean_where(values: Tensor, where: Tensor) -> Tensor:
    """Mean of the (n,) values whose (n,) bool is true; 0, with a gradient of 0, where none is."""
    return (values * where).sum() / where.sum().clamp(min=1)


def counted(labels: Tensor, mentioned: Tensor) -> Tensor:
    """(n, 3) bool: the attributes that count for a prefix, those that it mentions and that are known.

    Args:
        labels: (n, 3) int64, -1 where unknown. mentioned: (n, 3) bool.
    """
    return mentioned & (labels >= 0)


def attribute_loss(logits: Sequence[Tensor], labels: Tensor, where: Tensor) -> Tensor:
    """Mean cross-entropy over the attributes that count; 0 where none does.

    Args:
        logits: (n, values) of each attribute. labels: (n, attributes) int64. where: (n, attributes) bool of `counted`.
            Whatever does not count gets no gradient: a picture for "women's" may show any colour.
    """
    costs = [
        functional.cross_entropy(logits[a], labels[:, a].clamp(min=0), reduction="none") for a in range(len(logits))
    ]
    return mean_where(torch.stack(costs, dim=1), where)


def count_attribute_hits(logits: Sequence[Tensor], labels: Tensor, where: Tensor) -> tuple[Tensor, Tensor]:
    """(attributes,) float32 each: how many of the attributes that count are right, and how many count."""
    right = torch.stack([logits[a].argmax(dim=1) == labels[:, a] for a in range(len(logits))], dim=1)
    return (right & where).sum(dim=0).float(), where.sum(dim=0).float()


def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL of the condition's Gaussian from the standard normal, mean over examples and dimensions.

    -0.5 mean(1 + log_variance - mean^2 - exp(log_variance)), as in StackGAN's code (a mean, not a sum).
    """
    return -0.5 * (1 + log_variance - mean.square() - log_variance.exp()).mean()


def wrong_partners(labels: Tensor, mentioned: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """For every text of a batch a picture that it surely does not describe.

    A random other picture is often right for "black pants": products share attributes. So a picture is taken that
    differs in an attribute which the text mentions and which is known of both.

    Args:
        labels: (n, 3) int64 of the pictures, -1 where unknown; a text's own picture has the labels that it says.
        mentioned: (n, 3) bool, by the prefix in use.

    Returns:
        partner: (n,) int64, a picture for each text, drawn evenly among those that differ.
        exists: (n,) bool; where it is false no picture of the batch differs, and the pair must be left out.
    """
    labelled = labels >= 0
    differs = (labels[:, None] != labels[None]) & labelled[:, None] & labelled[None] & mentioned[:, None]
    possible = differs.any(dim=2)
    keys = torch.rand(possible.shape, generator=generator, device=generator.device).to(labels.device)
    return torch.where(possible, keys, -1.0).argmax(dim=1), possible.any(dim=1)


def shifted_partners(n: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """The next picture of the batch for every text, whatever it shows: StackGAN's wrong pairs. As `wrong_partners`."""
    partner = torch.arange(n, device=device).roll(-1)
    return partner, torch.full((n,), n > 1, device=device)


def colour_consistency(small: Tensor, large: Tensor) -> Tensor:
    """How far Stage II's colours are from Stage I's: squared difference of channel means, and 5 times of covariances.

    Args:
        small: (n, 3, s, s) in [-1, 1], takes no gradient: Stage II follows. large: (n, 3, 2 s, 2 s).

    Source: Zhang et al., StackGAN-v2, TPAMI 2018, section 3.3, and its code for the factor.
    """
    (mean, covariance), (wanted_mean, wanted_covariance) = _colour_moments(large), _colour_moments(small.detach())
    return functional.mse_loss(mean, wanted_mean) + 5 * functional.mse_loss(covariance, wanted_covariance)


def _colour_moments(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """(n, 3) channel means and (n, 3, 3) covariances of (n, 3, s, s)."""
    pixels = pictures.float().flatten(2)
    mean = pixels.mean(dim=2)
    centred = pixels - mean[:, :, None]
    return mean, centred @ centred.transpose(1, 2) / pixels.shape[2]
