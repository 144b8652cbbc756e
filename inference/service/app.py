"""The request API: addresses, status codes, what each answer carries besides its body.

Belongs here: HTTP. Not here: what is done (service.py), messages (messages.py), errors as answers (refusals.py).

Every answer that a model had a part in names the one version in its header `Selvedge-Model` and its field `model`.
"""

import time
from collections.abc import Awaitable, Callable
from hashlib import sha256
from pathlib import Path as FilePath
from typing import Annotated, Any

from fastapi import Depends, FastAPI, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from starlette.middleware.trustedhost import TrustedHostMiddleware

from inference.ad_images.quality.brand import presets
from inference.ad_images.themes import theme_names
from inference.pages import page_file, with_headers
from inference.service import messages
from inference.service.access import may
from inference.service.bodies import FORM, JSON, PHOTO, Body, body_of
from inference.service.home_pages import HomeState, add_home_pages
from inference.service.keys import ADS, ATTRIBUTES, DESCRIPTIONS, Client
from inference.service.messages import REQUEST_ID, ad_answer, model_of
from inference.service.metrics import CONTENT_TYPE
from inference.service.refusals import RequestRefused, answer_errors
from inference.service.service import Service

TITLE, VERSION = "Selvedge", "1"
MODEL_HEADER = "Selvedge-Model"
SIZES = ["512x512", "768x768", "1024x1024", "768x1024", "1024x768"]
HERE = FilePath(__file__).parent
DISCOVERY = HERE.parent / "discovery"
PAGE = {
    "/studio": (HERE / "studio.html", "text/html"),
    "/studio.css": (HERE / "studio.css", "text/css"),
    "/studio.js": (HERE / "studio.js", "text/javascript"),
    "/door.js": (HERE / "door.js", "text/javascript"),
    "/page.css": (DISCOVERY / "page.css", "text/css"),
    "/parts.js": (DISCOVERY / "parts.js", "text/javascript"),
}
STATUSES = {
    400: "the host name is not this machine's",
    401: "no key, or nobody's",
    403: "a key without this right",
    404: "nothing of this client's has this name",
    409: "the id was used with another body, or the request is not done",
    413: "larger than the limit",
    415: "a media type that is not read",
    422: "a field, a photograph or a prompt that cannot be used",
    429: "too many requests; Retry-After says how long to wait",
    503: "a service or a champion is missing; Retry-After says how long to wait",
}
RequestId = Annotated[str, Path(pattern=REQUEST_ID)]
ArticleType = Annotated[str | None, Query(max_length=100, description="the product's, where it is known")]
Gender = Annotated[str, Query(max_length=40, description="for whom it is, where that is known")]


def create_app(service: Service, home: HomeState | None = None) -> FastAPI:
    """The service of the API, the ad studio and, where a home is told of, its pages."""
    app = FastAPI(title=TITLE, version=VERSION, docs_url=None, redoc_url=None)
    # A page elsewhere whose name is made to point at this machine must not be able to ask.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    app.middleware("http")(with_headers)
    app.middleware("http")(_recorded(service))
    answer_errors(app)
    _add_ads(app, service)
    _add_photographs(app, service)
    _add_health(app, service)
    for address, (path, kind) in PAGE.items():
        app.get(address, include_in_schema=False)(page_file(path, kind))
    if home is not None:
        add_home_pages(app, service.keys, home)
    return app


