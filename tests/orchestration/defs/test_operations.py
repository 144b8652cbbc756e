"""What runs by itself at a time: the second look of the night, what is left failed, freshness, weekly retraining."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import dagster as dg
import pytest

from catalog.errors import SelvedgeError, ServiceUnavailable
from orchestration.assets import failed_runs as failed_runs_module
from orchestration.assets import failures
from orchestration.assets.conditions import follows_new
from orchestration.assets.failed_runs import LeftFailed, left_failed
from orchestration.assets.failures import errors_as_sentences
from orchestration.assets.partitions import DROPS, EVERY, PARTITION_TAG, SAME
from orchestration.defs.catalog.arrivals import FINGERPRINT_TAG
from orchestration.defs.operations import freshness, nightly
from orchestration.defs.operations.freshness import newest_drop
from orchestration.defs.operations.left_failed import KEY, left_failed_asset, standing_checks
from orchestration.families.timetable import Scheduled
from orchestration.graph.retraining import weekly_retraining
from orchestration.runtime.settings import Settings
from tests.orchestration.toy_family import toy_family

PRODUCTS, IMAGES = dg.AssetKey(["catalog", "products"]), dg.AssetKey(["catalog", "images"])
ATTRIBUTES, TEXTS = dg.AssetKey(["inference", "attributes"]), dg.AssetKey(["inference", "descriptions"])
CHAMPION = dg.AssetKey(["registry", "toy_champion"])
NIGHT = Scheduled("nightly_inference", "0 2 * * *", True, "UTC", "Publishes what is not published.")
HOUR = 3600.0


class Shop:
    """A small graph of drops on an instance: what each asset does next is set by its last name."""

    def __init__(self, instance: dg.DagsterInstance | None = None) -> None:
        self.instance = instance or dg.DagsterInstance.ephemeral()
        self.broken: dict[tuple[str, str], Exception] = {}
        self.bad_rows: set[str] = set()
        self.definitions = dg.Definitions(
            assets=[
                self._asset(PRODUCTS, follows=False),
                self._asset(IMAGES, dg.AssetDep(PRODUCTS, partition_mapping=SAME)),
                self._asset(
                    ATTRIBUTES,
                    dg.AssetDep(IMAGES, partition_mapping=SAME),
                    dg.AssetDep(CHAMPION, partition_mapping=EVERY),
                ),
                self._asset(TEXTS, dg.AssetDep(ATTRIBUTES, partition_mapping=SAME)),
                dg.AssetSpec(CHAMPION),
            ],
            asset_checks=[self._check()],
            executor=dg.in_process_executor,
        )
        self.job = self.definitions.resolve_implicit_global_asset_job_def()
        self.followers = nightly.followers(self.definitions)

    def _asset(self, key: dg.AssetKey, *deps: dg.AssetDep, follows: bool = True) -> dg.AssetsDefinition:
        @dg.asset(key=key, partitions_def=DROPS, deps=deps, automation_condition=follows_new() if follows else None)
        @errors_as_sentences
        def asset(context: dg.AssetExecutionContext) -> None:
            if (key.path[-1], context.partition_key) in self.broken:
                raise self.broken[key.path[-1], context.partition_key]

        return asset

    def _check(self) -> dg.AssetChecksDefinition:
        @dg.asset_check(asset=PRODUCTS, partitions_def=DROPS, blocking=True)
        def rows(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
            return dg.AssetCheckResult(passed=context.partition_key not in self.bad_rows)

        return rows

    def make(self, drop: str, *keys: dg.AssetKey, stamp: str = "") -> None:
        """One run, which may fail."""
        if not self.instance.has_dynamic_partition(DROPS.name or "", drop):
            self.instance.add_dynamic_partitions(DROPS.name or "", [drop])
        self.job.execute_in_process(
            instance=self.instance,
            partition_key=drop,
            asset_selection=list(keys),
            raise_on_error=False,
            tags={FINGERPRINT_TAG: stamp} if stamp else {},
        )

    def promote(self) -> None:
        self.instance.report_runless_asset_event(dg.AssetMaterialization(CHAMPION))

    def due(self) -> dict[str, list[str]]:
        lacking = nightly.due(self.instance, self.followers)
        return {drop: [key.path[-1] for key in keys] for drop, keys in lacking.items()}


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    """An instance in files: the context of a schedule has no other."""
    folder = tmp_path / "dagster"
    folder.mkdir()
    with dg.DagsterInstance.local_temp(str(folder)) as instance:
        yield instance


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Shop]:
    monkeypatch.setattr(failures, "RETRIES", 0)
    made = Shop()
    yield made
    made.instance.dispose()


def test_the_night_asks_for_what_a_drop_lacks_upstream_first(shop):
    shop.make("one", PRODUCTS)
    assert shop.due() == {"one": ["images"]}  # there is no champion: nothing further can be made
    shop.promote()
    assert shop.due() == {"one": ["images", "attributes", "descriptions"]}
    shop.make("one", IMAGES, ATTRIBUTES, TEXTS)
    assert shop.due() == {}
    shop.promote()
    assert shop.due() == {}, "a new champion is no reason to make old drops again"


def test_the_schedule_asks_for_one_run_a_drop_and_no_more_than_it_says(shop, kept, monkeypatch):
    schedule = nightly.nightly_inference(NIGHT, shop.followers)
    with dg.build_schedule_context(instance=kept) as context:
        assert "every drop" in str(schedule(context).skip_message)
        monkeypatch.setattr(nightly, "due", lambda *_: {drop: [IMAGES] for drop in ("one", "two", "three")})
        monkeypatch.setattr(nightly, "RUNS_A_NIGHT", 2)
        requests = schedule(context)
    assert [(request.partition_key, request.asset_selection) for request in requests] == [
        ("one", [IMAGES]),
        ("two", [IMAGES]),
    ]


def test_a_drop_that_failed_for_good_is_left_alone_until_something_is_made_anew(shop):
    shop.promote()
    shop.broken = {
        ("images", "one"): SelvedgeError("1.jpg is missing; add it."),
        ("images", "two"): ServiceUnavailable("MLflow"),
    }
    for drop in ("one", "two"):
        shop.make(drop, PRODUCTS)
        shop.make(drop, IMAGES)
    assert shop.due() == {"two": ["images", "attributes", "descriptions"]}
    shop.make("one", PRODUCTS)
    assert list(shop.due()) == ["one", "two"]
    shop.broken = {("attributes", "one"): SelvedgeError("no."), ("images", "two"): RuntimeError("died")}
    shop.make("one", IMAGES, ATTRIBUTES, TEXTS)
    shop.make("two", IMAGES)
    assert list(shop.due()) == ["two"], "who did not say why may have died, and is tried once a night"
    shop.promote()
    assert shop.due()["one"] == ["attributes", "descriptions"], "another champion may do what the last could not"


def test_rows_that_failed_their_check_hold_up_the_night_too(shop):
    shop.bad_rows.add("one")
    shop.make("one", PRODUCTS)
    assert shop.due() == {}
    shop.bad_rows.clear()
    shop.make("one", PRODUCTS)
    assert shop.due() == {"one": ["images"]}


def test_a_drop_that_changed_is_published_anew(shop):
    shop.promote()
    shop.make("one", PRODUCTS)
    shop.make("one", IMAGES, ATTRIBUTES, TEXTS)
    shop.make("one", PRODUCTS)
    assert shop.due() == {"one": ["images", "attributes", "descriptions"]}


def test_a_drop_that_is_being_made_is_not_asked_for(shop):
    shop.make("one", PRODUCTS)
    run = shop.instance.create_run_for_job(shop.job, tags={PARTITION_TAG: "one"}, asset_selection=frozenset([IMAGES]))
    assert shop.due() == {}
    shop.instance.report_run_failed(run)
    assert list(shop.due()) == ["one"]


def test_what_is_left_failed_is_counted_whenever_it_failed_and_sampled(shop, monkeypatch):
    monkeypatch.setattr(failed_runs_module, "SAMPLE", 1)
    drops = ("one", "two")
    shop.broken = {("images", drop): SelvedgeError(f"{drop}.jpg is missing.") for drop in drops}
    for drop in (*drops, "three"):
        shop.make(drop, PRODUCTS, IMAGES)
    watched = {PRODUCTS: DROPS, IMAGES: DROPS}
    assert left_failed(shop.instance, watched) == [LeftFailed("catalog/images", 2, (("one", "one.jpg is missing."),))]
    shop.broken.clear()
    for drop in drops:
        shop.make(drop, IMAGES)
    assert left_failed(shop.instance, watched) == []


def test_the_report_and_its_checks_say_what_is_left_and_stay_green(shop, tmp_path):
    watched, published = {IMAGES: DROPS}, [ATTRIBUTES, TEXTS]
    assets = [left_failed_asset(watched, published), *standing_checks(watched, published)]
    resources = {"settings": Settings(home=tmp_path, fresh_hours=1e-9)}

    def report() -> tuple[dict[str, dg.AssetCheckEvaluation], dict[str, dg.MetadataValue]]:
        done = dg.materialize(assets, instance=shop.instance, resources=resources)
        assert done.success
        metadata = done.asset_materializations_for_node("__".join(KEY.path))[0].metadata
        return {check.check_name: check for check in done.get_asset_check_evaluations()}, dict(metadata)

    checks, _ = report()
    assert all(check.passed for check in checks.values())
    shop.broken = {("images", "one"): SelvedgeError("1.jpg is missing; add it.")}
    shop.make("one", PRODUCTS)
    shop.make("one", IMAGES)
    checks, metadata = report()
    assert checks["no_partition_left_failed"].description == "1 partitions of 1 assets are left failed"
    assert not checks["no_partition_left_failed"].passed and metadata["failed"].value == 1
    assert "| catalog/images | 1 | one | 1.jpg is missing; add it. |" in str(metadata["for example"].value)
    late = checks["newest_drop_is_published"]
    assert not late.passed and late.metadata["drop"].value == "one"
    assert late.metadata["not_published"].value == "nothing", "no family has ever published: nothing is expected"


def at(monkeypatch: pytest.MonkeyPatch, shop: Shop, hours: float) -> freshness.Published | None:
    """The newest drop, so many hours from now."""
    import time

    now = time.time() + hours * HOUR
    with monkeypatch.context() as patch:
        patch.setattr(freshness.time, "time", lambda: now)
        return newest_drop(shop.instance, [ATTRIBUTES, TEXTS])


def test_the_newest_drop_is_late_while_an_old_one_is_made_again(shop, monkeypatch):
    assert at(monkeypatch, shop, 0) is None
    shop.promote()
    shop.make("old", PRODUCTS, IMAGES, ATTRIBUTES, TEXTS)
    assert at(monkeypatch, shop, 30).in_time(24)
    shop.make("new", PRODUCTS, IMAGES)
    shop.make("old", ATTRIBUTES, TEXTS)  # a backfill: Dagster's own policy would be content
    drop = at(monkeypatch, shop, 30)
    assert (drop.drop, drop.lacking, drop.in_time(24)) == (
        "new",
        ("inference/attributes", "inference/descriptions"),
        False,
    )
    assert "30.0 hours ago of 24, and lacks inference/attributes" in drop.sentence(24)
    assert at(monkeypatch, shop, 23).in_time(24), "not late yet"
    shop.make("new", ATTRIBUTES, TEXTS)
    drop = at(monkeypatch, shop, 30)
    assert (
        drop.in_time(24)
        and drop.lacking == ()
        and drop.hours < 0.1
        and "was published after 0.0 of 24" in drop.sentence(24)
    )
    assert not drop.in_time(1e-9), "published, and too late"


def test_a_drop_that_changed_arrives_again_and_a_second_try_does_not(shop, monkeypatch):
    shop.promote()
    shop.make("one", PRODUCTS, stamp="a")
    first = at(monkeypatch, shop, 1).arrived
    shop.make("one", PRODUCTS, stamp="a")
    assert at(monkeypatch, shop, 1).arrived == first
    shop.make("one", IMAGES, ATTRIBUTES, TEXTS)
    shop.make("two", PRODUCTS, IMAGES, ATTRIBUTES, TEXTS, stamp="x")
    assert at(monkeypatch, shop, 1).drop == "two"
    shop.make("one", PRODUCTS, stamp="b")
    drop = at(monkeypatch, shop, 1)
    assert drop.drop == "one" and drop.arrived > first and "inference/attributes" in drop.lacking


def test_a_schedule_that_is_off_by_the_settings_waits_in_the_page(shop):
    off = replace(NIGHT, on=False, time_zone="Asia/Tokyo")
    for schedule in (nightly.nightly_inference(off, shop.followers), weekly_retraining(toy_family(), off)):
        assert schedule.default_status == dg.DefaultScheduleStatus.STOPPED
        assert (schedule.cron_schedule, schedule.execution_timezone) == ("0 2 * * *", "Asia/Tokyo")
