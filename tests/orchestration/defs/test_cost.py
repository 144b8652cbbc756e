"""What runs cost: a run's rows add up to its time, nothing is counted twice, and pruned runs stay counted."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pandas as pd
import pyarrow as pa
import pytest

from catalog.errors import SelvedgeError
from catalog.tables import TEXT, declare_table
from orchestration.assets.costs import BYTES, DOLLARS, DOLLARS_A_ROW, SECONDS, SECONDS_A_ROW, with_costs
from orchestration.assets.failures import errors_as_sentences
from orchestration.assets.partitions import DROPS
from orchestration.assets.published import Tables, materialised
from orchestration.assets.run_costs import RunCosts, spent_by_run
from orchestration.cli.cost_command import named_month
from orchestration.cli.main import run
from orchestration.defs.operations.cost import cost_asset
from orchestration.defs.operations.spending import REST, dated, sums
from orchestration.families.contract import families_of_assets
from orchestration.runtime.settings import Settings
from tests.orchestration.toy_family import toy_family

PRODUCTS, TEXTS = dg.AssetKey(["catalog", "products"]), dg.AssetKey(["inference", "texts"])
WHOSE = {"inference/texts": "toy"}
declare_table("cost_rows", pa.schema([("name", TEXT)]))


class Home:
    """Two assets of a drop, of which the second says tokens and dollars, on an instance."""

    def __init__(self, folder: Path) -> None:
        self.settings = Settings(home=folder)
        self.tables = Tables(root=str(folder / "tables"))
        self.instance = dg.DagsterInstance.ephemeral()
        self.broken = False
        assets = [self._asset(PRODUCTS, {}), self._asset(TEXTS, {"tokens_in": 1000, "tokens_out": 10, DOLLARS: 0.25})]
        self.job = dg.Definitions(
            assets=assets, resources={"tables": self.tables}, executor=dg.in_process_executor
        ).resolve_implicit_global_asset_job_def()

    def _asset(self, key: dg.AssetKey, metadata: dict[str, Any]) -> dg.AssetsDefinition:
        @dg.asset(key=key, partitions_def=DROPS, deps=[PRODUCTS] if key == TEXTS else [])
        @errors_as_sentences
        def asset(context: dg.AssetExecutionContext, tables: Tables) -> dg.MaterializeResult:
            if self.broken and key == TEXTS:
                raise SelvedgeError("no text can be written; mend it.")
            rows = pd.DataFrame({"name": ["a", "b", "c", "d"]})
            return tables.publish(context, key.path[-1], rows, metadata, schema="cost_rows")

        return asset

    def make(self, drop: str) -> None:
        self.instance.add_dynamic_partitions(DROPS.name or "", [drop])
        self.job.execute_in_process(instance=self.instance, partition_key=drop, raise_on_error=False)

    def costs(self) -> RunCosts:
        return RunCosts(self.instance, self.tables, self.settings, WHOSE)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    made = Home(tmp_path)
    yield made
    made.instance.dispose()


def test_the_rows_of_a_run_add_up_to_its_time_and_say_what_was_made(home):
    home.make("one")
    home.broken = True
    home.make("two")
    costs = home.costs().all()
    by_run = costs.groupby("run_id")["seconds"].sum()
    for record in home.instance.get_run_records():
        assert by_run[record.dagster_run.run_id] == pytest.approx(record.end_time - record.start_time, abs=0.5)
    texts = costs[costs["asset"] == "inference/texts"].set_index("partition")
    assert texts["made"].to_dict() == {"one": True, "two": False} and set(texts["family"]) == {"toy"}
    one = texts.loc["one"]
    assert (one["rows"], one["products"], one["tokens_in"], one["usd"]) == (4, 4, 1000, 0.25) and one["bytes"] > 0
    (of_all,) = sums(dated(costs, "UTC"))
    assert (of_all["runs"], of_all["failed"], of_all["products"], of_all["usd"]) == (2, 1, 8, 0.25)
    assert of_all["seconds"] == pytest.approx(by_run.sum())
    assert {row["whose"] for row in sums(dated(costs, "UTC"), ["whose"])} == {"toy", "catalog", REST}


def test_a_page_says_what_making_it_took_in_all_and_for_each_row(home):
    home.make("one")
    about = materialised(home.instance, "inference/texts", "one") or {}
    assert about[SECONDS_A_ROW] == pytest.approx(about[SECONDS] / 4, abs=0.001) and about[DOLLARS_A_ROW] == 0.25 / 4
    assert about[BYTES] == home.tables.path("inference/texts", "one").stat().st_size


def test_assets_of_one_step_share_its_time_and_a_check_is_no_materialisation():
    first, second = with_costs((dg.MaterializeResult(metadata={"rows": 0}), dg.MaterializeResult()), 3.0)
    assert first.metadata == {"rows": 0, SECONDS: 1.5} and second.metadata == {SECONDS: 1.5}
    check = dg.AssetCheckResult(passed=True)
    assert with_costs(check, 3.0) is check and with_costs([], 1.0) == [] and with_costs(None, 1.0) is None


def test_a_page_begins_with_what_a_person_reads():
    picture, record = dg.MetadataValue.md("![x](y)"), {"a": 1}
    said = {"uri": "x", "sha256": "y", "counts": record, "dagster/row_count": 4, "for example": picture, "rows": 4}
    (only,) = with_costs([dg.MaterializeResult(metadata=said)], 2.0)
    assert list(only.metadata or {}) == [
        *("rows", SECONDS, SECONDS_A_ROW, "for example", "counts", "uri", "sha256", "dagster/row_count"),
    ]


def test_what_was_kept_outlives_its_runs_and_keeping_again_changes_nothing(home):
    home.make("one")
    kept = home.costs().keep()
    files = {path: path.read_bytes() for path in Path(home.settings.home, "tables/operations").rglob("*.parquet")}
    assert len(files) == 1
    pd.testing.assert_frame_equal(home.costs().keep(), kept)
    assert all(path.read_bytes() == content for path, content in files.items())
    for record in home.instance.get_run_records():
        home.instance.delete_run(record.dagster_run.run_id)
    pd.testing.assert_frame_equal(home.costs().all(), kept)
    home.make("two")
    assert len(home.costs().all()) == 2 * len(kept), "read without being written"
    assert len(home.costs().keep()) == 2 * len(kept) and len(home.costs().keep()) == 2 * len(kept)


def test_a_clock_that_was_ahead_hides_no_later_run(home, monkeypatch):
    home.make("one")
    late = home.costs()
    rows = late._rows
    monkeypatch.setattr(
        late, "_rows", lambda record: [{**row, "ended": datetime(2099, 1, 1, tzinfo=UTC)} for row in rows(record)]
    )
    late.keep()
    home.make("two")
    assert set(home.costs().all()["partition"]) == {"one", "two"}


def event(moment: float, kind: str, step: str | None = "texts", key: dg.AssetKey | None = None) -> Any:
    inner = SimpleNamespace(event_type_value=kind, asset_key=key) if kind else None
    return SimpleNamespace(timestamp=moment, step_key=step, dagster_event=inner, asset_materialization=None)


def test_a_run_whose_process_died_took_until_its_last_sign_of_life():
    record: Any = SimpleNamespace(start_time=101.0, end_time=9000.0)  # somebody noticed two hours later
    planned = event(99.0, "ASSET_MATERIALIZATION_PLANNED", key=TEXTS)
    events = [
        event(100.0, "PIPELINE_STARTING", None),
        planned,
        event(102.0, "STEP_START"),
        event(104.0, "STEP_UP_FOR_RETRY"),
        event(110.0, "STEP_RESTARTED"),
        event(130.0, ""),  # a line of its log
        event(9000.0, "PIPELINE_FAILURE", None),
    ]
    assert spent_by_run(record, events).seconds == {"inference/texts": 22.0, "": 8.0}
    never: Any = SimpleNamespace(start_time=None, end_time=9000.0)
    assert spent_by_run(never, []).seconds == {"": 0.0}


def test_months_and_weeks_begin_in_the_operators_time_zone(home):
    home.make("one")
    costs = home.costs().all().assign(ended=pd.Timestamp("2026-10-31 23:30", tz="UTC"))
    assert set(dated(costs, "UTC")["month"]) == {"2026-10"}
    assert set(dated(costs, "Europe/Berlin")["month"]) == {"2026-11"}
    assert set(dated(costs, "Europe/Berlin")["week"]) == {"2026-10-26"}
    assert sums(dated(costs.iloc[:0], "UTC"))[0]["runs"] == 0


def test_a_month_is_named_by_its_number_or_by_a_word():
    now = datetime(2026, 1, 15, tzinfo=UTC)
    assert [named_month(text, now) for text in ("last", "this", "2025-03")] == ["2025-12", "2026-01", "2025-03"]
    for wrong in ("2026-13", "March", "2026-3", "2026-10-01"):
        with pytest.raises(SelvedgeError, match="write one like 2026-01, or last, or this"):
            named_month(wrong, now)


def test_the_asset_shows_weeks_months_and_a_plot(home):
    home.make("one")
    asset = cost_asset(WHOSE)
    resources = {"settings": home.settings, "tables": home.tables}
    assert dg.materialize([asset], instance=home.instance, resources=resources).success
    about = materialised(home.instance, "operations/cost") or {}
    assert about["runs"] == 1 and about["dollars"] == 0.25
    assert "| toy |" in about["by week and family"] and about["by week"].startswith("![seconds and dollars by week]")
    assert f"{datetime.now(UTC):%Y-%m}" in about["by month"] and "inference/texts" in about["by asset"]


def test_a_home_that_spent_nothing_has_a_page_too(home):
    assets = [cost_asset(WHOSE)]
    assert dg.materialize(
        assets, instance=home.instance, resources={"settings": home.settings, "tables": home.tables}
    ).success


def test_every_asset_that_is_built_for_a_family_is_that_familys():
    whose = families_of_assets([toy_family()])
    assert {whose[f"{stage}/toy_{what}"] for stage, what in (("training", "candidate"), ("registry", "champion"))} == {
        "toy"
    }
    assert whose[toy_family().publishes] == "toy"


def test_the_command_says_it_in_lines_and_as_keys(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("SELVEDGE_HOME", str(tmp_path))
    assert run(["cost"]) == 1 and "holds no drop yet" in capfd.readouterr().err
    from orchestration.runtime.instance import open_instance

    with open_instance(Settings(home=tmp_path)):
        pass
    assert run(["cost", "--month", "last"]) == 0 and "no run ended (months with runs: none)" in capfd.readouterr().out
    assert run(["cost", "--json"]) == 0
    assert json.loads(capfd.readouterr().out)["runs"] == 0
