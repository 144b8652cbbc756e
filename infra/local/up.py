"""Everything that runs beside each other while somebody works: started in order, watched, stopped together.

Belongs here: a group of services as one thing. Not here: which services (mlflow_server.py, dagster_services.py) and how
one is started (services.py).
"""

import time
from collections.abc import Callable, Sequence

from infra.errors import ServiceFailure
from infra.local.services import Running, log_ending

WATCH_SECONDS = 1.0


class Group:
    """Services started one after another and stopped in reverse, whatever happens in between."""

    def __init__(self) -> None:
        self.running: list[Running] = []

    def __enter__(self) -> "Group":
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def add(self, start: Callable[[], Running]) -> Running:
        """Start one more; should it fail, leaving the group stops those before it."""
        running = start()
        self.running.append(running)
        return running

    def stop(self) -> None:
        while self.running:
            self.running.pop().stop()

    def watch(self) -> None:
        """Wait until somebody interrupts.

        Raises:
            ServiceFailure: one of them ended by itself.
        """
        while True:
            _refuse_dead(self.running)
            time.sleep(WATCH_SECONDS)


def _refuse_dead(running: Sequence[Running]) -> None:
    for started in running:
        if not started.alive():
            raise ServiceFailure(f"{started.service.name} ended by itself; {log_ending(started.service)}")
