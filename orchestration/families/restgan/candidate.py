"""Training and scoring a candidate of restgan: the base continued on bottoms and their words, and what it draws.

Belongs here: the two jobs on either kind of data, and what is shown of them. Not here: the work (training/restgan/),
tracking and registering (orchestration/families/runner.py).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.errors import SelvedgeError
from orchestration.families.contract import Contenders, ScoredCandidate, TrainedCandidate, TrainingRequest
from orchestration.families.restgan import NAME

if TYPE_CHECKING:
    from orchestration.assets.candidates import Opening
    from training.reporting import Reporter
    from training.restgan.candidate import Prepared
    from training.restgan.dataset import Bottoms

STRIP_ALT = "the same words and noise for every model"


def train(request: TrainingRequest, reporter: "Reporter") -> TrainedCandidate:
    """The base continued on the training part. Goes on where a killed run stopped.

    Raises:
        SelvedgeError: as `prepare` and `train_candidate` of training/restgan; or the data is not there.
    """
    from training.catalogue import read_catalogue_folder
    from training.restgan.candidate import (
        RestganCandidateSettings,
        at_device,
        prepare,
        prepared_folder,
        train_candidate,
    )
    from training.restgan.sampling import load_artefact
    from training.settings import settings_from

    parameters: dict[str, Any] = {}
    if isinstance(request.data, Path):
        settings = request.settings
        folder = prepared_folder(request.workspace, settings)
        prepared = prepare(read_catalogue_folder(request.data), settings, folder, reporter)
    else:
        opening = request.data
        values = {**opening.settings, "base": opening.dataset["base"]}
        where = f"the opening of {request.folder.name}"
        settings = at_device(settings_from(RestganCandidateSettings, values, where), request.threads)
        prepared = read_prepared(opening)
        parameters = {"base": opening.dataset["base_digest"] or "none", **opening.settings["restgan"]}
    result = train_candidate(prepared, settings, request.folder, reporter)
    described = result.to_dict()
    model = load_artefact(result.artefact)
    keys = {
        "path": str(result.artefact),
        "digest": result.digest,
        "steps": result.training.steps,
        "parameters": sum(p.numel() for part in (model.text, model.generator) for p in part.parameters()),
        "base_digest": result.base_digest,
        "losses": {name: value for name, value in described["last"].items() if name != "step"},
        "judge": dict(prepared.judge.own_accuracy),
        "bottoms": len(prepared.bottoms),
    }
    return TrainedCandidate(result.artefact, result.digest, keys, parameters, result.training.history, described)


def score(contenders: Contenders, reporter: "Reporter", flags: frozenset[str] = frozenset()) -> ScoredCandidate:  # noqa: ARG001 (the contract's)
    """The candidate, what it began with and its champion, on the words of part test.

    By hand that is part test of the candidate's own data set: of other bottoms, nobody knows which it has learnt by
    heart.

    Raises:
        SelvedgeError: a folder is not whole, or the catalogue does not give the bottoms that it was trained with.
    """
    from evaluation.scores import means
    from training.blip2.scoring import Incumbent
    from training.catalogue import read_catalogue_folder
    from training.restgan.candidate import bottoms_of
    from training.restgan.scoring import PICTURES, STRIP_FILE, score_restgan

    data = contenders.data
    if isinstance(data, Path):
        prepared = bottoms_of(contenders.folder, read_catalogue_folder(data), reporter)
    else:
        prepared = read_prepared(data)
    evaluation = score_restgan(
        contenders.folder,
        prepared,
        family=NAME,
        candidate=contenders.candidate,
        champion=Incumbent(*contenders.champion) if contenders.champion else None,
        reporter=reporter,
    )
    scores = evaluation.scores
    pictured = scores[(scores["attribute"] == PICTURES) & (scores["subject"] == "candidate")]
    figures = list(pictured.itertuples(index=False))
    of_subjects = means(scores, "accuracy")
    return ScoredCandidate(
        evaluation,
        evaluation.plots,
        {
            **{f"test/accuracy/{name.replace(':', '_')}": value for name, value in of_subjects.items()},
            **{f"test/{row.metric}": row.value for row in figures},
        },
        {
            "mean accuracy of what is drawn": (["who", "accuracy"], [[k, f"{v:.3f}"] for k, v in of_subjects.items()]),
            "pictures": (["figure", "value"], [[row.metric, f"{row.value:.4g}"] for row in figures]),
        },
        {"refinements": (evaluation.plots[STRIP_FILE], STRIP_ALT)},
        {
            "pictures": {
                str(row.metric): {"value": float(row.value), "low": float(row.low), "high": float(row.high)}
                for row in figures
            }
        },
    )


def digest(folder: Path) -> str:
    """Raises: SelvedgeError: the folder holds no artefact of the family."""
    from training.restgan.sampling import read_about

    return str(read_about(folder)["digest"])


def read_prepared(opening: "Opening") -> "Prepared":
    """The data set and the judge that a candidate was opened with.

    Raises:
        SelvedgeError: one is gone or damaged.
    """
    from training.attribute_judge import load_judge
    from training.restgan.candidate import Prepared

    return Prepared(frozen_bottoms(opening.dataset["bottoms"]), load_judge(Path(opening.dataset["judge"])))


def frozen_bottoms(folder: str) -> "Bottoms":
    """The data set of a folder that is named by its digest.

    Raises:
        SelvedgeError: it is gone, damaged, or another one.
    """
    from catalog.datasets import fits_name
    from training.restgan.dataset import read_bottoms

    bottoms = read_bottoms(folder)
    if not fits_name(bottoms.digest, Path(folder).name):
        raise SelvedgeError(
            f"bottoms {folder} are not the data set that the folder is named by; restore it, or delete it and "
            "materialise training/word_sequences again."
        )
    return bottoms
