"""The definitions with a gate that lets untrained weights pass on their scores; people's word is asked for as ever."""

from dataclasses import replace

import dagster as dg

from evaluation.gate import GateRule
from orchestration.families.blip2_attributes.declaration import BLIP2_ATTRIBUTES
from orchestration.runtime.settings import Settings
from tests.e2e.brisk import brisk_defs


def lenient(settings: Settings) -> GateRule:
    """Weights of noise learn nothing in twelve steps."""
    return replace(BLIP2_ATTRIBUTES.rule(settings), delta=1.0, minimum_gain=-1.0, clear_gain=False, beats=())


@dg.definitions
def defs() -> dg.Definitions:
    return brisk_defs(families=[replace(BLIP2_ATTRIBUTES, rule=lenient)])
