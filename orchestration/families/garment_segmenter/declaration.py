"""The declaration of garment-segmenter.

Belongs here: what sets the family apart, as data, and the functions of a few lines that it needs. Not here: training
and scoring (candidate.py), its label set (preparation.py), its masks of a drop (publication.py).

A home without a plan of HandsOff that names test pictures has no candidate, no section of the report and no failing
run.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.families.contract import Family, ResultKeys, Review
from orchestration.families.garment_segmenter import NAME
from orchestration.families.garment_segmenter.candidate import digest, score, train
from orchestration.families.garment_segmenter.contest import contest
from orchestration.families.garment_segmenter.plan import lacking
from orchestration.families.garment_segmenter.report_section import section

if TYPE_CHECKING:
    import dagster as dg

    from evaluation.evidence import GateRule
    from labeling.review.pairs.masks import GarmentMasks
    from orchestration.assets.candidates import Opening
    from orchestration.assets.published import Tables
    from orchestration.registry.interface import Served
    from orchestration.runtime.settings import Settings
    from training.segmenter.settings import SegmenterSettings

LABELS = "training/label_set"
LEAST_TEST = 20  # pictures, below which no difference is seen


def settings() -> "type[SegmenterSettings]":
    from training.segmenter.settings import SegmenterSettings

    return SegmenterSettings


def open_candidate(instance: "dg.DagsterInstance", settings: "Settings", tables: "Tables") -> "Opening":  # noqa: ARG001 (the contract's)
    """A candidate of the present settings on the label set that was frozen last.

    Raises:
        SelvedgeError: there is none, or a setting is wrong.
    """
    from orchestration.assets.candidates import Opening
    from orchestration.families.stages import candidate_settings, require_materialised
    from training.segmenter.settings import SegmenterSettings

    frozen = require_materialised(instance, LABELS, GARMENT_SEGMENTER.training_job)
    options = candidate_settings(SegmenterSettings, settings, NAME)
    dataset = {name: frozen[name] for name in ("labels", "labels_sha256", "drops")}
    return Opening(NAME, options.fixed(), frozen["labels_sha256"], dataset)


def lacks_plan(instance: "dg.DagsterInstance", settings: "Settings", tables: "Tables") -> str:  # noqa: ARG001 (the contract's)
    """Why this home cannot train it; "" where it can."""
    return lacking(settings)


def rule(settings: "Settings") -> "GateRule":
    """Clearly better parts than the champion's, or than the nearest labelled picture's, on pictures that it has never
    seen, and no class lost; then preferred by people in blind pairs of masks, in a round held by the house's own
    plan."""
    from evaluation.evidence import METRICS, GateRule
    from evaluation.gate import VERDICT
    from evaluation.preference_plan import PreferencePlan
    from evaluation.scores import BASE
    from training.segmenter.scoring import IOU, MEAN_LABEL

    return GateRule(
        NAME,
        required=(METRICS, VERDICT),
        plan_sha256=PreferencePlan().sha256,
        metric=IOU,
        minimum_rows=LEAST_TEST,
        beats=(BASE, MEAN_LABEL),
        simulated_ballots=settings.simulated_ballots,
    )


def served() -> "Served":
    from orchestration.families.garment_segmenter.served import SERVED

    return SERVED


def kinds() -> "tuple[GarmentMasks]":
    from labeling.review.pairs.masks import GarmentMasks

    return (GarmentMasks(),)


def labels_sha256(folder: Path) -> str:
    from training.segmenter.label_set import read_label_set

    return read_label_set(folder).sha256


def assets() -> "Sequence[Any]":
    import dagster as dg

    from orchestration.families.garment_segmenter import handsoff, preparation, publication

    return dg.load_assets_from_modules([handsoff, preparation, publication])


GARMENT_SEGMENTER = Family(
    name=NAME,
    describes="Says which pixels of a photograph are which part of a garment.",
    assets=assets,
    prepared=(
        "labeling/handsoff_generator", "labeling/handsoff_inversions", "labeling/handsoff_labeller",
        "labeling/handsoff_dataset", LABELS,
    ),
    trained_from=(LABELS,),
    scored_on=(),
    publishes="inference/garment_masks",
    settings=settings,
    open=open_candidate,
    train=train,
    score=score,
    digest=digest,
    rule=rule,
    served=served,
    lacks=lacks_plan,
    learns_from_drops=False,
    data_sha256=labels_sha256,
    review=Review(kinds, contest),
    section=section,
    results={
        "train": ResultKeys(
            {
                "classes": "that it tells apart; the first is the background",
                "labelled_pictures": "that people labelled and it learnt from",
                "generated_pictures": "that HandsOff made and it learnt from",
            },
            {"parameters": "null"},
        ),
        "evaluate": ResultKeys(
            {
                "iou": "by subject: mean over classes of intersection over union",
                "foreground_iou": "by subject: of everything that is not background",
            },
            {"products": "test pictures", "macro_f1": "null", "attributes": "none"},
        ),
    },
)  # fmt: skip
