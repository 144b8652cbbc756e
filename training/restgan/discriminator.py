"""The discriminators: one for each stage, asking whether a picture is real, fits the words, and what it shows.

Belongs here: the layers, and cutting attribute logits into type, colour and gender. Not here: which pairs are asked
(loop.py), what the logits cost (losses.py).

No BatchNorm: a penalty on a picture's own gradient (R1) means nothing where the batch takes part in its logit.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.parametrizations import spectral_norm

from training.restgan.settings import RestganSettings

LAST_SIDE = 4


class Discriminator(nn.Module):
    """Features of pictures of one side, and three kinds of questions about them.

    Args:
        side: of the pictures, pixels.
        classes: how many types, colours and genders there are; None leaves the attribute heads out.

    Attributes:
        attributes: whether it has attribute heads.

    The conditional head is StackGAN's: the text is repeated at every position beside the features, and a 3 x 3
    convolution reads both. Such a convolution is a sum of two: one of the features (`joined`), computed once a picture,
    and one of the text, which is the same at every position and so a linear layer; each further text costs only that.

    Source: Zhang et al., StackGAN-v2, TPAMI 2018 (conditional and unconditional logits); attribute heads as in
    AC-GAN (Odena et al., ICML 2017), which the description of ReStGAN names for type, colour and gender.
    """

    def __init__(self, settings: RestganSettings, side: int, classes: tuple[int, int, int] | None) -> None:
        super().__init__()
        wrap = spectral_norm if settings.spectral_norm else _plain
        levels = (side // LAST_SIDE).bit_length() - 1
        channels = [3, *(settings.discriminator_width * min(4, 1 << level) for level in range(levels))]
        self.levels = nn.ModuleList(
            wrap(nn.Conv2d(before, after, 4, stride=2, padding=1)) for before, after in pairwise(channels)
        )
        deep = channels[-1]
        self.last = wrap(nn.Conv2d(deep, deep, 3, padding=1))
        self.joint = wrap(nn.Conv2d(deep, deep, 3, padding=1))
        self.text = wrap(nn.Linear(settings.state, deep, bias=False))
        self.unconditional_head = wrap(nn.Linear(deep * LAST_SIDE**2, 1))
        self.conditional_head = wrap(nn.Linear(deep * LAST_SIDE**2, 1))
        self.classes = classes
        # Never spectrally normalised: a bounded classifier cannot become sure.
        self.attribute_head = nn.Linear(deep * LAST_SIDE**2, sum(classes)) if classes else None

    def features(self, pictures: Tensor) -> Tensor:
        """(n, channels, 4, 4) of (n, 3, side, side) in [-1, 1]."""
        x = pictures.contiguous(memory_format=torch.channels_last)
        for level in self.levels:
            x = functional.leaky_relu(level(x), 0.2)
        return functional.leaky_relu(self.last(x), 0.2)

    def unconditional(self, features: Tensor) -> Tensor:
        """(n,) float32 logits: above 0 is real."""
        return self.unconditional_head(features.flatten(1)).squeeze(1).float()

    def joined(self, features: Tensor) -> Tensor:
        """(n, channels, 4, 4): the picture's half of the conditional head, for `conditional`."""
        return self.joint(features)

    def conditional(self, joined: Tensor, state: Tensor) -> Tensor:
        """(n,) float32 logits: above 0 is real and fits the text.

        Args:
            joined: of `joined`. state: (n, state) of the text encoder.
        """
        both = functional.leaky_relu(joined + self.text(state)[:, :, None, None], 0.2)
        return self.conditional_head(both.flatten(1)).squeeze(1).float()

    def attributes(self, features: Tensor) -> tuple[Tensor, ...]:
        """Logits of type, colour and gender, (n, values) float32 each.

        Raises:
            ValueError: this discriminator has no attribute heads.
        """
        if self.attribute_head is None or self.classes is None:
            raise ValueError("this discriminator has no attribute heads")
        return self.attribute_head(features.flatten(1)).float().split(self.classes, dim=1)


def _plain(layer: nn.Module) -> nn.Module:
    return layer
