"""The trace of a product as its page shows it: from the published sentence back to the row of the delivery.

Belongs here: what the page takes and gives. Not here: finding the chain (whoever opens the page does), its layout
(trace.html, trace.js).
"""

from collections.abc import Mapping
from typing import Any, Protocol

from catalog.errors import SelvedgeError

HOP = ("hop", "value", "link", "state", "note")


class TraceFinder(Protocol):
    """Finds the chain of a product, the sentence first and the delivered row last."""

    def __call__(self, product: int, drop: str) -> Mapping[str, Any]:
        """product_id, drop, name, and hops: a mapping of `HOP` each, link an http address or "".

        Raises:
            SelvedgeError: nothing is known of the product.
        """
        ...


def trace_of(trace: TraceFinder | None, product_id: int, drop: str) -> dict[str, Any]:
    """A chain as JSON values.

    Raises:
        SelvedgeError: nobody can be asked, or nothing is known of the product.
    """
    if trace is None:
        raise SelvedgeError(
            "this page was opened on a catalogue directory, of which no record is kept; open it on a home, without "
            f"--catalog, or run `selvedge trace {product_id}` there."
        )
    chain = trace(product_id, drop)
    hops = [{name: str(hop.get(name) or "") for name in HOP} for hop in chain["hops"]]
    return {"product_id": product_id, "drop": str(chain["drop"]), "name": str(chain["name"]), "hops": _page_links(hops)}


def _page_links(hops: list[dict[str, str]]) -> list[dict[str, str]]:
    """Hops whose links are addresses of pages, and nothing else that a browser would follow."""
    return [hop | {"link": hop["link"] if hop["link"].startswith(("http://", "https://")) else ""} for hop in hops]
