"""inference/discovery_index: the bottoms of a drop, to be found by what a champion draws.

Belongs here: the asset. Not here: vectors and the index (inference/discovery/).
"""

import time
from typing import Any

import dagster as dg

from orchestration.assets.published import Tables
from orchestration.assets.reporters import log_and
from orchestration.assets.resources import Models
from orchestration.families.restgan import NAME
from orchestration.families.stages import champion_of_run, publication_asset
from orchestration.runtime.settings import Settings


@publication_asset(NAME, kinds={"pytorch", "lancedb"})
def discovery_index(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    tables: Tables,
    models: Models,
    progress: dg.ResourceParam[Any],
) -> dg.MaterializeResult:
    """Every bottom of a drop with the vector of its picture, replaced as a whole; vectors that still hold are kept."""
    from inference.discovery.index import FOLDER, ProductIndex
    from inference.discovery.products import embed_products
    from training.attribute_judge import JUDGE_FILE, load_judge
    from training.restgan.sampling import read_about

    began = time.monotonic()
    drop = context.partition_key
    version, folder = champion_of_run(context, models, NAME)
    judge = load_judge(folder / JUDGE_FILE)
    index = ProductIndex(settings.objects() / FOLDER, judge.digest, judge.network.head.in_features, version.uri)
    embedded = embed_products(
        tables.read(context.instance, "catalog/products", drop).to_pandas(),
        tables.read(context.instance, "catalog/images", drop).to_pandas(),
        judge,
        model_uri=version.uri,
        model_digest=read_about(folder)["digest"],
        previous=index.rows(drop),
        reporter=log_and(context, progress),
    )
    digest = index.update_drop(drop, embedded.rows)
    return dg.MaterializeResult(
        metadata={
            "dagster/row_count": embedded.rows.num_rows,
            "rows": embedded.rows.num_rows,
            "computed": embedded.computed,
            "kept": embedded.kept,
            "model": version.uri,
            "embedder": judge.digest,
            "uri": index.uri,
            "sha256": digest,
            "seconds": time.monotonic() - began,
        },
        data_version=dg.DataVersion(digest),
    )
