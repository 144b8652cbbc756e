"""The declaration of ad-ranker.

Belongs here: what sets the family apart, as data, and the functions of a few lines that it needs. Not here: training
and scoring (candidate.py), gathering picks (collection.py), its asset (preparation.py).

A home in which nobody has picked has no candidate, no section of the report and no failing run: the asset that opens
one is materialised by hand, when there are picks.
"""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestration.families.ad_ranker import NAME
from orchestration.families.ad_ranker.candidate import digest, score, train
from orchestration.families.ad_ranker.contest import contest
from orchestration.families.ad_ranker.report_section import section
from orchestration.families.contract import Family, ResultKeys, Review

if TYPE_CHECKING:
    import dagster as dg

    from evaluation.evidence import GateRule
    from labeling.review.pairs.ads import AdPictures
    from orchestration.assets.candidates import Opening
    from orchestration.assets.published import Tables
    from orchestration.registry.interface import Served
    from orchestration.runtime.settings import Settings
    from training.ad_ranker.candidate import AdRankerSettings

PICKS = "training/ad_picks"


def settings() -> "type[AdRankerSettings]":
    from training.ad_ranker.candidate import AdRankerSettings

    return AdRankerSettings


def open_candidate(instance: "dg.DagsterInstance", settings: "Settings", tables: "Tables") -> "Opening":  # noqa: ARG001 (the contract's)
    """A candidate of the present settings on the picks that were collected last.

    Raises:
        SelvedgeError: none were collected, or scripted annotators' picks are asked for outside of the demo.
    """
    from orchestration.assets.candidates import Opening
    from orchestration.families.ad_ranker.collection import ranker_settings
    from orchestration.families.stages import require_materialised

    collected = require_materialised(instance, PICKS, AD_RANKER.training_job)
    options = ranker_settings(settings)
    dataset = {name: collected[name] for name in ("picks", "picks_sha256", "drops", "catalogue", "question_set")}
    return Opening(NAME, asdict(options), collected["picks_sha256"], dataset)


def lacks_picks(instance: "dg.DagsterInstance", settings: "Settings", tables: "Tables") -> str:  # noqa: ARG001 (the contract's)
    """Why this home cannot train it yet; "" where it can."""
    from orchestration.families.ad_ranker.collection import lacking
    from orchestration.registry.ledger import open_ledger

    return lacking(open_ledger(settings), settings)


def rule(settings: "Settings") -> "GateRule":
    """Clearly better than the champion, or than the untrained order, at putting a picked picture before the others, and
    clearly better than chance: on picks of products that it has never seen. Then preferred by people in blind pairs of
    ads, in a round held by the house's own plan; scripted annotators' picks and ballots promote in the demo alone."""
    from evaluation.evidence import METRICS, GateRule
    from evaluation.gate import VERDICT
    from evaluation.preference_plan import PreferencePlan
    from evaluation.scores import BASE
    from training.ad_ranker.scoring import PAIR_ACCURACY, RANDOM

    return GateRule(
        NAME,
        required=(METRICS, VERDICT),
        plan_sha256=PreferencePlan().sha256,
        metric=PAIR_ACCURACY,
        beats=(BASE, RANDOM),
        simulated_ballots=settings.simulated_ballots,
    )


def served() -> "Served":
    from orchestration.families.ad_ranker.served import SERVED

    return SERVED


def kinds() -> "tuple[AdPictures, AdPictures]":
    """Ads that two rankers choose; and, by hand, the whole pipeline beside its first plan."""
    from labeling.review.pairs.ads import AdPictures, against_first_plan

    return AdPictures(), against_first_plan()


def picks_sha256(folder: Path) -> str:
    from training.ad_ranker.picks import folder_sha256

    return folder_sha256(folder)


def assets() -> "Sequence[Any]":
    import dagster as dg

    from orchestration.families.ad_ranker import preparation

    return dg.load_assets_from_modules([preparation])


AD_RANKER = Family(
    name=NAME,
    describes="Orders a request's pictures by what people picked before.",
    assets=assets,
    prepared=(PICKS,),
    trained_from=(PICKS,),
    scored_on=(),
    publishes="inference/ad_images",
    settings=settings,
    open=open_candidate,
    train=train,
    score=score,
    digest=digest,
    rule=rule,
    served=served,
    lacks=lacks_picks,
    learns_from_drops=False,
    data_sha256=picks_sha256,
    review=Review(kinds, contest),
    section=section,
    results={
        "train": ResultKeys(
            {
                "picks": "answers that chose a picture and were learnt from",
                "held_out": "those kept for scoring, by product",
                "none_of_these": "answers that chose no picture",
                "simulated_picks": "true where scripted annotators' picks were learnt from: nobody's preference",
            },
            {"steps": "pairs of picks", "parameters": "null"},
        ),
        "evaluate": ResultKeys(
            {
                "pair_accuracy": "by subject: how often a picked picture comes before one that was not",
                "calibration_error": "of the probability that is given to such a pair",
                "picks": "whose picks were held out",
            },
            {"products": "with held-out picks", "macro_f1": "null", "attributes": "none"},
        ),
    },
    kinds=frozenset({"scipy", "mlflow"}),
)
