"""Checks: what holds up everything after it when it fails.

Belongs here: the factory that turns an expectation suite into a check, rows kept, no leakage, faithful
texts. Not here: the expectations (catalog/expectations.py), the gate of a family (road.py).

A check of a partitioned asset is partitioned itself: an unpartitioned one that passes for one partition was seen to
release all others.
"""

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg

from orchestration.assets.failures import errors_as_sentences
from orchestration.assets.metadata import table
from orchestration.assets.partitions import DROPS
from orchestration.assets.published import Tables, materialised
from orchestration.defs.inference.descriptions import READS

# A preview, and the reason why Dagster's version is pinned exactly; saying so at every start helps nobody.
warnings.filterwarnings("ignore", message=".*partitions_def on an AssetCheckSpec", category=dg.PreviewWarning)

SHOWN_FAILURES = 20
Context = Callable[[dg.DagsterInstance, Tables, str | None], dict[str, Any]]


def expectation_check(
    name: str, suite: str, partitions_def: dg.PartitionsDefinition | None, beside: Context
) -> dg.AssetChecksDefinition:
    """A blocking check of the asset `stage/name`: every expectation of a suite, each failed one in the metadata.

    Args:
        name: `stage/name` of the asset.
        suite: name of the suite in catalog/expectations.py.
        partitions_def: the asset's own.
        beside: what the suite needs besides the table, by its own names.
    """

    @dg.asset_check(
        asset=dg.AssetKey(name.split("/")),
        name="expectations",
        description=f"Every expectation of the suite “{suite}” holds.",
        partitions_def=partitions_def,
        blocking=True,
    )
    @errors_as_sentences
    def check(context: dg.AssetCheckExecutionContext, tables: Tables) -> dg.AssetCheckResult:
        from catalog.expectations import validate

        partition = context.partition_key if partitions_def is not None else None
        rows_of_table = tables.read(context.instance, name, partition)
        outcomes = validate(suite, rows_of_table, **beside(context.instance, tables, partition))
        failed = [outcome for outcome in outcomes if not outcome.success]
        rows = [[outcome.name, outcome.observed, outcome.kwargs] for outcome in failed[:SHOWN_FAILURES]]
        shown = {"failed": table(["expectation", "observed", "asked"], rows)} if failed else {}
        return dg.AssetCheckResult(
            passed=not failed,
            description="; ".join(outcome.name for outcome in failed) if failed else None,
            metadata={"expectations": len(outcomes), **shown},
        )

    return check


@dg.asset_check(
    asset=["catalog", "products"],
    additional_deps=[["catalog", "quarantine"]],
    partitions_def=DROPS,
    blocking=True,
    description="Rows in = products + quarantine.",
)
@errors_as_sentences
def nothing_is_lost(context: dg.AssetCheckExecutionContext, tables: Tables) -> dg.AssetCheckResult:
    """Counted where the rows are read and where they are kept."""
    rows = _row_counts(context.instance, tables, context.partition_key)
    return dg.AssetCheckResult(
        passed=rows["rows_in"] == rows["products"] + rows["quarantined"],
        description=f"{rows['rows_in']} rows in, {rows['products']} products, {rows['quarantined']} in quarantine",
        metadata=rows,
    )


@dg.asset_check(
    asset=["catalog", "splits"], blocking=True, description="No group and no image is in two of the three splits."
)
@errors_as_sentences
def no_leakage(context: dg.AssetCheckExecutionContext, tables: Tables) -> dg.AssetCheckResult:
    """Over every drop, whatever the splits were made from."""
    from catalog.splits import leaks

    splits = tables.read(context.instance, "catalog/splits")
    leaked = leaks(splits, _products_of_splits(context.instance, tables))
    rows = [[leak.kind, leak.key, ", ".join(leak.splits)] for leak in leaked[:SHOWN_FAILURES]]
    shown = {"found": table(["what", "key", "splits"], rows)} if leaked else {}
    return dg.AssetCheckResult(
        passed=not leaked,
        description=(
            f"{len(leaked)} groups or images are in two splits" if leaked else "no group, no image in two splits"
        ),
        metadata={"leaks": len(leaked), **shown},
    )


