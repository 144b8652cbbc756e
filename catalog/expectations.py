"""Expectations: what must hold of products, splits and Q&A pairs, checked by Great Expectations.

Belongs here: the three suites, and running one on a frame. Not here: turning outcomes into Dagster checks
(orchestration/), making the tables.

This is the one module that imports Great Expectations, inside functions, because that import takes over a second. What
needs two tables (does a group lie in two splits?) is computed into a column first, so that every rule is one of
Great Expectations' own and shows up in its results.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from catalog.errors import SelvedgeError
from catalog.groups import Rows
from catalog.schema import AttributeSchema, load_schema
from catalog.splits import EXCLUDED, SPLITS, TRAIN

KNOWN_TYPES_SHARE = 0.5  # a catalogue in which fewer article types are known is not one this schema was written for
EXAMPLES = 5  # unexpected values kept per outcome
SHA256, DHASH, GROUP_ID = r"^[0-9a-f]{64}$", r"^[0-9a-f]{64}$", r"^g[0-9]+$"


@dataclass(frozen=True)
class ExpectationOutcome:
    """One expectation on one table."""

    name: str  # e.g. "rows in = products + quarantine"
    success: bool
    observed: dict[str, Any]  # what was found: a value, or how many and which values were unexpected
    kwargs: dict[str, Any]  # the expectation's own settings


@dataclass(frozen=True)
class _Rule:
    name: str
    expectation: str  # a class of great_expectations.expectations
    kwargs: dict[str, Any]


def validate(suite: str, frame: Rows, **context: Any) -> list[ExpectationOutcome]:
    """Every expectation of a suite on a table, in order; nothing is raised for a failed one.

    Args:
        suite: `products`, `splits` or `qa_pairs`.
        frame: the table of that schema.
        context: products: `rows_in` (data lines of styles.csv), `quarantined`, optionally `schema`. splits: `products`.
            qa_pairs: optionally `schema` (AttributeSchema), and `required` (False where there may be none).

    Returns:
        one outcome per expectation; one that could not be computed counts as failed.

    Raises:
        SelvedgeError: an unknown suite, or one that lacks its context.
    """
    if suite not in _SUITES:
        raise SelvedgeError(f"expectation suite {suite!r} is unknown; choose one of {', '.join(_SUITES)}.")
    table = frame.to_pandas() if isinstance(frame, pa.Table) else frame
    try:
        prepared, rules = _SUITES[suite](table, context)
    except KeyError as error:
        raise SelvedgeError(f"expectation suite {suite!r} needs the context {error}.") from error
    return _run(suite, prepared, rules)


def _products_suite(frame: pd.DataFrame, context: dict[str, Any]) -> tuple[pd.DataFrame, list[_Rule]]:
    schema = context.get("schema") or load_schema()
    expected_rows = int(context["rows_in"]) - int(context["quarantined"])
    return frame.drop(columns=["attributes", "descriptors"]), [
        _Rule("rows in = products + quarantine", "ExpectTableRowCountToEqual", {"value": expected_rows}),
        _present("product_id"),
        _Rule("a product once per drop", "ExpectCompoundColumnsToBeUnique", {"column_list": ["drop", "product_id"]}),
        _Rule("no negative product id", "ExpectColumnValuesToBeBetween", {"column": "product_id", "min_value": 0}),
        _present("image_uri"),
        _Rule(
            "image sha256 well formed", "ExpectColumnValuesToMatchRegex", {"column": "image_sha256", "regex": SHA256}
        ),
        _Rule("image dhash well formed", "ExpectColumnValuesToMatchRegex", {"column": "image_dhash", "regex": DHASH}),
        _Rule("image width", "ExpectColumnValuesToBeBetween", {"column": "image_width", "min_value": 1}),
        _Rule("image height", "ExpectColumnValuesToBeBetween", {"column": "image_height", "min_value": 1}),
        _Rule(
            "year plausible", "ExpectColumnValuesToBeBetween", {"column": "year", "min_value": 1990, "max_value": 2100}
        ),
        _Rule(
            "most article types known",
            "ExpectColumnValuesToBeInSet",
            {"column": "article_type", "value_set": list(schema.article_types), "mostly": KNOWN_TYPES_SHARE},
        ),
    ]


def _splits_suite(frame: pd.DataFrame, context: dict[str, Any]) -> tuple[pd.DataFrame, list[_Rule]]:
    products = context["products"]
    columns = ["product_id", "drop", "image_sha256"]
    images = products.select(columns).to_pandas() if isinstance(products, pa.Table) else products[columns]
    prepared = frame.assign(rows_of_product=frame.groupby("product_id")["split"].transform("size"))
    prepared = prepared.merge(images[["product_id"]].drop_duplicates(), on="product_id", how="outer")
    prepared = prepared.merge(images.drop_duplicates(), on=["product_id", "drop"], how="left")
    prepared = prepared.assign(
        train_products=int((frame["split"] == TRAIN).sum()),
        splits_of_group=_splits_by(prepared, "group_id"),
        splits_of_image=_splits_by(prepared, "image_sha256"),
    )
    return prepared, [
        _Rule("every product has a split", "ExpectColumnValuesToNotBeNull", {"column": "split"}),
        _Rule(
            "a product has one split", "ExpectColumnValuesToBeBetween", {"column": "rows_of_product", "max_value": 1}
        ),
        _Rule("splits are known", "ExpectColumnValuesToBeInSet", {"column": "split", "value_set": list(SPLITS)}),
        _Rule("group ids well formed", "ExpectColumnValuesToMatchRegex", {"column": "group_id", "regex": GROUP_ID}),
        _Rule("no group in two splits", "ExpectColumnValuesToBeBetween", {"column": "splits_of_group", "max_value": 1}),
        _Rule("no image in two splits", "ExpectColumnValuesToBeBetween", {"column": "splits_of_image", "max_value": 1}),
        _Rule("something to train on", "ExpectColumnMinToBeBetween", {"column": "train_products", "min_value": 1}),
    ]


_PAIRS = _Rule("at least one pair", "ExpectTableRowCountToBeBetween", {"min_value": 1})


def _qa_suite(frame: pd.DataFrame, context: dict[str, Any]) -> tuple[pd.DataFrame, list[_Rule]]:
    schema: AttributeSchema = context.get("schema") or load_schema()
    vocabulary = {(attribute.name, value) for attribute in schema.attributes.values() for value in attribute.vocabulary}
    prepared = frame.assign(
        published_answer=frame["attribute"] + ": " + frame["value"],
        in_vocabulary=[pair in vocabulary for pair in zip(frame["attribute"], frame["value"], strict=True)],
        splits_of_group=_splits_by(frame, "group_id"),
    )
    used = [split for split in SPLITS if split != EXCLUDED]
    key = ["drop", "product_id", "attribute"]
    return prepared, [
        *([_PAIRS] if context.get("required", True) else []),
        _Rule("a question once per product", "ExpectCompoundColumnsToBeUnique", {"column_list": key}),
        _Rule("splits are known", "ExpectColumnValuesToBeInSet", {"column": "split", "value_set": used}),
        _Rule("questions are questions", "ExpectColumnValuesToMatchRegex", {"column": "question", "regex": r"\?$"}),
        _Rule(
            "answers in the published form",
            "ExpectColumnPairValuesToBeEqual",
            {"column_A": "answer", "column_B": "published_answer"},
        ),
        _Rule(
            "values in the vocabulary", "ExpectColumnValuesToBeInSet", {"column": "in_vocabulary", "value_set": [True]}
        ),
        _Rule("no group in two splits", "ExpectColumnValuesToBeBetween", {"column": "splits_of_group", "max_value": 1}),
    ]


_SUITES: dict[str, Callable[[pd.DataFrame, dict[str, Any]], tuple[pd.DataFrame, list[_Rule]]]] = {
    "products": _products_suite,
    "splits": _splits_suite,
    "qa_pairs": _qa_suite,
}


def _present(column: str) -> _Rule:
    return _Rule(f"{column} present", "ExpectColumnValuesToNotBeNull", {"column": column})


def _splits_by(frame: pd.DataFrame, column: str) -> pd.Series:
    """In how many of train, validation and test a row's group or image is."""
    counted = frame[frame["split"] != EXCLUDED]
    return frame[column].map(counted.groupby(column)["split"].nunique()).fillna(0).astype(int)


