"""inference/attributes: what the champion sees on every product of a drop.

Belongs here: the asset. Not here: asking and stamping (inference/attributes.py).
"""

from typing import Any

import dagster as dg

from catalog.errors import SelvedgeError
from orchestration.assets.conditions import follows_new
from orchestration.assets.failures import told_plainly
from orchestration.assets.metadata import table
from orchestration.assets.partitions import DROPS, EVERY, SAME
from orchestration.assets.published import GPU_POOL, Tables, materialised
from orchestration.assets.reporters import log_and
from orchestration.assets.resources import Models
from orchestration.families.blip2_attributes.declaration import BLIP2_ATTRIBUTES
from orchestration.runtime.settings import Settings


@dg.asset(
    key_prefix="inference",
    group_name="inference",
    partitions_def=DROPS,
    deps=[
        dg.AssetDep(["catalog", "products"], partition_mapping=SAME),
        dg.AssetDep(["catalog", "images"], partition_mapping=SAME),
        dg.AssetDep(BLIP2_ATTRIBUTES.champion, partition_mapping=EVERY),
    ],
    automation_condition=follows_new(),
    pool=GPU_POOL,
    owners=["team:models"],
    kinds={"pytorch", "parquet"},
    code_version="1",
)
@told_plainly
def attributes(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    tables: Tables,
    models: Models,
    progress: dg.ResourceParam[Any],
) -> dg.MaterializeResult:
    """Every question that applies to a product, answered or abstained from; rows that still hold are kept."""
    import torch

    from inference.attributes import predict_attributes, summarise_attributes
    from training.blip2.artefact import load_artefact
    from training.blip2.features import FeatureStore

    drop = context.partition_key
    # The version Dagster was told of, not the alias as it is now: the recorded lineage names what was used.
    champion = materialised(context.instance, "/".join(BLIP2_ATTRIBUTES.champion.path))
    if champion is None:
        raise SelvedgeError(f"{BLIP2_ATTRIBUTES.name} has no champion yet; train a candidate that passes its gate.")
    registry = models.registry()
    version = registry.version(BLIP2_ATTRIBUTES.name, int(champion["version"]))
    model = load_artefact(registry.artefact_path(version), device="cuda" if torch.cuda.is_available() else "cpu")
    previous = tables.latest("inference/attributes", drop)
    predicted = predict_attributes(
        model,
        tables.read(context.instance, "catalog/images", drop).to_pandas(),
        tables.read(context.instance, "catalog/products", drop).to_pandas(),
        store=FeatureStore(settings.features(), model.base, model.feature_precision),
        model_uri=version.uri,
        previous=None if previous is None else previous.to_pandas(),
        progress=log_and(context, progress).progress,
    )
    told = summarise_attributes(predicted.frame)
    shown = [
        [name, int(one["rows"]), f"{one['answered']:.0%}", f"{one['confidence']:.2f}"] for name, one in told.items()
    ]
    return tables.publish(
        context,
        "attributes",
        predicted.frame,
        {
            **predicted.counts(),
            "model": version.uri,
            "attribute_schema": model.schema.to_dict(),
            "by attribute": table(["attribute", "rows", "answered", "confidence"], shown),
        },
    )
