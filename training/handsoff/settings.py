"""Settings of HandsOff's generator: what a person can turn, its default, the check of its range.

Belongs here: `GeneratorSettings`. Not here: what a setting does (the file that its description names), reading them
from YAML (training/settings.py).
"""

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal, get_args

from catalog.errors import SelvedgeError
from training.settings import NOT_NEGATIVE, POSITIVE, SEED, SHARE, THREADS, Device, OneOf, Range, hold_to_ranges

SIDES = (16, 32, 64, 128)
SHAPE = ("size", "latent", "generator_width", "discriminator_width")
"""What the tensors' shapes follow from: a base and what begins from it must share them, but for a smaller `size`."""
# May change between a stop and the next start: how it computes and what it shows. Not what a step does; `images` is
# not among them, because the rate comes down towards the last image.
FREE = ("threads", "device", "checkpoint_every", "report_every", "sample_every", "samples", "replay")
PENALTY_AT_64 = 1.0  # between two that were tried: at 0.5 logits passed 100 within 78,000 images, 2.0 learnt no faster
BETA = Range(0, 0.9999)
PREFIX = "handsoff."


@dataclass(frozen=True)
class GeneratorSettings:
    """One training run.

    Attributes:
        size: side of the pictures, pixels. latent: width of z and of w.
        generator_width, discriminator_width: channels at 64 pixels; half as many at 128, twice as many at each halving
            of the side, four times as many at most.
        mapping_rate: of the mapping network's learning rate, against the rest (generator.py).
        penalty_every: steps between two R1 and R2 penalties, 0 for none. penalty: their weight; None takes the rule
            (size / 64)^2 (losses.py).
        translation, cutout: of the augmentation, as shares of the side (training/augmentation.py).
        rate: of both networks' Adam; final_rate: share of it that is left at the last image, along half a cosine.
        average_half_life: of the averaged weights, in images; average_ramp: never more than this share of images seen.
        images: real pictures to see in all. threads: of torch on a CPU; None leaves them as they are.
        precision: of the convolutions: auto takes bf16 where the hardware multiplies it; bit-exact resume needs fp32.
        replay: on a GPU, record a step once and replay it (replay.py).
        checkpoint_every, report_every, sample_every: optimiser steps; 0 samples only at the end.
        samples: pictures of a sample grid.
    """

    size: Annotated[int, OneOf(SIDES)] = 64
    latent: Annotated[int, POSITIVE] = 128
    generator_width: Annotated[int, Range(0, open=True, multiple=8)] = 48
    discriminator_width: Annotated[int, Range(0, open=True, multiple=8)] = 32
    mapping_rate: Annotated[float, POSITIVE] = 0.01
    penalty_every: Annotated[int, NOT_NEGATIVE] = 8
    penalty: Annotated[float | None, NOT_NEGATIVE] = None
    translation: Annotated[float, SHARE] = 0.125
    cutout: Annotated[float, SHARE] = 0.25
    rate: Annotated[float, POSITIVE] = 2e-3
    final_rate: Annotated[float, SHARE] = 0.2
    beta1: Annotated[float, BETA] = 0.0
    beta2: Annotated[float, BETA] = 0.99
    average_half_life: Annotated[float, POSITIVE] = 20_000.0
    average_ramp: Annotated[float, NOT_NEGATIVE] = 0.05
    images: Annotated[int, POSITIVE] = 20_000
    batch_size: Annotated[int, POSITIVE] = 32
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    device: Annotated[str, Device()] = "auto"
    threads: Annotated[int | None, THREADS] = None
    replay: bool = True
    checkpoint_every: Annotated[int, POSITIVE] = 500
    report_every: Annotated[int, POSITIVE] = 50
    sample_every: Annotated[int, NOT_NEGATIVE] = 500
    samples: Annotated[int, POSITIVE] = 64
    seed: Annotated[int, SEED] = 0

    def __post_init__(self) -> None:
        allowed = get_args(GeneratorSettings.__annotations__["precision"])
        if self.precision not in allowed:
            raise SelvedgeError(f"setting {PREFIX}precision is {self.precision!r}; use one of {list(allowed)}.")
        hold_to_ranges(self, PREFIX)

    @property
    def steps(self) -> int:
        """Optimiser steps until `images` real pictures were seen."""
        return -(-self.images // self.batch_size)

    @property
    def penalty_weight(self) -> float:
        """The weight of R1 and R2."""
        return PENALTY_AT_64 * (self.size / 64) ** 2 if self.penalty is None else self.penalty

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self)

    def fixed(self) -> dict[str, Any]:
        """What a checkpoint must agree with: all that a step depends on."""
        return {name: value for name, value in asdict(self).items() if name not in FREE}


def sides_up_to(size: int) -> tuple[int, ...]:
    """Sides of the levels of both networks, pixels: 4, 8, … `size`."""
    return tuple(4 << level for level in range((size // 4).bit_length()))


def channels_at(side: int, width: int) -> int:
    """Channels of a level of this side, for a network of this width."""
    return min(4 * width, width * 64 // side)
