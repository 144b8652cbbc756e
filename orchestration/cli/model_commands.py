"""`selvedge train` and `selvedge evaluate`: a family's work by hand, on a catalogue directory.

Belongs here: options, reading the configuration file, results. Not here: a family's steps (orchestration/families/),
using a model (inference_commands.py). Training needs torch and nothing of Dagster or MLflow.
"""

import time
from pathlib import Path
from typing import Annotated, Any

import typer

from catalog.errors import SelvedgeError
from catalog.places import check_output_folder, locked_folder
from orchestration import families
from orchestration.cli.models import model_folder
from orchestration.cli.results import JsonFlag, declared, emit
from orchestration.cli.tailoring import family_argument, tailored
from orchestration.cli.terminal import reporting
from orchestration.families.contract import Contenders, Evaluation, Family, TrainingRequest
from orchestration.runtime.folders import check_new_folder, new_folder

CATALOG_KEY = "catalog"


def add_to(app: typer.Typer) -> None:
    switches = {
        name: Annotated[bool, typer.Option(f"--{name}", help=f"{family.name}: {text}")]
        for family in families.FAMILIES
        for name, text in family.flags.items()
    }
    app.command("train")(tailored(train, {"family": family_argument()}))
    app.command("evaluate")(tailored(evaluate, {"family": family_argument(), **switches}))


def train(
    family: str,
    config: Annotated[Path, typer.Option(help="YAML with `catalog: DIR` and the training settings; see examples/.")],
    out: Annotated[Path, typer.Option(help="Folder of the candidate; run again after a stop, it goes on.")],
    catalog: Annotated[Path | None, typer.Option(help="Catalogue directory; in place of the file's.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Train a candidate. Needs torch; neither Dagster nor a tracking server."""
    named = families.find_family(family)
    check_output_folder(out)
    catalog_of_file, settings = read_config(config, named.settings())
    folder = _catalogue(config, catalog_of_file, catalog)
    began = time.monotonic()
    request = TrainingRequest(folder, settings, out.expanduser().resolve(), folder)
    with locked_folder(request.folder), reporting() as reporter:
        keys = named.train(request, reporter).keys
    values = {**keys, "family": family, "seconds": time.monotonic() - began}
    emit("train", as_json, dict.fromkeys(declared()["train"]) | values)


def evaluate(
    family: str,
    model: Annotated[str, typer.Option(help="Folder of a model, written by `selvedge train`.")],
    catalog: Annotated[Path, typer.Option(help="Catalogue directory with a test split.")],
    out: Annotated[
        Path | None, typer.Option(help="Folder for scores, evidence and plots; none is written else.")
    ] = None,
    champion: Annotated[Path | None, typer.Option(help="Folder of a model to compare with.")] = None,
    as_json: JsonFlag = False,
    **switches: bool,
) -> None:
    """Score a model beside its base, the floors and the ceilings."""
    named = families.find_family(family)
    flags = frozenset(name for name, is_given in switches.items() if is_given)
    _refuse_flags(named, flags)
    if out is not None:
        check_new_folder(out)
    began = time.monotonic()
    folder, data = model_folder(model), catalog.expanduser().resolve()
    digest = named.digest(folder)
    rival = (str(champion), model_folder(str(champion))) if champion else None
    contenders = Contenders(family, digest[:12], digest, folder, rival, data, data)
    with reporting() as reporter:
        scored = named.score(contenders, reporter, flags)
    if out is not None:
        with new_folder(out) as part:
            scored.evaluation.write(part)
    values = {
        "family": family,
        "model": str(folder),
        "path": str(out.expanduser().resolve()) if out else None,
        **_figures(scored.evaluation),
        **scored.keys,
        "seconds": time.monotonic() - began,
    }
    emit("evaluate", as_json, dict.fromkeys(declared()["evaluate"]) | values)


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
    catalog = values.pop(CATALOG_KEY, None)
    return None if catalog is None else config.parent / str(catalog), settings_from(kind, values, str(config))


def _catalogue(config: Path, named: Path | None, given: Path | None) -> Path:
    """The catalogue directory: as given, else as the file names it."""
    folder = given if given is not None else named
    if folder is None:
        raise SelvedgeError(f"configuration {config} names no catalogue; add `catalog: DIR` or give --catalog DIR.")
    return folder.expanduser().resolve()


def _refuse_flags(family: Family, flags: frozenset[str]) -> None:
    for name in sorted(flags - family.flags.keys()):
        raise SelvedgeError(f"{family.name} takes no --{name}; leave it out.")


def _figures(evaluation: Evaluation) -> dict[str, Any]:
    """What `selvedge evaluate` prints of every family."""
    from evaluation.scores import ALL, CANDIDATE, MEAN

    scores = evaluation.scores
    whole = scores[scores["slice"] == ALL]
    macro_f1 = whole[whole["metric"] == "macro_f1"]
    means = macro_f1[macro_f1["attribute"] == MEAN].set_index("subject")
    own = macro_f1[(macro_f1["subject"] == CANDIDATE) & (macro_f1["attribute"] != MEAN)]
    right = whole[(whole["metric"] == "accuracy") & (whole["attribute"] == MEAN)].set_index("subject")["value"]
    return {
        "products": int(evaluation.predictions[CANDIDATE]["product_id"].nunique()),
        "macro_f1": {name: float(means[name].loc[CANDIDATE]) for name in ("value", "low", "high")},
        "subjects": {str(name): float(value) for name, value in means["value"].items()},
        "accuracy": {str(name): float(value) for name, value in right.items()},
        "attributes": {str(name): float(value) for name, value in zip(own["attribute"], own["value"], strict=True)},
        "evidence_sha256": evaluation.evidence.sha256,
    }
