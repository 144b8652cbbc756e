"""The discovery page and what it asks for: words in, pictures and products out, over HTTP on this machine.

Belongs here: addresses, limits, the wording of what cannot be found. Not here: drawing (model.py), searching
(index.py by picture, shelf.py by word), reading a line (reading.py), the pages themselves (page.html, trace.html), the
policy of every answer (inference/pages.py).

Nothing here writes. A picture is sent only for a product that the index or the shelf holds, by its key and never
by a path.
"""

import contextlib
import hashlib
import socket
from collections.abc import Collection
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Lock
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware
from upath import UPath

from catalog.errors import SelvedgeError
from catalog.files import data_uri, png_bytes
from catalog.places import LOCAL_PROTOCOLS
from catalog.stores import stored_bytes
from inference.discovery.index import Found, ProductIndex
from inference.discovery.model import DiscoveryModel, Step
from inference.discovery.order import in_order
from inference.discovery.reading import MADE_FOR, Filter, asked_filters, asked_of_shelf, read_for_page
from inference.discovery.shelf import Listed, Shelf
from inference.discovery.trace import TraceFinder, trace_of
from inference.pages import page_file, with_headers
from training.restgan.words import refuse_query

PRODUCTS_SHOWN = 12
LISTED_SHOWN = 8  # of the plain text search
LARGEST_SEED = 2**31 - 1
LARGEST_PICTURE = 4 << 20  # bytes; a standard copy of 512 pixels has 0.1 MB
PAGE = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/parts.js": ("parts.js", "text/javascript"),
    "/page.js": ("page.js", "text/javascript"),
    "/trace": ("trace.html", "text/html"),
    "/trace.js": ("trace.js", "text/javascript"),
}
KEEP = {"Cache-Control": "private, max-age=3600"}  # pictures of products: their address says which


@dataclass(frozen=True)
class Discovery:
    """What the page is of.

    Attributes:
        shelf: the catalogue in words; None: only what is near a picture is found.
        trace: finds where a product's sentence comes from; None: nobody is asked.
    """

    model: DiscoveryModel
    index: ProductIndex
    shelf: Shelf | None = None
    trace: TraceFinder | None = None

    def about(self) -> dict[str, Any]:
        """The model, and how many products there are now: the page asks again and says when a drop came."""
        return {
            "model": self.model.uri,
            "digest": self.model.digest,
            "products": len(self.index),
            "drops": self.index.drops(),
            "index": self.index.uri,
        }

    def refine(self, query: str, seed: int, lifted: Collection[str]) -> tuple[dict[str, Any], str]:
        """A picture and its products after each word, how the line was read, and why nothing could be drawn, if so.

        Raises:
            SelvedgeError: the line cannot be read at all.
        """
        refuse_query(query)
        try:
            read, refusal = self.model.read(query), ""
        except SelvedgeError as error:
            read, refusal = None, str(error)
        answer: dict[str, Any] = {"query": query, "seed": seed, "about": self.about()}
        answer["reading"] = read_for_page(self.model, self.shelf, query, read)
        answer["catalogue"] = self._on_the_shelf(query)
        answer["filters"], answer["words"] = [], []
        if read is not None:
            filters = asked_filters(self.model, read, {column: self.index.values(column) for column in MADE_FOR})
            answer["filters"] = [
                {
                    "column": filter_.column,
                    "says": filter_.says,
                    "holds": bool(filter_.values),
                    "lifted": filter_.column in lifted,
                }
                for filter_ in filters
            ]
            answer["words"] = self._drawn(
                query, seed, [filter_ for filter_ in filters if filter_.values and filter_.column not in lifted]
            )
        return answer, refusal

    def product(self, drop: str, product_id: int) -> dict[str, Any]:
        """Everything that is shown of a product.

        Raises:
            HTTPException: neither the index nor the shelf holds it.
        """
        product = self._found(drop, product_id)
        answer = {**_product(product), "drop": drop, "traced": self.trace is not None}
        published = self.shelf.published(drop, product_id) if self.shelf else None
        return answer | (asdict(published) if published else {"description": "", "attributes": []})

    def picture(self, drop: str, product_id: int) -> bytes:
        """Raises: HTTPException: no such product. SelvedgeError: its picture is missing or changed."""
        product = self._found(drop, product_id)
        if not product.uri:
            raise HTTPException(404, "this product has no picture.")
        return read_bounded(product.uri, product.sha256)

    def newest_drop(self, product_id: int) -> str:
        """The last drop by name that has a product; "" where none has."""
        having = [drop for drop in self.index.drops() if self.index.product(drop, product_id)]
        return max(having, default=self.shelf.newest_drop(product_id) if self.shelf else "")

    def _found(self, drop: str, product_id: int) -> Found | Listed:
        # What Lance takes for a number has 64 bits; a longer one is no product of ours.
        hit = self.index.product(drop, product_id) if abs(product_id) < 2**63 else None
        listed = self.shelf.product(drop, product_id) if self.shelf and hit is None else None
        if hit is None and listed is None:
            raise HTTPException(404, "this product is not in the index; it may have been replaced by a newer drop.")
        return hit or listed  # type: ignore[return-value]

    def _drawn(self, query: str, seed: int, filters: list[Filter]) -> list[dict[str, Any]]:
        steps = self.model.after_each_word(query, seed)
        return [
            self._described(
                step,
                [read.text for read in steps[: position + 1]],
                {filter_.column: filter_.values for filter_ in filters if filter_.place <= position},
            )
            for position, step in enumerate(steps)
        ]

    def _described(self, step: Step, words: list[str], filters: dict[str, tuple[str, ...]]) -> dict[str, Any]:
        order = in_order(self.model, self.shelf, step, words)
        products = [_product(hit) for hit in self.index.search(step.vector, PRODUCTS_SHOWN, filters, order)]
        return {"text": step.text, "known": step.recognised, "picture": png_uri(step.picture), "products": products}

    def _on_the_shelf(self, query: str) -> dict[str, Any]:
        if self.shelf is None:
            return {"total": 0, "products": [], "error": ""}
        try:
            listed, total = self.shelf.search(*asked_of_shelf(query), k=LISTED_SHOWN)
        except SelvedgeError as error:  # the pictures are shown all the same
            return {"total": 0, "products": [], "error": str(error)}
        return {"total": total, "products": [_product(product) for product in listed], "error": ""}


