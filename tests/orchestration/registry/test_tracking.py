"""Tracking: one run for one attempt, closed whatever happens, and figures that survive a server's absence."""

import socket
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from mlflow.exceptions import MlflowException
from PIL import Image
from requests.exceptions import ConnectionError

from catalog.errors import SelvedgeError, ServiceUnavailable
from orchestration.registry import tracking
from orchestration.registry.tracking import (
    Lineage,
    MlflowReporter,
    TrackedRun,
    client_of,
    git_sha,
    mlflow_errors_as_sentences,
    tracked_run,
)
from tests.ports import free_port
from training.reporting import Reporters


class Recorder:
    """A server's side of a run; away when `up` is false."""

    def __init__(self) -> None:
        self.up = True
        self.batches: list[list] = []
        self.pictures: list[str] = []

    def log_batch(self, run_id, metrics):
        if not self.up:
            raise ConnectionError("away")
        self.batches.append(metrics)

    def log_image(self, run_id, image, artifact_file):
        self.pictures.append(artifact_file)


@pytest.fixture
def recorder():
    return Recorder()


def reporter_of(recorder, flush_seconds):
    return MlflowReporter(TrackedRun(recorder, "http://127.0.0.1:1", "1", "r"), flush_seconds)


def test_metrics_are_sent_in_batches_and_the_rest_at_the_end(recorder):
    reporter = reporter_of(recorder, flush_seconds=3600)
    for step in range(5):
        reporter.metrics(step, {"train/loss": 1.0 / (step + 1), "train/rate": 0.1})
    assert recorder.batches == []
    reporter.close()
    assert [(one.key, one.step) for one in recorder.batches[0]][:2] == [("train/loss", 0), ("train/rate", 0)]
    assert len(recorder.batches) == 1 and len(recorder.batches[0]) == 10


def test_more_figures_than_one_call_takes_are_divided(recorder):
    reporter = reporter_of(recorder, flush_seconds=3600)
    for step in range(1000):
        reporter.metrics(step, {"a": 1.0, "b": 2.0})
    reporter.close()
    assert [len(batch) for batch in recorder.batches] == [900, 900, 200]


def test_a_server_away_for_a_moment_costs_no_figure(recorder, capsys):
    reporter = reporter_of(recorder, flush_seconds=0.0)
    recorder.up = False
    reporter.metrics(1, {"loss": 1.0})
    assert "does not answer" in capsys.readouterr().err
    recorder.up = True
    reporter.metrics(2, {"loss": 0.5})
    assert [(one.step, one.value) for batch in recorder.batches for one in batch] == [(1, 1.0), (2, 0.5)]


def test_a_server_that_stays_away_is_an_error_at_the_end(recorder):
    reporter = reporter_of(recorder, flush_seconds=3600)
    reporter.metrics(1, {"loss": 1.0})
    recorder.up = False
    with pytest.raises(ServiceUnavailable, match=r"MLflow at http://127\.0\.0\.1:1 does not answer"):
        reporter.close()


def test_pictures_are_taken_now_and_then(recorder):
    reporter = reporter_of(recorder, flush_seconds=3600)
    for step in range(3):
        reporter.picture(step, "samples", Image.new("RGB", (4, 4)))
        reporter.picture(step, "errors", Image.new("RGB", (4, 4)))
    assert recorder.pictures == ["samples/000000.png", "errors/000000.png"]


def test_several_reporters_hear_the_same(recorder):
    first, second = reporter_of(recorder, 3600), reporter_of(recorder, 3600)
    both = Reporters(first, second)
    both.metrics(1, {"loss": 1.0})
    both.progress(1, 2, "training")
    first.close()
    second.close()
    assert len(recorder.batches) == 2


def test_an_address_that_is_no_server_is_one_sentence():
    with pytest.raises(SelvedgeError, match="it must be the http address of an MLflow server"):
        client_of("sqlite:///mlflow.db")
    with pytest.raises(ServiceUnavailable, match="does not answer"):
        client_of(f"http://127.0.0.1:{free_port()}")


def test_a_server_without_room_is_not_told_to_be_started():
    with (
        pytest.raises(SelvedgeError, match=r"MLflow at http://mlflow could not write .*Free some space") as told,
        mlflow_errors_as_sentences("http://mlflow"),
    ):
        raise MlflowException("(sqlite3.OperationalError) database or disk is full")
    assert not isinstance(told.value, ServiceUnavailable)


def test_the_commit_is_known_here_and_unknown_outside_a_repository(monkeypatch, tmp_path):
    monkeypatch.setattr(tracking, "__file__", str(tmp_path / "rooms" / "registry" / "tracking.py"))
    (tmp_path / "rooms" / "registry").mkdir(parents=True)
    assert git_sha() == "unknown"
    for command in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "x", "--allow-empty"],
    ):
        subprocess.run(["git", "-C", str(tmp_path), *command], check=True)
    assert len(git_sha()) == 40


