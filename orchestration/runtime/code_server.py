"""The code server of a home: the one process that loads the definitions, for Dagster's web server and its daemon.

Belongs here: its socket, the file that tells Dagster of it, whether it answers. Not here: how it is started
(infra/local/dagster_services.py).

Left to themselves, web server and daemon each start one of their own, and the daemon replaces its every minute (its
workspace is read anew, and what it started goes with the old one): a tenth of a core, all day, to load the same code
again. A server that stands is only asked again. Runs are processes of the code server: they outlive a daemon that ends,
and end with it.
"""

import hashlib
import os
import stat
import tempfile
from pathlib import Path

import yaml

from catalog.errors import SelvedgeError
from catalog.files import publish_text
from orchestration.runtime.settings import Settings

WORKSPACE = "workspace.yaml"  # beside dagster.yaml; written at every start
SOCKET = "code.sock"
LONGEST_SOCKET = 100  # characters of its path, which the kernel limits to 107
ANSWER_SECONDS = 2.0
DAGSTER_API = "DagsterApi"  # the name under which it says that it serves


def socket_of(settings: Settings) -> Path:
    """Where the code server listens, a file that only this user may use; not in a home whose path is too long."""
    inside = settings.dagster_home / SOCKET
    if len(str(inside)) <= LONGEST_SOCKET:
        return inside
    name = hashlib.sha256(str(settings.home).encode()).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"selvedge-{os.getuid()}" / f"{name}.sock"


def write_workspace(settings: Settings, module: str) -> None:
    """Tell Dagster of the code server, by the name that its runs, schedules and sensors were kept under before.

    Raises:
        SelvedgeError: the file cannot be written, or somebody else's folder is where the socket would be.
    """
    socket = socket_of(settings)
    if socket.parent != settings.dagster_home:
        _make_own(socket.parent)
    location = {"socket": str(socket), "location_name": module}
    content = {"load_from": [{"grpc_server": location}]}
    publish_text(yaml.safe_dump(content, sort_keys=False), workspace_file(settings))


def workspace_file(settings: Settings) -> Path:
    return settings.dagster_home / WORKSPACE


def answers(socket: Path) -> bool:
    """Does a code server at this socket say that it serves?"""
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    try:
        with grpc.insecure_channel(f"unix:{socket}") as channel:
            asked = health_pb2.HealthCheckRequest(service=DAGSTER_API)
            health = health_pb2_grpc.HealthStub(channel).Check(asked, timeout=ANSWER_SECONDS)
    except grpc.RpcError:
        return False
    return bool(health.status == health_pb2.HealthCheckResponse.SERVING)


def _make_own(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise SelvedgeError(
            f"{folder}, where Dagster's code server would listen, is not yours alone; remove it, or put the home at a "
            f"path of fewer than {LONGEST_SOCKET - len(SOCKET)} characters."
        )
