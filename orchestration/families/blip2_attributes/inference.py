"""Attributes of a catalogue's products, as `selvedge infer attributes`.

Belongs here: the folder that the command writes. Not here: asking and stamping (inference/attributes.py), the asset
(publication.py).
"""

from typing import TYPE_CHECKING, Any

from orchestration.families.blip2_attributes.candidate import FEATURES_FOLDER
from orchestration.families.contract import InferenceRequest

if TYPE_CHECKING:
    from training.reporting import Reporter


def infer(request: InferenceRequest, reporter: "Reporter") -> dict[str, Any]:
    """Attributes of a catalogue directory as a table of a folder, with the vocabulary beside it.

    Raises:
        SelvedgeError: as `predict_tables`; or it is no complete catalogue directory.
    """
    from catalog.tables import write_table
    from catalog.workspace import open_catalogue
    from inference.attributes import predict_tables
    from inference.folders import ATTRIBUTES_FILE, previous_table, write_schema

    catalogue = open_catalogue(request.catalog)
    file = request.out / ATTRIBUTES_FILE
    features = request.catalog / FEATURES_FOLDER
    schema, predicted = predict_tables(
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
