"""How an error of ours looks in Dagster: permanent ones once, a service that is away a few times."""

import sqlite3
from typing import Any

import dagster as dg
import pytest

from catalog.errors import SelvedgeError, ServiceUnavailable
from orchestration.assets import failures
from orchestration.assets.failures import FIRST_WAIT_SECONDS, RETRIES, SENTENCE_TAG, errors_as_sentences
from orchestration.jobs.in_process import InProcess
from training.stopping import TrainingStopped


def graph(error: Exception, attempts: list[str], until: int = 99) -> InProcess:
    @dg.asset
    @errors_as_sentences
    def fragile(context: dg.AssetExecutionContext) -> None:
        attempts.append("x")
        if len(attempts) <= until:
            raise error

    return InProcess(dg.Definitions(assets=[fragile], executor=dg.in_process_executor), dg.DagsterInstance.ephemeral())


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failures, "FIRST_WAIT_SECONDS", 0.0)


KEY = [dg.AssetKey("fragile")]
UP_FOR_RETRY = dg.DagsterEventType.STEP_UP_FOR_RETRY


def test_a_permanent_failure_is_tried_once_and_told_in_its_sentence() -> None:
    attempts: list[str] = []
    one = graph(SelvedgeError("styles.csv line 3 is empty; mend it."), attempts)
    with pytest.raises(SelvedgeError, match=r"^styles.csv line 3 is empty; mend it\.$"):
        one.run(KEY)
    assert attempts == ["x"]
    run = next(iter(one.instance.get_runs()))
    assert run.tags[SENTENCE_TAG] == "styles.csv line 3 is empty; mend it."
    assert run.tags["dagster/retry_on_asset_or_op_failure"] == "false"


def test_a_service_that_comes_back_is_waited_for() -> None:
    attempts: list[str] = []
    graph(ServiceUnavailable("MLflow does not answer."), attempts, until=2).run(KEY)
    assert len(attempts) == 3


def test_a_service_that_stays_away_is_told_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    """Longer each time, with jitter; a busy machine was seen to take half a minute to start MLflow again."""
    monkeypatch.setattr(failures, "FIRST_WAIT_SECONDS", 0.001)
    attempts: list[str] = []
    away = graph(ServiceUnavailable("MLflow does not answer."), attempts)
    with pytest.raises(SelvedgeError, match="MLflow does not answer"):
        away.run(KEY)
    assert len(attempts) == RETRIES + 1
    (run,) = away.instance.get_runs()
    retried = [entry.dagster_event for entry in away.instance.all_logs(run.run_id, of_type=UP_FOR_RETRY)]
    waits = [event.step_retry_data.seconds_to_wait or 0.0 for event in retried if event]
    assert waits == sorted(waits) and all(wait != 0.001 * 2**number for number, wait in enumerate(waits))
    assert 45 <= sum(waits) / 0.001 * FIRST_WAIT_SECONDS <= 80


def test_work_that_was_asked_to_stop_stops_the_command() -> None:
    with pytest.raises(KeyboardInterrupt):
        graph(TrainingStopped("training was stopped at step 5 of 9."), []).run(KEY)


def test_a_defect_keeps_its_traceback() -> None:
    attempts: list[str] = []
    with pytest.raises(RuntimeError, match="ZeroDivisionError") as caught:
        graph(ZeroDivisionError("division by zero"), attempts).run(KEY)
    assert "test_failures.py" in str(caught.value)
    assert attempts == ["x"]


def test_a_failed_check_tells_its_description() -> None:
    @dg.asset
    def counted() -> None: ...

    @dg.asset_check(asset=counted, blocking=True)
    def rows(context: dg.AssetCheckExecutionContext) -> dg.AssetCheckResult:
        return dg.AssetCheckResult(passed=False, description="3 rows in, 2 out")

    definitions: Any = dg.Definitions(assets=[counted], asset_checks=[rows], executor=dg.in_process_executor)
    with pytest.raises(SelvedgeError, match="check rows of counted failed: 3 rows in, 2 out"):
        InProcess(definitions, dg.DagsterInstance.ephemeral()).run([dg.AssetKey("counted")])


def test_a_full_disk_is_told_in_one_sentence_whichever_library_met_it() -> None:
    attempts: list[str] = []
    one = graph(sqlite3.OperationalError("database or disk is full"), attempts)
    with pytest.raises(SelvedgeError, match=r"^No space left on device; .* Free some space and run again\.$"):
        one.run(KEY)
    assert attempts == ["x"] and SENTENCE_TAG in next(iter(one.instance.get_runs())).tags
