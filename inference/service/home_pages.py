"""Pages of a home at the front door: Today, Champions, Rounds, Trace. They read, and change nothing.

Belongs here: what a page is made of, its addresses, who may read it. Not here: where the state of a home is recorded
(`HomeState` is handed in), the studio (studio.html), the policy of every answer (inference/pages.py).

The page itself (home.html) holds nothing of a home: its script sends the key and puts in what Jinja made of the answer.
A cookie would go to every port of this machine, Dagster's and a stranger's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Protocol

from fastapi import Depends, FastAPI, Query
from fastapi.responses import HTMLResponse

from catalog.errors import SelvedgeError, ServiceUnavailable
from catalog.pages import page_environment
from inference.discovery.trace import TraceFinder, trace_of
from inference.pages import page_file
from inference.service.access import may
from inference.service.keys import HOME, Client, Keys
from inference.service.refusals import RequestRefused

if TYPE_CHECKING:
    from jinja2 import Template

HERE = Path(__file__).parent
PAGES = ("/", "/champions", "/rounds", "/trace")
FILES = {
    "/home.css": (HERE / "home.css", "text/css"),
    "/home.js": (HERE / "home.js", "text/javascript"),
}
LARGEST_ID = 2**63 - 1
Tone = Literal["", "good", "bad", "waits", "soft"]


@dataclass(frozen=True)
class Cell:
    """A text of a row. link: an http address, or "" for none. note: below it."""

    text: str
    link: str = ""
    note: str = ""
    tone: Tone = ""


@dataclass(frozen=True)
class Section:
    """Rows under a heading. columns: their headings; () for a list. empty: said where there is no row."""

    title: str
    rows: Sequence[Sequence[Cell]]
    empty: str
    columns: Sequence[str] = ()


class HomeState(Protocol):
    """What the pages tell of a home, looked up when a page is opened.

    Each raises SelvedgeError where a record is damaged, ServiceUnavailable where a database does not answer.
    """

    def today(self) -> Sequence[Section]:
        """What needs somebody, then how the rest stands."""
        ...

    def champions(self) -> Sequence[Section]:
        """Who is champion, and every move of a champion."""
        ...

    def rounds(self) -> Sequence[Section]:
        """Rounds, the newest first, and how each stands."""
        ...

    @property
    def trace(self) -> TraceFinder:
        """Follows a product from what was published of it back to its row."""
        ...


def add_home_pages(app: FastAPI, keys: Keys, home: HomeState) -> None:
    """Let an app answer with the pages of a home; their parts want a key with the right to them."""
    reading = Annotated[Client, Depends(may(keys, HOME))]
    for address in PAGES:
        app.get(address, include_in_schema=False)(page_file(HERE / "home.html", "text/html"))
    for address, (path, kind) in FILES.items():
        app.get(address, include_in_schema=False)(page_file(path, kind))

    @app.get("/parts/today", include_in_schema=False)
    def today(_client: reading) -> HTMLResponse:
        return _sections(home.today())

    @app.get("/parts/champions", include_in_schema=False)
    def champions(_client: reading) -> HTMLResponse:
        return _sections(home.champions())

    @app.get("/parts/rounds", include_in_schema=False)
    def rounds(_client: reading) -> HTMLResponse:
        return _sections(home.rounds())

    @app.get("/parts/trace", include_in_schema=False)
    def trace(
        _client: reading,
        product: Annotated[int, Query(ge=0, le=LARGEST_ID)],
        drop: Annotated[str, Query(max_length=200)] = "",
    ) -> HTMLResponse:
        try:
            return _rendered("trace", trace=trace_of(home.trace, product, drop))
        except ServiceUnavailable:
            raise
        except SelvedgeError as error:
            raise RequestRefused(404, "unknown", str(error)) from error


def _sections(sections: Sequence[Section]) -> HTMLResponse:
    return _rendered("sections", sections=sections)


def _rendered(name: str, **values: Any) -> HTMLResponse:
    return HTMLResponse(_template(name).render(values))


@cache
def _template(name: str) -> "Template":
    return page_environment(HERE).get_template(f"{name}.html.jinja")
