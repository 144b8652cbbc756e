"""How a request travels to the service and its answer back: streamed, with the headers that may pass.

Belongs here: HTTP and WebSocket between browser and service. Not here: whether it may (admission.py, annotators.py).
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from http.cookiejar import CookieJar, DefaultCookiePolicy
from urllib.parse import urlsplit

import httpx

from infra.proxy.admission import OWNER_HEADER, bearer
from infra.proxy.door import INNER_HEADER, Door, cookie_name, inner_secret, same
from infra.proxy.messages import (
    LARGEST_BUFFERED_BYTES,
    Answer,
    Headers,
    Receive,
    Request,
    Send,
    TooLarge,
    host_of,
    without_cookie,
    without_hops,
)

CONNECT_SECONDS = 5.0
LARGEST_FRAME_BYTES = 64 * 1024 * 1024
SAID_BY_PROXIES = (
    *(b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-port"),
    *(b"x-forwarded-prefix", b"x-real-ip", b"x-http-method-override", b"x-original-url", b"x-rewrite-url"),
)
Rewrite = Callable[[int, bytes], bytes]  # of a body that was read whole, with the answer's status


def client(transport: httpx.AsyncBaseTransport | None = None) -> httpx.AsyncClient:
    """The connections to the service. None is kept: one that the service closes meanwhile would lose a vote.

    Nor is any cookie: it would sign the next person in as the one before.

    Args:
        transport: in place of the network.
    """
    return httpx.AsyncClient(
        transport=transport,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
        limits=httpx.Limits(max_connections=None, max_keepalive_connections=0),
        trust_env=False,
        follow_redirects=False,
    )


def passed_on(door: Door, request: Request) -> list[tuple[bytes, bytes]]:
    """The headers that the service is given: its own Host, no secret of the home, nothing a proxy may claim."""
    token = door.token()
    dropped = [b"host", b"origin", b"referer", OWNER_HEADER.encode(), INNER_HEADER, *SAID_BY_PROXIES]
    if bearer(request) and same(bearer(request), token):
        dropped.append(b"authorization")
    headers = [(b"host", door.told_host.encode())]
    if door.service != "mlflow":  # of which the Host is the secret
        headers.append((INNER_HEADER, inner_secret(token).encode()))
    for name, value in without_hops(request.headers, *dropped):
        kept = without_cookie(value, cookie_name(token)) if name == b"cookie" and token else value
        if kept or name != b"cookie":
            headers.append((name, kept))
    if door.service == "label-studio":  # Django compares it with its host
        for name, value in request.headers:
            if name in (b"origin", b"referer"):
                headers.append(
                    (name, f"http://{door.told_host}{_below(value.decode('latin-1'), name)}".encode("latin-1"))
                )
    return headers


def _below(address: str, name: bytes) -> str:
    parts = urlsplit(address)
    return "" if name == b"origin" else parts.path + (f"?{parts.query}" if parts.query else "")


def handed_back(door: Door, headers: Headers, *dropped: bytes) -> list[tuple[bytes, bytes]]:
    """The headers of an answer that the browser is given.

    Raises:
        ValueError: the answer leads to a foreign host.
    """
    kept = without_hops(headers, *dropped)
    return [(name, _location(door, value) if name == b"location" else value) for name, value in kept]


def _location(door: Door, value: bytes) -> bytes:
    """A redirect as a path of this server."""
    address = value.decode("latin-1")
    parts = urlsplit(address)
    ours = door.allowed_hosts | {door.told_host, f"127.0.0.1:{door.inner}", f"localhost:{door.inner}"}
    if parts.scheme or parts.netloc:
        if host_of(address if parts.scheme else f"http:{address}") not in ours:
            raise ValueError(address)
        address = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        address += f"#{parts.fragment}" if parts.fragment else ""
    if address.replace("\\", "/").startswith("//"):
        raise ValueError(address)
    return address.encode("latin-1")


class Forwarding:
    """Requests to one service."""

    def __init__(self, door: Door, http: httpx.AsyncClient) -> None:
        self._door, self._http = door, http

    def _url(self, request: Request, scheme: str = "http") -> httpx.URL:
        query = f"?{request.query}".encode("latin-1") if request.query else b""
        return httpx.URL(scheme=scheme, host="127.0.0.1", port=self._door.inner, raw_path=request.raw_path + query)

    async def ask(self, request: Request, path: str) -> httpx.Response:
        """A question of the proxy's own to the service, with the credentials of a request."""
        headers = [
            (name, value)
            for name, value in passed_on(self._door, request)
            if name in (b"cookie", b"authorization", b"host", INNER_HEADER)
        ]
        url = httpx.URL(scheme="http", host="127.0.0.1", port=self._door.inner, raw_path=path.encode())
        return await self._http.get(url, headers=[*headers, (b"accept", b"application/json")], timeout=60)

    async def http(
        self, request: Request, receive: Receive, send: Send, body: bytes | None = None, rewrite: Rewrite | None = None
    ) -> None:
        """One request and its answer.

        Args:
            body: of the request, where it has been read already.
            rewrite: what to make of the answer's body, which is then read whole.

        Raises:
            httpx.ConnectError: the service is away. TooLarge: the body cannot be rewritten.
        """
        dropped = {b"accept-encoding", b"if-none-match", b"if-modified-since", b"range"} if rewrite else set()
        headers = [(name, value) for name, value in passed_on(self._door, request) if name not in dropped]
        names = {name for name, _ in request.headers}
        content = body if body is not None else _incoming(receive) if _has_body(names) else None
        sent = self._http.build_request(request.method, self._url(request), headers=headers, content=content)
        if rewrite:
            sent.headers["accept-encoding"] = "identity"
        response = await self._http.send(sent, stream=True)
        try:
            if rewrite is None:
                await self._stream(response, send)
            else:
                await self._rewritten(response, rewrite, send)
        finally:
            await response.aclose()

    async def _stream(self, response: httpx.Response, send: Send) -> None:
        if (headers := await self._headers(response, send)) is None:
            return
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        async for piece in response.aiter_raw():
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})

    async def _rewritten(self, response: httpx.Response, rewrite: Rewrite, send: Send) -> None:
        body = bytearray()
        async for piece in response.aiter_bytes():
            body += piece
            if len(body) > LARGEST_BUFFERED_BYTES:
                raise TooLarge
        content = rewrite(response.status_code, bytes(body))
        dropped = (b"content-length", b"content-encoding", b"etag", b"last-modified", b"accept-ranges")
        if (headers := await self._headers(response, send, *dropped)) is None:
            return
        headers.append((b"content-length", str(len(content)).encode()))
        await send({"type": "http.response.start", "status": response.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": content})

    async def _headers(self, response: httpx.Response, send: Send, *dropped: bytes) -> list[tuple[bytes, bytes]] | None:
        try:
            return handed_back(self._door, response.headers.raw, *dropped)
        except ValueError as elsewhere:
            sentence = f"{self._door.title} wanted to send you to another server ({elsewhere}), which is not followed."
            await Answer(502, sentence.encode()).send(send)
            return None

    async def websocket(self, request: Request, subprotocols: list[str], receive: Receive, send: Send) -> None:
        """One WebSocket, frame by frame, until either side closes it."""
        from websockets.asyncio.client import connect
        from websockets.exceptions import ConnectionClosed, WebSocketException
        from websockets.typing import Subprotocol

        dropped = (b"host", b"origin", b"referer")
        headers = [
            (name.decode(), value.decode("latin-1"))
            for name, value in passed_on(self._door, request)
            if name not in dropped and not name.startswith(b"sec-")
        ]
        await receive()  # websocket.connect
        try:
            service = await connect(
                str(self._url(request, "ws")),
                subprotocols=[Subprotocol(name) for name in subprotocols] or None,
                additional_headers=headers,
                user_agent_header=None,
                compression=None,
                proxy=None,
                max_size=LARGEST_FRAME_BYTES,
            )
        except (OSError, WebSocketException):
            await send({"type": "websocket.close", "code": 1013})
            return
        await send({"type": "websocket.accept", "subprotocol": service.subprotocol})

        async def inwards() -> None:
            while (message := await receive())["type"] == "websocket.receive":
                text = message.get("text")
                await service.send(text if text is not None else message["bytes"])

        async def outwards() -> None:
            async for frame in service:
                await send({"type": "websocket.send", "text" if isinstance(frame, str) else "bytes": frame})

        pumps = [asyncio.ensure_future(inwards()), asyncio.ensure_future(outwards())]
        done, pending = await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pending:
            pump.cancel()
        with contextlib.suppress(ConnectionClosed, asyncio.CancelledError):
            await asyncio.gather(*pumps)
        await service.close()
        if pumps[1] in done:
            code = service.close_code or 1000
            await send({"type": "websocket.close", "code": code if code not in (1005, 1006, 1015) else 1001})


def _has_body(names: set[bytes]) -> bool:
    return bool(names & {b"content-length", b"transfer-encoding"})


async def _incoming(receive: Receive) -> AsyncIterator[bytes]:
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise httpx.ReadError("the browser went away")
        if message.get("body"):
            yield message["body"]
        if not message.get("more_body"):
            return
