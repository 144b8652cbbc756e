"""training/ of BLIP-2: the base, and the image features that every candidate of it shares.

Belongs here: the two assets that are prepared before a candidate is opened. Not here: the candidate
(families/blip2_attributes.py).
"""

from typing import TYPE_CHECKING, Any

import dagster as dg

from orchestration.defs.training.dataset import freeze_dataset, made_of, read_dataset
from orchestration.failures import told_plainly
from orchestration.partitions import EVERY
from orchestration.reporters import log_and
from orchestration.resources import GPU_POOL, Tables, materialised
from orchestration.settings import Settings

if TYPE_CHECKING:
    from training.blip2.settings import Blip2CandidateSettings

OWNERS = ["team:models"]
CATALOGUE = ("products", "images", "splits", "qa_pairs")
DIGITS = 16


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
def blip2_base(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[Settings],
    tables: Tables,
    progress: dg.ResourceParam[Any],
) -> dg.MaterializeResult:
    """The base that LoRA adapts: as shipped, or first continued on the coarse columns of photographs."""
    from training.blip2.candidate import prepare_base

    chosen = candidate_settings(settings)
    dataset = freeze_dataset(context.instance, tables)
    frozen = read_dataset(str(dataset.folder), chosen.question_set or dataset.question_set)
    place = settings.home / "bases" / dataset.sha256[:DIGITS]
    base = prepare_base(frozen, chosen, place, log_and(context, progress))
    continued = place in base.folder.parents
    return dg.MaterializeResult(
        metadata={
            "base": str(base.folder) if continued else chosen.base,
            "digest": base.digest,
            "profile": base.profile.name,
            "continued": continued,
            "queries": base.profile.queries,
        },
        data_version=dg.DataVersion(base.digest),
    )


@dg.asset(
    key_prefix="training",
    group_name="training",
    deps=[
        dg.AssetDep(["training", "blip2_base"], partition_mapping=EVERY),
        *[dg.AssetDep(["catalog", name], partition_mapping=EVERY) for name in CATALOGUE],
    ],
    pool=GPU_POOL,
    owners=OWNERS,
    kinds={"pytorch", "safetensors"},
    code_version="1",
)
@told_plainly
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

    chosen = candidate_settings(settings)
    dataset = freeze_dataset(context.instance, tables)
    question_set = chosen.question_set or dataset.question_set
    frozen = read_dataset(str(dataset.folder), question_set)
    source = (materialised(context.instance, "training/blip2_base") or {}).get("base", chosen.base)
    base = load_base(source, device="cuda" if torch.cuda.is_available() else "cpu")
    store = FeatureStore(settings.features(), base, chosen.feature_precision)
    reporter = log_and(context, progress)
    computed = {}
    for split, views in (("train", chosen.lora.views), ("validation", 1), ("test", 1)):
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


def candidate_settings(settings: Settings) -> "Blip2CandidateSettings":
    """How candidates are trained: the file that the settings name, or the defaults.

    Raises:
        SelvedgeError: the file cannot be read, or a setting in it is unknown or of another type.
    """
    from training.blip2.settings import Blip2CandidateSettings
    from training.settings import load_settings

    return (
        load_settings(Blip2CandidateSettings, settings.blip2_settings)
        if settings.blip2_settings
        else Blip2CandidateSettings()
    )
