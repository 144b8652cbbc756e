"""Settings of ReStGAN: what a person can turn, its default, the check of its range, and the ladder of variants.

Belongs here: `RestganSettings`, the variants. Not here: what a setting does (the file that its description names),
reading them from YAML (training/settings.py).
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from catalog.errors import SelvedgeError

VariantName = Literal["stackgan", "stackgan-aux", "restgan-no-table", "restgan-bag", "restgan"]


@dataclass(frozen=True)
class Variant:
    """What sets one rung of the ladder apart from the others; everything else is the same trainer.

    Attributes:
        auxiliary: the discriminators classify type, colour and gender, and the generator is trained to satisfy them.
        colour_table: a colour word enters as the feature of its cluster, not as a word of its own.
        recurrent: an LSTM reads the words; otherwise their mean does.
    """

    auxiliary: bool
    colour_table: bool
    recurrent: bool


VARIANTS: dict[str, Variant] = {
    "stackgan": Variant(auxiliary=False, colour_table=False, recurrent=False),
    "stackgan-aux": Variant(auxiliary=True, colour_table=False, recurrent=False),
    "restgan-no-table": Variant(auxiliary=True, colour_table=False, recurrent=True),
    "restgan-bag": Variant(auxiliary=True, colour_table=True, recurrent=False),
    "restgan": Variant(auxiliary=True, colour_table=True, recurrent=True),
}
# May change between a stop and the next start: where the run ends, how fast, what it shows. Not what a step does.
FREE = ("images", "threads", "device", "checkpoint_every", "report_every", "sample_every", "sample_queries")
SIDES = (16, 32, 64)


@dataclass(frozen=True)
class RestganSettings:
    """One training run.

    Attributes:
        variant: rung of the ladder, a key of VARIANTS.
        size: side of Stage I's pictures, pixels. stages: 2 adds Stage II at double the side (generator.py).
        noise: width of z. embedding: of a word. state: of the text after a word. condition: of the augmented condition.
        generator_width: channels of Stage I's last layer, 4 times as many at the first. discriminator_width: of the
            discriminators' first layer, 4 times as many at the last. refiner_width: of Stage II's last layer.
        adversarial: loss of the logits (losses.py).
        auxiliary_discriminator, auxiliary_generator: weights of the attribute losses on real and on generated pictures.
        divergence: weight of the conditioning augmentation's KL.
        colour_consistency: of Stage II's colours with Stage I's.
        wrong_pairs: `mentioned` takes pictures that differ in an attribute the text names; `shifted` takes the next
            picture of the batch, whatever it shows, as StackGAN did.
        spectral_norm: on every layer of the discriminators. r1_every: steps between two R1 penalties, 0 for none.
        r1_gamma: None takes the rule of `losses.r1_gamma`.
        translation, cutout: of the augmentation, as shares of the side (augment.py).
        shuffled: share of the word sequences put in another order. unknown: share of the words that say nothing about
            an attribute and are replaced by the unknown word (batches.py).
        average_half_life: of the averaged weights, in images; average_ramp: never more than this share of images seen.
        images: real pictures to see in all. threads: of torch on a CPU; None leaves them as they are.
        precision: of the convolutions: auto takes bf16 where the hardware multiplies it; bit-exact resume needs fp32.
        checkpoint_every, report_every, sample_every: optimiser steps; 0 samples only at the end.
        sample_queries: columns of the sample grid.
    """

    variant: VariantName = "restgan"
    size: int = 32
    stages: int = 1
    noise: int = 64
    embedding: int = 64
    state: int = 128
    condition: int = 64
    generator_width: int = 32
    discriminator_width: int = 32
    refiner_width: int = 32
    adversarial: Literal["hinge", "logistic"] = "logistic"
    auxiliary_discriminator: float = 1.0
    auxiliary_generator: float = 1.0
    divergence: float = 0.1
    colour_consistency: float = 1.0
    wrong_pairs: Literal["mentioned", "shifted"] = "mentioned"
    spectral_norm: bool = False
    r1_every: int = 16
    r1_gamma: float | None = None
    translation: float = 0.125
    cutout: float = 0.25
    shuffled: float = 0.5
    unknown: float = 0.1
    generator_rate: float = 5e-4
    discriminator_rate: float = 1e-3
    text_rate: float = 5e-4
    beta1: float = 0.0
    beta2: float = 0.99
    clip_norm: float = 10.0
    average_half_life: float = 10_000.0
    average_ramp: float = 0.05
    images: int = 100_000
    batch_size: int = 32
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    device: str = "auto"
    threads: int | None = None
    checkpoint_every: int = 500
    report_every: int = 50
    sample_every: int = 500
    sample_queries: int = 8
    seed: int = 0

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise SelvedgeError(f"setting restgan.variant is {self.variant!r}; use one of {list(VARIANTS)}.")
        if self.size not in SIDES:
            raise SelvedgeError(f"setting restgan.size is {self.size}; use one of {list(SIDES)}.")
        if self.stages not in (1, 2):
            raise SelvedgeError(f"setting restgan.stages is {self.stages}; use 1 or 2.")
        for name in ("adversarial", "wrong_pairs", "precision"):
            allowed = get_args(RestganSettings.__annotations__[name])
            if getattr(self, name) not in allowed:
                raise SelvedgeError(f"setting restgan.{name} is {getattr(self, name)!r}; use one of {list(allowed)}.")
        for name in _POSITIVE:
            if not getattr(self, name) > 0:
                raise SelvedgeError(f"setting restgan.{name} is {getattr(self, name)}; it must be above 0.")
        for name in _NOT_NEGATIVE:
            value = getattr(self, name)
            if value is not None and not value >= 0:
                raise SelvedgeError(f"setting restgan.{name} is {value}; it must not be below 0.")
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise SelvedgeError(f"setting restgan.{name} is {getattr(self, name)}; it must lie between 0 and 1.")
        for name in ("generator_width", "refiner_width"):
            if getattr(self, name) % 8:
                raise SelvedgeError(f"setting restgan.{name} is {getattr(self, name)}; use a multiple of 8.")

    @property
    def rung(self) -> Variant:
        """What the variant has."""
        return VARIANTS[self.variant]

    @property
    def sides(self) -> tuple[int, ...]:
        """Side of every stage's pictures, pixels."""
        return tuple(self.size << stage for stage in range(self.stages))

    @property
    def steps(self) -> int:
        """Optimiser steps until `images` real pictures were seen."""
        return -(-self.images // self.batch_size)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self)

    def fixed(self) -> dict[str, Any]:
        """What a checkpoint must agree with: all that a step depends on."""
        return {name: value for name, value in asdict(self).items() if name not in FREE}


_POSITIVE = (
    *("noise", "embedding", "state", "condition", "generator_width", "discriminator_width", "refiner_width"),
    *("generator_rate", "discriminator_rate", "text_rate", "clip_norm", "average_half_life", "images", "batch_size"),
    *("checkpoint_every", "report_every", "sample_queries"),
)
_NOT_NEGATIVE = (
    *("auxiliary_discriminator", "auxiliary_generator", "divergence", "colour_consistency", "r1_every", "r1_gamma"),
    *("average_ramp", "sample_every", "seed"),
)
_SHARES = ("translation", "cutout", "shuffled", "unknown", "beta1", "beta2")
