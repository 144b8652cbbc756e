"""Settings of the BLIP-2 jobs, as frozen dataclasses.

Belongs here: what a person can turn, its default, and the check of its range. Not here: the sizes themselves
(profiles.py), reading them from YAML (training/settings.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, ClassVar, Literal

from training.settings import (
    INNER_SHARE,
    NOT_NEGATIVE,
    POSITIVE,
    SEED,
    SHARE,
    THREADS,
    Range,
    hold_to_ranges,
)

Layer = Literal["q", "k", "v", "o", "wi", "wi_0", "wi_1", "wo"]  # the linear layers that a T5 may have


@dataclass(frozen=True)
class LoraSettings:
    """How an adapter is trained.

    Attributes:
        targets: layers of the language model that get an adapter; None takes the profile's: all linear ones of `tiny`,
            `q` and `v` of `flan-t5-xl`.
        steps: optimiser steps at most; the learning rate falls along a half cosine over exactly these.
        batch_size: questions per step.
        views: features of this many views per picture are used: the plain one and augmented ones.
        balance: 0 draws questions as they come; 1 draws every value of an attribute equally often; between, in between.
        precision: of the language model's matrix products; `auto` takes bf16 where the hardware multiplies it, and
            fp32 where bf16 would be computed in software, many times slower. Runs resume bit for bit in `fp32`.
        checkpoint_every, validate_every: in steps.
        validation_questions: at most so many, whole groups, the same ones every time.
        patience: stop after so many validations without a better one; 0 never stops early.
        threads: of torch on a CPU; None leaves them as they are.
    """

    rank: Annotated[int, POSITIVE] = 8
    alpha: Annotated[int, POSITIVE] = 32
    dropout: Annotated[float, Range(0, 0.99)] = 0.05
    targets: tuple[Layer, ...] | None = None
    learning_rate: Annotated[float, POSITIVE] = 2e-3
    weight_decay: Annotated[float, NOT_NEGATIVE] = 0.0
    warmup_steps: Annotated[int, NOT_NEGATIVE] = 50
    steps: Annotated[int, POSITIVE] = 900
    batch_size: Annotated[int, POSITIVE] = 64
    clip_norm: Annotated[float, POSITIVE] = 1.0
    views: Annotated[int, Range(1, 64)] = 2
    balance: Annotated[float, SHARE] = 0.0
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    checkpoint_every: Annotated[int, POSITIVE] = 250
    validate_every: Annotated[int, POSITIVE] = 200
    validation_questions: Annotated[int, POSITIVE] = 400
    patience: Annotated[int, NOT_NEGATIVE] = 5
    monitor: Literal["accuracy", "loss"] = "accuracy"
    threads: Annotated[int | None, THREADS] = None
    seed: Annotated[int, SEED] = 0

    def __post_init__(self) -> None:
        hold_to_ranges(self, "lora.")


@dataclass(frozen=True)
class ContinuationSettings:
    """How a base is continued on the photographs of a catalogue and all its questions, before LoRA.

    Attributes:
        batch_size: pictures a step.
        questions: of a picture in one step, drawn anew for each; a step costs as much for two of them as for a picture.
        image_rate, language_rate: peak learning rates of vision encoder with Q-Former, and of projection with
            language model.
        pictures: at most so many are held in memory (77 KB each at `tiny`).
    """

    steps: Annotated[int, POSITIVE] = 300
    batch_size: Annotated[int, POSITIVE] = 32
    questions: Annotated[int, POSITIVE] = 3
    image_rate: Annotated[float, POSITIVE] = 3e-4
    language_rate: Annotated[float, POSITIVE] = 2e-4
    weight_decay: Annotated[float, NOT_NEGATIVE] = 0.02
    warmup_steps: Annotated[int, NOT_NEGATIVE] = 40
    clip_norm: Annotated[float, POSITIVE] = 1.0
    pictures: Annotated[int, POSITIVE] = 20_000
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    checkpoint_every: Annotated[int, POSITIVE] = 200
    threads: Annotated[int | None, THREADS] = None
    seed: Annotated[int, SEED] = 0

    def __post_init__(self) -> None:
        hold_to_ranges(self, "continuation.")


@dataclass(frozen=True)
class Blip2CandidateSettings:
    """One candidate from features to artefact.

    Attributes:
        base: a profile name, or a folder that holds a base.
        continue_base: continue the base on the catalogue first, on its questions and the coarse columns; None does so
            when it has no attributes but its columns (question set `columns`), which is how real photographs arrive.
        decoding: `trie` or `scored`; `auto` takes the better on validation.
        risk: share of answers given (not abstained) that may be wrong: an upper confidence bound on validation. Labels
            that are wrong themselves count, 7 % of the drawn ones.
        merge_tolerance: largest difference of an answer's log-probability that merging the adapter may cause (fp32).
    """

    RENAMED: ClassVar[Mapping[str, str]] = {"continue_on_coarse": "continue_base"}

    base: str = "tiny"
    question_set: str | None = None
    continue_base: bool | None = None
    feature_precision: Literal["fp32", "bf16"] = "fp32"
    decoding: Literal["auto", "trie", "scored"] = "auto"
    risk: Annotated[float, INNER_SHARE] = 0.15
    merge_tolerance: Annotated[float, POSITIVE] = 1e-3
    lora: LoraSettings = field(default_factory=LoraSettings)
    continuation: ContinuationSettings = field(default_factory=ContinuationSettings)

    def __post_init__(self) -> None:
        hold_to_ranges(self)
