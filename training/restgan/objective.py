"""The two objectives of a step: what the discriminators learn from, and what the generator learns from.

Belongs here: which pictures are shown to which logits, and the sum of the weighted terms. Not here: each term
(losses.py), gradients and optimisers (loop.py).
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from training.restgan import losses
from training.restgan.augment import Augmentation, augment
from training.restgan.batches import Batch
from training.restgan.dataset import ATTRIBUTES
from training.restgan.discriminator import Discriminator
from training.restgan.generator import Drawn
from training.restgan.settings import RestganSettings

WRONG_SHARE = 0.5  # of a wrong pair and of a drawn one, against a real one: two ways to be false
Told = dict[str, Tensor]


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
    ) -> tuple[Tensor, Told]:
        """The discriminators' loss, and its parts by name.

        Args:
            drawn: of the batch's prefixes; takes no gradient. state: (n, state) of the prefixes; takes one.
            changes: for real and drawn pictures alike. generator: draws the wrong pairs. penalised: with R1.
        """
        settings, kind, told = self.settings, self.settings.adversarial, Told()
        partner, exists = self._wrong(batch, generator)
        where = losses.counted(batch.labels, batch.mentioned)
        total = state.new_zeros(())
        for index, judge in enumerate(self.discriminators):
            real, fake = augment(batch.pictures[index], changes), augment(drawn.pictures[index].detach(), changes)
            with self.autocast(real.device):
                features, features_fake = judge.features(torch.cat([real, fake])).chunk(2)
                joined = judge.joined(features)
                plain, plain_fake = judge.unconditional(features), judge.unconditional(features_fake)
                fits, fits_wrong = judge.conditional(joined, state), judge.conditional(joined[partner], state)
                fits_fake = judge.conditional(judge.joined(features_fake), state)
                shows = judge.attributes(features) if judge.classes else None
            adversarial = losses.real_loss(plain, kind).mean() + losses.fake_loss(plain_fake, kind).mean()
            false = losses.fake_loss(fits_fake, kind).mean()
            false = false + losses.mean_where(losses.fake_loss(fits_wrong, kind), exists)
            matching = losses.real_loss(fits, kind).mean() + WRONG_SHARE * false
            total = total + _noted(told, "discriminator/adversarial", adversarial)
            total = total + _noted(told, "discriminator/matching", matching)
            if shows is not None:
                cost = losses.attribute_loss(shows, batch.labels, where)
                total = total + settings.auxiliary_discriminator * _noted(told, "discriminator/attributes", cost)
            if penalised:
                total = total + _noted(told, "discriminator/r1", self._penalty(judge, real, state.detach()))
        return total, told

    def of_generator(self, batch: Batch, drawn: Drawn, state: Tensor, changes: Augmentation) -> tuple[Tensor, Told]:
        """The generator's loss, its parts by name, and how many attributes were recognised (`right/…` of `of/…`).

        Args:
            drawn: takes the gradient. state: as the discriminators read it.
        """
        settings, kind, told = self.settings, self.settings.adversarial, Told()
        where = losses.counted(batch.labels, batch.mentioned)
        total = state.new_zeros(())
        for index, judge in enumerate(self.discriminators):
            pictures = augment(drawn.pictures[index], changes)
            with self.autocast(pictures.device):
                features = judge.features(pictures)
                plain, fits = judge.unconditional(features), judge.conditional(judge.joined(features), state)
                shows = judge.attributes(features) if judge.classes else None
            cost = losses.generator_loss(plain, kind).mean() + losses.generator_loss(fits, kind).mean()
            total = total + _noted(told, "generator/adversarial", cost)
            if shows is not None:
                cost = losses.attribute_loss(shows, batch.labels, where)
                total = total + settings.auxiliary_generator * _noted(told, "generator/attributes", cost)
                told |= _recognised(shows, batch.labels, where)  # the last stage's stay
        for mean, log_variance in zip(drawn.means, drawn.log_variances, strict=True):
            cost = losses.divergence(mean, log_variance)
            total = total + settings.divergence * _noted(told, "generator/divergence", cost)
        if len(drawn.pictures) == 2:
            cost = losses.colour_consistency(*drawn.pictures)
            total = total + settings.colour_consistency * _noted(told, "generator/colour_consistency", cost)
        return total, told

    def autocast(self, device: torch.device) -> torch.autocast:
        """The context in which convolutions run in the run's precision."""
        return torch.autocast(device.type, self.precision, enabled=self.precision != torch.float32)

    def _wrong(self, batch: Batch, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        if self.settings.wrong_pairs == "shifted":
            return losses.shifted_partners(len(batch.labels), batch.labels.device)
        # On the CPU, where the generator is: the same pairs on every device.
        partner, exists = losses.wrong_partners(batch.labels.cpu(), batch.mentioned.cpu(), generator)
        return partner.to(batch.labels.device), exists.to(batch.labels.device)

    def _penalty(self, judge: Discriminator, real: Tensor, state: Tensor) -> Tensor:
        """R1 of both logits, in fp32: the squares of bf16 gradients are too coarse."""
        settings = self.settings
        pictures = real.detach().requires_grad_()
        features = judge.features(pictures)
        logits = judge.unconditional(features) + judge.conditional(judge.joined(features), state)
        rule = losses.r1_gamma(real.shape[2], settings.batch_size)
        gamma = rule if settings.r1_gamma is None else settings.r1_gamma
        return losses.r1_penalty(logits, pictures, gamma, settings.r1_every)


def discriminators_of(settings: RestganSettings, classes: tuple[int, int, int]) -> nn.ModuleList:
    """One for each stage, with attribute heads where the variant has them.

    Args:
        classes: how many types, colours and genders there are.
    """
    known = classes if settings.rung.auxiliary else None
    return nn.ModuleList(Discriminator(settings, side, known) for side in settings.sides)


def _recognised(logits: Sequence[Tensor], labels: Tensor, where: Tensor) -> Told:
    right, of = losses.attribute_hits(logits, labels, where)
    named = list(enumerate(ATTRIBUTES))
    return {f"right/{name}": right[a] for a, name in named} | {f"of/{name}": of[a] for a, name in named}


def _noted(told: Told, name: str, value: Tensor) -> Tensor:
    """`value`, added to what was noted under its name: stages are summed."""
    told[name] = told[name] + value.detach() if name in told else value.detach()
    return value
