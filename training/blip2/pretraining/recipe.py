"""The recipe: every number that made the base, as data that travels with it.

Belongs here: sizes, seeds, steps, weights of losses. Not here: the architecture (training/blip2/profiles.py).
"""

from dataclasses import asdict, dataclass, replace
from typing import Any

from catalog.drawn.world import RESERVED_SEEDS
from catalog.errors import SelvedgeError


@dataclass(frozen=True)
class Recipe:
    """How the base is made. The defaults are the shipped base's; `tiny_recipe` is for a machine without a GPU.

    Attributes:
        garments, worlds: pictures drawn of each kind; garment_share: of a batch.
        garment_seed, world_seed, probe_seed: all in the range no catalogue may use.
        captions, questions: texts per picture, drawn once.
        draw_size: side at which garments are drawn before they are made as small as the encoder reads, as products are.
        stage1_steps, stage2_steps: optimiser steps.
        stage1_batch, stage2_batch: pictures a step; stage2_questions: questions per picture and step.
        stage1_lr, stage2_lr: peak rates; vision_share: the image half's share of the rate in stage 2.
        checkpoint_steps: how often the state is written for a later call to go on from.
        keep_average: decay of the running average of the weights, which is what is saved.
    """

    garments: int = 75_000
    worlds: int = 30_000
    garment_share: float = 0.72
    garment_seed: int = RESERVED_SEEDS.start + 11
    world_seed: int = RESERVED_SEEDS.start + 12
    probe_seed: int = RESERVED_SEEDS.start + 13
    captions: int = 4
    questions: int = 24
    draw_size: int = 256
    stage1_steps: int = 9_000
    stage2_steps: int = 12_000
    stage1_batch: int = 512
    stage2_batch: int = 320
    stage2_questions: int = 4
    stage1_lr: float = 1e-3
    stage2_lr: float = 8e-4
    vision_share: float = 0.35
    warmup: int = 200
    weight_decay: float = 0.05
    clip: float = 1.0
    contrast_weight: float = 0.3
    match_weight: float = 0.3
    caption_weight: float = 1.0
    phrase_weight: float = 1.0
    patch_phrase_weight: float = 0.7
    parts_weight: float = 0.5
    colour_weight: float = 0.5
    stage2_phrase_weight: float = 0.4
    stage2_patch_phrase_weight: float = 0.2
    stage2_parts_weight: float = 0.1
    keep_average: float = 0.999
    checkpoint_steps: int = 3_000
    vocabulary: int = 2048
    probe_products: int = 3_000
    trial_products: int = 2_000
    trial_steps: int = 1_000
    seed: int = 2026

    def __post_init__(self) -> None:
        for name in ("garment_seed", "world_seed", "probe_seed"):
            if getattr(self, name) not in RESERVED_SEEDS:
                raise SelvedgeError(
                    f"recipe: {name} is not in {RESERVED_SEEDS}, the seeds kept from every catalogue; choose one there."
                )
        if min(self.garments, self.worlds) < 1 or min(self.stage1_steps, self.stage2_steps) < 0:
            raise SelvedgeError("recipe: garments and worlds must be at least 1 and steps at least 0.")

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def changed(self, **values: Any) -> "Recipe":
        """Raises SelvedgeError for a setting that does not exist."""
        unknown = sorted(set(values) - set(asdict(self)))
        if unknown:
            raise SelvedgeError(f"recipe: setting {unknown[0]!r} is unknown; use one of {sorted(asdict(self))}.")
        return replace(self, **values)


def tiny_recipe() -> Recipe:
    """Seconds on one core: for tests, and to see that everything is in place before a long run."""
    return Recipe(
        garments=36,
        worlds=24,
        captions=2,
        questions=4,
        stage1_steps=3,
        stage2_steps=3,
        stage1_batch=12,
        stage2_batch=12,
        stage2_questions=2,
        warmup=1,
        checkpoint_steps=2,
        vocabulary=600,
        probe_products=40,
        trial_products=24,
        trial_steps=2,
    )
