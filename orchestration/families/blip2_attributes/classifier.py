"""training/attribute_classifier: what these rows and pictures give to a network that may change everything.

Belongs here: the asset that trains it beside a data set and keeps its answers there. Not here: the network
(training/attribute_classifier.py), putting it beside the others (evaluation_run.py).
"""

from typing import TYPE_CHECKING, Any

import dagster as dg

from orchestration.assets.dataset import freeze_dataset, read_dataset
from orchestration.assets.failures import told_plainly
from orchestration.assets.partitions import EVERY
from orchestration.assets.published import GPU_POOL, Tables
from orchestration.assets.reporters import log_and
from orchestration.families.blip2_attributes.preparation import CATALOGUE, OWNERS, candidate_settings
from orchestration.runtime.settings import Settings

if TYPE_CHECKING:
    import pandas as pd
    from upath import UPath


@dg.asset(
    key_prefix="training",
    group_name="training",
    deps=[dg.AssetDep(["catalog", name], partition_mapping=EVERY) for name in CATALOGUE],
    pool=GPU_POOL,
    owners=OWNERS,
    kinds={"pytorch"},
    code_version="1",
)
@told_plainly
def attribute_classifier(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    tables: Tables,
    progress: dg.ResourceParam[Any],
) -> dg.MaterializeResult:
    """An end-to-end network on the same rows: the ceiling that candidates are shown beside."""
    from catalog.tables import publish_bytes
    from training.blip2.scoring import LabelledCatalogue, cnn_ceiling

    dataset = freeze_dataset(context.instance, tables)
    told: dict[str, Any] = {
        "dataset_sha256": dataset.sha256,
        "drops": list(dataset.drops),
        "seconds": settings.cnn_seconds,
    }
    version = dg.DataVersion(f"{dataset.sha256}-{settings.cnn_seconds}")
    if not settings.cnn_seconds:
        return dg.MaterializeResult(metadata=told, data_version=version)
    frozen = read_dataset(str(dataset.folder), candidate_settings(settings).question_set or dataset.question_set)
    rows = LabelledCatalogue(frozen.products, frozen.images, frozen.qa_pairs)
    work = settings.work / f"attribute_classifier-{dataset.sha256[:16]}"
    given = frozen.schema.question_set(frozen.question_set).given
    ceilings = cnn_ceiling(rows, given, work, log_and(context, progress), settings.cnn_seconds)
    for subject, answers in ceilings.items():
        publish_bytes(answers.to_parquet(index=False, compression="zstd"), ceiling_place(dataset.folder, subject))
    return dg.MaterializeResult(metadata={**told, "ceilings": list(ceilings)}, data_version=version)


def kept_ceilings(folder: "UPath") -> "dict[str, pd.DataFrame]":
    """Answers of the ceilings that were trained on a frozen data set, by subject; empty where none was."""
    import io

    import pandas as pd

    files = folder.glob(f"{PREFIX}*.parquet") if folder.exists() else ()
    return {_subject(file.name): pd.read_parquet(io.BytesIO(file.read_bytes())) for file in files}


PREFIX = "answers-of-"


def ceiling_place(folder: "UPath", subject: str) -> "UPath":
    """Where a ceiling's answers are kept: with the data set they are about."""
    return folder / f"{PREFIX}{subject.replace(':', '.')}.parquet"


def _subject(file_name: str) -> str:
    return file_name.removeprefix(PREFIX).removesuffix(".parquet").replace(".", ":")
