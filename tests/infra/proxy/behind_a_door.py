"""A proxy in this process, with a stand-in for the service behind it that says what it was asked."""

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from infra.proxy.app import Proxy
from infra.proxy.door import Door, ensure_token
from infra.proxy.forwarding import client

PORT, INNER = 3000, 41999
ADMINISTRATOR = {"email": "selvedge@localhost.local", "token": "a" * 40}
ANNA, BEN = {"id": 2, "email": "anna@shop.example"}, {"id": 3, "email": "ben@shop.example"}
SESSIONS = {"of-anna": ANNA, "of-ben": BEN, "of-admin": {"id": 1, "email": ADMINISTRATOR["email"]}}


async def echo(request: Request) -> Response:
    """What arrived."""
    asked = {
        "method": request.method,
        "path": request.scope["raw_path"].decode(),
        "query": request.url.query,
        "body": (await request.body()).decode("latin-1"),
    }
    return JSONResponse(
        {**asked, "headers": dict(request.headers)}, headers={"Connection": "close, X-Hop", "X-Hop": "1"}
    )


async def lead(request: Request) -> Response:
    return Response(status_code=302, headers={"Location": request.query_params["to"]})


def ballot(number: int, who: dict[str, Any]) -> dict[str, Any]:
    return {"id": number, "task": 7, "completed_by": who["id"], "result": [{"value": f"vote of {who['email']}"}]}


BALLOTS = {1: ballot(1, ANNA), 2: ballot(2, BEN)}
TASK = {
    "id": 7,
    "data": {"key": "k", "left": "<p>email</p>"},
    "annotations": [{**one, "completed_by": who} for one, who in zip(BALLOTS.values(), (ANNA, BEN), strict=True)],
    "drafts": [{"id": 5, "user": BEN["email"], "result": ["draft of ben"]}],
    "annotators": [2, 3],
    "annotations_results": json.dumps("vote of ben@shop.example"),
    "a_new_column": "vote of ben@shop.example",
}


def label_studio() -> Starlette:
    """Label Studio as far as the rules look: whose session it is, one task, two ballots."""

    async def whoami(request: Request) -> Response:
        person = SESSIONS.get(request.cookies.get("sessionid", ""))
        return JSONResponse(person or {"detail": "sign in"}, status_code=200 if person else 401)

    async def sign_in(request: Request) -> Response:
        answer = JSONResponse({"who": SESSIONS.get(request.cookies.get("sessionid", ""))})
        answer.set_cookie("sessionid", "of-admin")
        return answer

    async def task(request: Request) -> Response:
        return JSONResponse(TASK)

    async def tasks(request: Request) -> Response:
        return JSONResponse({"tasks": [TASK], "total": 1})

    async def ballots(request: Request) -> Response:
        return JSONResponse(list(BALLOTS.values())) if request.method == "GET" else await echo(request)

    async def one_ballot(request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse(BALLOTS[int(request.path_params["id"])])
        return await echo(request)

    async def users(request: Request) -> Response:
        return JSONResponse([ANNA, BEN])

    async def projects(request: Request) -> Response:
        return JSONResponse({"results": [{"id": 4, "title": "Round <1>"}]})

    async def stream(request: Request) -> Response:
        policy = {"Content-Security-Policy": "script-src 'self'", "ETag": "old"}
        return HTMLResponse("<html><head><title>t</title></head><body></body></html>", headers=policy)

    methods = ["GET", "POST", "PATCH", "DELETE"]
    return Starlette(
        routes=[
            Route("/api/current-user/whoami", whoami),
            Route("/user/login/", sign_in, methods=methods),
            Route("/api/tasks", tasks),
            Route("/api/tasks/7", task),
            Route("/api/tasks/7/annotations", ballots, methods=methods),
            Route("/api/annotations/{id:int}", one_ballot, methods=methods),
            Route("/api/users", users),
            Route("/api/projects", projects),
            Route("/projects/4/data", stream),
            Route("/{rest:path}", echo, methods=methods),
        ]
    )


def plain() -> Starlette:
    return Starlette(
        routes=[Route("/lead", lead), Route("/{rest:path}", echo, methods=["GET", "POST", "PUT", "DELETE"])]
    )


class Entrance:
    """A proxy and somebody who knocks."""

    def __init__(self, folder: Path, service: Any, hosts: tuple[str, ...] = ()) -> None:
        self.token = ensure_token(folder)
        (folder / "label-studio.json").write_text(json.dumps(ADMINISTRATOR))
        self.door = Door(service, PORT, INNER, folder, hosts)
        self._http = client(httpx.ASGITransport(label_studio() if service == "label-studio" else plain()))
        self.proxy = Proxy(self.door, self._http)

    def show_stream(self, folder: Path | None) -> None:
        """Have the label stream's page carry what lies in this folder."""
        self.door = replace(self.door, stream_folder=folder)
        self.proxy = Proxy(self.door, self._http)

    def ask(self, method: str, path: str, headers: dict[str, str] | None = None, **content: Any) -> httpx.Response:
        async def asked() -> httpx.Response:
            transport = httpx.ASGITransport(self.proxy)  # type: ignore[arg-type]
            async with httpx.AsyncClient(transport=transport, base_url=f"http://127.0.0.1:{PORT}") as http:
                return await http.request(method, path, headers=headers, **content)

        return asyncio.run(asked())

    def as_owner(self, method: str, path: str, headers: dict[str, str] | None = None, **content: Any) -> httpx.Response:
        return self.ask(method, path, {"Authorization": f"Bearer {self.token}", **(headers or {})}, **content)

    def as_annotator(self, who: str, method: str, path: str, **content: Any) -> httpx.Response:
        headers = {"Cookie": f"sessionid={who}", **content.pop("headers", {})}
        return self.ask(method, path, headers, **content)
