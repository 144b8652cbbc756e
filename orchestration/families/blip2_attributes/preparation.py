"""training/ of BLIP-2: the base, the image features that every candidate of it shares, and the end-to-end ceiling.

Belongs here: the assets that are prepared before a candidate is opened. Not here: the candidate (candidate.py).
"""

from typing import Any

import dagster as dg

from orchestration.assets.dataset import freeze_dataset, made_of
from orchestration.assets.published import Tables, materialised
from orchestration.assets.reporters import log_and
from orchestration.families.blip2_attributes import NAME
from orchestration.families.contract import CATALOGUE
from orchestration.families.stages import candidate_settings, preparation_asset
from orchestration.runtime.settings import Settings

DIGITS = 16


@preparation_asset(deps=CATALOGUE, kinds={"pytorch"})
def blip2_base(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    tables: Tables,
    progress: dg.ResourceParam[Any],
) -> dg.MaterializeResult:
    """The base that LoRA adapts: as shipped, or first continued on photographs and all their questions."""
    from training.blip2.candidate import prepare_base
    from training.blip2.settings import Blip2CandidateSettings
    from training.catalogue import read_dataset

    candidates = candidate_settings(Blip2CandidateSettings, settings, NAME)
    dataset = freeze_dataset(context.instance, tables)
    frozen = read_dataset(str(dataset.folder), candidates.question_set or dataset.question_set)
    folder = settings.home / "bases" / dataset.sha256[:DIGITS]
    base = prepare_base(frozen, candidates, folder, log_and(context, progress))
    continued = folder in base.folder.parents
    return dg.MaterializeResult(
        metadata={
            "base": str(base.folder) if continued else candidates.base,
            "digest": base.digest,
            "profile": base.profile.name,
            "continued": continued,
            "queries": base.profile.queries,
        },
        data_version=dg.DataVersion(base.digest),
    )


@preparation_asset(deps=("training/blip2_base", *CATALOGUE), kinds={"pytorch", "safetensors"})
def blip2_features(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    tables: Tables,
    progress: dg.ResourceParam[Any],
) -> dg.MaterializeResult:
    """Image features, once per picture whatever is asked of it; training pictures in a few views.

    Materialising it freezes the data set it was computed for, and opens a candidate on it.
    """
    import torch

    from training.blip2.base import load_base
    from training.blip2.features import FeatureStore, compute_features
    from training.blip2.settings import Blip2CandidateSettings
    from training.catalogue import read_dataset

    candidates = candidate_settings(Blip2CandidateSettings, settings, NAME)
    dataset = freeze_dataset(context.instance, tables)
    question_set = candidates.question_set or dataset.question_set
    frozen = read_dataset(str(dataset.folder), question_set)
    source = (materialised(context.instance, "training/blip2_base") or {}).get("base", candidates.base)
    base = load_base(source, device="cuda" if torch.cuda.is_available() else "cpu")
    store = FeatureStore(settings.features(), base, candidates.feature_precision)
    reporter = log_and(context, progress)
    computed = {}
    for split, views in (("train", candidates.lora.views), ("validation", 1), ("test", 1)):
        items = frozen.items(split)
        computed[split] = compute_features(base, items, store, views, lambda d, t: reporter.progress(d, t, "features"))
    return dg.MaterializeResult(
        metadata={
            "dataset": str(dataset.folder),
            "dataset_sha256": dataset.sha256,
            "drops": list(dataset.drops),
            "made_of": made_of(context.instance, tables, dataset.drops),
            "question_set": question_set,
            "base": source,
            "base_digest": base.digest,
            "computed": computed,
            "store": str(store.folder),
        },
        data_version=dg.DataVersion(f"{dataset.sha256[:DIGITS]}-{base.digest[:DIGITS]}"),
    )


@preparation_asset(deps=CATALOGUE, kinds={"pytorch"})
def attribute_classifier(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    tables: Tables,
    progress: dg.ResourceParam[Any],
) -> dg.MaterializeResult:
    """An end-to-end network on the same rows: the ceiling that candidates are shown beside."""
    from training.blip2.ceilings import keep_ceilings
    from training.blip2.scoring import LabelledCatalogue, cnn_ceiling
    from training.blip2.settings import Blip2CandidateSettings
    from training.catalogue import read_dataset

    dataset = freeze_dataset(context.instance, tables)
    metadata: dict[str, Any] = {
        "dataset_sha256": dataset.sha256,
        "drops": list(dataset.drops),
        "seconds": settings.cnn_seconds,
    }
    version = dg.DataVersion(f"{dataset.sha256}-{settings.cnn_seconds}")
    if not settings.cnn_seconds:
        return dg.MaterializeResult(metadata=metadata, data_version=version)
    question_set = candidate_settings(Blip2CandidateSettings, settings, NAME).question_set or dataset.question_set
    frozen = read_dataset(str(dataset.folder), question_set)
    rows = LabelledCatalogue(frozen.products, frozen.images, frozen.qa_pairs)
    work = settings.work / f"attribute_classifier-{dataset.sha256[:DIGITS]}"
    given = frozen.schema.question_set(frozen.question_set).given
    ceilings = cnn_ceiling(rows, given, work, log_and(context, progress), settings.cnn_seconds)
    keep_ceilings(ceilings, dataset.folder)
    return dg.MaterializeResult(metadata={**metadata, "ceilings": list(ceilings)}, data_version=version)
