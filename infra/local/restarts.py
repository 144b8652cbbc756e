"""Restarts: when and why a service was started again, for whoever asks later.

Belongs here: the small record beside a service's pid file. Not here: when a service is started again (up.py).
"""

import json
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from infra.local.files import whole_file
from infra.local.services import Service

KEPT = 20  # of each service, the newest


@dataclass(frozen=True)
class Restart:
    """at: seconds since the epoch. why: one sentence, which names the service."""

    at: float
    why: str


def note(service: Service, why: str) -> None:
    """Remember that a service is started again. A disk that takes nothing more holds up no restart."""
    lines = [asdict(restart) for restart in (*restarts(service), Restart(time.time(), why))[-KEPT:]]
    with suppress(OSError), whole_file(_file(service)) as part:
        part.write_text(json.dumps(lines, indent=1))


def restarts(service: Service, since: float = 0.0) -> list[Restart]:
    """Those that are remembered, the oldest first; a record that cannot be read is none."""
    try:
        noted = [Restart(float(line["at"]), str(line["why"])) for line in json.loads(_file(service).read_text())]
    except (OSError, ValueError, TypeError, KeyError):
        return []
    return [restart for restart in noted if restart.at >= since]


def _file(service: Service) -> Path:
    return service.folder / f"{service.name}.restarts.json"
