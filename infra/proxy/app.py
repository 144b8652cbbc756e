"""The proxy as an ASGI application: admission, then an annotator's rules, then the service.

Belongs here: the order of the questions. Not here: the questions (admission.py, annotators.py).
"""

import logging
import re
from typing import Any
from urllib.parse import urlencode

import httpx

from infra.proxy import admission, annotators, pages
from infra.proxy.annotators import Person, Way
from infra.proxy.door import Door, same
from infra.proxy.forwarding import Forwarding, client
from infra.proxy.messages import (
    Answer,
    Receive,
    Request,
    Scope,
    Send,
    TooLarge,
    read_body,
)

LOG = logging.getLogger(__name__)
TOO_LARGE = "this is larger than the proxy may read"
SIGN_UP = re.compile(r"/user/signup/?")
ONLY_THE_ROUNDS = "an annotator's account reaches the rounds and nothing else of Label Studio"


class Proxy:
    """One door. http: connections to the service; its own by default."""

    def __init__(self, door: Door, http: httpx.AsyncClient | None = None) -> None:
        self.door = door
        self._forward = Forwarding(door, http or client())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
            return
        request = Request.of(scope)
        answer = self._answer(request)
        if answer is not None:
            await self._say(request, answer, receive, send)
        elif request.websocket:
            await self._forward.websocket(request, scope.get("subprotocols", []), receive, send)
        else:
            started = _Started(send)
            try:
                await self._http(request, receive, started)
            except TooLarge:
                await started.instead(pages.refused(request, "Too large", f"{TOO_LARGE}.", 413))
            except httpx.TransportError as error:
                LOG.warning("%s %s: %s", request.method, request.path, type(error).__name__)
                sentence = f"{self.door.title} does not answer now; `selvedge status` says how it is. Try again soon."
                await started.instead(pages.refused(request, f"{self.door.title} is away", sentence, 502))

    def _answer(self, request: Request) -> Answer | None:
        """The proxy's own answer, where the request does not reach the service."""
        if sentence := admission.malformed(self.door, request):
            return pages.refused(request, "Not this server", sentence)
        if request.path == pages.HEALTH and request.method == "GET":
            return Answer(200, b"ok\n")
        if self.door.service == "mlflow" and request.path == "/health" and request.method == "GET":
            return None  # MLflow's clients ask it before they know of tokens; it says OK
        if sentence := admission.from_elsewhere(request):
            return pages.refused(request, "From another page", sentence)
        token = request.parameters.get("token", "")
        if token and request.is_navigation and not _is_sign_up(self.door, request):
            return self._signed_in(request, token)
        if self.door.service != "label-studio" and not admission.has_token(self.door, request):
            return self._stranger(request)
        if request.websocket and self.door.service == "label-studio":
            return pages.refused(request, "Closed", "Label Studio has no WebSocket that the label stream needs.")
        if sentence := admission.wrong_form(self.door, request):
            return pages.refused(request, "Not in this form", sentence, 415)
        return None

    def _stranger(self, request: Request) -> Answer:
        sentence = f"{self.door.title} of this home opens for its owner: {admission.OPEN_THE_LINK}"
        sentence += "." if request.is_navigation else f", or send the token as a program does: {admission.BY_PROGRAM}."
        return pages.refused(request, "Who is it?", sentence, way_back=pages.same_address(request))

    def _signed_in(self, request: Request, token: str) -> Answer:
        """What `up`'s link gets: the cookie, and the same address without the token."""
        if not same(token, self.door.token()):
            sentence = f"this link is of another home or an older token: {admission.OPEN_THE_LINK} now."
            return pages.refused(request, "Who is it?", sentence)
        others = urlencode({name: value for name, value in request.parameters.items() if name != "token"})
        address = request.raw_path + (f"?{others}".encode() if others else b"")
        headers = (
            (b"location", address),
            (b"set-cookie", admission.cookie_header(self.door.token())),
            (b"referrer-policy", b"no-referrer"),
        )
        return Answer(303, b"", headers=headers)

    async def _say(self, request: Request, answer: Answer, receive: Receive, send: Send) -> None:
        if answer.status >= 400:
            LOG.warning("refused %s %s: %s", request.method, request.path, answer.status)
        if not request.websocket:
            await answer.send(send)
            return
        await receive()  # websocket.connect
        await send({"type": "websocket.close", "code": 1008})  # before it was accepted: status 403

    async def _http(self, request: Request, receive: Receive, send: Send) -> None:
        if self.door.service != "label-studio":
            await self._as_token_holder(request, receive, send)
            return
        if (name := request.path.removeprefix(pages.OWN_FOLDER)) in pages.INJECTED and request.path != name:
            await _file(self.door, name).send(send)
            return
        if admission.has_token(self.door, request) or admission.is_administrator(self.door, request):
            await self._as_owner(request, receive, send)
            return
        if _is_sign_up(self.door, request):
            sentence = "accounts are made with `selvedge review annotator add EMAIL`; sign-up is closed."
            await self._say(request, pages.refused(request, "Sign-up is closed", sentence), receive, send)
            return
        way = annotators.way_of(request.method, request.path, request.parameters)
        if way is Way.OPEN:
            await self._forward.http(request, receive, send)
            return
        asked = await self._forward.ask(request, "/api/current-user/whoami")
        if asked.status_code != 200:
            await self._unknown(request, way, receive, send)
            return
        person = Person(int(asked.json()["id"]), str(asked.json()["email"]))
        if same(person.email, self.door.administrator()[0]):
            await self._as_owner(request, receive, send)
        else:
            await self._as_annotator(request, way, person, receive, send)

    async def _as_token_holder(self, request: Request, receive: Receive, send: Send) -> None:
        """Everything of Dagster and MLflow; MLflow's page opens as one of this house."""
        if self.door.service == "mlflow" and request.path == pages.OWN_FOLDER + pages.MLFLOW_SCRIPT:
            await pages.mlflow_script().send(send)
            return
        opens = self.door.service == "mlflow" and request.method == "GET" and request.path == "/"
        await self._forward.http(request, receive, send, rewrite=_mlflow_page if opens else None)

    async def _as_owner(self, request: Request, receive: Receive, send: Send) -> None:
        """Everything; the stream looks as it does to annotators."""
        way = annotators.way_of(request.method, request.path, request.parameters)
        rewrite = self._stream_page if way is Way.STREAM else None
        await self._forward.http(request, receive, send, rewrite=rewrite)

    async def _unknown(self, request: Request, way: Way, receive: Receive, send: Send) -> None:
        """Nobody is signed in: pages lead to the sign-in, nothing else is asked of Label Studio."""
        if way is Way.STREAM:
            await self._forward.http(request, receive, send)  # it remembers the page for after the sign-in
        elif way in (Way.ROUNDS, Way.CLOSED) and request.is_navigation:
            await Answer(302, b"", headers=((b"location", b"/user/login/"),)).send(send)
        else:
            answer = pages.refused(request, "Closed", "sign in to Label Studio first.", 401)
            await self._say(request, answer, receive, send)

    async def _as_annotator(self, request: Request, way: Way, person: Person, receive: Receive, send: Send) -> None:
        body: bytes | None = None
        if way is Way.CLOSED or way is Way.ROUNDS:
            await self._rounds(request, way, receive, send)
            return
        if way is Way.UNSORTED:
            body = await read_body(receive)
            if annotators.asks_about_others(request.parameters, body, request.is_json):
                sentence = "tasks are neither chosen nor sorted by an annotator."
                await self._say(request, pages.refused(request, "Closed", sentence), receive, send)
                return
        if way in (Way.BALLOT, Way.OWN, Way.OWN_BALLOT):
            body = await read_body(receive)
            if sentence := await self._objection(request, way, person, body):
                await self._say(request, pages.refused(request, "Not yours", sentence), receive, send)
                return
        if way is Way.STREAM:
            await self._forward.http(request, receive, send, body, self._stream_page)
        elif way in (Way.FILTERED, Way.UNSORTED, Way.OWN):
            await self._forward.http(
                request, receive, send, body, lambda status, content: _theirs(status, content, person)
            )
        else:
            await self._forward.http(request, receive, send, body)

    async def _rounds(self, request: Request, way: Way, receive: Receive, send: Send) -> None:
        """The list of rounds, in place of Label Studio's projects and behind every closed page."""
        sentence = "" if way is Way.ROUNDS else f"{ONLY_THE_ROUNDS}."
        if not request.is_navigation:
            await self._say(request, pages.refused(request, "Closed", sentence or ONLY_THE_ROUNDS), receive, send)
            return
        listed = await self._forward.ask(request, "/api/projects?page_size=100&include=id,title")
        projects: list[Any] = listed.json().get("results", []) if listed.status_code == 200 else []
        status = 200 if way is Way.ROUNDS else 403
        await self._say(request, pages.rounds(status, projects, sentence[:1].upper() + sentence[1:]), receive, send)

    def _stream_page(self, status: int, html: bytes) -> bytes:
        return pages.with_annotator_page(html, self.door.stream_folder) if status == 200 else html

    async def _objection(self, request: Request, way: Way, person: Person, body: bytes) -> str:
        """Why a request about one ballot or draft is refused; empty when it may go on."""
        task = re.match(r"/api/tasks/(\d+)", request.path)
        number = int(task[1]) if task else None
        if way is not Way.BALLOT:
            address = re.sub(r"^/api/tasks/\d+(/annotations/\d+)/drafts/?$", r"/api\1", request.path)
            asked = await self._forward.ask(request, address)
            kept = asked.json() if asked.status_code == 200 else None
            if not annotators.is_theirs(kept, person):
                return "this ballot is not yours."
            number = kept.get("task") if isinstance(kept, dict) and number is None else number
        if way is Way.OWN:
            return ""
        sentence = annotators.objection(body, request.is_json, person, number)
        return f"{sentence}." if sentence else ""


