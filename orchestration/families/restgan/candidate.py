"""Training and scoring a candidate of restgan: the base continued on bottoms and their words, and what it draws.

Belongs here: the two jobs on either kind of data, and what is shown of them. Not here: the work (training/restgan/),
tracking and registering (orchestration/families/runner.py).
"""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catalog.errors import SelvedgeError
from catalog.files import json_sha256
from orchestration.families.contract import Contenders, ScoredCandidate, TrainedCandidate, TrainingRequest
from orchestration.families.data import catalogue_tables
from orchestration.families.restgan import NAME

if TYPE_CHECKING:
    import pandas as pd

    from orchestration.assets.candidates import Opening
    from training.reporting import Reporter
    from training.restgan.candidate import Prepared, RestganCandidateSettings
    from training.restgan.dataset import Bottoms

PREPARED_FOLDER = "restgan"  # of a workspace by hand: data sets and judges, by the settings they were made with
STRIP_ALT = "the same words and noise for every model"


def train(request: TrainingRequest, reporter: "Reporter") -> TrainedCandidate:
    """The base continued on the training part. Goes on where a killed run stopped.

    Raises:
        SelvedgeError: as `prepare` and `train_candidate` of training/restgan; or the data is not there.
    """
    from training.restgan.candidate import RestganCandidateSettings, at_device, prepare, train_candidate
    from training.restgan.sampling import load_artefact
    from training.settings import settings_from

    parameters: dict[str, Any] = {}
    if isinstance(request.data, Path):
        settings = request.settings
        folder = _prepared_in(request.workspace, settings)
        prepared = prepare(catalogue_tables(request.data), settings, folder, reporter)
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
    from training.blip2.scoring import Incumbent
    from training.restgan.candidate import bottoms_of
    from training.restgan.scoring import PICTURES, STRIP_FILE, score_restgan

    data = contenders.data
    if isinstance(data, Path):
        prepared = bottoms_of(contenders.folder, catalogue_tables(data), reporter)
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
    means = _means(scores)
    return ScoredCandidate(
        evaluation,
        evaluation.plots,
        {
            **{f"test/accuracy/{name.replace(':', '_')}": value for name, value in means.items()},
            **{f"test/{row.metric}": row.value for row in figures},
        },
        {
            "mean accuracy of what is drawn": (["who", "accuracy"], [[k, f"{v:.3f}"] for k, v in means.items()]),
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
    from training.restgan.candidate import Prepared
    from training.restgan.judge import load_judge

    return Prepared(frozen_bottoms(opening.dataset["bottoms"]), load_judge(Path(opening.dataset["judge"])))


def frozen_bottoms(folder: str) -> "Bottoms":
    """The data set of a folder that is named by its digest.

    Raises:
        SelvedgeError: it is gone, damaged, or another one.
    """
    from orchestration.assets.dataset import fits_name
    from training.restgan.dataset import read_bottoms

    bottoms = read_bottoms(folder)
    if not fits_name(bottoms.digest, Path(folder).name):
        raise SelvedgeError(
            f"bottoms {folder} are not the data set that the folder is named by; restore it, or delete it and "
            "materialise training/word_sequences again."
        )
    return bottoms


def _means(scores: "pd.DataFrame") -> dict[str, float]:
    """Mean accuracy over all test rows, by subject."""
    whole = scores[(scores["metric"] == "accuracy") & (scores["slice"] == "all") & (scores["attribute"] == "mean")]
    return dict(zip(whole["subject"], whole["value"], strict=True))


def _prepared_in(workspace: Path, settings: "RestganCandidateSettings") -> Path:
    """Where the data set and the judge of these settings are kept; other settings have another folder."""
    from training.restgan.candidate import made_with

    content = [_base_digest(settings), made_with(settings), asdict(settings.judge)]
    return workspace / PREPARED_FOLDER / json_sha256(content, sort_keys=False)[:12]


def _base_digest(settings: "RestganCandidateSettings") -> str:
    """The base's, or `none`; asked before minutes of work.

    Raises:
        SelvedgeError: there is no such base, or its networks have other sizes.
    """
    from training.restgan.candidate import NO_BASE, base_folder
    from training.restgan.sampling import read_about
    from training.restgan.settings import RestganSettings
    from training.restgan.start import refuse_other_sizes
    from training.settings import settings_from

    if settings.base == NO_BASE:
        return NO_BASE
    folder = base_folder(settings.base)
    about = read_about(folder)
    refuse_other_sizes(folder, settings_from(RestganSettings, about["settings"], f"base {folder}"), settings.restgan)
    return str(about["digest"])
