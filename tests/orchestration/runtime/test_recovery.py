"""Runs of dead processes are closed and free what they held; runs of living ones are left alone."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import psutil
import pytest

from orchestration.runtime.instance import CONFIGURATION, open_instance
from orchestration.runtime.owner import Owner
from orchestration.runtime.recovery import OWNER_TAG, owner_of, owner_tags, recover
from orchestration.runtime.settings import Settings

HOST = socket.gethostname()


@dg.op(pool="gpu")
def hold() -> None: ...


@dg.job(executor_def=dg.in_process_executor)
def holding() -> None:
    hold()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with open_instance(Settings(home=tmp_path)) as instance:
        yield instance


@pytest.fixture
def dead() -> Owner:
    """A process that was there and is gone."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    born = psutil.Process(child.pid).create_time()
    child.kill()
    child.wait()
    return Owner(HOST, child.pid, born)


def started(instance: dg.DagsterInstance, owner: Owner | None, slot: bool = True) -> str:
    """A run that has started, as a killed process leaves it: the slot claimed, nothing finished."""
    tags = {OWNER_TAG: f"{owner.host} {owner.pid} {owner.born:.2f}"} if owner else {}
    run = instance.create_run_for_job(holding, tags=tags, status=dg.DagsterRunStatus.STARTED)
    if slot:
        instance.event_log_storage.initialize_concurrency_limit_to_default("gpu")
        instance.event_log_storage.claim_concurrency_slot("gpu", run.run_id, "hold")
    return run.run_id


def held(instance: dg.DagsterInstance) -> list[str]:
    return [slot.run_id for slot in instance.event_log_storage.get_concurrency_info("gpu").claimed_slots]


def test_a_dead_run_is_closed_and_its_slot_is_free_at_once(instance: dg.DagsterInstance, dead: Owner) -> None:
    run_id = started(instance, dead)
    assert held(instance) == [run_id]
    assert recover(instance) == [run_id]
    run = instance.get_run_by_id(run_id)
    assert run is not None and run.status == dg.DagsterRunStatus.FAILURE
    assert held(instance) == []
    began = time.monotonic()
    assert holding.execute_in_process(instance=instance).success
    assert time.monotonic() - began < 20
    assert recover(instance) == []


def test_the_owner_is_shown_on_no_page_and_that_of_an_older_run_is_read(
    instance: dg.DagsterInstance, dead: Owner
) -> None:
    from dagster._core.storage.tags import TagType, get_tag_type

    (tag,) = owner_tags()
    assert get_tag_type(tag) == TagType.HIDDEN
    older = instance.create_run_for_job(holding, tags={"selvedge/owner": str(dead)}, status=dg.DagsterRunStatus.STARTED)
    assert recover(instance) == [older.run_id]


def test_a_living_run_is_left_alone(instance: dg.DagsterInstance) -> None:
    process = psutil.Process()
    run_id = started(instance, Owner(HOST, process.pid, process.create_time()))
    assert recover(instance) == []
    assert held(instance) == [run_id]


def test_a_reused_process_number_does_not_keep_a_run_alive(instance: dg.DagsterInstance) -> None:
    run_id = started(instance, Owner(HOST, os.getpid(), psutil.Process().create_time() - 3600))
    assert recover(instance) == [run_id]


def test_nothing_is_proved_about_another_machine(instance: dg.DagsterInstance, dead: Owner) -> None:
    started(instance, Owner("elsewhere", dead.pid, dead.born))
    started(instance, None, slot=False)
    assert recover(instance) == []


def test_a_slot_of_a_finished_run_is_freed_too(instance: dg.DagsterInstance, dead: Owner) -> None:
    run_id = started(instance, dead)
    run = instance.get_run_by_id(run_id)
    assert run is not None
    instance.report_run_failed(run)  # a kill between closing a run and freeing its slot
    assert held(instance) == [run_id]
    assert recover(instance) == []
    assert held(instance) == []


def test_a_run_of_the_daemon_is_known_by_its_events(instance: dg.DagsterInstance) -> None:
    result = holding.execute_in_process(instance=instance)
    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    owner = owner_of(instance, run)
    assert owner is not None and owner.pid == os.getpid() and not owner.proved_dead()
    assert Owner(HOST, os.getpid(), psutil.Process().create_time() - 60, exact=False).proved_dead()


def test_the_tag_of_this_process_names_this_process(instance: dg.DagsterInstance) -> None:
    run = instance.create_run_for_job(holding, tags=owner_tags(), status=dg.DagsterRunStatus.STARTED)
    owner = owner_of(instance, run)
    assert owner is not None and owner.pid == os.getpid() and not owner.proved_dead()


def test_a_configuration_that_somebody_changed_stays(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    open_instance(settings).dispose()
    place = settings.dagster_home / "dagster.yaml"
    assert place.read_text() == CONFIGURATION
    place.write_text("telemetry: {enabled: false}\n")
    open_instance(settings).dispose()
    assert place.read_text() == "telemetry: {enabled: false}\n"
