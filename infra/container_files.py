"""Container files: the images of Selvedge and of Label Studio, and all services together, as files in containers/.

Belongs here: their text, of the same pieces as `selvedge up --print compose` (unit_files.py). Not here: settings of a
home.

    python -m infra.container_files --write

The CPU image serves everywhere but at training: as `selvedge up`, as the function that makes ads (awslambdaric answers
Lambda), and behind an endpoint of SageMaker, which starts `serve`. The GPU image differs in torch's build alone. They
are linted, and nobody has built or run them: there is no engine where Selvedge is tested.
"""

import sys
from pathlib import Path
from typing import Any

from infra.unit_files import BASE_IMAGE, STOP_SECONDS, Source, as_yaml, dockerfile, postgres_service, rotated

FOLDER = Path(__file__).with_name("containers")
ROOMS = ("catalog", "evaluation", "training", "labeling", "inference", "infra", "orchestration", "models")
COPIED = ("pyproject.toml", "constraints.txt", "README.md", "LICENSE", *ROOMS)
SOURCE = Source(".", COPIED, "'/src[aws,postgres]' awslambdaric==4.2.2", "/src/constraints.txt")
CPU_INDEX = "https://download.pytorch.org/whl/cpu"
SERVE = "exec mlflow models serve --model-uri /opt/ml/model --host 0.0.0.0 --port 8080 --env-manager local"
SERVED = (f"RUN printf '%s\\n' '#!/bin/sh' '{SERVE}' > /usr/local/bin/serve && chmod 755 /usr/local/bin/serve",)
HEAD = "# Written by `python -m infra.container_files --write`. Build from the project's folder:\n#   "
PASSWORD = "${POSTGRES_PASSWORD:?set it in .env}"
S3_KEY, S3_SECRET = "${S3_ACCESS_KEY:?set it in .env}", "${S3_SECRET_KEY:?set it in .env}"
S3_PORT, LABEL_STUDIO_PORT = 7070, 8080
HEALTH = "http://127.0.0.1:3000/selvedge/health"
ACCOUNT = "/run/secrets/label-studio-account"


def files() -> dict[str, str]:
    """Text by name."""
    return {
        "Dockerfile.cpu": _head("cpu") + dockerfile(SOURCE, CPU_INDEX, SERVED) + 'CMD ["selvedge", "up"]\n',
        "Dockerfile.gpu": _head("gpu") + dockerfile(SOURCE, "", SERVED) + 'CMD ["selvedge", "--help"]\n',
        "Dockerfile.label-studio": _head("label-studio") + _label_studio(),
        "compose.yaml": _compose(),
    }


