"""The network of the attribute classifier: pictures in, logits of every value of every attribute out.

Belongs here: the layers, how pictures are loaded and varied for it, its probabilities. Not here: the training
loop (attribute_classifier.py).

All attributes share one output layer, cut into slices; a module for each attribute would forbid the name `type`.
"""

import io
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional

from catalog.errors import SelvedgeError
from catalog.stores import stored_bytes
from training.devices import autocast, choose_precision


class _Residual(nn.Module):
    """Two 3 x 3 convolutions beside an averaged, widened copy of the input; halves the side."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.first = nn.Sequential(
            nn.Conv2d(channels, out, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(out), nn.ReLU(inplace=True)
        )
        self.second = nn.Sequential(nn.Conv2d(out, out, 3, padding=1, bias=False), nn.BatchNorm2d(out))
        self.short = nn.Sequential(nn.AvgPool2d(2), nn.Conv2d(channels, out, 1, bias=False), nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.second(self.first(x)) + self.short(x))


class _Separable(nn.Module):
    """A 7 x 7 depthwise convolution and an inverted bottleneck; halves the side on the way in."""

    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(channels, out, 2, stride=2, bias=False), nn.BatchNorm2d(out))
        self.mix = nn.Sequential(
            nn.Conv2d(out, out, 7, padding=3, groups=out, bias=False),
            nn.BatchNorm2d(out),
            nn.Conv2d(out, 3 * out, 1),
            nn.GELU(),
            nn.Conv2d(3 * out, out, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.down(x)
        return x + self.mix(x)


ARCHITECTURES: dict[str, type[_Residual] | type[_Separable]] = {"residual": _Residual, "separable": _Separable}


class AttributeClassifier(nn.Module):
    """Pictures, and the columns given with them, to logits of every value of every attribute.

    Args:
        vocabularies: attribute -> its values; the order of both is the order of the logits.
        given: column -> its values, known beside the picture (a question names the article type, so the ceiling of
            the models that are asked must know it too). Empty: the picture alone.
        size: side of the square pictures it is made for, pixels. width: channels after the stem, doubled three times.
        architecture: a key of ARCHITECTURES.
    """

    def __init__(
        self,
        vocabularies: Mapping[str, Sequence[str]],
        given: Mapping[str, Sequence[str]],
        size: int,
        width: int,
        architecture: str,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        if architecture not in ARCHITECTURES:
            allowed = ", ".join(ARCHITECTURES)
            raise SelvedgeError(
                f"architecture {architecture} of the attribute classifier is not known; take {allowed}."
            )
        self.vocabularies = {name: tuple(values) for name, values in vocabularies.items()}
        self.given = {name: tuple(values) for name, values in given.items()}
        self.size, self.width, self.architecture = size, width, architecture
        block = ARCHITECTURES[architecture]
        self.stem = nn.Sequential(
            nn.Conv2d(3, width, 5, stride=2, padding=2, bias=False), nn.BatchNorm2d(width), nn.ReLU(inplace=True)
        )
        self.blocks = nn.Sequential(*(block(width << i, width << (i + 1)) for i in range(3)))
        hidden, logits = width << 3, sum(map(len, self.vocabularies.values()))
        self.joint = nn.Linear(2 * hidden, hidden)
        # Row 0 of each stands for a value that training did not see.
        self.context = nn.ModuleList(nn.Embedding(len(values) + 1, hidden) for values in self.given.values())
        self.prior = nn.ModuleList(nn.Embedding(len(values) + 1, logits) for values in self.given.values())
        for table in (*self.context, *self.prior):
            nn.init.zeros_(table.weight)
        self.drop = nn.Dropout(dropout)
        self.head = nn.Linear(hidden, logits)

    def embed(self, pictures: Tensor) -> Tensor:
        """(n, 16 * width) float32 features of the picture alone, from (n, 3, s, s) uint8 or float in 0 to 255."""
        x = pictures.float().sub(127.5).div(64.0).contiguous(memory_format=torch.channels_last)
        x = self.blocks(self.stem(x))
        # The maximum keeps what is small and decisive (a button, a pocket) from being averaged away.
        return torch.cat([x.mean(dim=(2, 3)), x.amax(dim=(2, 3))], dim=1).float()

    def forward(self, pictures: Tensor, given: Tensor) -> Tensor:
        """(n, values of all attributes) logits from pictures and (n, given columns) int64 of `given_codes`."""
        joint, prior = self.joint(self.embed(pictures)), 0.0
        for column, (context, table) in enumerate(zip(self.context, self.prior, strict=True)):
            joint, prior = joint + context(given[:, column]), prior + table(given[:, column])
        return self.head(self.drop(functional.relu(joint))) + prior

    def given_codes(self, columns: Mapping[str, Sequence[str | None]], rows: int) -> Tensor:
        """(rows, given columns) int64: 1 + the place of each value, 0 where training did not see it.

        Raises:
            SelvedgeError: a column is missing.
        """
        codes = torch.zeros((rows, len(self.given)), dtype=torch.int64)
        for column, (name, values) in enumerate(self.given.items()):
            if name not in columns:
                raise SelvedgeError(f"the attribute classifier is given {name} with each picture; pass that column.")
            number = {value: index + 1 for index, value in enumerate(values)}
            codes[:, column] = torch.tensor([number.get(value or "", 0) for value in columns[name]])
        return codes

    def per_attribute(self, logits: Tensor) -> dict[str, Tensor]:
        """Attribute -> (n, its values), views of the (n, values of all attributes) logits."""
        parts = torch.split(logits, [len(values) for values in self.vocabularies.values()], dim=1)
        return dict(zip(self.vocabularies, parts, strict=True))


def load_pictures(uris: Sequence[str | Path], size: int, workers: int = 2) -> Tensor:
    """(n, 3, size, size) uint8 of the standardised pictures, both sides squeezed to `size` as BLIP-2 does.

    Raises:
        SelvedgeError: a picture is missing or cannot be decoded.
    """
    pictures = torch.empty((len(uris), 3, size, size), dtype=torch.uint8)

    def read(position: int) -> None:
        try:
            with Image.open(io.BytesIO(stored_bytes(uris[position]))) as image:
                image.draft("RGB", (size, size))
                small = image.convert("RGB").resize((size, size), Image.Resampling.BILINEAR, reducing_gap=2.0)
        except OSError as error:
            raise SelvedgeError(f"picture {uris[position]} cannot be read ({error}); read its drop again.") from error
        pictures[position] = torch.from_numpy(np.array(small)).permute(2, 0, 1)

    with ThreadPoolExecutor(max_workers=workers) as pool:
        list(pool.map(read, range(len(uris))))
    return pictures


def augment(pictures: Tensor, generator: torch.Generator) -> Tensor:
    """Mirrored, moved, turned and re-lit copies: (n, 3, s, s) float in 0 to 255 from uint8.

    Hue is left alone: colour is an attribute.
    """
    n = len(pictures)

    def uniform(low: float, high: float) -> Tensor:
        return (low + (high - low) * torch.rand(n, generator=generator)).to(pictures.device)

    mirror = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    angle, scale = uniform(-0.14, 0.14), uniform(0.88, 1.1)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    affine = torch.stack([cos * mirror, -sin, uniform(-0.1, 0.1), sin * mirror, cos, uniform(-0.1, 0.1)], dim=1)
    grid = functional.affine_grid(affine.view(n, 2, 3), list(pictures.shape), align_corners=False)
    # The border repeats itself, because most catalogue pictures end in an even backdrop.
    moved = functional.grid_sample(pictures.float(), grid, padding_mode="border", align_corners=False)
    gain, shift = uniform(0.9, 1.1).view(n, 1, 1, 1), uniform(-10, 10).view(n, 1, 1, 1)
    return ((moved - 127.5) * gain + 127.5 + shift).clamp(0, 255)


@torch.no_grad()
def probabilities(
    model: AttributeClassifier,
    pictures: Tensor,
    given: Tensor,
    batch_size: int = 256,
    precision: torch.dtype | None = None,
) -> dict[str, Tensor]:
    """Attribute -> (n, its values) float32 probabilities, mean of the picture and its mirror image.

    Args:
        pictures: (n, 3, s, s) uint8. given: (n, given columns) int64 of `given_codes`.
    """
    model.eval()
    device = next(model.parameters()).device
    precision = precision or choose_precision("auto", device)
    parts: dict[str, list[Tensor]] = {name: [] for name in model.vocabularies}
    for batch, codes in zip(pictures.split(batch_size), given.split(batch_size), strict=True):
        with autocast(device, precision):
            views = [model(view.to(device), codes.to(device)).float() for view in (batch, batch.flip(3))]
        for name, chunks in parts.items():
            both = [model.per_attribute(view)[name].softmax(dim=1) for view in views]
            chunks.append(((both[0] + both[1]) / 2).cpu())
    return {name: torch.cat(chunks) for name, chunks in parts.items()}
