"""A home in a bucket: the logs of its steps are there too, on a real S3 endpoint on loopback, and read back."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import dagster as dg
import pytest
import yaml
from moto.server import ThreadedMotoServer

from orchestration.runtime.instance import CONFIGURATION, configuration, write_configuration
from orchestration.runtime.settings import Settings

pytestmark = pytest.mark.e2e
ROOT = Path(__file__).resolve().parents[3]
BUCKET = "shop-logs"  # moto remembers what earlier servers of this process held

JOB = """
import dagster as dg

@dg.op
def speak() -> None:
    print("forty-two shirts")

@dg.job(executor_def=dg.in_process_executor)
def speaking() -> None:
    speak()

with dg.DagsterInstance.get() as instance:
    print("run", speaking.execute_in_process(instance=instance).run_id)
"""


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Settings]:
    """A new home whose storage is a bucket of a loopback endpoint, named in the environment as for the tables."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }.items():
        monkeypatch.setenv(name, value)
    try:
        boto3.client("s3").create_bucket(Bucket=BUCKET)
        settings = Settings(home=tmp_path, storage=f"s3://{BUCKET}/selvedge")
        write_configuration(settings)
        yield settings
    finally:
        server.stop()


def test_the_log_of_a_step_lands_in_the_bucket_and_is_read_back(home: Settings) -> None:
    run_id = in_a_run_worker(home)
    names = {entry["Key"] for entry in boto3.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]}
    assert names and all(name.startswith("selvedge/compute-logs/") and run_id in name for name in names)
    assert any(name.endswith(".out") for name in names)
    with dg.DagsterInstance.from_config(str(home.dagster_home)) as instance:  # as the web server opens it
        captured = instance.get_records_for_run(run_id, of_type=dg.DagsterEventType.LOGS_CAPTURED).records
        event = captured[0].event_log_entry.dagster_event
        assert event is not None
        log = instance.compute_log_manager.get_log_data([run_id, "compute_logs", event.logs_captured_data.file_key])
    assert log.stdout == b"forty-two shirts\n"


def test_a_step_waits_for_its_log_in_the_home_not_among_the_files_of_the_machine(home: Settings) -> None:
    logs = yaml.safe_load(configuration(home))["compute_logs"]["config"]
    assert Path(logs["local_dir"]).is_relative_to(home.home)
    assert "endpoint_url" not in logs  # of the environment, or tables and logs could part


def test_a_home_in_a_folder_keeps_its_logs_there(tmp_path: Path) -> None:
    assert configuration(Settings(home=tmp_path)) == CONFIGURATION
    whole = yaml.safe_load(configuration(Settings(home=tmp_path, storage=f"s3://{BUCKET}")))
    assert whole["compute_logs"]["config"]["bucket"] == BUCKET
    assert whole["compute_logs"]["config"]["prefix"] == "compute-logs"
    del whole["compute_logs"]
    assert whole == yaml.safe_load(CONFIGURATION)


def in_a_run_worker(home: Settings) -> str:
    """Executes the job in a process of its own, with the home's instance as it is configured; the run's id."""
    done = subprocess.run(
        [sys.executable, "-c", JOB],
        env={**os.environ, "DAGSTER_HOME": str(home.dagster_home), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()[-1]
