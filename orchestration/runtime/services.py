"""The services of this home: declared from the settings, started when needed, their failures raised as our errors.

Belongs here: which services belong to a `Settings` and their start and stop. Not here: how a process is started
(infra/local/) and what is logged to MLflow (tracking.py).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from catalog.errors import ServiceUnavailable
from infra.errors import ServiceFailure
from infra.local.dagster_services import Code, dagster_services
from infra.local.environments import NotInstalled
from infra.local.label_studio import ensure_label_studio, label_studio_service
from infra.local.mlflow_server import ensure_mlflow, mlflow_service
from infra.local.restarts import restarts
from infra.local.services import Running, Service, ensure, state
from infra.local.up import Group
from infra.proxy.door import TOKEN_FILE, ensure_token
from orchestration.runtime.code_server import answers, socket_of, workspace_file, write_workspace
from orchestration.runtime.databases import dagster_environment, ensure_databases
from orchestration.runtime.doors import answering_its_proxy, behind, mlflow_hosts, proxies
from orchestration.runtime.settings import LOCAL, OFF, Settings

Progress = Callable[[str], None]
DEFINITIONS = "orchestration.definitions"
DAEMON = "orchestration.runtime.daemon"


@dataclass(frozen=True)
class Link:
    """One service as a person meets it."""

    name: str
    state: str  # running, stopped, taken, left over, starting or stuck, elsewhere
    url: str | None


@contextmanager
def in_our_words() -> Iterator[None]:
    """Turns infra's failure into the error the rest of the house raises."""
    try:
        yield
    except ServiceFailure as failure:
        raise ServiceUnavailable(str(failure)) from failure


@contextmanager
def tracking_server(settings: Settings, progress: Progress = lambda _line: None) -> Iterator[str]:
    """The address of a healthy MLflow server; one that was started here is stopped at the end.

    With `tracking_uri` set nothing is started. Enter it on the main thread: the server ends with the thread that
    started it.

    Raises:
        ServiceUnavailable: the port is taken, or the server did not start.
    """
    if settings.tracking_uri:
        yield settings.tracking_uri
        return
    with Group() as group:
        with in_our_words():
            group.add(lambda: _mlflow(settings, progress))
        yield settings.mlflow_uri


@contextmanager
def review_server(settings: Settings, progress: Progress = lambda _line: None) -> Iterator[str | None]:
    """The address of a healthy Label Studio, None where it is off; one that was started here is stopped at the end.

    A team's own server is not started. Enter it on the main thread, as `tracking_server`.

    Raises:
        ServiceUnavailable: it could not be installed, the port is taken, or it did not start.
    """
    if settings.label_studio != LOCAL:
        yield settings.label_studio_uri
        return
    with Group() as group:
        with in_our_words():
            group.add(lambda: _label_studio(settings, progress))
        yield settings.label_studio_uri


@dataclass(frozen=True)
class Part:
    """One service of a home: `declared` to ask for its state, `start` to have it healthy.

    Both are None for a server of somebody else's, which is only pointed at.
    """

    name: str
    url: str | None
    declared: Callable[[], Service] | None = None
    start: Callable[[Progress], Running] | None = None


def parts(settings: Settings) -> list[Part]:
    """The proxies, MLflow, Label Studio, Dagster's code server, web server and daemon, in the order to start them.

    What is off is left out. One more service is one more entry: `up` starts, watches and stops it, and `status` tells
    its state. The proxies come first: they have the ports that another program may hold.
    """
    inner = behind(settings)
    services = [
        Part(proxy.name, None, partial(_itself, proxy), partial(ensure, proxy)) for proxy in proxies(settings, inner)
    ]
    if settings.tracking_uri:
        services.append(Part("mlflow", settings.tracking_uri))
    else:
        declared, start = partial(_mlflow_service, inner), partial(_mlflow, inner, hosts=mlflow_hosts(settings))
        services.append(Part("mlflow", settings.mlflow_uri, declared, start))
    if settings.label_studio == LOCAL:
        token_file = None if inner.label_studio_port == settings.label_studio_port else settings.secrets / TOKEN_FILE
        declared = partial(_label_studio_service, inner)
        start = partial(_label_studio, inner, token_file=token_file)
        services.append(Part("label-studio", settings.label_studio_uri, declared, start))
    elif settings.label_studio != OFF:
        services.append(Part("label-studio", settings.label_studio_uri))
    code_server, *others = _dagster(inner)
    services.append(Part(code_server.name, None, partial(_itself, code_server), partial(_code, inner, code_server)))
    for service in (answering_its_proxy(settings, declared) for declared in others):
        url = settings.dagster_uri if service.port else None
        services.append(Part(service.name, url, partial(_itself, service), partial(ensure, service)))
    return services


