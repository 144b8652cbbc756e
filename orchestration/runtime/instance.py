"""The Dagster instance of a home: its dagster.yaml, and opening it from a command.

Belongs here: run queue, pools, retries, storage and retention as a file that stays the operator's. Not here: what runs.
"""

import logging
import os
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from catalog.errors import SelvedgeError
from catalog.files import publish_bytes
from orchestration.runtime.dagster_private import NO_COMPUTE_LOGS
from orchestration.runtime.databases import DAGSTER_VARIABLE, dagster_environment, ensure_databases
from orchestration.runtime.reserve import let_reserve_go_when_full
from orchestration.runtime.settings import Settings

CONFIGURATION = """\
# Written by Selvedge when this folder was new; yours to change from then on.
telemetry: {enabled: false}
nux: {enabled: false}   # no newsletter over the page
concurrency:
  runs:
    max_concurrent_runs: 2
    tag_concurrency_limits:   # `selvedge backfill --limit N` holds the backfills of that tag to N runs at once
      - {key: selvedge/backfill_limit, value: "1", limit: 1}
      - {key: selvedge/backfill_limit, value: "2", limit: 2}
      - {key: selvedge/backfill_limit, value: "4", limit: 4}
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
STORAGE = "storage"
POSTGRES = f"""\
{STORAGE}:
  postgres:
    postgres_url: {{env: {DAGSTER_VARIABLE}}}   # Selvedge sets it, of SELVEDGE_POSTGRES
"""
UPLOAD_SECONDS = 30  # how far a step's log in a bucket may be behind the step


def configuration(settings: Settings) -> str:
    """The dagster.yaml of a new home: as above, and where the tables are in a bucket, so are the logs of the steps.

    A command's own runs show their log in the terminal and keep none.
    """
    if settings.root.protocol != "s3":
        return CONFIGURATION
    bucket, _, prefix = settings.root.path.partition("/")
    logs = {
        "module": "dagster_aws.s3",
        "class": "S3ComputeLogManager",
        "config": {
            "bucket": bucket,
            "prefix": f"{prefix}/compute-logs" if prefix else "compute-logs",
            "local_dir": str(settings.dagster_home / "compute-logs"),  # until a step ends
            "upload_interval": UPLOAD_SECONDS,
        },
    }
    # No endpoint: boto3 takes it from AWS_ENDPOINT_URL, as the tables do.
    return CONFIGURATION + yaml.safe_dump({"compute_logs": logs}, sort_keys=False)


def write_configuration(settings: Settings) -> None:
    """Make the instance's folder; a dagster.yaml that is there is left as it is, and is only told of PostgreSQL.

    Raises:
        SelvedgeError: it is no YAML.
    """
    path = settings.dagster_home / "dagster.yaml"
    written = configuration(settings) if not path.exists() else path.read_text(encoding="utf-8")
    wanted = written
    if settings.postgres_uri is not None and STORAGE not in (_parsed(written, path) or {}):
        wanted += POSTGRES
    if wanted != written or not path.exists():
        publish_bytes(wanted.encode(), path)


def _parsed(text: str, path: Path) -> dict[str, Any] | None:
    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise SelvedgeError(f"{path} is no YAML ({str(error).splitlines()[0]}); correct it.") from error
    return content if isinstance(content, dict) else None


def open_instance(settings: Settings) -> dg.DagsterInstance:
    """The home's instance, for a command that runs assets in its own process.

    Runs of a command show their log in the terminal; capturing it to files as well costs four helper processes a step.

    Raises:
        SelvedgeError: as `ensure_databases`; or its dagster.yaml cannot be used.
    """
    let_reserve_go_when_full(settings.home)
    ensure_databases(settings)
    write_configuration(settings)
    _refuse_no_mapping(settings)
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    os.environ |= dagster_environment(settings)  # read when the instance is opened, and by what it starts
    logging.getLogger("dagster").setLevel(logging.CRITICAL)  # failures are reported by the command, once
    # Dagster's only public call that takes overrides: despite its name, a folder that is given is kept.
    overrides = {"compute_logs": dict(NO_COMPUTE_LOGS)}
    try:
        return dg.DagsterInstance.local_temp(str(settings.dagster_home), overrides=overrides)
    except dg.DagsterInvalidConfigError as error:  # an entry, a pool or a limit that it does not have
        said = " ".join(line.strip() for line in str(error).splitlines()[1:])
        raise SelvedgeError(f"{settings.dagster_home / 'dagster.yaml'} cannot be used: {said[:300]}") from error


def refuse_empty(settings: Settings) -> None:
    """Raises: SelvedgeError: nothing has been begun in this home."""
    if not (settings.dagster_home / "dagster.yaml").is_file():
        raise SelvedgeError(f"{settings.home} holds no drop yet; run `selvedge demo`, or set SELVEDGE_HOME to a home.")


def _refuse_no_mapping(settings: Settings) -> None:
    path = settings.dagster_home / "dagster.yaml"
    try:
        content = yaml.safe_load(path.read_bytes())
    except yaml.YAMLError as error:
        said = " ".join(str(error).split())[:200]
        raise SelvedgeError(f"{path} is no YAML ({said}); correct it, or remove it for a new one.") from error
    if not isinstance(content, dict):
        raise SelvedgeError(f"{path} holds no settings of Dagster; correct it, or remove it for a new one.")
