"""Findings: the answer to one guideline about one picture, with its evidence.

Belongs here: the types that quality control, ranking and retries share. Not here: measuring (quality/), deciding what
to try next (feedback.py).
"""

from dataclasses import dataclass
from enum import StrEnum


class Change(StrEnum):
    """What a retry may change."""

    SCALE_UP = "scale_up"
    SCALE_DOWN = "scale_down"
    POSITION = "position"
    ROTATION = "rotation"
    LIGHT = "light"
    CAPTION = "caption"
    SCENE_SEED = "scene_seed"
    THEME = "theme"
    STRENGTH = "strength"


class Strictness(StrEnum):
    STRICT = "strict"  # must pass
    FLEXIBLE = "flexible"  # relaxed in stated order when nothing passes
    WEIGHTED = "weighted"  # never decides alone; counts in the ranking


@dataclass(frozen=True)
class Finding:
    """A guideline's answer.

    Attributes:
        guideline: its name in the brand file.
        value, limit, unit: the measurement and what it was held to ("ΔE2000", "% of frame", "px").
        sentence: the evidence, for a person.
        may_change: what could mend it, most promising first; empty where nothing can.
    """

    guideline: str
    passed: bool
    strictness: Strictness
    value: float
    limit: float
    unit: str
    sentence: str
    may_change: tuple[Change, ...] = ()
