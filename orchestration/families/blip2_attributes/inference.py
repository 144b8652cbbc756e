"""Attributes of a catalogue's products: for the asset of a drop, and as `selvedge infer attributes`.

Belongs here: one model asked about two tables, and the folder that the command writes. Not here: asking and stamping
(inference/attributes.py), the asset (publication.py).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.families.blip2_attributes.candidate import FEATURES_FOLDER
from orchestration.families.contract import InferenceRequest

if TYPE_CHECKING:
    import pyarrow as pa

    from catalog.schema import AttributeSchema
    from inference.attributes import Predicted
    from training.reporting import Reporter


def predict(
    model: Path,
    uri: str,
    images: "pa.Table",
    products: "pa.Table",
    previous: "pa.Table | None",
    features: Path,
    reporter: "Reporter",
) -> "tuple[AttributeSchema, Predicted]":
    """What a model sees on the products, with the vocabulary it was asked in.

    Args:
        uri: address that the rows carry. previous: rows of an earlier run; those that still hold are kept.
        features: folder of the feature cache.

    Raises:
        SelvedgeError: the artefact is damaged, or a product has no picture.
    """
    import torch

    from inference.attributes import predict_attributes
    from training.blip2.artefact import load_artefact
    from training.blip2.features import FeatureStore

    loaded = load_artefact(model, device="cuda" if torch.cuda.is_available() else "cpu")
    predicted = predict_attributes(
        loaded,
        images.to_pandas(),
        products.to_pandas(),
        store=FeatureStore(features, loaded.base, loaded.feature_precision),
        model_uri=uri,
        previous=None if previous is None else previous.to_pandas(),
        progress=reporter.progress,
    )
    return loaded.schema, predicted


def infer(request: InferenceRequest, reporter: "Reporter") -> dict[str, Any]:
    """Attributes of a catalogue directory as a table of a folder, with the vocabulary beside it.

    Raises:
        SelvedgeError: as `predict`; or it is no complete catalogue directory.
    """
    from catalog.tables import write_table
    from catalog.workspace import open_catalogue
    from inference.folders import ATTRIBUTES_FILE, previous_table, write_schema

    catalogue = open_catalogue(request.catalog)
    file = request.out / ATTRIBUTES_FILE
    features = request.catalog / FEATURES_FOLDER
    schema, predicted = predict(
        request.model, request.uri, catalogue.images, catalogue.products, previous_table(file), features, reporter
    )
    # The schema first: a kill in between leaves attributes with their own schema or with a newer one, never none.
    write_schema(schema, request.out)
    return {
        "path": str(file.expanduser().resolve()),
        "rows": write_table(predicted.frame, file, "attributes").rows,
        "recomputed": predicted.computed,
        "kept": predicted.reused,
        "abstained": int(predicted.frame["abstained"].sum()),
        "model": request.uri,
    }
