"""training/ of ReStGAN: the colour table, the word sequences and the judge that every candidate of it shares.

Belongs here: the assets that are prepared before a candidate is opened. Not here: the candidate (candidate.py).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from catalog.errors import SelvedgeError
from orchestration.assets.dataset import freeze_dataset, made_of
from orchestration.assets.metadata import image, shown, table
from orchestration.assets.published import Tables
from orchestration.assets.reporters import log_and
from orchestration.families.contract import CATALOGUE
from orchestration.families.restgan import NAME
from orchestration.families.restgan.candidate import frozen_bottoms
from orchestration.families.stages import candidate_settings, preparation_asset, require_materialised
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    from training.restgan.dataset import Coloured

COLOURS, WORDS, JOB = "training/color_table", "training/word_sequences", "train_restgan"
DIGITS = 16
EXAMPLES = 12


@preparation_asset(deps=CATALOGUE, kinds={"python"}, gpu=False)
def color_table(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    tables: Tables,
    progress: dg.ResourceParam[Any],
) -> dg.MaterializeResult:
    """Colour words that look alike share one feature: CIELAB medians of the garments, clustered by CIEDE2000."""
    from training.restgan.colour_picture import picture_of_table

    dataset = freeze_dataset(context.instance, tables)
    coloured = _coloured(settings, str(dataset.folder), dataset.question_set, log_and(context, progress))
    learnt = coloured.part == "train"
    names = [name for name, in_part in zip(coloured.titles.colours, learnt, strict=True) if in_part]
    colours = coloured.colours
    words = [
        [colours.names[k], ", ".join(w for w, of in colours.words.items() if of == k)] for k in range(len(colours))
    ]
    return dg.MaterializeResult(
        metadata={
            "dataset": str(dataset.folder),
            "dataset_sha256": dataset.sha256,
            "drops": list(dataset.drops),
            "question_set": dataset.question_set,
            "made_of": made_of(context.instance, tables, dataset.drops),
            "digest": colours.digest,
            "bottoms": len(coloured.rows),
            "clusters": len(colours),
            "CIEDE2000": dict(colours.figures),
            "table": image(picture_of_table(colours, names, coloured.cut.colours[learnt]), "colour table"),
            "words": table(["cluster", "colour words"], words),
        },
        data_version=dg.DataVersion(f"{dataset.sha256[:DIGITS]}-{colours.digest[:DIGITS]}"),
    )


@preparation_asset(deps=(COLOURS,), kinds={"parquet", "safetensors"}, gpu=False)
def word_sequences(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    progress: dg.ResourceParam[Any],
) -> dg.MaterializeResult:
    """The words of every bottom in the order a shopper would say them, with their pictures: the frozen data set."""
    from training.restgan.candidate import RestganCandidateSettings
    from training.restgan.dataset import PARTS, say_bottoms, write_bottoms
    from training.restgan.grids import shown_titles

    about = require_materialised(context.instance, COLOURS, JOB)
    coloured = _coloured(settings, about["dataset"], about["question_set"], log_and(context, progress))
    if coloured.colours.digest != about["digest"]:
        raise SelvedgeError(f"{COLOURS} was made with other settings; materialise it again before {WORDS}.")
    bottoms = say_bottoms(coloured, candidate_settings(RestganCandidateSettings, settings, NAME).minimum_count)
    folder = settings.home / "bottoms" / bottoms.digest[:DIGITS]
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        write_bottoms(bottoms, folder)
    examples = bottoms.take(range(min(EXAMPLES, len(bottoms))))
    return dg.MaterializeResult(
        metadata={
            "bottoms": str(folder),
            "digest": bottoms.digest,
            "products": len(bottoms),
            **{part: int((bottoms.rows["part"] == part).sum()) for part in PARTS},
            "vocabulary": len(bottoms.vocabulary),
            "examples": shown(shown_titles(examples), "bottoms and their words"),
            **{name: about[name] for name in ("dataset", "dataset_sha256", "drops", "question_set", "made_of")},
        },
        data_version=dg.DataVersion(bottoms.digest),
    )


@preparation_asset(deps=(WORDS,), kinds={"pytorch", "safetensors"})
def restgan_judge(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    progress: dg.ResourceParam[Any],
) -> dg.MaterializeResult:
    """The classifier that measures what is drawn: of other layers and other groups than anything inside the GAN.

    Materialising it opens a candidate on its data set.
    """
    from training.restgan.candidate import RestganCandidateSettings, base_folder, prepare_judge
    from training.restgan.sampling import read_about

    about = require_materialised(context.instance, WORDS, JOB)
    candidates = candidate_settings(RestganCandidateSettings, settings, NAME)
    bottoms = frozen_bottoms(about["bottoms"])
    file = judge_file(about["bottoms"])
    judge = prepare_judge(bottoms, candidates, file, log_and(context, progress))
    exam = [
        [name, f"{mark.accuracy:.3f}", f"{mark.low:.3f} to {mark.high:.3f}", f"{mark.majority:.3f}", mark.rows]
        for name, mark in judge.exam.items()
    ]
    base = "none" if candidates.base == "none" else str(base_folder(candidates.base))
    return dg.MaterializeResult(
        metadata={
            "judge": str(file),
            "digest": judge.digest,
            "exam": table(["attribute", "accuracy", "95 % interval", "majority", "pictures"], exam),
            "base": base,
            "base_digest": "" if base == "none" else read_about(Path(base))["digest"],
            "bottoms_digest": bottoms.digest,
            **{name: about[name] for name in ("bottoms", "dataset_sha256", "drops", "made_of")},
        },
        data_version=dg.DataVersion(judge.digest),
    )


def judge_file(bottoms: str) -> Path:
    """The judge's file, beside the data set it learnt from."""
    return Path(f"{bottoms}-judge.safetensors")


def _coloured(settings: Settings, dataset: str, question_set: str, reporter: Any) -> "Coloured":
    """Cutting is done once for each of the two assets: seconds, and nothing to keep in step."""
    from training.catalogue import read_dataset
    from training.restgan.candidate import RestganCandidateSettings
    from training.restgan.dataset import colour_bottoms

    candidates = candidate_settings(RestganCandidateSettings, settings, NAME)
    return colour_bottoms(
        read_dataset(dataset, question_set),
        candidates.restgan.sides[-1],
        threshold=candidates.threshold,
        shares=candidates.shares,
        reporter=reporter,
    )
