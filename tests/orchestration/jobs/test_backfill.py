"""Backfills: what is out of date, what it costs, pinned to the champions of the moment, one bad drop among others."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from catalog.errors import SelvedgeError
from orchestration.assets.failures import SENTENCE_TAG, errors_as_sentences
from orchestration.assets.partitions import DROPS, EVERY, SAME
from orchestration.assets.pinning import BACKFILL_TAG, MOMENT_TAG, pinned_at
from orchestration.assets.published import materialised
from orchestration.assets.resources import Models
from orchestration.cli.main import run
from orchestration.families.stages import champion_of_run, publication_asset
from orchestration.graph.sensors import report_champion
from orchestration.jobs import backfill_runs
from orchestration.jobs.backfill import named_drops, plan_backfill
from orchestration.jobs.backfill_runs import ask_daemon, cancel, check_limit, claimed, run_backfill
from orchestration.jobs.in_process import InProcess, keys
from orchestration.registry.interface import CHAMPION
from orchestration.registry.ledger import open_ledger
from orchestration.runtime.dagster_private import request_backfill, requested_backfill
from orchestration.runtime.instance import open_instance
from orchestration.runtime.settings import Settings
from tests.orchestration.families.toy.declaration import TOY
from tests.orchestration.paper_models import PaperModels
from tests.orchestration.paper_registry import PaperRegistry
from tests.orchestration.toy_family import register_toy

TOYS, TEXTS = "inference/toys", "inference/descriptions"
DAYS = ("2026-10-31", "2026-11-01", "2026-11-02")


@dataclass
class Shop:
    """Drops of ten products each, a champion's work on them, and texts of that."""

    settings: Settings
    registry: PaperRegistry
    graph: InProcess
    broken: set[str] = field(default_factory=set)

    def promote(self, mean: float) -> None:
        """One more version becomes champion, by the ledger and by the alias, and Dagster is told."""
        before = self.registry.aliases(TOY.name).get(CHAMPION)
        version = register_toy(self.registry, f"candidate-{mean}", mean)
        moves = open_ledger(self.settings).promotions
        record = moves.intend(
            family=TOY.name, kind="promotion", candidate=version.candidate, version=str(version.version),
            old_champion=before and str(before), previous_champion=before and str(before), who="test",
            reasons=("preferred.",), evidence={},
        )  # fmt: skip
        self.registry.client.set_registered_model_alias(TOY.name, CHAMPION, str(version.version))
        moves.complete(record.record_id)
        report_champion(self.graph.instance, TOY.champion, version)

    def made_by(self, *drops: str) -> list[str]:
        return [(materialised(self.graph.instance, TOYS, drop) or {}).get("model", "") for drop in drops]


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    settings = Settings(home=tmp_path)
    registry = PaperRegistry(settings)
    broken: set[str] = set()

    @dg.asset(key=["catalog", "products"], partitions_def=DROPS)
    def products() -> dg.MaterializeResult:
        return dg.MaterializeResult(metadata={"rows": 10}, data_version=dg.DataVersion("same"))

    @dg.asset(key=["catalog", "images"], partitions_def=DROPS)
    def images() -> dg.MaterializeResult:
        return dg.MaterializeResult(data_version=dg.DataVersion("same"))

    @publication_asset("toy", kinds={"python"})
    def toys(context: dg.AssetExecutionContext, models: Models) -> dg.MaterializeResult:
        version, _ = champion_of_run(context, models, "toy")
        return dg.MaterializeResult(metadata={"model": version.uri}, data_version=dg.DataVersion(version.uri))

    @dg.asset(
        key=TEXTS.split("/"), partitions_def=DROPS, deps=[dg.AssetDep(TOYS.split("/"), partition_mapping=SAME)]
    )  # fmt: skip
    @errors_as_sentences
    def descriptions(context: dg.AssetExecutionContext) -> dg.MaterializeResult:
        if context.partition_key in broken:
            raise SelvedgeError(f"drop {context.partition_key} cannot be described; mend it.")
        tokens = {"writer": "bedrock", "tokens_in": 2000, "tokens_out": 1000}
        return dg.MaterializeResult(metadata=tokens, data_version=dg.DataVersion("same"))

    @dg.asset(key=["inference", "media_index"], deps=[dg.AssetDep(["catalog", "products"], partition_mapping=EVERY)])
    def media_index() -> None: ...

    definitions = dg.Definitions(
        assets=[products, images, toys, descriptions, media_index, dg.AssetSpec(TOY.champion)],
        resources={"models": PaperModels(registry)},
        executor=dg.in_process_executor,
    )
    with dg.DagsterInstance.ephemeral() as instance:
        yield Shop(settings, registry, InProcess(definitions, instance), broken)


@pytest.fixture
def published(shop: Shop) -> Shop:
    """All three drops are the first champion's."""
    shop.promote(0.5)
    shop.graph.instance.add_dynamic_partitions(DROPS.name or "", list(DAYS))
    for day in DAYS:
        shop.graph.run(keys("catalog/products", "catalog/images", TOYS, TEXTS), day)
    return shop