def _add_ads(app: FastAPI, service: Service) -> None:
    asking = Annotated[Client, Depends(may(service.keys, ADS))]
    body = Annotated[Body, Depends(body_of(service.limits.body))]
    problems = _problems(400, 401, 403, 404, 422, 503)
    files: dict[str, Any] = {"content": {"image/png": {}, "image/jpeg": {}}}

    @app.put(
        "/ads/{request_id}",
        status_code=202,
        response_model=messages.AdAnswer,
        responses={200: {"model": messages.AdAnswer}, **problems, **_problems(409, 413, 415, 429)},
        openapi_extra=_takes(messages.AdBody, photo=True),
    )
    def put(request: Request, client: asking, request_id: RequestId, sent: body) -> Response:
        """Ask for an ad. 202: accepted, look again at the same address; 200: this very request was accepted before."""
        service.admission.count(client.name)
        job, made = service.accept(client.name, request_id, sent)
        return _stamped(request, ad_answer(job), 202 if made or not job.ended else 200)

    @app.get("/ads/{request_id}", response_model=messages.AdAnswer, responses=problems)
    def get(request: Request, client: asking, request_id: RequestId) -> Response:
        """The state of a request; once it is done, its pictures, plans, metadata and recipes."""
        return _stamped(request, ad_answer(service.ad(client.name, request_id)))

    @app.post(
        "/ads/{request_id}/pick",
        response_model=messages.AdAnswer,
        responses={**problems, **_problems(413, 415)},
        openapi_extra=_takes(messages.PickBody),
    )
    def pick(request: Request, client: asking, request_id: RequestId, sent: body) -> Response:
        """Note which picture the client would publish; the last word counts."""
        rank = sent.checked(messages.PickBody).rank
        return _stamped(request, ad_answer(service.pick(client.name, request_id, rank)))

    @app.get("/ads/{request_id}/plans/{number}.jpg", response_class=Response, responses={200: files, **problems})
    def plan(request: Request, client: asking, request_id: RequestId, number: int) -> Response:
        """A plan's small picture."""
        return _file_of(request, service, client, request_id, service.plan(client.name, request_id, number), "jpg")

    @app.get(
        "/ads/{request_id}/{rank}.{form}",
        response_class=Response,
        responses={200: {"content": {**files["content"], JSON: {}}}, **problems},
    )
    def picture(
        request: Request,
        client: asking,
        request_id: RequestId,
        rank: int,
        form: Annotated[str, Path(pattern=r"^(png|jpg|json)$")],
    ) -> Response:
        """A finished picture, or its recipe."""
        content = service.picture(client.name, request_id, rank, form)
        return _file_of(request, service, client, request_id, content, form)

    @app.get("/choices", response_model=messages.Choices, responses=_problems(400, 401, 403, 503))
    def choices(client: asking) -> dict[str, Any]:
        """What can be chosen from: themes, guidelines, usual sizes."""
        return {
            "client": client.name,
            "products": service.products.count(),
            "themes": list(theme_names()),
            "brands": presets(),
            "sizes": SIZES,
        }


def _add_photographs(app: FastAPI, service: Service) -> None:
    body = Annotated[Body, Depends(body_of(service.limits.body))]
    problems = _problems(400, 401, 403, 413, 415, 422, 429, 503)

    @app.post(
        "/attributes",
        response_model=messages.AttributesAnswer,
        responses=problems,
        openapi_extra=_takes(None, photo=True),
    )
    def attributes(
        request: Request,
        client: Annotated[Client, Depends(may(service.keys, ATTRIBUTES))],
        sent: body,
        article_type: ArticleType = None,
    ) -> Response:
        """What the champion sees on a photograph, with its confidence; nothing is stored."""
        with service.admission.answering(client.name):
            served = service.served()
            request.state.model = served.champion.uri
            return _stamped(request, service.attributes(served, _photo(sent), article_type))

    @app.post(
        "/descriptions",
        response_model=messages.DescriptionAnswer,
        responses=problems,
        openapi_extra=_takes(None, photo=True),
    )
    def descriptions(
        request: Request,
        client: Annotated[Client, Depends(may(service.keys, DESCRIPTIONS))],
        sent: body,
        article_type: ArticleType = None,
        gender: Gender = "",
    ) -> Response:
        """Attributes of a photograph, and a description that keeps to them; nothing is stored."""
        with service.admission.answering(client.name):
            served = service.served()
            request.state.model = served.champion.uri
            return _stamped(request, service.description(served, _photo(sent), article_type, gender))