def write(folder: Path = FOLDER) -> None:
    """Put all of them into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files().items():
        (folder / name).write_text(text, encoding="utf-8")


def _head(name: str) -> str:
    return f"{HEAD}docker build --file infra/containers/Dockerfile.{name} --tag selvedge:{name} .\n"


def _label_studio() -> str:
    server = "/srv/label_studio_server.py"
    return "\n".join(
        (
            f"FROM {BASE_IMAGE}",
            "COPY infra/local/label-studio.txt /srv/label-studio.txt",
            "RUN pip install --no-cache-dir --requirement /srv/label-studio.txt",
            f"COPY infra/local/label_studio_server.py {server}",
            "RUN useradd --create-home selvedge && install -d -m 700 -o selvedge -g selvedge /data",
            "USER selvedge",
            "WORKDIR /data",
            f'CMD ["python", "-I", "{server}", "{ACCOUNT}", "{LABEL_STUDIO_PORT}"]',
            "",
        )
    )


def _compose() -> str:
    """All services on one host, whose loopback address they share: behind their doors they answer nobody else."""
    shared: dict[str, Any] = {"restart": "unless-stopped", "network_mode": "host", "init": True, "logging": rotated()}
    hardened: dict[str, Any] = {"security_opt": ["no-new-privileges:true"], "cap_drop": ["ALL"]}
    content: dict[str, Any] = {
        "name": "selvedge",
        "services": {
            "postgres": postgres_service(PASSWORD) | {"mem_limit": "2g", "security_opt": hardened["security_opt"]},
            "bucket": {  # a bucket of the store is a folder of its disk
                "image": "busybox:1.37",
                "command": ["mkdir", "-p", "/data/selvedge"],
                "network_mode": "none",
                "volumes": ["objects:/data"],
                "logging": rotated(),
                "read_only": True,
                "mem_limit": "64m",
                **hardened,
            },
            "storage": {
                "image": "versity/versitygw:v1.0.18",
                "command": ["--port", f"127.0.0.1:{S3_PORT}", "posix", "/data"],
                "depends_on": {"bucket": {"condition": "service_completed_successfully"}},
                "environment": {"ROOT_ACCESS_KEY": S3_KEY, "ROOT_SECRET_KEY": S3_SECRET},
                "volumes": ["objects:/data"],
                "read_only": True,
                "tmpfs": ["/tmp"],
                "mem_limit": "1g",
                **shared,
                **hardened,
            },
            "label-studio": {
                "build": {"context": "../..", "dockerfile": "infra/containers/Dockerfile.label-studio"},
                "depends_on": {"postgres": {"condition": "service_healthy"}},
                "environment": {
                    "LABEL_STUDIO_DJANGO_DB": "default",
                    "LABEL_STUDIO_POSTGRE_HOST": "127.0.0.1",
                    "LABEL_STUDIO_POSTGRE_PORT": "5432",
                    "LABEL_STUDIO_POSTGRE_NAME": "selvedge",
                    "LABEL_STUDIO_POSTGRE_USER": "selvedge",
                    "LABEL_STUDIO_POSTGRE_PASSWORD": PASSWORD,
                    "LABEL_STUDIO_BASE_DATA_DIR": "/data",
                    "LABEL_STUDIO_COLLECT_ANALYTICS": "false",
                },
                "secrets": ["label-studio-account"],
                "volumes": ["label-studio:/data"],
                "healthcheck": _asked(f"http://127.0.0.1:{LABEL_STUDIO_PORT}/health", "5m"),
                "mem_limit": "3g",
                **shared,
                **hardened,
            },
            "selvedge": {
                "build": {"context": "../..", "dockerfile": "infra/containers/Dockerfile.cpu"},
                "depends_on": {
                    "postgres": {"condition": "service_healthy"},
                    "storage": {"condition": "service_started"},
                    "label-studio": {"condition": "service_healthy"},
                },
                "stop_signal": "SIGTERM",
                "stop_grace_period": f"{STOP_SECONDS}s",
                "environment": {
                    "SELVEDGE_HOME": "/data",
                    "SELVEDGE_POSTGRES": f"postgresql://selvedge:{PASSWORD}@127.0.0.1:5432/selvedge",
                    "SELVEDGE_STORAGE": "s3://selvedge/home",
                    "SELVEDGE_MLFLOW_ARTIFACTS": "s3://selvedge/mlflow",
                    "SELVEDGE_LABEL_STUDIO": f"http://127.0.0.1:{LABEL_STUDIO_PORT}",
                    "AWS_ENDPOINT_URL": f"http://127.0.0.1:{S3_PORT}",
                    "AWS_ACCESS_KEY_ID": S3_KEY,
                    "AWS_SECRET_ACCESS_KEY": S3_SECRET,
                    "AWS_DEFAULT_REGION": "us-east-1",
                    "HF_HUB_OFFLINE": "1",
                    "DAGSTER_DISABLE_TELEMETRY": "1",
                    "MLFLOW_DISABLE_TELEMETRY": "true",
                },
                "volumes": ["home:/data"],
                "healthcheck": _asked(HEALTH, "5m"),
                "mem_limit": "${MEMORY_OF_SELVEDGE:-16g}",
                **shared,
                **hardened,
            },
        },
        "secrets": {"label-studio-account": {"file": "./label-studio-account.json"}},
        "volumes": {"home": {}, "label-studio": {}, "objects": {}, "postgres": {}},
    }
    head = (
        "# Written by `python -m infra.container_files --write`. For Docker Compose 2.24 or newer, on Linux (it uses",
        "# the host's network). Secrets stand beside it in .env, one NAME=value a line, in a password only letters,",
        "# digits, - and _:  install -m 600 /dev/null .env",
        "# It needs POSTGRES_PASSWORD, S3_ACCESS_KEY, S3_SECRET_KEY, and label-studio-account.json, which holds the",
        "# administrator: copy secrets/label-studio.json of a home. Then:  docker compose up -d --build",
    )
    return "\n".join(head) + "\n" + as_yaml(content)


def _asked(url: str, start: str) -> dict[str, object]:
    asked = f"import urllib.request; urllib.request.urlopen('{url}', timeout=5)"
    return {
        "test": ["CMD", "python", "-c", asked],
        "interval": "30s",
        "timeout": "10s",
        "retries": 3,
        "start_period": start,
    }


if __name__ == "__main__":
    if sys.argv[1:] != ["--write"]:
        sys.exit("usage: python -m infra.container_files --write")
    write()
