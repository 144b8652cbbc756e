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


# Answers until the file is there; from then on it takes requests and says nothing.
HANGING = (
    "import http.server, pathlib, sys, time\n"
    "class Handler(http.server.SimpleHTTPRequestHandler):\n"
    "    def do_GET(self):\n"
    "        time.sleep(600 if pathlib.Path(sys.argv[2]).exists() else 0)\n"
    "        self.send_response(200), self.end_headers()\n"
    "http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), Handler).serve_forever()\n"
)

# Starts the server that listens and waits for it, as `mlflow server` does; one more child in a session of its own.
PARENT = (
    "import subprocess, sys\n"
    "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'], start_new_session=True)\n"
    "subprocess.run([sys.executable, '-m', 'http.server', sys.argv[1], '--bind', '127.0.0.1'])\n"
)


def parent_service(folder: Path, port: int, **changes: object) -> Service:
    """A web server that is the child of the process that was started."""
    return web_service(folder, port, command=(sys.executable, "-c", PARENT, str(port)), **changes)
