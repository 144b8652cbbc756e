"""`selvedge serve`: the request API, the ad studio and the home's pages on this machine, and the keys that open them.

Belongs here: options and results. Not here: parts and processes (jobs/serving.py), addresses (inference/service/).
"""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from catalog.errors import Interrupted, SelvedgeError
from orchestration.cli.models import CHAMPION, model_folder
from orchestration.cli.results import JsonFlag, emit
from orchestration.cli.terminal import say

HELP = "Answer requests over HTTP: ads, attributes and descriptions; the ad studio and the home's pages."
Catalog = Annotated[Path | None, typer.Option(help="Catalogue directory whose products may be named; the home's else.")]


def application() -> typer.Typer:
    app = typer.Typer(rich_markup_mode=None, invoke_without_command=True)
    app.callback()(serve)
    app.command("work", hidden=True)(work)
    keys = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    keys.command("add")(add)
    keys.command("list")(list_keys)
    keys.command("remove")(remove)
    app.add_typer(keys, name="key", help="Keys of those who may ask.")
    return app


def serve(
    context: typer.Context,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="SELVEDGE_SERVICE_PORT by default; 0 takes any that is free.")
    ] = None,
    catalog: Catalog = None,
    model: Annotated[
        str, typer.Option(help="Folder of a model of attributes, or champion for the registry's.")
    ] = CHAMPION,
    as_json: JsonFlag = False,
) -> None:
    """Answer requests over HTTP until Ctrl-C: ads, attributes and descriptions; and the ad studio."""
    if context.invoked_subcommand is not None:
        return
    from inference.pages import HOST, listening
    from orchestration.families.settings import load_settings
    from orchestration.jobs.serving import Offered, open_keys, serving, studio_key

    began = time.monotonic()
    settings = load_settings()
    folder = None if model == CHAMPION else model_folder(model)
    if folder is not None and not (folder / "selvedge.json").is_file():
        raise SelvedgeError(f"--model {model} holds no model of attributes; name the folder that training wrote.")
    with listening(settings.service_port if port is None else port) as listener:
        key = studio_key(settings, open_keys(settings))
        with serving(settings, Offered(catalog, folder), listener, say) as (service, watch):
            address = f"http://{HOST}:{listener.getsockname()[1]}"
            values = {
                "home": str(settings.home),
                "address": address,
                "pages": f"{address}/#key={key}",
                "studio": f"{address}/studio#key={key}",
                "products": service.products.count(),
                "workers": settings.service_workers,
            }
            emit("serve", as_json, {**values, "seconds": time.monotonic() - began})
            say("These two links hold a key; keep them to yourself. Ctrl-C stops the service.")
            try:
                watch()
            except KeyboardInterrupt:
                say("Stopping.")
    raise Interrupted("the service is stopped; what was accepted is made after the next `selvedge serve`.")


def work(catalog: Catalog = None) -> None:
    """Make what is asked for; `selvedge serve` starts this."""
    from orchestration.families.settings import load_settings
    from orchestration.jobs.serving import work as make

    make(load_settings(), catalog)


def add(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the client: small letters, digits, dashes.")],
    may: Annotated[
        str, typer.Option(help="What it may ask for, with commas; home: read the home's pages.")
    ] = "ads,attributes,descriptions",
    as_json: JsonFlag = False,
) -> None:
    """Make a client's key and print it; only its hash is kept."""
    from inference.service.keys import RIGHTS
    from orchestration.families.settings import load_settings
    from orchestration.jobs.serving import STUDIO, open_keys

    if name == STUDIO:
        raise SelvedgeError(f"{STUDIO} is the page that `selvedge serve` opens; choose another name.")
    rights = [right.strip() for right in may.split(",") if right.strip()]
    key = open_keys(load_settings()).add(name, rights)
    emit("serve key add", as_json, {"name": name, "rights": [right for right in RIGHTS if right in rights], "key": key})


def list_keys(as_json: JsonFlag = False) -> None:
    """Who has a key, and what for."""
    from orchestration.families.settings import load_settings
    from orchestration.jobs.serving import open_keys

    keys = [
        {
            "name": client.name,
            "rights": list(client.rights),
            "created": datetime.fromtimestamp(client.created_at, UTC).isoformat(timespec="seconds"),
        }
        for client in open_keys(load_settings()).all()
    ]
    emit("serve key list", as_json, {"keys": keys})


def remove(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Of the client.")], as_json: JsonFlag = False
) -> None:
    """Take a client's key away; what it asked for is kept."""
    from orchestration.families.settings import load_settings
    from orchestration.jobs.serving import open_keys

    open_keys(load_settings()).remove(name)
    emit("serve key remove", as_json, {"name": name})
