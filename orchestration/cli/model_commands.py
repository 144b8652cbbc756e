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
from orchestration.cli.results import JsonFlag, declared, emit, print_document, print_text
from orchestration.cli.tailoring import family_argument, tailored
from orchestration.cli.terminal import reporting, say
from orchestration.families.contract import Contenders, Evaluation, Family, TrainedCandidate, TrainingRequest
from orchestration.runtime.folders import check_new_folder, new_folder
from training.hand_run import HandRun, write_run

CATALOG_KEY = "catalog"


def add_to(app: typer.Typer) -> None:
    switches = {
        name: Annotated[bool, typer.Option(f"--{name}", help=f"{family.name}: {text}")]
        for family in families.FAMILIES
        for name, text in family.flags.items()
    }
    app.command("train")(tailored(train, {"family": family_argument()}))
    app.command("register")(register)
    app.command("evaluate")(tailored(evaluate, {"family": family_argument(), **switches}))


def train(
    family: str,
    config: Annotated[
        Path | None, typer.Option(help="YAML with `catalog: DIR` and the training settings; see examples/.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the candidate; run again after a stop, it goes on.")
    ] = None,
    catalog: Annotated[Path | None, typer.Option(help="Catalogue directory; in place of the file's.")] = None,
    print_settings: Annotated[
        bool, typer.Option("--print-settings", help="Print every setting as YAML, with its range, and train nothing.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Train a candidate. Needs torch; neither Dagster nor a tracking server."""
    named = families.find_family(family)
    if print_settings:
        _print_settings(named, config, as_json)
        return
    if config is None or out is None:
        raise typer.BadParameter("a training needs --config FILE and --out DIR (or --print-settings)")
    check_output_folder(out)
    from training.settings import refuse_absent_devices

    catalog_of_file, settings = read_config(config, named.settings())
    refuse_absent_devices(settings)
    folder = _catalogue(config, catalog_of_file, catalog)
    began = time.monotonic()
    request = TrainingRequest(folder, settings, out.expanduser().resolve(), folder)
    with locked_folder(request.folder), reporting() as reporter:
        trained = named.train(request, reporter)
        _leave_record(named, request, trained)
    values = {**trained.keys, "family": family, "seconds": time.monotonic() - began}
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
        **_gate(named, scored.evaluation),
        "seconds": time.monotonic() - began,
    }
    emit("evaluate", as_json, dict.fromkeys(declared()["evaluate"]) | values)


def register(
    run: Annotated[Path, typer.Argument(metavar="RUN_FOLDER", help="Folder that `selvedge train --out` wrote.")],
    catalog: Annotated[
        Path | None, typer.Option(help="Where the catalogue directory of the run is now; where it was by default.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Make a candidate of a run that was trained by hand: registered, and scored by the house. Needs `selvedge up`."""
    from orchestration.families.settings import load_settings
    from orchestration.jobs.register import register_run

    began = time.monotonic()
    folder = run.expanduser().resolve()
    given = None if catalog is None else catalog.expanduser().resolve()
    with reporting() as reporter:
        made = register_run(load_settings(), folder, model_folder(str(run)), given, families.FAMILIES, reporter, say)
    judged = made.family.review is not None
    values = {
        "family": made.family.name,
        "candidate": made.candidate,
        "version": made.version,
        "dataset_sha256": made.dataset_sha256,
        "gate": "passed" if made.passed else "refused",
        "reasons": list(made.reasons),
        "next": f"selvedge {'review open' if judged else 'promote'} {made.family.name} {made.candidate}"
        if made.passed
        else None,
        "seconds": time.monotonic() - began,
    }
    emit("register", as_json, values)


def read_config(config: Path, kind: type[Any]) -> tuple[Path | None, Any]:
    """The catalogue directory that a YAML file names, if any, and its settings.

    Args:
        kind: the dataclass of the settings. A relative directory is relative to the file.

    Raises:
        SelvedgeError: the file cannot be read, or holds a setting that is unknown or does not fit.
    """
    from catalog.yaml_files import read_yaml
    from training.settings import settings_from

    values = read_yaml(config, "configuration")
    catalog = values.pop(CATALOG_KEY, None)
    if catalog is not None and (not isinstance(catalog, str) or not catalog.isprintable() or not catalog.strip()):
        raise SelvedgeError(f"{config}: `catalog` is {catalog!r:.60}; give the path of a catalogue directory.")
    return None if catalog is None else config.parent / catalog, settings_from(kind, values, str(config))


def _leave_record(family: Family, request: TrainingRequest, trained: TrainedCandidate) -> None:
    """What the run is and what it learnt from, for `selvedge register`."""
    from dataclasses import asdict

    from catalog.datasets import hashed_dataset

    run = HandRun(
        family.name,
        asdict(request.settings),
        str(request.data),
        hashed_dataset(str(request.data))
        if family.data_sha256 is None
        else family.data_sha256(Path(str(request.data))),
        trained.digest,
        trained.parameters,
        trained.history,
        trained.result,
    )
    write_run(request.folder, run)


def _print_settings(family: Family, config: Path | None, as_json: bool) -> None:
    """The settings of a file, or the defaults, complete: YAML to begin a file of one's own with."""
    from dataclasses import asdict

    from training.settings import as_yaml

    kind = family.settings()
    settings = kind() if config is None else read_config(config, kind)[1]
    if as_json:
        print_document(asdict(settings))
        return
    print_text(f"# {family.name}: every setting{f' as {config} sets it' if config else ' with its default'}\n")
    print_text(as_yaml(settings))


def _catalogue(config: Path, named: Path | None, given: Path | None) -> Path:
    """The catalogue directory: as given, else as the file names it."""
    folder = given if given is not None else named
    if folder is None:
        raise SelvedgeError(f"configuration {config} names no catalogue; add `catalog: DIR` or give --catalog DIR.")
    return folder.expanduser().resolve()


def _gate(family: Family, evaluation: Evaluation) -> dict[str, Any]:
    """What the first gate would say of these scores; people's verdict is the second's."""
    from evaluation.gate import decide
    from orchestration.families.settings import load_settings

    rule = family.rule(load_settings()).of_scores()
    decision = decide(rule, evaluation.evidence, evaluation.evidence.champion_version)
    return {"gate": "would pass" if decision.promote else "would be refused", "reasons": list(decision.reasons)}


def _refuse_flags(family: Family, flags: frozenset[str]) -> None:
    for name in sorted(flags - family.flags.keys()):
        raise SelvedgeError(f"{family.name} takes no --{name}; leave it out.")


def _figures(evaluation: Evaluation) -> dict[str, Any]:
    """What `selvedge evaluate` prints of every family."""
    from evaluation.scores import ALL, CANDIDATE, MEAN, means

    scores = evaluation.scores
    own = scores[(scores["slice"] == ALL) & (scores["metric"] == "macro_f1") & (scores["subject"] == CANDIDATE)]
    means_of, own = own[own["attribute"] == MEAN].to_dict("records"), own[own["attribute"] != MEAN]
    return {
        "products": int(evaluation.predictions[CANDIDATE]["product_id"].nunique()),
        "macro_f1": {name: float(means_of[0][name]) for name in ("value", "low", "high")} if means_of else None,
        "subjects": means(scores, "macro_f1"),
        "accuracy": means(scores, "accuracy"),
        "attributes": {str(name): float(value) for name, value in zip(own["attribute"], own["value"], strict=True)},
        "evidence_sha256": evaluation.evidence.sha256,
    }
