"""`python -m infra.proxy SERVICE PORT INNER SECRETS [--host NAME]… [--stream FOLDER]`: one proxy as a process.

Belongs here: arguments and the server's limits. The secrets stay in their files: arguments stand in the process list.
"""

import argparse
import logging
from pathlib import Path
from typing import Any

import uvicorn

from infra.proxy.app import Proxy
from infra.proxy.door import TITLES, Door
from infra.proxy.forwarding import LARGEST_FRAME_BYTES

LARGEST_HEADERS_BYTES = 64 * 1024


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="proxy")
    parser.add_argument("service", choices=sorted(TITLES))
    parser.add_argument("port", type=int)
    parser.add_argument("inner", type=int)
    parser.add_argument("secrets", type=Path)
    parser.add_argument("--host", action="append", default=[])
    parser.add_argument("--stream", type=Path)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    door = Door(
        arguments.service,
        arguments.port,
        arguments.inner,
        arguments.secrets,
        tuple(arguments.host),
        arguments.stream,
    )
    uvicorn.run(Proxy(door), **options(arguments.port))


def options(port: int) -> dict[str, Any]:
    """How uvicorn serves a proxy: limits, no compression, no header that names it."""
    return {
        "host": "127.0.0.1",
        "port": port,
        "http": "h11",
        "h11_max_incomplete_event_size": LARGEST_HEADERS_BYTES,
        "ws_max_size": LARGEST_FRAME_BYTES,
        "ws_per_message_deflate": False,
        "access_log": False,
        "server_header": False,
        "date_header": False,
        "proxy_headers": False,
        "log_level": "warning",
        "timeout_graceful_shutdown": 3,
    }


if __name__ == "__main__":
    main()
