"""Signs of life: the daemon's heartbeat as a number that changes, and whether anything would be lost by a restart."""

import time

import dagster as dg
import pytest
from dagster._daemon.types import DaemonHeartbeat

from infra.local.restarts import note
from orchestration.runtime.instance import open_instance
from orchestration.runtime.services import parts, restarted
from orchestration.runtime.settings import Settings
from orchestration.runtime.signs import Signs, memory_rule


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    """One home for all: making Dagster's database takes longer than the tests. The last one damages it."""
    return Settings(home=tmp_path_factory.mktemp("signs"), label_studio="off")


@dg.job
def nothing() -> None: ...


def test_the_newest_heartbeat_of_any_part_is_the_daemons_pulse(settings):
    signs = Signs(settings)
    assert signs.pulse() == signs.pulse() == 0.0, "before the first"
    with open_instance(settings) as instance:
        for part, moment in (("SENSOR", 20.0), ("ASSET", 10.0), ("SENSOR", 50.0)):
            instance.add_daemon_heartbeat(DaemonHeartbeat(moment, part, "one", []))
    assert signs.pulse() == signs.pulse() == 50.0


def test_a_run_under_way_is_not_disturbed_for_memory_and_a_waiting_one_does_not_count(settings):
    rule = memory_rule(settings)
    assert rule.limit_bytes == 2_000_000_000 and rule.at_rest()
    with open_instance(settings) as instance:
        instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.NOT_STARTED)
        assert rule.at_rest()
        run = instance.create_run_for_job(nothing, status=dg.DagsterRunStatus.STARTING)
        assert not rule.at_rest()
        instance.report_run_failed(run)
    assert rule.at_rest()


def test_a_service_that_was_started_again_is_told_for_a_day(settings):
    daemon = next(part.declared() for part in parts(settings) if part.name == "dagster-daemon")
    daemon.folder.mkdir(parents=True, exist_ok=True)
    for why in ("it ended.", "dagster-daemon held 2.31 GB after 30.0 h, 2.00 GB are allowed."):
        note(daemon, why)
    (sentence,) = restarted(settings, time.time() - 60)
    assert sentence.startswith("dagster-daemon was started again 2 times, last at ") and "held 2.31 GB" in sentence
    assert restarted(settings, time.time() + 60) == []
    (daemon.folder / "dagster-daemon.restarts.json").write_text("[{")
    assert restarted(settings, 0.0) == []


def test_a_database_that_cannot_be_read_is_no_proof_that_the_daemon_hangs(settings):
    signs = Signs(settings)
    signs.pulse()
    database = settings.dagster_home / "history" / "runs.db"
    for file in database.parent.glob("runs.db*"):
        file.write_bytes(b"no database at all, whatever its name says" * 200)
    assert signs.pulse() != signs.pulse()
    assert not signs.at_rest()
    (settings.dagster_home / "dagster.yaml").write_text("- not a mapping")
    anew = Signs(settings)
    assert anew.pulse() != anew.pulse() and not anew.at_rest()
