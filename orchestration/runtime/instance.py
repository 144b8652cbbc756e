"""The Dagster instance of a home: its dagster.yaml, and opening it from a command.

Belongs here: run queue, pools, retries and retention as a file that stays the operator's. Not here: what runs.
"""

import logging
import os

import dagster as dg

from orchestration.runtime.settings import Settings

CONFIGURATION = """\
# Written by Selvedge when this folder was new; yours to change from then on.
telemetry: {enabled: false}
nux: {enabled: false}   # no newsletter over the page
concurrency:
  runs: {max_concurrent_runs: 2}
  pools:
    default_limit: 1    # one accelerator, one writer of the splits; raise `gpu` where there are more
    granularity: op
run_retries:
  enabled: true         # a run whose process died (out of memory, a reboot) is tried again and resumes
  max_retries: 2
  retry_on_asset_or_op_failure: false   # a step that failed says why; it is not tried again blindly
run_monitoring:
  enabled: true
  start_timeout_seconds: 300
  free_slots_after_run_end_seconds: 30
sensors: {use_threads: true, num_workers: 2}
retention:
  sensor: {purge_after_days: {skipped: 2, success: 30, failure: 60}}
"""


def write_configuration(settings: Settings) -> None:
    """Make the instance's folder; a dagster.yaml that is there is left as it is."""
    from catalog.tables import publish_bytes

    place = settings.dagster_home / "dagster.yaml"
    if not place.exists():
        publish_bytes(CONFIGURATION.encode(), place)


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The home's instance, for a command that runs assets in its own process.

    Runs of a command show their log in the terminal; capturing it to files as well costs four helper processes a step.
    """
    from dagster._core.instance.ref import InstanceRef

    write_configuration(settings)
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    logging.getLogger("dagster").setLevel(logging.CRITICAL)  # failures are told by the command, once
    silent = {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"}
    return dg.DagsterInstance.from_ref(
        InstanceRef.from_dir(str(settings.dagster_home), overrides={"compute_logs": silent})
    )
