"""Training and scoring a candidate of blip2-attributes: LoRA on cached features, beside base, floors and ceilings.

Belongs here: the two jobs on either kind of data, and what is shown of them. Not here: the work (training/blip2/),
tracking and registering (orchestration/families/runner.py).
"""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from orchestration.families.blip2_attributes import NAME
from orchestration.families.contract import Contenders, ScoredCandidate, TrainedCandidate, TrainingRequest

if TYPE_CHECKING:
    from orchestration.assets.candidates import Opening
    from training.catalogue import CatalogueTables
    from training.reporting import Reporter

FEATURES_FOLDER = "features"  # inside a workspace: training, scoring and inference share it
CNN = "cnn"


def train(request: TrainingRequest, reporter: "Reporter") -> TrainedCandidate:
    """LoRA on cached features; checks and calibrates the result. Goes on where a killed run stopped.

    Raises:
        SelvedgeError: as `training.blip2.candidate.train_candidate`; or the data is not there.
    """
    from training.blip2.candidate import train_candidate
    from training.blip2.settings import Blip2CandidateSettings
    from training.settings import flat, settings_from

    settings = request.settings
    if not isinstance(request.data, Path):
        opening = request.data
        settings = settings_from(Blip2CandidateSettings, opening.settings, f"the opening of {request.folder.name}")
        settings = replace(
            settings,
            base=opening.dataset["base"],
            continue_base=False,  # the base was continued when it was prepared
            lora=replace(settings.lora, threads=request.threads),
        )
    tables = dataset(request.data, settings.question_set)
    result = train_candidate(tables, settings, request.workspace / FEATURES_FOLDER, request.folder, reporter)
    lora = result.lora
    keys = {
        "path": str(result.artefact),
        "digest": result.digest,
        "steps": lora.steps,
        "best_step": lora.best_step,
        "monitor": lora.monitor,
        "best_value": lora.best_value,
        "decoding": result.decoding,
        "validation_macro_f1": result.validation_macro_f1,
        "parameters": lora.parameters,
    }
    parameters = {} if isinstance(request.data, Path) else flat(request.data.settings)
    described = result.to_dict()
    shown = {"validation macro-F1": described["validation_macro_f1"]}
    return TrainedCandidate(result.artefact, result.digest, keys, parameters, lora.history, described, shown)


def score(contenders: Contenders, reporter: "Reporter", flags: frozenset[str] = frozenset()) -> ScoredCandidate:
    """The candidate and its champion on the test split; with the ceilings kept beside a data set, or the flag `cnn`.

    Raises:
        SelvedgeError: as `training.blip2.scoring.score_artefact`; or the data is not there.
    """
    from upath import UPath

    from evaluation.scores import means
    from training.blip2.ceilings import kept_ceilings
    from training.blip2.scoring import Incumbent, LabelledCatalogue, cnn_ceiling, score_artefact

    data = contenders.data
    if isinstance(data, Path):
        from catalog.workspace import open_catalogue
        from training.blip2.artefact import read_about

        catalogue = open_catalogue(data)
        rows = LabelledCatalogue.of(catalogue)
        given = catalogue.schema.question_set(read_about(contenders.folder)["question_set"]).given
        ceilings = cnn_ceiling(rows, given, reporter=reporter) if CNN in flags else None
    else:
        frozen = dataset(data)
        rows = LabelledCatalogue(frozen.products, frozen.images, frozen.qa_pairs)
        ceilings = kept_ceilings(UPath(data.dataset["dataset"]))
    evaluation = score_artefact(
        contenders.folder,
        rows,
        contenders.workspace / FEATURES_FOLDER,
        family=NAME,
        candidate=contenders.candidate,
        champion=Incumbent(*contenders.champion) if contenders.champion else None,
        ceilings=ceilings,
        reporter=reporter,
    )
    of_subjects = means(evaluation.scores, "macro_f1")
    plots = {name.removesuffix(".png").replace("_", " "): (png, name) for name, png in evaluation.plots.items()}
    return ScoredCandidate(
        evaluation,
        evaluation.files,
        {f"test/macro_f1/{name.replace(':', '_')}": value for name, value in of_subjects.items()},
        {"mean macro-F1": (["who", "macro-F1"], [[who, f"{value:.3f}"] for who, value in of_subjects.items()])},
        plots,
    )


def dataset(data: "Opening | Path", question_set: str | None = None) -> "CatalogueTables":
    """The tables of an opening's data set, or of a catalogue directory, asked with its own question set or another.

    Raises:
        SelvedgeError: it is not there, or no complete catalogue directory.
    """
    from training.catalogue import read_catalogue_folder, read_dataset

    if isinstance(data, Path):
        return read_catalogue_folder(data, question_set)
    return read_dataset(data.dataset["dataset"], data.dataset["question_set"])


def digest(folder: Path) -> str:
    """Raises: SelvedgeError: the folder holds no artefact of the family."""
    from training.blip2.artefact import read_about

    return str(read_about(folder)["digest"])
