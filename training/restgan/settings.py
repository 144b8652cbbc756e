"""Settings of ReStGAN: what a person can turn, its default, the check of its range, and the ladder of variants.

Belongs here: `RestganSettings`, the variants. Not here: what a setting does (the file that its description names),
reading them from YAML (training/settings.py).
"""

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal, get_args

from catalog.errors import SelvedgeError
from training.settings import NOT_NEGATIVE, POSITIVE, SEED, SHARE, THREADS, Device, OneOf, Range, hold_to_ranges

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
BETA = Range(0, 0.9999)  # 1 would never forget, and torch refuses it


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
        r1_gamma: None takes the rule of `gradient_penalty.penalty_weight`.
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
    size: Annotated[int, OneOf(SIDES)] = 32
    stages: Annotated[int, OneOf((1, 2))] = 1
    noise: Annotated[int, POSITIVE] = 64
    embedding: Annotated[int, POSITIVE] = 64
    state: Annotated[int, POSITIVE] = 128
    condition: Annotated[int, POSITIVE] = 64
    generator_width: Annotated[int, Range(0, open=True, multiple=8)] = 32
    discriminator_width: Annotated[int, POSITIVE] = 32
    refiner_width: Annotated[int, Range(0, open=True, multiple=8)] = 32
    adversarial: Literal["hinge", "logistic"] = "logistic"
    auxiliary_discriminator: Annotated[float, NOT_NEGATIVE] = 1.0
    auxiliary_generator: Annotated[float, NOT_NEGATIVE] = 1.0
    divergence: Annotated[float, NOT_NEGATIVE] = 0.1
    colour_consistency: Annotated[float, NOT_NEGATIVE] = 1.0
    wrong_pairs: Literal["mentioned", "shifted"] = "mentioned"
    spectral_norm: bool = False
    r1_every: Annotated[int, NOT_NEGATIVE] = 16
    r1_gamma: Annotated[float | None, NOT_NEGATIVE] = None
    translation: Annotated[float, SHARE] = 0.125
    cutout: Annotated[float, SHARE] = 0.25
    shuffled: Annotated[float, SHARE] = 0.5
    unknown: Annotated[float, SHARE] = 0.1
    generator_rate: Annotated[float, POSITIVE] = 5e-4
    discriminator_rate: Annotated[float, POSITIVE] = 1e-3
    text_rate: Annotated[float, POSITIVE] = 5e-4
    beta1: Annotated[float, BETA] = 0.0
    beta2: Annotated[float, BETA] = 0.99
    clip_norm: Annotated[float, POSITIVE] = 10.0
    average_half_life: Annotated[float, POSITIVE] = 10_000.0
    average_ramp: Annotated[float, NOT_NEGATIVE] = 0.05
    images: Annotated[int, POSITIVE] = 100_000
    batch_size: Annotated[int, POSITIVE] = 32
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    device: Annotated[str, Device()] = "auto"
    threads: Annotated[int | None, THREADS] = None
    checkpoint_every: Annotated[int, POSITIVE] = 500
    report_every: Annotated[int, POSITIVE] = 50
    sample_every: Annotated[int, NOT_NEGATIVE] = 500
    sample_queries: Annotated[int, POSITIVE] = 8
    seed: Annotated[int, SEED] = 0

    def __post_init__(self) -> None:
        if self.variant not in VARIANTS:
            raise SelvedgeError(f"setting restgan.variant is {self.variant!r}; use one of {list(VARIANTS)}.")
        for name in ("adversarial", "wrong_pairs", "precision"):
            allowed = get_args(RestganSettings.__annotations__[name])
            if getattr(self, name) not in allowed:
                raise SelvedgeError(f"setting restgan.{name} is {getattr(self, name)!r}; use one of {list(allowed)}.")
        hold_to_ranges(self, "restgan.")

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
