"""What a person does on Dagster's page, by the requests that the page itself sends, and waiting for what follows."""

import json
import time
import urllib.request
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from infra.proxy.door import ensure_token
from orchestration.assets.published import materialised
from orchestration.runtime.instance import open_instance
from orchestration.runtime.settings import Settings

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


@dataclass
class Page:
    """The page of a home. location: the module whose definitions it shows."""

    home: Settings
    location: str

    @property
    def _repository(self) -> dict[str, str]:
        return {"repositoryName": "__repository__", "repositoryLocationName": self.location}

    def add_drop(self, drop: str) -> None:
        assert self._ask(ADD, repository=self._repository, drop=drop)["addDynamicPartition"]

    def materialise(
        self, assets: Sequence[dg.AssetKey], partition: str | None = None, config: dict[str, Any] | None = None
    ) -> str:
        """Launch a run of these assets; its id."""
        return self._launch("__ASSET_JOB", [{"path": list(key.path)} for key in assets], partition, config)

    def launch(self, job: str) -> str:
        """Launch a job; the run's id."""
        return self._launch(job, None, None, None)

    def _launch(self, job: str, assets: Any, partition: str | None, config: dict[str, Any] | None) -> str:
        tags = [{"key": "dagster/partition", "value": partition}] if partition else []
        parameters = {
            "selector": {**self._repository, "pipelineName": job, "assetSelection": assets},
            "runConfigData": json.dumps(config or {}),
            "executionMetadata": {"tags": tags},
        }
        launched = self._ask(LAUNCH, parameters=parameters)["launchPipelineExecution"]
        assert launched["__typename"] == "LaunchRunSuccess", launched
        return str(launched["run"]["runId"])

    def _ask(self, query: str, **variables: Any) -> dict[str, Any]:
        body = json.dumps({"query": query, "variables": variables}).encode()
        token = ensure_token(self.home.secrets)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        request = urllib.request.Request(f"{self.home.dagster_uri}/graphql", body, headers=headers)
        with urllib.request.urlopen(request, timeout=60) as response:
            answer = json.load(response)
        assert "errors" not in answer, answer
        return dict(answer["data"])


def wait_for(
    home: Settings,
    name: str,
    partition: str | None,
    good: Any = lambda told: True,
    expected_failures: Sequence[str] = (),
) -> dict[str, Any]:
    """The asset's metadata as soon as it is there; fails with the sentence of a failed run at once.

    Args:
        expected_failures: ids of runs that are meant to fail.
    """
    deadline = time.monotonic() + PATIENCE_SECONDS
    with open_instance(home) as instance:
        while time.monotonic() < deadline:
            told = materialised(instance, name, partition)
            if told is not None and good(told):
                return told
            failed = [
                run.tags
                for run in instance.get_runs(limit=20)
                if run.is_failure and run.run_id not in expected_failures
            ]
            assert not failed, failed
            time.sleep(1.0)
    raise AssertionError(f"{name} of {partition} was not published within {PATIENCE_SECONDS} s")
