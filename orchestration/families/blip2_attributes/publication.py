"""inference/attributes: what the champion sees on every product of a drop.

Belongs here: the asset. Not here: asking (inference/attributes.py), by hand (inference.py).
"""

from typing import Any

import dagster as dg

from orchestration.assets.metadata import table
from orchestration.assets.published import Tables
from orchestration.assets.reporters import log_and
from orchestration.assets.resources import Models
from orchestration.families.blip2_attributes import NAME
from orchestration.families.blip2_attributes.watching import FEATURES
from orchestration.families.stages import champion_of_run, publication_asset
from orchestration.runtime.compute import compute_of
from orchestration.runtime.settings import Settings


@publication_asset(NAME, kinds={"pytorch", "parquet"})
def attributes(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    tables: Tables,
    models: Models,
    progress: dg.ResourceParam[Any],
) -> dg.MaterializeResult:
    """Every question that applies to a product, answered or abstained from; rows that still hold are kept."""
    from inference.attributes import predict_tables, summarise_attributes

    drop = context.partition_key
    version, folder = champion_of_run(context, models, NAME)
    schema, predicted = predict_tables(
        folder,
        version.uri,
        tables.read(context.instance, "catalog/images", drop),
        tables.read(context.instance, "catalog/products", drop),
        tables.latest("inference/attributes", drop),
        settings.features(),
        log_and(context, progress),
        compute_of(settings),
    )
    rows = [
        [name, int(summary["rows"]), f"{summary['answered']:.0%}", f"{summary['confidence']:.2f}"]
        for name, summary in summarise_attributes(predicted.frame).items()
    ]
    return tables.publish(
        context,
        "attributes",
        predicted.frame,
        {
            **predicted.counts(),
            "model": version.uri,
            "attribute_schema": schema.to_dict(),
            FEATURES: predicted.features,
            "by attribute": table(["attribute", "rows", "answered", "confidence"], rows),
        },
    )
