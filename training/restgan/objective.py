"""The two objectives of a step: what the discriminators learn from, and what the generator learns from.

Belongs here: which pictures are shown to which logits, and the sum of the weighted terms. Not here: each term
(losses.py), gradients and optimisers (loop.py).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from training.augmentation import Augmentation, augment
from training.devices import autocast
from training.gradient_penalty import gradient_penalty, penalty_weight
from training.restgan import losses
from training.restgan.batches import Batch
from training.restgan.dataset import ATTRIBUTES
from training.restgan.discriminator import Discriminator
from training.restgan.generator import Drawn
from training.restgan.settings import RestganSettings

WRONG_SHARE = 0.5  # of a wrong pair and of a drawn one, against a real one: two ways to be false
Parts = dict[str, Tensor]


class Objective:
    """The losses of a batch under a run's settings, in `precision`.

    Args:
        discriminators: one for each stage.
    """

    def __init__(
        self, settings: RestganSettings, discriminators: Sequence[Discriminator], precision: torch.dtype
    ) -> None:
        self.settings, self.discriminators, self.precision = settings, discriminators, precision

    def of_discriminators(
        self,
        batch: Batch,
        drawn: Drawn,
        state: Tensor,
        changes: Augmentation,
        generator: torch.Generator,
        penalised: bool,
    ) -> tuple[Tensor, Parts]:
        """The discriminators' loss, and its parts by name.

        Args:
            drawn: of the batch's prefixes; takes no gradient. state: (n, state) of the prefixes; takes one.
            changes: for real and drawn pictures alike. generator: draws the wrong pairs. penalised: with R1.
        """
        settings, kind, noted = self.settings, self.settings.adversarial, Parts()
        partner, exists = self._wrong(batch, generator)
        where = losses.counted(batch.labels, batch.mentioned)
        total = state.new_zeros(())
        for index, discriminator in enumerate(self.discriminators):
            real, fake = augment(batch.pictures[index], changes), augment(drawn.pictures[index].detach(), changes)
            with autocast(real.device, self.precision):
                features, features_fake = discriminator.features(torch.cat([real, fake])).chunk(2)
                joined = discriminator.joined(features)
                plain, plain_fake = discriminator.unconditional(features), discriminator.unconditional(features_fake)
                fits, fits_wrong = (
                    discriminator.conditional(joined, state),
                    discriminator.conditional(joined[partner], state),
                )
                fits_fake = discriminator.conditional(discriminator.joined(features_fake), state)
                shows = discriminator.attributes(features) if discriminator.classes else None
            adversarial = losses.real_loss(plain, kind).mean() + losses.fake_loss(plain_fake, kind).mean()
            false = losses.fake_loss(fits_fake, kind).mean()
            false = false + losses.mean_where(losses.fake_loss(fits_wrong, kind), exists)
            matching = losses.real_loss(fits, kind).mean() + WRONG_SHARE * false
            total = total + _noted(noted, "discriminator/adversarial", adversarial)
            total = total + _noted(noted, "discriminator/matching", matching)
            if shows is not None:
                cost = losses.attribute_loss(shows, batch.labels, where)
                total = total + settings.auxiliary_discriminator * _noted(noted, "discriminator/attributes", cost)
            if penalised:
                total = total + _noted(noted, "discriminator/r1", self._penalty(discriminator, real, state.detach()))
        return total, noted

    def of_generator(self, batch: Batch, drawn: Drawn, state: Tensor, changes: Augmentation) -> tuple[Tensor, Parts]:
        """The generator's loss, its parts by name, and how many attributes were recognised (`right/…` of `of/…`).

        Args:
            drawn: takes the gradient. state: as the discriminators read it.
        """
        settings, kind, noted = self.settings, self.settings.adversarial, Parts()
        where = losses.counted(batch.labels, batch.mentioned)
        total = state.new_zeros(())
        for index, discriminator in enumerate(self.discriminators):
            pictures = augment(drawn.pictures[index], changes)
            with autocast(pictures.device, self.precision):
                features = discriminator.features(pictures)
                plain, fits = (
                    discriminator.unconditional(features),
                    discriminator.conditional(discriminator.joined(features), state),
                )
                shows = discriminator.attributes(features) if discriminator.classes else None
            cost = losses.generator_loss(plain, kind).mean() + losses.generator_loss(fits, kind).mean()
            total = total + _noted(noted, "generator/adversarial", cost)
            if shows is not None:
                cost = losses.attribute_loss(shows, batch.labels, where)
                total = total + settings.auxiliary_generator * _noted(noted, "generator/attributes", cost)
                noted |= _recognised(shows, batch.labels, where)  # the last stage's stay
        for mean, log_variance in zip(drawn.means, drawn.log_variances, strict=True):
            cost = losses.divergence(mean, log_variance)
            total = total + settings.divergence * _noted(noted, "generator/divergence", cost)
        if len(drawn.pictures) == 2:
            cost = losses.colour_consistency(*drawn.pictures)
            total = total + settings.colour_consistency * _noted(noted, "generator/colour_consistency", cost)
        return total, noted

    def _wrong(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        if self.settings.wrong_pairs == "shifted":
            return losses.shifted_partners(len(batch.labels), batch.labels.device)
        # On the CPU, where the generator is: the same pairs on every device.
        partner, exists = losses.wrong_partners(batch.labels.cpu(), batch.mentioned.cpu(), generator)
        return partner.to(batch.labels.device), exists.to(batch.labels.device)

    def _penalty(self, discriminator: Discriminator, real: Tensor, state: Tensor) -> Tensor:
        """R1 of both logits, in fp32: the squares of bf16 gradients are too coarse."""
        settings = self.settings
        pictures = real.detach().requires_grad_()
        features = discriminator.features(pictures)
        logits = discriminator.unconditional(features) + discriminator.conditional(
            discriminator.joined(features), state
        )
        rule = penalty_weight(real.shape[2], settings.batch_size)
        gamma = rule if settings.r1_gamma is None else settings.r1_gamma
        return gradient_penalty(logits, pictures, gamma, settings.r1_every)


def discriminators_of(settings: RestganSettings, classes: tuple[int, int, int]) -> nn.ModuleList:
    """One for each stage, with attribute heads where the variant has them.

    Args:
        classes: how many types, colours and genders there are.
    """
    heads = classes if settings.rung.auxiliary else None
    return nn.ModuleList(Discriminator(settings, side, heads) for side in settings.sides)


def _recognised(logits: Sequence[Tensor], labels: Tensor, where: Tensor) -> Parts:
    right, of = losses.count_attribute_hits(logits, labels, where)
    named = list(enumerate(ATTRIBUTES))
    return {f"right/{name}": right[a] for a, name in named} | {f"of/{name}": of[a] for a, name in named}


def _noted(noted: Parts, name: str, value: Tensor) -> Tensor:
    """`value`, added to what was noted under its name: stages are summed."""
    noted[name] = noted[name] + value.detach() if name in noted else value.detach()
    return value
