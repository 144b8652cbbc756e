"""The check of published descriptions in Dagster: judged again on the table, one drop at a time."""

import json
from pathlib import Path
from types import SimpleNamespace

import dagster as dg
import pandas as pd
import pytest

from catalog.errors import SelvedgeError
from catalog.tables import as_table, read_frame, schema_of, write_table
from inference.descriptions.publish import describe
from inference.folders import ATTRIBUTES_FILE, DESCRIPTIONS_FILE, write_schema
from orchestration.assets.conditions import follows_new
from orchestration.assets.partitions import DROPS, SAME
from orchestration.assets.published import Tables, materialised
from orchestration.cli.main import run
from orchestration.defs.inference import descriptions as asset
from orchestration.graph import checks
from orchestration.jobs.in_process import InProcess, keys
from orchestration.runtime.settings import Settings
from tests.inference.descriptions.test_publish import shop
from tests.inference.facts_for_tests import SCHEMA
from training.reporting import Silent

PRODUCTS, ATTRIBUTES = shop()
TEXTS = describe(PRODUCTS, ATTRIBUTES, None, None, SCHEMA).frame


def delivered(gender: str | None = None) -> pd.DataFrame:
    """The shop as a table of products; one of them has this gender."""
    columns = PRODUCTS.reindex(columns=schema_of("products").names).astype(object)
    if gender is not None:
        columns.loc[2, "gender"] = gender
    return columns.where(columns.notna(), None)


@dg.asset(key=["catalog", "products"], partitions_def=DROPS)
def products(context: dg.AssetExecutionContext, tables: Tables) -> dg.MaterializeResult:
    return tables.publish(context, "products", delivered("Ladies" if context.partition_key == "odd" else None))


@dg.asset(key=["inference", "attributes"], partitions_def=DROPS)
def attributes(context: dg.AssetExecutionContext, tables: Tables) -> dg.MaterializeResult:
    return tables.publish(context, "attributes", ATTRIBUTES, {"attribute_schema": SCHEMA.to_dict()})


@dg.asset(key=["inference", "descriptions"], partitions_def=DROPS)
def descriptions(context: dg.AssetExecutionContext, tables: Tables) -> dg.MaterializeResult:
    """Of the drop `invented` one text claims what nobody stated."""
    texts = TEXTS.copy()
    if context.partition_key == "invented":
        texts.loc[2, "text"] += " In cashmere."
    return tables.publish(context, "descriptions", texts if context.partition_key != "empty" else texts[:0])


@dg.asset(
    key=["shop", "page"],
    partitions_def=DROPS,
    deps=[dg.AssetDep(["inference", "descriptions"], partition_mapping=SAME)],
    automation_condition=follows_new(),
)
def page() -> None:
    """What a reader of the project may build behind the descriptions."""


@pytest.fixture
def graph(tmp_path: Path) -> InProcess:
    definitions = dg.Definitions(
        assets=[products, attributes, descriptions, page],
        asset_checks=checks.inference_checks(),
        resources={"tables": Tables(root=str(tmp_path))},
        executor=dg.in_process_executor,
    )
    return InProcess(definitions, dg.DagsterInstance.ephemeral())


def publish(graph: InProcess, drop: str) -> None:
    graph.instance.add_dynamic_partitions(DROPS.name or "", [drop])
    graph.run(keys("catalog/products", "inference/attributes", "inference/descriptions"), drop)


def figures(graph: InProcess) -> dict[str, dg.AssetCheckEvaluation]:
    """The newest evaluation of every drop."""
    records = graph.instance.get_records_for_run
    evaluations = [
        record.event_log_entry.dagster_event.asset_check_evaluation_data  # type: ignore[union-attr]
        for run in graph.instance.get_runs()
        for record in records(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION).records
    ]
    return {evaluation.partition or "": evaluation for evaluation in evaluations}


def test_faithful_texts_pass_with_their_figures(graph: InProcess) -> None:
    publish(graph, "plain")
    evaluation = figures(graph)["plain"]
    assert evaluation.passed and evaluation.metadata["rows"].value == len(PRODUCTS)
    assert evaluation.metadata["coverage_min"].value == 1.0
    assert graph.settle() == 1 and materialised(graph.instance, "shop/page", "plain") is not None


def test_an_invented_claim_stops_its_drop_and_no_other(graph: InProcess) -> None:
    with pytest.raises(SelvedgeError, match="texts_are_faithful of inference/descriptions of invented failed: 1 of 6"):
        publish(graph, "invented")
    publish(graph, "plain")
    assert graph.settle() == 1
    assert materialised(graph.instance, "shop/page", "plain") is not None
    assert materialised(graph.instance, "shop/page", "invented") is None
    assert "cashmere" in figures(graph)["invented"].metadata["unfaithful"].value


def told_without_the_odd_word(texts: pd.DataFrame) -> bool:
    facts = json.loads(texts["checks"][2])["facts"]
    return len(texts) == len(PRODUCTS) and "gender" not in facts and "Ladies" not in texts["text"][2]


def test_an_odd_word_stops_no_drop_in_the_graph(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    tables = Tables(root=str(settings.tables()))
    definitions = dg.Definitions(
        assets=[products, attributes, asset.descriptions],
        asset_checks=checks.inference_checks(),
        resources={"tables": tables, "settings": settings, "progress": Silent()},
        executor=dg.in_process_executor,
    )
    graph = InProcess(definitions, dg.DagsterInstance.ephemeral())
    publish(graph, "odd")
    assert told_without_the_odd_word(tables.read(graph.instance, "inference/descriptions", "odd").to_pandas())
    assert figures(graph)["odd"].passed
    doubts = (materialised(graph.instance, "inference/descriptions", "odd") or {})["doubts"]
    assert doubts == ["1 products are described without a word that no vocabulary knows: 'Ladies' (1); "
                      "add it to catalog/attributes.yaml."]  # fmt: skip


def test_an_odd_word_stops_nothing_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    read = SimpleNamespace(products=as_table(delivered("Ladies"), "products"))
    monkeypatch.setattr("catalog.workspace.open_catalogue", lambda folder: read)
    write_table(ATTRIBUTES, tmp_path / ATTRIBUTES_FILE, "attributes")
    write_schema(SCHEMA, tmp_path)
    assert run(["infer", "descriptions", "--catalog", str(tmp_path), "--out", str(tmp_path), "--json"]) == 0
    told = capsys.readouterr()
    assert "described without a word that no vocabulary knows: 'Ladies' (1)" in told.err
    assert (json.loads(told.out)["rows"], json.loads(told.out)["left_out"]) == (len(PRODUCTS), 0)
    assert told_without_the_odd_word(read_frame(tmp_path / DESCRIPTIONS_FILE, "descriptions"))


def test_a_drop_without_products_has_nothing_to_say(graph: InProcess) -> None:
    publish(graph, "empty")
    assert figures(graph)["empty"].passed
