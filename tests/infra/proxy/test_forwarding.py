"""Streams, uploads and WebSockets through a proxy on a real port, as `up` starts it."""

import asyncio
import socket
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from infra.proxy.__main__ import LARGEST_HEADERS_BYTES, options
from infra.proxy.app import Proxy
from infra.proxy.door import Door, cookie_name, cookie_value, ensure_token
from tests.ports import free_port

RELEASE = threading.Event()
UPLOAD_BYTES = 3 * 1024 * 1024


async def upload(request: Request) -> JSONResponse:
    pieces, size = 0, 0
    async for piece in request.stream():
        pieces, size = pieces + 1, size + len(piece)
    return JSONResponse({"pieces": pieces, "size": size, "length": request.headers.get("content-length")})


async def slow(request: Request) -> StreamingResponse:
    async def pieces():
        yield b"first"
        while not RELEASE.is_set():
            await asyncio.sleep(0.01)
        yield b"second"

    return StreamingResponse(pieces())


async def talk(socket: WebSocket) -> None:
    await socket.accept(subprotocol="graphql-ws" if "graphql-ws" in socket.scope["subprotocols"] else None)
    assert "authorization" not in socket.headers
    while (text := await socket.receive_text()) != "bye":
        await socket.send_text(f"{text}!")
    await socket.close(4000)


class Served(uvicorn.Server):
    def install_signal_handlers(self) -> None: ...


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[tuple[str, str]]:
    """Host and port of the proxy, and the token."""
    folder, inner, port = tmp_path_factory.mktemp("secrets"), free_port(), free_port()
    token = ensure_token(folder)
    service = Starlette(
        routes=[Route("/upload", upload, methods=["PUT"]), Route("/slow", slow), WebSocketRoute("/graphql", talk)]
    )
    servers = [
        Served(uvicorn.Config(service, port=inner, log_level="error")),
        Served(uvicorn.Config(Proxy(Door("mlflow", port, inner, folder)), **options(port))),
    ]
    threads = [threading.Thread(target=server.run, daemon=True) for server in servers]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + 20
    while not all(server.started for server in servers):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield f"127.0.0.1:{port}", token
    for server in servers:
        server.should_exit = True
    for thread in threads:
        thread.join(5)


def test_an_upload_is_not_kept_in_memory(address):
    place, token = address
    own = {"Authorization": f"Bearer {token}"}
    sent = httpx.put(f"http://{place}/upload", content=b"x" * UPLOAD_BYTES, headers=own).json()
    assert sent["size"] == UPLOAD_BYTES and sent["pieces"] > 5 and sent["length"] == str(UPLOAD_BYTES)
    chunked = httpx.put(f"http://{place}/upload", content=iter([b"a" * 70000, b"b"]), headers=own).json()
    assert (chunked["size"], chunked["length"]) == (70001, None)


def test_an_answer_streams(address):
    place, token = address
    with httpx.stream("GET", f"http://{place}/slow", headers={"Authorization": f"Bearer {token}"}) as answer:
        pieces = answer.iter_raw()
        assert next(pieces) == b"first"  # before the service has finished
        RELEASE.set()
        assert b"".join(pieces) == b"second"


def test_a_websocket_of_the_page_itself_passes(address):
    place, token = address
    own = {"Cookie": f"{cookie_name(token)}={cookie_value(token)}"}
    with connect(
        f"ws://{place}/graphql", additional_headers=own, origin=f"http://{place}", subprotocols=["graphql-ws"]
    ) as page:
        assert page.subprotocol == "graphql-ws"
        for word in ("one", "zwei"):
            page.send(word)
            assert page.recv(timeout=5) == f"{word}!"
        page.send("bye")
        with pytest.raises(ConnectionClosed):
            page.recv(timeout=5)
        assert page.close_code == 4000


@pytest.mark.parametrize("origin", ["http://evil.example", "http://localhost:8080", None])
def test_a_websocket_of_another_page_is_refused(origin, address):
    place, token = address
    own = {"Cookie": f"{cookie_name(token)}={cookie_value(token)}"}
    with (
        pytest.raises(InvalidStatus) as refused,
        connect(f"ws://{place}/graphql", additional_headers=own, origin=origin),
    ):
        pass
    assert refused.value.response.status_code == 403
    with pytest.raises(InvalidStatus), connect(f"ws://{place}/graphql", origin=f"http://{place}"):
        pass


def test_headers_have_a_limit(address):
    place, _token = address
    host, _, port = place.partition(":")
    with socket.create_connection((host, int(port)), timeout=5) as raw:
        raw.sendall(b"GET / HTTP/1.1\r\nHost: " + place.encode() + b"\r\nX: " + b"a" * LARGEST_HEADERS_BYTES)
        assert raw.recv(100).startswith(b"HTTP/1.1 4")
