"""Recovery: runs whose owner is dead are closed, and what they held is freed.

Belongs here: proof that a run's process is gone, and the closing. Not here: doing its work again (the next run does).

Dagster does neither for a run that executes in the process that asked for it: a rerun was seen waiting ten minutes for
the pool slot of a killed one. So this is called at every start, before any run, and once a minute by a sensor. A run is
closed only when its owner is *proved* dead: on this machine, no process has the recorded number and birth time.
"""

import socket
from collections.abc import Callable, Sequence
from pathlib import Path

import dagster as dg

from orchestration.runtime.dagster_private import HIDDEN_TAG, keeps_runs_in_a_folder
from orchestration.runtime.databases import remembered
from orchestration.runtime.owner import Owner
from orchestration.runtime.reserve import ended_by_a_full_disk

OWNER_TAG = f"{HIDDEN_TAG}selvedge_owner"
SHOWN_OWNER_TAG = "selvedge/owner"  # of runs of an older Selvedge
GONE = "that executed this run is gone"
UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def owner_tags() -> dict[str, str]:
    """Tags that say which process executes a run: this one."""
    return {OWNER_TAG: str(Owner.here())}


def owner_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> Owner | None:
    """The recorded owner, else what Dagster's own events say of the process; None when nothing does.

    Dagster's events name a process but no machine, so they count only for an instance that is this machine's alone: one
    in a folder of it, or in the PostgreSQL database of a home.
    """
    if (recorded := Owner.parse(run.tags.get(OWNER_TAG) or run.tags.get(SHOWN_OWNER_TAG, ""))) is not None:
        return recorded
    if not keeps_runs_in_a_folder(instance) and not _of_a_home(instance):
        return None
    events = instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT).records
    for record in reversed(events):
        event = record.event_log_entry.dagster_event
        pid = event.engine_event_data.metadata.get("pid") if event else None
        if pid is not None:
            return Owner(socket.gethostname(), int(str(pid.value)), record.timestamp, exact=False)
    return None


def _of_a_home(instance: dg.DagsterInstance) -> bool:
    return remembered(Path(instance.root_directory).parent) is not None


def recover(instance: dg.DagsterInstance, progress: Callable[[str], None] = lambda _line: None) -> Sequence[str]:
    """Close every run whose owner is proved dead and free its pool slots.

    Returns:
        The ids of the runs that were closed.
    """
    closed = []
    for run in instance.get_runs(filters=dg.RunsFilter(statuses=UNFINISHED)):
        owner = owner_of(instance, run)
        if owner is not None and owner.proved_dead():
            sentence = f"process {owner.pid} {GONE}; the run was closed at the next start."
            sentence += ended_by_a_full_disk(instance)
            instance.report_run_failed(run, sentence)
            closed.append(run.run_id)
            progress(f"closed run {run.run_id[:8]} of a process that is gone")
    free_slots_of_finished_runs(instance)
    return closed


def free_slots_of_finished_runs(instance: dg.DagsterInstance) -> None:
    """Pool slots held, or queued for, by runs that have ended or are unknown.

    Asked of every pool, not only for the runs closed above: a kill between closing and freeing must leave no slot held.
    """
    storage = instance.event_log_storage
    holders: set[str] = set()
    for pool in storage.get_concurrency_keys():
        held = storage.get_concurrency_info(pool)
        holders |= {slot.run_id for slot in held.claimed_slots} | {step.run_id for step in held.pending_steps}
    for run_id in sorted(holders):
        run = instance.get_run_by_id(run_id)
        if run is None or run.is_finished:
            storage.free_concurrency_slots_for_run(run_id)
