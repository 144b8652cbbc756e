"""Dagster on this machine: the code server, the web server people look at, the daemon that launches what is due.

Belongs here: how the two are started. Not here: the definitions they load and the instance's dagster.yaml.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.local.services import Service

QUIET = {"DAGSTER_DISABLE_TELEMETRY": "1"}
# Seconds that the code server has to start a run's process, 60 by default: with forty busy processes on two cores it
# took longer, runs failed before they began, and their processes started for nothing. Less than the
# start_timeout_seconds of dagster.yaml, so that the launch is the one that says so.
PATIENT = {"DAGSTER_GRPC_TIMEOUT_SECONDS": "240"}


@dataclass(frozen=True)
class Code:
    """The code server.

    Attributes:
        module: dotted name of the module that holds the definitions. daemon: of the one that is Dagster's daemon.
        socket: where it listens. workspace: the file that tells Dagster of it. answers: whether it serves.
    """

    module: str
    daemon: str
    socket: Path
    workspace: Path
    answers: Callable[[], bool]


def dagster_services(
    dagster_home: Path,
    logs: Path,
    port: int,
    code: Code,
    variables: Mapping[str, str],
    pulse: Callable[[], float] | None = None,
) -> tuple[Service, Service, Service]:
    """Declarations of the code server, the web server and the daemon, in the order to start them.

    Args:
        dagster_home: the instance's folder, with its dagster.yaml.
        variables: further ones of the environment, which the runs inherit; they may hold a password.
        pulse: the daemon's last sign of life; it has no address to ask at.
    """
    environment = {**QUIET, **PATIENT, "DAGSTER_HOME": str(dagster_home), **variables}
    serve = ("api", "grpc", "--socket", str(code.socket), "-m", code.module, "--location-name", code.module)
    code_server = Service(
        name="dagster-code-server",
        command=(sys.executable, "-m", "dagster", *serve),
        folder=dagster_home,
        log=logs / "dagster-code-server.log",
        environment=environment,
        answering=code.answers,
    )
    workspace = ("-w", str(code.workspace))
    web_server = Service(
        name="dagster-webserver",
        command=(sys.executable, "-m", "dagster_webserver", "-h", "127.0.0.1", "-p", str(port), *workspace),
        folder=dagster_home,
        log=logs / "dagster-webserver.log",
        port=port,
        health_url=f"http://127.0.0.1:{port}/server_info",
        port_setting="SELVEDGE_DAGSTER_PORT",
        environment=environment,
    )
    daemon = Service(
        name="dagster-daemon",
        command=(sys.executable, "-m", code.daemon, "run", *workspace),
        folder=dagster_home,
        log=logs / "dagster-daemon.log",
        environment=environment,
        settle_seconds=3.0,
        pulse=pulse,
    )
    return code_server, web_server, daemon
