"""Files for programs that keep a command running: a unit of systemd, a file of Docker Compose.

Belongs here: their text, from plain values. Not here: which settings a home has (orchestration/runtime/units.py),
running anything. Nothing is written: whoever asked puts the text where it belongs, and reads it before.

Sources: systemd.service(5), systemd.exec(5), systemd.syntax(7); the Compose Specification.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

STOP_SECONDS = 120  # services end one after another, each within 15 s
INTERRUPTED = 130  # what the command exits with when it was asked to stop
SECRETS = ".config/selvedge/secrets.env"  # below the user's home folder
POSTGRES = 17
BASE_IMAGE = "python:3.11-slim"
SYSTEM_PACKAGES = ("libgl1", "libegl1", "libexpat1", "libgomp1")  # what the wheels load


@dataclass(frozen=True)
class Command:
    """What is to be kept running.

    Attributes:
        arguments: the program by its absolute path, and what follows.
        environment: settings that everybody may read.
        secrets: names of settings and credentials that belong into a private file; their values are not known here.
    """

    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    secrets: Sequence[str] = ()


def systemd_unit(command: Command, what: str) -> str:
    """A unit for the user's own systemd.

    Args:
        what: a few words for `systemctl status`.
    """
    file = f"%h/{SECRETS}"
    refusal = f"{file} is open to others; run chmod 600 on it"
    check = f'! test -e "{file}" || test "$$(stat -c %%a "{file}")" = 600 || {{ echo "{refusal}" >&2; exit 1; }}'
    wanted = ", ".join(command.secrets) or "none is set now"
    return "\n".join(
        (
            "# A unit for systemd, of your own user. Put it to ~/.config/systemd/user/selvedge.service, then:",
            "#   systemctl --user daemon-reload && systemctl --user enable --now selvedge",
            "#   loginctl enable-linger      # keeps it running while you are not signed in",
            "#   journalctl --user -u selvedge -f",
            f"# Secrets stand in ~/{SECRETS}, one NAME=value a line, made by",
            "#   install -d -m 700 ~/.config/selvedge && install -m 600 /dev/null ~/" + SECRETS,
            f"# and never here ({wanted}).",
            "[Unit]",
            f"Description={_percent(what)}",
            "StartLimitIntervalSec=600",
            "StartLimitBurst=5",
            "",
            "[Service]",
            "Type=exec",
            f"ExecStartPre=/bin/sh -c '{check}'",
            f"ExecStart={' '.join(_quoted(part).replace('$', '$$') for part in command.arguments)}",
            *(f"Environment={_quoted(f'{name}={value}')}" for name, value in command.environment.items()),
            f"EnvironmentFile=-{file}",
            "UMask=0077",
            "NoNewPrivileges=true",
            "# One process is told to stop, and stops the services in order; what is left after that is ended.",
            "KillMode=mixed",
            "KillSignal=SIGTERM",
            f"TimeoutStopSec={STOP_SECONDS}",
            f"SuccessExitStatus={INTERRUPTED}",
            "Restart=on-failure",
            "RestartSec=10",
            "",
            "[Install]",
            "WantedBy=default.target",
            "",
        )
    )


@dataclass(frozen=True)
class Source:
    """Where the image of a Compose file is built from.

    Attributes:
        folder: what the build may copy from. copied: names in it, so that nothing else, a home or keys, gets into the
            image. installed: what pip is given in the image. constraints: file of exact versions there; "" without one.
    """

    folder: str
    copied: Sequence[str]
    installed: str
    constraints: str = ""


def compose_file(command: Command, source: Source, database_setting: str, health_url: str) -> str:
    """Selvedge with all its services in one container, and PostgreSQL beside it.

    One container, because the services trust the loopback address they share: behind their doors they answer nobody
    else. The host's network, because the doors listen on the loopback address, too.

    Args:
        command: its program is one of the image's.
        database_setting: name of the setting that holds PostgreSQL's address.
        health_url: an address that answers 200 while all is well.
    """
    password = "${POSTGRES_PASSWORD:?set it in .env}"
    asked = f"import urllib.request; urllib.request.urlopen('{health_url}', timeout=5)"
    content: dict[str, Any] = {
        "name": "selvedge",
        "services": {
            "postgres": postgres_service(password),
            "selvedge": {
                "build": {"context": _dollars(source.folder), "dockerfile_inline": _dollars(dockerfile(source))},
                "command": [_dollars(part) for part in command.arguments],
                "depends_on": {"postgres": {"condition": "service_healthy"}},
                "restart": "unless-stopped",
                "network_mode": "host",
                "init": True,
                "stop_signal": "SIGTERM",
                "stop_grace_period": f"{STOP_SECONDS}s",
                "env_file": [".env"],
                "environment": {
                    **{name: _dollars(value) for name, value in command.environment.items()},
                    database_setting: f"postgresql://selvedge:{password}@127.0.0.1:5432/selvedge",
                },
                "volumes": ["home:/data"],
                "healthcheck": {
                    "test": ["CMD", "python", "-c", _dollars(asked)],
                    "interval": "30s",
                    "timeout": "10s",
                    "retries": 3,
                    "start_period": "15m",  # the first start installs Label Studio
                },
                "logging": rotated(),
            },
        },
        "volumes": {"home": {}, "postgres": {}},
    }
    wanted = ", ".join(("POSTGRES_PASSWORD", *command.secrets))
    head = (
        "# A file for Docker Compose 2.24 or newer, on Linux (it uses the host's network). Put it to compose.yaml in a",
        "# folder of its own, and secrets beside it into .env, one NAME=value a line, in a password only letters,",
        "# digits, - and _:  install -m 600 /dev/null .env",
        f"# It needs {wanted}. Then:  docker compose up -d --build",
        "# The links with their token:  docker compose logs selvedge | grep token=",
    )
    return "\n".join(head) + "\n" + as_yaml(content)


def postgres_service(password: str) -> dict[str, Any]:
    """PostgreSQL on the host's loopback address. password: as the file names it, no password itself."""
    return {
        "image": f"postgres:{POSTGRES}",
        "restart": "unless-stopped",
        "environment": {
            "POSTGRES_USER": "selvedge",
            "POSTGRES_DB": "selvedge",
            "POSTGRES_PASSWORD": password,
        },
        "ports": ["127.0.0.1:5432:5432"],
        "volumes": ["postgres:/var/lib/postgresql/data"],
        "healthcheck": {
            "test": ["CMD", "pg_isready", "-U", "selvedge", "-d", "selvedge"],
            "interval": "10s",
            "timeout": "5s",
            "retries": 6,
        },
        "logging": rotated(),
    }


