"""`selvedge handsoff`: from a few labelled pictures to any number of them, by hand, step by step.

Belongs here: options, results. Not here: the work (labeling/handsoff/ and training/handsoff/), their keys
(handsoff_keys.py).

Every step reads what the one before left in its folder, and the same command after a stop goes on.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from catalog.places import check_output_folder, locked_folder
from orchestration.cli.models import model_folder
from orchestration.cli.results import JsonFlag, emit
from orchestration.cli.terminal import reporting, say

if TYPE_CHECKING:
    from training.handsoff.frozen import FrozenGenerator
    from training.handsoff.pictures import Read
    from training.reporting import Reporter

app = typer.Typer(no_args_is_help=True)
Settings = TypeVar("Settings")

Config = Annotated[Path | None, typer.Option(help="YAML with the settings of this step; its defaults otherwise.")]
Model = Annotated[Path | None, typer.Option(help="Folder of the generator; the shipped one of 64 pixels otherwise.")]
Labels = Annotated[
    Path, typer.Option(help="Folder of labelled pictures: images/, masks/ and labels.json, or coco.json.")
]
Out = Annotated[Path, typer.Option(help="Folder of the result; run again after a stop, it goes on.")]
Catalogue = Annotated[Path | None, typer.Option(help="Catalogue directory, in place of --pictures.")]


@app.command("ask")
def ask(
    classes: Annotated[str, typer.Option(help="Names with commas between them; the first is the background.")],
    pictures: Annotated[Path | None, typer.Option(help="Folder of pictures.")] = None,
    catalog: Catalogue = None,
    number: Annotated[int, typer.Option(min=1, help="How many pictures people are asked to label.")] = 50,
    title: Annotated[str, typer.Option(help="Beginning of the project's title.")] = "Labels",
    as_json: JsonFlag = False,
) -> None:
    """Ask people to draw labels on the most informative pictures, in Label Studio. Run again, it goes on."""
    began = time.monotonic()
    from labeling.handsoff.asking import ask_for_labels, plain_title
    from labeling.handsoff.choosing import choose_pictures, shipped_features
    from labeling.handsoff.page import class_names
    from labeling.review.rounds.progress import named
    from orchestration.families.settings import load_settings
    from orchestration.runtime.label_studio import connect

    names, title, sources = class_names(classes), plain_title(title), _sources(pictures, catalog)
    settings = load_settings()
    server = connect(settings)
    describe, side = shipped_features()
    with reporting() as reporter:
        selection, considered = choose_pictures(sources, number, describe, side, reporter.progress)
        uploading = named(reporter.progress, "uploading")
        asked = ask_for_labels(settings.label_requests, server, selection, names, title, uploading)
    if len(selection) < number:
        say(f"selvedge: there are {considered} different pictures, fewer than {number}: people are asked for all.")
    values = {
        "project": asked.request.project,
        "link": asked.link,
        "classes": list(names),
        "considered": considered,
        "pictures": [picture.name for picture in asked.request.pictures],
        "resumed": asked.resumed,
    }
    emit("handsoff ask", as_json, values | {"seconds": time.monotonic() - began})


@app.command("collect")
def collect(
    out: Annotated[Path, typer.Option(help="Folder of the labelled pictures; what was collected there is replaced.")],
    project: Annotated[int | None, typer.Option(help="Number of the project, where there are several.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Write what people have drawn so far as the folder that `invert` and `label` read. Repeat at will."""
    began = time.monotonic()
    from dataclasses import asdict

    from labeling.handsoff.collecting import collect_labels
    from labeling.handsoff.request import request_of
    from labeling.review.rounds.progress import named
    from orchestration.families.settings import load_settings
    from orchestration.runtime.label_studio import connect

    check_output_folder(out)
    folder, settings = out.expanduser().resolve(), load_settings()
    request = request_of(settings.label_requests, project)
    with reporting() as reporter:
        collected = collect_labels(request, connect(settings), folder, named(reporter.progress, "collecting"))
    values = {"path": str(folder), "project": request.project, "classes": list(request.classes), **asdict(collected)}
    emit("handsoff collect", as_json, values | {"seconds": time.monotonic() - began})


