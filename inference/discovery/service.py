"""The discovery page and what it asks for: words in, pictures and products out, over HTTP on this machine.

Belongs here: addresses, limits, headers, the wording of what cannot be found. Not here: drawing (model.py), searching
(index.py), the page itself (page.html, page.css, page.js).

Nothing here writes. The page loads nothing from elsewhere and may run no script but its own; a picture is sent only for
a product that the index holds, by its key and never by a path.
"""

import base64
import hashlib
import io
from collections.abc import Awaitable, Callable
from pathlib import Path
from threading import Lock
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from PIL import Image
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from upath import UPath

from catalog.errors import SelvedgeError
from inference.discovery.index import Found, ProductIndex
from inference.discovery.model import DiscoveryModel, Step

PRODUCTS_SHOWN = 12
LARGEST_SEED = 2**31 - 1
LARGEST_PICTURE = 4 << 20  # bytes; a standard copy of 512 pixels has 0.1 MB
PAGE = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}
KEEP = {"Cache-Control": "private, max-age=3600"}  # pictures of products: their address says which


def create_app(model: DiscoveryModel, index: ProductIndex) -> FastAPI:
    """The service of one model and its index."""
    app = FastAPI(title="Selvedge discovery", docs_url=None, redoc_url=None, openapi_url=None)
    # A page elsewhere whose name is made to point at this machine must not be able to ask.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    app.middleware("http")(_with_headers)
    app.add_exception_handler(SelvedgeError, _sentence)
    app.add_exception_handler(HTTPException, _not_there)
    app.add_exception_handler(RequestValidationError, _wrong_request)
    drawing = Lock()  # requests come on several threads, and the model keeps what it drew

    @app.get("/api/about")
    def about() -> dict[str, Any]:
        return {"model": model.uri, "digest": model.digest, "products": len(index), "index": index.uri}

    @app.get("/api/refine")
    def refine(q: str = "", seed: Annotated[int, Query(ge=0, le=LARGEST_SEED)] = 0) -> dict[str, Any]:
        with drawing:
            steps = model.after_each_word(q, seed)
        return {"query": q, "seed": seed, "words": [_described(step, index) for step in steps]}

    @app.get("/api/product/{drop}/{product_id}")
    def product(drop: str, product_id: int) -> dict[str, Any]:
        return _product(_indexed(index, drop, product_id)) | {"drop": drop}

    @app.get("/products/{drop}/{product_id}.jpg")
    def picture(drop: str, product_id: int) -> Response:
        indexed = _indexed(index, drop, product_id)
        return Response(read_bounded(indexed.uri, indexed.sha256), media_type="image/jpeg", headers=KEEP)

    for address, (name, kind) in PAGE.items():
        app.get(address)(_file(Path(__file__).with_name(name), kind))
    return app


def png_uri(picture: Any) -> str:
    """A (side, side, 3) uint8 picture as a data URI."""
    stored = io.BytesIO()
    Image.fromarray(picture).save(stored, "PNG")
    return f"data:image/png;base64,{base64.b64encode(stored.getvalue()).decode()}"


def read_bounded(uri: str, sha256: str) -> bytes:
    """The bytes of a product's picture, held to its hash.

    Raises:
        SelvedgeError: missing, larger than any standard copy, or changed since it was catalogued.
    """
    path = UPath(uri)
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_PICTURE + 1)
    except OSError as error:
        raise SelvedgeError(f"picture {path.name} is missing; read the catalogue again.") from error
    if len(content) > LARGEST_PICTURE or hashlib.sha256(content).hexdigest() != sha256:
        raise SelvedgeError(f"picture {path.name} changed since it was catalogued; read the catalogue again.")
    return content


def _described(step: Step, index: ProductIndex) -> dict[str, Any]:
    products = [_product(hit) for hit in index.search(step.vector, PRODUCTS_SHOWN)]
    return {"text": step.text, "known": step.recognised, "picture": png_uri(step.picture), "products": products}


def _product(hit: Found) -> dict[str, Any]:
    return {
        "drop": hit.drop,
        "product_id": hit.product_id,
        **hit.facts,
        "likeness": round(1 - hit.distance, 4),
        "picture": f"/products/{hit.drop}/{hit.product_id}.jpg",
    }


def _indexed(index: ProductIndex, drop: str, product_id: int) -> Found:
    # What Lance takes for a number has 64 bits; a longer one is no product of ours.
    hit = index.product(drop, product_id) if abs(product_id) < 2**63 else None
    if hit is None:
        raise HTTPException(404, "this product is not in the index; it may have been replaced by a newer drop.")
    return hit


def _file(path: Path, kind: str) -> Callable[[], Response]:
    def send() -> Response:
        return Response(path.read_bytes(), media_type=kind)

    return send


async def _with_headers(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await answer(request)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


async def _sentence(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=422)


async def _not_there(_request: Request, error: Exception) -> Response:
    refusal: Any = error
    return JSONResponse({"error": str(refusal.detail)}, status_code=refusal.status_code)


async def _wrong_request(_request: Request, error: Exception) -> Response:
    refusal: Any = error
    where = ".".join(str(part) for part in refusal.errors()[0]["loc"][1:])
    return JSONResponse({"error": f"{where} is not a value this page asks for."}, status_code=422)