def as_yaml(content: dict[str, Any]) -> str:
    """YAML with keys in their order and texts of several lines as they stand."""
    return yaml.dump(content, Dumper=_Dumper, sort_keys=False, width=1000)


def rotated() -> dict[str, Any]:
    """How much of a service's log is kept."""
    return {"driver": "json-file", "options": {"max-size": "10m", "max-file": "3"}}


class _Dumper(yaml.SafeDumper):
    """Text of several lines stands as it is."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _text)


def dockerfile(source: Source, index: str = "", after: Sequence[str] = ()) -> str:
    """How Selvedge's image is built.

    Args:
        index: a further package index, for another build of torch. after: lines before the user is changed.
    """
    constrained = f"--constraint {source.constraints} " if source.constraints else ""
    indexed = f"--extra-index-url {index} " if index else ""
    return "\n".join(
        (
            f"FROM {BASE_IMAGE}",
            f"RUN apt-get update && apt-get install -y --no-install-recommends {' '.join(SYSTEM_PACKAGES)} \\",
            "    && rm -rf /var/lib/apt/lists/*",
            *(f"COPY {name} /src/{'' if '*' in name else name}" for name in source.copied),
            f"RUN pip install --no-cache-dir {indexed}{constrained}{source.installed}",
            *after,
            "RUN useradd --create-home selvedge && install -d -m 700 -o selvedge -g selvedge /data",
            "USER selvedge",
            "WORKDIR /data",
            "",
        )
    )


def _quoted(text: str) -> str:
    """As systemd reads one word: in quotes, its own signs doubled."""
    escaped = _percent(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _percent(text: str) -> str:
    return text.replace("%", "%%")


def _dollars(text: str) -> str:
    """As Compose reads it: a dollar sign begins no variable."""
    return text.replace("$", "$$")
