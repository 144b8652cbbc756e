"""Ports of a home: those that its operator named, else those that its services have now, else the next free ones.

Belongs here: which ports a home's settings mean. Not here: who refuses a port that is taken (infra/local/services.py),
the ports behind the doors (doors.py).

A port that nobody named is a habit: where another program has it, `up` takes the next free one and says so. Whoever
asks later finds it by the pid file of the door that listens there, so that no command speaks to another home's server.
"""

import os
from collections.abc import Callable, Iterator

from infra.local.processes import holder_of, port_taken
from infra.local.services import Service, recorded_process
from orchestration.runtime.addresses import LARGEST_PORT
from orchestration.runtime.settings import LOCAL, PREFIX, Settings

PORTS = {"mlflow_port": "mlflow", "label_studio_port": "label-studio", "dagster_port": "dagster"}
TRIED = 50  # ports after the usual one


def as_running(settings: Settings) -> Settings:
    """The settings with the ports at which this home's services are found now, where the operator named none."""
    at = {
        field: port
        for field, name in PORTS.items()
        if field not in settings.model_fields_set and (port := _port_of_door(settings, name)) is not None
    }
    return settings.model_copy(update=at) if at else settings


def free_ports(settings: Settings, tell: Callable[[str], None]) -> Settings:
    """The settings with the next free port in place of each usual one that another program has; each is told.

    One that the operator named is left as it is: whoever starts the service refuses it. Programs that are started from
    here on are told by their environment.
    """
    moved: dict[str, int] = {}
    for field, name in _started_here(settings):
        port = getattr(settings, field)
        if field in settings.model_fields_set or not port_taken(port) or _is_ours(settings, name, port):
            continue
        others = {getattr(settings, other) for other in PORTS} | set(moved.values())
        after = range(port + 1, min(port + TRIED, LARGEST_PORT) + 1)
        free = next((number for number in after if number not in others and not port_taken(number)), None)
        if free is None:
            continue
        moved[field] = free
        variable = f"{PREFIX}{field.upper()}"
        os.environ[variable] = str(free)
        tell(
            f"port {port}, the usual one of {name}, is in use by {holder_of(port)}; {name} is at port {free} this "
            f"time. {variable} names one for good."
        )
    return settings.model_copy(update=moved) if moved else settings


def _started_here(settings: Settings) -> Iterator[tuple[str, str]]:
    for field, name in PORTS.items():
        elsewhere = {"mlflow": settings.tracking_uri is not None, "label-studio": settings.label_studio != LOCAL}
        if not elsewhere.get(name, False):
            yield field, name


def _port_of_door(settings: Settings, name: str) -> int | None:
    recorded = recorded_process(_door(settings, name))
    return recorded.port if recorded is not None and recorded.find() is not None else None


def _is_ours(settings: Settings, name: str, port: int) -> bool:
    """Whether what listens there belongs to this home, or was left by it; starting the service sees to that."""
    folders = {
        "mlflow": ("mlflow", settings.mlflow_home),
        "label-studio": ("label-studio", settings.label_studio_home),
        "dagster": ("dagster-webserver", settings.dagster_home),
    }
    service, folder = folders[name]
    for declared in (_door(settings, name), Service(name=service, command=(), folder=folder, log=folder)):
        recorded = recorded_process(declared)
        if recorded is not None and recorded.port == port and (recorded.find() is not None or recorded.others()):
            return True
    return False


def _door(settings: Settings, name: str) -> Service:
    folder = settings.home / "proxy"
    return Service(name=f"{name}-proxy", command=(), folder=folder, log=folder)