def test_a_new_champion_is_backfilled_with_count_and_cost_and_a_bad_drop_stops_no_other(published: Shop) -> None:
    shop = published
    assert plan_backfill(shop.graph).sentence() == "every drop is up to date."
    shop.promote(0.6)
    paid = shop.settings.model_copy(update={"writer": "bedrock", "bedrock_max_usd": 2.0})
    plan = plan_backfill(shop.graph, settings=paid)
    assert plan.work == dict.fromkeys(DAYS, (TOYS, TEXTS))
    assert plan.cost.usd == pytest.approx(3 * (2 * 0.003 + 1 * 0.015)) and plan.cost.usd_at_most == 6.0
    assert "3 drops are out of date: 30 products, about " in plan.sentence()
    assert plan.sentence().endswith(f"about 0.06 and at most 6.00 US dollars ({', '.join(DAYS)}).")
    assert plan_backfill(shop.graph).cost.usd == 0.0  # the grammar writer costs nothing
    told: list[tuple[int, int]] = []
    shop.broken.add(DAYS[1])
    carried = run_backfill(shop.graph, plan, lambda done, total, what: told.append((done, total)))
    assert carried.made == (DAYS[0], DAYS[2]) and told == [(0, 30), (10, 30), (20, 30), (30, 30)]
    assert carried.failed == {DAYS[1]: f"drop {DAYS[1]} cannot be described; mend it."}
    assert shop.made_by(*DAYS) == ["models:/toy/2"] * 3
    shop.broken.clear()
    again = plan_backfill(shop.graph)  # goes on where it was
    assert again.work == {DAYS[1]: (TEXTS,)} and again.cost.seconds is not None
    assert run_backfill(shop.graph, again).made == (DAYS[1],)
    assert plan_backfill(shop.graph).work == {}
    assert plan_backfill(shop.graph, [DAYS[0]], [TEXTS], everything=True).work == {DAYS[0]: (TEXTS,)}


def test_what_is_missing_counts_once_all_it_is_made_of_is_there(shop: Shop) -> None:
    shop.graph.instance.add_dynamic_partitions(DROPS.name or "", list(DAYS))
    for day in DAYS[:2]:
        shop.graph.run(keys("catalog/products"), day)
    assert plan_backfill(shop.graph).work == {}  # no champion yet
    shop.promote(0.5)
    assert plan_backfill(shop.graph).work == {}  # no pictures yet
    shop.graph.run(keys("catalog/images"), DAYS[0])
    plan = plan_backfill(shop.graph)
    assert plan.work == {DAYS[0]: (TOYS, TEXTS)} and plan.cost.seconds is None
    assert plan_backfill(shop.graph, assets=["catalog/images"]).work == {DAYS[1]: ("catalog/images",)}
    with pytest.raises(SelvedgeError, match="asset 'inference/media_index' is not made drop by drop; there are"):
        plan_backfill(shop.graph, assets=["inference/media_index"])


def test_a_backfill_keeps_the_champion_that_there_was_when_it_was_asked_for(published: Shop) -> None:
    """Asked for by the page or by a command, by its id or by a moment; and its drops are told from the newest one's."""
    shop, instance = published, published.graph.instance
    assets = shop.graph.definitions.resolve_asset_graph()
    asked = request_backfill(instance, assets, {TOYS: DAYS[:1]}, {}, "as the page asks")
    moment = pinned_at(instance, {BACKFILL_TAG: asked})
    assert moment is not None and pinned_at(instance, {}) is None
    shop.promote(0.6)
    shop.graph.run(keys(TOYS), DAYS[0], tags={BACKFILL_TAG: asked})
    shop.graph.run(keys(TOYS), DAYS[1], tags={MOMENT_TAG: str(moment)})
    shop.graph.run(keys(TOYS), DAYS[2])
    assert shop.made_by(*DAYS) == ["models:/toy/1", "models:/toy/1", "models:/toy/2"]
    assert [shop.graph.stale(TOYS, day) for day in DAYS] == [True, True, False]
    shop.graph.run(keys(TOYS), DAYS[0], tags={MOMENT_TAG: "0"})  # nothing was champion then
    assert shop.made_by(DAYS[0]) == ["models:/toy/2"]
    with pytest.raises(SelvedgeError, match=f"tag {MOMENT_TAG} is 'soon' and no moment"):
        shop.graph.run(keys(TOYS), DAYS[0], tags={MOMENT_TAG: "soon"})


def test_a_version_that_no_promotion_made_champion_is_not_pinned(published: Shop) -> None:
    shop, instance = published, published.graph.instance
    stray = register_toy(shop.registry, "stray", 0.9)
    report_champion(instance, TOY.champion, stray)  # as a hand in Dagster's log would
    asked = request_backfill(
        instance, shop.graph.definitions.resolve_asset_graph(), {TOYS: DAYS[:1]}, {}, "after a hand"
    )
    report_champion(instance, TOY.champion, shop.registry.version(TOY.name, 1))
    with pytest.raises(SelvedgeError, match="version 2 of toy was champion when this backfill was asked for"):
        shop.graph.run(keys(TOYS), DAYS[0], tags={BACKFILL_TAG: asked})


