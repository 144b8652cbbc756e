"""Settings of what stands on a frozen generator: inversion, labeller, generation.

Belongs here: `InversionSettings`, `LabellerSettings`, `GenerationSettings`. Not here: the generator's (settings.py),
what a setting does (the file that each class names).
"""

from dataclasses import asdict, dataclass
from typing import Annotated, Any

from training.settings import (
    NOT_NEGATIVE,
    POSITIVE,
    SEED,
    SHARE,
    THREADS,
    Device,
    Range,
    hold_to_ranges,
)

FREE = ("threads", "device", "checkpoint_every", "report_every", "pictures_at_once")
"""May change between a stop and the next start: how it computes, not what."""


@dataclass(frozen=True)
class _Settings:
    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self)

    def fixed(self) -> dict[str, Any]:
        """What a result depends on."""
        return {name: value for name, value in asdict(self).items() if name not in FREE}


@dataclass(frozen=True)
class InversionSettings(_Settings):
    """Pictures to W+ codes (encoder.py, inversion.py).

    Attributes:
        width: channels of the encoder's first convolution. batch_size: pictures of one of its steps.
        encoder_steps: on generated pictures and their known w. refine_steps: after those, with the perceptual distance,
            half of the pictures real where there are some; few, because it is far from convex.
        encoder_rate: of Adam. perceptual: weight of the perceptual distance beside the squared error of the pictures.
        steps: of each picture's own optimisation, from the encoder's code. rate: its highest.
        hold: weight of the squared distance, in standard deviations of w, that a code goes from the encoder's.
        references: generated pictures that are inverted alike, to know how well this generator can be inverted.
        quantile: of their errors. tolerance: how many times that a picture's error may be; beyond, it is refused.
        pictures_at_once: in one optimisation; bounds memory.
    """

    width: Annotated[int, Range(0, open=True, multiple=4)] = 32
    batch_size: Annotated[int, POSITIVE] = 32
    encoder_steps: Annotated[int, POSITIVE] = 1500
    refine_steps: Annotated[int, NOT_NEGATIVE] = 300
    encoder_rate: Annotated[float, POSITIVE] = 1e-3
    perceptual: Annotated[float, NOT_NEGATIVE] = 1.0
    steps: Annotated[int, POSITIVE] = 200
    rate: Annotated[float, POSITIVE] = 0.05
    hold: Annotated[float, NOT_NEGATIVE] = 0.002
    references: Annotated[int, POSITIVE] = 32
    quantile: Annotated[float, SHARE] = 0.95
    tolerance: Annotated[float, POSITIVE] = 1.5
    pictures_at_once: Annotated[int, POSITIVE] = 16
    device: Annotated[str, Device()] = "auto"
    threads: Annotated[int | None, THREADS] = None
    checkpoint_every: Annotated[int, POSITIVE] = 250
    report_every: Annotated[int, POSITIVE] = 50
    seed: Annotated[int, SEED] = 0

    def __post_init__(self) -> None:
        hold_to_ranges(self, "handsoff.")


@dataclass(frozen=True)
class LabellerSettings(_Settings):
    """Generator features to labels (hypercolumns.py, labeller.py, labeller_training.py).

    Attributes:
        members: networks of the ensemble. hidden: widths of their two hidden layers.
        pixels: of a picture that are learnt from, at most, the same number of each class it shows as far as there are;
            with the features' channels they decide the memory (`hypercolumns.bytes_of`).
        spread: standard deviation of a keypoint's heat, as a share of the side.
        epochs: over all chosen pixels. batch_pixels: of a step. rate: of Adam, down to 0 along half a cosine.
    """

    members: Annotated[int, POSITIVE] = 10
    hidden: Annotated[int, POSITIVE] = 128
    pixels: Annotated[int, POSITIVE] = 1024
    spread: Annotated[float, Range(0, 1, open=True)] = 0.04
    epochs: Annotated[int, POSITIVE] = 8
    batch_pixels: Annotated[int, POSITIVE] = 256
    rate: Annotated[float, POSITIVE] = 1e-3
    device: Annotated[str, Device()] = "auto"
    threads: Annotated[int | None, THREADS] = None
    checkpoint_every: Annotated[int, POSITIVE] = 500
    report_every: Annotated[int, POSITIVE] = 50
    seed: Annotated[int, SEED] = 0

    def __post_init__(self) -> None:
        hold_to_ranges(self, "handsoff.")


@dataclass(frozen=True)
class GenerationSettings(_Settings):
    """Pictures with labels from a labeller (generation.py).

    Attributes:
        pictures: to sample. drop: share of them that is left out, the most uncertain ones.
        most_uncertain: pictures above this uncertainty are left out too; null for no such bound.
        shard: pictures that are written between two records of how far it is.
    """

    pictures: Annotated[int, POSITIVE] = 5000
    drop: Annotated[float, SHARE] = 0.1
    most_uncertain: Annotated[float | None, NOT_NEGATIVE] = None
    shard: Annotated[int, POSITIVE] = 128
    device: Annotated[str, Device()] = "auto"
    threads: Annotated[int | None, THREADS] = None
    seed: Annotated[int, SEED] = 0

    def __post_init__(self) -> None:
        hold_to_ranges(self, "handsoff.")
