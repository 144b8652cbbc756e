"""The code server: one for web server and daemon, at a socket of the home, under the name of before."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from dagster._core.remote_origin import ManagedGrpcPythonEnvCodeLocationOrigin, RemoteRepositoryOrigin
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.load import location_origins_from_yaml_paths
from grpc_health.v1 import health_pb2_grpc
from grpc_health.v1.health import HealthServicer
from grpc_health.v1.health_pb2 import HealthCheckResponse

from catalog.errors import SelvedgeError
from orchestration.runtime import code_server
from orchestration.runtime.code_server import answers, socket_of, workspace_file, write_workspace
from orchestration.runtime.services import DEFINITIONS, parts
from orchestration.runtime.settings import Settings


def test_what_dagster_kept_under_the_name_of_its_own_servers_is_found_again(tmp_path: Path) -> None:
    """Ticks, switches and cursors are kept by the selector; runs carry the label."""
    settings = Settings(home=tmp_path)
    write_workspace(settings, DEFINITIONS)
    (origin,) = location_origins_from_yaml_paths([str(workspace_file(settings))])
    before = ManagedGrpcPythonEnvCodeLocationOrigin(LoadableTargetOrigin(module_name=DEFINITIONS), DEFINITIONS)
    now, then = (RemoteRepositoryOrigin(location, "__repository__") for location in (origin, before))
    assert now.get_selector_id() == then.get_selector_id() and now.get_label() == then.get_label()


def test_web_server_and_daemon_load_nothing_themselves(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    started = [part.declared() for part in parts(settings) if part.declared and part.name.startswith("dagster-")]
    commands = {service.name: service.command for service in started}
    assert [name for name, command in commands.items() if DEFINITIONS in command] == ["dagster-code-server"]
    assert str(socket_of(settings)) in commands["dagster-code-server"]
    for name in ("dagster-webserver", "dagster-daemon"):
        assert commands[name][-2:] == ("-w", str(workspace_file(settings)))


def test_a_home_deep_down_has_its_socket_elsewhere_and_in_nobody_elses_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(code_server.tempfile, "gettempdir", lambda: str(tmp_path))
    deep, deeper = (Settings(home=tmp_path / ("a" * 90) / name) for name in ("one", "two"))
    assert socket_of(deep) != socket_of(deeper) and len(str(socket_of(deep))) < 108
    write_workspace(deep, DEFINITIONS)
    assert socket_of(deep).parent.stat().st_mode & 0o077 == 0
    socket_of(deep).parent.chmod(0o777)
    with pytest.raises(SelvedgeError, match="is not yours alone; remove it, or put the home at a path of fewer"):
        write_workspace(deep, DEFINITIONS)


def test_a_code_server_is_asked_whether_it_serves(tmp_path: Path) -> None:
    socket, health = tmp_path / "s", HealthServicer()
    assert not answers(socket)
    server = grpc.server(ThreadPoolExecutor(1))
    health_pb2_grpc.add_HealthServicer_to_server(health, server)
    server.add_insecure_port(f"unix:{socket}")
    server.start()
    assert not answers(socket), "it loads the definitions"
    health.set("DagsterApi", HealthCheckResponse.SERVING)
    assert answers(socket)
    server.stop(0)
    assert not answers(socket)