@app.command("train")
def train(
    out: Out,
    pictures: Annotated[Path | None, typer.Option(help="Folder of product pictures; no labels are needed.")] = None,
    catalog: Catalogue = None,
    base: Annotated[Path | None, typer.Option(help="Base to begin from; the shipped one otherwise.")] = None,
    from_nothing: Annotated[bool, typer.Option("--from-nothing", help="Begin from random weights.")] = False,
    config: Config = None,
    as_json: JsonFlag = False,
) -> None:
    """Train the generator on product pictures: a GPU's work; hours on a CPU."""
    _refuse_both(pictures, catalog)
    if from_nothing and base is not None:
        raise typer.BadParameter("--from-nothing begins without a base; leave --base out")
    began = time.monotonic()
    from training.handsoff.loop import train_generator
    from training.handsoff.pictures import prepare_pictures
    from training.handsoff.plan import shipped_generator
    from training.handsoff.settings import GeneratorSettings
    from training.handsoff.start import read_start

    settings = _settings(GeneratorSettings, config)
    beginning = None if from_nothing else model_folder(str(base or shipped_generator()))
    start = read_start(beginning, settings) if beginning else None
    with _work(out) as (folder, reporter):
        prepared = prepare_pictures(_sources(pictures, catalog), settings.size, folder / "pictures", reporter.progress)
        result = train_generator(prepared, settings, folder, reporter, start=start)
    values = {
        "path": str(result.artefact),
        "digest": result.digest,
        "base": str(beginning) if beginning else None,
        "pictures": len(prepared),
        "steps": result.steps,
        "skipped": result.skipped,
    }
    emit("handsoff train", as_json, values | {"seconds": time.monotonic() - began})


@app.command("invert")
def invert(
    labels: Labels,
    out: Out,
    model: Model = None,
    pictures: Annotated[
        Path | None, typer.Option(help="Folder of further pictures, without labels, for the encoder to learn from.")
    ] = None,
    config: Config = None,
    as_json: JsonFlag = False,
) -> None:
    """Find the codes from which the generator draws the labelled pictures; say which it cannot."""
    began = time.monotonic()
    from training.handsoff.inversion import invert_pictures
    from training.handsoff.label_settings import InversionSettings
    from training.handsoff.labels import read_labelled
    from training.handsoff.perception import shipped_perception
    from training.handsoff.pictures import of_folder, prepare_pictures

    settings = _settings(InversionSettings, config)
    frozen = _generator(model, settings)
    labelled = read_labelled(labels.expanduser(), frozen.size)
    with _work(out) as (folder, reporter):
        more = None
        if pictures is not None:
            sources = of_folder(pictures.expanduser())
            more = prepare_pictures(sources, frozen.size, folder / "pictures", reporter.progress)
        perception = shipped_perception(frozen.device)
        codes = invert_pictures(frozen, labelled.pictures, settings, folder, reporter, perception, more)
    for sentence in codes.refusals():
        say(f"selvedge: {sentence}")
    stays = set(codes.kept.tolist())
    values = {
        "path": str(folder),
        "pictures": len(codes.names),
        "inverted": len(stays),
        "refused": [name for row, name in enumerate(codes.names) if row not in stays],
        "error": _median(codes.errors),
        "reference": _median(codes.reference),
        "limit": codes.limit,
        "perception": codes.perception,
    }
    emit("handsoff invert", as_json, values | {"seconds": time.monotonic() - began})


@app.command("label")
def label(
    labels: Labels,
    inversions: Annotated[Path, typer.Option(help="Folder that `selvedge handsoff invert` wrote.")],
    out: Out,
    model: Model = None,
    config: Config = None,
    as_json: JsonFlag = False,
) -> None:
    """Train the labeller: from the generator's features at those codes to their labels."""
    began = time.monotonic()
    from training.handsoff.inversion import read_inversions
    from training.handsoff.label_settings import LabellerSettings
    from training.handsoff.labeller_training import train_labeller
    from training.handsoff.labels import read_labelled

    settings = _settings(LabellerSettings, config)
    frozen = _generator(model, settings)
    labelled = read_labelled(labels.expanduser(), frozen.size)
    codes = read_inversions(inversions.expanduser())
    with _work(out) as (folder, reporter):
        result = train_labeller(frozen, codes, labelled, settings, folder, reporter)
    stays = set(codes.kept.tolist())
    values = {
        "path": str(result.artefact),
        "digest": result.digest,
        "pictures": result.pictures,
        "left_out": [name for row, name in enumerate(codes.names) if row not in stays],
        "classes": list(labelled.kinds.classes),
        "keypoints": list(labelled.kinds.keypoints),
        "maps": list(labelled.kinds.maps),
        "pixels": result.pixels,
        "bytes": result.bytes,
        "all_bytes": result.all_bytes,
        "steps": result.steps,
    }
    emit("handsoff label", as_json, values | {"seconds": time.monotonic() - began})


