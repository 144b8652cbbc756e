"""catalog/ over all drops: splits by group, and the questions with their answers.

Belongs here: the unpartitioned tables that training reads. Not here: one delivery (drops.py).

Splits have one writer at a time (a pool) and take drops in the order in which they arrived: an assignment, once made,
never changes, so who comes first decides.
"""

import dagster as dg

from catalog.errors import SelvedgeError
from orchestration.assets.conditions import follows_every_change
from orchestration.assets.failures import errors_as_sentences
from orchestration.assets.metadata import counts, table
from orchestration.assets.partitions import DROPS, EVERY
from orchestration.assets.published import SPLITS_POOL, Tables, materialised, there

OWNERS = ["team:catalog"]
SHOWN_PAIRS = 8
WARNINGS = "warnings"  # metadata: sentences for an operator


@dg.asset(
    key_prefix="catalog",
    group_name="catalog",
    deps=[
        dg.AssetDep(["catalog", "products"], partition_mapping=EVERY),
        dg.AssetDep(["catalog", "images"], partition_mapping=EVERY),
    ],
    automation_condition=follows_every_change(dg.AssetSelection.assets(["catalog", "images"])),
    pool=SPLITS_POOL,
    owners=OWNERS,
    kinds={"parquet"},
    code_version="1",
)
@errors_as_sentences
def splits(context: dg.AssetExecutionContext, tables: Tables) -> dg.MaterializeResult:
    """Train, validation or test for every product, never dividing a group."""
    from catalog.splits import assign_splits, split_summary

    drops = there(context.instance, "catalog/images", DROPS)
    if not drops:
        raise SelvedgeError("no drop has images yet; materialise catalog/products and catalog/images of one first.")
    assigned = tables.latest("catalog/splits")
    assigned_drops = set(assigned["drop"].to_pylist()) if assigned is not None else set()
    # One drop at a time, so that starting over gives what growing gave.
    for number, drop in enumerate(drops, start=1):
        if drop not in assigned_drops or number == len(drops):
            assigned = assign_splits(
                tables.read_all(context.instance, "catalog/products", drops[:number]), earlier=assigned
            )
    summary = split_summary(assigned)
    return tables.publish(
        context,
        "splits",
        assigned,
        {"drops": drops, "products by split": counts(summary["products"], "split"), "summary": summary},
    )


@dg.asset(
    key_prefix="catalog",
    group_name="catalog",
    deps=[
        dg.AssetDep(["catalog", "products"], partition_mapping=EVERY),
        dg.AssetDep(["catalog", "splits"], partition_mapping=EVERY),
    ],
    automation_condition=follows_every_change(dg.AssetSelection.assets(["catalog", "splits"])),
    owners=OWNERS,
    kinds={"parquet", "csv"},
    code_version="1",
)
@errors_as_sentences
def qa_pairs(context: dg.AssetExecutionContext, tables: Tables) -> dg.MaterializeResult:
    """One question with its answer for every attribute that a product has; also as two CSV files."""
    from catalog.qa import make_qa_pairs, untaught, write_vqa_csv
    from catalog.schema import load_schema

    drops = (materialised(context.instance, "catalog/splits") or {}).get("drops", [])
    products = tables.read_all(context.instance, "catalog/products", drops)
    splits = tables.read(context.instance, "catalog/splits")
    schema = load_schema()
    # A first drop may be too small to teach; a model that others taught describes it all the same.
    pairs = make_qa_pairs(products, splits, schema, schema.choose_question_set(products), required=False)
    warnings = untaught(pairs, products.num_rows)
    for sentence in warnings:
        context.log.warning(sentence)
    write_vqa_csv(pairs.table, tables.path("catalog/qa_pairs").parent)
    summary = pairs.summary()
    shown = pairs.table.slice(0, SHOWN_PAIRS).to_pylist()
    return tables.publish(
        context,
        "qa_pairs",
        pairs.table,
        {
            "question_set": pairs.question_set,
            "drops": drops,
            "pairs by attribute": counts(summary["by_attribute"], "attribute"),
            "summary": summary,
            WARNINGS: warnings,
            "for example": table(["question", "answer"], [[pair["question"], pair["answer"]] for pair in shown]),
        },
    )
