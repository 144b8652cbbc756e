"""A code location in which every sensor is due whenever the daemon looks: many ticks in little time.

Belongs here: the intervals. Not here: the sensors, which are those that `selvedge up` loads.
"""

import os

import dagster as dg

from orchestration.graph.build import build_defs
from orchestration.runtime.private import OWNER_ONLY

os.umask(OWNER_ONLY)  # as orchestration/definitions.py does


@dg.definitions
def defs() -> dg.Definitions:
    made = build_defs()
    for sensor in made.sensors or ():
        sensor._min_interval = 1  # type: ignore[union-attr]  # noqa: SLF001 (of this process's own definitions)
    return made
