"""The doors of a home: which services stand behind a proxy, on which ports they listen there, who gets the token.

Belongs here: ports and declarations of the proxies of `up`. Not here: what a proxy lets pass
(infra/proxy/), starting services (services.py).

People are given the ports of the settings, where the proxies listen. Each service listens on a port that the system
had free when `up` began; its pid file says which. Started without `up` (the demo does) it has its own port and no door.
"""

import importlib.util
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

from infra.local.services import Service, recorded_process
from infra.proxy.door import SECRETS_VARIABLE, ensure_token, inner_host, stored_token
from infra.proxy.pages import HEALTH
from orchestration.runtime.settings import LOCAL, Settings

PACKAGE = "infra.proxy"
WEBSERVER = "orchestration.runtime.dagster_webserver"
TOKEN_VARIABLE = "MLFLOW_TRACKING_TOKEN"  # MLflow's client sends it as `Authorization: Bearer`


def behind(settings: Settings) -> Settings:
    """The settings with the ports on which services listen behind their doors; a running one keeps its own."""
    with ExitStack() as held:  # all at once, or two could be the same
        ports = {
            "mlflow_port": _inner_port(settings.mlflow_home, "mlflow", held),
            "label_studio_port": _inner_port(settings.label_studio_home, "label-studio", held),
            "dagster_port": _inner_port(settings.dagster_home, "dagster-webserver", held),
        }
    return settings.model_copy(update=ports)


def proxies(settings: Settings, inner: Settings) -> Iterator[Service]:
    """A declaration for each service of this home that does not run at its public port already.

    Args:
        inner: the same settings `behind` the doors.
    """
    if not settings.tracking_uri:
        yield from _proxy(settings, "mlflow", settings.mlflow_port, inner.mlflow_port)
    if settings.label_studio == LOCAL:
        yield from _proxy(settings, "label-studio", settings.label_studio_port, inner.label_studio_port)
    yield from _proxy(settings, "dagster", settings.dagster_port, inner.dagster_port)


def answering_its_proxy(settings: Settings, service: Service) -> Service:
    """Dagster's web server, so that it answers nobody but its proxy."""
    if service.name == "dagster-webserver":
        at = service.command.index("dagster_webserver")
        command = (*service.command[:at], WEBSERVER, *service.command[at + 1 :])
        return replace(
            service, command=command, environment={**service.environment, SECRETS_VARIABLE: str(settings.secrets)}
        )
    return service


def mlflow_hosts(settings: Settings) -> str:
    """The only Host that MLflow answers to behind its proxy, which alone can compute it."""
    return inner_host(stored_token(settings.secrets))


def link_with_token(settings: Settings, address: str) -> str:
    """The link that lets a browser in, for thirty days. Only for the home's owner."""
    return f"{address}/?token={ensure_token(settings.secrets)}"


def let_in(settings: Settings) -> None:
    """Have MLflow's client of this process carry the home's token; a team's own server is never told it."""
    if not settings.tracking_uri and (token := stored_token(settings.secrets)):
        os.environ[TOKEN_VARIABLE] = token


def stream_folder() -> Path:
    """Where script and style of the label stream lie; found without importing the room."""
    spec = importlib.util.find_spec("labeling.review")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("labeling.review is not installed; install Selvedge again.")
    return Path(spec.origin).parent


def _proxy(settings: Settings, name: str, port: int, inner: int) -> Iterator[Service]:
    if port == inner:
        return
    hosts = (settings.label_studio_hosts or "") if name == "label-studio" else ""
    named = tuple(part for host in hosts.split(",") if host for part in ("--host", host))
    if name == "label-studio":
        named += ("--stream", str(stream_folder()))
    module = ("-m", PACKAGE, name, str(port), str(inner), str(settings.secrets))
    yield Service(
        name=f"{name}-proxy",
        command=(sys.executable, *module, *named),
        folder=settings.home / "proxy",
        log=settings.logs / f"{name}-proxy.log",
        port=port,
        health_url=f"http://127.0.0.1:{port}{HEALTH}",
        port_setting=f"SELVEDGE_{name.replace('-', '_').upper()}_PORT",
    )


def _inner_port(folder: Path, name: str, held: ExitStack) -> int:
    recorded = recorded_process(Service(name=name, command=(), folder=folder, log=folder))
    if recorded is not None and recorded.port is not None and recorded.find() is not None:
        return recorded.port
    probe = held.enter_context(socket.socket())
    probe.bind(("127.0.0.1", 0))
    return int(probe.getsockname()[1])
