"""catalog/ by drop: products, quarantine, standard images.

Belongs here: the assets of one delivery. Not here: what spans deliveries (training_set.py).
"""

from collections import Counter
from typing import TYPE_CHECKING

import dagster as dg

from catalog.delivery import fingerprint
from catalog.errors import SelvedgeError
from orchestration.assets.conditions import follows_new
from orchestration.assets.failures import errors_as_sentences
from orchestration.assets.metadata import contact_sheet, counts
from orchestration.assets.partitions import DROPS, SAME
from orchestration.assets.published import Tables, materialised
from orchestration.defs.catalog.deliveries import remember_drop
from orchestration.defs.catalog.withdrawn import gone, record_withdrawal
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa

OWNERS = ["team:catalog"]


class DropConfig(dg.Config):
    """Where a drop's files are. Needed once; later runs of the drop remember it."""

    source: str | None = None


@dg.multi_asset(
    name="read_drop",
    specs=[
        dg.AssetSpec(
            ["catalog", "products"],
            description="Every readable product of the drop, cleaned and typed.",
            group_name="catalog",
            owners=OWNERS,
            kinds={"parquet"},
            code_version="1",
        ),
        dg.AssetSpec(
            ["catalog", "quarantine"],
            description="Every row that could not be used, with its reason and its raw bytes; nothing is lost.",
            group_name="catalog",
            owners=OWNERS,
            kinds={"parquet"},
            code_version="1",
        ),
    ],
    partitions_def=DROPS,
)
@errors_as_sentences
def read_drop(
    context: dg.AssetExecutionContext, config: DropConfig, settings: dg.ResourceParam[Settings], tables: Tables
) -> tuple[dg.MaterializeResult, dg.MaterializeResult]:
    """Read a delivery: products on one side, quarantine on the other."""
    from catalog.mapping import read_mapping
    from catalog.reading import NothingReadable, read_catalogue

    mapping = read_mapping(settings.mapping) if settings.mapping is not None else None
    delivery = remember_drop(settings, context.partition_key, config.source)
    stamp = fingerprint(delivery.source, settings.mapping)
    try:
        read = read_catalogue(delivery.source, delivery.drop, mapping=mapping)
    except NothingReadable as nothing:
        if materialised(context.instance, "catalog/products", delivery.drop) is None:
            rejected = tables.publish(context, "quarantine", nothing.read.quarantine)
            context.log_event(
                dg.AssetMaterialization(
                    ["catalog", "quarantine"], metadata=dict(rejected.metadata or {}), partition=delivery.drop
                )
            )
        raise
    for sentence in read.counts["warnings"]:
        context.log.warning(sentence)
    reasons = counts(read.counts["quarantine"], "reason")
    types = Counter(read.products["article_type"].to_pylist())
    withdrawn = _withdrawn(context, settings, tables, read.products, stamp)
    quarantine = tables.publish(context, "quarantine", read.quarantine, {"reasons": reasons})
    products = tables.publish(
        context,
        "products",
        read.products,
        {
            "source": delivery.source,
            "table": read.table,
            "source_fingerprint": stamp,
            "counts": read.counts,
            "article types": counts(types, "article type"),
            "pictures": contact_sheet(read.products["image_uri"].to_pylist()),
            **({"withdrawn": withdrawn} if withdrawn else {}),
        },
    )
    return products, quarantine


def _withdrawn(
    context: dg.AssetExecutionContext, settings: Settings, tables: Tables, products: "pa.Table", stamp: str
) -> int:
    """Write down the products that the drop held until now and holds no more; their number."""
    drop = context.partition_key
    try:
        went = gone(tables, drop, products)
        before = materialised(context.instance, "catalog/products", drop) or {}
        record_withdrawal(settings, drop, went, context.run_id, stamp, str(before.get("source_fingerprint", "")))
    except SelvedgeError as error:  # a damaged table is mended by reading its drop again
        context.log.warning(f"which products were withdrawn is not known: {error}")
        return 0
    return len(went)


@dg.asset(
    key_prefix="catalog",
    group_name="catalog",
    partitions_def=DROPS,
    deps=[dg.AssetDep(["catalog", "products"], partition_mapping=SAME)],
    automation_condition=follows_new(),
    owners=OWNERS,
    kinds={"parquet", "jpeg"},
    code_version="1",
)
@errors_as_sentences
def images(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings], tables: Tables
) -> dg.MaterializeResult:
    """A standard copy of every product's picture: RGB, upright, long side at most 512 pixels."""
    from catalog.images import standardise_images

    products = tables.read(context.instance, "catalog/products", context.partition_key)
    copies = standardise_images(products, settings.objects() / "images")
    return tables.publish(context, "images", copies, {"pictures": contact_sheet(copies["uri"].to_pylist())})
