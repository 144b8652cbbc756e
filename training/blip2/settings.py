"""Settings of the BLIP-2 jobs, as frozen dataclasses.

Belongs here: what a person can turn, its default, and the check of its range. Not here: the sizes themselves
(profiles.py), reading them from YAML (training/settings.py).
"""

from dataclasses import dataclass, field
from typing import Literal

from catalog.errors import SelvedgeError


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
        precision: of the language model's matrix products; runs resume bit for bit in `fp32`.
        checkpoint_every, validate_every: in steps.
        validation_questions: at most so many, whole groups, the same ones every time.
        patience: stop after so many validations without a better one; 0 never stops early.
        threads: of torch on a CPU; None leaves them as they are.
    """

    rank: int = 8
    alpha: int = 32
    dropout: float = 0.05
    targets: tuple[str, ...] | None = None
    learning_rate: float = 2e-3
    weight_decay: float = 0.0
    warmup_steps: int = 50
    steps: int = 900
    batch_size: int = 64
    clip_norm: float = 1.0
    views: int = 2
    balance: float = 0.0
    precision: Literal["fp32", "bf16"] = "bf16"
    checkpoint_every: int = 250
    validate_every: int = 200
    validation_questions: int = 400
    patience: int = 5
    monitor: Literal["accuracy", "loss"] = "accuracy"
    threads: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        positive = ("rank", "alpha", "steps", "batch_size", "views", "checkpoint_every", "validate_every", "clip_norm")
        for name in (*positive, "learning_rate", "validation_questions"):
            if getattr(self, name) <= 0:
                raise SelvedgeError(f"setting lora.{name} is {getattr(self, name)}; it must be above 0.")
        if not 0 <= self.dropout < 1 or not 0 <= self.balance <= 1:
            raise SelvedgeError("settings lora.dropout and lora.balance lie between 0 and 1; correct them.")


@dataclass(frozen=True)
class ContinuationSettings:
    """How a base is continued on the coarse columns of photographs, before LoRA.

    Attributes:
        batch_size: pictures a step; each comes with all its questions.
        image_rate, language_rate: peak learning rates of vision encoder with Q-Former, and of projection with
            language model.
        pictures: at most so many are held in memory (77 KB each at `tiny`).
    """

    steps: int = 300
    batch_size: int = 32
    image_rate: float = 3e-4
    language_rate: float = 2e-4
    weight_decay: float = 0.02
    warmup_steps: int = 40
    clip_norm: float = 1.0
    pictures: int = 20_000
    precision: Literal["fp32", "bf16"] = "bf16"
    checkpoint_every: int = 200
    threads: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("steps", "batch_size", "clip_norm", "pictures", "checkpoint_every"):
            if getattr(self, name) <= 0:
                raise SelvedgeError(f"setting continuation.{name} is {getattr(self, name)}; it must be above 0.")


@dataclass(frozen=True)
class Blip2CandidateSettings:
    """One candidate from features to artefact.

    Attributes:
        base: a profile name, or a folder that holds a base.
        continue_on_coarse: continue the base on master category and gender first; None does so when the catalogue has
            no attributes but its columns (question set `columns`), which is how real photographs arrive.
        decoding: `trie` or `scored`; `auto` takes the better on validation.
        risk: share of answers given (not abstained) that may be wrong on validation.
        merge_tolerance: largest difference of an answer's log-probability that merging the adapter may cause (fp32).
    """

    base: str = "tiny"
    question_set: str | None = None
    continue_on_coarse: bool | None = None
    feature_precision: Literal["fp32", "bf16"] = "fp32"
    decoding: Literal["auto", "trie", "scored"] = "auto"
    risk: float = 0.10
    merge_tolerance: float = 1e-3
    lora: LoraSettings = field(default_factory=LoraSettings)
    continuation: ContinuationSettings = field(default_factory=ContinuationSettings)