def test_one_backfill_makes_a_drop_and_can_be_cancelled(published: Shop) -> None:
    shop = published
    shop.promote(0.6)
    assert ask_daemon(shop.graph, shop.settings, lambda: plan_backfill(shop.graph, assets=[TEXTS]), None) is None
    november = lambda: plan_backfill(shop.graph, DAYS[1:])  # noqa: E731
    with ThreadPoolExecutor(2) as two:
        both = [two.submit(ask_daemon, shop.graph, shop.settings, november, 1) for _ in range(2)]
        asked, other = (one.result() for one in both)
    assert asked is not None and other == asked, "of two that ask at once one asks, and the other follows"
    assert [one.backfill_id for one in shop.graph.instance.get_backfills()] == [asked]
    assert ask_daemon(shop.graph, shop.settings, november, None) == asked, "asked again, it is followed"
    backfill = requested_backfill(shop.graph.instance, shop.graph.definitions.resolve_asset_graph(), asked)
    assert backfill is not None and backfill.state == "REQUESTED" and not backfill.made
    assert backfill.partitions == {(name, day) for day in DAYS[1:] for name in (TOYS, TEXTS)}
    assert shop.graph.instance.get_backfill(asked).tags == {backfill_runs.LIMIT_TAG: "1"}  # type: ignore[union-attr]
    with pytest.raises(SelvedgeError, match=f"backfill {asked} makes inference/descriptions of 2026-11-01 already"):
        ask_daemon(shop.graph, shop.settings, lambda: plan_backfill(shop.graph), None)
    assert claimed(shop.graph, {(TOYS, DAYS[0])}) is None
    cancel(shop.graph, asked)
    with pytest.raises(SelvedgeError, match="let it end"):  # its runs are not over yet
        ask_daemon(shop.graph, shop.settings, november, None)
    with pytest.raises(SelvedgeError, match="backfill nothere is unknown to Dagster"):
        cancel(shop.graph, "nothere")


@pytest.mark.parametrize(
    ("wanted", "drops"),
    [
        ("2026-11..2026-11", DAYS[1:]),
        ("2026-10-31..2026-11-01", DAYS[:2]),
        ("..2026-11-01", DAYS[:2]),
        ("2026-11..", DAYS[1:]),
        ("2026-11-02, 2026-10-31", ("2026-11-02", "2026-10-31")),
        ("2026-12..2026-11", "ends before it begins; write 2026-11..2026-12"),
        ("2027..", "names no drop that was read; the newest are 2026-10-31, "),
        ("2026-11", "drop 2026-11 of --drops was never read"),
        (",", "names no drop"),
    ],
)
def test_drops_are_named_by_a_range_or_a_list(wanted: str, drops: Any) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions(DROPS.name or "", list(DAYS))
        for day in DAYS:
            instance.report_runless_asset_event(dg.AssetMaterialization(["catalog", "products"], partition=day))
        if isinstance(drops, str):
            with pytest.raises(SelvedgeError, match=drops):
                named_drops(instance, wanted)
        else:
            assert named_drops(instance, wanted) == list(drops)


def test_a_limit_without_a_rule_is_refused_with_the_rule(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    with open_instance(settings) as instance:
        for fits in (None, 1, 2, 7):  # the queue itself starts two at once
            check_limit(instance, fits)
    file = settings.dagster_home / "dagster.yaml"
    file.write_text("concurrency: {runs: {max_concurrent_runs: 6}}\n")  # an operator's, of an older Selvedge
    with open_instance(settings) as instance:
        check_limit(instance, 6)
        with pytest.raises(SelvedgeError, match=r'add \{key: selvedge/backfill_limit, value: "3", limit: 3\} to'):
            check_limit(instance, 3)


def test_a_home_without_drops_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setenv("SELVEDGE_HOME", str(tmp_path / "none"))
    assert run(["backfill", "--dry-run"]) == 1
    assert "holds no drop yet" in capsys.readouterr().err and not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("sentence", "sentences"),
    [
        ("images of may are damaged.", "images of may are damaged."),
        ("", "its run never started, as Dagster's code server was away; give the command again."),
    ],
)
def test_a_failed_drop_has_the_sentence_of_its_run_or_why_it_has_none(sentence: str, sentences: str) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        tags = {BACKFILL_TAG: "b", "dagster/partition": "may"} | ({SENTENCE_TAG: sentence} if sentence else {})
        instance.add_run(dg.DagsterRun("job", run_id="1", status=dg.DagsterRunStatus.FAILURE, tags=tags))
        assert backfill_runs._why(instance, "b", "may") == sentences
