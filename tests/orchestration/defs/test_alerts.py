"""Alerts: a failure is told once and soon, what fails together in one message, and a channel that is away later."""

import functools
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
from pydantic import SecretStr

from catalog.errors import ServiceUnavailable
from orchestration.assets.failed_runs import WILL_RETRY_TAG
from orchestration.assets.failures import SENTENCE_TAG, STOPPED_TAG
from orchestration.assets.partitions import DROPS, PARTITION_TAG
from orchestration.defs.operations import alerts
from orchestration.defs.operations.alerts import GAP_SECONDS, alerts_sensor
from orchestration.runtime.alerts import SHOWN, Alert
from orchestration.runtime.settings import Settings

IMAGES, TEXTS = dg.AssetKey(["catalog", "images"]), dg.AssetKey(["inference", "descriptions"])
HOUR = 3600.0
Look = Callable[..., str]


class Channels:
    """What every channel was told; one that is `away` takes nothing."""

    def __init__(self) -> None:
        self.taken: dict[str, list[Alert]] = {}
        self.away: set[str] = set()

    def send(self, settings: Settings, channel: str, alert: Alert) -> None:
        if channel in self.away:
            raise ServiceUnavailable(f"the {channel} is away.")
        self.taken.setdefault(channel, []).append(alert)

    def subjects(self, channel: str = "webhook") -> list[list[str]]:
        return [[failure.subject for failure in alert.failures] for alert in self.taken.get(channel, [])]