class _Started:
    """A `send` that knows whether the answer has begun: then nothing can be said instead."""

    def __init__(self, send: Send) -> None:
        self._send, self._begun = send, False

    async def __call__(self, message: Any) -> None:
        self._begun = True
        await self._send(message)

    async def instead(self, answer: Answer) -> None:
        if self._begun:
            raise ConnectionError("the service broke off in the middle of an answer")
        await answer.send(self._send)


def _is_sign_up(door: Door, request: Request) -> bool:
    return door.service == "label-studio" and SIGN_UP.fullmatch(request.path) is not None


def _mlflow_page(status: int, html: bytes) -> bytes:
    return pages.with_mlflow_script(html) if status == 200 else html


def _theirs(status: int, body: bytes, person: Person) -> bytes:
    """Refusals of Label Studio's tell nothing about others, and are no JSON at times."""
    return annotators.filtered(body, person) if 200 <= status < 300 and body else body


def _file(door: Door, name: str) -> Answer:
    path = pages.injected_file(door.stream_folder, name)
    return Answer(200, path.read_bytes(), pages.INJECTED[name]) if path else Answer(404, b"There is no such file.\n")


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        event = (await receive())["type"]
        await send({"type": f"{event}.complete"})
        if event == "lifespan.shutdown":
            return
