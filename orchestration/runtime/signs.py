"""Signs of life of what runs on a home: the daemon's heartbeat, and whether a run is under way.

Belongs here: what Dagster's database says, for whoever watches the services. Not here: watching (infra/local/up.py),
closing runs whose process is gone (recovery.py).
"""

import time
from functools import cached_property

import dagster as dg
import sqlalchemy as sa

from catalog.errors import SelvedgeError
from infra.local.up import MemoryRule
from orchestration.runtime.instance import open_instance
from orchestration.runtime.settings import Settings

UNDER_WAY = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
BYTES_OF_A_GIGABYTE = 1_000_000_000
AWAY = (sa.exc.SQLAlchemyError, OSError, SelvedgeError)  # what a database that cannot be asked raises


class Signs:
    """What Dagster's database says of its home. Nothing is opened before it is asked."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def pulse(self) -> float:
        """The newest heartbeat of the daemon's parts, as a number that changes; also whenever none can be read.

        Dagster's own watch ends a daemon of which one part has been silent for half an hour; that watch is a part of
        the same process.
        """
        try:
            beats = self._instance.get_daemon_heartbeats().values()
        except AWAY:  # a database that is away is no proof that the daemon hangs
            return -time.monotonic()
        return max((beat.timestamp for beat in beats), default=0.0)

    def at_rest(self) -> bool:
        """Whether no run is launched or under way; False where nobody can say."""
        try:
            return not self._instance.get_runs(dg.RunsFilter(statuses=UNDER_WAY), limit=1)
        except AWAY:
            return False

    @cached_property
    def _instance(self) -> dg.DagsterInstance:
        return open_instance(self._settings)


def memory_rule(settings: Settings) -> MemoryRule:
    """When a service of this home is started again for its memory: above the setting, while no run is under way."""
    return MemoryRule(int(settings.service_memory_gb * BYTES_OF_A_GIGABYTE), Signs(settings).at_rest)
