"""The generator: a latent to a style, styles to the features of every block, and their sum to a picture.

Belongs here: the mapping, the synthesis. Not here: losses (losses.py), the frozen generator and its file (frozen.py).

A compact StyleGAN2: z -> w by two layers; w steers every convolution; each level adds its colours to the enlarged ones
of the level below. No noise inputs: a picture and its features are a function of w alone, so that what is inverted is
what is labelled. Truncation is 1 everywhere: what is sampled is what was trained.

Source: Karras et al., CVPR 2020 (config-E skip generator); two mapping layers as in StyleGAN2-ADA for small data.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.handsoff.layers import GAIN, EqualLinear, ModulatedConvolution, activate
from training.handsoff.settings import GeneratorSettings, channels_at, sides_up_to

WHITE = 1.0  # of the background, in [-1, 1]


class Mapping(nn.Module):
    """(n, latent) z of any length to (n, latent) w."""

    def __init__(self, latent: int, rate: float) -> None:
        super().__init__()
        self.layers = nn.ModuleList(EqualLinear(latent, latent, rate=rate, gain=GAIN) for _ in range(2))

    def forward(self, z: Tensor) -> Tensor:
        x = z * (z.square().mean(dim=1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.layers:
            x = activate(layer(x))
        return x


class _Level(nn.Module):
    """Style blocks of one side, and its colours. first: the only block of the least side, which is not enlarged."""

    def __init__(self, channels: int, out: int, latent: int, first: bool) -> None:
        super().__init__()
        widths = [(channels, out)] if first else [(channels, out), (out, out)]
        self.blocks = nn.ModuleList(ModulatedConvolution(before, after, 3, latent) for before, after in widths)
        self.colours = ModulatedConvolution(out, 3, 1, latent, demodulated=False)
        if not first:
            nn.init.zeros_(self.colours.convolution.weight)  # a level begins as its enlarged predecessor


class Synthesis(nn.Module):
    """Styles to pictures, and the features that every style block makes on the way.

    Attributes:
        blocks: how many style blocks there are, which is how many w a W+ code has.
        channels: of each block's features, coarse to fine.
    """

    def __init__(self, size: int, width: int, latent: int) -> None:
        super().__init__()
        sides = sides_up_to(size)
        channels = [channels_at(side, width) for side in sides]
        self.constant = nn.Parameter(torch.randn(1, channels[0], sides[0], sides[0]))
        before = [channels[0], *channels[:-1]]
        # By side: a generator of half the size has the same names for the same levels.
        self.levels = nn.ModuleDict(
            {
                str(side): _Level(first, out, latent, side == sides[0])
                for side, first, out in zip(sides, before, channels, strict=True)
            }
        )
        with torch.no_grad():
            self.levels[str(sides[0])].colours.bias.fill_(WHITE)  # type: ignore[union-attr,operator]
        self.channels = tuple(
            out
            for level, out in zip(self.levels.values(), channels, strict=True)
            for _ in level.blocks  # type: ignore[union-attr]
        )
        self.blocks = len(self.channels)

    def forward(self, w: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Pictures (n, 3, size, size) float32, about [-1, 1], and (n, c_i, h_i, h_i) features of every block.

        Args:
            w: (n, latent), one style for all blocks, or W+, (n, blocks, latent).

        Raises:
            ValueError: another number of blocks.
        """
        if w.dim() == 3 and w.shape[1] != self.blocks:
            raise ValueError(f"a W+ code of this generator has {self.blocks} styles, and this one {w.shape[1]}")
        styles = list(w.unbind(1)) if w.dim() == 3 else [w] * self.blocks
        x = self.constant.expand(len(w), -1, -1, -1).contiguous(memory_format=torch.channels_last)
        picture, features, block = None, list[Tensor](), 0
        for level in self.levels.values():
            if picture is not None:
                x, picture = _double(x), _double(picture)
            for convolution in level.blocks:  # type: ignore[union-attr]
                x = activate(convolution(x, styles[block]))
                features.append(x)
                block += 1
            colours = level.colours(x, styles[block - 1]).float()  # type: ignore[operator]
            picture = colours if picture is None else picture + colours
        assert picture is not None
        return picture, features


class Generator(nn.Module):
    """Mapping and synthesis; either may be called by itself."""

    def __init__(self, settings: GeneratorSettings) -> None:
        super().__init__()
        self.mapping = Mapping(settings.latent, settings.mapping_rate)
        self.synthesis = Synthesis(settings.size, settings.generator_width, settings.latent)

    def forward(self, z: Tensor) -> Tensor:
        """(n, 3, size, size) float32 pictures of (n, latent) z."""
        with torch.autocast(z.device.type, enabled=False):
            w = self.mapping(z.float())
        picture: Tensor = self.synthesis(w)[0]
        return picture


def draw_latents(n: int, latent: int, generator: torch.Generator) -> Tensor:
    """(n, latent) float32 z; the first k rows are those of a draw of k."""
    # A row at a time: for a whole block torch takes another order of its random numbers, and row 0 would depend on n.
    return torch.stack([torch.randn(latent, generator=generator) for _ in range(n)])


def _double(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
