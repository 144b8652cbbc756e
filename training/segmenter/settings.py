"""Settings of the garment segmenter: what a person can turn, its default, the check of its range.

Belongs here: `SegmenterSettings`. Not here: what a setting does (the file that its description names), reading them
from YAML (training/settings.py).
"""

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal, get_args

from catalog.errors import SelvedgeError
from training.settings import INNER_SHARE, POSITIVE, SEED, SHARE, THREADS, Device, OneOf, Range, hold_to_ranges

SIDES = (16, 32, 64, 128)
FREE = ("threads", "device", "checkpoint_every")
"""May change between a stop and the next start: how it computes, not what. `report_every` is kept in the history."""
PREFIX = "segmenter."


@dataclass(frozen=True)
class SegmenterSettings:
    """One training.

    Attributes:
        data: the pictures that it learns from: those that people labelled, those that HandsOff generated, or both.
        generated_until: with both, share of the steps after which people's pictures are learnt from alone: what a
            generator draws and a labeller guesses is a beginning, and wrong in detail. labelled_share: of a batch
            before that.
        size: side of the pictures that the network sees, pixels. width: channels of its first layer (network.py).
        steps: in all. batch_size: pictures of one. learning_rate: of Muon (training/muon.py), its peak.
        mirror: whether pictures are mirrored; false where classes tell left from right.
        backgrounds: share of the pictures whose background is replaced by another (augmentation.py).
        jitter: share of the pictures whose garment changes its colours.
        validation: share of the labelled pictures that are looked at only, for the history. None by default: of fifty
            pictures there is none to spare. With generated pictures alone all labelled ones are looked at.
        precision: of the convolutions: auto takes bf16 where the hardware multiplies it.
        threads: of torch on a CPU; None leaves them as they are. checkpoint_every, report_every: steps.
    """

    data: Literal["labelled", "generated", "both"] = "labelled"
    generated_until: Annotated[float, SHARE] = 0.5
    labelled_share: Annotated[float, INNER_SHARE] = 0.25
    size: Annotated[int, OneOf(SIDES)] = 64
    width: Annotated[int, Range(0, open=True, multiple=8)] = 16
    steps: Annotated[int, POSITIVE] = 1500
    batch_size: Annotated[int, Range(2)] = 8
    learning_rate: Annotated[float, POSITIVE] = 0.02
    mirror: bool = True
    backgrounds: Annotated[float, SHARE] = 0.5
    jitter: Annotated[float, SHARE] = 0.5
    validation: Annotated[float, Range(0, 0.5)] = 0.0
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    device: Annotated[str, Device()] = "auto"
    threads: Annotated[int | None, THREADS] = None
    checkpoint_every: Annotated[int, POSITIVE] = 100
    report_every: Annotated[int, POSITIVE] = 50
    seed: Annotated[int, SEED] = 0

    def __post_init__(self) -> None:
        for name in ("data", "precision"):
            allowed = get_args(SegmenterSettings.__annotations__[name])
            if getattr(self, name) not in allowed:
                raise SelvedgeError(f"setting {PREFIX}{name} is {getattr(self, name)!r}; use one of {list(allowed)}.")
        hold_to_ranges(self, PREFIX)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return asdict(self)

    def fixed(self) -> dict[str, Any]:
        """What the segmenter depends on."""
        return {name: value for name, value in asdict(self).items() if name not in FREE}
