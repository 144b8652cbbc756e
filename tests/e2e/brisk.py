"""Definitions whose sensors look as often as Dagster's daemon can, so that a test waits for work and not for a clock.

Belongs here: the shorter intervals. Not here: which families a test's definitions have.
"""

from typing import Any

import dagster as dg

from orchestration.defs.catalog import inbox
from orchestration.defs.operations.dead_runs import dead_runs
from orchestration.graph import build, sensors

LOOK_SECONDS = 1  # the daemon goes through its sensors every five


def brisk_defs(**arguments: Any) -> dg.Definitions:
    """`build_defs` with the same sensors and conditions, in a process of its own: the intervals are this process's."""
    build.AUTOMATION_SECONDS = sensors.WATCH_SECONDS = LOOK_SECONDS
    inbox.inbox._min_interval = dead_runs._min_interval = LOOK_SECONDS
    inbox.SETTLE_SECONDS = 3.0
    return build.build_defs(**arguments)
