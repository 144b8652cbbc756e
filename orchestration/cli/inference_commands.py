"""`selvedge infer`: attributes, descriptions, ads and whatever else a champion makes of a catalogue directory, by hand.

Belongs here: options, what can be inferred, results. Not here: the work (a family's folder, inference/, ad_command.py).

A second run into the same folder computes only what changed: the tables there are what is compared with.
"""

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from catalog.errors import SelvedgeError
from catalog.places import locked_folder
from orchestration import families
from orchestration.cli.ad_command import AdOptions, infer_ads
from orchestration.cli.models import CHAMPION, find_model
from orchestration.cli.results import JsonFlag, emit
from orchestration.cli.tailoring import tailored
from orchestration.cli.terminal import reporting, say
from orchestration.families.contract import Family, InferenceRequest

DESCRIPTIONS, ADS = "descriptions", "ads"  # of no family: made from attributes and photographs


def _ad_option(kind: Any, text: str, **more: Any) -> Any:
    return Annotated[kind, typer.Option(help=text, rich_help_panel="Options of ads", **more)]


AD_OPTIONS = {  # fields of AdOptions, which has their defaults
    "product": _ad_option(int | None, "One product of the catalogue."),
    "photo": _ad_option(Path | None, "A photograph of yours, without a catalogue."),
    "prompt": _ad_option(str | None, "What the picture shall show."),
    "theme": _ad_option(str | None, "Theme; the one that fits by default."),
    "brand": _ad_option(str | None, "Guidelines: a preset, or a YAML file."),
    "backdrop": _ad_option(str | None, "studio, photographs, diffusers or bedrock."),
    "asset": _ad_option(str | None, "A photograph of the library, as the background."),
    "segmenter": _ad_option(str | None, "Who cuts out before a busy backdrop: bedrock, or an ONNX file."),
    "size": _ad_option(str | None, "WIDTHxHEIGHT in pixels."),
    "seed": _ad_option(int, "Seed of everything drawn.", min=0),
    "comment": _ad_option(str | None, "What a reviewer would have otherwise."),
}


def add_to(app: typer.Typer) -> None:
    names = [*_by_family(), DESCRIPTIONS, ADS]
    inferred = StrEnum("Inferred", {name: name for name in names})  # type: ignore[misc]
    argument = typer.Argument(metavar="|".join(names), help="What to infer.")
    annotations = {"what": Annotated[inferred, argument], **AD_OPTIONS}
    app.command("infer")(tailored(infer, annotations, vars(AdOptions())))


def infer(
    what: StrEnum,
    out: Annotated[Path, typer.Option(help="Folder of the results; descriptions and ads read the attributes there.")],
    catalog: Annotated[Path | None, typer.Option(help="Catalogue directory.")] = None,
    model: Annotated[str, typer.Option(help="Folder of a model, or champion for the registry's.")] = CHAMPION,
    *,
    as_json: JsonFlag = False,
    **of_ads: Any,
) -> None:
    """Predict attributes with a model, write descriptions from predicted attributes, or make ads of products."""
    began = time.monotonic()
    family = _by_family().get(what.value)
    _refuse_a_catalogue(out)
    options = AdOptions(**of_ads)
    if what.value != ADS and options != AdOptions():
        raise SelvedgeError(f"`selvedge infer {what.value}` takes none of the options of ads; leave them out.")
    if what.value != ADS and catalog is None:
        raise SelvedgeError(f"`selvedge infer {what.value}` reads a catalogue directory; add --catalog.")
    with locked_folder(out.expanduser()):
        if what.value == ADS:
            values = infer_ads(catalog, out, options, model)
        else:
            assert catalog is not None
            values = _described(catalog, out) if family is None else _inferred(family, catalog, out, model)
        values = {"pictures": None, "refusals": None, **values}
    left_out = values.pop("left_out", None)
    emit(
        "infer",
        as_json,
        {"what": what.value, **values, "left_out": left_out, "seconds": time.monotonic() - began},
    )


def _refuse_a_catalogue(out: Path) -> None:
    """Raises SelvedgeError: the folder is a catalogue directory, whose vocabulary a model's would take the place of."""
    from catalog.directory import SUMMARY_FILE

    if (out.expanduser() / SUMMARY_FILE).exists():
        raise SelvedgeError(f"--out {out} is a catalogue directory; give a folder of its own to what is inferred.")


def _by_family() -> dict[str, Family]:
    return {family.inference.name: family for family in families.FAMILIES if family.inference}


def _inferred(family: Family, catalog: Path, out: Path, model: str) -> dict[str, Any]:
    folder, uri = find_model(family.name, model)
    with reporting() as reporter:
        assert family.inference is not None
        return dict(family.inference.run(InferenceRequest(catalog, out, folder, uri), reporter))


def _described(catalog: Path, out: Path) -> dict[str, Any]:
    from catalog.tables import write_table
    from catalog.workspace import open_catalogue
    from inference.descriptions.publish import described
    from inference.folders import ATTRIBUTES_FILE, DESCRIPTIONS_FILE, JOURNAL_FILE, previous_table, read_schema
    from orchestration.defs.inference.writers import description_writer
    from orchestration.families.settings import load_settings

    attributes = previous_table(out / ATTRIBUTES_FILE)
    if attributes is None:
        raise SelvedgeError(
            f"{out / ATTRIBUTES_FILE} does not exist; run `selvedge infer attributes --catalog {catalog} "
            f"--out {out}` first."
        )
    file = out / DESCRIPTIONS_FILE
    products, previous, schema = open_catalogue(catalog).products, previous_table(file), read_schema(out)
    writer = description_writer(load_settings())
    with (
        reporting() as reporter,
        described(products, attributes, previous, writer, schema, out / JOURNAL_FILE, reporter.progress) as texts,
    ):
        rows = write_table(texts.frame, file, "descriptions").rows
    for sentence in texts.doubts():
        say(sentence)
    return {
        "path": str(file.expanduser().resolve()),
        "rows": rows,
        "recomputed": texts.written,
        "kept": texts.reused,
        "abstained": None,
        "model": ", ".join(sorted(set(attributes["model_uri"].to_pylist()))),
        "left_out": len(texts.left_out),
    }
