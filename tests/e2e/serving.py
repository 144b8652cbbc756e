"""A registered version behind `mlflow models serve`, started and asked by the very blocks that a page shows.

Belongs here: putting a test's addresses in the place of those that a reader has. Not here: which blocks those are.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.local.services import Service, ensure
from infra.proxy.door import ensure_token
from orchestration.registry.interface import ModelVersionInfo
from orchestration.runtime.settings import Settings
from tests.ports import free_port

READERS_PORT = "127.0.0.1:5000"  # MLflow's own default, as pages have it
READERS_SERVER = f"http://127.0.0.1:{Settings.model_fields['mlflow_port'].default}"


@contextmanager
def serving(block: str, version: ModelVersionInfo, settings: Settings, folder: Path) -> Iterator[int]:
    """The port of the server that a block starts.

    Args:
        block: of a page. version: served in place of the page's. settings: of a home whose tracking server runs.
        folder: an empty one, as a reader's, in which that home is `.selvedge`.
    """
    port = free_port()
    ensure_token(settings.secrets)
    (folder / ".selvedge").symlink_to(settings.home)
    script, models = re.subn(r"models:/\S+", version.uri, re.sub(r" --port \d+", "", block.rstrip()))
    script, addresses = re.subn(re.escape(READERS_SERVER), settings.mlflow_uri, script)
    assert (models, addresses) == (1, 1)
    service = Service(
        name="model",
        command=("bash", "-e", "-c", f"{script} --port {port}"),
        folder=folder,
        log=folder / "model.log",
        port=port,
        health_url=f"http://127.0.0.1:{port}/ping",
        port_setting="--port",
        environment={
            "MLFLOW_DISABLE_TELEMETRY": "true",
            # MLflow starts uvicorn by name, as an activated environment would find it.
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        },
        start_timeout_seconds=300,
    )
    running = ensure(service)
    yield port
    running.stop()


def answer_to(block: str, port: int, folder: Path) -> Any:
    """What comes back where a reader types a block in this folder."""
    script = block.replace(READERS_PORT, f"127.0.0.1:{port}")
    assert script != block
    typed = subprocess.run(["bash", "-c", script], cwd=folder, capture_output=True, text=True, timeout=120)
    assert (typed.returncode, typed.stderr) == (0, "")
    return json.loads(typed.stdout)