@contextmanager
def everything(settings: Settings, progress: Progress = lambda _line: None) -> Iterator[Group]:
    """Every service of this home, started in the order of `parts` and stopped in the other.

    Raises:
        ServiceUnavailable: one of them did not start; those before it are stopped again.
    """
    with Group() as group:
        with in_our_words():
            ensure_token(settings.secrets)
            for part in parts(settings):
                if part.start is not None:
                    group.add(partial(part.start, progress))
        yield group


def links(settings: Settings) -> list[Link]:
    """Every service with its state and address, started or not."""
    with in_our_words():
        everyone = [
            Link(part.name, "elsewhere" if part.declared is None else state(part.declared()), part.url)
            for part in parts(settings)
        ]
    return sorted(everyone, key=lambda link: link.name.endswith("-proxy"))


def restarted(settings: Settings, since: float) -> list[str]:
    """One sentence for every service that `up` started again since then: how often, and why the last time.

    Args:
        since: seconds since the epoch.
    """
    sentences = []
    for part in parts(settings):
        noted = restarts(part.declared(), since) if part.declared is not None else []
        if noted:
            newest = datetime.fromtimestamp(noted[-1].at).astimezone()
            times = "once" if len(noted) == 1 else f"{len(noted)} times"
            sentences.append(f"{part.name} was started again {times}, last at {newest:%d %b %H:%M}: {noted[-1].why}")
    return sentences


def _itself(service: Service) -> Service:
    return service


def _mlflow_service(settings: Settings) -> Service:
    return mlflow_service(
        settings.mlflow_home,
        settings.logs,
        settings.mlflow_port,
        settings.mlflow_database_uri,
        settings.mlflow_artifact_root,
    )


def _mlflow(settings: Settings, progress: Progress, hosts: str | None = None) -> Running:
    ensure_databases(settings)
    return ensure_mlflow(
        settings.mlflow_home,
        settings.logs,
        settings.mlflow_port,
        settings.mlflow_database_uri,
        settings.mlflow_artifact_root,
        progress,
        hosts,
    )


def _label_studio_service(settings: Settings) -> Service:
    """The declaration, to ask whether it runs; starting it needs the environment that `_label_studio` makes."""
    return label_studio_service(
        settings.label_studio_home,
        settings.logs,
        settings.secrets,
        settings.label_studio_port,
        settings.label_studio_home / "python",
        settings.label_studio_database_uri,
    )


def _label_studio(settings: Settings, progress: Progress, token_file: Path | None = None) -> Running:
    ensure_databases(settings)
    try:
        return ensure_label_studio(
            settings.label_studio_home,
            settings.logs,
            settings.secrets,
            settings.label_studio_port,
            settings.label_studio_database_uri,
            settings.label_studio_environments,
            progress,
            token_file,
        )
    except NotInstalled as reason:
        raise ServiceFailure(f"{str(reason).rstrip('.')}; SELVEDGE_LABEL_STUDIO=off leaves it out.") from reason


def _code(settings: Settings, service: Service, progress: Progress) -> Running:
    write_workspace(settings, DEFINITIONS)
    return ensure(service, progress)


def _dagster(settings: Settings) -> tuple[Service, Service, Service]:
    from orchestration.runtime.signs import Signs

    socket = socket_of(settings)
    return dagster_services(
        settings.dagster_home,
        settings.logs,
        settings.dagster_port,
        Code(DEFINITIONS, DAEMON, socket, workspace_file(settings), partial(answers, socket)),
        dagster_environment(settings),
        Signs(settings).pulse,
    )
