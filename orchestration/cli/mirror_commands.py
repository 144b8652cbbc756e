"""`selvedge models`: a mirror of public weights, pulled by digest.

Belongs here: options and results. Not here: pins, licences, copying (orchestration/aws/mirror.py).
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli.results import JsonFlag, emit
from orchestration.cli.terminal import reporting, say

if TYPE_CHECKING:
    from orchestration.aws.mirror import Pins

Place = Annotated[str, typer.Argument(help="Folder or s3:// address of a mirrored model.")]


def application() -> typer.Typer:
    app = typer.Typer(no_args_is_help=True, rich_markup_mode=None)
    app.command("mirror")(mirror)
    app.command("pull")(pull)
    app.command("verify")(verify)
    return app


def mirror(
    folder: Annotated[Path, typer.Argument(help="Folder with the model's files and its model card.")],
    place: Annotated[str, typer.Argument(help="Folder or s3:// address for it.")],
    model: Annotated[str, typer.Option(help="The model as published, like Salesforce/blip2-flan-t5-xl.")],
    revision: Annotated[str, typer.Option(help="Its revision.")],
    as_json: JsonFlag = False,
) -> None:
    """Copy public weights into a bucket of your own, pinned by digest. Refuses licences that are not allowed."""
    from orchestration.aws import mirror as mirrors

    began = time.monotonic()
    source = folder.expanduser().resolve()
    with reporting() as reporter:
        pins = mirrors.pin(source, model, revision, reporter.progress)
        copied = mirrors.mirror(source, place, pins, reporter.progress)
    values = {"place": place, **_told(pins), "copied": copied, "seconds": time.monotonic() - began}
    emit("models mirror", as_json, values)


def pull(
    place: Place,
    out: Annotated[Path, typer.Option(help="Folder of the model; it is replaced whole or not at all.")],
    digest: Annotated[str, typer.Option(help="What `selvedge models mirror` told; its first 12 digits will do.")],
    as_json: JsonFlag = False,
) -> None:
    """Fetch mirrored weights: the pinned bytes, or nothing."""
    from catalog.places import check_output_folder
    from orchestration.aws import mirror as mirrors

    began = time.monotonic()
    folder = out.expanduser().resolve()
    check_output_folder(folder)
    with reporting() as reporter:
        pins = mirrors.pull(place, folder, digest, reporter.progress)
    emit("models pull", as_json, {"path": str(folder), **_told(pins), "seconds": time.monotonic() - began})


def verify(place: Place, as_json: JsonFlag = False) -> None:
    """Hash every file of a mirror or of a pulled folder again."""
    from orchestration.aws import mirror as mirrors

    began = time.monotonic()
    with reporting() as reporter:
        pins, wrong = mirrors.verify(place, reporter.progress)
    values = {"place": place, **_told(pins), "wrong": wrong, "seconds": time.monotonic() - began}
    emit("models verify", as_json, values)
    if wrong:
        say(f"selvedge: {place}: {len(wrong)} of {len(pins.files)} files are not what was pinned; mirror it again.")
        raise typer.Exit(1)


def _told(pins: "Pins") -> dict[str, Any]:
    return {
        "model": pins.model,
        "revision": pins.revision,
        "licence": pins.licence,
        "digest": pins.digest,
        "files": len(pins.files),
        "bytes": pins.bytes,
    }
