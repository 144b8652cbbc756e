"""inference/descriptions: a faithful text for every product of a drop.

Belongs here: the asset. Not here: writing and checking (inference/descriptions/), which writer
(orchestration/defs/inference/writers.py).
"""

from typing import Any

import dagster as dg

from orchestration.assets.conditions import follows_new
from orchestration.assets.failures import told_plainly
from orchestration.assets.metadata import table
from orchestration.assets.partitions import DROPS, SAME
from orchestration.assets.published import Tables, materialised
from orchestration.assets.reporters import log_and
from orchestration.runtime.settings import Settings

SHOWN_TEXTS = 6


@dg.asset(
    key_prefix="inference",
    group_name="inference",
    partitions_def=DROPS,
    deps=[
        dg.AssetDep(["catalog", "products"], partition_mapping=SAME),
        dg.AssetDep(["inference", "attributes"], partition_mapping=SAME),
    ],
    automation_condition=follows_new(),
    owners=["team:models"],
    kinds={"parquet"},
    code_version="1",
)
@told_plainly
def descriptions(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    tables: Tables,
    progress: dg.ResourceParam[Any],
) -> dg.MaterializeResult:
    """Every confident attribute told, nothing else claimed; texts whose facts did not change are kept."""
    from catalog.schema import AttributeSchema
    from inference.descriptions.journal import Journal
    from inference.descriptions.publish import describe
    from orchestration.defs.inference.writers import description_writer

    drop = context.partition_key
    schema = materialised(context.instance, "inference/attributes", drop) or {}
    writer = description_writer(settings)
    # Drafts of a paid writer outlive a kill.
    journal = Journal(settings.work / f"descriptions-{drop}.journal") if writer else None
    previous = tables.latest("inference/descriptions", drop)
    described = describe(
        tables.read(context.instance, "catalog/products", drop).to_pandas(),
        tables.read(context.instance, "inference/attributes", drop).to_pandas(),
        None if previous is None else previous.to_pandas(),
        writer,
        AttributeSchema.from_dict(schema["attribute_schema"], f"the schema of inference/attributes of {drop}"),
        journal=journal,
        progress=log_and(context, progress).progress,
    )
    shown = described.frame.head(SHOWN_TEXTS)[["product_id", "text"]].to_numpy().tolist()
    published = tables.publish(
        context,
        "descriptions",
        described.frame,
        {**described.counts(), "writer": settings.writer, "for example": table(["product", "text"], shown)},
    )
    if journal is not None:
        journal.discard()
    return published
