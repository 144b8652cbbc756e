"""`python -m orchestration.runtime.proxy SERVICE PORT INNER SECRETS [--host NAME]…`: one proxy as a process.

Belongs here: arguments and the server's limits. The secrets stay in their files: arguments stand in the process list.
"""

import argparse
import logging
from pathlib import Path
from typing import Any

import uvicorn

from orchestration.runtime.proxy.app import Proxy
from orchestration.runtime.proxy.door import TITLES, Door
from orchestration.runtime.proxy.forwarding import LARGEST_FRAME_BYTES

LARGEST_HEADERS_BYTES = 64 * 1024


def main() -> None:
    """Serve until SIGTERM."""
    parser = argparse.ArgumentParser(prog="proxy")
    parser.add_argument("service", choices=sorted(TITLES))
    parser.add_argument("port", type=int)
    parser.add_argument("inner", type=int)
    parser.add_argument("secrets", type=Path)
    parser.add_argument("--host", action="append", default=[])
    given = parser.parse_args()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    door = Door(given.service, given.port, given.inner, given.secrets, tuple(given.host))
    uvicorn.run(Proxy(door), **options(given.port))


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
