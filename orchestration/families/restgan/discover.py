"""`selvedge discover`: the page where a picture follows the words, or one query drawn to a file.

Belongs here: which model and which index, the address, results. Not here: drawing, searching and the page
(inference/discovery/).
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from catalog.errors import Interrupted, SelvedgeError
from catalog.places import check_output_file
from orchestration.families.contract import Command, Terminal
from orchestration.registry.interface import CHAMPION

if TYPE_CHECKING:
    from inference.discovery.index import Found, ProductIndex
    from inference.discovery.model import DiscoveryModel, Step
    from inference.discovery.shelf import Shelf
    from training.restgan.words import EncodedQuery

NEAREST = 8
STRIP_SIDE = 192  # pixels of a picture in the strip: 64 are hard to look at


KEYS = {
    "model": "address of the model that draws",
    "index": "where the index of products is",
    "products": "products in the index",
    "link": "address of the page; null with --query",
    "query": "the words asked with --query; null for the page, as are the keys below",
    "seed": "of the noise",
    "words": "the words as read",
    "unknown": "words that the model does not know",
    "left_out": "what the words deny or count (not skinny, under $50): it is not drawn",
    "read_as": "words that are drawn as a near one, as word: near one",
    "nearest": "products that agree best with words and picture: drop, product_id, name, likeness to it (1: the same)",
    "picture": "the strip, one picture after each word; null without --out",
    "seconds": "wall seconds the command took",
}


def discover(
    terminal: Terminal,
    model: Annotated[str, typer.Option(help="Folder of a model, or champion for the registry's.")] = CHAMPION,
    catalog: Annotated[
        Path | None, typer.Option(help="Catalogue directory to index and search; the home's index else.")
    ] = None,
    inferred: Annotated[
        Path | None, typer.Option(help="Folder of `selvedge infer` about --catalog, whose texts the page shows.")
    ] = None,
    query: Annotated[str | None, typer.Option(help="Draw these words once, without the page.")] = None,
    out: Annotated[Path | None, typer.Option(help="PNG of the strip, with --query.")] = None,
    seed: Annotated[int, typer.Option(min=0, max=2**31 - 1, help="Of the noise, with --query.")] = 0,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the page; 0 takes any that is free.")] = 8070,
) -> None:
    """Search products by pictures that follow the words: a page until Ctrl-C, or one query."""
    began = time.monotonic()
    if out is not None and query is None:
        raise SelvedgeError("--out is the strip of one query; give --query WORDS as well.")
    if inferred is not None and catalog is None:
        raise SelvedgeError("--inferred belongs to a catalogue directory; give --catalog DIR as well.")
    if out is not None:
        check_output_file(out.expanduser())
    import torch

    from inference.discovery.model import load_model
    from inference.discovery.order import in_order
    from inference.discovery.service import Discovery, serve
    from inference.pages import HOST, listening

    # One picture is too little work to share: a second thread waits longer for the first than it saves.
    torch.set_num_threads(terminal.settings().threads or 1)
    loaded = load_model(*terminal.model(model))
    if query is not None:
        read = loaded.read(query)  # first: a query that is refused leaves no index behind
        steps = loaded.after_each_word(query, seed)
        index = _index(loaded, catalog, terminal)
        order = in_order(loaded, _shelf(catalog, inferred, terminal), steps[-1], [step.text for step in steps])
        nearest = index.search(steps[-1].vector, NEAREST, order=order)
        answer = _answer(read, steps, nearest, query, seed, out)
        terminal.emit({**_described(loaded, index), **answer, "seconds": time.monotonic() - began})
        return
    with listening(port) as listener:
        index = _index(loaded, catalog, terminal)
        address = f"http://{HOST}:{listener.getsockname()[1]}"
        nothing = dict.fromkeys(("query", "seed", "words", "unknown", "left_out", "read_as", "nearest", "picture"))
        page = {**_described(loaded, index), **nothing, "link": address}
        terminal.emit({**page, "seconds": time.monotonic() - began})
        terminal.say("The page is open; Ctrl-C closes it.")
        # Where no home stands behind the products, nobody has recorded how their texts came about.
        trace = terminal.trace if catalog is None else None
        serve(Discovery(loaded, index, _shelf(catalog, inferred, terminal), trace), listener)
        raise Interrupted("the page is closed; the same command opens it again.")


def _index(model: "DiscoveryModel", catalog: Path | None, terminal: Terminal) -> "ProductIndex":
    """The home's index, or that of a catalogue directory, brought up to date.

    Raises:
        SelvedgeError: the home's index is of another model or empty, or the catalogue holds no bottoms.
    """
    from inference.discovery.index import FOLDER, open_index

    if catalog is None:
        index = open_index(terminal.settings().objects() / FOLDER, model)
        index.require()
        return index
    from catalog.workspace import open_catalogue
    from inference.discovery.products import embed_products

    opened = open_catalogue(catalog)
    drop = str(opened.summary["drop"])
    index = open_index(catalog.expanduser().resolve() / FOLDER, model)
    with terminal.reporting() as reporter:
        embedded = embed_products(
            opened.products.to_pandas(), opened.images.to_pandas(), model.judge,
            model_uri=model.uri, model_digest=model.digest, previous=index.rows(drop), reporter=reporter,
        )  # fmt: skip
    if not embedded.rows.num_rows:
        raise SelvedgeError(f"catalogue {catalog} holds no bottoms with a picture, so nothing could be found in it.")
    index.update_drop(drop, embedded.rows)
    return index


def _shelf(catalog: Path | None, inferred: Path | None, terminal: Terminal) -> "Shelf":
    """The whole catalogue in words: the home's, or that of a catalogue directory."""
    from upath import UPath

    from catalog.workspace import open_catalogue
    from inference.discovery.shelf import Shelf, folder_files, home_files

    if catalog is None:
        return Shelf(home_files(terminal.settings().tables()))
    folder = UPath(catalog.expanduser().resolve())
    texts = UPath(inferred.expanduser().resolve()) if inferred else folder
    return Shelf(folder_files(str(open_catalogue(catalog).summary["drop"]), folder, texts))


def _described(model: "DiscoveryModel", index: "ProductIndex") -> dict[str, Any]:
    return {"model": model.uri, "index": index.uri, "products": len(index), "link": None}


def _answer(
    read: "EncodedQuery", steps: "list[Step]", nearest: "list[Found]", query: str, seed: int, out: Path | None
) -> dict[str, Any]:
    return {
        "query": query,
        "seed": seed,
        "words": [step.text for step in steps],
        "unknown": [step.text for step in steps if not step.recognised],
        "left_out": [part.phrase for part in read.left_out] + list(read.said_again),
        "read_as": [f"{word}: {near}" for word, near in read.read_as],
        "nearest": [
            {
                "drop": match.drop,
                "product_id": match.product_id,
                "name": match.facts["name"],
                "likeness": 1 - match.distance,
            }
            for match in nearest
        ],
        "picture": _write_strip(steps, out) if out is not None else None,
    }


def _write_strip(steps: "list[Step]", out: Path) -> str:
    """One row of pictures, first word to last; the file's path."""
    from PIL import Image

    from catalog.files import png_bytes, publish_bytes

    strip = Image.new("RGB", (STRIP_SIDE * len(steps), STRIP_SIDE), "white")
    for number, step in enumerate(steps):
        strip.paste(Image.fromarray(step.picture).resize((STRIP_SIDE, STRIP_SIDE)), (STRIP_SIDE * number, 0))
    path = out.expanduser().resolve()
    publish_bytes(png_bytes(strip), path)
    return str(path)


DISCOVER = Command("discover", KEYS, discover)
