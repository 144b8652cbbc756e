"""The timetable: what a setting of a schedule may say, and when that is."""

from datetime import UTC, datetime
from typing import Any

import pytest

from catalog.errors import SelvedgeError
from orchestration.families.settings import load_settings
from orchestration.families.timetable import (
    INFERENCE,
    NIGHTLY,
    PUBLISHES,
    Scheduled,
    evaluation,
    retraining,
    scheduled,
    timetable,
)
from orchestration.runtime.settings import Settings
from tests.orchestration.toy_family import toy_family

FAMILIES = [toy_family("first"), toy_family("ad-second")]


def table(**settings: Any) -> dict[str, tuple[str, bool]]:
    return {entry.name: (entry.cron, entry.on) for entry in timetable(Settings(**settings), FAMILIES)}


def test_what_is_cheap_runs_by_default_and_what_trains_or_scores_waits_for_a_setting():
    assert {name for name, (_, on) in table().items() if on} == {INFERENCE, "daily_report"}
    assert set(table()) == {
        INFERENCE,
        "daily_report",
        "first_retraining",
        "ad_second_retraining",
        "first_champion_evaluation",
        "ad_second_champion_evaluation",
    }


def test_each_is_on_off_or_at_a_time_of_its_own():
    times = table(schedule_inference="30 1 * * 1-5", schedule_report=" OFF ", schedule_evaluation="@monthly")
    assert times[INFERENCE] == ("30 1 * * 1-5", True)
    assert not times["daily_report"][1]
    assert times[evaluation("first")] == times[evaluation("ad-second")] == ("@monthly", True)


def test_a_family_may_have_a_time_of_its_own():
    times = table(schedule_retraining="on; ad-second 0 5 * * 6")
    assert times[retraining("first")] == ("0 3 * * 0", True)
    assert times[retraining("ad-second")] == ("0 5 * * 6", True)
    assert table(schedule_retraining="first off; on")[retraining("first")][1] is False
    only = table(schedule_retraining="first on")
    assert only[retraining("first")][1] and not only[retraining("ad-second")][1]


@pytest.mark.parametrize(
    ("setting", "value", "sentence"),
    [
        ("schedule_retraining", "gan on", "family 'gan', which is unknown; the families are first, ad-second."),
        ("schedule_evaluation", "0 4 1 * *; firts off", "family 'firts', which is unknown"),
        ("schedule_retraining", "daily", "family 'daily', which is unknown"),
        ("schedule_retraining", "on; off", "gives all families two times"),
        ("schedule_retraining", "first on; first off", "gives first two times"),
        ("schedule_retraining", "first", "cannot be ''"),
        ("schedule_inference", "daily", "cannot be 'daily'"),
        ("schedule_inference", "", "cannot be ''"),
        ("schedule_inference", "61 2 * * *", "cannot be '61 2 * * *'"),
        ("schedule_inference", "0 0 2 * * *", "five fields"),
        ("schedule_report", "0 0 31 2 *", "names a day there is"),
        ("schedule_report", "0 0 * * mon-sum", "five fields"),
    ],
)
def test_what_is_no_time_is_one_sentence_that_names_the_setting(setting, value, sentence):
    with pytest.raises(SelvedgeError) as raised:
        timetable(Settings(**{setting: value}), FAMILIES)
    assert f"SELVEDGE_{setting.upper()}" in str(raised.value) and sentence in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("zone", ["Europe/Berln", "America", "", "../etc/passwd", "/etc/localtime", "CEST?"])
def test_what_is_no_time_zone_is_refused(zone):
    with pytest.raises(SelvedgeError, match=r"SELVEDGE_TIME_ZONE cannot be .*: it is no time zone of the IANA list; "):
        load_settings(time_zone=zone)


@pytest.mark.parametrize(
    ("after", "tick"),
    [
        ("2026-03-28T12:00", "2026-03-29T01:00"),  # 02:30 is skipped in this night: 03:00 of summer time instead
        ("2026-03-29T12:00", "2026-03-30T00:30"),
        ("2026-10-24T12:00", "2026-10-25T01:30"),  # 02:30 comes twice in this night; once is enough
        ("2026-10-25T01:31", "2026-10-26T01:30"),
    ],
)
def test_nights_with_a_change_of_clocks_have_one_tick(after, tick):
    night = Scheduled("night", "30 2 * * *", True, "Europe/Berlin", "")
    moment = night.next_tick(datetime.fromisoformat(after).replace(tzinfo=UTC))
    assert moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M") == tick


def test_a_schedule_is_found_by_its_name():
    assert scheduled(timetable(Settings(time_zone="Asia/Tokyo"), FAMILIES), INFERENCE) == Scheduled(
        INFERENCE, NIGHTLY, True, "Asia/Tokyo", PUBLISHES
    )
