"""Training and scoring a candidate inside the graph, whatever its family: tracked, registered, described.

Belongs here: one MLflow run a step, the registration, the metadata of both assets. Not here: the work (a family's
`train` and `score`), the assets themselves (orchestration/graph/road.py).
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg

from catalog.errors import SelvedgeError
from catalog.files import png_bytes
from orchestration.assets.candidates import Opening
from orchestration.assets.costs import BYTES
from orchestration.assets.metadata import image, table
from orchestration.assets.resources import Models
from orchestration.families.contract import Family, ScoredCandidate, TrainingRequest
from orchestration.families.registered import beside_champion
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    from PIL.Image import Image

    from orchestration.registry.interface import Run
    from training.reporting import Reporter


@dataclass(frozen=True)
class CandidateJob:
    """What training and scoring a candidate are handed."""

    context: dg.AssetExecutionContext
    settings: Settings
    models: Models
    reporter: "Reporter"
    candidate: str
    opening: Opening


def train_candidate(family: Family, job: CandidateJob) -> dg.MaterializeResult:
    """Train and register a candidate. Goes on where a killed run stopped.

    Raises:
        SelvedgeError: as the family's training, or the candidate is registered with other files.
    """
    from evaluation.plots import learning_curves
    from training.reporting import Reporters

    opening, settings = job.opening, job.settings
    request = TrainingRequest(opening, None, settings.work / job.candidate, settings.home, settings.threads)
    with job.models.tracked(job.context, family.name, opening.dataset_sha256) as run:
        reporter, samples = run.reporter(), _LastPicture()
        trained = family.train(request, Reporters(reporter, samples, job.reporter))
        reporter.close()
        run.params(trained.parameters)
        _log_dataset(run, opening, "training")
        about = {"candidate": job.candidate, **({"opened_because": opening.reason} if opening.reason else {})}
        version = job.models.registry().register(
            family.name, job.candidate, trained.artefact, run, about, served=family.served()
        )
    shown = {"history": list(trained.history), "result": dict(trained.result), **trained.shown}
    if trained.history:
        shown["learning curves"] = image(learning_curves(list(trained.history)), "learning curves")
    if samples.content:
        shown["samples"] = image(samples.content, "samples at the end of training")
    return dg.MaterializeResult(
        metadata={
            "model": f"models:/{family.name}/{version.version}",
            "version": version.version,
            "digest": trained.digest,
            "dataset_sha256": opening.dataset_sha256,
            "settings": dict(opening.settings),
            BYTES: sum(file.stat().st_size for file in trained.artefact.rglob("*") if file.is_file()),
            "opened because": opening.reason or "a person asked for it",
            "MLflow run": dg.MetadataValue.url(run.url),
            **shown,
        },
        data_version=dg.DataVersion(trained.digest),
    )


def score_candidate(family: Family, job: CandidateJob) -> tuple[ScoredCandidate, dict[str, Any]]:
    """The candidate and the champion there is now, on the candidate's own test split; and what the asset shows of it.

    Raises:
        SelvedgeError: the candidate was never registered, or as the family's scoring.
    """
    registry = job.models.registry()
    version = registry.of_candidate(family.name, job.candidate)
    if version is None:
        raise SelvedgeError(f"candidate {job.candidate} has no model version in MLflow; materialise it again.")
    contenders = beside_champion(registry, version, registry.champion(family.name), job.opening)
    with job.models.tracked(job.context, family.name, job.opening.dataset_sha256) as run:
        scored = family.score(contenders, job.reporter, frozenset())
        run.metrics(scored.metrics)
        _log_dataset(run, job.opening, "evaluation")
        for name, content in scored.files.items():
            run.content(f"scores/{name}", content)
        run.content("evidence.json", scored.evaluation.evidence.to_json().encode())
    return scored, {
        "MLflow run": dg.MetadataValue.url(run.url),
        **{title: table(columns, rows) for title, (columns, rows) in scored.tables.items()},
        **{title: image(content, label) for title, (content, label) in scored.pictures.items()},
    }


def _log_dataset(run: "Run", opening: Opening, context: str) -> None:
    """The data set of an opening, under the family's name; where it lies is the first folder that the opening names."""
    places = (opening.dataset[name] for name in ("dataset", "bottoms", "picks", "labels") if name in opening.dataset)
    digest = str(opening.dataset.get("dataset_sha256", opening.dataset_sha256))
    run.dataset(opening.family, digest, str(next(places, "")), context)


class _LastPicture:
    """A reporter that keeps the newest picture of a training, for the asset's page."""

    def __init__(self) -> None:
        self.content: bytes = b""

    def metrics(self, step: int, values: Any) -> None: ...

    def picture(self, step: int, name: str, image: "Image") -> None:
        self.content = png_bytes(image, optimize=True)

    def progress(self, done: int, total: int, what: str) -> None: ...
