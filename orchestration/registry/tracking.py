"""Tracking: one MLflow run for one attempt at one asset partition, and what a training loop reports to it.

Belongs here: opening and closing runs, their tags (the way back from a run to asset, partition, commit and data), and
the bindings of the reporting protocol. Not here: model versions and aliases (registry.py), starting the server
(services.py).

MLflow takes four seconds to import, so it is imported inside functions only. Nothing global is set: no active run, no
autologging, no tracking address; two servers can be used by one process.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from catalog.errors import SelvedgeError, ServiceUnavailable
from catalog.places import refused_by_the_machine, remedy_of
from orchestration.runtime.owner import Owner

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

HEALTH_TIMEOUT_SECONDS = 5.0
FLUSH_SECONDS = 2.0
PICTURE_SECONDS = 10.0
METRICS_IN_ONE_CALL = 900  # MLflow refuses more than 1000
DIGEST_CHARACTERS = 36
OWNER_TAG = "selvedge.owner"
# Without it MLflow guesses that an experiment is one of prompts, and hides its runs behind an empty list of traces.
EXPERIMENT_KIND = ("mlflow.experimentKind", "custom_model_development")
EXPERIMENT_PREFIX = "selvedge"


@dataclass(frozen=True)
class Lineage:
    """Where a run comes from. Everything is a tag, so that MLflow can be asked for it."""

    asset_key: str  # training/…_candidate
    partition: str = ""
    dagster_run_id: str = ""
    dataset_sha256: str = ""

    def tags(self) -> dict[str, str]:
        return {
            "dagster.run_id": self.dagster_run_id,
            "dagster.asset_key": self.asset_key,
            "dagster.partition": self.partition,
            "git.sha": git_sha(),
            "dataset.sha256": self.dataset_sha256,
        }


@dataclass
class TrackedRun:
    """An open run. `url` goes into the asset's metadata: the way from the asset to the run."""

    client: "MlflowClient"
    uri: str
    experiment_id: str
    run_id: str
    tags: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"{self.uri}/#/experiments/{self.experiment_id}/runs/{self.run_id}"

    def params(self, values: Mapping[str, Any]) -> None:
        with mlflow_errors_as_sentences(self.uri):
            for name, value in values.items():
                self.client.log_param(self.run_id, name, value)

    def metrics(self, values: Mapping[str, float], step: int = 0) -> None:
        """Scalars at once, for figures at the end; a loop reports through `reporter()`."""
        self._send([_metric(name, value, step) for name, value in values.items()])

    def picture(self, name: str, image: Image.Image) -> None:
        with mlflow_errors_as_sentences(self.uri):
            self.client.log_image(self.run_id, image, artifact_file=name)

    def file(self, path: Path, folder: str | None = None) -> None:
        with mlflow_errors_as_sentences(self.uri):
            self.client.log_artifact(self.run_id, str(path), artifact_path=folder)

    def content(self, name: str, content: bytes) -> None:
        """A file of this name, which need not be one yet: a plot, evidence."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / Path(name).name
            path.write_bytes(content)
            self.file(path, str(Path(name).parent) if "/" in name else None)

    def dataset(self, name: str, sha256: str, source: str, context: str) -> None:
        """The data set that the run read, as MLflow shows it beside the run.

        Args:
            source: where it is kept. context: what it was read for, `training` or `evaluation`.
        """
        from mlflow.entities import Dataset, DatasetInput, InputTag

        source_json = json.dumps({"uri": source})
        # MLflow keeps 36 characters of a digest; the whole is a tag of the run.
        described = Dataset(name=name, digest=sha256[:DIGEST_CHARACTERS], source_type="local", source=source_json)
        entry = DatasetInput(described, [InputTag("mlflow.data.context", context)])
        with mlflow_errors_as_sentences(self.uri):
            self.client.log_inputs(self.run_id, datasets=[entry])

    def reporter(self) -> "MlflowReporter":
        return MlflowReporter(self)

    def _send(self, metrics: "list[Metric]") -> None:
        with mlflow_errors_as_sentences(self.uri):
            for first in range(0, len(metrics), METRICS_IN_ONE_CALL):
                self.client.log_batch(self.run_id, metrics=metrics[first : first + METRICS_IN_ONE_CALL])


class MlflowReporter:
    """Training's reports as MLflow metrics and pictures, sent in batches so that a step never waits for a server.

    A server that is away for a moment costs nothing: what could not be sent is sent with the next batch. `close` sends
    the rest and is where a lost server becomes an error.
    """

    def __init__(self, run: TrackedRun, flush_seconds: float = FLUSH_SECONDS) -> None:
        self._run = run
        self._flush_seconds = flush_seconds
        self._waiting: list[Metric] = []
        self._flushed_at = time.monotonic()
        self._pictured_at: dict[str, float] = {}

    def metrics(self, step: int, values: Mapping[str, float]) -> None:
        self._waiting += [_metric(name, value, step) for name, value in values.items()]
        if time.monotonic() - self._flushed_at >= self._flush_seconds:
            self._flushed_at = time.monotonic()
            try:
                self._flush()
            except ServiceUnavailable as error:
                print(f"{error} The figures are kept and sent later.", file=sys.stderr)

    def picture(self, step: int, name: str, image: Image.Image) -> None:
        if time.monotonic() - self._pictured_at.get(name, -PICTURE_SECONDS) < PICTURE_SECONDS:
            return
        self._pictured_at[name] = time.monotonic()
        try:
            self._run.picture(f"{name}/{step:06d}.png", image)
        except ServiceUnavailable as error:
            print(f"{error} The picture {name} of step {step} is left out.", file=sys.stderr)

    def progress(self, done: int, total: int, what: str) -> None: ...

    def close(self) -> None:
        """Send what waits.

        Raises:
            ServiceUnavailable: the server does not answer; the run lacks its last figures.
        """
        self._flush()

    def _flush(self) -> None:
        self._run._send(self._waiting)  # noqa: SLF001 (of its own class)
        self._waiting = []


def client_of(uri: str) -> "MlflowClient":
    """An MLflow client of a server that answers.

    Raises:
        ServiceUnavailable: it does not; without this look MLflow would retry for two minutes first.
    """
    _require_answer(uri)
    os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
    os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
    from mlflow import MlflowClient

    return MlflowClient(tracking_uri=uri, registry_uri=uri)


@contextmanager
def tracked_run(uri: str, experiment: str, name: str, lineage: Lineage) -> Iterator[TrackedRun]:
    """One run for one attempt at one asset partition; it ends FINISHED, FAILED or, when interrupted, KILLED.

    Attempts at the same partition whose process is gone are marked KILLED first: MLflow would show them as running
    for ever.

    Args:
        experiment: what the runs of a family share: its name.
        name: the run's name, e.g. the candidate.

    Raises:
        ServiceUnavailable: MLflow does not answer.
    """
    client = client_of(uri)
    with mlflow_errors_as_sentences(uri):
        experiment_id = _experiment(client, f"{EXPERIMENT_PREFIX}/{experiment}")
        close_dead_runs(client, experiment_id, lineage)
        tags = {**lineage.tags(), OWNER_TAG: str(Owner.here())}
        run = client.create_run(experiment_id, run_name=name, tags=tags)
    tracked = TrackedRun(client, uri, experiment_id, run.info.run_id, tags)
    status = "FAILED"
    try:
        yield tracked
        status = "FINISHED"
    except KeyboardInterrupt:
        status = "KILLED"
        raise
    finally:
        _terminate(tracked, status)


def run_address(client: "MlflowClient", uri: str, run_id: str) -> str:
    """The page of a run.

    Raises:
        ServiceUnavailable: MLflow does not answer.
    """
    with mlflow_errors_as_sentences(uri):
        experiment_id = client.get_run(run_id).info.experiment_id
    return f"{uri}/#/experiments/{experiment_id}/runs/{run_id}"


def close_dead_runs(client: "MlflowClient", experiment_id: str, lineage: Lineage) -> list[str]:
    """Mark as KILLED the attempts at this partition whose process on this machine is gone; their run ids."""
    query = (
        f"attributes.status = 'RUNNING' AND tags.`dagster.asset_key` = '{lineage.asset_key}' "
        f"AND tags.`dagster.partition` = '{lineage.partition}'"
    )
    closed = []
    for run in client.search_runs([experiment_id], query):
        owner = Owner.parse(run.data.tags.get(OWNER_TAG, ""))
        if owner is not None and owner.proved_dead():
            client.set_terminated(run.info.run_id, status="KILLED")
            closed.append(run.info.run_id)
    return closed


@contextmanager
def mlflow_errors_as_sentences(uri: str) -> Iterator[None]:
    """A lost connection becomes `ServiceUnavailable`; what MLflow refuses, or has no room for, becomes `SelvedgeError`.

    Anything else passes through: it is a fault of ours and wants its traceback.
    """
    from mlflow.exceptions import MlflowException
    from requests.exceptions import RequestException

    try:
        yield
    except RequestException as error:
        raise ServiceUnavailable(unreachable(uri)) from error
    except MlflowException as error:
        if refusal := refused_by_the_machine(error):  # the server's own disk, in its database's words
            raise SelvedgeError(
                f"MLflow at {uri} could not write ({refusal.strerror}). {remedy_of(refusal)}"
            ) from error
        if "API request to" in str(error) or error.get_http_status_code() >= 500:
            raise ServiceUnavailable(unreachable(uri)) from error
        raise SelvedgeError(f"MLflow at {uri} refused: {str(error).splitlines()[0]}") from error


def unreachable(uri: str) -> str:
    return f"MLflow at {uri} does not answer; start it with `selvedge up`, or set SELVEDGE_TRACKING_URI to yours."


def git_sha() -> str:
    """The commit the code stands at, with `+changes` when files differ from it; `unknown` outside a repository."""
    root = Path(__file__).resolve().parents[2]
    try:
        # An environment may lie inside somebody else's repository, whose commit says nothing of this code.
        if Path(_git(root, "rev-parse", "--show-toplevel")).resolve() != root:
            return "unknown"
        commit = _git(root, "rev-parse", "HEAD")
        changed = _git(root, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return f"{commit}+changes" if changed else commit


def _git(root: Path, *arguments: str) -> str:
    command = ("git", "-C", str(root), *arguments)
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=20).stdout.strip()


def _require_answer(uri: str) -> None:
    if not uri.startswith(("http://", "https://")):
        raise SelvedgeError(f"setting SELVEDGE_TRACKING_URI is {uri}; it must be the http address of an MLflow server.")
    try:
        with urllib.request.urlopen(f"{uri}/health", timeout=HEALTH_TIMEOUT_SECONDS) as response:
            healthy = response.status == 200
    except (OSError, ValueError):
        healthy = False
    if not healthy:
        raise ServiceUnavailable(unreachable(uri))


def _experiment(client: "MlflowClient", name: str) -> str:
    from mlflow.exceptions import MlflowException

    experiment = client.get_experiment_by_name(name)
    if experiment is not None:
        if EXPERIMENT_KIND[0] not in experiment.tags:  # made by an older version
            client.set_experiment_tag(experiment.experiment_id, *EXPERIMENT_KIND)
        return str(experiment.experiment_id)
    try:
        return str(client.create_experiment(name, tags=dict([EXPERIMENT_KIND])))
    except MlflowException:  # another process made it in between
        experiment = client.get_experiment_by_name(name)
        if experiment is None:
            raise
        return str(experiment.experiment_id)


def _terminate(run: TrackedRun, status: str) -> None:
    # While an error is on its way, a server that went away must not take its place.
    try:
        with mlflow_errors_as_sentences(run.uri):
            run.client.set_terminated(run.run_id, status=status)
    except ServiceUnavailable:
        if status == "FINISHED":
            raise


def _metric(name: str, value: float, step: int) -> "Metric":
    from mlflow.entities import Metric

    return Metric(key=name, value=float(value), timestamp=int(time.time() * 1000), step=step)
