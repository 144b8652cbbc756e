"""`selvedge up` as a unit of systemd or a file of Docker Compose, with the settings that are set now.

Belongs here: which settings go along, which are secrets, where the program is. Not here: how such a file looks
(infra/unit_files.py).
"""

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import orchestration
from infra.container_files import COPIED
from infra.proxy.pages import HEALTH
from infra.unit_files import Command, Source, compose_file, systemd_unit
from orchestration.runtime.settings import PREFIX, WITH_PASSWORDS, Settings

DATABASE = "SELVEDGE_POSTGRES"
CREDENTIALS = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "PGPASSWORD")
BESIDE = ("AWS_DEFAULT_REGION", "AWS_REGION", "AWS_ENDPOINT_URL", "AWS_PROFILE")
QUIET = {"HF_HUB_OFFLINE": "1", "DAGSTER_DISABLE_TELEMETRY": "1", "MLFLOW_DISABLE_TELEMETRY": "true"}
HOME = f"{PREFIX}HOME"
CONSTRAINTS = "/src/constraints.txt"


def for_systemd(settings: Settings) -> str:
    """A unit that keeps this home's services running."""
    environment = {HOME: str(settings.home), **dict(_environment(settings)), **QUIET}
    return systemd_unit(Command(_program(), environment, _secrets()), f"Selvedge on {settings.home}")


def for_compose(settings: Settings) -> str:
    """A Compose file with PostgreSQL and a home in a volume; settings that name files of this machine stay here."""
    environment = {
        name: value for name, value in _environment(settings) if not isinstance(_value(settings, name), Path)
    }
    command = Command(("selvedge", "up"), {HOME: "/data", **environment, **QUIET}, _secrets())
    health = f"http://127.0.0.1:{settings.dagster_port}{HEALTH}"
    return compose_file(command, _source(), DATABASE, health)


FORMS: dict[str, Callable[[Settings], str]] = {"systemd": for_systemd, "compose": for_compose}


def _environment(settings: Settings) -> Iterator[tuple[str, str]]:
    """Settings of this environment that are no secrets, and what goes with them; files by their absolute paths."""
    for name in sorted(os.environ):
        if name in BESIDE:
            yield name, os.environ[name]
        elif name.startswith(PREFIX) and name != HOME and os.environ[name] and not _is_secret(name):
            value = _value(settings, name)
            yield name, str(value) if isinstance(value, Path) else os.environ[name]


def _secrets() -> list[str]:
    return [name for name in sorted(os.environ) if name in CREDENTIALS or (_is_secret(name) and os.environ[name])]


def _is_secret(name: str) -> bool:
    return name.startswith(PREFIX) and name.removeprefix(PREFIX).lower() in WITH_PASSWORDS


def _value(settings: Settings, name: str) -> object:
    """What a variable sets; a Path for a family's file of training settings and the folder of base weights."""
    field = name.removeprefix(PREFIX).lower()
    if field in Settings.model_fields:
        return getattr(settings, field)
    return Path(os.environ[name]).expanduser().resolve() if name.startswith(PREFIX) else os.environ[name]


def _program() -> tuple[str, ...]:
    script = Path(sys.executable).with_name("selvedge")
    return (str(script), "up") if script.is_file() else (sys.executable, "-m", "orchestration.cli", "up")


def _source() -> Source:
    """This checkout; without one, a wheel that is put beside the file."""
    root = Path(orchestration.__file__).parents[1]
    if (root / "pyproject.toml").is_file():
        return Source(
            str(root), [name for name in COPIED if (root / name).exists()], "'/src[aws,postgres]'", CONSTRAINTS
        )
    return Source(".", ["selvedge-*.whl"], '"$(echo /src/selvedge-*.whl)[aws,postgres]"')
