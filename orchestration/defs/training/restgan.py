"""training/ of ReStGAN: the colour table, the word sequences and the judge that every candidate of it shares.

Belongs here: the assets that are prepared before a candidate is opened. Not here: the candidate (families/restgan.py).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg

from catalog.errors import SelvedgeError
from orchestration.defs.training.blip2 import CATALOGUE, OWNERS
from orchestration.defs.training.dataset import freeze_dataset, made_of, read_dataset
from orchestration.failures import told_plainly
from orchestration.partitions import EVERY
from orchestration.pictures import image, shown, table
from orchestration.reporters import log_and
from orchestration.resources import GPU_POOL, Tables, materialised
from orchestration.settings import Settings

if TYPE_CHECKING:
    from training.restgan.candidate import RestganCandidateSettings
    from training.restgan.dataset import Coloured

COLOURS, WORDS, JUDGE = "training/color_table", "training/word_sequences", "training/restgan_judge"
DIGITS = 16
EXAMPLES = 12


@dg.asset(
    key_prefix="training",
    group_name="training",
    deps=[dg.AssetDep(["catalog", name], partition_mapping=EVERY) for name in CATALOGUE],
    owners=OWNERS,
    kinds={"python"},
    code_version="1",
)
@told_plainly
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
    names = [name for name, known in zip(coloured.titles.colours, learnt, strict=True) if known]
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


@dg.asset(
    key_prefix="training",
    group_name="training",
    deps=[dg.AssetDep(["training", "color_table"], partition_mapping=EVERY)],
    owners=OWNERS,
    kinds={"parquet", "safetensors"},
    code_version="1",
)
@told_plainly
def word_sequences(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    tables: Tables,
    progress: dg.ResourceParam[Any],
) -> dg.MaterializeResult:
    """The words of every bottom in the order a shopper would say them, with their pictures: the frozen data set."""
    from training.restgan.dataset import PARTS, say_bottoms, write_bottoms
    from training.restgan.grids import shown_titles

    about = _told(context.instance, COLOURS)
    coloured = _coloured(settings, about["dataset"], about["question_set"], log_and(context, progress))
    if coloured.colours.digest != about["digest"]:
        raise SelvedgeError(f"{COLOURS} was made with other settings; materialise it again before {WORDS}.")
    bottoms = say_bottoms(coloured, candidate_settings(settings).minimum_count)
    folder = settings.home / "bottoms" / bottoms.digest[:DIGITS]
    if not folder.exists():
        folder.parent.mkdir(parents=True, exist_ok=True)
        write_bottoms(bottoms, folder)
    some = bottoms.take(range(min(EXAMPLES, len(bottoms))))
    return dg.MaterializeResult(
        metadata={
            "bottoms": str(folder),
            "digest": bottoms.digest,
            "products": len(bottoms),
            **{part: int((bottoms.rows["part"] == part).sum()) for part in PARTS},
            "vocabulary": len(bottoms.vocabulary),
            "examples": shown(shown_titles(some), "bottoms and their words"),
            **{name: about[name] for name in ("dataset", "dataset_sha256", "drops", "question_set", "made_of")},
        },
        data_version=dg.DataVersion(bottoms.digest),
    )


@dg.asset(
    key_prefix="training",
    group_name="training",
    deps=[dg.AssetDep(["training", "word_sequences"], partition_mapping=EVERY)],
    pool=GPU_POOL,
    owners=OWNERS,
    kinds={"pytorch", "safetensors"},
    code_version="1",
)
@told_plainly
def restgan_judge(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    progress: dg.ResourceParam[Any],
) -> dg.MaterializeResult:
    """The classifier that measures what is drawn: of other layers and other groups than anything inside the GAN.

    Materialising it opens a candidate on its data set.
    """
    from training.restgan.candidate import base_folder, prepare_judge
    from training.restgan.dataset import read_bottoms
    from training.restgan.sampling import read_about

    about = _told(context.instance, WORDS)
    chosen = candidate_settings(settings)
    bottoms = read_bottoms(about["bottoms"])
    place = judge_place(about["bottoms"])
    judge = prepare_judge(bottoms, chosen, place, log_and(context, progress))
    exam = [
        [name, f"{one.accuracy:.3f}", f"{one.low:.3f} to {one.high:.3f}", f"{one.majority:.3f}", one.rows]
        for name, one in judge.exam.items()
    ]
    base = "none" if chosen.base == "none" else str(base_folder(chosen.base))
    return dg.MaterializeResult(
        metadata={
            "judge": str(place),
            "digest": judge.digest,
            "exam": table(["attribute", "accuracy", "95 % interval", "majority", "pictures"], exam),
            "base": base,
            "base_digest": "" if base == "none" else read_about(Path(base))["digest"],
            "bottoms_digest": bottoms.digest,
            **{name: about[name] for name in ("bottoms", "dataset_sha256", "drops", "made_of")},
        },
        data_version=dg.DataVersion(judge.digest),
    )


def candidate_settings(settings: Settings) -> "RestganCandidateSettings":
    """How candidates are trained: the file that the settings name, or the defaults.

    Raises:
        SelvedgeError: the file cannot be read, or a setting in it is unknown or of another type.
    """
    from training.restgan.candidate import RestganCandidateSettings
    from training.settings import load_settings

    file = settings.restgan_settings
    return load_settings(RestganCandidateSettings, file) if file else RestganCandidateSettings()


def judge_place(bottoms: str) -> Path:
    """The judge's file, beside the data set it learnt from."""
    return Path(f"{bottoms}-judge.safetensors")


def _told(instance: dg.DagsterInstance, name: str) -> dict[str, Any]:
    found = materialised(instance, name)
    if found is None:
        raise SelvedgeError(f"{name} was never materialised; run the job train_restgan first.")
    return found


def _coloured(settings: Settings, dataset: str, question_set: str, reporter: Any) -> "Coloured":
    """Cutting is done once for each of the two assets: seconds, and nothing to keep in step."""
    from training.restgan.dataset import colour_bottoms

    chosen = candidate_settings(settings)
    return colour_bottoms(
        read_dataset(dataset, question_set),
        chosen.restgan.sides[-1],
        threshold=chosen.threshold,
        shares=chosen.shares,
        reporter=reporter,
    )
