"""inference/discovery_index: the bottoms of a drop, to be found by what a champion draws.

Belongs here: the asset. Not here: vectors and the index (inference/discovery/).
"""

import time
from typing import Any

import dagster as dg

from catalog.errors import SelvedgeError
from orchestration.assets.conditions import follows_new
from orchestration.assets.failures import told_plainly
from orchestration.assets.partitions import DROPS, EVERY, SAME
from orchestration.assets.published import GPU_POOL, Tables, materialised
from orchestration.assets.reporters import log_and
from orchestration.assets.resources import Models
from orchestration.families.restgan.declaration import RESTGAN
from orchestration.runtime.settings import Settings


@dg.asset(
    key_prefix="inference",
    group_name="inference",
    partitions_def=DROPS,
    deps=[
        dg.AssetDep(["catalog", "products"], partition_mapping=SAME),
        dg.AssetDep(["catalog", "images"], partition_mapping=SAME),
        dg.AssetDep(RESTGAN.champion, partition_mapping=EVERY),
    ],
    automation_condition=follows_new(),
    pool=GPU_POOL,
    owners=["team:models"],
    kinds={"pytorch", "lancedb"},
    code_version="1",
)
@told_plainly
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
    from training.restgan.judge import JUDGE_FILE, load_judge
    from training.restgan.sampling import read_about

    began = time.monotonic()
    drop = context.partition_key
    # The version Dagster was told of, not the alias as it is now: the recorded lineage names what was used.
    champion = materialised(context.instance, "/".join(RESTGAN.champion.path))
    if champion is None:
        raise SelvedgeError(f"{RESTGAN.name} has no champion yet; train a candidate that passes its gate.")
    registry = models.registry()
    version = registry.version(RESTGAN.name, int(champion["version"]))
    folder = registry.artefact_path(version)
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