def _add_health(app: FastAPI, service: Service) -> None:
    @app.get("/healthz", response_model=messages.Health, responses=_problems(400))
    async def alive() -> dict[str, str]:  # not on a thread, all of which may be waiting for answers
        """The process answers."""
        return {"status": "ok"}

    @app.get(
        "/readyz",
        response_model=messages.Readiness,
        responses={503: {"model": messages.Readiness | messages.Problem}, **_problems(400)},
    )
    def ready() -> Response:
        """Whether requests are answered: database, workers, and champions that were asked for at least once."""
        state = service.readiness()
        return JSONResponse(state, 200 if state["ready"] else 503)

    @app.get(
        "/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}, **_problems(400, 503)}
    )
    def metrics() -> Response:
        """Counters in Prometheus' text format."""
        return Response(service.measured(), media_type=CONTENT_TYPE)


def _photo(sent: Body) -> bytes:
    if sent.fields or not sent.photo:
        raise RequestRefused(422, "bad_request", f"send one picture: as the body, or as the file {PHOTO!r} of a form.")
    return sent.photo


def _stamped(request: Request, answer: dict[str, Any], status: int = 200) -> Response:
    request.state.model = answer["model"]
    return JSONResponse(answer, status)


def _file_of(
    request: Request, service: Service, client: Client, request_id: str, content: bytes, form: str
) -> Response:
    request.state.model = model_of(service.ad(client.name, request_id).order)
    kind = {"png": "image/png", "jpg": "image/jpeg", "json": JSON}[form]
    return Response(content, media_type=kind, headers={"Cache-Control": "private, max-age=3600"})


def _problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    documented: dict[int | str, dict[str, Any]] = {
        status: {"model": messages.Problem, "description": STATUSES[status]} for status in statuses
    }
    if 400 in documented:  # Starlette's own answer
        documented[400] = {"description": STATUSES[400], "content": {"text/plain": {}}}
    return documented


def _takes(kind: type[messages.BaseModel] | None, photo: bool = False) -> dict[str, Any]:
    """The body that an address reads itself, for the OpenAPI document."""
    content: dict[str, Any] = {}
    schema = {} if kind is None else kind.model_json_schema()
    if kind is not None:
        content[JSON] = {"schema": schema}
    if photo:
        file = {PHOTO: {"type": "string", "format": "binary"}}
        fields = {**schema.get("properties", {}), **file}
        content[FORM] = {"schema": {"type": "object", "properties": fields, "required": [PHOTO]}}
    if kind is None:
        content["image/*"] = {"schema": {"type": "string", "format": "binary"}}
    return {"requestBody": {"required": True, "content": content}}


def _recorded(
    service: Service,
) -> Callable[[Request, Callable[[Request], Awaitable[Response]]], Awaitable[Response]]:
    """Middleware: the version in the header, counters, and one line of the audit log for each request of a client."""

    async def record(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        began = time.perf_counter()
        response = await answer(request)
        seconds = time.perf_counter() - began
        model = getattr(request.state, "model", "")
        if model:
            response.headers[MODEL_HEADER] = model
        route = getattr(request.scope.get("route"), "path", "other")
        service.metrics.request(route, request.method, response.status_code, seconds)
        client = getattr(request.state, "client", "")
        if client or response.status_code == 401:
            request_id = str(request.path_params.get("request_id", ""))
            service.audit(
                {
                    "at": round(time.time(), 3),
                    "client": client,
                    "method": request.method,
                    "route": route,
                    # A client chooses its ids, and may have made them of anything.
                    "request": sha256(request_id.encode()).hexdigest()[:12] if request_id else "",
                    "status": response.status_code,
                    "milliseconds": round(1000 * seconds, 1),
                    "model": model,
                }
            )
        return response

    return record
