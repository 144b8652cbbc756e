"""`selvedge trace`: one published sentence, back to the weights, the rows and the delivered line.

Belongs here: options and results. Not here: the hops (orchestration/report/trace.py).
"""

import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from catalog.errors import SelvedgeError
from orchestration import families
from orchestration.cli.results import JsonFlag, emit

if TYPE_CHECKING:
    from orchestration.report.hops import Hop

MARKS = {"checked": "=", "recorded": "-", "missing": "?", "broken": "!"}


def add_to(app: typer.Typer) -> None:
    app.command("trace")(trace)


def trace(
    product: Annotated[int, typer.Argument(metavar="PRODUCT", help="Product id.")],
    drop: Annotated[str | None, typer.Option(help="Of which delivery; the newest that holds it by default.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Follow a published sentence back to its facts, model, votes, rows and delivered line; hashes are recomputed."""
    from orchestration.families.settings import load_settings
    from orchestration.report.trace import trace as follow

    began = time.monotonic()
    followed = follow(load_settings(), product, drop, families.FAMILIES)
    values: dict[str, Any] = {
        "product": followed.product_id,
        "drop": followed.drop,
        "name": followed.name,
        # A person reads lines; a program wants the columns.
        "hops": followed.rows() if as_json else [line for hop in followed.hops for line in _lines(hop)],
        "missing": len(followed.missing),
        "broken": len(followed.broken),
        "seconds": time.monotonic() - began,
    }
    emit("trace", as_json, values)
    if followed.broken:
        first = followed.broken[0]
        raise SelvedgeError(f"the chain of product {product} is broken at {first.hop}: {first.note.rstrip('.')}.")


def _lines(hop: "Hop") -> list[str]:
    """`= sentence  text` with link and note below: = hash recomputed, - as recorded, ? missing, ! broken."""
    below = [f"{'':15}{part}" for part in (f"({hop.note})" if hop.note else "", hop.link) if part]
    return [f"{MARKS[hop.state]} {hop.hop:<13}{hop.value or '–'}", *below]
