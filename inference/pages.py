"""Pages over HTTP on this machine: the policy of every answer, files of a page, the socket, sentences for errors.

Belongs here: what the discovery page and the request API share. Not here: any address (discovery/service.py,
service/).

A page loads nothing from elsewhere and may run no script but its own.
"""

import socket
from collections.abc import Awaitable, Callable
from pathlib import Path

from fastapi import Request, Response

from catalog.errors import SelvedgeError

HOST = "127.0.0.1"
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def listening(port: int) -> socket.socket:
    """A socket of this machine alone that takes requests from now on.

    Raises:
        SelvedgeError: the port is taken.
    """
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(64)
    except OSError as error:
        listener.close()
        raise SelvedgeError(
            f"port {port} of {HOST} cannot be used ({error.strerror}); choose another with --port."
        ) from error
    return listener


def page_file(path: Path, kind: str) -> Callable[[], Response]:
    """An address's function that sends one file of a page.

    Args:
        kind: its media type.
    """

    def send() -> Response:
        return Response(path.read_bytes(), media_type=kind)

    return send


async def with_headers(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    """Middleware: `HEADERS` on every answer, where it has none of its own."""
    response = await answer(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response
