"""HTTP messages as the proxy sees them: headers that are read, dropped and answered.

Belongs here: small ASGI helpers. Not here: any decision (admission.py, annotators.py).
"""

import json
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# RFC 9110, 7.6.1, and what only a proxy of ours may say.
HOP_BY_HOP = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-authenticate", b"proxy-authorization", b"proxy-connection"),
        *(b"te", b"trailer", b"transfer-encoding", b"upgrade", b"http2-settings"),
    }
)
LARGEST_BUFFERED_BYTES = 32 * 1024 * 1024  # of a body that has to be read whole before it goes on


class TooLarge(Exception):
    """A body that has to be read whole is larger than what may be kept in memory."""


@dataclass(frozen=True)
class Request:
    """What the decisions look at; header names in lower case."""

    method: str
    path: str  # decoded
    raw_path: bytes
    query: str
    headers: Headers
    websocket: bool = False

    @classmethod
    def of(cls, scope: Scope) -> "Request":
        headers = [(bytes(name).lower(), bytes(value)) for name, value in scope["headers"]]
        raw_path = scope.get("raw_path") or scope["path"].encode()
        socket = scope["type"] == "websocket"
        method = "GET" if socket else scope["method"]
        return cls(method, scope["path"], raw_path, scope.get("query_string", b"").decode("latin-1"), headers, socket)

    def all(self, name: str) -> list[str]:
        return [value.decode("latin-1") for key, value in self.headers if key == name.encode()]

    def header(self, name: str) -> str:
        """The only value of a header; empty when it is missing."""
        return ", ".join(self.all(name))

    @property
    def host(self) -> str:
        return self.header("host").lower()

    @property
    def changes(self) -> bool:
        """May the request change something? Opening a WebSocket may."""
        return self.websocket or self.method not in SAFE_METHODS

    @property
    def parameters(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @property
    def is_navigation(self) -> bool:
        """Does a person wait for a page?"""
        mode = self.header("sec-fetch-mode")
        return self.method in ("GET", "HEAD") and mode in ("", "navigate") and "text/html" in self.header("accept")

    @property
    def is_json(self) -> bool:
        return self.header("content-type").partition(";")[0].strip().lower() == "application/json"

    def cookie(self, name: str) -> str:
        for pair in self.header("cookie").split(";"):
            key, _, value = pair.strip().partition("=")
            if key == name:
                return value
        return ""


@dataclass(frozen=True)
class Answer:
    """An answer of the proxy's own."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    headers: Headers = field(default_factory=tuple)

    async def send(self, send: Send) -> None:
        headers = [
            (b"content-type", self.content_type.encode()),
            (b"content-length", str(len(self.body)).encode()),
            (b"cache-control", b"no-store"),
            (b"x-content-type-options", b"nosniff"),
            *self.headers,
        ]
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def as_json(status: int, content: Any) -> Answer:
    return Answer(status, json.dumps(content).encode(), "application/json")


def without_hops(headers: Iterable[tuple[bytes, bytes]], *more: bytes) -> list[tuple[bytes, bytes]]:
    """Headers that may travel on: neither hop-by-hop ones, nor those that `Connection` names, nor `more`."""
    headers = [(name.lower(), value) for name, value in headers]
    named = {part.strip().lower() for name, value in headers if name == b"connection" for part in value.split(b",")}
    dropped = HOP_BY_HOP | named | set(more)
    return [(name, value) for name, value in headers if name not in dropped]


def without_cookie(value: bytes, name: str) -> bytes:
    """A Cookie header without one cookie."""
    kept = [part.strip() for part in value.split(b";") if part.strip().partition(b"=")[0] != name.encode()]
    return b"; ".join(kept)


def host_of(address: str) -> str:
    """Host and port of an address, as a Host header has them; empty when it is none (`null`)."""
    try:
        parts = urlsplit(address)
        return parts.netloc.lower() if parts.scheme in ("http", "https") and "@" not in parts.netloc else ""
    except ValueError:
        return ""


async def read_body(receive: Receive) -> bytes:
    """The whole body of a request.

    Raises:
        TooLarge: it has more than LARGEST_BUFFERED_BYTES.
    """
    body = bytearray()
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LARGEST_BUFFERED_BYTES:
            raise TooLarge
        if message["type"] == "http.disconnect" or not message.get("more_body"):
            return bytes(body)
