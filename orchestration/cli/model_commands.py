"""`selvedge train` and `selvedge evaluate`: a family's work by hand, on a catalogue directory.

Belongs here: options, reading the configuration file, results. Not here: the work (training/, evaluation_run.py), using
a model (inference_commands.py). Training needs torch and nothing of Dagster or MLflow.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from catalog.errors import SelvedgeError
from orchestration.cli.families import FamilyArgument, known_family
from orchestration.cli.folders import whole_folder
from orchestration.cli.results import JsonFlag, emit
from orchestration.cli.terminal import reporting

if TYPE_CHECKING:
    from orchestration.evaluation_run import ScoreRun
    from training.blip2.settings import CandidateSettings

CATALOG_KEY = "catalog"
FEATURES_FOLDER = "features"  # inside the catalogue directory, so that training, scoring and inference share them


def add_to(app: typer.Typer) -> None:
    app.command("train")(train)
    app.command("evaluate")(evaluate)


def train(
    family: FamilyArgument,
    config: Annotated[Path, typer.Option(help="YAML with `catalog: DIR` and the training settings; see examples/.")],
    out: Annotated[Path, typer.Option(help="Folder of the candidate; run again after a stop, it goes on.")],
    catalog: Annotated[Path | None, typer.Option(help="Catalogue directory; in place of the file's.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Train a candidate. Needs torch; neither Dagster nor a tracking server."""
    known_family(family)
    folder, settings = read_config(config, catalog)
    from training.blip2.candidate import train_candidate
    from training.blip2.catalogue import read_catalogue_folder

    began = time.monotonic()
    tables = read_catalogue_folder(folder, settings.question_set or question_set_of(folder))
    with reporting() as reporter:
        result = train_candidate(tables, settings, folder / FEATURES_FOLDER, out.expanduser().resolve(), reporter)
    values = {
        "family": family,
        "path": str(result.artefact),
        "digest": result.digest,
        "steps": result.lora.steps,
        "best_step": result.lora.best_step,
        "monitor": result.lora.monitor,
        "best_value": result.lora.best_value,
        "decoding": result.decoding,
        "validation_macro_f1": result.validation_macro_f1,
        "parameters": result.lora.parameters,
        "seconds": time.monotonic() - began,
    }
    emit("train", as_json, values)


def evaluate(
    family: FamilyArgument,
    model: Annotated[str, typer.Option(help="Folder of a model, written by `selvedge train`.")],
    catalog: Annotated[Path, typer.Option(help="Catalogue directory with a test split.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for scores, evidence and plots; none is written else.")
    ] = None,
    champion: Annotated[Path | None, typer.Option(help="Folder of a model to compare with.")] = None,
    cnn: Annotated[bool, typer.Option("--cnn", help="Train the end-to-end ceiling as well (a minute or two).")] = False,
    as_json: JsonFlag = False,
) -> None:
    """Score a model beside its base, the floors and the ceilings."""
    known_family(family)
    from catalog.workspace import open_catalogue
    from orchestration.evaluation_run import Incumbent, LabelledCatalogue, cnn_ceiling, score_artefact
    from training.blip2.artefact import read_about

    began = time.monotonic()
    folder = model_folder(model)
    about = read_about(folder)
    catalogue = open_catalogue(catalog)
    rows = LabelledCatalogue.of(catalogue)
    with reporting() as reporter:
        given = catalogue.schema.question_set(about["question_set"]).given if cnn else ()
        run = score_artefact(
            folder,
            rows,
            catalog / FEATURES_FOLDER,
            family=family,
            candidate=f"{about['digest'][:12]}",
            champion=Incumbent(str(champion), model_folder(str(champion))) if champion else None,
            ceilings=cnn_ceiling(rows, given, reporter=reporter) if cnn else None,
            reporter=reporter,
        )
    if out is not None:
        with whole_folder(out) as part:
            run.write(part)
    values = {
        "family": family,
        "model": str(folder),
        "path": str(out.expanduser().resolve()) if out else None,
        **_figures(run),
        "seconds": time.monotonic() - began,
    }
    emit("evaluate", as_json, values)


def model_folder(model: str) -> Path:
    """The artefact's folder: as given, or the `model` folder inside what `selvedge train` wrote."""
    folder = Path(model).expanduser().resolve()
    return folder / "model" if not (folder / "selvedge.json").exists() and (folder / "model").is_dir() else folder


def question_set_of(catalog: Path) -> str:
    """The question set a catalogue directory was read with.

    Raises:
        SelvedgeError: it is no complete catalogue directory.
    """
    from catalog.workspace import open_catalogue

    return str(open_catalogue(catalog).summary["qa_pairs"]["question_set"])


def read_config(config: Path, catalog: Path | None) -> "tuple[Path, CandidateSettings]":
    """The catalogue directory and the settings of a YAML file; a relative directory is relative to the file.

    Args:
        catalog: in place of the file's `catalog`.

    Raises:
        SelvedgeError: the file cannot be read, names no catalogue, or holds a setting that is unknown or does not fit.
    """
    import yaml

    from training.blip2.settings import CandidateSettings, settings_from

    try:
        values = yaml.safe_load(config.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not YAML"
        raise SelvedgeError(f"configuration {config} cannot be read ({reason}); see examples/ for one.") from error
    if not isinstance(values, dict):
        raise SelvedgeError(f"configuration {config} is not a mapping; write `name: value` lines, as in examples/.")
    named = values.pop(CATALOG_KEY, None)
    if catalog is None and named is None:
        raise SelvedgeError(f"configuration {config} names no catalogue; add `catalog: DIR` or give --catalog DIR.")
    folder = catalog if catalog is not None else config.parent / str(named)
    return folder.expanduser().resolve(), settings_from(CandidateSettings, values, str(config))


def _figures(run: "ScoreRun") -> dict[str, Any]:
    from evaluation.scores import ALL, CANDIDATE, MEAN

    scores = run.scores
    chosen = scores[(scores["metric"] == "macro_f1") & (scores["slice"] == ALL)]
    means = chosen[chosen["attribute"] == MEAN].set_index("subject")
    own = chosen[(chosen["subject"] == CANDIDATE) & (chosen["attribute"] != MEAN)]
    return {
        "products": int(run.predictions[CANDIDATE]["product_id"].nunique()),
        "macro_f1": {name: float(means[name].loc[CANDIDATE]) for name in ("value", "low", "high")},
        "subjects": {str(name): float(value) for name, value in means["value"].items()},
        "attributes": {str(name): float(value) for name, value in zip(own["attribute"], own["value"], strict=True)},
        "evidence_sha256": run.evidence.sha256,
    }
