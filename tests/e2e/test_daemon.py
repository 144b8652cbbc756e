"""The daemon's way: a drop that a person materialises in the page is published without anybody asking further.

The page's own requests are sent to the real web server; the real daemon evaluates the conditions and launches runs.
"""

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from catalog.drawn import draw_catalogue
from orchestration.in_process import keys
from orchestration.instance import open_instance
from orchestration.partitions import DROPS
from orchestration.resources import materialised
from orchestration.services import everything
from orchestration.settings import Settings
from tests.orchestration.micro_base import save_micro_base, save_micro_settings
from tests.ports import free_port

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(1200)]

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 480
LAUNCH = """
mutation Launch($parameters: ExecutionParams!) {
  launchPipelineExecution(executionParams: $parameters) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}
"""
ADD = """
mutation Add($repository: RepositorySelector!, $drop: String!) {
  addDynamicPartition(repositorySelector: $repository, partitionsDefName: "drop", partitionKey: $drop) { __typename }
}
"""
REPOSITORY = {"repositoryName": "__repository__", "repositoryLocationName": "orchestration.definitions"}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A home in which a demo has made a champion, with everything running over it."""
    folder = tmp_path_factory.mktemp("daemon")
    save_micro_settings(folder / "settings.yaml", save_micro_base(folder / "base"))
    port, page = free_port(), free_port()
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.e2e.demo_process", str(folder), str(port)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr[-3000:]
    settings = Settings(
        home=folder / "home",
        mlflow_port=port,
        dagster_port=page,
        label_studio="off",
        blip2_settings=folder / "settings.yaml",
    )
    variables = {
        "SELVEDGE_HOME": str(settings.home),
        "SELVEDGE_MLFLOW_PORT": str(port),
        "SELVEDGE_BLIP2_SETTINGS": str(folder / "settings.yaml"),
        "PYTHONPATH": str(ROOT),
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        patch.chdir(ROOT)
        with everything(settings, lambda line: None):
            yield settings


def test_a_drop_materialised_in_the_page_is_published(home: Settings, tmp_path: Path) -> None:
    draw_catalogue(tmp_path / "delivery", 20, 5, size=64, workers=1, first_id=80001)
    assert ask(home, ADD, repository=REPOSITORY, drop="from-the-page")
    parameters = {
        "selector": {
            **REPOSITORY,
            "pipelineName": "__ASSET_JOB",
            "assetSelection": [{"path": list(key.path)} for key in keys("catalog/products", "catalog/quarantine")],
        },
        "runConfigData": json.dumps({"ops": {"read_drop": {"config": {"source": str(tmp_path / "delivery")}}}}),
        "executionMetadata": {"tags": [{"key": "dagster/partition", "value": "from-the-page"}]},
    }
    launched = ask(home, LAUNCH, parameters=parameters)["launchPipelineExecution"]
    assert launched["__typename"] == "LaunchRunSuccess", launched
    published = wait_for(home, "inference/descriptions", "from-the-page")
    assert published["rows"] == 20
    attributes = wait_for(home, "inference/attributes", "from-the-page")
    assert attributes["model"] == "models:/blip2-attributes/1"
    pairs = wait_for(home, "catalog/qa_pairs", None, lambda told: "from-the-page" in told["drops"])
    assert pairs["drops"] == ["drawn-1", "drawn-2", "from-the-page"]


def test_a_folder_in_the_inbox_is_published(home: Settings) -> None:
    draw_catalogue(home.home / "inbox" / "from-the-inbox", 12, 6, size=64, workers=1, first_id=90001)
    assert wait_for(home, "inference/descriptions", "from-the-inbox")["rows"] == 12
    with open_instance(home) as instance:
        assert instance.get_dynamic_partitions(DROPS.name or "")[-1] == "from-the-inbox"


def ask(home: Settings, query: str, **variables: Any) -> dict[str, Any]:
    """One request to the page's own interface."""
    body = json.dumps({"query": query, "variables": variables}).encode()
    request = urllib.request.Request(f"{home.dagster_uri}/graphql", body, headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as response:
        answer = json.load(response)
    assert "errors" not in answer, answer
    return dict(answer["data"])


def wait_for(home: Settings, name: str, partition: str | None, good: Any = lambda told: True) -> dict[str, Any]:
    """The asset's metadata as soon as it is there; fails with the sentence of a failed run at once."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    with open_instance(home) as instance:
        while time.monotonic() < deadline:
            told = materialised(instance, name, partition)
            if told is not None and good(told):
                return told
            failed = [run.tags for run in instance.get_runs(limit=20) if run.is_failure]
            assert not failed, failed
            time.sleep(1.0)
    raise AssertionError(f"{name} of {partition} was not published within {PATIENCE_SECONDS} s")