@pytest.fixture
def channels(monkeypatch: pytest.MonkeyPatch) -> Channels:
    made = Channels()
    monkeypatch.setattr(alerts, "send", made.send)
    return made


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture
def look(instance: dg.DagsterInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Look:
    """One tick, so many seconds after the one before; what it says."""
    hook = SecretStr("https://hooks.example/secret")
    settings = Settings(home=tmp_path, alert_webhook=hook, alert_mail="ops@shop.example", fresh_hours=2)
    clock, cursor = [alerts.time.time()], [""]
    sensor = alerts_sensor([TEXTS])

    def tick(after: float = GAP_SECONDS, **changed: object) -> str:
        clock[0] += after
        of = settings.model_copy(update=changed)
        with monkeypatch.context() as patch:
            patch.setattr(alerts.time, "time", lambda: clock[0])
            context = dg.build_sensor_context(instance=instance, resources={"settings": of}, cursor=cursor[0] or None)
            result = sensor(context)
        cursor[0] = result.cursor or cursor[0]
        assert "secret" not in cursor[0]
        return str(result.skip_reason.skip_message)

    return tick


@functools.cache
def job() -> dg.JobDefinition:
    """Of one asset by drop."""

    @dg.asset(key=IMAGES, partitions_def=DROPS)
    def images() -> None: ...

    return dg.Definitions(assets=[images]).resolve_implicit_global_asset_job_def()


def fail(instance: dg.DagsterInstance, partition: str, sentence: str = "1.jpg is missing; add it.", **tags: str) -> str:
    said = {SENTENCE_TAG: sentence} if sentence else {}
    run = instance.create_run_for_job(
        job(), tags={PARTITION_TAG: partition, **said, **tags}, asset_selection=frozenset([IMAGES])
    )
    instance.report_run_failed(run)
    return run.run_id


def test_a_failure_is_told_with_what_to_do_and_where_to_look(instance, look, channels):
    run = fail(instance, "one")
    assert look(0) == "webhook: told 1. mail: told 1."
    (alert,) = channels.taken["mail"]
    assert alert == channels.taken["webhook"][0] and alert.title == "catalog/images of one failed"
    assert "1.jpg is missing; add it. Then materialise it again" in alert.text and f"/runs/{run}" in alert.text
    assert json.loads(json.dumps(alert.content(Path("/home"))))["failures"][0]["subject"] == "catalog/images of one"


def test_a_failure_that_nobody_foresaw_points_at_the_page_and_the_doctor(instance, look, channels):
    fail(instance, "one", sentence="")
    look(0)
    assert "the page shows where it broke. `selvedge doctor`" in channels.taken["mail"][0].failures[0].sentence


def test_sixty_drops_without_a_file_are_two_messages_and_their_retries_none(instance, look, channels):
    fail(instance, "drop-0")
    look(0)
    for number in range(60):
        fail(instance, f"drop-{number}")
    for _ in range(9):
        assert "what fails now waits" in look(60)
    look(60)
    assert [len(subjects) for subjects in channels.subjects()] == [1, 59]
    assert channels.taken["webhook"][1].title == "59 things failed"
    assert len(channels.taken["webhook"][1].content(Path("/"))["failures"]) == SHOWN
    assert f"… and {59 - SHOWN} more." in channels.taken["webhook"][1].text
    for number in range(3):
        fail(instance, f"drop-{number}")
    assert look() == "webhook: nothing new failed. mail: nothing new failed."


def test_the_same_failure_is_told_again_when_its_hours_are_over(instance, look, channels, monkeypatch):
    fail(instance, "one")
    look(0)
    look(7 * HOUR)
    monkeypatch.setattr(alerts, "OVERLAP_SECONDS", 8 * HOUR)  # the clock of the runs stands still here
    look(HOUR)
    fail(instance, "one")
    look()
    assert channels.subjects() == [["catalog/images of one"], ["catalog/images of one"]]


def test_a_channel_that_is_away_is_told_later_and_holds_up_no_other(instance, look, channels):
    channels.away = {"mail"}
    fail(instance, "one")
    assert look(0) == "webhook: told 1. mail: the mail is away."
    assert look() == "webhook: nothing new failed. mail: the mail is away."
    channels.away = set()
    assert look() == "webhook: nothing new failed. mail: told 1."
    assert channels.subjects("mail") == channels.subjects("webhook") == [["catalog/images of one"]]


def test_a_clock_that_was_set_back_silences_nobody(instance, look, channels):
    look(365 * 24 * HOUR)  # a year ahead, when nothing failed
    look(-365 * 24 * HOUR)
    fail(instance, "one")
    assert look(0) == "webhook: told 1. mail: told 1."
    look(365 * 24 * HOUR)
    look(-365 * 24 * HOUR)
    fail(instance, "two")
    look()
    assert "catalog/images of two" in channels.subjects("mail")[-1], "a failure may be told again, and is never lost"


def test_what_dagster_tries_again_and_what_somebody_stopped_are_not_told(instance, look, channels):
    fail(instance, "one", **{WILL_RETRY_TAG: "true"})
    fail(instance, "two", **{STOPPED_TAG: "true"})
    assert look(0) == "webhook: nothing new failed. mail: nothing new failed." and channels.taken == {}


def test_what_failed_before_a_channel_was_named_is_no_news(instance, look, channels):
    fail(instance, "one")
    assert look(HOUR) == "webhook: nothing new failed. mail: nothing new failed."


def test_a_drop_that_is_late_is_told_once(instance, look, channels):
    instance.add_dynamic_partitions(DROPS.name or "", ["one"])
    instance.report_runless_asset_event(dg.AssetMaterialization(["catalog", "products"], partition="one"))
    instance.report_runless_asset_event(dg.AssetMaterialization(TEXTS, partition="other"))
    assert "nothing new failed" in look(0)
    assert "told 1" in look(9, fresh_hours=1e-9)
    assert channels.taken["mail"][0].title == "drop one not published in time"
    assert "lacks inference/descriptions; `selvedge status` says what failed" in channels.taken["mail"][0].text
    assert "nothing new failed" in look(fresh_hours=1e-9)


def test_with_nobody_to_be_told_nothing_is_looked_for(look, channels):
    assert look(0, alert_webhook=None, alert_mail=None).startswith("nobody is to be told; SELVEDGE_ALERT_WEBHOOK_FILE")