@dg.asset_check(
    asset=["inference", "descriptions"],
    additional_deps=[["catalog", "products"], READS.split("/")],
    partitions_def=DROPS,
    blocking=True,
    description="Every published text states all facts of its product and nothing else, judged again on the table.",
)
@errors_as_sentences
def texts_are_faithful(context: dg.AssetCheckExecutionContext, tables: Tables) -> dg.AssetCheckResult:
    """Against the products and attributes as they stand, whoever wrote the texts and whenever."""
    from catalog.schema import AttributeSchema
    from inference.descriptions.check import check_published, summarise_checks

    drop = context.partition_key
    predicted = materialised(context.instance, READS, drop) or {}
    recorded: dict[str, Any] = predicted.get("attribute_schema") or {}
    schema = AttributeSchema.from_dict(recorded, f"the schema of {READS} of {drop}")
    descriptions, products, attributes = (
        tables.read(context.instance, name, drop).to_pandas()
        for name in ("inference/descriptions", "catalog/products", READS)
    )
    unfaithful = check_published(descriptions, products, attributes, schema)
    rows = [[row.product_id, row.text, " ".join(row.faults)] for row in unfaithful[:SHOWN_FAILURES]]
    return dg.AssetCheckResult(
        passed=not unfaithful,
        description=f"{len(unfaithful)} of {len(descriptions)} texts say more or less than their product's facts",
        metadata={
            **summarise_checks(descriptions),
            **({"unfaithful": table(["product", "text", "why"], rows)} if unfaithful else {}),
        },
    )


@dg.asset_check(
    asset=["inference", "ad_images"],
    partitions_def=DROPS,
    blocking=True,
    description="Every published picture is there as it was recorded, with the recipe that it is made again from.",
)
@errors_as_sentences
def pictures_are_whole(context: dg.AssetCheckExecutionContext, tables: Tables) -> dg.AssetCheckResult:
    """Against the files as they stand."""
    from inference.ad_images.published import broken_pictures

    drop = context.partition_key
    pictures = tables.read(context.instance, "inference/ad_images", drop).to_pandas()
    broken = broken_pictures(pictures)
    rows = [[fault.product_id, fault.uri, fault.why] for fault in broken[:SHOWN_FAILURES]]
    return dg.AssetCheckResult(
        passed=not broken,
        description=f"{len(broken)} of {len(pictures)} pictures are missing, changed, or not what their recipe says",
        metadata={
            "pictures": len(pictures),
            **({"broken": table(["product", "picture", "why"], rows)} if broken else {}),
        },
    )


def inference_checks() -> Sequence[dg.AssetChecksDefinition]:
    """Every check of the stage inference/."""
    return [texts_are_faithful, pictures_are_whole]


def catalogue_checks() -> Sequence[dg.AssetChecksDefinition]:
    """Every check of the stage catalog/."""
    return [
        nothing_is_lost,
        no_leakage,
        expectation_check("catalog/products", "products", DROPS, _counted_rows),
        expectation_check("catalog/splits", "splits", None, lambda i, t, _: {"products": _products_of_splits(i, t)}),
        expectation_check("catalog/qa_pairs", "qa_pairs", None, lambda _instance, _tables, _drop: {"required": False}),
    ]


def _row_counts(instance: dg.DagsterInstance, tables: Tables, drop: str) -> dict[str, int]:
    read = materialised(instance, "catalog/products", drop) or {}
    return {
        "rows_in": int(read["counts"]["rows"]),
        "products": tables.reference(instance, "catalog/products", drop).rows,
        "quarantined": tables.reference(instance, "catalog/quarantine", drop).rows,
    }


def _counted_rows(instance: dg.DagsterInstance, tables: Tables, drop: str | None) -> dict[str, int]:
    rows = _row_counts(instance, tables, drop or "")
    return {"rows_in": rows["rows_in"], "quarantined": rows["quarantined"]}


def _products_of_splits(instance: dg.DagsterInstance, tables: Tables) -> Any:
    drops = (materialised(instance, "catalog/splits") or {})["drops"]
    return tables.read_all(instance, "catalog/products", drops)
