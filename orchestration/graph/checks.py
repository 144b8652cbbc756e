"""Checks: what holds up everything after it when it fails.

Belongs here: the factory that turns an expectation suite into a check, rows kept, no leakage. Not here: the
expectations (catalog/expectations.py), the gate of a family (family.py).

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
    kept = _kept(context.instance, tables, context.partition_key)
    return dg.AssetCheckResult(
        passed=kept["rows_in"] == kept["products"] + kept["quarantined"],
        description=f"{kept['rows_in']} rows in, {kept['products']} products, {kept['quarantined']} in quarantine",
        metadata=kept,
    )


@dg.asset_check(
    asset=["catalog", "splits"], blocking=True, description="No group and no image is in two of the three splits."
)
@errors_as_sentences
def no_leakage(context: dg.AssetCheckExecutionContext, tables: Tables) -> dg.AssetCheckResult:
    """Over every drop, whatever the splits were made from."""
    from catalog.splits import leaks

    splits = tables.read(context.instance, "catalog/splits")
    found = leaks(splits, _products_of_splits(context.instance, tables))
    rows = [[leak.kind, leak.key, ", ".join(leak.splits)] for leak in found[:SHOWN_FAILURES]]
    return dg.AssetCheckResult(
        passed=not found,
        description=f"{len(found)} groups or images are in two splits" if found else "no group, no image in two splits",
        metadata={"leaks": len(found), **({"found": table(["what", "key", "splits"], rows)} if found else {})},
    )


def catalogue_checks() -> Sequence[dg.AssetChecksDefinition]:
    """Every check of the stage catalog/."""
    return [
        nothing_is_lost,
        no_leakage,
        expectation_check("catalog/products", "products", DROPS, _counted_rows),
        expectation_check("catalog/splits", "splits", None, lambda i, t, _: {"products": _products_of_splits(i, t)}),
        expectation_check("catalog/qa_pairs", "qa_pairs", None, lambda i, t, _: {}),
    ]


def _kept(instance: dg.DagsterInstance, tables: Tables, drop: str) -> dict[str, int]:
    read = materialised(instance, "catalog/products", drop) or {}
    return {
        "rows_in": int(read["counts"]["rows"]),
        "products": tables.reference(instance, "catalog/products", drop).rows,
        "quarantined": tables.reference(instance, "catalog/quarantine", drop).rows,
    }


def _counted_rows(instance: dg.DagsterInstance, tables: Tables, drop: str | None) -> dict[str, int]:
    kept = _kept(instance, tables, drop or "")
    return {"rows_in": kept["rows_in"], "quarantined": kept["quarantined"]}


def _products_of_splits(instance: dg.DagsterInstance, tables: Tables) -> Any:
    drops = (materialised(instance, "catalog/splits") or {})["drops"]
    return tables.read_all(instance, "catalog/products", drops)
