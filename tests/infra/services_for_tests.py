"""Small services that tests start: a web server that needs milliseconds where MLflow needs seconds."""

import sys
from pathlib import Path

from infra.local.services import Service


def web_service(folder: Path, port: int, **changes: object) -> Service:
    """Python's own web server over an empty folder."""
    folder.mkdir(parents=True, exist_ok=True)
    fields: dict[str, object] = {
        "name": "web",
        "command": (sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"),
        "folder": folder,
        "log": folder / "web.log",
        "port": port,
        "health_url": f"http://127.0.0.1:{port}/",
        "port_setting": "SELVEDGE_WEB_PORT",
        "start_timeout_seconds": 20.0,
    }
    return Service(**{**fields, **changes})  # type: ignore[arg-type]
