"""Layers of both networks: weights of unit variance that are scaled as they are used, and modulated convolutions.

Belongs here: what generator.py and discriminator.py are built of. Not here: their order.

Adam moves every weight by about the rate, however large it is. With weights of unit variance that is the same share of
each, whatever the layer's fan-in (Karras et al., ICLR 2018, section 4.1).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

GAIN = 2**0.5  # of a layer before a leaky ReLU, which halves the variance; in the weights, where it costs nothing


def activate(x: Tensor) -> Tensor:
    """Leaky ReLU; the layer before it has the gain that keeps the variance."""
    return functional.leaky_relu(x, 0.2)


class EqualLinear(nn.Module):
    """A linear layer. rate: its share of the learning rate. bias: every bias before training. gain: of the output."""

    def __init__(self, features: int, out: int, *, rate: float = 1.0, bias: float = 0.0, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out, features) / rate)
        self.bias = nn.Parameter(torch.full((out,), bias / rate))
        self.scale, self.rate = gain * rate / features**0.5, rate

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight * self.scale, self.bias * self.rate)


class EqualConvolution(nn.Module):
    """A convolution that keeps the side. kernel: 1 or 3. gain: of the output, but for its bias."""

    def __init__(self, channels: int, out: int, kernel: int, *, bias: bool = True, gain: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out, channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(out)) if bias else None
        self.scale = gain / (channels * kernel**2) ** 0.5

    def forward(self, x: Tensor) -> Tensor:
        return functional.conv2d(x, self.weight * self.scale, self.bias, padding=self.weight.shape[2] // 2)


class ModulatedConvolution(nn.Module):
    """A convolution whose input channels are scaled by a picture's style, and whose output is scaled back.

    Scaling the weights for every picture (StyleGAN2) takes a convolution of its own for each; scaling what goes in, and
    what comes out, by the same factors is the same sum and one convolution for all.

    Args:
        demodulated: the output has the variance that a leaky ReLU makes 1 of, whatever the style is.

    Source: Karras et al., Analyzing and improving the image quality of StyleGAN, CVPR 2020, section 2.2.
    """

    def __init__(self, channels: int, out: int, kernel: int, latent: int, demodulated: bool = True) -> None:
        super().__init__()
        self.style = EqualLinear(latent, channels, bias=1.0)
        self.convolution = EqualConvolution(channels, out, kernel, bias=False)
        self.bias = nn.Parameter(torch.zeros(out))
        self.demodulated = demodulated

    def forward(self, x: Tensor, w: Tensor) -> Tensor:
        """(n, out, h, w) of (n, channels, h, w), before any activation. w: (n, latent) float32."""
        with torch.autocast(w.device.type, enabled=False):  # a handful of numbers, of which all others are multiples
            style = self.style(w)
            weight = self.convolution.weight * self.convolution.scale
            power = functional.linear(style.square(), weight.square().sum(dim=(2, 3)))
            scale = GAIN * (power + 1e-8).rsqrt()
        y = self.convolution(x * style[:, :, None, None].to(x.dtype))
        bias = self.bias[None, :, None, None].to(y.dtype)
        if not self.demodulated:
            return y + bias
        return torch.addcmul(bias, y, scale[:, :, None, None].to(y.dtype))
