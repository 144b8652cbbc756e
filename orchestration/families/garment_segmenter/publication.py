"""inference/garment_masks: the parts of every product of a drop, as the champion sees them.

Belongs here: the asset. Not here: segmenting and its rows (inference/garment_masks.py).
"""

from typing import Any

import dagster as dg

from orchestration.assets.metadata import image, table
from orchestration.assets.published import Tables
from orchestration.assets.reporters import log_and
from orchestration.assets.resources import Models
from orchestration.families.garment_segmenter import NAME
from orchestration.families.stages import champion_of_run, publication_asset


@publication_asset(NAME, kinds={"pytorch", "parquet"})
def garment_masks(
    context: dg.AssetExecutionContext,
    tables: Tables,
    models: Models,
    progress: dg.ResourceParam[Any],
) -> dg.MaterializeResult:
    """A mask of every product's picture, one class a pixel; rows that still hold are kept."""
    from inference.garment_masks import segment_products, sheet_of
    from training.segmenter.segmenter import load_segmenter

    drop = context.partition_key
    version, folder = champion_of_run(context, models, NAME)
    segmenter = load_segmenter(folder)
    images = tables.read(context.instance, "catalog/images", drop).to_pandas()
    segmented = segment_products(
        images, segmenter, version.uri, tables.latest("inference/garment_masks", drop), log_and(context, progress)
    )
    shares = [[name, f"{share:.3f}"] for name, share in segmented.shares.items()]
    shown = {"for example": image(sheet_of(images, segmented.frame), "products and their parts")} if len(images) else {}
    return tables.publish(
        context,
        "garment_masks",
        segmented.frame,
        {
            "computed": segmented.computed,
            "kept": segmented.kept,
            "model": version.uri,
            "shares": table(["class", "share of pixels"], shares),
            **shown,
        },
    )
