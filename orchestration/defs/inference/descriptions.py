"""inference/descriptions: a faithful text for every product of a drop.

Belongs here: the asset. Not here: writing and checking (inference/descriptions/), which writer (writers.py).
"""

from typing import Any

import dagster as dg

from orchestration.assets.conditions import follows_new
from orchestration.assets.costs import DOLLARS, PAID, usd_of_tokens
from orchestration.assets.failures import errors_as_sentences
from orchestration.assets.metadata import table
from orchestration.assets.partitions import DROPS, SAME
from orchestration.assets.published import Tables, materialised
from orchestration.assets.reporters import log_and
from orchestration.defs.inference.writers import description_writer
from orchestration.runtime.settings import Settings

READS = "inference/attributes"
SHOWN_TEXTS = 6


@dg.asset(
    key_prefix="inference",
    group_name="inference",
    partitions_def=DROPS,
    deps=[
        dg.AssetDep(["catalog", "products"], partition_mapping=SAME),
        dg.AssetDep(READS.split("/"), partition_mapping=SAME),
    ],
    automation_condition=follows_new(),
    owners=["team:models"],
    kinds={"parquet"},
    code_version="1",
)
@errors_as_sentences
def descriptions(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    tables: Tables,
    progress: dg.ResourceParam[Any],
) -> dg.MaterializeResult:
    """A text states every confident attribute and claims nothing else; texts whose facts did not change are kept."""
    from catalog.schema import AttributeSchema
    from inference.descriptions.publish import described

    drop = context.partition_key
    schema = materialised(context.instance, READS, drop) or {}
    with described(
        tables.read(context.instance, "catalog/products", drop),
        tables.read(context.instance, READS, drop),
        tables.latest("inference/descriptions", drop),
        description_writer(settings),
        AttributeSchema.from_dict(schema["attribute_schema"], f"the schema of {READS} of {drop}"),
        settings.work / f"descriptions-{drop}.journal",
        log_and(context, progress).progress,
    ) as texts:
        for sentence in texts.doubts():
            context.log.warning(sentence)
        examples = texts.frame.head(SHOWN_TEXTS)[["product_id", "text"]].to_numpy().tolist()
        return tables.publish(
            context,
            "descriptions",
            texts.frame,
            {
                **texts.counts(),
                "doubts": texts.doubts(),
                "writer": settings.writer,
                DOLLARS: usd_of_tokens(settings, texts.tokens_in, texts.tokens_out) if settings.writer == PAID else 0.0,
                "for example": table(["product", "text"], examples),
            },
        )
