"""`selvedge infer`: attributes and descriptions of a catalogue directory, by hand.

Belongs here: options, where the tables lie, results. Not here: the work (inference/).

A second run into the same folder computes only what changed: the tables there are what is compared with.
"""

import json
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from catalog.errors import SelvedgeError
from orchestration.cli.families import BLIP2_ATTRIBUTES
from orchestration.cli.model_commands import model_folder
from orchestration.cli.results import JsonFlag, emit
from orchestration.cli.terminal import reporting
from orchestration.families.blip2_attributes.by_hand import FEATURES_FOLDER

if TYPE_CHECKING:
    import pandas as pd

    from catalog.schema import AttributeSchema

CHAMPION = "champion"
SCHEMA_FILE = "attribute_schema.json"  # what the attributes were asked with; descriptions are checked against it


class Inferred(StrEnum):
    """What can be inferred."""

    attributes = "attributes"
    descriptions = "descriptions"


def add_to(app: typer.Typer) -> None:
    app.command("infer")(infer)


def infer(
    what: Annotated[Inferred, typer.Argument(metavar="attributes|descriptions", help="What to infer.")],
    catalog: Annotated[Path, typer.Option(help="Catalogue directory.")],
    out: Annotated[Path, typer.Option(help="Folder of the tables; descriptions read the attributes there.")],
    model: Annotated[str, typer.Option(help="Folder of a model, or champion for the registry's.")] = CHAMPION,
    as_json: JsonFlag = False,
) -> None:
    """Predict attributes with a model, or write descriptions from predicted attributes."""
    if what is Inferred.attributes:
        _attributes(catalog, out, model, as_json)
    else:
        _descriptions(catalog, out, as_json)


def _attributes(catalog: Path, out: Path, model: str, as_json: bool) -> None:
    from catalog.tables import publish_bytes, write_table
    from catalog.workspace import open_catalogue

    began = time.monotonic()
    catalogue = open_catalogue(catalog)
    folder, uri = _find_model(model)
    import torch

    from inference.attributes import predict_attributes
    from training.blip2.artefact import load_artefact
    from training.blip2.features import FeatureStore

    loaded = load_artefact(folder, device="cuda" if torch.cuda.is_available() else "cpu")
    table = out / "attributes.parquet"
    with reporting() as reporter:
        predicted = predict_attributes(
            loaded,
            catalogue.images.to_pandas(),
            catalogue.products.to_pandas(),
            store=FeatureStore(catalog / FEATURES_FOLDER, loaded.base, loaded.feature_precision),
            model_uri=uri,
            previous=_previous(table),
            progress=reporter.progress,
        )
    # The schema first: a kill in between leaves attributes with their own schema or with a newer one, never none.
    publish_bytes(json.dumps(loaded.schema.to_dict(), indent=1).encode(), out / SCHEMA_FILE)
    reference = write_table(predicted.frame, table, "attributes")
    values = {
        "what": Inferred.attributes.value,
        "path": str(table.expanduser().resolve()),
        "rows": reference.rows,
        "recomputed": predicted.computed,
        "kept": predicted.reused,
        "abstained": int(predicted.frame["abstained"].sum()),
        "model": uri,
        "seconds": time.monotonic() - began,
    }
    emit("infer", as_json, values)


def _descriptions(catalog: Path, out: Path, as_json: bool) -> None:
    from catalog.tables import write_table
    from catalog.workspace import open_catalogue
    from inference.descriptions.journal import Journal
    from inference.descriptions.publish import describe
    from orchestration.defs.inference.writers import description_writer
    from orchestration.runtime.settings import load_settings

    began = time.monotonic()
    catalogue = open_catalogue(catalog)
    attributes = _previous(out / "attributes.parquet")
    if attributes is None:
        raise SelvedgeError(
            f"{out / 'attributes.parquet'} does not exist; run `selvedge infer attributes --catalog {catalog} "
            f"--out {out}` first."
        )
    writer = description_writer(load_settings())
    journal = Journal(out / "descriptions.journal") if writer else None
    table = out / "descriptions.parquet"
    with reporting() as reporter:
        described = describe(
            catalogue.products.to_pandas(),
            attributes,
            _previous(table),
            writer,
            _schema_of(out),
            journal=journal,
            progress=reporter.progress,
        )
    reference = write_table(described.frame, table, "descriptions")
    if journal is not None:
        journal.discard()
    values = {
        "what": Inferred.descriptions.value,
        "path": str(table.expanduser().resolve()),
        "rows": reference.rows,
        "recomputed": described.written,
        "kept": described.reused,
        "abstained": None,
        "model": ", ".join(sorted(set(attributes["model_uri"]))),
        "seconds": time.monotonic() - began,
    }
    emit("infer", as_json, values)


def _find_model(model: str) -> tuple[Path, str]:
    """The artefact's folder and the address its rows will carry; an alias is looked up once and pinned."""
    if model != CHAMPION:
        folder = model_folder(model)
        return folder, f"file://{folder}"
    from orchestration.registry.registry import Registry
    from orchestration.runtime.settings import load_settings

    registry = Registry(load_settings())
    champion = registry.champion(BLIP2_ATTRIBUTES)
    if champion is None:
        raise SelvedgeError(f"{BLIP2_ATTRIBUTES} has no champion yet; promote a candidate, or give --model FOLDER.")
    return registry.artefact_path(champion), champion.uri


def _previous(table: Path) -> "pd.DataFrame | None":
    from catalog.tables import read_frame

    return read_frame(table) if table.exists() else None


def _schema_of(out: Path) -> "AttributeSchema":
    from catalog.schema import AttributeSchema

    place = out / SCHEMA_FILE
    try:
        return AttributeSchema.from_dict(json.loads(place.read_text()), str(place))
    except (OSError, ValueError) as error:
        raise SelvedgeError(f"{place} is missing or not JSON; run `selvedge infer attributes` again.") from error