@app.command("generate")
def generate(
    labeller: Annotated[Path, typer.Option(help="Folder of a labeller, of `selvedge handsoff label`.")],
    out: Out,
    model: Model = None,
    pictures: Annotated[int | None, typer.Option(min=1, help="How many to draw, in place of the settings'.")] = None,
    config: Config = None,
    as_json: JsonFlag = False,
) -> None:
    """Draw pictures with labels and leave the most doubtful ones out."""
    began = time.monotonic()
    from dataclasses import replace

    from training.handsoff import generation
    from training.handsoff.label_settings import GenerationSettings
    from training.handsoff.labeller import load_labeller

    settings = _settings(GenerationSettings, config)
    settings = settings if pictures is None else replace(settings, pictures=pictures)
    frozen = _generator(model, settings)
    reader = load_labeller(model_folder(str(labeller)), frozen)
    with _work(out) as (folder, reporter):
        made = generation.generate(reader, settings, folder, reporter)
    names = ("digest", "sampled", "kept", "bound", "mean_kept", "mean_dropped", "shares")
    values = {"path": str(made.folder), **{name: getattr(made, name) for name in names}}
    emit("handsoff generate", as_json, values | {"seconds": time.monotonic() - began})


@app.command("demo")
def demo(as_json: JsonFlag = False) -> None:
    """From fifty drawn labels to a promoted segmenter that cuts out ten products, with scripted annotators."""
    from orchestration.families.settings import load_settings
    from orchestration.jobs.demo_handsoff import run_handsoff_demo

    began = time.monotonic()
    with reporting() as reporter:
        outcome = run_handsoff_demo(load_settings(), reporter)
    emit("handsoff demo", as_json, {**outcome, "seconds": time.monotonic() - began})


def _refuse_both(pictures: Path | None, catalog: Path | None) -> None:
    if (pictures is None) == (catalog is None):
        raise typer.BadParameter("give --pictures DIR or --catalog DIR, one of them")


def _sources(pictures: Path | None, catalog: Path | None) -> "list[tuple[str, Read]]":
    """Names and readers of a folder's pictures, or of a catalogue's outside its test split."""
    from training.handsoff.pictures import of_folder, of_tables

    _refuse_both(pictures, catalog)
    if pictures is not None:
        return of_folder(pictures.expanduser())
    from catalog.workspace import open_catalogue

    assert catalog is not None
    tables = open_catalogue(catalog)
    return of_tables(tables.images.to_pandas(), tables.splits.to_pandas())


@contextmanager
def _work(out: Path) -> "Iterator[tuple[Path, Reporter]]":
    """The output folder, nobody else's meanwhile, and who is told of the progress."""
    check_output_folder(out)
    folder = out.expanduser().resolve()
    with locked_folder(folder), reporting() as reporter:
        yield folder, reporter


def _settings(kind: type[Settings], config: Path | None) -> Settings:
    from catalog.yaml_files import read_yaml
    from training.settings import refuse_absent_devices, settings_from

    values = {} if config is None else read_yaml(config, "configuration", "leave --config out for the defaults")
    settings = settings_from(kind, values, "the defaults" if config is None else str(config))
    refuse_absent_devices(settings)
    return settings


def _generator(model: Path | None, settings: Any) -> "FrozenGenerator":
    import torch

    from training.devices import choose_device
    from training.handsoff.frozen import load_generator
    from training.handsoff.plan import shipped_generator

    if settings.threads:
        torch.set_num_threads(settings.threads)
    return load_generator(model_folder(str(model or shipped_generator())), device=choose_device(settings.device))


def _median(values: Any) -> float:
    import numpy as np

    return float(np.median(values))
