"""One command at a time on a home: the second says who holds it; the inbox is made."""

import os
import re
from pathlib import Path

import pytest
import yaml

from catalog.errors import ServiceUnavailable
from orchestration.runtime.home import held
from orchestration.runtime.instance import CONFIGURATION
from orchestration.runtime.services import parts
from orchestration.runtime.settings import OFF, Settings

GRPC = "DAGSTER_GRPC_TIMEOUT_SECONDS"


def test_a_second_command_is_told_who_holds_the_home(tmp_path, monkeypatch):
    monkeypatch.setattr("orchestration.runtime.home.PATIENCE_SECONDS", 0.05)
    settings = Settings(home=tmp_path / "home")
    told = rf"running `selvedge up` on {re.escape(str(settings.home))} \(process {os.getpid()}, since .* UTC; it holds"
    with held(settings, "selvedge up"):
        assert settings.inbox.is_dir()
        with pytest.raises(ServiceUnavailable, match=told), held(settings, "selvedge demo"):
            pass
    with held(settings, "selvedge demo"), held(Settings(home=tmp_path / "other"), "selvedge up"):
        pass  # another home is another lock


@pytest.mark.parametrize(
    ("changes", "names", "started"),
    [
        (
            {},
            "mlflow-proxy label-studio-proxy dagster-proxy mlflow label-studio dagster-code-server dagster-webserver "
            "dagster-daemon",
            8,
        ),
        (
            {"label_studio": OFF},
            "mlflow-proxy dagster-proxy mlflow dagster-code-server dagster-webserver dagster-daemon",
            6,
        ),
        (
            {"label_studio": "https://ls.example", "tracking_uri": "http://ml.example"},
            "dagster-proxy mlflow label-studio dagster-code-server dagster-webserver dagster-daemon",
            4,
        ),
    ],
)
def test_a_home_s_services_follow_from_its_settings(tmp_path, changes, names, started):
    services = parts(Settings(home=tmp_path, **changes))
    assert [part.name for part in services] == names.split()
    assert sum(part.start is not None for part in services) == started


def test_a_busy_machine_may_take_longer_to_start_a_run_than_dagster_waits_by_default(tmp_path):
    """Sixty seconds were seen not to do; the launch gives up before the run's monitor does, which says less."""
    monitor = yaml.safe_load(CONFIGURATION)["run_monitoring"]["start_timeout_seconds"]
    started = [part.declared() for part in parts(Settings(home=tmp_path)) if part.name.startswith("dagster-")]
    patience = [int(service.environment[GRPC]) for service in started if GRPC in service.environment]
    assert len(patience) == 3 and all(60 < seconds < monitor for seconds in patience)


def test_nothing_listens_beyond_this_machine(tmp_path):
    listening = [part.declared() for part in parts(Settings(home=tmp_path)) if part.declared is not None]
    asked = {service.name: service.health_url for service in listening if service.port is not None}
    assert len(asked) >= 6 and all(url.startswith("http://127.0.0.1:") for url in asked.values())
    root = Path(__file__).parents[3]
    sources = [
        file for room in ("infra", "inference", "labeling", "orchestration") for file in (root / room).rglob("*.py")
    ]
    beyond = [file.relative_to(root) for file in sources if "0.0.0.0" in file.read_text(encoding="utf-8")]
    # Inside its container SageMaker asks at the container's own address; nothing else reaches it.
    assert len(sources) > 100 and beyond == [Path("infra/container_files.py")]
