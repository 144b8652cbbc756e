"""`selvedge train` and `selvedge evaluate`: a family's work by hand, on a catalogue directory.

Belongs here: options, reading the configuration file, results. Not here: a family's steps (by_hand/), the work
(training/, evaluation_run.py, restgan_scoring.py), using a model (inference_commands.py). Training needs torch and
nothing of Dagster or MLflow.
"""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from catalog.errors import SelvedgeError
from orchestration.cli.by_hand import BY_HAND
from orchestration.cli.families import FamilyArgument, known_family
from orchestration.cli.folders import whole_folder
from orchestration.cli.results import RESULTS, JsonFlag, emit
from orchestration.cli.terminal import reporting
from orchestration.families.by_hand import ByHand, Scored, ToScore

if TYPE_CHECKING:
    import pandas as pd

CATALOG_KEY = "catalog"
ARTEFACTS = ("artefact", "model")  # in what training wrote; the first there is, for a family may keep parts of it too


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
    work = BY_HAND[known_family(family)]
    named, settings = read_config(config, work.settings())
    folder = _catalogue(config, named, catalog)
    began = time.monotonic()
    with reporting() as reporter:
        values = work.train(folder, settings, out.expanduser().resolve(), reporter)
    values |= {"family": family, "seconds": time.monotonic() - began}
    emit("train", as_json, dict.fromkeys(RESULTS["train"]) | values)


def evaluate(
    family: FamilyArgument,
    model: Annotated[str, typer.Option(help="Folder of a model, written by `selvedge train`.")],
    catalog: Annotated[Path, typer.Option(help="Catalogue directory with a test split.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for scores, evidence and plots; none is written else.")
    ] = None,
    champion: Annotated[Path | None, typer.Option(help="Folder of a model to compare with.")] = None,
    cnn: Annotated[
        bool, typer.Option("--cnn", help="blip2-attributes: train the end-to-end ceiling too (a minute or two).")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Score a model beside its base, the floors and the ceilings."""
    work = BY_HAND[known_family(family)]
    _refuse_options(family, work, cnn=cnn)
    from training.blip2.scoring import Incumbent

    began = time.monotonic()
    folder = model_folder(model)
    asked = ToScore(
        family,
        folder,
        catalog.expanduser().resolve(),
        Incumbent(str(champion), model_folder(str(champion))) if champion else None,
        cnn,
    )
    with reporting() as reporter:
        scored = work.score(asked, reporter)
    if out is not None:
        with whole_folder(out) as part:
            scored.write(part)
    values = {
        "family": family,
        "model": str(folder),
        "path": str(out.expanduser().resolve()) if out else None,
        **_figures(scored),
        "seconds": time.monotonic() - began,
    }
    emit("evaluate", as_json, values)


def model_folder(model: str) -> Path:
    """The artefact's folder: as given, or the one inside what `selvedge train` wrote."""
    folder = Path(model).expanduser().resolve()
    inside = [folder, *(folder / name for name in ARTEFACTS)]
    return next((place for place in inside if (place / "selvedge.json").is_file()), folder)


def read_config(config: Path, kind: type[Any]) -> tuple[Path | None, Any]:
    """The catalogue directory that a YAML file names, if any, and its settings.

    Args:
        kind: the dataclass of the settings. A relative directory is relative to the file.

    Raises:
        SelvedgeError: the file cannot be read, or holds a setting that is unknown or does not fit.
    """
    import yaml

    from training.settings import settings_from

    try:
        values = yaml.safe_load(config.read_text(encoding="utf-8")) or {}
    except (OSError, yaml.YAMLError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not YAML"
        raise SelvedgeError(f"configuration {config} cannot be read ({reason}); see examples/ for one.") from error
    if not isinstance(values, dict):
        raise SelvedgeError(f"configuration {config} is not a mapping; write `name: value` lines, as in examples/.")
    named = values.pop(CATALOG_KEY, None)
    return None if named is None else config.parent / str(named), settings_from(kind, values, str(config))


def _catalogue(config: Path, named: Path | None, given: Path | None) -> Path:
    """The catalogue directory: as given, else as the file names it."""
    folder = given if given is not None else named
    if folder is None:
        raise SelvedgeError(f"configuration {config} names no catalogue; add `catalog: DIR` or give --catalog DIR.")
    return folder.expanduser().resolve()


def _refuse_options(family: str, work: ByHand, **given: bool) -> None:
    for name, is_given in given.items():
        if is_given and name not in work.options:
            raise SelvedgeError(f"{family} takes no --{name}; leave it out.")


def _figures(scored: Scored) -> dict[str, Any]:
    from evaluation.scores import ALL, CANDIDATE, MEAN

    scores = scored.scores
    whole = scores[scores["slice"] == ALL]
    chosen = whole[whole["metric"] == "macro_f1"]
    means = chosen[chosen["attribute"] == MEAN].set_index("subject")
    own = chosen[(chosen["subject"] == CANDIDATE) & (chosen["attribute"] != MEAN)]
    right = whole[(whole["metric"] == "accuracy") & (whole["attribute"] == MEAN)].set_index("subject")["value"]
    return {
        "products": int(scored.predictions[CANDIDATE]["product_id"].nunique()),
        "macro_f1": {name: float(means[name].loc[CANDIDATE]) for name in ("value", "low", "high")},
        "subjects": {str(name): float(value) for name, value in means["value"].items()},
        "accuracy": {str(name): float(value) for name, value in right.items()},
        "attributes": {str(name): float(value) for name, value in zip(own["attribute"], own["value"], strict=True)},
        "pictures": _picture_figures(whole[whole["subject"] == CANDIDATE]),
        "evidence_sha256": scored.evidence.sha256,
    }


def _picture_figures(own: "pd.DataFrame") -> dict[str, dict[str, float]] | None:
    """Figures about whole pictures, of a family that draws some."""
    from training.restgan.scoring import PICTURES

    found = own[own["attribute"] == PICTURES]
    return {
        str(row.metric): {"value": float(row.value), "low": float(row.low), "high": float(row.high)}
        for row in found.itertuples(index=False)
    } or None
