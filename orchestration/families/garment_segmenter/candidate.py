"""Training and scoring a candidate of garment-segmenter: on a label set, beside labels that cost no training.

Belongs here: the two jobs on either kind of data, and what is shown of them. Not here: the work (training/segmenter/),
tracking and registering (orchestration/families/runner.py).

By hand a label set stands where other families have a catalogue directory.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.families.contract import Contenders, ScoredCandidate, TrainedCandidate, TrainingRequest
from orchestration.families.garment_segmenter import NAME

if TYPE_CHECKING:
    from orchestration.assets.candidates import Opening
    from training.reporting import Reporter
    from training.segmenter.label_set import LabelSet
    from training.segmenter.segmenter import GarmentSegmenter

SHEET = "held-out pictures, their true masks, and what each subject says"


def train(request: TrainingRequest, reporter: "Reporter") -> TrainedCandidate:
    """A segmenter of the pictures of a label set. Goes on where a killed run stopped.

    Raises:
        SelvedgeError: as `train_segmenter`; or the label set is gone or was changed.
    """
    from dataclasses import replace

    from training.segmenter.candidate import train_segmenter
    from training.segmenter.settings import SegmenterSettings
    from training.settings import settings_from

    settings, parameters = request.settings, dict[str, Any]()
    if not isinstance(request.data, Path):
        parameters = dict(request.data.settings)
        settings = settings_from(SegmenterSettings, parameters, f"the opening of {request.folder.name}")
    if request.threads:
        settings = replace(settings, threads=request.threads)
    labels = label_set(request.data)
    trained = train_segmenter(labels.labelled, labels.generated, settings, request.folder, reporter)
    counts = {f"{kind}_pictures": trained.pictures[kind] for kind in ("labelled", "generated")}
    described = {"classes": list(trained.classes), **counts}
    keys = {"path": str(trained.artefact), "digest": trained.digest, "steps": trained.steps, **described}
    return TrainedCandidate(trained.artefact, trained.digest, keys, parameters, trained.history, described)


def score(contenders: Contenders, reporter: "Reporter", flags: frozenset[str] = frozenset()) -> ScoredCandidate:  # noqa: ARG001 (the contract's)
    """The candidate and its champion on the test pictures of its label set.

    Raises:
        SelvedgeError: a segmenter or the label set is missing or damaged, or they differ in classes.
    """
    from evaluation.scores import means
    from training.segmenter.scoring import FOREGROUND, IOU, MASKS_FILE, score_segmenters

    champion = contenders.champion and (contenders.champion[0], read_segmenter(contenders.champion[1]))
    evaluation = score_segmenters(
        read_segmenter(contenders.folder),
        champion,
        label_set(contenders.data),
        family=NAME,
        name=contenders.candidate,
        reporter=reporter,
    )
    figures = {metric: means(evaluation.scores, metric) for metric in (IOU, FOREGROUND)}
    rows = [[who, *(f"{of[who]:.3f}" for of in figures.values())] for who in figures[IOU]]
    return ScoredCandidate(
        evaluation,
        evaluation.plots,
        metrics={f"test/{IOU}/{who.replace(':', '_')}": value for who, value in figures[IOU].items()},
        tables={"held-out pictures": (["who", "mean IoU of classes", "IoU of the whole product"], rows)},
        pictures={"masks": (evaluation.plots[MASKS_FILE], SHEET)},
        keys={"iou": figures[IOU], "foreground_iou": figures[FOREGROUND]},
    )


def label_set(data: "Opening | Path") -> "LabelSet":
    """Raises: SelvedgeError: a part of it is missing, or it is not the one that a candidate was opened with."""
    from training.segmenter.label_set import read_label_set

    return read_label_set(data if isinstance(data, Path) else Path(data.dataset["labels"]))


def read_segmenter(folder: Path) -> "GarmentSegmenter":
    """Raises: SelvedgeError: the folder holds no segmenter, or a damaged one."""
    from training.segmenter.segmenter import load_segmenter

    return load_segmenter(folder)


def digest(folder: Path) -> str:
    """Raises: SelvedgeError: the folder holds no segmenter."""
    from training.segmenter.segmenter import segmenter_digest

    return segmenter_digest(folder)