def create_app(discovery: Discovery) -> FastAPI:
    """The service of one page."""
    app = FastAPI(title="Selvedge discovery", docs_url=None, redoc_url=None, openapi_url=None)
    # A page elsewhere whose name is made to point at this machine must not be able to ask.
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost"])
    app.middleware("http")(with_headers)
    app.add_exception_handler(SelvedgeError, _sentence)
    app.add_exception_handler(HTTPException, _not_there)
    app.add_exception_handler(RequestValidationError, _wrong_request)
    drawing = Lock()  # requests come on several threads, and the model keeps what it drew
    app.get("/api/about")(discovery.about)

    @app.get("/api/refine")
    def refine(q: str = "", seed: Annotated[int, Query(ge=0, le=LARGEST_SEED)] = 0, lifted: str = "") -> Response:
        with drawing:
            answer, refusal = discovery.refine(q, seed, lifted.split(","))
        return JSONResponse({**answer, "error": refusal}, 422) if refusal else JSONResponse(answer)

    @app.get("/api/product/{drop}/{product_id}")
    def product(drop: str, product_id: int) -> dict[str, Any]:
        return discovery.product(drop, product_id)

    @app.get("/api/trace")
    def traced(product: int, drop: str = "") -> dict[str, Any]:
        return trace_of(discovery.trace, product, drop or discovery.newest_drop(product))

    @app.get("/products/{drop}/{product_id}.jpg")
    def picture(drop: str, product_id: int) -> Response:
        return Response(discovery.picture(drop, product_id), media_type="image/jpeg", headers=KEEP)

    for address, (name, kind) in PAGE.items():
        app.get(address)(page_file(Path(__file__).with_name(name), kind))
    return app


def serve(discovery: Discovery, listener: socket.socket) -> None:
    """The page on this socket, until an interrupt: uvicorn takes it, answers what was asked and gives it on."""
    import uvicorn

    config = uvicorn.Config(create_app(discovery), log_level="warning", access_log=False, server_header=False)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])


def png_uri(picture: Any) -> str:
    """A (side, side, 3) uint8 picture as a data URI."""
    return data_uri(png_bytes(picture), "image/png")


def read_bounded(uri: str, sha256: str) -> bytes:
    """The bytes of a product's picture, held to its hash.

    Raises:
        SelvedgeError: missing, larger than any standard copy, or changed since it was catalogued.
    """
    path = UPath(uri)
    try:
        if path.protocol in LOCAL_PROTOCOLS:
            with path.open("rb") as file:
                content = file.read(LARGEST_PICTURE + 1)
        else:  # which nobody but Selvedge writes
            content = stored_bytes(path)
    except OSError as error:
        raise SelvedgeError(f"picture {path.name} is missing; read the catalogue again.") from error
    if len(content) > LARGEST_PICTURE or hashlib.sha256(content).hexdigest() != sha256:
        raise SelvedgeError(f"picture {path.name} changed since it was catalogued; read the catalogue again.")
    return content


def _product(product: Found | Listed) -> dict[str, Any]:
    likeness = {"likeness": round(1 - product.distance, 4)} if isinstance(product, Found) else {}
    picture = f"/products/{product.drop}/{product.product_id}.jpg" if product.uri else ""
    return {"drop": product.drop, "product_id": product.product_id, **product.facts, **likeness, "picture": picture}


async def _sentence(_request: Request, error: Exception) -> Response:
    return JSONResponse({"error": str(error)}, status_code=422)


async def _not_there(_request: Request, error: Exception) -> Response:
    refusal: Any = error
    return JSONResponse({"error": str(refusal.detail)}, status_code=refusal.status_code)


async def _wrong_request(_request: Request, error: Exception) -> Response:
    refusal: Any = error
    where = ".".join(str(part) for part in refusal.errors()[0]["loc"][1:])
    return JSONResponse({"error": f"{where} is not a value this page asks for."}, status_code=422)
