"""A front before an S3 endpoint that fails as stores do: answers of 500 and 503, silence, bodies cut short.

Belongs here: passing requests on, and which of them go wrong. Not here: what is asked through it (flaky_storage.py).

Faults are drawn from a seed, request by request. A refusal or a silence comes before the store saw the request or after
it did what was asked, as likely as not: only so is it found out whether asking again is safe. A body is cut on the
wire, or comes whole by its own header and lacks its end.
"""

import contextlib
import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive", "date", "server"}
REFUSALS = ((500, "InternalError"), (503, "SlowDown"))
FAULTS = ("refused", "silent", "cut", "shortened")
BODYLESS = 204


@dataclass(frozen=True)
class Rates:
    """Shares of the requests that go wrong. Truncated bodies are cut on the wire and shortened in turns."""

    refused: float = 0.05
    silent: float = 0.01
    truncated: float = 0.005


@dataclass
class FlakyFront:
    """The front, its counts and its address.

    Attributes:
        silence_seconds: how long a silent request is held; longer than the client waits.
        asked: requests by method. faults: those that went wrong, by kind. repeated: requests for what a request before
            had failed at, which are the client's retries.
    """

    store: str
    rates: Rates = field(default_factory=Rates)
    seed: int = 7
    silence_seconds: float = 60.0
    asked: Counter[str] = field(default_factory=Counter)
    faults: Counter[str] = field(default_factory=Counter)
    repeated: int = 0

    def __post_init__(self) -> None:
        self._drawing = random.Random(self.seed)
        self._lock = threading.Lock()
        self._failed: Counter[tuple[str, str]] = Counter()
        self._ended = threading.Event()
        self._turn = 0
        self.url = ""

    def fault_of(self, method: str, path: str) -> tuple[str, bool]:
        """What goes wrong with a request ("" for nothing), and whether the store sees it first."""
        with self._lock:
            self.asked[method] += 1
            if self._failed[method, path]:
                self._failed[method, path] -= 1
                self.repeated += 1
            share, seen = self._drawing.random(), self._drawing.random() < 0.5
        if share < self.rates.refused:
            return "refused", seen
        if share < self.rates.refused + self.rates.silent:
            return "silent", seen
        return ("truncated" if share < self.rates.refused + self.rates.silent + self.rates.truncated else ""), True

    def count(self, kind: str, method: str, path: str) -> None:
        with self._lock:
            self.faults[kind] += 1
            self._failed[method, path] += 1

    def turn(self) -> str:
        with self._lock:
            self._turn += 1
            return ("cut", "shortened")[self._turn % 2]

    def wait(self) -> None:
        """Say nothing until the client has gone, or the front ends."""
        self._ended.wait(self.silence_seconds)

    @contextlib.contextmanager
    def running(self) -> Iterator["FlakyFront"]:
        """Answer on a free port of loopback."""
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"front": self}))
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        self.url = f"http://127.0.0.1:{server.server_address[1]}"
        try:
            yield self
        finally:
            self._ended.set()
            server.shutdown()
            server.server_close()
            thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    front: FlakyFront

    def _answer(self) -> None:
        body = self._body()
        kind, seen = self.front.fault_of(self.command, self.path)
        answer = self._passed_on(body) if seen else None
        if kind == "refused":
            self._refuse()
        elif kind == "silent":
            self.front.count("silent", self.command, self.path)
            self.front.wait()
            self.close_connection = True
        elif answer is not None:
            self._send(*answer, truncated=kind == "truncated")

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _answer

    def _body(self) -> bytes:
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _passed_on(self, body: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
        address = urlsplit(self.front.store)
        connection = http.client.HTTPConnection(address.hostname or "", address.port or 80, timeout=60)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP - {"date"}}
        try:
            connection.request(self.command, self.path, body=body, headers=headers)
            response = connection.getresponse()
            kept = [(name, value) for name, value in response.getheaders() if name.lower() not in HOP_BY_HOP]
            length = response.getheader("Content-Length")
            if self.command == "HEAD" and length:
                kept.append(("Content-Length", length))
            return response.status, kept, response.read()
        finally:
            connection.close()

    def _refuse(self) -> None:
        self.front.count("refused", self.command, self.path)
        status, code = REFUSALS[int(time.monotonic_ns()) % 2]
        content = f"<Error><Code>{code}</Code><Message>Please try again.</Message></Error>".encode()
        self._send(status, [("Content-Type", "application/xml")], b"" if self.command == "HEAD" else content)

    def _send(self, status: int, headers: list[tuple[str, str]], content: bytes, truncated: bool = False) -> None:
        kind = self.front.turn() if truncated and content else ""
        if kind:
            self.front.count(kind, self.command, self.path)
        sent = content[: len(content) // 2] if kind else content
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        if self.command != "HEAD" and status != BODYLESS:
            self.send_header("Content-Length", str(len(content if kind == "cut" else sent)))
        elif self.command == "HEAD" and not any(name.lower() == "content-length" for name, _ in headers):
            self.send_header("Content-Length", "0")
        if kind:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(sent)

    def log_message(self, *_: object) -> None: ...
