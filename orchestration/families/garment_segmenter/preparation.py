"""training/ of garment-segmenter: the label set that every candidate of it learns from.

Belongs here: the asset that is prepared before a candidate is opened. Not here: where the many labelled pictures come
from (handsoff.py), what a label set is (training/segmenter/label_set.py).
"""

from pathlib import Path

import dagster as dg

from orchestration.families.garment_segmenter.plan import segmenter_plan
from orchestration.families.stages import preparation_asset, require_materialised
from orchestration.runtime.settings import Settings

GENERATED_SET = "labeling/handsoff_dataset"


@preparation_asset(deps=(GENERATED_SET,), kinds={"png", "json"}, gpu=False)
def label_set(context: dg.AssetExecutionContext, settings: dg.ResourceParam[Settings]) -> dg.MaterializeResult:
    """The few labelled pictures, those that HandsOff made of them, and test pictures that nobody learns from.

    Materialising it freezes all three, and opens a candidate on them.
    """
    from training.handsoff.labels import read_labelled
    from training.segmenter.label_set import COMPARED_SIDE, GENERATED, LABELLED, TEST, keep_label_set

    plan = segmenter_plan(settings)
    made = require_materialised(context.instance, GENERATED_SET, "train_garment_segmenter")
    parts = {LABELLED: Path(plan.labels), TEST: Path(plan.test), GENERATED: Path(made["path"])}
    kept = keep_label_set(parts, settings.home / "label_sets")
    counts = {name: len(read_labelled(folder, COMPARED_SIDE)) for name, folder in parts.items()}
    sha256 = kept.sha256
    return dg.MaterializeResult(
        metadata={
            "labels": str(kept.folder),
            "labels_sha256": sha256,
            **{f"{name}_pictures": count for name, count in counts.items()},
            "drops": [],
            "made_of": {},
        },
        data_version=dg.DataVersion(sha256),
    )