@pytest.mark.e2e
@pytest.mark.xdist_group("mlflow")
class TestRuns:
    LINEAGE = Lineage("training/thing", "p1", dagster_run_id="r1", dataset_sha256="abc")

    def status_of(self, run):
        return run.client.get_run(run.run_id).info.status

    @pytest.mark.parametrize(
        ("error", "status"), [(None, "FINISHED"), (ValueError("x"), "FAILED"), (KeyboardInterrupt(), "KILLED")]
    )
    def test_a_run_ends_as_its_work_does(self, mlflow_server, error, status):
        try:
            with tracked_run(mlflow_server.mlflow_uri, "endings", "n", self.LINEAGE) as run:
                if error:
                    raise error
        except (ValueError, KeyboardInterrupt):
            assert error is not None
        assert self.status_of(run) == status

    def test_everything_told_is_kept(self, mlflow_server, tmp_path):
        (tmp_path / "note.txt").write_text("x")
        with tracked_run(mlflow_server.mlflow_uri, "kept", "n", self.LINEAGE) as run:
            run.dataset("toy", "d" * 64, "/tables/d", "training")
            run.content("scores/plot.png", b"png")
            run.params({"lora.rank": 8})
            run.metrics({"test/macro_f1": 0.6})
            run.file(tmp_path / "note.txt", "notes")
            run.picture("curve.png", Image.new("RGB", (4, 4)))
        kept = run.client.get_run(run.run_id)
        assert kept.data.params == {"lora.rank": "8"} and kept.data.metrics == {"test/macro_f1": 0.6}
        files = {file.path for file in run.client.list_artifacts(run.run_id)}
        assert files == {"notes", "curve.png", "scores"}
        (read,) = kept.inputs.dataset_inputs
        assert (read.dataset.name, read.tags[0].value) == ("toy", "training")
        kind = run.client.get_experiment(run.experiment_id).tags["mlflow.experimentKind"]
        assert kind == "custom_model_development"

    def test_what_mlflow_refuses_is_one_sentence(self, mlflow_server):
        refused = pytest.raises(SelvedgeError, match="refused: ")
        with refused, tracked_run(mlflow_server.mlflow_uri, "refused", "n", self.LINEAGE) as run:
            run.params({"a name: with a colon": 1, "bad\nname": 2})

    def test_attempts_of_dead_processes_are_closed_and_others_left(self, mlflow_server):
        from orchestration.registry.tracking import OWNER_TAG, close_dead_runs
        from orchestration.runtime.owner import Owner

        with tracked_run(mlflow_server.mlflow_uri, "dead", "mine", self.LINEAGE) as mine:
            ended = subprocess.Popen([sys.executable, "-c", ""])
            ended.wait()
            owners = {
                "dead": str(Owner(socket.gethostname(), ended.pid, 1.0)),
                "elsewhere": str(Owner("another-machine", ended.pid, 1.0)),
            }
            made = {
                name: mine.client.create_run(
                    mine.experiment_id, tags={**self.LINEAGE.tags(), OWNER_TAG: owner}
                ).info.run_id
                for name, owner in owners.items()
            }
            assert close_dead_runs(mine.client, mine.experiment_id, self.LINEAGE) == [made["dead"]]
            assert mine.client.get_run(made["elsewhere"]).info.status == "RUNNING"
            assert self.status_of(mine) == "RUNNING"
            mine.client.set_terminated(made["elsewhere"])


def test_a_run_names_its_data_set_and_keeps_plots_and_evidence(recorder):
    kept = {}
    recorder.log_inputs = lambda run_id, datasets: kept.update(entry=datasets[0])
    recorder.log_artifact = lambda run_id, path, artifact_path: kept.update({artifact_path: Path(path).read_bytes()})
    run = TrackedRun(recorder, "http://127.0.0.1:1", "1", "r")
    run.dataset("toy", "d" * 64, "/tables/d", "evaluation")
    run.content("scores/plot.png", b"png")
    run.content("evidence.json", b"{}")
    entry = kept.pop("entry")
    assert (entry.dataset.name, entry.dataset.digest) == ("toy", "d" * 36) and "/tables/d" in entry.dataset.source
    assert [(tag.key, tag.value) for tag in entry.tags] == [("mlflow.data.context", "evaluation")]
    assert kept == {"scores": b"png", None: b"{}"}


@pytest.mark.parametrize("tags", [None, {}, {"mlflow.experimentKind": "genai_development"}])
def test_experiments_are_of_models_and_a_persons_own_choice_stays(tags):
    class Server:
        set_later: tuple[str, ...] = ()
        made: dict[str, str] | None = None

        def get_experiment_by_name(self, name):
            return None if tags is None else SimpleNamespace(experiment_id="3", tags=tags)

        def create_experiment(self, name, tags):
            self.made = tags
            return "3"

        def set_experiment_tag(self, *tag):
            self.set_later = tag

    server = Server()
    assert tracking._experiment(server, "selvedge/toy") == "3"
    kind = ("mlflow.experimentKind", "custom_model_development")
    assert server.made == (dict([kind]) if tags is None else None)
    assert server.set_later == (("3", *kind) if tags == {} else ())