def _run(suite: str, frame: pd.DataFrame, rules: list[_Rule]) -> list[ExpectationOutcome]:
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # read at import; it would phone home otherwise
    import great_expectations as gx
    from great_expectations.data_context.types.base import (
        DataContextConfig,
        InMemoryStoreBackendDefaults,
        ProgressBarsConfig,
    )

    settings = DataContextConfig(
        # A plain ephemeral context leaves a temporary folder for its documentation site behind at every call.
        store_backend_defaults=InMemoryStoreBackendDefaults(init_temp_docs_sites=False),
        progress_bars=ProgressBarsConfig(globally=False),
        analytics_enabled=False,
    )
    context = gx.get_context(mode="ephemeral", project_config=settings)
    asset = context.data_sources.add_pandas("memory").add_dataframe_asset(suite)
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    expectations = [
        getattr(gx.expectations, rule.expectation)(**rule.kwargs, meta={"position": position})
        for position, rule in enumerate(rules)
    ]
    results = batch.validate(
        gx.ExpectationSuite(name=suite, expectations=expectations), result_format="SUMMARY"
    ).results
    # Results come grouped by column, so the place in the suite travels as metadata.
    by_position: dict[int, Any] = {}
    for result in results:
        assert result.expectation_config is not None and result.expectation_config.meta is not None
        by_position[result.expectation_config.meta["position"]] = result
    return [
        ExpectationOutcome(rule.name, bool(by_position[i].success), _observed(by_position[i]), rule.kwargs)
        for i, rule in enumerate(rules)
    ]


def _observed(result: Any) -> dict[str, Any]:
    observed = result.result or {}
    kept = {
        key: observed[key]
        for key in ("observed_value", "element_count", "unexpected_count", "unexpected_percent")
        if observed.get(key) is not None
    }
    if observed.get("partial_unexpected_list"):
        kept["unexpected_examples"] = observed["partial_unexpected_list"][:EXAMPLES]
    if (info := result.exception_info or {}) and not observed:
        kept["error"] = str(info)[:500]
    return kept
